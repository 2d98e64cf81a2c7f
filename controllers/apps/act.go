// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

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
		slot := workload.Slot{Number: slots[i], Version: version, Config: seen.config, QueuedAt: seen.queuedAt(version), Returns: seen.returns(slots[i])}
		return r.start(ctx, seen.app, seen.app, slot, plan.LaunchReason)
	})
	return errors.Join(err, waits)
}

// queuedAt is from when the place of the App's tasks in the line for a quota
// counts: one that replaces another has the place that it had.
func (o *observed) queuedAt(version string) string {
	if len(o.quotas) == 0 {
		return ""
	}
	return cmp.Or(o.app.Status.VersionInfo.LastScalingAt, version)
}

// start launches a task of what the App is, or was.
func (r *Reconciler) start(ctx context.Context, owner, app *v1alpha1.App, slot workload.Slot, why rollout.Reason) error {
	pod, err := workload.Pod(app, r.Settings, slot)
	if err != nil {
		return invalid(err.Error())
	}
	log.FromContext(ctx).V(1).Info("launch", "slot", slot.Number, "reason", why)
	if err := r.Apply.Create(ctx, owner, pod); err != nil {
		return reconciler.Refusal(err, "create pod")
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
