// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	tasksLaunched = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kdcos_app_tasks_launched_total",
		Help: "Tasks of Apps launched, by reason: deploy, scale or upgrade.",
	}, []string{"reason"})
	tasksKilled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kdcos_app_tasks_killed_total",
		Help: "Tasks of Apps killed, by reason: scale, upgrade, recover or unhealthy.",
	}, []string{"reason"})
	checksMade = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kdcos_app_checks_total",
		Help: "Checks of tasks made by the manager, by result: success, failure or discarded.",
	}, []string{"result"})
)

func init() {
	metrics.Registry.MustRegister(tasksLaunched, tasksKilled, checksMade)
}
