// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// constraint is one of an App, written as Marathon does.
func constraint(triple ...string) v1alpha1.Constraint {
	c := v1alpha1.Constraint{Field: triple[0], Operator: v1alpha1.ConstraintOperator(triple[1])}
	if len(triple) > 2 {
		c.Value = &triple[2]
	}
	return c
}

func constrained(constraints ...v1alpha1.Constraint) *v1alpha1.App {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: v1alpha1.AppSpec{
		Constraints: constraints,
		Container:   &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "web"}},
	}}
	app.Spec.Default()
	return app
}

func TestMatch(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "private-1", Labels: map[string]string{
			corev1.LabelHostname:                        "host-a",
			corev1.LabelTopologyZone:                    "2.0",
			v1alpha1.NodeAttributePrefix + "rack":       "rack-2",
			v1alpha1.NodeAttributePrefix + "empty":      "",
			v1alpha1.NodeAttributePrefix + "cores":      "8.0",
			v1alpha1.NodeAttributePrefix + "load":       "0.0625",
			v1alpha1.NodeAttributePrefix + "commit":     "12e4567",
			v1alpha1.NodeAttributePrefix + "range":      "[1-2,4-5]",
			v1alpha1.NodeAttributePrefix + "set":        "{a,b}",
			"node.kubernetes.io/instance-type":          "m5.large",
			v1alpha1.NodeAttributePrefix + "two\nlines": "a\nb",
		}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "other"}, {Type: corev1.NodeInternalIP, Address: "10.0.0.1"}, {Type: corev1.NodeInternalIP, Address: "fd00::1"},
		}},
	}
	for _, c := range []struct {
		constraint string
		want       bool
	}{
		{"rack LIKE rack-[1-3]", true},
		{"rack LIKE rack", false}, // as a whole
		{"rack LIKE .*-2|x", true},
		{"rack UNLIKE rack-[1-3]", false},
		{"rack UNLIKE rack-[13]", true},
		{"rack UNLIKE rack", true},
		{"rack IS rack-2", true},
		{"rack IS rack", false},
		{"rack CLUSTER rack-2", true},
		{"rack CLUSTER rack-3", false},
		{"empty LIKE .*", true},
		{"empty LIKE .+", false},
		{"empty IS ", true},
		{"cores LIKE 8", true}, // numbers are written without needless zeros
		{"cores LIKE 8\\.0", false},
		{"cores IS 8", true},
		{"cores IS 8.00", true},
		{"cores IS +8", true},
		{"cores IS 8e0", true},
		{"cores IS 8.0004", true},
		{"cores IS 8.001", false},
		{"cores IS eight", false},
		{"cores CLUSTER 8", true},
		{"load IS 0.062", true}, // half to even
		{"load IS 0.063", false},
		{"load IS .0624", true},
		{"load LIKE 0\\.062", true},
		{"commit IS 12e4567", true}, // too large for a number: text
		{"range LIKE \\[1-2,.*", true},
		{"range IS [1-2,4-5]", true},
		{"set LIKE \\{a,b\\}", true},
		{"set UNLIKE .*b.*", false},
		{"@zone IS 2.0", true}, // a zone is text
		{"@zone IS 2", false},
		{"@region LIKE .*", false},
		{"@region UNLIKE .*", true},
		{"none LIKE .*", false},
		{"none UNLIKE .*", true},
		{"none IS ", false},
		{"none CLUSTER a", false},
		{"hostname LIKE private-.", true},
		{"hostname LIKE host-.", true},
		{"@hostname LIKE 10\\.0\\.0\\..*", true},
		{"hostname LIKE other", false},
		{"hostname UNLIKE 10\\..*", false},
		{"hostname UNLIKE other", true},
		{"hostname IS fd00::1", true},
		{"hostname IS 10.0.0.1", true},
		{"hostname CLUSTER private-1", true},
		{"hostname CLUSTER private-2", false},
		{"node.kubernetes.io/instance-type LIKE m5\\..*", true},
	} {
		triple := strings.SplitN(c.constraint, " ", 3)
		f, err := fieldOf(triple[0])
		if err != nil {
			t.Fatal(err)
		}
		x := constraint(triple...)
		m, err := matchOf(f, &x)
		if err != nil {
			t.Errorf("%s: %v", c.constraint, err)
			continue
		}
		if got := m.Accepts(node); got != c.want {
			t.Errorf("%s: %t", c.constraint, got)
		}
		// Where the scheduler looks itself, it finds the same.
		if label, there := node.Labels[f.key]; m.plain() && (there && label == m.value) != c.want {
			t.Errorf("%s: the scheduler says %t", c.constraint, !c.want)
		}
	}
}

