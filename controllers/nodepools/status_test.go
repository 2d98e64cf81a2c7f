// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

func list(pairs ...string) corev1.ResourceList {
	all := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		all[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return all
}

func podOf(phase corev1.PodPhase, asked ...string) corev1.Pod {
	return corev1.Pod{
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: list(asked...)}}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

// texts writes a resource as capacity, allocated, free and largest free slot.
func texts(all []v1alpha1.NodePoolResource) map[string]string {
	text := map[string]string{}
	for _, r := range all {
		text[r.Name] = fmt.Sprintf("%s %s %s %s", r.Capacity.String(), r.Allocated.String(), r.Free.String(), r.LargestFree.String())
	}
	return text
}

func TestCapacity(t *testing.T) {
	node := func(state v1alpha1.NodeState, pods ...corev1.Pod) seenNode {
		n := withGPU(nodeOf(nil))
		n.Status.Allocatable = list("cpu", "4", "memory", "8Gi", "ephemeral-storage", "100Gi", "pods", "110", gpu, "2")
		return seenNode{node: n, state: state, pods: pods}
	}
	nodes := []seenNode{
		node(v1alpha1.NodeActive, podOf(corev1.PodRunning, "cpu", "1500m", "memory", "1Gi", gpu, "2"), podOf(corev1.PodSucceeded, "cpu", "1")),
		node(v1alpha1.NodeActive, podOf(corev1.PodPending, "cpu", "500m", "memory", "4Gi")),
		node(v1alpha1.NodeDeactivated, podOf(corev1.PodRunning, "cpu", "1")),
		// Where more is asked for than there is, nothing is free.
		node(v1alpha1.NodeActive, podOf(corev1.PodRunning, "cpu", "5", "memory", "1Gi")),
	}
	want := map[string]string{
		"cpu": "16 8 6 3500m", "memory": "32Gi 6Gi 18Gi 7Gi", "ephemeral-storage": "400Gi 0 300Gi 100Gi",
		"pods": "440 4 327 109", gpu: "8 2 4 2",
	}
	if diff := cmp.Diff(want, texts(capacity(nodes, []string{gpu, "amd.com/gpu"}))); diff != "" {
		t.Error(diff)
	}
	want = map[string]string{"cpu": "0 0 0 0", "memory": "0 0 0 0", "ephemeral-storage": "0 0 0 0", "pods": "0 0 0 0"}
	if diff := cmp.Diff(want, texts(capacity(nil, []string{gpu}))); diff != "" {
		t.Error(diff)
	}
}

func TestDemand(t *testing.T) {
	public := poolOf("p", func(s *v1alpha1.NodePoolSpec) { s.Role = v1alpha1.RolePublic })
	private := poolOf("q", nil)
	has := list("cpu", "2", "memory", "4Gi", "pods", "10")
	toPublic := corev1.Toleration{Key: v1alpha1.NodeRoleTaint, Value: v1alpha1.RolePublic, Effect: corev1.TaintEffectNoSchedule}
	waiting := func(cpu string, change func(*corev1.PodSpec)) corev1.Pod {
		p := podOf(corev1.PodPending, "cpu", cpu)
		if change != nil {
			change(&p.Spec)
		}
		return p
	}
	onlyPublic := waiting("1", func(s *corev1.PodSpec) {
		s.Tolerations, s.NodeSelector = []corev1.Toleration{toPublic}, map[string]string{v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}
	})
	both := waiting("3", func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{toPublic} })
	withGPUs := waiting("1", func(s *corev1.PodSpec) {
		s.Containers[0].Resources.Requests[gpu] = resource.MustParse("1")
		s.Tolerations = []corev1.Toleration{{Key: gpu, Operator: corev1.TolerationOpExists}}
	})
	inZone := waiting("1", func(s *corev1.PodSpec) {
		s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"z"}},
			}}},
		}}}
	})
	cordoned := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct {
		name    string
		pool    *v1alpha1.NodePool
		node    *corev1.Node
		waiting []corev1.Pod
		pods    int32
		short   []string
	}{
		{"nobody waits", private, nodeOf(nil), nil, 0, nil},
		{"no room", private, nodeOf(nil), []corev1.Pod{both, waiting("1", nil), onlyPublic}, 2, []string{"cpu"}},
		{"room, and something else in the way", private, nodeOf(nil, cordoned), []corev1.Pod{waiting("1", nil)}, 1, nil},
		{"public", public, nodeOf(map[string]string{v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}, rolePublic), []corev1.Pod{both, waiting("1", nil), onlyPublic}, 2, []string{"cpu"}},
		{"public, and no node yet", public, nil, []corev1.Pod{both, waiting("1", nil), onlyPublic}, 2, []string{"cpu", "pods"}},
		{"in a zone", private, nodeOf(map[string]string{corev1.LabelTopologyZone: "z"}), []corev1.Pod{inZone}, 1, nil},
		{"in another zone", private, nodeOf(nil), []corev1.Pod{inZone}, 0, nil},
		{"GPUs", private, withGPU(nodeOf(nil, corev1.Taint{Key: gpu, Effect: corev1.TaintEffectNoSchedule})), []corev1.Pod{withGPUs, inZone}, 1, []string{}},
		{"no GPUs", private, nodeOf(nil), []corev1.Pod{withGPUs}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			saw := &observed{waiting: c.waiting, gpus: []string{gpu}}
			if c.node != nil {
				n := c.node.DeepCopy()
				if n.Status.Allocatable == nil {
					n.Status.Allocatable = corev1.ResourceList{}
				}
				for name, quantity := range has {
					n.Status.Allocatable[name] = quantity
				}
				saw.nodes = []seenNode{{node: n, state: v1alpha1.NodeActive}}
			}
			d := demandOn(c.pool, saw, capacity(saw.nodes, saw.gpus))
			if d.pods != c.pods || fmt.Sprint(d.short) != fmt.Sprint(c.short) {
				t.Errorf("%d pods, short of %v; want %d, %v", d.pods, d.short, c.pods, c.short)
			}
		})
	}
}

