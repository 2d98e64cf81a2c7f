// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world holds one Job and its runs, as an API server would.
type world struct {
	job     *v1alpha1.Job
	runs    map[string]*v1alpha1.JobRun
	parents map[string]*v1alpha1.Job
	began   time.Time
	now     time.Time
	uids    int
}

func newWorld(schedules ...v1alpha1.Schedule) *world {
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "data", Name: "extract", UID: "job", CreationTimestamp: metav1.NewTime(noon)}}
	job.Spec.Run = v1alpha1.Run{Docker: &v1alpha1.RunDocker{Image: "example/extract"}}
	job.Spec.Schedules = schedules
	return &world{job: job, runs: map[string]*v1alpha1.JobRun{}, parents: map[string]*v1alpha1.Job{}, now: noon}
}

func everyMinute(policy v1alpha1.ConcurrencyPolicy) v1alpha1.Schedule {
	return v1alpha1.Schedule{ID: "s", Cron: "* * * * *", ConcurrencyPolicy: policy}
}

// observe is what a pass sees.
func (w *world) observe() *observed {
	o := &observed{job: w.job.DeepCopy(), id: "data.extract", now: w.now, began: w.began, parents: w.parents}
	for _, run := range w.runs {
		o.runs = append(o.runs, run.DeepCopy())
	}
	slices.SortFunc(o.runs, func(a, b *v1alpha1.JobRun) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// pass makes one and carries it out.
func (w *world) pass() *plan {
	p := w.observe().plan()
	w.carryOut(p)
	w.job.Status = p.status
	return p
}

// carryOut does what a plan says, but for the status.
func (w *world) carryOut(p *plan) {
	if run := p.start; run != nil && w.runs[run.Name] == nil {
		w.add(run)
	}
	for _, run := range p.adopt {
		if there := w.runs[run.Name]; there != nil {
			workload.Adopt(w.job, there)
		}
	}
	for _, run := range p.release {
		if there := w.runs[run.Name]; there != nil && there.UID == run.UID {
			there.Finalizers = nil
		}
	}
	for _, run := range p.remove {
		if there := w.runs[run.Name]; there != nil && there.UID == run.UID && len(there.Finalizers) == 0 {
			delete(w.runs, run.Name)
		}
	}
}

func (w *world) add(run *v1alpha1.JobRun) {
	w.uids++
	run = run.DeepCopy()
	run.UID, run.CreationTimestamp = types.UID(fmt.Sprint("run-", w.uids)), metav1.NewTime(w.now.Truncate(time.Second))
	run.Status.State = v1alpha1.RunInitial
	w.runs[run.Name] = run
}

func (w *world) finish(run *v1alpha1.JobRun, state v1alpha1.RunState) {
	run.Status.State, run.Status.CompletedAt = state, metav1.NewMicroTime(w.now)
}

func (w *world) unfinished() []*v1alpha1.JobRun {
	var all []*v1alpha1.JobRun
	for _, run := range w.runs {
		if !run.Status.Finished() {
			all = append(all, run)
		}
	}
	return all
}

// started are the ticks that runs were started for.
func (w *world) started() string {
	var all []string
	for _, run := range w.runs {
		all = append(all, run.Spec.Trigger.ScheduledAt.UTC().Format("15:04"))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestForbidDropsTicks has runs of 90 seconds each minute: every other tick is
// dropped, and none is late.
func TestForbidDropsTicks(t *testing.T) {
	w := newWorld(everyMinute(v1alpha1.ConcurrencyForbid))
	w.pass()
	for range 60 {
		w.now = w.now.Add(10 * time.Second)
		for _, run := range w.unfinished() {
			if w.now.Sub(run.CreationTimestamp.Time) >= 90*time.Second {
				w.finish(run, v1alpha1.RunSuccess)
			}
		}
		w.pass()
	}
	if got := w.started(); got != "12:01 12:03 12:05 12:07 12:09" {
		t.Errorf("started %s", got)
	}
	if s := w.job.Status.Schedule; s.DroppedTicks != 5 || !s.NextRunAt.Equal(&metav1.Time{Time: noon.Add(11 * time.Minute)}) {
		t.Errorf("%+v", s)
	}
}

// TestTicks tells which ticks start runs.
func TestTicks(t *testing.T) {
	drop, late := everyMinute(v1alpha1.ConcurrencyAllow), everyMinute(v1alpha1.ConcurrencyAllow)
	drop.MissedTicks = v1alpha1.MissedTicksDrop
	late.MissedTicks = v1alpha1.MissedTicksLatest
	impatient := late
	impatient.StartingDeadlineSeconds = ptr.To[int32](60)
	hourly := late
	hourly.Cron = "0 * * * *"
	disabled := late
	disabled.Enabled = ptr.To(false)
	for _, c := range []struct {
		name     string
		schedule v1alpha1.Schedule
		passes   []time.Duration
		want     string
		dropped  int64
	}{
		{"in time", late, []time.Duration{0, 60100 * time.Millisecond, 120 * time.Second}, "12:01 12:02", 0},
		{"again and again", late, []time.Duration{0, 60 * time.Second, 61 * time.Second, 62 * time.Second}, "12:01", 0},
		{"after a while without us, the last of those that were missed", late, []time.Duration{0, 200 * time.Second}, "12:03", 2},
		{"after a while without us, none", drop, []time.Duration{0, 200 * time.Second}, "", 3},
		{"a moment late", drop, []time.Duration{0, 69 * time.Second}, "12:01", 0},
		{"missed by longer than a run may wait", impatient, []time.Duration{0, 200 * time.Second, 239 * time.Second}, "12:03", 2},
		{"missed by longer than five minutes", hourly, []time.Duration{0, 3901 * time.Second}, "", 1},
		{"missed by less than five minutes", hourly, []time.Duration{0, 3899 * time.Second}, "13:00", 0},
		{"not enabled", disabled, []time.Duration{0, 61 * time.Second}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(c.schedule)
			for _, at := range c.passes {
				w.now = noon.Add(at)
				// Each pass is that of a new manager.
				w.began = w.now
				w.pass()
			}
			if got := w.started(); got != c.want || w.job.Status.Schedule.DroppedTicks != c.dropped {
				t.Errorf("started %q, dropped %d", got, w.job.Status.Schedule.DroppedTicks)
			}
		})
	}
}

// TestBusyManagers start a run for every tick since they began, one after the
// other; where one forbids the next, for the last.
func TestBusyManagers(t *testing.T) {
	for policy, want := range map[v1alpha1.ConcurrencyPolicy]string{
		v1alpha1.ConcurrencyAllow: "12:03 12:04 12:05", v1alpha1.ConcurrencyForbid: "12:05",
	} {
		w := newWorld(everyMinute(policy))
		w.pass()
		w.began = noon.Add(130 * time.Second)
		w.now = noon.Add(300 * time.Second)
		for range 5 {
			w.pass()
		}
		if got := w.started(); got != want {
			t.Errorf("%s: started %s", policy, got)
		}
		if s := w.job.Status.Schedule; s.DroppedTicks+int64(len(w.runs)) != 5 {
			t.Errorf("%s: %+v", policy, s)
		}
	}
}

// TestChangesStartNothing changes a schedule, disables it and enables it: what
// would have been due in the past is not.
func TestChangesStartNothing(t *testing.T) {
	w := newWorld(everyMinute(v1alpha1.ConcurrencyAllow))
	s := &w.job.Spec.Schedules[0]
	w.pass()
	s.Enabled = ptr.To(false)
	w.pass()
	w.now = noon.Add(10*time.Minute + 30*time.Second)
	w.pass()
	s.Enabled = ptr.To(true)
	w.pass()
	s.Cron = "*/2 * * * *"
	w.pass()
	if got := w.started(); got != "" {
		t.Errorf("started %s", got)
	}
	w.now = noon.Add(12 * time.Minute)
	w.pass()
	if got := w.started(); got != "12:12" {
		t.Errorf("started %s", got)
	}
}

// TestWrongSchedules are told, and start nothing.
func TestWrongSchedules(t *testing.T) {
	for want, change := range map[string]func(s *v1alpha1.Schedule){
		"spec.schedules[0].cron:":     func(s *v1alpha1.Schedule) { s.Cron = "@daily" },
		"spec.schedules[0].timezone:": func(s *v1alpha1.Schedule) { s.Timezone = "Mars/Olympus" },
		"IANA":                        func(s *v1alpha1.Schedule) { s.Timezone = "Local" },
	} {
		w := newWorld(everyMinute(v1alpha1.ConcurrencyAllow))
		change(&w.job.Spec.Schedules[0])
		if p := w.pass(); !strings.Contains(fmt.Sprint(p.state), want) || p.start != nil {
			t.Errorf("%v, want %s", p.state, want)
		}
	}
}

// TestCountsOnce lets runs start, finish and be removed while passes see old
// things, and are lost before their status is written: in the end the counters are
// what happened.
func TestCountsOnce(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(everyMinute(v1alpha1.ConcurrencyAllow))
		w.job.Spec.SuccessfulRunsHistoryLimit, w.job.Spec.FailedRunsHistoryLimit = ptr.To[int32](2), ptr.To[int32](1)
		var success, failure int64
		seen := w.observe()
		for range 100 {
			w.now = w.now.Add(time.Duration(random.IntN(40)) * time.Second)
			for _, run := range w.unfinished() {
				switch random.IntN(4) {
				case 0:
					w.finish(run, v1alpha1.RunSuccess)
					success++
				case 1:
					w.finish(run, v1alpha1.RunFailed)
					failure++
				}
			}
			// Runs may be as they were some passes ago, though never older than in the
			// last pass. Of the Job, who writes it never sees less than it wrote last.
			now := w.observe()
			if random.IntN(3) > 0 {
				seen = now
			}
			now.runs = seen.runs
			p := now.plan()
			w.carryOut(p)
			if random.IntN(4) > 0 {
				w.job.Status = p.status
			}
		}
		for range 3 {
			w.pass()
		}
		s := w.job.Status
		if s.SuccessCount != success || s.FailureCount != failure {
			t.Fatalf("seed %d: %d succeeded and %d failed; counted %d and %d", seed, success, failure, s.SuccessCount, s.FailureCount)
		}
		if left := len(w.runs) - len(w.unfinished()); left > 3 {
			t.Fatalf("seed %d: %d finished runs are left", seed, left)
		}
	}
}

// TestFollows has a Job run after two others.
func TestFollows(t *testing.T) {
	w := newWorld()
	w.job.Spec.Dependencies = []v1alpha1.JobDependency{{ID: "a"}, {ID: "b", OnFailure: v1alpha1.ParentFailureRun}}
	a, b := &v1alpha1.Job{}, &v1alpha1.Job{}
	if p := w.pass(); !strings.Contains(fmt.Sprint(p.state), "Dependencies contain unknown jobs. unknown=[a, b]") {
		t.Errorf("without parents: %v", p.state)
	}
	w.parents["a"], w.parents["b"] = a, b
	ends := func(parent *v1alpha1.Job, name string, ok bool) {
		w.now = w.now.Add(time.Second)
		run := &v1alpha1.FinishedRun{Name: name, CompletedAt: metav1.NewMicroTime(w.now)}
		if ok {
			parent.Status.LastSuccess = run
		} else {
			parent.Status.LastFailure = run
		}
	}
	var lineage []string
	pass := func() {
		for range 2 {
			if p := w.pass(); p.start != nil {
				var from []string
				for _, parent := range p.start.Spec.Trigger.Parents {
					from = append(from, parent.Run)
				}
				lineage = append(lineage, strings.Join(from, "+"))
			}
		}
	}
	end := func() {
		for _, run := range w.unfinished() {
			w.finish(run, v1alpha1.RunSuccess)
		}
		pass()
	}
	ends(a, "a1", true)
	pass()
	ends(b, "b1", false) // which counts like a success
	pass()
	ends(a, "a2", true)
	ends(b, "b2", true)
	pass() // waits for the run of a1 and b1
	ends(a, "a3", true)
	end() // a2 does not count any more
	end()
	ends(a, "a4", false) // which does not count
	ends(b, "b3", true)
	pass()
	if got := strings.Join(lineage, " "); got != "a1+b1 a3+b2" {
		t.Errorf("lineage %s", got)
	}
	if got := w.job.Status.Waiting; !slices.Equal(got, []string{"a"}) {
		t.Errorf("waits for %v", got)
	}
	// A run by hand is a start: what was there before it is used up.
	w.now = w.now.Add(2 * time.Second)
	w.add(workload.NewRun(w.job, v1alpha1.Trigger{Type: v1alpha1.TriggerManual}, w.now))
	end()
	ends(a, "a5", true)
	pass()
	if got := strings.Join(lineage, " "); got != "a1+b1 a3+b2" {
		t.Errorf("lineage %s", got)
	}
	ends(b, "b4", true)
	pass()
	if got := strings.Join(lineage, " "); got != "a1+b1 a3+b2 a5+b4" {
		t.Errorf("lineage %s", got)
	}
}

// TestFollowsWithoutStatus has the pass that starts a run die before it writes the
// status: what the Job runs after is told all the same.
func TestFollowsWithoutStatus(t *testing.T) {
	w := newWorld()
	w.job.Spec.Dependencies = []v1alpha1.JobDependency{{ID: "a"}}
	a := &v1alpha1.Job{}
	w.parents["a"] = a
	for _, name := range []string{"a1", "a2"} {
		w.now = w.now.Add(time.Second)
		a.Status.LastSuccess = &v1alpha1.FinishedRun{Name: name, CompletedAt: metav1.NewMicroTime(w.now)}
		p := w.observe().plan()
		if p.start == nil {
			t.Fatalf("no run follows on %s", name)
		}
		w.carryOut(p)
		for _, run := range w.unfinished() {
			w.finish(run, v1alpha1.RunSuccess)
		}
		w.pass()
		if s := w.job.Status; s.LastRun != p.start.Name || len(s.Parents) != 1 || s.Parents[0].Run != name {
			t.Errorf("after %s: last run %s of %v, want %s", name, s.LastRun, s.Parents, p.start.Name)
		}
	}
}
