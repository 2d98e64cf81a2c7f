// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/podcache"
)

// observed is all that a pass goes by.
type observed struct {
	// nodes are those of the pool.
	nodes []seenNode
	// held are nodes that the pool asks for and an older one has, by that one.
	held map[string][]string
	// unmarked are nodes of the pool that are still to get its labels and taints.
	unmarked int
	// waiting are the pods that find no node, of any pool or none.
	waiting []corev1.Pod
	// gpus are the resources that count GPUs.
	gpus []string
}

// seenNode is a node with what is on it.
type seenNode struct {
	node  *corev1.Node
	state v1alpha1.NodeState
	pods  []corev1.Pod
}

// observe makes all reads of a pass.
func (r *Reconciler) observe(ctx context.Context, pool *v1alpha1.NodePool) (*observed, error) {
	var pools v1alpha1.NodePoolList
	if err := r.Client.List(ctx, &pools, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list node pools: %w", err)
	}
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var maintenances v1alpha1.NodeMaintenanceList
	if err := r.Client.List(ctx, &maintenances, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list node maintenances: %w", err)
	}
	under := map[string]*v1alpha1.NodeMaintenance{}
	for i := range maintenances.Items {
		under[maintenances.Items[i].Name] = &maintenances.Items[i]
	}
	seen := &observed{held: map[string][]string{}, gpus: gpuResources(pool, r.GPUResource)}
	oldest := byAge(pools.Items)
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if !selects(pool, ownLabels(node)) {
			continue
		}
		if holder := poolsOf(node, oldest); len(holder) > 0 && holder[0].Name != pool.Name {
			seen.held[holder[0].Name] = append(seen.held[holder[0].Name], node.Name)
			continue
		}
		pods, err := r.Pods.List(ctx, podcache.On(node.Name))
		if err != nil {
			return nil, err
		}
		seen.nodes = append(seen.nodes, seenNode{node: node, state: v1alpha1.StateOf(node, under[node.Name]), pods: pods})
		if mark(node, pool, r.GPUResource) != nil {
			seen.unmarked++
		}
	}
	// A pod without a node is on that without a name.
	pods, err := r.Pods.List(ctx, podcache.On(""))
	if err != nil {
		return nil, err
	}
	for i := range pods {
		if unschedulable(&pods[i]) && pods[i].DeletionTimestamp.IsZero() {
			seen.waiting = append(seen.waiting, pods[i])
		}
	}
	return seen, nil
}
