// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func maintenance(name string, action v1alpha1.MaintenanceAction, edit ...func(*v1alpha1.NodeMaintenance)) *v1alpha1.NodeMaintenance {
	m := &v1alpha1.NodeMaintenance{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec:       v1alpha1.NodeMaintenanceSpec{Action: action},
	}
	for _, e := range edit {
		e(m)
	}
	return m
}

// since has the action begun that long ago, on the node of the tests.
func since(state v1alpha1.MaintenanceState, ago time.Duration) func(*v1alpha1.NodeMaintenance) {
	return func(m *v1alpha1.NodeMaintenance) {
		started := metav1.NewTime(noon.Add(-ago))
		m.Status.State, m.Status.StartedAt, m.Status.NodeUID, m.Status.Cordoned = state, &started, "uid", true
	}
}

func within(start, length time.Duration) func(*v1alpha1.NodeMaintenance) {
	return func(m *v1alpha1.NodeMaintenance) {
		m.Spec.Window = &v1alpha1.MaintenanceWindow{Start: metav1.NewTime(noon.Add(start))}
		if length > 0 {
			m.Spec.Window.DurationSeconds = ptr.To(int32(length / time.Second))
		}
	}
}

func node(edit ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "uid"}}
	for _, e := range edit {
		e(n)
	}
	return n
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func tainted(state v1alpha1.MaintenanceState) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: v1alpha1.MaintenanceTaint, Value: string(state), Effect: corev1.TaintEffectPreferNoSchedule})
	}
}

func onNode(name string, edit ...func(*pod)) pod {
	p := pod{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID(name)}}}
	for _, e := range edit {
		e(&p)
	}
	return p
}

func resident(p *pod) { p.resident = true }

func told(ago time.Duration) func(*pod) {
	return func(p *pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(noon.Add(-ago))) }
}

