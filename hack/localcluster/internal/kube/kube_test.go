// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
)

func TestDescribe(t *testing.T) {
	private := cluster.Node{Name: "private-1", Pool: cluster.Private, Number: 1}
	public := cluster.Node{Name: "public-1", Pool: cluster.Public, Number: 2}
	labelled := func(node cluster.Node, spec corev1.NodeSpec) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: node.Labels(), ResourceVersion: "7"}, Spec: spec}
	}
	other := corev1.Taint{Key: "other", Effect: corev1.TaintEffectNoExecute}
	tests := []struct {
		name    string
		current *corev1.Node
		node    cluster.Node
		pods    string
		want    string
	}{
		{
			name: "a new private node", current: &corev1.Node{}, node: private, pods: "10.1.0.0/24",
			want: `{"metadata":{"labels":{"topology.kubernetes.io/region":"local","topology.kubernetes.io/zone":"zone-1"}},` +
				`"spec":{"podCIDR":"10.1.0.0/24","podCIDRs":["10.1.0.0/24"]}}`,
		},
		{
			name: "nothing to do", node: public,
			current: labelled(public, corev1.NodeSpec{PodCIDR: "10.1.0.0/24", Taints: []corev1.Taint{*public.Taint()}}),
			pods:    "10.1.0.0/24", want: `null`,
		},
		{
			name: "a lost taint comes back beside others", node: public,
			current: labelled(public, corev1.NodeSpec{PodCIDR: "10.1.0.0/24", Taints: []corev1.Taint{other}}),
			want: `{"metadata":{"resourceVersion":"7"},"spec":{"taints":[{"key":"other","effect":"NoExecute"},` +
				`{"key":"kdcos.io/role","value":"slave_public","effect":"NoSchedule"}]}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(describe(tt.current, tt.node, tt.pods))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
