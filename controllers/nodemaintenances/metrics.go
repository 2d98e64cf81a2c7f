// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var evictions = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "kdcos_nodemaintenance_evictions_total",
	Help: "Pods that were to go from nodes, by result: evicted, refused or deleted.",
}, []string{"result"})

func init() { metrics.Registry.MustRegister(evictions) }
