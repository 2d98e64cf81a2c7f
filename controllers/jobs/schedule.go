// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/cron"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

const (
	// onTime is how late a tick may be looked at without having been missed.
	onTime = 10 * time.Second
	// latest is how late a tick may start a run at most.
	latest = 5 * time.Minute
	// lookBack is how far back ticks are looked for, and those counted that were
	// missed.
	lookBack = time.Hour
)

// schedule starts the run that a tick asks for.
func (o *observed) schedule(p *plan, may bool) error {
	schedule := &o.job.Spec.Schedules[0]
	expression, err := cron.Parse(schedule.Cron, schedule.Dialect)
	if err != nil {
		return invalid("spec.schedules[0].cron: %s", err)
	}
	zone, err := location(schedule.Timezone)
	if err != nil {
		return invalid("spec.schedules[0].timezone: %s", err)
	}
	s := o.enter(p, schedule)
	s.Cron = expression.String()
	enabled := ptr.Deref(schedule.Enabled, true)
	from := s.Since.Time
	if s.LastTickAt.After(from) {
		from = s.LastTickAt.Time
	}
	left := false
	if enabled {
		from, left = o.take(p, schedule, ticks(expression, from.In(zone), o.now), from, may)
	}
	next, more := expression.Next(later(from, o.now).In(zone))
	s.NextRunAt = metav1.Time{}
	if more {
		s.NextRunAt = metav1.NewTime(next.UTC())
		if enabled {
			p.after = max(next.Sub(o.now), time.Millisecond)
		}
		if left {
			p.after = time.Millisecond
		}
	}
	quirks(p, expression.Quirks(), !more)
	if !enabled {
		return &reconciler.Ready{Reason: v1alpha1.ReasonAvailable, Message: "the schedule is not enabled"}
	}
	return &reconciler.Ready{Reason: v1alpha1.ReasonScheduled}
}

// take decides about ticks that are due, in their order, up to the first that
// starts a run. It returns the last one that was decided about, and whether there
// are others.
func (o *observed) take(p *plan, schedule *v1alpha1.Schedule, due []time.Time, last time.Time, may bool) (time.Time, bool) {
	s := p.status.Schedule
	for i, tick := range due {
		last = tick
		s.LastTickAt = metav1.NewTime(tick)
		switch run := o.at(schedule, tick); {
		case o.there(run):
		case may && o.starts(p, schedule, tick, i == len(due)-1):
			p.start = run
			return last, i < len(due)-1
		default:
			p.dropped++
			s.DroppedTicks++
		}
	}
	return last, false
}

// enter is the status of the schedule: a new one, where it has changed. Its ticks
// count from then on, so that no change of it starts runs for the past.
func (o *observed) enter(p *plan, schedule *v1alpha1.Schedule) *v1alpha1.ScheduleStatus {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %t", schedule.ID, schedule.Cron, schedule.Dialect, schedule.Timezone, ptr.Deref(schedule.Enabled, true)))
	hash := hex.EncodeToString(sum[:8])
	if p.status.Schedule == nil || p.status.Schedule.Hash != hash {
		p.status.Schedule = &v1alpha1.ScheduleStatus{ID: schedule.ID, Hash: hash, Since: metav1.NewTime(o.now)}
	}
	return p.status.Schedule
}

// ticks are those after one time and up to another.
func ticks(expression *cron.Expression, from, to time.Time) []time.Time {
	var all []time.Time
	if earliest := to.Add(-lookBack); from.Before(earliest) {
		from = earliest.In(from.Location())
	}
	for {
		next, more := expression.Next(from)
		if !more || next.After(to) {
			return all
		}
		all = append(all, next)
		from = next
	}
}

// starts says that a tick starts a run. Of those from before this manager began,
// only the last may: it makes up for the others. Later ones were not missed, but
// have to wait for a manager that is busy; where one forbids the next, the last
// of them is the one that is least late.
func (o *observed) starts(p *plan, schedule *v1alpha1.Schedule, tick time.Time, isLast bool) bool {
	most := onTime
	if schedule.MissedTicks != v1alpha1.MissedTicksDrop {
		most = min(latest, time.Duration(ptr.Deref(schedule.StartingDeadlineSeconds, 900))*time.Second)
	}
	forbid := schedule.ConcurrencyPolicy == v1alpha1.ConcurrencyForbid
	if o.now.Sub(tick) > most || !isLast && (forbid || !tick.After(o.began)) {
		return false
	}
	return !forbid || p.status.ActiveRuns == 0
}

// there says that a run was started already.
func (o *observed) there(run *v1alpha1.JobRun) bool {
	return slices.ContainsFunc(o.runs, func(r *v1alpha1.JobRun) bool { return r.Name == run.Name })
}

// at is the run of a tick. The hour that comes twice in autumn has two of them:
// its name is made of the instant.
func (o *observed) at(schedule *v1alpha1.Schedule, tick time.Time) *v1alpha1.JobRun {
	tick = tick.UTC()
	run := workload.NewRun(o.job, v1alpha1.Trigger{
		Type: v1alpha1.TriggerSchedule, Schedule: schedule.ID, ScheduledAt: metav1.NewTime(tick),
	}, tick, schedule.ID, tick.Format(time.RFC3339))
	run.Spec.StartingDeadlineSeconds = ptr.To(ptr.Deref(schedule.StartingDeadlineSeconds, 900))
	return run
}

// after is the run that follows on others.
func (o *observed) after(parents []v1alpha1.ParentRun) *v1alpha1.JobRun {
	last := slices.MaxFunc(parents, func(a, b v1alpha1.ParentRun) int { return a.CompletedAt.Compare(b.CompletedAt.Time) })
	parts := []string{"after"}
	for _, p := range parents {
		parts = append(parts, p.ID, p.Run)
	}
	return workload.NewRun(o.job, v1alpha1.Trigger{Type: v1alpha1.TriggerDependencies, Parents: parents}, last.CompletedAt.Time, parts...)
}

// quirks tells what there is to know about the expression of a schedule.
func quirks(p *plan, found []string, exhausted bool) {
	tell := func(kind, reason, message string, is bool) {
		if !is {
			meta.RemoveStatusCondition(&p.status.Conditions, kind)
			return
		}
		meta.SetStatusCondition(&p.status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: reconciler.Shorten(message),
		})
	}
	tell(v1alpha1.ConditionCronQuirk, v1alpha1.ConditionCronQuirk, strings.Join(found, "; "), len(found) > 0)
	tell(v1alpha1.ConditionScheduleExhausted, v1alpha1.ConditionScheduleExhausted, "the schedule has no tick any more", exhausted)
}

// location is a time zone. That of the machine that we are on is none.
func location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || zone == time.Local {
		return nil, fmt.Errorf("%q is no time zone of the IANA database, such as Europe/Berlin", name)
	}
	return zone, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func invalid(format string, args ...any) error {
	return &reconciler.Terminal{Reason: v1alpha1.ReasonInvalid, Message: fmt.Sprintf(format, args...)}
}
