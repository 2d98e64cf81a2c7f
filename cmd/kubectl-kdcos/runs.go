// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	runsLong = templates.LongDesc(`
		List the runs of a Job, the newest first, and count those there ever were.

		A run that waits says what for, one that failed says why.`)

	runsExample = templates.Examples(`
		# List the runs of a Job of the current namespace
		kubectl kdcos runs etl

		# List the runs of a Metronome job, data.extract
		kubectl kdcos runs /data/extract`)
)

// runListing is one run of runs.
type runListing struct {
	*plugin
	out       *output
	noHeaders bool
}

func newRunsCommand(p *plugin) *cobra.Command {
	l := &runListing{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "runs JOB",
		DisableFlagsInUseLine: true,
		Short:                 "List the runs of a Job",
		Long:                  runsLong,
		Example:               runsExample,
		ValidArgsFunction:     p.completeJobs,
		Args:                  oneJob,
		RunE:                  func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&l.noHeaders, "no-headers", false, "If true, print the table without its header and without the counts.")
	l.out.addFlags(cmd)
	return cmd
}

func (l *runListing) run(ctx context.Context, arg string) error {
	if !l.out.isOwn() {
		if _, err := l.out.printer(); err != nil {
			return err
		}
	}
	c, err := l.cluster()
	if err != nil {
		return err
	}
	key, err := c.findJob(arg)
	if err != nil {
		return err
	}
	job, err := c.job(ctx, key)
	if err != nil {
		return err
	}
	runs, err := c.jobRuns(ctx, key.Namespace, key.Name)
	if err != nil {
		return err
	}
	if !l.out.isOwn() {
		var raw []*unstructured.Unstructured
		for _, run := range runs {
			raw = append(raw, run.raw)
		}
		return l.out.printList(l.Out, raw)
	}
	if len(runs) > 0 {
		if err := runTable(newTable(l.Out, l.noHeaders, runHeaders...), runs, l.now()); err != nil {
			return err
		}
	}
	if !l.noHeaders {
		return counts(l.Out, &job.typed, l.now())
	}
	return nil
}

// counts says how many runs there ever were.
func counts(w io.Writer, job *v1alpha1.Job, now time.Time) error {
	_, err := fmt.Fprintf(w, "%s: %s\n", subject(jobNoun, job.Name), runCounts(job, now))
	return err
}

func runCounts(job *v1alpha1.Job, now time.Time) string {
	s := &job.Status
	parts := []string{fmt.Sprintf("%d active", s.ActiveRuns)}
	for _, kind := range []struct {
		count int64
		what  string
		last  metav1.Time
	}{{s.SuccessCount, "succeeded", s.LastSuccessAt}, {s.FailureCount, "failed", s.LastFailureAt}} {
		text := fmt.Sprintf("%d %s", kind.count, kind.what)
		if !kind.last.IsZero() {
			text += fmt.Sprintf(" (the last %s ago)", age(kind.last.Time, now))
		}
		parts = append(parts, text)
	}
	if s.Schedule != nil && s.Schedule.DroppedTicks > 0 {
		parts = append(parts, fmt.Sprintf("%d ticks dropped", s.Schedule.DroppedTicks))
	}
	return strings.Join(parts, ", ")
}

var runHeaders = []string{"RUN", "STATE", "TRIGGER", "ATTEMPTS", "STARTED", "DURATION", "MESSAGE"}

func runTable(t *table, runs []*seen[v1alpha1.JobRun], now time.Time) error {
	for _, run := range runs {
		r := &run.typed
		started, took := none, none
		if at := r.Status.StartedAt; !at.IsZero() {
			started = at.UTC().Format(time.RFC3339)
			end := now
			if !r.Status.CompletedAt.IsZero() {
				end = r.Status.CompletedAt.Time
			}
			took = duration.HumanDuration(end.Sub(at.Time))
		}
		t.row(r.Name, orNone(string(r.Status.State)), trigger(&r.Spec.Trigger), fmt.Sprint(r.Status.AttemptCount), started, took, runMessage(r))
	}
	return t.flush()
}

// trigger says what started a run.
func trigger(t *v1alpha1.Trigger) string {
	switch t.Type {
	case v1alpha1.TriggerSchedule:
		return fmt.Sprintf("%s %s", t.Schedule, t.ScheduledAt.UTC().Format(time.RFC3339))
	case v1alpha1.TriggerDependencies:
		var parents []string
		for _, p := range t.Parents {
			parents = append(parents, p.ID)
		}
		return "after " + strings.Join(parents, ", ")
	case v1alpha1.TriggerManual:
	}
	return "manual"
}

// runMessage is what a run waits for, or why it failed: "" where all is well.
func runMessage(r *v1alpha1.JobRun) string {
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || r.Status.State == v1alpha1.RunSuccess {
		return ""
	}
	return because(c)
}
