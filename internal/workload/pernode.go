// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"strings"

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
// pods: one that is cordoned, or under pressure, keeps what it has.
func (f *NodeFilter) Allows(node *corev1.Node) (may, takes bool) {
	matches, err := f.affinity.Match(node)
	if err != nil || !matches || f.repelled(node, false) {
		return false, false
	}
	return true, !node.Spec.Unschedulable && !f.repelled(node, true)
}

// conditionTaints are what the taints begin with that Kubernetes itself puts on
// nodes for the state they are in.
const conditionTaints = "node.kubernetes.io/"

// repelled says that a node has a taint that keeps the pods of the App away,
// those for its state included or not.
func (f *NodeFilter) repelled(node *corev1.Node, forItsState bool) bool {
	_, is := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, f.tolerations, func(t *corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && (forItsState || !strings.HasPrefix(t.Key, conditionTaints))
	}, false)
	return is
}
