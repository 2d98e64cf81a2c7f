// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

const (
	// logsKept is how many of the runs of either end have their pods, and so their
	// logs, kept.
	logsKept = 3
	// ring is how many runs may be in the counters that still have to be released.
	ring = 1000
)

// plan is what is to be done about a Job now.
type plan struct {
	// status is what becomes of that of the Job.
	status v1alpha1.JobStatus
	// start is the run to start, nil for none.
	start *v1alpha1.JobRun
	// dropped is how many ticks started no run.
	dropped int
	// adopt are runs that others made, release those that are counted, remove those
	// beyond the history.
	adopt, release, remove []*v1alpha1.JobRun
	// clean is what old runs were carried out with.
	clean []*batchv1.Job
	// state is what the Job has come to, as the reconciler takes it.
	state error
	// after is when to look again; 0 is not needed.
	after time.Duration
}

// plan decides.
func (o *observed) plan() *plan {
	p := &plan{status: *o.job.Status.DeepCopy()}
	o.count(p)
	o.history(p)
	o.state(p)
	// That runs in the ring were released is not worth a write of its own.
	if kept := p.status; len(kept.CountedRuns) < len(o.job.Status.CountedRuns) {
		kept.CountedRuns = o.job.Status.CountedRuns
		if equality.Semantic.DeepEqual(kept, o.job.Status) {
			p.status = kept
		}
	}
	return p
}

// count puts runs into the counters that have finished. Each is held by its
// finalizer until the status that counts it is written, and is in the ring until it
// was seen to be released: however old the view of it, it counts once.
func (o *observed) count(p *plan) {
	counted := map[string]bool{}
	for _, uid := range o.job.Status.CountedRuns {
		counted[uid] = true
	}
	s := &p.status
	s.ActiveRuns, s.CountedRuns = 0, nil
	for _, run := range o.runs {
		held, uid := controllerutil.ContainsFinalizer(run, v1alpha1.HistoryFinalizer), string(run.UID)
		switch {
		case !run.Status.Finished():
			s.ActiveRuns++
			if (!held || metav1.GetControllerOfNoCopy(run) == nil) && run.DeletionTimestamp == nil {
				p.adopt = append(p.adopt, run)
			}
		case !held:
		case counted[uid]:
			p.release = append(p.release, run)
			s.CountedRuns = append(s.CountedRuns, uid)
		case len(s.CountedRuns) < ring:
			tally(s, run)
			s.CountedRuns = append(s.CountedRuns, uid)
		}
	}
	slices.Sort(s.CountedRuns)
}

// tally counts a run.
func tally(s *v1alpha1.JobStatus, run *v1alpha1.JobRun) {
	end := run.Status.CompletedAt
	this := &v1alpha1.FinishedRun{Name: run.Name, CompletedAt: end}
	if run.Status.State == v1alpha1.RunSuccess {
		s.SuccessCount++
		if s.LastSuccess == nil || s.LastSuccess.CompletedAt.Before(&end) {
			s.LastSuccess, s.LastSuccessAt = this, metav1.NewTime(end.Time)
		}
		return
	}
	s.FailureCount++
	if s.LastFailure == nil || s.LastFailure.CompletedAt.Before(&end) {
		s.LastFailure, s.LastFailureAt = this, metav1.NewTime(end.Time)
	}
}

// history finds what is beyond the limits.
func (o *observed) history(p *plan) {
	var succeeded, failed []*v1alpha1.JobRun
	for _, run := range o.runs {
		switch run.Status.State {
		case v1alpha1.RunSuccess:
			succeeded = append(succeeded, run)
		case v1alpha1.RunFailed:
			failed = append(failed, run)
		case v1alpha1.RunInitial, v1alpha1.RunStarting, v1alpha1.RunActive:
		}
	}
	o.trim(p, succeeded, ptr.Deref(o.job.Spec.SuccessfulRunsHistoryLimit, 100))
	o.trim(p, failed, ptr.Deref(o.job.Spec.FailedRunsHistoryLimit, 100))
}

func (o *observed) trim(p *plan, runs []*v1alpha1.JobRun, limit int32) {
	newestFirst(runs)
	for i, run := range runs {
		released := !controllerutil.ContainsFinalizer(run, v1alpha1.HistoryFinalizer)
		if i >= int(limit) && released && run.DeletionTimestamp == nil {
			p.remove = append(p.remove, run)
			continue // with all that it owns
		}
		if i < logsKept {
			continue
		}
		for _, made := range o.made[run.UID] {
			if made.DeletionTimestamp == nil {
				p.clean = append(p.clean, made)
			}
		}
	}
}

