// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// TestNodeFilter: which nodes an App of one task per node may use, and which take one.
func TestNodeFilter(t *testing.T) {
	node := func(edit func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{corev1.LabelHostname: "n"}}}
		edit(n)
		return n
	}
	taint := func(key, value string, effect corev1.TaintEffect) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Labels[v1alpha1.NodeRoleLabel] = value
			n.Spec.Taints = []corev1.Taint{{Key: key, Value: value, Effect: effect}}
		}
	}
	anywhere, public := []string{"*", v1alpha1.RolePublic}, []string{v1alpha1.RolePublic}
	for name, c := range map[string]struct {
		roles      []string
		node       *corev1.Node
		may, takes bool
	}{
		"a node":                       {nil, node(func(*corev1.Node) {}), true, true},
		"a public node":                {nil, node(taint(v1alpha1.NodeRoleTaint, v1alpha1.RolePublic, corev1.TaintEffectNoSchedule)), false, false},
		"a public node, for both":      {anywhere, node(taint(v1alpha1.NodeRoleTaint, v1alpha1.RolePublic, corev1.TaintEffectNoSchedule)), true, true},
		"a private node, for public":   {public, node(func(*corev1.Node) {}), false, false},
		"somebody's taint":             {nil, node(taint("example.com/mine", "", corev1.TaintEffectNoExecute)), false, false},
		"a taint that only repels":     {nil, node(taint("example.com/mine", "", corev1.TaintEffectPreferNoSchedule)), true, true},
		"a cordoned node":              {nil, node(func(n *corev1.Node) { n.Spec.Unschedulable = true }), true, false},
		"a node short of memory":       {nil, node(taint(corev1.TaintNodeMemoryPressure, "", corev1.TaintEffectNoSchedule)), true, false},
		"a node that does not answer":  {nil, node(taint(corev1.TaintNodeUnreachable, "", corev1.TaintEffectNoExecute)), true, true},
		"a node that begins not ready": {nil, node(taint(corev1.TaintNodeNotReady, "", corev1.TaintEffectNoSchedule)), true, false},
	} {
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "x"}, Spec: v1alpha1.AppSpec{Cmd: ptr.To("sleep 1"), AcceptedResourceRoles: c.roles, PerNode: ptr.To(true)}}
		app.Spec.Default()
		filter, err := newNodeFilter(app, workload.DefaultSettings())
		if err != nil {
			t.Fatal(err)
		}
		if may, takes := filter.allows(c.node); may != c.may || takes != c.takes {
			t.Errorf("%s: may %v, takes %v; want %v, %v", name, may, takes, c.may, c.takes)
		}
	}
}