func TestMatches(t *testing.T) {
	app := constrained(
		constraint("hostname", "UNIQUE"), constraint("rack", "CLUSTER"), constraint("rack", "GROUP_BY", "2"), constraint("rack", "MAX_PER", "2"),
		constraint("rack", "LIKE", "a(?!b)"), constraint("@rack", "LIKE", "a"), // wrong
		constraint("rack", "LIKE", "a"), constraint("rack", "IS", "a.b"), constraint("rack", "CLUSTER", "a"), // plain
		constraint("rack", "LIKE", "a.b"),
		constraint("rack", "UNLIKE", "a"),
		constraint("rack", "IS", "1.0"), constraint("rack", "CLUSTER", "1"), // the same
		constraint("@hostname", "LIKE", "a"), constraint("hostname", "LIKE", "a"), // the same
	)
	found := map[string]int{}
	for _, m := range Matches(&app.Spec) {
		found[m.Label()]++
	}
	if len(found) != 4 || len(Matches(&app.Spec)) != 6 {
		t.Errorf("labels: %v", found)
	}
	for key := range found {
		if !strings.HasPrefix(key, v1alpha1.NodeMatchPrefix) || len(key) != len(v1alpha1.NodeMatchPrefix)+32 {
			t.Errorf("label %q", key)
		}
	}
	app = constrained(constraint("rack", "LIKE", "a.b"), constraint("rack", "IS", "a"), constraint("rack", "UNLIKE", "c"))
	pod := podOf(t, app, 0)
	var want []string
	for _, m := range Matches(&app.Spec) {
		want = append(want, m.Label())
	}
	if got := MatchLabels(pod.Spec.Affinity); !slices.Equal(got, want) {
		t.Errorf("the pod asks for %v, want %v", got, want)
	}
}

// podOf is a pod of an App as the API server has it.
func podOf(t *testing.T, app *v1alpha1.App, slot int) *corev1.Pod {
	t.Helper()
	ac, err := Pod(app, DefaultSettings(), Slot{Number: slot, Version: "v"})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	raw, err := json.Marshal(ac)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func TestCheckPlacement(t *testing.T) {
	for _, c := range []struct {
		app  *v1alpha1.App
		want string
	}{
		{constrained(), ""},
		{constrained(constraint("hostname", "UNIQUE"), constraint("rack", "LIKE", "a.b")), ""},
		{constrained(constraint("rack", "CLUSTER"), constraint("hostname", "CLUSTER")), ""},
		{constrained(constraint("rack", "CLUSTER"), constraint("hostname", "GROUP_BY", "1")), ""},
		{constrained(constraint("rack", "GROUP_BY", "2"), constraint("hostname", "GROUP_BY", "2")), ""},
		{constrained(constraint("rack", "GROUP_BY", "2"), constraint("hostname", "GROUP_BY")), ""},
		{constrained(constraint("rack", "GROUP_BY", "2"), constraint("hostname", "GROUP_BY", "3")), "spec.constraints[1].operator: GROUP_BY does not go with the GROUP_BY of constraint 0"},
		{constrained(constraint("rack", "GROUP_BY", "2"), constraint("a", "UNIQUE"), constraint("hostname", "CLUSTER")), "spec.constraints[2].operator: CLUSTER does not go with the GROUP_BY of constraint 0"},
		{constrained(constraint("rack", "GROUP_BY", "2"), constraint("hostname", "CLUSTER", "a")), ""},
		{constrained(constraint("rack", "MAX_PER", "0")), "spec.constraints[0].value: MAX_PER 0 lets no task run anywhere"},
		{constrained(constraint("rack", "GROUP_BY", "0")), "spec.constraints[0].value: GROUP_BY 0 has no meaning"},
		{constrained(constraint("rack", "MAX_PER", "x")), `spec.constraints[0].value: "x" is not a number`},
		{constrained(constraint("rack", "MAX_PER", "99999999999")), `spec.constraints[0].value: "99999999999" is not a number`},
		{constrained(constraint("rack", "MAX_PER")), `spec.constraints[0].value: "" is not a number`},
		{constrained(constraint("rack", "LIKE", "")), "spec.constraints[0].value: LIKE needs a regular expression"},
		{constrained(constraint("hostname", "UNIQUE"), constraint("rack", "LIKE", `(a)\1`)), `spec.constraints[1].value: the regular expression has "\\1": back-references are Java-only`},
		{constrained(constraint("@host", "UNIQUE")), `spec.constraints[0].field: there is no "@host"`},
		{constrained(constraint("a/b/c", "UNIQUE")), `spec.constraints[0].field: "a/b/c" is neither`},
		{constrained(constraint(strings.Repeat("a", 64), "IS", "1")), "must be no more than 63"},
	} {
		err := CheckPlacement(c.app)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.app.Spec.Constraints, err, c.want)
		}
	}
}

