// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// jobPage is all there is to say about one Job.
type jobPage struct {
	job *v1alpha1.Job
	// id is the Metronome id, "" if its name belongs to none.
	id string
	// runs are those that are not over, hidden is why the caller may not see them.
	runs   []*seen[v1alpha1.JobRun]
	hidden string
	now    time.Time
}

// job shows a Job.
func (s *showing) job(ctx context.Context, arg string) error {
	key, err := s.cluster.findJob(arg)
	if err != nil {
		return err
	}
	job, err := s.cluster.job(ctx, key)
	if err != nil {
		return err
	}
	if !s.out.isOwn() {
		return s.out.print(s.Out, []*unstructured.Unstructured{job.raw})
	}
	view := jobPage{job: &job.typed, id: s.cluster.jobID(&job.typed), now: s.now()}
	view.runs, err = s.cluster.jobRuns(ctx, key.Namespace, key.Name)
	if apierrors.IsForbidden(err) {
		view.hidden = reasons(err)[0]
	} else if err != nil {
		return err
	}
	view.runs = slices.DeleteFunc(view.runs, func(r *seen[v1alpha1.JobRun]) bool { return r.typed.Status.Finished() })
	return view.print(s.Out)
}

func (p jobPage) print(w io.Writer) error {
	t := newTable(w, true)
	p.head(t)
	p.schedule(t)
	t.row("Runs:", runCounts(p.job, p.now))
	if err := t.flush(); err != nil {
		return err
	}
	status := &p.job.Status
	if err := conditionTable(w, "Job", status.Conditions, status.ObservedGeneration < p.job.Generation, p.now); err != nil {
		return err
	}
	switch {
	case p.hidden != "":
		fmt.Fprintf(w, "Active Runs: not shown: %s\n", p.hidden)
		return nil
	case len(p.runs) == 0:
		fmt.Fprintln(w, "Active Runs: "+none)
		return nil
	}
	fmt.Fprintln(w, "Active Runs:")
	return runTable(newPart(w, runHeaders...), p.runs, p.now)
}

func (p jobPage) head(t *table) {
	spec := &p.job.Spec
	t.row("Id:", orNone(p.id))
	t.row("Name:", p.job.Name)
	t.row("Namespace:", p.job.Namespace)
	if spec.Description != nil {
		t.row("Description:", *spec.Description)
	}
	switch run := &spec.Run; {
	case run.Docker != nil:
		t.row("Image:", run.Docker.Image)
	case run.UCR != nil:
		t.row("Image:", run.UCR.Image.ID)
	}
	if spec.Run.Cmd != nil {
		t.row("Command:", *spec.Run.Cmd)
	}
	t.row("Age:", age(p.job.CreationTimestamp.Time, p.now))
}

// schedule is about what starts the job.
func (p jobPage) schedule(t *table) {
	var after []string
	for _, d := range p.job.Spec.Dependencies {
		if d.OnFailure == v1alpha1.ParentFailureRun {
			d.ID += " (or its failure)"
		}
		after = append(after, d.ID)
	}
	if len(after) > 0 {
		t.row("Runs After:", strings.Join(after, ", "))
	}
	for i := range p.job.Spec.Schedules {
		s := &p.job.Spec.Schedules[i]
		line := []string{s.Cron, s.Timezone, string(s.ConcurrencyPolicy)}
		if s.Dialect == v1alpha1.CronStandard {
			line[0] += " (standard)"
		}
		if !ptr.Deref(s.Enabled, true) {
			line = append(line, "disabled")
		}
		t.row("Schedule:", strings.Join(slices.DeleteFunc(line, func(s string) bool { return s == "" }), ", "))
		t.row("Next Run:", p.next(s))
	}
	if len(p.job.Spec.Schedules)+len(after) == 0 {
		t.row("Schedule:", none+", it runs when asked to")
	}
}

// next is when the next run starts.
func (p jobPage) next(s *v1alpha1.Schedule) string {
	status := p.job.Status.Schedule
	if status == nil || status.ID != s.ID || status.NextRunAt.IsZero() {
		return none
	}
	at := status.NextRunAt.UTC().Format(time.RFC3339)
	switch left := status.NextRunAt.Sub(p.now); {
	case !ptr.Deref(s.Enabled, true):
		return "none while it is disabled; it would be " + at
	case left > 0:
		return fmt.Sprintf("%s, in %s", at, duration.HumanDuration(left))
	}
	return at + ", now"
}
