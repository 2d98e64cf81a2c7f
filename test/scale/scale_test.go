// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
)

const root = "../.."

func TestAuditCountsWrites(t *testing.T) {
	log := strings.Join([]string{
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"pods","namespace":"n","name":"a"},"responseStatus":{"code":201},"stageTimestamp":"1970-01-01T00:00:01.500000Z"}`,
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"pods","namespace":"n","name":"b"},"responseStatus":{"code":409}}`,
		`{"verb":"update","user":{"username":"me"},"objectRef":{"apiGroup":"batch","resource":"jobs","subresource":"status"},"responseStatus":{"code":200}}`,
		`{"verb":"create","user":{"username":"it"},"objectRef":{"resource":"pods","subresource":"binding"},"responseStatus":{"code":201}}`,
		`{"verb":"list","user":{"username":"me"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
		`{"verb":"update","user":{"username":"me"},"objectRef":{"resource":"leases"},"responseStatus":{"code":200}}`,
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"tokenreviews"},"responseStatus":{"code":201}}`,
		`{"verb":"delete","user":{"username":"it"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
		``,
	}, "\n")
	synctest.Test(t, func(t *testing.T) {
		a := &auditor{count: writes{}, last: time.Now()}
		a.note("pods")
		in, out := io.Pipe()
		go a.read(t.Context(), in)
		for _, part := range []string{log[:100], log[100:]} {
			if _, err := out.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if made := a.noted("pods"); len(made) != 1 || !made[types.NamespacedName{Namespace: "n", Name: "a"}].Equal(time.Unix(1, 5e8)) {
			t.Errorf("noted %v", made)
		}
		got, _, err := a.seen()
		want := writes{
			{"me", "create", "pods", false}: 1, {"me", "update", "jobs.batch/status", false}: 1, {"me", "create", "pods", true}: 1,
			{"it", "create", "pods/binding", false}: 1, {"it", "delete", "pods", false}: 1,
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(write{})); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got.total() != 5 || got.by("me") != 3 {
			t.Errorf("%d in all, %d by me", got.total(), got.by("me"))
		}
		if more := got.since(writes{{"me", "create", "pods", false}: 1}); more.total() != 4 {
			t.Errorf("%d since", more.total())
		}
		start := time.Now()
		if _, err := a.quiet(t.Context()); err != nil || time.Since(start) != pause {
			t.Errorf("quiet after %s, %v", time.Since(start), err)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestScenariosAreComplete(t *testing.T) {
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	names := scenarioNames(root)
	if len(names) == 0 {
		t.Fatal("there are no scenarios")
	}
	for _, name := range names {
		s, err := loadScenario(root, name)
		if err != nil {
			t.Fatal(err)
		}
		s.N = 3
		for _, v := range s.Variants {
			for _, ours := range []bool{true, false} {
				all, err := s.manifests(&v, ours, scheme)
				if err != nil || len(all) != s.objects() {
					t.Fatalf("%s, ours %t: %d objects, %v", name, ours, len(all), err)
				}
				if !s.ticks() && settled(all[0][0]) {
					t.Errorf("%s, ours %t: a new %T is as asked for", name, ours, all[0][0])
				}
			}
		}
		if s.Phases[0].Ours != "" || s.Phases[0].Twin != "" {
			t.Errorf("%s: the first phase makes the objects", name)
		}
	}
}

func TestFirstTickIsAWholeMinuteLater(t *testing.T) {
	for now, want := range map[string]string{"10:00:00": "10:02:00", "10:00:59": "10:02:00", "23:58:30": "00:00:00"} {
		at, err := time.Parse(time.TimeOnly, now)
		if got := firstTick(at).Format(time.TimeOnly); got != want || err != nil {
			t.Errorf("%s: got %s, want %s, %v", now, got, want, err)
		}
	}
}

func TestTicksAreComparedWithRuns(t *testing.T) {
	first := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	name := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: name} }
	ours := func(of string, tick time.Time, why v1alpha1.TriggerType) client.Object {
		return &v1alpha1.JobRun{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: of + tick.Format("-1504")}, Spec: v1alpha1.JobRunSpec{
			JobName: of, Trigger: v1alpha1.Trigger{Type: why, ScheduledAt: metav1.NewTime(tick)},
		}}
	}
	twins := func(of string, tick time.Time, kind string) client.Object {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: of + tick.Format("-1504"), OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: of, Controller: ptr.To(true)}},
			Annotations: map[string]string{batchv1.CronJobScheduledTimestampAnnotation: tick.In(time.FixedZone("", 3600)).Format(time.RFC3339)},
		}}
	}
	r := &runs{known: map[types.NamespacedName]origin{}, pods: map[types.NamespacedName]types.NamespacedName{}}
	r.see(ours("a", first, v1alpha1.TriggerSchedule))
	r.see(ours("a", first.Add(-time.Minute), v1alpha1.TriggerSchedule))
	r.see(ours("b", first, v1alpha1.TriggerManual))
	r.see(twins("b", first.Add(time.Minute), "CronJob"))
	r.see(twins("c", first, "JobRun"))
	again := twins("b", first.Add(time.Minute), "CronJob")
	again.SetName("b-again")
	r.see(again)
	for pod, labels := range map[string]map[string]string{"p": {v1alpha1.JobRunLabel: "a-1000", batchv1.JobNameLabel: "x"}, "q": {batchv1.JobNameLabel: "b-1001"}, "other": nil} {
		r.seePod(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: pod, Labels: labels}})
	}
	var objects []made
	for _, of := range []string{"a", "b", "c"} {
		objects = append(objects, made{&v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: of}}})
	}
	created := map[types.NamespacedName]time.Time{
		name("a-1000"): first.Add(250 * time.Millisecond), name("a-0959"): first, name("b-1000"): first, name("c-1000"): first,
		name("b-1001"): first.Add(61 * time.Second), name("b-again"): first.Add(62 * time.Second),
	}
	placed := map[types.NamespacedName]time.Time{name("p"): first.Add(time.Second), name("q"): first.Add(63 * time.Second), name("other"): first}
	f := r.fired(objects, first, 2, created, placed)
	if f.ticks != 6 || f.runs != 2 || f.doubled != 1 || len(f.places) != 2 {
		t.Errorf("%s, %d on a node", f, len(f.places))
	}
	if got, want := quantiles(f.delays), (Quantiles{P50: 1, P99: 2, Max: 2}); got != want {
		t.Errorf("delays: %+v", got)
	}
	f.memory = map[string]int{"manager": 5}
	m := measured{fired: f, cpu: cpuTimes{"manager": 12}, writes: writes{{managerUser, "create", "a", false}: 6, {managerUser, "patch", "b", false}: 12}}
	side := &outcome{phases: []measured{m}}
	ticks := ticksOf([]round{{side, side}, {side, side}}, 0)
	if diff := cmp.Diff(TicksOf{
		Expected: 12, Runs: 4, Missed: 8, Doubled: 2, Placed: 4, DelayS: Quantiles{1, 2, 2}, PlacedDelayS: Quantiles{1, 3, 3},
		CPUMs: map[string]float64{"manager": 2}, Writes: map[string]float64{short(managerUser): 3}, RSS: map[string]int{"manager": 5},
	}, ticks.Ours); diff != "" {
		t.Error(diff)
	}
	if ticksOf([]round{{&outcome{phases: []measured{{}}}, side}}, 0) != nil {
		t.Error("a side without schedules has ticks")
	}
}

func TestResultAndThresholds(t *testing.T) {
	run := func(wrote, cpu int, wall time.Duration) *outcome {
		return &outcome{memory: 7, phases: []measured{{
			writes: writes{{"a", "create", "pods", false}: wrote}, cpu: cpuTimes{"etcd": cpu, "kwok": 1000}, wall: wall,
		}}}
	}
	b := block([]round{{run(60, 100, time.Second), run(140, 200, 2*time.Second)}, {run(70, 120, time.Second), run(140, 200, 4*time.Second)}}, 0, 10)
	if diff := cmp.Diff(Pair{Ours: 6.5, Twin: 14, Ratio: 0.464, Spread: [2]float64{0.429, 0.5}}, b.Writes); diff != "" {
		t.Error(diff)
	}
	if b.CPUMs.Ours != 11 || b.CPUMs.Twin != 20 || b.WallS.Twin != 3 {
		t.Errorf("got %+v", b)
	}
	r := &Result{Scenario: "app", N: 10, Blocks: map[string]Block{"": b, "vip": b}, ManagerRSS: 7}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"n":10`, `"writes":{"ours":6.5,"twin":14,"ratio":0.464,`, `"vip":{"writes":`, `"managerRSS":7`, `"writesAtRest":0`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
	for _, c := range []struct {
		figure string
		gate   float64
		busy   bool
		want   bool
	}{
		{"writes.ratio", 0.5, false, true},
		{"writes.ratio", 0.4, false, false},
		{"writes.ratio", 0.4, true, false},
		{"vip.cpuMs.ratio", 0.4, false, false},
		{"vip.cpuMs.ratio", 0.4, true, true},
		{"wallS.ratio", 0.1, true, true},
		{"nothing.ratio", 1, false, false},
		{"writes", 1, false, false},
	} {
		r.LoadWarning = c.busy
		ok, err := check(io.Discard, []Threshold{{Scenario: "app", Figure: c.figure, Gate: c.gate}, {Scenario: "other", Figure: "none"}}, r)
		if err != nil || ok != c.want {
			t.Errorf("%s over %v: %v, %v", c.figure, c.gate, ok, err)
		}
	}
	all, err := loadThresholds(root)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d thresholds, %v", len(all), err)
	}
}