// TestNext: what is done with a node, given what was seen.
func TestNext(t *testing.T) {
	drain, gone, deactivate := v1alpha1.MaintenanceDrain, v1alpha1.MaintenanceGone, v1alpha1.MaintenanceDeactivate
	draining := func(ago time.Duration) *v1alpha1.NodeMaintenance {
		return maintenance("n1", drain, since(v1alpha1.MaintenanceDraining, ago))
	}
	ready := []func(*corev1.Node){cordoned, tainted(v1alpha1.MaintenanceDraining)}
	force := settings{timeout: time.Minute, force: true}
	for name, c := range map[string]struct {
		seen observed
		want string
	}{
		"no node":                        {observed{m: maintenance("n1", drain)}, "unknown"},
		"no node any more":               {observed{m: draining(0)}, "unknown"},
		"gone before we could say so":    {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0))}, "Gone; give up"},
		"deactivate":                     {observed{m: maintenance("n1", deactivate), node: node()}, "Deactivated; enter"},
		"written down":                   {observed{m: maintenance("n1", deactivate, since(v1alpha1.MaintenanceDeactivated, 0)), node: node()}, "Deactivated; node Deactivated unschedulable"},
		"somebody was faster":            {observed{m: maintenance("n1", deactivate), node: node(cordoned)}, "Deactivated; enter"},
		"before the window":              {observed{m: maintenance("n1", drain, within(time.Hour, 0)), node: node()}, "Scheduled; node Scheduled; again 1h0m0s"},
		"a window moved away":            {observed{m: maintenance("n1", drain, since(v1alpha1.MaintenanceDraining, 0), within(time.Hour, 0)), node: node(ready...)}, "Scheduled; node Scheduled schedulable; again 1h0m0s"},
		"in the window":                  {observed{m: maintenance("n1", deactivate, since(v1alpha1.MaintenanceDeactivated, 0), within(-time.Minute, time.Hour)), node: node(cordoned, tainted(v1alpha1.MaintenanceDeactivated))}, "Deactivated; again 59m0s"},
		"after the window":               {observed{m: maintenance("n1", deactivate, since(v1alpha1.MaintenanceDeactivated, time.Hour), within(-time.Hour, time.Minute)), node: node(cordoned, tainted(v1alpha1.MaintenanceDeactivated))}, "Over; node schedulable"},
		"others come first":              {observed{m: maintenance("n1", drain), node: node(), ahead: 2}, "Waiting; node Waiting; again 30s"},
		"its turn":                       {observed{m: maintenance("n1", drain, func(m *v1alpha1.NodeMaintenance) { m.Status.State = v1alpha1.MaintenanceWaiting }), node: node(tainted(v1alpha1.MaintenanceWaiting))}, "Draining; enter"},
		"no turn is waited for twice":    {observed{m: draining(0), node: node(ready...), ahead: 2, pods: []pod{onNode("x")}}, "Draining; evict x; again 2s"},
		"the node first":                 {observed{m: draining(0), node: node(), pods: []pod{onNode("x")}}, "Draining; node Draining unschedulable; again 1h0m0s"},
		"then the pods":                  {observed{m: draining(0), node: node(ready...), pods: []pod{onNode("x"), onNode("y", resident)}}, "Draining; evict x; y: its volumes are on the node: it goes last; again 2s"},
		"the last":                       {observed{m: draining(0), node: node(ready...), pods: []pod{onNode("y", resident)}}, "Draining; evict y; again 2s"},
		"told already":                   {observed{m: draining(0), node: node(ready...), pods: []pod{onNode("x", told(-10*time.Second))}}, "Draining; x: has until 2026-11-01T12:00:10Z to end; again 11s"},
		"over its time":                  {observed{m: draining(0), node: node(ready...), pods: []pod{onNode("x", told(time.Minute), func(p *pod) { p.Finalizers = []string{"a/b"} })}}, "Draining; x: kept by the finalizer a/b; again 1h0m0s"},
		"waits for a successor":          {observed{m: draining(0), node: node(ready...), pods: []pod{onNode("x", func(p *pod) { p.waits = "why" })}}, "Draining; x: why; again 2s"},
		"forced, but not the manager":    {observed{m: draining(time.Hour), settings: force, node: node(ready...), pods: []pod{onNode("x", func(p *pod) { p.waits = "why" }), onNode("y", resident), onNode("z", func(p *pod) { p.holds = "manager" })}}, "Draining; delete x y; z: manager; late; again 2s"},
		"late, and goes on":              {observed{m: draining(2 * time.Hour), node: node(ready...), pods: []pod{onNode("x")}}, "Draining; evict x; late; again 2s"},
		"all at once":                    {observed{m: draining(0), settings: settings{timeout: time.Hour, delete: true}, node: node(ready...), pods: []pod{onNode("x"), onNode("y", resident)}}, "Draining; delete x y; again 2s"},
		"volumes are waited for":         {observed{m: draining(0), node: node(ready...), volumes: 1}, "Draining; again 1h0m0s"},
		"but not for ever":               {observed{m: draining(2 * time.Hour), node: node(ready...), volumes: 1}, "Drained; node Drained; late"},
		"drained":                        {observed{m: draining(0), node: node(ready...)}, "Drained; node Drained; again 1h0m0s"},
		"at rest":                        {observed{m: maintenance("n1", drain, since(v1alpha1.MaintenanceDrained, 2*time.Hour)), node: node(cordoned, tainted(v1alpha1.MaintenanceDrained))}, "Drained; late"},
		"somebody uncordoned it":         {observed{m: maintenance("n1", drain, since(v1alpha1.MaintenanceDrained, 2*time.Hour)), node: node(tainted(v1alpha1.MaintenanceDrained))}, "Drained; node unschedulable; late"},
		"a pod comes all the same":       {observed{m: maintenance("n1", drain, since(v1alpha1.MaintenanceDrained, 0)), node: node(cordoned, tainted(v1alpha1.MaintenanceDrained)), pods: []pod{onNode("x")}}, "Draining; enter; again 1h0m0s"},
		"another node of the name":       {observed{m: draining(0), node: node(func(n *corev1.Node) { n.UID = "other" })}, "Draining; enter"},
		"from deactivated to drain":      {observed{m: maintenance("n1", drain, since(v1alpha1.MaintenanceDeactivated, 0)), node: node(cordoned, tainted(v1alpha1.MaintenanceDeactivated))}, "Draining; enter"},
		"gone, and drained first":        {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0)), node: node(ready...), pods: []pod{onNode("x")}}, "Draining; evict x; again 2s"},
		"gone, and does not answer":      {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0)), node: node(ready...), unreachable: true, pods: []pod{onNode("x")}}, "Draining; node out-of-service; again 1h0m0s"},
		"gone, out of service":           {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0)), node: node(append(ready, outOf)...), unreachable: true, pods: []pod{onNode("x"), onNode("y", resident)}}, "Draining; delete x y; again 2s"},
		"gone, and answers again":        {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0)), node: node(append(ready, outOf)...), pods: []pod{onNode("x")}}, "Draining; node in-service; again 1h0m0s"},
		"gone, and empty":                {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceDraining, 0)), node: node(ready...)}, "Gone; give up; again 1h0m0s"},
		"given up":                       {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceGoneState, 0))}, "Gone"},
		"given up, and there again":      {observed{m: maintenance("n1", gone, since(v1alpha1.MaintenanceGoneState, 0)), node: node(), registered: []*corev1.Node{node()}}, "Gone; keep out n1"},
		"a drain of who does not say so": {observed{m: draining(0), node: node(ready...), unreachable: true, pods: []pod{onNode("x", told(0))}}, "Draining; x: told to stop, but its node does not answer; again 1s"},
	} {
		if c.seen.settings.timeout == 0 {
			c.seen.settings.timeout = time.Hour
		}
		c.seen.now = noon
		if diff := cmp.Diff(c.want, tell(&c.seen)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func outOf(n *corev1.Node) {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: outOfService, Effect: corev1.TaintEffectNoExecute})
}

