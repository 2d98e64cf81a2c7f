// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// stable is the version that an upgrade leaves, nil if there is no upgrade, or
// nothing to go back to.
func (o *observed) stable() *v1alpha1.AvailableVersion {
	if last := o.app.Status.LastAvailable; last != nil && last.ConfigHash != o.config {
		return last
	}
	return nil
}

// upgrading says that tasks of another configuration are to be replaced.
func (o *observed) upgrading() bool {
	return o.stable() != nil || o.launched() < len(o.pods)
}

// held is at how many tasks of the new configuration an upgrade waits, and by
// what of the spec; "" is that it does not.
func (o *observed) held() (canary int, by string) {
	spec := &o.app.Spec
	if spec.Rollout == nil || !o.upgrading() {
		return 0, ""
	}
	switch n, waits := spec.CanaryInstances(); {
	case spec.Paused():
		return o.launched(), "spec.rollout.paused"
	case o.failed():
		return o.launched(), "spec.rollout.progressDeadlineSeconds"
	case waits && n < o.instances():
		return int(n), "spec.rollout.canaryInstances"
	}
	return 0, ""
}

// launched is how many pods of the current configuration there are.
func (o *observed) launched() int {
	n := 0
	for i := range o.pods {
		if o.current(&o.pods[i]) {
			n++
		}
	}
	return n
}

// failed says that no task of the deployment became ready for as long as that may take.
func (o *observed) failed() bool {
	return !o.expires.IsZero() && !o.now.Before(o.expires)
}

// deadline is when the deployment under way counts as failed, the zero time if
// it never does. It is a matter of what is there, so that a task that becomes
// ready after all lets the deployment go on.
func (o *observed) deadline() time.Time {
	spec, s := &o.app.Spec, &o.app.Status
	patience := spec.ProgressDeadline()
	if patience == 0 || o.instances() == 0 || spec.Paused() || s.RolledBack != nil || s.LastAvailable != nil && s.LastAvailable.Version == s.Version {
		return time.Time{}
	}
	since, err := time.Parse(versionFormat, s.Version)
	if err != nil {
		return time.Time{}
	}
	since = later(since, s.ResumedAt.Time)
	ready := 0
	for i := range o.pods {
		if pod := &o.pods[i]; o.isReady(pod) {
			ready++
			since = later(since, workload.Condition(pod, corev1.PodReady).LastTransitionTime.Time)
		}
	}
	wanted := int(o.instances())
	if n, waits := spec.CanaryInstances(); waits && o.upgrading() {
		wanted = min(wanted, int(n))
	}
	if ready >= wanted {
		return time.Time{}
	}
	return since.Add(patience)
}

// isReady says that a pod runs the current configuration and is ready.
func (o *observed) isReady(pod *corev1.Pod) bool { return o.current(pod) && o.instance(pod).Healthy }

