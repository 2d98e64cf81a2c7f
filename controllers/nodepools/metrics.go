// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	poolNodes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kdcos_nodepool_nodes_count",
		Help: "Nodes of a NodePool, by state: ready, notReady, deactivated, draining or drained.",
	}, []string{"pool", "state"})
	poolPending = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kdcos_nodepool_pending_pods_count",
		Help: "Pods that find no node and accept those of a NodePool.",
	}, []string{"pool"})
)

func init() { metrics.Registry.MustRegister(poolNodes, poolPending) }

// measured are the pools that metrics tell of.
var measured struct {
	sync.Mutex
	pools map[string]bool
}

// measure tells of a pool.
func measure(pool *v1alpha1.NodePool) {
	measured.Lock()
	defer measured.Unlock()
	if measured.pools == nil {
		measured.pools = map[string]bool{}
	}
	measured.pools[pool.Name] = true
	n := pool.Status.Nodes
	for state, nodes := range map[string]int32{
		"ready": n.Ready, "notReady": n.NotReady, "deactivated": n.Deactivated, "draining": n.Draining, "drained": n.Drained,
	} {
		poolNodes.WithLabelValues(pool.Name, state).Set(float64(nodes))
	}
	poolPending.WithLabelValues(pool.Name).Set(float64(pool.Status.PendingPods))
}

// forgetMetrics drops what is told of pools that are gone.
func forgetMetrics(pools []v1alpha1.NodePool) {
	there := map[string]bool{}
	for i := range pools {
		there[pools[i].Name] = true
	}
	measured.Lock()
	defer measured.Unlock()
	for name := range measured.pools {
		if !there[name] {
			delete(measured.pools, name)
			poolNodes.DeletePartialMatch(prometheus.Labels{"pool": name})
			poolPending.DeletePartialMatch(prometheus.Labels{"pool": name})
		}
	}
}
