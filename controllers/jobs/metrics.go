// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	runsStarted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kdcos_job_runs_started_total",
		Help: "Runs of Jobs started, by trigger: Schedule or Dependencies.",
	}, []string{"trigger"})
	ticksDropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kdcos_job_ticks_dropped_total",
		Help: "Ticks of schedules that started no run, since the Job had one or nobody looked in time.",
	})
	startDelay = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kdcos_job_start_delay_seconds",
		Help:    "Time from a tick to the run that it started.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 300},
	})
)

func init() { metrics.Registry.MustRegister(runsStarted, ticksDropped, startDelay) }