func TestStates(t *testing.T) {
	ready := func(status corev1.ConditionStatus) *corev1.Node {
		n := nodeOf(map[string]string{corev1.LabelTopologyZone: "z-" + string(status)})
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}
		return n
	}
	under := func(state v1alpha1.MaintenanceState) *v1alpha1.NodeMaintenance {
		return &v1alpha1.NodeMaintenance{Status: v1alpha1.NodeMaintenanceStatus{State: state}}
	}
	cordoned := ready(corev1.ConditionTrue)
	cordoned.Spec.Unschedulable = true
	leaving := ready(corev1.ConditionTrue)
	leaving.Spec.Taints = []corev1.Taint{{Key: "karpenter.sh/disrupted", Effect: corev1.TaintEffectNoSchedule}}
	var nodes []seenNode
	for _, c := range []struct {
		node *corev1.Node
		m    *v1alpha1.NodeMaintenance
		want v1alpha1.NodeState
	}{
		{ready(corev1.ConditionTrue), nil, v1alpha1.NodeActive},
		{ready(corev1.ConditionTrue), under(v1alpha1.MaintenanceScheduled), v1alpha1.NodeActive},
		{ready(corev1.ConditionUnknown), nil, v1alpha1.NodeNotReady},
		{nodeOf(nil), nil, v1alpha1.NodeNotReady},
		{cordoned, nil, v1alpha1.NodeDeactivated},
		{cordoned, under(v1alpha1.MaintenanceDeactivated), v1alpha1.NodeDeactivated},
		{cordoned, under(v1alpha1.MaintenanceDraining), v1alpha1.NodeDraining},
		{leaving, nil, v1alpha1.NodeDraining},
		{ready(corev1.ConditionFalse), under(v1alpha1.MaintenanceDrained), v1alpha1.NodeDrained},
		{ready(corev1.ConditionTrue), under(v1alpha1.MaintenanceGoneState), v1alpha1.NodeDrained},
	} {
		if got := v1alpha1.StateOf(c.node, c.m); got != c.want {
			t.Errorf("%v under %v is %s, want %s", c.node.Spec, c.m, got, c.want)
		}
		nodes = append(nodes, seenNode{node: c.node, state: v1alpha1.StateOf(c.node, c.m)})
	}
	want := v1alpha1.NodePoolNodes{Total: 10, Ready: 2, NotReady: 2, Deactivated: 2, Draining: 2, Drained: 2}
	if diff := cmp.Diff(want, count(nodes)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]v1alpha1.NodeLabelValue{"z-False", "z-True", "z-Unknown"}, zones(nodes)); diff != "" {
		t.Error(diff)
	}
}