func TestGroupByField(t *testing.T) {
	for _, c := range []struct {
		app    *v1alpha1.App
		key    string
		groups int
	}{
		{constrained(constraint("hostname", "UNIQUE")), "", 1},
		{constrained(constraint("hostname", "UNIQUE"), constraint("@zone", "GROUP_BY"), constraint("hostname", "GROUP_BY", "3")), corev1.LabelTopologyZone, 3},
		{constrained(constraint("rack", "GROUP_BY", "0")), v1alpha1.NodeAttributePrefix + "rack", 1},
		{constrained(constraint("a b", "GROUP_BY")), "", 1},
	} {
		key, ok := GroupByField(&c.app.Spec)
		if key != c.key || ok != (c.key != "") || Groups(&c.app.Spec) != c.groups {
			t.Errorf("%v: %q, %t, %d", c.app.Spec.Constraints, key, ok, Groups(&c.app.Spec))
		}
	}
}

func TestHomeRegion(t *testing.T) {
	settings := DefaultSettings()
	settings.HomeRegion = "eu-1"
	for _, c := range []struct {
		app  *v1alpha1.App
		home bool
	}{
		{constrained(), true},
		{constrained(constraint("hostname", "UNIQUE")), true},
		{constrained(constraint("@region", "LIKE", ".*")), false},
		{constrained(constraint("@zone", "GROUP_BY")), false},
	} {
		p, err := place(c.app, settings, "c", 0)
		if err != nil {
			t.Fatal(err)
		}
		home := false
		for _, r := range p.nodes {
			home = home || *r.Key == corev1.LabelTopologyRegion && *r.Operator == corev1.NodeSelectorOpIn && slices.Equal(r.Values, []string{"eu-1"})
		}
		if home != c.home {
			t.Errorf("%v: %t", c.app.Spec.Constraints, home)
		}
	}
	if p, err := place(constrained(), DefaultSettings(), "c", 0); err != nil || len(p.nodes) > 0 {
		t.Errorf("without a home region: %v, %v", p.nodes, err)
	}
}