// ready is how many such pods there are.
func (o *observed) ready() int {
	n := 0
	for i := range o.pods {
		if o.isReady(&o.pods[i]) {
			n++
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// resume notes that a deployment goes on that had been held: the time it was is not its own.
func (o *observed) resume(status *v1alpha1.AppStatus) {
	c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReconciling)
	if c == nil || c.Reason != v1alpha1.ReasonPaused && c.Reason != v1alpha1.ReasonDependencies {
		return
	}
	n, waits := o.app.Spec.CanaryInstances()
	if o.app.Spec.Paused() || waits && o.launched() >= int(n) {
		return
	}
	status.ResumedAt = metav1.NewTime(o.now.Truncate(time.Second))
	o.app.Status.ResumedAt = status.ResumedAt
}

// verdict is the state of an App whose tasks are in the state given, as its
// rollout would have it.
func (o *observed) verdict(s *v1alpha1.AppStatus, state error) error {
	var progress *reconciler.NotReady
	under := errors.As(state, &progress)
	switch {
	case s.RolledBack != nil:
		message := fmt.Sprintf("version %s failed and was rolled back to %s: %s", s.RolledBack.From, s.RolledBack.To, s.RolledBack.Message)
		if under {
			return &reconciler.NotReady{Reason: v1alpha1.ReasonRolledBack, Message: message + "; now " + progress.Message, Serving: progress.Serving}
		}
		return &reconciler.Terminal{Reason: v1alpha1.ReasonRolledBack, Message: message, Available: true}
	case under && o.failed():
		message := fmt.Sprintf("no task became ready for %s: %s", o.app.Spec.ProgressDeadline(), progress.Message)
		return &reconciler.Terminal{Reason: v1alpha1.ReasonProgressDeadlineExceeded, Message: message, Serving: progress.Serving}
	}
	if canary, by := o.held(); under && by != "" && o.ready() >= canary {
		progress.Message += "; held by " + by
		if progress.Reason == v1alpha1.ReasonUpgrading {
			progress.Reason = v1alpha1.ReasonPaused
		}
	}
	return state
}

// rollBack enters the version that was last available, where the one that is
// deployed has failed and it is asked for, and returns the state that the App
// is in then; nil is that nothing was done.
func (r *Reconciler) rollBack(ctx context.Context, app *v1alpha1.App, seen *observed, state error) (back, err error) {
	to := seen.stable()
	var failed *reconciler.Terminal
	if to == nil || !seen.app.Spec.RollsBack() || !errors.As(state, &failed) || failed.Reason != v1alpha1.ReasonProgressDeadlineExceeded {
		return nil, nil
	}
	spec, err := r.recorded(ctx, seen.app, to.Version)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		log.FromContext(ctx).Info("not rolled back: there is no record of the version", "version", to.Version)
		return nil, nil
	}
	s := &app.Status
	if err := r.write(ctx, seen.app, s.Version, seen.config, &seen.app.Spec); err != nil {
		return nil, err
	}
	s.RolledBack = &v1alpha1.RolledBack{
		From: s.Version, To: to.Version, Message: reconciler.Shorten(failed.Message), Timestamp: metav1.NewTime(seen.now.Truncate(time.Second)),
	}
	s.Version = after(s.Version, seen.now)
	s.VersionInfo.LastConfigChangeAt = s.Version
	s.SpecHash, s.ConfigHash, s.DependenciesMet, s.Backoff = seen.specHash, to.ConfigHash, to.ConfigHash, nil
	return &reconciler.NotReady{Reason: v1alpha1.ReasonRolledBack, Message: s.RolledBack.Message, Serving: failed.Serving}, nil
}

// recorded is the spec of a version that was left, nil if there is no record of it.
func (r *Reconciler) recorded(ctx context.Context, app *v1alpha1.App, version string) (*v1alpha1.AppSpec, error) {
	var record appsv1.ControllerRevision
	key := client.ObjectKey{Namespace: app.Namespace, Name: workload.RevisionName(app, version)}
	if err := r.Live.Get(ctx, key, &record); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("get version: %w", err)
	}
	var data workload.RevisionData
	if err := json.Unmarshal(record.Data.Raw, &data); err != nil || !metav1.IsControlledBy(&record, app) {
		return nil, nil
	}
	return &data.Spec, nil
}

// asRolledBack lets an App that is rolled back be what it was, but for what
// restarts no task.
func (r *Reconciler) asRolledBack(ctx context.Context, app *v1alpha1.App) error {
	to := app.Status.RolledBack.To
	spec, err := r.recorded(ctx, app, to)
	if err != nil {
		return err
	}
	if spec == nil {
		return &reconciler.Terminal{
			Reason: v1alpha1.ReasonRolledBack, Serving: true,
			Message: fmt.Sprintf("version %s, which was rolled back to, is not recorded any more: what runs is left as it is until the spec changes", to),
		}
	}
	spec.Instances, spec.Suspend, spec.Rollout = app.Spec.Instances, app.Spec.Suspend, app.Spec.Rollout
	spec.Default()
	app.Spec = *spec
	return nil
}

// restore starts tasks of the version that an upgrade leaves, which is held.
func (r *Reconciler) restore(ctx context.Context, seen *observed, plan rollout.Plan) error {
	from := seen.stable()
	if len(plan.Restore) == 0 || from == nil {
		return nil
	}
	spec, err := r.recorded(ctx, seen.app, from.Version)
	if err != nil {
		return err
	}
	if spec == nil {
		log.FromContext(ctx).Info("tasks not restored: there is no record of their version", "version", from.Version)
		return nil
	}
	spec.Instances = ptr.To(seen.instances())
	spec.Default()
	app := seen.app.DeepCopy()
	app.Spec = *spec
	slots, waits := seen.ripe(plan.Restore[:min(len(plan.Restore), launchesAPass)])
	if err := r.claim(ctx, seen, slots); err != nil {
		return err
	}
	err = apply.Each(len(slots), func(i int) error {
		slot := workload.Slot{Number: slots[i], Version: from.Version, Config: from.ConfigHash, QueuedAt: seen.queuedAt(from.Version), Returns: seen.returns(slots[i])}
		return r.start(ctx, seen.app, app, slot, rollout.Recover)
	})
	return errors.Join(err, waits)
}
