// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// maxZones and maxNames bound what a status lists.
const (
	maxZones = 64
	maxNames = 5
)

// setStatus tells what was seen of a pool, and returns what is missing.
func setStatus(pool *v1alpha1.NodePool, seen *observed) error {
	pool.Status.Nodes = count(seen.nodes)
	pool.Status.Resources = capacity(seen.nodes, seen.gpus)
	wanted := demandOn(pool, seen, pool.Status.Resources)
	pool.Status.Zones = zones(seen.nodes)
	pool.Status.PendingPods = wanted.pods
	says(pool, v1alpha1.ConditionNodesOverlap, v1alpha1.ReasonNodesHeld, heldBy(seen.held))
	exhausted := ""
	if len(wanted.short) > 0 {
		exhausted = "pods wait for which no node has room: not enough " + strings.Join(wanted.short, ", ")
	}
	says(pool, v1alpha1.ConditionCapacityExhausted, v1alpha1.ReasonInsufficientResources, exhausted)
	return judge(pool, seen)
}

// judge says whether the pool is ready.
func judge(pool *v1alpha1.NodePool, seen *observed) error {
	n := pool.Status.Nodes
	made := ""
	if p := pool.Spec.Provisioner; p != nil && p.Karpenter != nil {
		made = "Karpenter makes nodes as pods need them"
	} else if p != nil && wantsNone(pool) {
		made = "spec.scaling asks for none"
	}
	switch {
	case n.Total == 0 && made != "":
		return &reconciler.Ready{Reason: v1alpha1.ReasonNoNodes, Message: "no node: " + made}
	case n.Total == 0 && pool.Spec.Provisioner != nil:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonProvisioning, Message: "no node yet"}
	case n.Total == 0 && len(seen.held) > 0:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonNoNodes, Message: "older pools have all nodes that spec.selector chooses"}
	case n.Total == 0:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonNoNodes, Message: "no node has the labels of spec.selector"}
	case n.Ready == 0:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonNodesNotReady, Message: tell(n)}
	case seen.unmarked > 0:
		return &reconciler.NotReady{
			Reason: v1alpha1.ReasonLabelling, Serving: true,
			Message: fmt.Sprintf("%s; %d to be labelled", tell(n), seen.unmarked),
		}
	}
	return &reconciler.Ready{Reason: v1alpha1.ReasonAvailable, Message: tell(n)}
}

// tell says in words what the nodes are up to.
func tell(n v1alpha1.NodePoolNodes) string {
	text := fmt.Sprintf("%d of %d nodes take work", n.Ready, n.Total)
	var others []string
	for _, state := range []struct {
		nodes int32
		name  string
	}{{n.NotReady, "not ready"}, {n.Deactivated, "deactivated"}, {n.Draining, "draining"}, {n.Drained, "drained"}} {
		if state.nodes > 0 {
			others = append(others, fmt.Sprintf("%d %s", state.nodes, state.name))
		}
	}
	if len(others) > 0 {
		text += ": " + strings.Join(others, ", ")
	}
	return text
}

// says sets a condition that is there only while there is something to say.
func says(pool *v1alpha1.NodePool, kind, reason, message string) {
	if message == "" {
		meta.RemoveStatusCondition(&pool.Status.Conditions, kind)
		return
	}
	meta.SetStatusCondition(&pool.Status.Conditions, metav1.Condition{
		Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: reconciler.Shorten(message), ObservedGeneration: pool.Generation,
	})
}

// heldBy tells which nodes older pools have.
func heldBy(held map[string][]string) string {
	var all []string
	for _, pool := range slices.Sorted(maps.Keys(held)) {
		names := slices.Sorted(slices.Values(held[pool]))
		more := ""
		if len(names) > maxNames {
			more = fmt.Sprintf(" and %d more", len(names)-maxNames)
			names = names[:maxNames]
		}
		all = append(all, fmt.Sprintf("%s%s: in %s, which is older", strings.Join(names, ", "), more, pool))
	}
	return strings.Join(all, "; ")
}

// count counts nodes by what they are up to.
func count(nodes []seenNode) v1alpha1.NodePoolNodes {
	n := v1alpha1.NodePoolNodes{Total: int32(len(nodes))} //nolint:gosec // a cluster has no billions of nodes
	for _, node := range nodes {
		switch node.state {
		case v1alpha1.NodeActive:
			n.Ready++
		case v1alpha1.NodeNotReady:
			n.NotReady++
		case v1alpha1.NodeDeactivated:
			n.Deactivated++
		case v1alpha1.NodeDraining:
			n.Draining++
		case v1alpha1.NodeDrained:
			n.Drained++
		}
	}
	return n
}

// zones are the zones that nodes are in.
func zones(nodes []seenNode) []v1alpha1.NodeLabelValue {
	var all []v1alpha1.NodeLabelValue
	for _, n := range nodes {
		if zone := n.node.Labels[corev1.LabelTopologyZone]; zone != "" {
			all = append(all, v1alpha1.NodeLabelValue(zone))
		}
	}
	slices.SortFunc(all, cmp.Compare[v1alpha1.NodeLabelValue])
	all = slices.Compact(all)
	return all[:min(len(all), maxZones)]
}
