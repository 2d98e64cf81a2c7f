// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package kindcluster

import (
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
)

func TestConfig(t *testing.T) {
	nodes, err := cluster.Grow(nil, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config("kdcos-0123abcd", nodes)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Nodes) != 4 || c.Nodes[0].Role != v1alpha4.ControlPlaneRole {
		t.Fatalf("nodes are %+v", c.Nodes)
	}
	for i, worker := range c.Nodes[1:] {
		if worker.Role != v1alpha4.WorkerRole {
			t.Errorf("node %d is a %s", i, worker.Role)
		}
		var join struct {
			Kind             string
			NodeRegistration struct {
				Name   string
				Taints []map[string]string
			}
		}
		if err := yaml.Unmarshal([]byte(worker.KubeadmConfigPatches[0]), &join); err != nil {
			t.Fatal(err)
		}
		if join.Kind != "JoinConfiguration" || join.NodeRegistration.Name != nodes[i].Name {
			t.Errorf("%s joins with %+v", nodes[i].Name, join)
		}
		public := nodes[i].Pool == cluster.Public
		if join.NodeRegistration.Taints == nil || (len(join.NodeRegistration.Taints) > 0) != public {
			t.Errorf("%s joins with taints %v", nodes[i].Name, join.NodeRegistration.Taints)
		}
	}
	// What kind patches must name the kind of what is patched.
	for _, patch := range c.KubeadmConfigPatches {
		var object struct{ Kind string }
		if err := yaml.UnmarshalStrict([]byte(patch), &map[string]any{}); err != nil {
			t.Error(err)
		}
		if err := yaml.Unmarshal([]byte(patch), &object); err != nil || object.Kind == "" {
			t.Errorf("patch %q has no kind: %v", patch, err)
		}
	}
}

func TestContainerName(t *testing.T) {
	for position, want := range map[int]string{1: "c-worker", 2: "c-worker2", 3: "c-worker3"} {
		if got := containerName("c", position); got != want {
			t.Errorf("%d: got %q, want %q", position, got, want)
		}
	}
}
