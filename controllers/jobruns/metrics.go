// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	attempts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kdcos_jobrun_attempts_total",
		Help: "Attempts of runs that were made.",
	})
	finished = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kdcos_jobrun_finished_total",
		Help: "Runs that have finished, by state: SUCCESS or FAILED.",
	}, []string{"state"})
)

func init() { metrics.Registry.MustRegister(attempts, finished) }
