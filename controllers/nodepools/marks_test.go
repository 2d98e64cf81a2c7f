// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const gpu = "nvidia.com/gpu"

// rolePublic is the taint of public nodes.
var rolePublic = corev1.Taint{Key: v1alpha1.NodeRoleTaint, Value: v1alpha1.RolePublic, Effect: corev1.TaintEffectNoSchedule}

func poolOf(name string, change func(*v1alpha1.NodePoolSpec)) *v1alpha1.NodePool {
	pool := &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.NodePoolSpec{Selector: map[string]v1alpha1.NodeLabelValue{"pool": "a"}},
	}
	if change != nil {
		change(&pool.Spec)
	}
	return pool
}

func nodeOf(labels map[string]string, taints ...corev1.Taint) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"pool": "a"}}, Spec: corev1.NodeSpec{Taints: taints}}
	maps.Copy(node.Labels, labels)
	return node
}

// after is what becomes of a node in a pool, and then in none.
func after(t *testing.T, node *corev1.Node, pool *v1alpha1.NodePool) *corev1.Node {
	t.Helper()
	if marked := mark(node, pool, gpu); marked != nil {
		node = marked
	}
	if again := mark(node, pool, gpu); again != nil {
		t.Errorf("a second pass changes it again: %s", cmp.Diff(node, again))
	}
	return node
}

// seen are the labels of a node but for the record.
func seen(node *corev1.Node) map[string]string {
	labels := maps.Clone(node.Labels)
	delete(labels, v1alpha1.NodePoolAppliedLabel)
	return labels
}

