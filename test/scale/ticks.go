// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// lead is how long before a tick the clock of a phase starts, and stops.
const lead = 2 * time.Second

// tick lets schedules fire and measures it: for whole minutes, since there is
// always something to do. The first tick after all objects are there does not count:
// it has no earlier run to clear away.
func (r *sideRun) tick(ctx context.Context, i int) (*measured, error) {
	p := &r.scenario.Phases[i]
	if err := r.cluster.create(ctx, r.objects); err != nil {
		return nil, err
	}
	first := firstTick(time.Now())
	warn("  %s: all objects are there; the first tick that counts is that of %s", r.name(), first.Format(time.TimeOnly))
	if err := sleep(ctx, time.Until(first.Add(-lead))); err != nil {
		return nil, err
	}
	profiled := r.profile(ctx, p)
	m := &measured{wall: time.Duration(p.Minutes) * time.Minute}
	cpu := r.cpu.now()
	var err error
	if m.writes, err = r.during(func() error {
		if err := sleep(ctx, time.Until(first.Add(m.wall-lead))); err != nil {
			return err
		}
		m.cpu = r.cpu.now().since(cpu)
		return sleep(ctx, 2*auditPoll)
	}); err != nil {
		return nil, err
	}
	profiled()
	created := r.cluster.audit.noted(r.runs.resource)
	placed := r.cluster.audit.noted(bindings)
	m.fired = r.runs.fired(r.objects, first, p.Minutes, created, placed)
	m.fired.memory = map[string]int{}
	for name, pid := range r.cluster.pids {
		if m.fired.memory[name], err = memoryOf(pid); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// firstTick is the second whole minute after the moment.
func firstTick(now time.Time) time.Time { return now.Truncate(time.Minute).Add(2 * time.Minute) }

// origin is the object and the tick that a run is of.
type origin struct {
	of   types.NamespacedName
	tick time.Time
}

// runs are those that schedules have started.
type runs struct {
	// resource is theirs.
	resource string
	mu       sync.Mutex
	// known are all of them, pods what they were carried out with.
	known map[types.NamespacedName]origin
	pods  map[types.NamespacedName]types.NamespacedName
}

// bindings say which node a pod got.
const bindings = "pods/binding"

// watchRuns starts to watch runs: JobRuns, or Jobs of CronJobs.
func (c *cluster) watchRuns(ctx context.Context, ours bool) (*runs, error) {
	r := &runs{
		resource: "jobs.batch", known: map[types.NamespacedName]origin{}, pods: map[types.NamespacedName]types.NamespacedName{},
	}
	var list client.ObjectList = &batchv1.JobList{}
	if ours {
		r.resource, list = "jobruns.kdcos.io", &v1alpha1.JobRunList{}
	}
	c.audit.note(r.resource)
	c.audit.note(bindings)
	if err := c.look(ctx, list, r.see); err != nil {
		return nil, err
	}
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	return r, c.look(ctx, pods, r.seePod)
}

func (r *runs) see(obj client.Object) {
	one, ok := runOf(obj)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[client.ObjectKeyFromObject(obj)] = one
}

// runOf tells what started a run; not ok if it was no schedule.
func runOf(obj client.Object) (one origin, ok bool) {
	one.of.Namespace = obj.GetNamespace()
	switch o := obj.(type) {
	case *v1alpha1.JobRun:
		one.of.Name, one.tick = o.Spec.JobName, o.Spec.Trigger.ScheduledAt.Time
		return one, o.Spec.Trigger.Type == v1alpha1.TriggerSchedule
	case *batchv1.Job:
		owner := metav1.GetControllerOfNoCopy(o)
		if owner == nil || owner.Kind != "CronJob" {
			return one, false
		}
		one.of.Name = owner.Name
		var err error
		one.tick, err = time.Parse(time.RFC3339, o.Annotations[batchv1.CronJobScheduledTimestampAnnotation])
		return one, err == nil
	}
	return one, false
}

func (r *runs) seePod(pod client.Object) {
	labels := pod.GetLabels()
	name := labels[v1alpha1.JobRunLabel]
	if name == "" {
		name = labels[batchv1.JobNameLabel]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods[client.ObjectKeyFromObject(pod)] = types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}
}

// fired is what schedules did in a phase.
type fired struct {
	// ticks is how many there were, runs how many started one, doubled how many
	// started more than one.
	ticks, runs, doubled int
	// delays are those from ticks to the run, places those to the node of its pod.
	delays, places []time.Duration
	// memory of programs at the end, in bytes.
	memory map[string]int
}

// fired compares the ticks that there were with the runs.
func (r *runs) fired(objects []made, first time.Time, minutes int, created, placed map[types.NamespacedName]time.Time) *fired {
	r.mu.Lock()
	defer r.mu.Unlock()
	expected := map[origin]int{}
	for _, one := range objects {
		for minute := range minutes {
			expected[origin{client.ObjectKeyFromObject(one[0]), first.Add(time.Duration(minute) * time.Minute).UTC()}] = 0
		}
	}
	f := &fired{ticks: len(expected)}
	// A tick that started nothing it was asked to is missed, whatever else was started.
	counts := func(name types.NamespacedName) (origin, bool) {
		one := r.known[name]
		one.tick = one.tick.UTC()
		_, is := expected[one]
		return one, is
	}
	for name, at := range created {
		if one, is := counts(name); is {
			expected[one]++
			f.delays = append(f.delays, at.Sub(one.tick))
		}
	}
	for pod, at := range placed {
		if one, is := counts(r.pods[pod]); is {
			f.places = append(f.places, at.Sub(one.tick))
		}
	}
	for _, n := range expected {
		f.runs += min(n, 1)
		f.doubled += max(n-1, 0)
	}
	return f
}

func (f *fired) String() string {
	return fmt.Sprintf("%d ticks, %d missed, %d doubled; run after %s; %d on a node, after %s",
		f.ticks, f.ticks-f.runs, f.doubled, quantiles(f.delays), len(f.places), quantiles(f.places))
}

// Quantiles of delays, in seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (q Quantiles) String() string {
	return fmt.Sprintf("%.3f s, p99 %.3f s, at most %.3f s", q.P50, q.P99, q.Max)
}

// quantiles are values that were there; -1 without any, and then all ticks are missed.
func quantiles(all []time.Duration) Quantiles {
	if len(all) == 0 {
		return Quantiles{-1, -1, -1}
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(part float64) float64 {
		return thousandths(sorted[max(int(math.Ceil(part*float64(len(sorted)))), 1)-1].Seconds())
	}
	return Quantiles{at(0.5), at(0.99), at(1)}
}

// Ticks are what schedules of both sides did, in all rounds.
type Ticks struct {
	Ours TicksOf `json:"ours"`
	Twin TicksOf `json:"twin"`
}

// TicksOf is what schedules of one side did.
type TicksOf struct {
	Expected int `json:"expected"`
	Runs     int `json:"runs"`
	Missed   int `json:"missed"`
	Doubled  int `json:"doubled"`
	// Placed is how many runs had a pod on a node before the clock stopped: fewer
	// than Runs, and the side does not keep up.
	Placed int `json:"placed"`
	// DelayS is from the tick to the run, PlacedDelayS to when its pod has a node.
	DelayS       Quantiles `json:"delayS"`
	PlacedDelayS Quantiles `json:"placedDelayS"`
	// CPUMs are by program and Writes by actor, for each tick.
	CPUMs  map[string]float64 `json:"cpuMs"`
	Writes map[string]float64 `json:"writes"`
	// RSS is the resident memory of programs at the end, in bytes, the most of all rounds.
	RSS map[string]int `json:"rss"`
}

// ticksOf folds the rounds of a phase; nil if it has no schedules.
func ticksOf(rounds []round, phase int) *Ticks {
	var ours, twins []*measured
	for _, r := range rounds {
		o, t := &r.ours.phases[phase], &r.twin.phases[phase]
		if o.fired == nil || t.fired == nil {
			return nil
		}
		ours, twins = append(ours, o), append(twins, t)
	}
	return &Ticks{Ours: foldTicks(ours), Twin: foldTicks(twins)}
}

func foldTicks(all []*measured) TicksOf {
	t := TicksOf{CPUMs: map[string]float64{}, Writes: map[string]float64{}, RSS: map[string]int{}}
	var delays, places []time.Duration
	for _, m := range all {
		t.Expected, t.Runs, t.Doubled = t.Expected+m.fired.ticks, t.Runs+m.fired.runs, t.Doubled+m.fired.doubled
		delays, places = append(delays, m.fired.delays...), append(places, m.fired.places...)
		for name, bytes := range m.fired.memory {
			t.RSS[name] = max(t.RSS[name], bytes)
		}
		for name, ms := range m.cpu {
			t.CPUMs[name] += float64(ms)
		}
		for key, n := range m.writes {
			t.Writes[short(key.actor)] += float64(n)
		}
	}
	t.Missed, t.Placed = t.Expected-t.Runs, len(places)
	t.DelayS, t.PlacedDelayS = quantiles(delays), quantiles(places)
	for _, each := range []map[string]float64{t.CPUMs, t.Writes} {
		for name := range each {
			each[name] = thousandths(each[name] / float64(t.Expected))
		}
	}
	return t
}
