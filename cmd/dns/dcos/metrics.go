// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

var (
	propagation = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "kdcos", Subsystem: "dns", Name: "propagation_seconds",
		Help:    "Time until the names of a change are answered: from the event that told of it, and, of tasks that start, from the start of their container, which is known to the second.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"from"})
	namesGauge = promauto.NewGauge(prometheus.GaugeOpts{
		Namespace: "kdcos", Subsystem: "dns", Name: "names", Help: "Names that there are.",
	})
	recordsGauge = promauto.NewGauge(prometheus.GaugeOpts{
		Namespace: "kdcos", Subsystem: "dns", Name: "records", Help: "Records that the names have.",
	})
	rebuiltNames = promauto.NewCounter(prometheus.CounterOpts{
		Namespace: "kdcos", Subsystem: "dns", Name: "rebuilt_names_total", Help: "Names that changed, and are built anew when they are next asked for.",
	})
)

// observe counts what is shown now.
func observe(stats dnsnames.Stats, rebuilt int, shown []change, now time.Time) {
	namesGauge.Set(float64(stats.Names))
	recordsGauge.Set(float64(stats.Records))
	rebuiltNames.Add(float64(rebuilt))
	for _, c := range shown {
		if c.first {
			continue
		}
		propagation.WithLabelValues("event").Observe(now.Sub(c.heard).Seconds())
		if p, ok := c.now.(*taskPod); ok {
			for i := range p.tasks {
				propagation.WithLabelValues("start").Observe(now.Sub(p.tasks[i].Started).Seconds())
			}
		}
	}
}