// TestBoundsHold places pods of random slots, in random order, on nodes with
// random values, as the scheduler does, and holds what the constraints promise.
func TestBoundsHold(t *testing.T) {
	for seed := range int64(300) {
		random := rand.New(rand.NewSource(seed))
		k, n := 1+random.Intn(4), 1+random.Intn(4)
		instances := 1 + random.Intn(20)
		app := constrained(
			constraint("rack", "MAX_PER", fmt.Sprint(k)),
			constraint("@zone", "GROUP_BY", fmt.Sprint(n)),
		)
		var nodes []map[string]string
		for i := range 1 + random.Intn(12) {
			nodes = append(nodes, map[string]string{
				corev1.LabelTopologyZone:              fmt.Sprint(random.Intn(5)),
				v1alpha1.NodeAttributePrefix + "rack": fmt.Sprint(i % 7),
			})
		}
		var placed []run
		slots := random.Perm(instances)
		if seed%2 == 0 {
			// Any slots will do for the bounds but that of the size of a group.
			for i := range slots {
				slots[i] = random.Intn(1000)
			}
		}
		for _, slot := range slots {
			pod := podOf(t, app, slot)
			for _, i := range random.Perm(len(nodes)) {
				if fits(pod, nodes[i], placed) {
					placed = append(placed, run{pod, nodes[i]})
					break
				}
			}
		}
		racks, zones := map[string]int{}, map[string]int{}
		for _, r := range placed {
			racks[r.node[v1alpha1.NodeAttributePrefix+"rack"]]++
			zones[r.node[corev1.LabelTopologyZone]]++
		}
		for rack, there := range racks {
			if there > k {
				t.Errorf("seed %d: %d in rack %s, MAX_PER %d", seed, there, rack, k)
			}
		}
		if len(zones) > n {
			t.Errorf("seed %d: %d zones, GROUP_BY %d", seed, len(zones), n)
		}
		for zone, there := range zones {
			if seed%2 == 1 && there > (instances+n-1)/n {
				t.Errorf("seed %d: %d of %d in zone %s, GROUP_BY %d", seed, there, instances, zone, n)
			}
		}
		if len(placed) == 0 {
			t.Errorf("seed %d: nothing placed", seed)
		}
	}
}

// Each group can fill its share: what is dealt to lanes does not clash with
// what is dealt to groups.
func TestGroupsHaveAllLanes(t *testing.T) {
	app := constrained(constraint("@zone", "GROUP_BY", "2"), constraint("hostname", "MAX_PER", "2"))
	var placed []run
	nodes := []map[string]string{
		{corev1.LabelHostname: "a", corev1.LabelTopologyZone: "1"},
		{corev1.LabelHostname: "b", corev1.LabelTopologyZone: "2"},
	}
	for slot := range 4 {
		pod := podOf(t, app, slot)
		for _, node := range nodes {
			if fits(pod, node, placed) {
				placed = append(placed, run{pod, node})
				break
			}
		}
	}
	if len(placed) != 4 {
		t.Errorf("%d of 4 instances find room for 4", len(placed))
	}
}

// run is a pod on a node.
type run struct {
	pod  *corev1.Pod
	node map[string]string
}

// fits is what the scheduler's filters say of node affinity Exists and of pod
// affinity, with its rule for the first pod of many.
func fits(pod *corev1.Pod, node map[string]string, placed []run) bool {
	for _, r := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
		if _, there := node[r.Key]; !there {
			return false
		}
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		for _, term := range a.RequiredDuringSchedulingIgnoredDuringExecution {
			for _, r := range placed {
				if selects(term, r.pod) && r.node[term.TopologyKey] == node[term.TopologyKey] {
					return false
				}
			}
		}
	}
	for _, r := range placed {
		if a := r.pod.Spec.Affinity.PodAntiAffinity; a != nil {
			for _, term := range a.RequiredDuringSchedulingIgnoredDuringExecution {
				if selects(term, pod) && r.node[term.TopologyKey] == node[term.TopologyKey] {
					return false
				}
			}
		}
	}
	a := pod.Spec.Affinity.PodAffinity
	if a == nil {
		return true
	}
	terms := a.RequiredDuringSchedulingIgnoredDuringExecution
	var others []run
	for _, r := range placed {
		if !slices.ContainsFunc(terms, func(term corev1.PodAffinityTerm) bool { return !selects(term, r.pod) }) {
			others = append(others, r)
		}
	}
	if len(others) == 0 {
		return !slices.ContainsFunc(terms, func(term corev1.PodAffinityTerm) bool { return !selects(term, pod) })
	}
	return !slices.ContainsFunc(terms, func(term corev1.PodAffinityTerm) bool {
		return !slices.ContainsFunc(others, func(r run) bool { return r.node[term.TopologyKey] == node[term.TopologyKey] })
	})
}