func TestMarks(t *testing.T) {
	public := func(s *v1alpha1.NodePoolSpec) { s.Role = v1alpha1.RolePublic }
	other := corev1.Taint{Key: "example.com/other", Value: "x", Effect: corev1.TaintEffectNoExecute, TimeAdded: &metav1.Time{Time: time.Unix(1700000000, 0)}}
	for _, c := range []struct {
		name   string
		node   *corev1.Node
		pool   *v1alpha1.NodePool
		labels map[string]string
		taints []corev1.Taint
		// restored says that the node is as before when it leaves the pool.
		restored bool
	}{
		{
			name: "a role", node: nodeOf(map[string]string{"keep": "me"}, other), pool: poolOf("p", public), restored: true,
			labels: map[string]string{"keep": "me", v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}, taints: []corev1.Taint{other, rolePublic},
		},
		{
			name: "a role that somebody gave before", pool: poolOf("p", public), restored: true,
			node:   nodeOf(map[string]string{v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}, rolePublic),
			labels: map[string]string{v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}, taints: []corev1.Taint{rolePublic},
		},
		{
			name: "private, whatever somebody gave before", pool: poolOf("p", nil), restored: true,
			node: nodeOf(map[string]string{v1alpha1.NodeRoleLabel: v1alpha1.RolePublic}, rolePublic),
		},
		{
			name: "attributes, labels, taints and a fault domain", restored: true,
			node: nodeOf(map[string]string{corev1.LabelTopologyZone: "old", "example.com/tier": "silver", corev1.LabelTopologyRegion: "eu"}),
			pool: poolOf("p", func(s *v1alpha1.NodePoolSpec) {
				s.Attributes = map[string]v1alpha1.NodeLabelValue{"rack": "r1", "public_ip": "true", "none": ""}
				s.Labels = map[string]v1alpha1.NodeLabelValue{"example.com/tier": "gold"}
				s.Taints = []v1alpha1.NodePoolTaint{{Key: "example.com/t", Value: "v", Effect: corev1.TaintEffectNoExecute}, {Key: "example.com/t", Effect: corev1.TaintEffectNoSchedule}}
				s.FaultDomain = &v1alpha1.FaultDomain{Zone: "z"}
			}),
			labels: map[string]string{
				v1alpha1.NodeAttributePrefix + "rack": "r1", v1alpha1.NodeAttributePrefix + "public_ip": "true", v1alpha1.NodeAttributePrefix + "none": "",
				"example.com/tier": "gold", corev1.LabelTopologyZone: "z", corev1.LabelTopologyRegion: "eu",
			},
			taints: []corev1.Taint{{Key: "example.com/t", Value: "v", Effect: corev1.TaintEffectNoExecute}, {Key: "example.com/t", Effect: corev1.TaintEffectNoSchedule}},
		},
		{
			name: "GPUs", node: withGPU(nodeOf(nil)), pool: poolOf("p", nil), restored: true,
			taints: []corev1.Taint{{Key: gpu, Effect: corev1.TaintEffectNoSchedule}},
		},
		{
			name: "GPUs that a cloud tainted", pool: poolOf("p", nil), restored: true,
			node:   withGPU(nodeOf(nil, corev1.Taint{Key: gpu, Value: "present", Effect: corev1.TaintEffectNoSchedule})),
			taints: []corev1.Taint{{Key: gpu, Value: "present", Effect: corev1.TaintEffectNoSchedule}},
		},
		{
			name: "GPUs for all", node: withGPU(nodeOf(nil)), restored: true,
			pool: poolOf("p", func(s *v1alpha1.NodePoolSpec) {
				s.GPU = &v1alpha1.NodePoolGPU{Scheduling: v1alpha1.GPUSchedulingUnrestricted}
			}),
		},
		{
			name: "GPUs that the pool does not name", node: withGPU(nodeOf(nil)), restored: true,
			pool: poolOf("p", func(s *v1alpha1.NodePoolSpec) {
				s.GPU = &v1alpha1.NodePoolGPU{Resources: []v1alpha1.GPUResource{{Name: "amd.com/gpu"}}}
			}),
		},
		{
			name: "GPUs with a taint of the pool's own", node: withGPU(nodeOf(nil)), restored: true,
			pool: poolOf("p", func(s *v1alpha1.NodePoolSpec) {
				s.Taints = []v1alpha1.NodePoolTaint{{Key: gpu, Value: "a100", Effect: corev1.TaintEffectNoSchedule}}
			}),
			taints: []corev1.Taint{{Key: gpu, Value: "a100", Effect: corev1.TaintEffectNoSchedule}},
		},
		{
			name: "what the selector asks for stays the node's own", node: nodeOf(nil), restored: true,
			pool: poolOf("p", func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]v1alpha1.NodeLabelValue{"pool": "a"} }),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := after(t, c.node, c.pool)
			want := map[string]string{"pool": "a", v1alpha1.NodePoolLabel: "p"}
			maps.Copy(want, c.labels)
			if diff := cmp.Diff(want, seen(got)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.taints, got.Spec.Taints); diff != "" {
				t.Errorf("taints (-want +got):\n%s", diff)
			}
			left := after(t, got, nil)
			if diff := cmp.Diff(c.node.Labels, left.Labels); c.restored && diff != "" {
				t.Errorf("labels of a node that left (-want +got):\n%s", diff)
			}
			sortTaints(left.Spec.Taints)
			sortTaints(c.node.Spec.Taints)
			if diff := cmp.Diff(c.node.Spec.Taints, left.Spec.Taints); c.restored && diff != "" {
				t.Errorf("taints of a node that left (-want +got):\n%s", diff)
			}
			if len(left.Annotations) > 0 {
				t.Errorf("annotations of a node that left: %v", left.Annotations)
			}
		})
	}
}

func withGPU(node *corev1.Node) *corev1.Node {
	node.Status.Allocatable = corev1.ResourceList{gpu: resource.MustParse("2")}
	return node
}

func sortTaints(taints []corev1.Taint) {
	slices.SortFunc(taints, func(a, b corev1.Taint) int { return cmpText(taintKey(a.Key, a.Effect), taintKey(b.Key, b.Effect)) })
}

