// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// NodeFilter tells the nodes that an App may use from others.
type NodeFilter struct {
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

// NewNodeFilter reads an App's constraints, roles and region as the scheduler
// reads them of its pods.
func NewNodeFilter(app *v1alpha1.App, settings Settings) (*NodeFilter, error) {
	ac, err := Pod(app, settings, Slot{})
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(ac)
	if err != nil {
		return nil, fmt.Errorf("encode pod: %w", err)
	}
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, fmt.Errorf("decode pod: %w", err)
	}
	return &NodeFilter{affinity: nodeaffinity.GetRequiredNodeAffinity(&pod), tolerations: pod.Spec.Tolerations}, nil
}

// Allows reports whether the App may use a node, and whether the node takes new
// pods: one that is cordoned keeps what it has.
func (f *NodeFilter) Allows(node *corev1.Node) (may, takes bool) {
	matches, err := f.affinity.Match(node)
	if err != nil || !matches {
		return false, false
	}
	_, repelled := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, f.tolerations, func(t *corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && t.Key != corev1.TaintNodeUnschedulable
	}, false)
	return !repelled, !repelled && !node.Spec.Unschedulable
}