func selects(term corev1.PodAffinityTerm, pod *corev1.Pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
	if err != nil {
		panic(err)
	}
	return selector.Matches(labels.Set(pod.Labels))
}

// Apps of one instance without constraints and labels about GPUs have nothing about placement in their pods.
func TestNoConstraintsNoAffinity(t *testing.T) {
	app := constrained()
	app.Spec.Instances = ptr.To[int32](1)
	pod := podOf(t, app, 0)
	if pod.Spec.Affinity != nil || pod.Spec.TopologySpreadConstraints != nil || len(pod.Labels) != 4 {
		t.Errorf("%v %v", pod.Spec.Affinity, pod.Labels)
	}
}

func TestGPUBehaviour(t *testing.T) {
	for behaviour, want := range map[string]bool{"": false, "restricted": false, "unrestricted": true} {
		for _, gpus := range []int32{0, 1} {
			app := constrained()
			app.Spec.Gpus = ptr.To(gpus)
			if behaviour != "" {
				app.Spec.Labels = map[string]v1alpha1.LabelValue{gpuSchedulingLabel: v1alpha1.LabelValue(behaviour)}
			}
			got := slices.ContainsFunc(podOf(t, app, 0).Spec.Tolerations, func(x corev1.Toleration) bool {
				return reflect.DeepEqual(x, corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
			})
			if got != (want || gpus > 0) {
				t.Errorf("%q with %d GPUs: %t", behaviour, gpus, got)
			}
		}
	}
}

// An instance returns to the node of its volume, though that be kept for GPUs, and sees none of those.
func TestResidentsAmongGPUs(t *testing.T) {
	app := constrained()
	app.Spec.Container.Volumes = []v1alpha1.Volume{{ContainerPath: "data", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](10)}}}
	for _, returns := range []bool{false, true} {
		made, err := Pod(app, DefaultSettings(), Slot{Version: "2026-01-01T00:00:00.000Z", Returns: returns})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(made.Spec.Tolerations, func(x corev1ac.TolerationApplyConfiguration) bool { return *x.Key == "nvidia.com/gpu" })
		if got != returns {
			t.Errorf("an instance that returns (%t) may use nodes with GPUs: %t", returns, got)
		}
		if !slices.ContainsFunc(made.Spec.Containers[0].Env, func(v corev1ac.EnvVarApplyConfiguration) bool {
			return *v.Name == visibleDevices && *v.Value == noDevices
		}) {
			t.Error("it is shown GPUs")
		}
	}
}

// Instances that no constraint keeps together or apart are spread over the nodes where that can be.
func TestInstancesAreSpread(t *testing.T) {
	spread := func(constraints ...v1alpha1.Constraint) []corev1.TopologySpreadConstraint {
		app := constrained(constraints...)
		app.Spec.Instances = ptr.To[int32](2)
		return podOf(t, app, 0).Spec.TopologySpreadConstraints
	}
	attribute := v1alpha1.Constraint{Field: "rack", Operator: v1alpha1.ConstraintIs, Value: ptr.To("a")}
	for _, constraints := range [][]v1alpha1.Constraint{nil, {attribute}} {
		got := spread(constraints...)
		if len(got) != 1 || got[0].TopologyKey != corev1.LabelHostname || got[0].WhenUnsatisfiable != corev1.ScheduleAnyway {
			t.Errorf("%v: %v", constraints, got)
		}
	}
	for _, operator := range []v1alpha1.ConstraintOperator{v1alpha1.ConstraintCluster, v1alpha1.ConstraintUnique} {
		if got := spread(v1alpha1.Constraint{Field: "@hostname", Operator: operator}); len(got) != 0 {
			t.Errorf("%s: %v", operator, got)
		}
	}
}