func cmpText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// A pool that sets a label it selects by, or one that another pool selects by, keeps its nodes.
func TestWhatPoolsSetDoesNotSelect(t *testing.T) {
	young := poolOf("young", func(s *v1alpha1.NodePoolSpec) {
		s.Labels = map[string]v1alpha1.NodeLabelValue{"pool": "b", "tier": "gold"}
	})
	old := poolOf("old", func(s *v1alpha1.NodePoolSpec) {
		s.Selector = map[string]v1alpha1.NodeLabelValue{"tier": "gold"}
	})
	node := nodeOf(nil)
	pools := []*v1alpha1.NodePool{old, young}
	for range 3 {
		if all := poolsOf(node, pools); len(all) != 1 || all[0] != young {
			t.Fatalf("the pools are %v", all)
		}
		node = after(t, node, young)
		if node.Labels["pool"] != "b" || node.Labels["tier"] != "gold" {
			t.Fatalf("labels %v", node.Labels)
		}
	}
	node = after(t, node, nil)
	if diff := cmp.Diff(map[string]string{"pool": "a"}, node.Labels); diff != "" {
		t.Error(diff)
	}
}

// A node that goes from pool to pool, and pools that change, leave nothing behind.
func TestNothingIsLeftBehind(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	values := []v1alpha1.NodeLabelValue{"x", "y", "z"}
	roles := []string{"", "*", v1alpha1.RolePublic, "gold"}
	some := func(keys ...string) map[string]v1alpha1.NodeLabelValue {
		all := map[string]v1alpha1.NodeLabelValue{}
		for _, key := range keys {
			if chance.IntN(2) == 0 {
				all[key] = values[chance.IntN(len(values))]
			}
		}
		return all
	}
	for range 300 {
		start := withGPU(nodeOf(nil))
		for key, value := range some("a", "b", v1alpha1.NodeRoleLabel, corev1.LabelTopologyZone) {
			start.Labels[key] = string(value)
		}
		for key, value := range some("t", v1alpha1.NodeRoleTaint) {
			start.Spec.Taints = append(start.Spec.Taints, corev1.Taint{Key: key, Value: string(value), Effect: corev1.TaintEffectNoSchedule})
		}
		node := start
		for range 5 {
			pool := poolOf([]string{"p", "q"}[chance.IntN(2)], func(s *v1alpha1.NodePoolSpec) {
				s.Role, s.Labels, s.Attributes = roles[chance.IntN(len(roles))], some("a", "b", "c"), some("a")
				for key, value := range some("t", gpu) {
					s.Taints = append(s.Taints, v1alpha1.NodePoolTaint{Key: key, Value: string(value), Effect: corev1.TaintEffectNoSchedule})
				}
				s.FaultDomain = &v1alpha1.FaultDomain{Zone: string(some(corev1.LabelTopologyZone)[corev1.LabelTopologyZone])}
			})
			node = after(t, node, pool)
			// Somebody meddles with what is ours.
			node = node.DeepCopy()
			delete(node.Labels, "a")
			node.Labels["b"] = "meddled"
			node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.NodeRoleTaint })
			node = after(t, node, pool)
			if node.Labels["c"] != string(pool.Spec.Labels["c"]) {
				t.Fatalf("the label c is %q", node.Labels["c"])
			}
		}
		left := after(t, node, nil)
		for _, key := range []string{"c", v1alpha1.NodePoolLabel, v1alpha1.NodePoolAppliedLabel, v1alpha1.NodeAttributePrefix + "a"} {
			if _, there := left.Labels[key]; there {
				t.Fatalf("the label %s is left: %v", key, left.Labels)
			}
		}
		if left.Labels[corev1.LabelTopologyZone] != start.Labels[corev1.LabelTopologyZone] {
			t.Fatalf("zone %q, and was %q", left.Labels[corev1.LabelTopologyZone], start.Labels[corev1.LabelTopologyZone])
		}
		if slices.ContainsFunc(left.Spec.Taints, func(t corev1.Taint) bool { return t.Key == gpu }) {
			t.Fatalf("taints are left: %v", left.Spec.Taints)
		}
	}
}

