// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// refusedRetry is when a pod that the API server refused is tried again: a
// quota or a policy of the namespace may have changed.
const refusedRetry = 30 * time.Second

// launchesAPass is how many tasks are launched before an App is looked at
// again. Their pods bring on the next pass.
const launchesAPass = 500

// act does what the plan says: kills first, so that they make room.
func (r *Reconciler) act(ctx context.Context, seen *observed, version string, plan rollout.Plan) error {
	if seen.leavesNoTrace(plan) {
		if err := r.write(ctx, seen.app, version, seen.config, &seen.app.Spec); err != nil {
			return err
		}
	}
	return errors.Join(r.protect(ctx, seen), r.kill(ctx, seen, plan), r.restore(ctx, seen, plan), r.launch(ctx, seen, version, plan), r.grow(ctx, seen))
}

// kill stops tasks. That one can't be stopped keeps none of the others.
func (r *Reconciler) kill(ctx context.Context, seen *observed, plan rollout.Plan) error {
	logger := log.FromContext(ctx)
	pods := seen.byName()
	errs := make([]error, len(plan.Kill))
	err := apply.Each(len(plan.Kill), func(i int) error {
		k := plan.Kill[i]
		pod := pods[k.Name]
		logger.V(1).Info("kill", "pod", k.Name, "reason", k.Reason)
		if err := r.Apply.Delete(ctx, pod, options(k)...); err != nil {
			errs[i] = fmt.Errorf("delete pod: %w", err)
			return nil
		}
		if k.Reason == unhealthy {
			r.probing.stopped(pod)
		}
		tasksKilled.WithLabelValues(string(k.Reason)).Inc()
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// launch starts tasks until one is refused.
func (r *Reconciler) launch(ctx context.Context, seen *observed, version string, plan rollout.Plan) error {
	slots, waits := seen.ripe(plan.Launch[:min(len(plan.Launch), launchesAPass)])
	if err := r.claim(ctx, seen, slots); err != nil {
		return err
	}
	err := apply.Each(len(slots), func(i int) error {
		slot := workload.Slot{Number: slots[i], Version: version, Config: seen.config}
		return r.start(ctx, seen.app, seen.app, slot, plan.LaunchReason)
	})
	return errors.Join(err, waits)
}

// start launches a task of what the App is, or was.
func (r *Reconciler) start(ctx context.Context, owner, app *v1alpha1.App, slot workload.Slot, why rollout.Reason) error {
	pod, err := workload.Pod(app, r.Settings, slot)
	if err != nil {
		return invalid(err.Error())
	}
	log.FromContext(ctx).V(1).Info("launch", "slot", slot.Number, "reason", why)
	if err := r.Apply.Create(ctx, owner, pod); err != nil {
		return refusal(err, "create pod")
	}
	tasksLaunched.WithLabelValues(string(why)).Inc()
	return nil
}

// options are how a task is killed: one that nobody will hear of again at once.
func options(k rollout.Kill) []client.DeleteOption {
	if k.Reason == rollout.Expunge {
		return []client.DeleteOption{client.GracePeriodSeconds(0)}
	}
	return nil
}

// refusal tells an answer of the API server that only somebody else can change
// from one that a further try may.
func refusal(err error, doing string) error {
	var conflict *apply.NameConflictError
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &conflict):
		return &reconciler.NotReady{Reason: v1alpha1.ReasonNameConflict, Message: err.Error(), After: refusedRetry}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return err
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		message := err.Error()
		if errors.As(err, &status) && status.Status().Details != nil {
			// The name of what was made says nothing and changes.
			message = strings.ReplaceAll(message, fmt.Sprintf("%q ", status.Status().Details.Name), "")
		}
		return &reconciler.NotReady{Reason: v1alpha1.ReasonRefused, Message: message, After: refusedRetry}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
