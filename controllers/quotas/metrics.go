// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	limitGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kdcos_quota_limit",
		Help: "Limits of Quotas, by resource: cpus, mem and disk in MiB, gpus.",
	}, []string{"quota", "resource"})
	consumedGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kdcos_quota_consumed",
		Help: "What is used of Quotas, by resource: cpus, mem and disk in MiB, gpus.",
	}, []string{"quota", "resource"})
	waitingGauge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kdcos_quota_waiting_pods",
		Help: "Pods that wait for a Quota.",
	}, []string{"quota"})
	waited = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kdcos_quota_wait_seconds",
		Help:    "For how long pods that were let in had waited since they were made.",
		Buckets: []float64{1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
	})
	passTime = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kdcos_quota_pass_seconds",
		Help:    "How long a pass over the line of a namespace took, with the pods that were let in.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
	})
	sentBack = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kdcos_quota_sent_back_total",
		Help: "Pods that held a share without a node that takes them, and were made anew to wait again.",
	})
)

func init() {
	metrics.Registry.MustRegister(limitGauge, consumedGauge, waitingGauge, waited, passTime, sentBack)
}

// measure sets the gauges of a Quota.
func measure(q *v1alpha1.Quota, l *line) {
	forget(q.Name)
	waitingGauge.WithLabelValues(q.Name).Set(float64(len(l.waiting)))
	for r, name := range resourceNames {
		if l.quota.limits[r] != noLimit {
			limitGauge.WithLabelValues(q.Name, name).Set(amounts(l.quota.limits).figure(r))
		}
		consumedGauge.WithLabelValues(q.Name, name).Set(l.consumed.figure(r))
	}
}

// forget removes the gauges of a Quota that is gone.
func forget(quota string) {
	of := prometheus.Labels{"quota": quota}
	limitGauge.DeletePartialMatch(of)
	consumedGauge.DeletePartialMatch(of)
	waitingGauge.DeletePartialMatch(of)
}