// tell writes a step in words.
func tell(o *observed) string {
	s := o.next()
	if s == nil {
		return "unknown"
	}
	words := []string{string(s.state)}
	add := func(is bool, format string, args ...any) {
		if is {
			words = append(words, strings.TrimSpace(fmt.Sprintf(format, args...)))
		}
	}
	names := func(pods []*corev1.Pod) (all []string) {
		for _, p := range pods {
			all = append(all, p.Name)
		}
		return all
	}
	add(s.enter, "enter")
	if s.marks != nil && !s.enter {
		add(s.marks.on(o.node) != nil, "node %s", difference(o.node, s.marks.on(o.node)))
	}
	for _, n := range s.keepOut {
		add(true, "keep out %s", n.Name)
	}
	add(len(s.evict) > 0, "evict %s", strings.Join(names(s.evict), " "))
	add(len(s.remove) > 0, "delete %s", strings.Join(names(s.remove), " "))
	for i := range o.pods {
		add(s.blocked[o.pods[i].key()] != "", "%s: %s", o.pods[i].Name, s.blocked[o.pods[i].key()])
	}
	add(s.giveUp, "give up")
	add(s.late, "late")
	add(s.after > 0, "again %s", s.after)
	return strings.Join(words, "; ")
}

func difference(before, after *corev1.Node) string {
	if after == nil {
		return ""
	}
	var words []string
	for _, taint := range after.Spec.Taints {
		if taint.Key == v1alpha1.MaintenanceTaint && !slices.Contains(before.Spec.Taints, taint) {
			words = append(words, taint.Value)
		}
	}
	if is := hasTaint(after, corev1.TaintNodeOutOfService); is != hasTaint(before, corev1.TaintNodeOutOfService) {
		words = append(words, map[bool]string{true: "out-of-service", false: "in-service"}[is])
	}
	if is := after.Spec.Unschedulable; is != before.Spec.Unschedulable {
		words = append(words, map[bool]string{true: "unschedulable", false: "schedulable"}[is])
	}
	return strings.Join(words, " ")
}

// TestMarks: a mark that is there is not written, and those of others stay.
func TestMarks(t *testing.T) {
	theirs := corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute}
	other := func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, theirs, corev1.Taint{Key: "a", Effect: corev1.TaintEffectNoSchedule})
	}
	n := node(other)
	for range 2 {
		changed := banned().on(n)
		if changed == nil || len(changed.Spec.Taints) != 4 || !changed.Spec.Unschedulable || !hasTaint(changed, v1alpha1.GoneTaint) {
			t.Fatalf("kept out: %+v", changed)
		}
		if again := banned().on(changed); again != nil {
			t.Fatalf("written again: %+v", again)
		}
	}
	free := marks{unschedulable: ptr.To(false)}.on(banned().on(n))
	if diff := cmp.Diff(n.Spec, free.Spec); diff != "" {
		t.Errorf("let in again (-want +got):\n%s", diff)
	}
	if (marks{}).on(n) != nil {
		t.Error("the taint of somebody else is taken away")
	}
}

// TestBegin: who made a node unschedulable is remembered.
func TestBegin(t *testing.T) {
	for name, c := range map[string]struct {
		m    *v1alpha1.NodeMaintenance
		node *corev1.Node
		want bool
	}{
		"we do":                            {maintenance("n1", v1alpha1.MaintenanceDrain), node(), true},
		"somebody did":                     {maintenance("n1", v1alpha1.MaintenanceDrain), node(cordoned), false},
		"we did, and drain now":            {maintenance("n1", v1alpha1.MaintenanceDrain, since(v1alpha1.MaintenanceDeactivated, 0)), node(cordoned), true},
		"another node, which somebody did": {maintenance("n1", v1alpha1.MaintenanceDrain, since(v1alpha1.MaintenanceDeactivated, 0)), node(cordoned, func(n *corev1.Node) { n.UID = "other" }), false},
		"somebody did and undid":           {maintenance("n1", v1alpha1.MaintenanceDeactivate, since(v1alpha1.MaintenanceDeactivated, 0), func(m *v1alpha1.NodeMaintenance) { m.Status.Cordoned = false }), node(), true},
	} {
		o := &observed{m: c.m, node: c.node, now: noon, machine: "machine", settings: settings{timeout: time.Hour}}
		s := o.next()
		_ = o.report(s)
		if !s.enter || o.m.Status.Cordoned != c.want || o.m.Status.NodeUID != string(c.node.UID) {
			t.Errorf("%s: %+v", name, o.m.Status)
		}
	}
}