// The taint of GPUs stays while their device plugin restarts.
func TestGPUsThatAreGoneForAWhile(t *testing.T) {
	pool := poolOf("p", nil)
	node := after(t, withGPU(nodeOf(nil)), pool).DeepCopy()
	node.Status.Allocatable = nil
	if got := after(t, node, pool); len(got.Spec.Taints) != 1 {
		t.Errorf("taints %v", got.Spec.Taints)
	}
}

// A kubelet may write annotations of its node: what it makes up there is not
// given to it, and a record that is lost is made anew.
func TestRecordsThatAreNotOurs(t *testing.T) {
	forged := nodeOf(nil)
	forged.Annotations = map[string]string{v1alpha1.NodePoolAppliedAnnotation: `{"labels":{"` + v1alpha1.NodeRoleLabel + `":"gold"},"taints":{"t:NoSchedule":null}}`}
	forged.Spec.Taints = []corev1.Taint{{Key: "t", Effect: corev1.TaintEffectNoSchedule}}
	if got := after(t, forged, nil); got.Labels[v1alpha1.NodeRoleLabel] != "" || len(got.Spec.Taints) != 1 {
		t.Errorf("it has %v, %v", got.Labels, got.Spec.Taints)
	}
	if own := ownLabels(forged); own[v1alpha1.NodeRoleLabel] != "" {
		t.Errorf("it counts as %v", own)
	}
	public := poolOf("p", func(s *v1alpha1.NodePoolSpec) { s.Role = v1alpha1.RolePublic })
	node := after(t, withGPU(nodeOf(nil)), public).DeepCopy()
	delete(node.Annotations, v1alpha1.NodePoolAppliedAnnotation)
	node = after(t, node, public)
	if len(node.Annotations) != 1 {
		t.Errorf("annotations %v", node.Annotations)
	}
	if left := after(t, node, nil); len(left.Labels) != 1 || len(left.Spec.Taints) != 0 {
		t.Errorf("left are %v, %v", left.Labels, left.Spec.Taints)
	}
}

// The oldest pool has a node; those that go have none.
func TestTheOldestHolds(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	named := func(name string, age time.Duration) v1alpha1.NodePool {
		pool := poolOf(name, nil)
		pool.CreationTimestamp = metav1.NewTime(noon.Add(-age))
		return *pool
	}
	gone := named("gone", time.Hour)
	gone.DeletionTimestamp = &metav1.Time{Time: noon}
	var names []string
	for _, pool := range poolsOf(nodeOf(nil), byAge([]v1alpha1.NodePool{named("young", 0), named("b", time.Minute), gone, named("a", time.Minute)})) {
		names = append(names, pool.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "young"}, names); diff != "" {
		t.Error(diff)
	}
}

// FuzzApplied: whatever stands in the record, nothing panics, and a second pass
// changes nothing.
func FuzzApplied(f *testing.F) {
	f.Add(`{"labels":{"a":"b","c":null},"taints":{"k:NoSchedule":"v","odd":null,":":"x"}}`)
	f.Add(`{"taints":{"":"0","0":""}}`)
	f.Add("")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		node := nodeOf(map[string]string{v1alpha1.NodePoolAppliedLabel: seal(text)}, rolePublic)
		node.Annotations = map[string]string{v1alpha1.NodePoolAppliedAnnotation: text}
		for _, pool := range []*v1alpha1.NodePool{nil, poolOf("p", nil)} {
			if first := mark(node, pool, gpu); first != nil {
				if again := mark(first, pool, gpu); again != nil {
					t.Errorf("a second pass changes it again: %s", cmp.Diff(first, again))
				}
			}
		}
	})
}
