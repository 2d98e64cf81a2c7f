// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"testing"
)

// TestFunnel reads the scheduler's messages in Marathon's words.
func TestFunnel(t *testing.T) {
	for _, test := range []struct {
		name, message string
		constrained   bool
		want          string
	}{
		{
			name: "resources", message: "0/9 nodes are available: 1 Insufficient cpu, 2 Insufficient ephemeral-storage, 3 Insufficient memory, 4 Insufficient nvidia.com/gpu. preemption: 0/9 nodes are available: 9 No preemption victims found for incoming pod.",
			want: "InsufficientCpus 1, InsufficientMemory 3, InsufficientDisk 2, InsufficientGpus 4, of 9 nodes",
		},
		{
			name: "other resources", message: "0/1 nodes are available: 1 Insufficient example.com/fpga.",
			want: "Insufficient example.com/fpga 1, of 1 nodes",
		},
		{
			name: "ports", message: "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
			want: "InsufficientPorts 2, of 2 nodes",
		},
		{
			name: "taints", message: "0/6 nodes are available: 1 node(s) had untolerated taint {kdcos.io/role: slave_public}, 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 1 node(s) had untolerated taint {nvidia.com/gpu: }, 1 node(s) had untolerated taint(s), 2 node(s) were unschedulable.",
			want: "UnfulfilledRole 2, AgentMaintenance 3, DeclinedScarceResources 1, of 6 nodes",
		},
		{
			name: "selector for a role", message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
			want: "UnfulfilledRole 3, of 3 nodes",
		},
		{
			name: "affinity for a constraint", message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", constrained: true,
			want: "UnfulfilledConstraint 3, of 3 nodes",
		},
		{
			name: "other constraints", message: "0/4 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) didn't match pod topology spread constraints, 2 node(s) didn't satisfy existing pods anti-affinity rules.",
			want: "UnfulfilledConstraint 4, of 4 nodes",
		},
		{
			name: "volumes", message: "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 node(s) didn't find available persistent volumes to bind.",
			want: "NoCorrespondingReservationFound 3, of 3 nodes",
		},
		{
			name: "claims", message: "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
			want: "NoCorrespondingReservationFound 3, of 3 nodes",
		},
		{
			name: "no word of Marathon's", message: "0/3 nodes are available: 3 Too many pods.",
			want: "Too many pods 3, of 3 nodes",
		},
		{name: "another message", message: "running PreBind plugin: timed out", want: ""},
		{name: "none", message: "", want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if all, nodes := Funnel(test.message, test.constrained); nodes > 0 {
				got = SayFunnel(all, nodes)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func FuzzFunnel(f *testing.F) {
	f.Add("0/6 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu. preemption: none", true)
	f.Add("0/99999999999999999999 nodes are available: 1, 2, 3", false)
	f.Fuzz(func(t *testing.T, message string, constrained bool) {
		all, nodes := Funnel(message, constrained)
		if nodes == 0 && SayFunnel(all, nodes) == "" {
			t.Errorf("%q says nothing", message)
		}
	})
}