// TestTurns: of a pool, so many nodes are emptied at once, the oldest first.
func TestTurns(t *testing.T) {
	at := func(minutes int) func(*v1alpha1.NodeMaintenance) {
		return func(m *v1alpha1.NodeMaintenance) {
			m.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
		}
	}
	drain := v1alpha1.MaintenanceDrain
	m := maintenance("m", drain, at(0))
	one := func(edit ...func(*v1alpha1.NodeMaintenance)) v1alpha1.NodeMaintenance {
		return *maintenance("o", drain, append([]func(*v1alpha1.NodeMaintenance){at(1)}, edit...)...)
	}
	for name, c := range map[string]struct {
		others []v1alpha1.NodeMaintenance
		limit  int
		want   int
	}{
		"alone":                {[]v1alpha1.NodeMaintenance{*m}, 1, 0},
		"younger":              {[]v1alpha1.NodeMaintenance{one()}, 1, 0},
		"older":                {[]v1alpha1.NodeMaintenance{one(at(-1))}, 1, 1},
		"as old, by name":      {[]v1alpha1.NodeMaintenance{one(at(0))}, 1, 0},
		"younger, and begun":   {[]v1alpha1.NodeMaintenance{one(since(v1alpha1.MaintenanceDraining, 0))}, 1, 1},
		"room for two":         {[]v1alpha1.NodeMaintenance{one(since(v1alpha1.MaintenanceDraining, 0))}, 2, 0},
		"two ahead":            {[]v1alpha1.NodeMaintenance{one(since(v1alpha1.MaintenanceDraining, 0)), one(at(-1))}, 1, 2},
		"drained":              {[]v1alpha1.NodeMaintenance{one(at(-1), since(v1alpha1.MaintenanceDrained, 0))}, 1, 0},
		"given up":             {[]v1alpha1.NodeMaintenance{one(at(-1), since(v1alpha1.MaintenanceGoneState, 0))}, 1, 0},
		"older, in an hour":    {[]v1alpha1.NodeMaintenance{one(at(-1), within(time.Hour, 0))}, 1, 0},
		"older, and over":      {[]v1alpha1.NodeMaintenance{one(at(-1), within(-time.Hour, time.Minute))}, 1, 0},
		"older, takes no pods": {[]v1alpha1.NodeMaintenance{*maintenance("o", v1alpha1.MaintenanceDeactivate, at(-1))}, 1, 0},
		"on its way out":       {[]v1alpha1.NodeMaintenance{one(since(v1alpha1.MaintenanceDraining, 0), func(m *v1alpha1.NodeMaintenance) { m.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) })}, 1, 0},
	} {
		if got := ahead(m, c.others, c.limit, noon); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	pool := &v1alpha1.Drain{Mode: v1alpha1.DrainModeDelete, PodGraceCapSeconds: ptr.To[int32](10), TimeoutSeconds: ptr.To[int32](60), OnTimeout: v1alpha1.DrainTimeoutForce}
	own := &v1alpha1.Drain{Mode: v1alpha1.DrainModeEvict, PodGraceCapSeconds: ptr.To[int32](0)}
	for name, c := range map[string]struct {
		own, pool *v1alpha1.Drain
		want      settings
	}{
		"none": {nil, nil, settings{timeout: time.Hour}},
		"pool": {nil, pool, settings{delete: true, force: true, cap: ptr.To[int64](10), timeout: time.Minute}},
		"both": {own, pool, settings{force: true, cap: ptr.To[int64](0), timeout: time.Minute}},
	} {
		if diff := cmp.Diff(c.want, drainSettings(c.own, c.pool), cmp.AllowUnexported(settings{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{TerminationGracePeriodSeconds: ptr.To[int64](5)}}
	for limit, want := range map[int64]int64{0: 1, 3: 3, 10: 5} {
		if got := (settings{cap: &limit}).grace(pod); *got != want {
			t.Errorf("cap %d: %d", limit, *got)
		}
	}
	if (settings{}).grace(pod) != nil {
		t.Error("without a cap, a pod does not have the time that it asks for")
	}
}

func TestWhoGoes(t *testing.T) {
	owned := func(kind, version string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: kind, APIVersion: version, Controller: ptr.To(true)}}}}
	}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		goes bool
	}{
		"nobody's":             {corev1.Pod{}, true},
		"of an App":            {owned("App", "kdcos.io/v1alpha1"), true},
		"of a DaemonSet":       {owned("DaemonSet", "apps/v1"), false},
		"of another DaemonSet": {owned("DaemonSet", "example.com/v1"), true},
		"a mirror":             {corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}}}, false},
		"over":                 {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, false},
	} {
		if mustGo(&c.pod) != c.goes {
			t.Errorf("%s: goes %t", name, !c.goes)
		}
	}
	pods := []pod{onNode("c", resident), onNode("b"), onNode("a", resident), onNode("z", func(p *pod) { p.replaced = true })}
	order(pods)
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"z", "b", "a", "c"}, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestLocalVolumes(t *testing.T) {
	requires := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: op, Values: values}}}
	}
	for name, c := range map[string]struct {
		terms []corev1.NodeSelectorTerm
		local bool
	}{
		"anywhere":       {nil, false},
		"there":          {[]corev1.NodeSelectorTerm{requires(corev1.LabelHostname, corev1.NodeSelectorOpIn, "n1")}, true},
		"elsewhere":      {[]corev1.NodeSelectorTerm{requires(corev1.LabelHostname, corev1.NodeSelectorOpIn, "n2")}, false},
		"there or":       {[]corev1.NodeSelectorTerm{requires(corev1.LabelHostname, corev1.NodeSelectorOpIn, "n1", "n2")}, false},
		"or elsewhere":   {[]corev1.NodeSelectorTerm{requires(corev1.LabelHostname, corev1.NodeSelectorOpIn, "n1"), requires(corev1.LabelHostname, corev1.NodeSelectorOpIn, "n2")}, false},
		"in a zone":      {[]corev1.NodeSelectorTerm{requires(corev1.LabelTopologyZone, corev1.NodeSelectorOpIn, "n1")}, false},
		"not there":      {[]corev1.NodeSelectorTerm{requires(corev1.LabelHostname, corev1.NodeSelectorOpNotIn, "n1")}, false},
		"there, by name": {[]corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}}}, true},
	} {
		v := &corev1.PersistentVolume{}
		if c.terms != nil {
			v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: c.terms}}
		}
		if local(v, "n1") != c.local {
			t.Errorf("%s: local %t", name, !c.local)
		}
	}
}

