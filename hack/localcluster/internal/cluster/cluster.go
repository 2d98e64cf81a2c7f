// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster is what all ways to run a local cluster have in common: the contract between the commands and the
// providers, which nodes there are, where state is kept, and how a status is shown.
package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// The providers.
const (
	// Auto picks the best provider that works on this machine.
	Auto = "auto"
	// Real runs real nodes from Linux namespaces. It needs root.
	Real = "real"
	// Kind runs real nodes in Docker containers.
	Kind = "kind"
	// KWOK runs a real control plane and simulated nodes. It needs nothing.
	KWOK = "kwok"
)

// Provider is one way to run a cluster. Every method may be called again after it was interrupted.
type Provider interface {
	// Up brings all nodes of the cluster to readiness, and repairs what is broken.
	Up(ctx context.Context, nodes []Node) error
	// Down removes all traces of the cluster, known or not.
	Down(ctx context.Context) error
	Status(ctx context.Context) (*Status, error)
	// StopNode ends a node as a loss of power would; StartNode boots it again.
	StopNode(ctx context.Context, name string) error
	StartNode(ctx context.Context, name string) error
	// CutNode takes a running node off the network; HealNode puts it back.
	CutNode(ctx context.Context, name string) error
	HealNode(ctx context.Context, name string) error
	// Load brings the images of the archives into all nodes.
	Load(ctx context.Context, archives []string) error
}

// Say reports progress.
type Say func(format string, args ...any)

// Pools, as DC/OS told its agents apart.
const (
	Private = "private"
	Public  = "public"
)

// RolePublic is the DC/OS role of a public node; private ones have none.
const RolePublic = "slave_public"

// RoleLabel carries the role of a node. Kubelets may not set it themselves.
const RoleLabel = "kdcos.node-restriction.kubernetes.io/role"

// RoleTaint keeps pods away from nodes whose role they do not accept.
const RoleTaint = "kdcos.io/role"

// Node is one node of the cluster, whatever runs it.
type Node struct {
	Name string `json:"name"`
	Pool string `json:"pool"`
	// Number counts the nodes of the cluster from 1; addresses follow from it.
	Number int `json:"number"`
}

// Labels are set on the node.
func (n Node) Labels() map[string]string {
	labels := map[string]string{
		corev1.LabelTopologyRegion: "local",
		corev1.LabelTopologyZone:   n.Zone(),
	}
	if n.Pool == Public {
		labels[RoleLabel] = RolePublic
	}
	return labels
}

// Zone alternates between two.
func (n Node) Zone() string { return fmt.Sprintf("zone-%d", (n.Number-1)%2+1) }

// Taint is what keeps ordinary pods off a public node; nil on a private one.
func (n Node) Taint() *corev1.Taint {
	if n.Pool != Public {
		return nil
	}
	return &corev1.Taint{Key: RoleTaint, Value: RolePublic, Effect: corev1.TaintEffectNoSchedule}
}

// Grow returns the nodes of a cluster that has some already and shall have that many. It never takes any away.
func Grow(have []Node, private, public int) ([]Node, error) {
	nodes := append([]Node{}, have...)
	last, count := 0, map[string]int{}
	for _, node := range have {
		last = max(last, node.Number)
		count[node.Pool]++
	}
	for _, want := range []struct {
		pool  string
		count int
	}{{Private, private}, {Public, public}} {
		if want.count < count[want.pool] {
			return nil, fmt.Errorf("the cluster has %d %s nodes: run down before up with %d",
				count[want.pool], want.pool, want.count)
		}
		for i := count[want.pool] + 1; i <= want.count; i++ {
			last++
			nodes = append(nodes, Node{Name: fmt.Sprintf("%s-%d", want.pool, i), Pool: want.pool, Number: last})
		}
	}
	return nodes, nil
}

// Find returns the node of that name.
func Find(nodes []Node, name string) (Node, error) {
	for _, node := range nodes {
		if node.Name == name {
			return node, nil
		}
	}
	return Node{}, fmt.Errorf("there is no node %q", name)
}
