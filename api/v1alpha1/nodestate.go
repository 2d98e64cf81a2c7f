// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// NodeState is what a node is up to, in the words of DC/OS.
type NodeState string

// What a node is up to.
const (
	// NodeActive takes work.
	NodeActive NodeState = "Active"
	// NodeDeactivated takes no new work.
	NodeDeactivated NodeState = "Deactivated"
	// NodeDraining is being emptied.
	NodeDraining NodeState = "Draining"
	// NodeDrained is empty.
	NodeDrained NodeState = "Drained"
	// NodeNotReady does not answer, or can't run pods.
	NodeNotReady NodeState = "NotReady"
)

// removalTaints are put on nodes by those who empty and then remove them.
var removalTaints = []string{"karpenter.sh/disrupted", "ToBeDeletedByClusterAutoscaler"}

// StateOf is the state of a node, given the NodeMaintenance of its name or nil.
func StateOf(node *corev1.Node, maintenance *NodeMaintenance) NodeState {
	if maintenance != nil {
		switch maintenance.Status.State {
		case MaintenanceDrained, MaintenanceGoneState:
			return NodeDrained
		case MaintenanceDraining:
			return NodeDraining
		case MaintenanceScheduled, MaintenanceWaiting, MaintenanceDeactivated:
		}
	}
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	leaves := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return slices.Contains(removalTaints, t.Key) })
	switch {
	case leaves:
		return NodeDraining
	case !ready:
		return NodeNotReady
	case node.Spec.Unschedulable:
		return NodeDeactivated
	}
	return NodeActive
}
