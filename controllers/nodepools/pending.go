// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// demand is the pods that find no node and accept those of a pool.
type demand struct {
	pods int32
	// short are the resources of which no node has as much free as one of the pods
	// asks for.
	short []string
}

// demandOn finds the demand on a pool that has these resources.
func demandOn(pool *v1alpha1.NodePool, seen *observed, has []v1alpha1.NodePoolResource) demand {
	largest := amounts{}
	for _, r := range has {
		largest.add(corev1.ResourceList{corev1.ResourceName(r.Name): r.LargestFree})
	}
	nodes := kinds(pool, seen.nodes)
	// Pods of one controller are alike.
	known := map[string]bool{}
	short := map[string]bool{}
	var d demand
	for i := range seen.waiting {
		pod := &seen.waiting[i]
		asked := requests(pod)
		shape := shapeOf(pod, asked)
		accepted, looked := known[shape]
		if !looked {
			accepted = slices.ContainsFunc(nodes, func(node *corev1.Node) bool { return accepts(pod, asked, node) })
			known[shape] = accepted
		}
		if !accepted {
			continue
		}
		d.pods++
		wants := amounts{corev1.ResourcePods: 1}
		wants.add(asked)
		for name, amount := range wants {
			if free, there := largest[name]; there && amount > free {
				short[string(name)] = true
			}
		}
	}
	d.short = slices.Sorted(maps.Keys(short))
	return d
}

// kinds are the nodes of a pool as they are to be; where there are none, one that
// has what the pool gives its nodes.
func kinds(pool *v1alpha1.NodePool, seen []seenNode) []*corev1.Node {
	var all []*corev1.Node
	for _, n := range seen {
		all = append(all, n.node)
	}
	if len(all) > 0 {
		return all
	}
	m := marksOf(pool)
	node := &corev1.Node{}
	node.Labels = map[string]string{}
	for key, value := range pool.Spec.Selector {
		node.Labels[key] = string(value)
	}
	for key, value := range m.labels {
		put(node.Labels, key, value)
	}
	for _, key := range slices.Sorted(maps.Keys(m.taints)) {
		if value := m.taints[key]; value != nil {
			node.Spec.Taints = append(node.Spec.Taints, taintOf(key, *value))
		}
	}
	return []*corev1.Node{node}
}

// shapeOf is the same for pods that accept the same nodes.
func shapeOf(pod *corev1.Pod, asked corev1.ResourceList) string {
	raw, err := json.Marshal([]any{pod.Spec.NodeSelector, pod.Spec.Affinity, pod.Spec.Tolerations, extended(asked)})
	if err != nil {
		return string(pod.UID)
	}
	return string(raw)
}

// extended are the names of the resources that only some nodes have.
func extended(asked corev1.ResourceList) []string {
	var all []string
	for name := range asked {
		if strings.Contains(string(name), "/") {
			all = append(all, string(name))
		}
	}
	slices.Sort(all)
	return all
}

// accepts says that a pod may run on a node, were there room. What ails the node
// just now, such as that it is cordoned, does not count.
func accepts(pod *corev1.Pod, asked corev1.ResourceList, node *corev1.Node) bool {
	if len(node.Status.Allocatable) > 0 {
		for _, name := range extended(asked) {
			if has := node.Status.Allocatable[corev1.ResourceName(name)]; has.IsZero() {
				return false
			}
		}
	}
	if fits, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node); err != nil || !fits {
		return false
	}
	_, kept := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, func(t *corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && !strings.HasPrefix(t.Key, "node.kubernetes.io/")
	}, false)
	return !kept
}
