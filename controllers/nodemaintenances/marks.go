// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// outOfService is the value of Kubernetes' taint of that name where it is ours.
const outOfService = "kdcos"

// marks are what maintenance has to be seen by on a node.
type marks struct {
	// state is the value of MaintenanceTaint; "" is none.
	state v1alpha1.MaintenanceState
	// gone keeps everything off.
	gone bool
	// outOfService says that the machine is down for good, so that Kubernetes drops
	// its pods and detaches its volumes without asking its kubelet.
	outOfService bool
	// unschedulable is whether it takes new pods; nil is as it is.
	unschedulable *bool
}

// banned is what keeps a node out that was given up.
func banned() marks {
	return marks{state: v1alpha1.MaintenanceGoneState, gone: true, unschedulable: ptr.To(true)}
}

// on is the node as it is to be, nil if it is so.
func (k marks) on(node *corev1.Node) *corev1.Node {
	wanted := node.DeepCopy()
	if k.unschedulable != nil {
		wanted.Spec.Unschedulable = *k.unschedulable
	}
	down := corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: outOfService, Effect: corev1.TaintEffectNoExecute}
	changed := node.Spec.Unschedulable != wanted.Spec.Unschedulable
	changed = taint(wanted, corev1.Taint{Key: v1alpha1.MaintenanceTaint, Value: string(k.state), Effect: corev1.TaintEffectPreferNoSchedule}, k.state != "") || changed
	changed = taint(wanted, corev1.Taint{Key: v1alpha1.GoneTaint, Effect: corev1.TaintEffectNoExecute}, k.gone) || changed
	if theirs := func(t corev1.Taint) bool { return t.MatchTaint(&down) && t.Value != outOfService }; !slices.ContainsFunc(node.Spec.Taints, theirs) {
		changed = taint(wanted, down, k.outOfService) || changed
	}
	if !changed {
		return nil
	}
	return wanted
}

// taint puts a taint on a node or takes it away, and says whether that changed it.
func taint(node *corev1.Node, wanted corev1.Taint, is bool) bool {
	i := slices.IndexFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&wanted) })
	switch {
	case i < 0 && !is, i >= 0 && is && node.Spec.Taints[i].Value == wanted.Value:
		return false
	case i < 0:
		node.Spec.Taints = append(node.Spec.Taints, wanted)
	case !is:
		node.Spec.Taints = slices.Delete(node.Spec.Taints, i, i+1)
	default:
		node.Spec.Taints[i].Value = wanted.Value
	}
	return true
}

func hasTaint(node *corev1.Node, key string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}
