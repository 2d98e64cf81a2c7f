// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// pollInterval is the time between two looks at what is waited for.
const pollInterval = time.Second

// waiting are the flags of commands that may wait.
type waiting struct {
	enabled bool
	timeout time.Duration
}

func (w *waiting) addFlags(cmd *cobra.Command, usage string) {
	cmd.Flags().BoolVar(&w.enabled, "wait", false, usage)
	cmd.Flags().DurationVar(&w.timeout, "timeout", 5*time.Minute, "The length of time to wait before giving up. Zero means no limit.")
}

// goal is what an App or a Job is waited for to become.
type goal struct {
	kind string
	key  types.NamespacedName
	id   string
	// generation is that of the spec that has to run.
	generation int64
	// restart says that the configuration has to be another one than
	// oldConfig: a restart changes no generation.
	restart   bool
	oldConfig string
	// done is what it is called then; "ready" if empty.
	done string
	// told is what was last said about it.
	told string
}

func (g *goal) String() string {
	subject, suffix := labelledKind(g.kind, g.key.Name, g.id)
	return subject + suffix
}

// outcome is how far an App is from a goal.
type outcome int

const (
	underWay outcome = iota
	reached
	stuck
)

// judge compares an App with a goal. The text says what is missing.
func (g *goal) judge(app *v1alpha1.App) (outcome, string) {
	status := &app.Status
	if g.restart && status.ConfigHash == g.oldConfig {
		return underWay, notSeen
	}
	return g.judgeConditions(status.ObservedGeneration, status.Conditions)
}

// notSeen is what is said before the manager has done anything.
const notSeen = "the kdcos manager has not seen the change yet"

// judgeConditions compares what all kinds have.
func (g *goal) judgeConditions(observed int64, conditions []metav1.Condition) (outcome, string) {
	if observed < g.generation {
		return underWay, notSeen
	}
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		return stuck, because(c)
	}
	// In a rollout an App may be Ready all the time: it is over when Reconciling is.
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); c != nil && c.Status == metav1.ConditionTrue {
		return underWay, because(c)
	}
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return underWay, "the kdcos manager has not seen it yet"
	case c.Status == metav1.ConditionTrue:
		return reached, ""
	}
	return underWay, because(c)
}

func because(c *metav1.Condition) string {
	if c.Message == "" {
		return c.Reason
	}
	return c.Reason + ": " + c.Message
}

// waiter waits for Apps and tells how they are getting on.
type waiter struct {
	*plugin
	cluster *cluster
	// quiet leaves standard output to the objects that are printed there.
	quiet bool
	// failed says that a goal will not be reached.
	failed bool
}

// await waits for all goals, and says whether all were reached.
func (p *plugin) await(ctx context.Context, c *cluster, w waiting, out *output, goals []*goal) bool {
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.timeout, fmt.Errorf("timed out after %s", w.timeout))
		defer cancel()
	}
	waiter := &waiter{plugin: p, cluster: c, quiet: !out.isOwn()}
	for {
		goals = slices.DeleteFunc(goals, func(g *goal) bool { return waiter.over(ctx, g) })
		if len(goals) == 0 {
			return !waiter.failed
		}
		select {
		case <-ctx.Done():
			for _, g := range goals {
				complain(p.ErrOut, g.String(), fmt.Errorf("%w: %s", context.Cause(ctx), g.told))
			}
			return false
		case <-time.After(pollInterval):
		}
	}
}

// over says whether there is nothing to wait for any more, and tells what is new.
func (w *waiter) over(ctx context.Context, g *goal) bool {
	state, text, err := g.look(ctx, w.cluster)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		w.failed = true
		complain(w.ErrOut, g.String(), err)
		return true
	case state == stuck:
		w.failed = true
		complain(w.ErrOut, g.String(), fmt.Errorf("stalled: %s", text))
		return true
	case state == reached:
		if !w.quiet {
			subject, suffix := labelledKind(g.kind, g.key.Name, g.id)
			fmt.Fprintf(w.Out, "%s %s%s\n", subject, cmp.Or(g.done, "ready"), suffix)
		}
		return true
	}
	if text != g.told {
		fmt.Fprintf(w.ErrOut, "Waiting for %s: %s\n", g, text)
	}
	g.told = text
	return false
}

// look judges what the cluster has now. An answer that may be another one in
// a moment is no error.
func (g *goal) look(ctx context.Context, c *cluster) (outcome, string, error) {
	state, text, err := g.ask(ctx, c)
	switch {
	case err == nil:
		return state, text, nil
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return stuck, "", err
	}
	return underWay, err.Error(), nil
}

func (g *goal) ask(ctx context.Context, c *cluster) (outcome, string, error) {
	if g.kind == maintenanceKind.Kind {
		return g.askMaintenance(ctx, c)
	}
	if g.kind != "Job" {
		app, err := c.app(ctx, g.key)
		if err != nil {
			return underWay, "", err
		}
		state, text := g.judge(&app.App)
		return state, text, nil
	}
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(g.kind))
	if err := c.client.Get(ctx, g.key, raw); err != nil {
		return underWay, "", err
	}
	var job v1alpha1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &job); err != nil {
		return underWay, "", fmt.Errorf("decode Job: %w", err)
	}
	state, text := g.judgeConditions(job.Status.ObservedGeneration, job.Status.Conditions)
	return state, text, nil
}