// state starts what is due, and says what the Job has come to.
func (o *observed) state(p *plan) {
	var refused error
	if len(o.unsupported) > 0 {
		refused = &reconciler.Terminal{Reason: v1alpha1.ReasonUnsupported, Message: strings.Join(o.unsupported, "; ")}
	}
	switch {
	case len(o.job.Spec.Schedules) > 0:
		p.state = o.schedule(p, refused == nil)
	case len(o.job.Spec.Dependencies) > 0:
		p.status.Schedule = nil
		p.state = o.follow(p, refused == nil)
	default:
		p.status.Schedule = nil
		p.state = nil
	}
	if len(o.job.Spec.Schedules) == 0 {
		quirks(p, nil, false)
	}
	if refused != nil {
		p.state = refused
	}
}

// follow starts a run after those of the Jobs that this one depends on, once each
// of them has a run newer than the last start of this one. Several of them in the
// meantime count for one.
func (o *observed) follow(p *plan, may bool) error {
	if o.cycle != nil {
		return &reconciler.Terminal{Reason: v1alpha1.ReasonDependencyCycle, Message: "Dependencies have a cycle: " + strings.Join(o.cycle, " → ")}
	}
	var unknown []string
	for _, d := range o.job.Spec.Dependencies {
		if o.parents[d.ID] == nil {
			unknown = append(unknown, d.ID)
		}
	}
	if len(unknown) > 0 {
		return &reconciler.NotReady{
			Reason: v1alpha1.ReasonUnknownDependencies, Message: fmt.Sprintf("Dependencies contain unknown jobs. unknown=[%s]", strings.Join(unknown, ", ")),
		}
	}
	o.catchUp(&p.status)
	consumed, since := o.consumed()
	var parents []v1alpha1.ParentRun
	var waits []string
	for _, d := range o.job.Spec.Dependencies {
		run := lastOf(o.parents[d.ID], d.OnFailure)
		if run == nil || !run.CompletedAt.After(since) || !run.CompletedAt.After(consumed[d.ID]) {
			waits = append(waits, d.ID)
			continue
		}
		parents = append(parents, v1alpha1.ParentRun{ID: d.ID, Run: run.Name, CompletedAt: run.CompletedAt})
	}
	p.status.Waiting = waits
	if len(waits) > 0 || p.status.ActiveRuns > 0 || !may {
		return nil
	}
	p.start = o.after(parents)
	p.status.Parents, p.status.LastRun = parents, p.start.Name
	return nil
}

// catchUp tells of the last run that was started after others, also where the pass
// that started it could not write its status any more.
func (o *observed) catchUp(s *v1alpha1.JobStatus) {
	for _, run := range o.runs {
		if parents := run.Spec.Trigger.Parents; lastEnd(s.Parents).Before(lastEnd(parents)) {
			s.Parents, s.LastRun = parents, run.Name
		}
	}
}

// lastEnd is when the last of them ended.
func lastEnd(parents []v1alpha1.ParentRun) time.Time {
	var last time.Time
	for _, p := range parents {
		last = later(last, p.CompletedAt.Time)
	}
	return last
}

// consumed is, by parent, the end of its run that this Job was started for last;
// and when this one was started by hand last, which is a start like any other.
func (o *observed) consumed() (map[string]time.Time, time.Time) {
	ends, since := map[string]time.Time{}, o.job.CreationTimestamp.Time
	note := func(parents []v1alpha1.ParentRun) {
		for _, p := range parents {
			if ends[p.ID].Before(p.CompletedAt.Time) {
				ends[p.ID] = p.CompletedAt.Time
			}
		}
	}
	note(o.job.Status.Parents)
	for _, run := range o.runs {
		// Also what was started by a pass whose status was never written.
		note(run.Spec.Trigger.Parents)
		if run.Spec.Trigger.Type == v1alpha1.TriggerManual && since.Before(run.CreationTimestamp.Time) {
			since = run.CreationTimestamp.Time
		}
	}
	return ends, since
}

// lastOf is the run of a parent that counts.
func lastOf(parent *v1alpha1.Job, onFailure v1alpha1.ParentFailure) *v1alpha1.FinishedRun {
	s := &parent.Status
	if onFailure == v1alpha1.ParentFailureRun && s.LastFailure != nil && (s.LastSuccess == nil || s.LastSuccess.CompletedAt.Before(&s.LastFailure.CompletedAt)) {
		return s.LastFailure
	}
	return s.LastSuccess
}