func TestConditions(t *testing.T) {
	node := func(state v1alpha1.NodeState) seenNode { return seenNode{node: nodeOf(nil), state: state} }
	karpenterPool := poolOf("k", func(s *v1alpha1.NodePoolSpec) {
		s.Selector, s.Provisioner = nil, &v1alpha1.Provisioner{Karpenter: &v1alpha1.KarpenterProvisioner{}}
	})
	machines := poolOf("c", func(s *v1alpha1.NodePoolSpec) {
		s.Selector, s.Provisioner = nil, &v1alpha1.Provisioner{ClusterAPI: &v1alpha1.ClusterAPIProvisioner{}}
		s.Scaling = &v1alpha1.Scaling{Replicas: ptr.To[int32](2)}
	})
	none := machines.DeepCopy()
	none.Spec.Scaling.Replicas = ptr.To[int32](0)
	for _, c := range []struct {
		name  string
		pool  *v1alpha1.NodePool
		saw   observed
		want  string
		other map[string]string
	}{
		{name: "all well", pool: poolOf("p", nil), saw: observed{nodes: []seenNode{node("Active"), node("Active")}}, want: "ready Available: 2 of 2 nodes take work"},
		{
			name: "some do", pool: poolOf("p", nil), saw: observed{nodes: []seenNode{node("Active"), node("NotReady"), node("Drained"), node("Draining"), node("Deactivated")}},
			want: "ready Available: 1 of 5 nodes take work: 1 not ready, 1 deactivated, 1 draining, 1 drained",
		},
		{name: "none does", pool: poolOf("p", nil), saw: observed{nodes: []seenNode{node("NotReady")}}, want: "not ready NodesNotReady: 0 of 1 nodes take work: 1 not ready"},
		{name: "none there", pool: poolOf("p", nil), want: "not ready NoNodes: no node has the labels of spec.selector"},
		{
			name: "all held", pool: poolOf("p", nil), saw: observed{held: map[string][]string{"b": {"7", "6", "5", "4", "3", "2", "1"}, "a": {"n"}}},
			want:  "not ready NoNodes: older pools have all nodes that spec.selector chooses",
			other: map[string]string{"NodesOverlap": "NodesHeld: n: in a, which is older; 1, 2, 3, 4, 5 and 2 more: in b, which is older"},
		},
		{name: "labels on their way", pool: poolOf("p", nil), saw: observed{nodes: []seenNode{node("Active")}, unmarked: 1}, want: "serving Labelling: 1 of 1 nodes take work; 1 to be labelled"},
		{name: "Karpenter", pool: karpenterPool, want: "ready NoNodes: no node: Karpenter makes nodes as pods need them"},
		{name: "machines", pool: machines, want: "not ready Provisioning: no node yet"},
		{name: "no machines", pool: none, want: "ready NoNodes: no node: spec.scaling asks for none"},
		{
			name: "exhausted", pool: poolOf("p", nil), saw: observed{nodes: []seenNode{node("Active")}, waiting: []corev1.Pod{podOf(corev1.PodPending, "cpu", "1")}},
			want:  "ready Available: 1 of 1 nodes take work",
			other: map[string]string{"CapacityExhausted": "InsufficientResources: pods wait for which no node has room: not enough cpu, pods"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pool.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionNodesOverlap}, {Type: v1alpha1.ConditionCapacityExhausted}}
			if got := outcome(setStatus(c.pool, &c.saw)); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, kind := range []string{v1alpha1.ConditionNodesOverlap, v1alpha1.ConditionCapacityExhausted} {
				text := ""
				if found := meta.FindStatusCondition(c.pool.Status.Conditions, kind); found != nil {
					text = found.Reason + ": " + found.Message
				}
				if text != c.other[kind] {
					t.Errorf("%s: got %q, want %q", kind, text, c.other[kind])
				}
			}
		})
	}
}

// outcome writes what a pass returns.
func outcome(err error) string {
	var ready *reconciler.Ready
	var notReady *reconciler.NotReady
	var terminal *reconciler.Terminal
	switch {
	case errors.As(err, &ready):
		return "ready " + err.Error()
	case errors.As(err, &notReady) && notReady.Serving:
		return "serving " + err.Error()
	case errors.As(err, &notReady):
		return "not ready " + err.Error()
	case errors.As(err, &terminal):
		return "stalled " + err.Error()
	}
	return fmt.Sprint(err)
}