// TestReport: what is left is listed, and no more than a status can hold.
func TestReport(t *testing.T) {
	m := maintenance("n1", v1alpha1.MaintenanceDrain, since(v1alpha1.MaintenanceDraining, 2*time.Hour))
	m.Status.PodsTotal = 70
	o := &observed{m: m, node: node(cordoned, tainted(v1alpha1.MaintenanceDraining)), now: noon, settings: settings{timeout: time.Hour}}
	for i := range 60 {
		o.pods = append(o.pods, onNode(fmt.Sprintf("p%02d", i), func(p *pod) { p.waits = strings.Repeat("why ", 400) }))
	}
	var notReady *reconciler.NotReady
	if err := o.report(o.next()); !errors.As(err, &notReady) {
		t.Fatal(err)
	}
	if want := "60 of 70 pods left, 60 of them held back: status.remaining says by what; it takes longer than 1h0m0s"; notReady.Message != want || notReady.Reason != v1alpha1.ReasonDrainTimeout {
		t.Errorf("%s: %s", notReady.Reason, notReady.Message)
	}
	s := &m.Status
	if len(s.Remaining) != 50 || s.PodsRemaining != 60 || s.PodsTotal != 70 || len(s.Remaining[0].BlockedBy) > 1024 {
		t.Errorf("%d listed, %d of %d", len(s.Remaining), s.PodsRemaining, s.PodsTotal)
	}
	o.pods, o.now = nil, noon
	err := o.report(o.next())
	var ready *reconciler.Ready
	if !errors.As(err, &ready) || s.State != v1alpha1.MaintenanceDrained || s.Remaining != nil || s.CompletedAt == nil {
		t.Errorf("drained: %v, %+v", err, s)
	}
	before := m.DeepCopy()
	o.node, o.now = node(cordoned, tainted(v1alpha1.MaintenanceDrained)), noon.Add(time.Hour)
	_ = o.report(o.next())
	if diff := cmp.Diff(before, m); diff != "" {
		t.Errorf("at rest the status changes:\n%s", diff)
	}
}
