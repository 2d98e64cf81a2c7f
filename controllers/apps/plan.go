// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// versionFormat is how Marathon writes times: UTC, with milliseconds.
const versionFormat = "2006-01-02T15:04:05.000Z"

// mostGated is how many pods of an App wait for a quota at once. The others are a
// number in its status, and lose no place in line: all count from when the App
// was scaled last.
const mostGated = 50

// tasks decides what to do about the pods of the App now.
func (o *observed) tasks(backoff rollout.Backoff) rollout.Plan {
	spec := &o.app.Spec
	canary, held := o.held()
	target := rollout.Target{
		Instances:             int(o.instances()),
		MinimumHealthCapacity: *spec.UpgradeStrategy.MinimumHealthCapacity,
		MaximumOverCapacity:   *spec.UpgradeStrategy.MaximumOverCapacity,
		Resident:              spec.SingleWriter(),
		Kept:                  o.kept(),
		OldestFirst:           spec.KillSelection == v1alpha1.OldestFirst,
		Groups:                workload.Groups(spec),
		Spread:                o.groups != nil,
		PerNode:               o.places != nil,
		Held:                  held != "",
		Canary:                canary,
	}
	if len(o.quotas) > 0 {
		target.MostGated = mostGated
		target.Yields = slices.ContainsFunc(o.quotas, func(q *v1alpha1.Quota) bool { return q.Spec.OnBlockedUpdate == v1alpha1.BlockedUpdateReduceCapacity })
	}
	seen := make([]rollout.Instance, 0, len(o.pods))
	for i := range o.pods {
		seen = append(seen, o.instance(&o.pods[i]))
	}
	plan := rollout.Next(target, seen, o.now, backoff.NextLaunch(o.delays()))
	o.killUnhealthy(&plan)
	o.keepUntilCounted(&plan, backoff)
	o.killAstray(&plan)
	o.spares = int32(plan.Spares) //nolint:gosec // none or one
	return plan
}

// instance is what a pod is to the planner.
func (o *observed) instance(pod *corev1.Pod) rollout.Instance {
	condition := o.condition(pod)
	if o.doom(pod) != nil || o.astray(pod) {
		condition = rollout.Stopping
	}
	stable := o.stable()
	return rollout.Instance{
		Name:      pod.Name,
		Slot:      slotOf(pod),
		Current:   o.current(pod),
		Stable:    stable != nil && pod.Labels[v1alpha1.ConfigLabel] == stable.ConfigHash,
		Leaving:   o.leaving[pod.Spec.NodeName].is,
		Draining:  o.leaving[pod.Spec.NodeName].draining,
		Gated:     workload.Gated(pod),
		Condition: condition,
		Healthy:   condition == rollout.Running && ready(pod) && workload.ReadyOnce(pod),
		Overdue:   o.overdue(pod),
		Group:     o.groups[pod.Spec.NodeName],
		Started:   pod.CreationTimestamp.Time,
	}
}

// byName are the pods seen by their names.
func (o *observed) byName() map[string]*corev1.Pod {
	pods := make(map[string]*corev1.Pod, len(o.pods))
	for i := range o.pods {
		pods[o.pods[i].Name] = &o.pods[i]
	}
	return pods
}

// lookAgain is when time alone changes what is to be done: a delay ends, a pod
// becomes lost, a back-off is forgotten. 0 is never.
func (o *observed) lookAgain(after time.Duration, backoff rollout.Backoff) time.Duration {
	sooner := func(at time.Time) {
		if d := at.Sub(o.now) + time.Millisecond; d > 0 && (after == 0 || d < after) {
			after = d
		}
	}
	inactive, _, waits := o.app.Spec.Unreachable()
	for i := range o.pods {
		pod := &o.pods[i]
		sooner(o.due(pod))
		if !waits && o.condition(pod) == rollout.Unreachable {
			sooner(o.unreachable[pod.Spec.NodeName].Add(inactive))
		}
	}
	if !o.expires.IsZero() {
		sooner(o.expires)
	}
	if backoff.Failures > 0 {
		sooner(backoff.Forgotten(o.delays()))
	}
	return after
}

func (o *observed) current(pod *corev1.Pod) bool {
	return pod.Labels[v1alpha1.ConfigLabel] == o.config
}

// condition is how far a pod has come. One that is told to stop is there until
// it is gone, however long its node takes, so that a single instance never meets
// its successor. One that waits for its node is never lost: it may hold what
// nobody else can have.
func (o *observed) condition(pod *corev1.Pod) rollout.Condition {
	inactive, _, waits := o.app.Spec.Unreachable()
	lost, unreachable := o.unreachable[pod.Spec.NodeName]
	task := taskStatus(pod)
	switch {
	case pod.DeletionTimestamp != nil && !waits && unreachable:
		return rollout.Lost
	case pod.DeletionTimestamp != nil:
		return rollout.Stopping
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded || workload.Over(pod):
		return rollout.Ended
	case unreachable && !waits && !o.now.Before(lost.Add(inactive)):
		return rollout.Lost
	case unreachable:
		return rollout.Unreachable
	case heldBack(task), heldBack(workload.FailedFetch(pod)):
		return rollout.Failing
	case task == nil || task.State.Running == nil:
		return rollout.Staging
	}
	return rollout.Running
}

// heldBack says that the kubelet waits before it starts the container again. It
// does so from the second end on, and says it ten seconds later or more.
func heldBack(c *corev1.ContainerStatus) bool {
	switch {
	case c == nil:
		return false
	case c.State.Terminated != nil:
		return c.RestartCount > 0
	}
	return c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff"
}

// overdue says that a pod should have started by now, or that one on a lost
// node, which Kubernetes has told to stop, is given up.
func (o *observed) overdue(pod *corev1.Pod) bool {
	at := o.due(pod)
	return !at.IsZero() && !o.now.Before(at)
}

// due is when a pod gets overdue, the zero time if it does not.
func (o *observed) due(pod *corev1.Pod) time.Time {
	switch o.condition(pod) {
	case rollout.Lost:
		lost, unreachable := o.unreachable[pod.Spec.NodeName]
		if !unreachable || pod.DeletionTimestamp == nil {
			return time.Time{}
		}
		_, expunge, _ := o.app.Spec.Unreachable()
		if at := lost.Add(expunge); at.After(pod.DeletionTimestamp.Time) {
			return at
		}
		return pod.DeletionTimestamp.Time
	case rollout.Staging:
		placed := workload.Condition(pod, corev1.PodScheduled)
		if workload.CannotStart(pod) && placed != nil && placed.Status == corev1.ConditionTrue && o.settings.TaskLaunchTimeout > 0 {
			return placed.LastTransitionTime.Add(o.settings.TaskLaunchTimeout)
		}
	case rollout.Ended, rollout.Stopping, rollout.Unreachable, rollout.Failing, rollout.Running:
	}
	return time.Time{}
}

// taskStatus is the status of the container that runs the task, or of the one of
// several that tells most, nil before there is one.
func taskStatus(pod *corev1.Pod) *corev1.ContainerStatus { return workload.TaskStatus(pod) }

func ready(pod *corev1.Pod) bool {
	if workload.Several(pod) {
		return workload.Ready(pod)
	}
	c := workload.Condition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func (o *observed) delays() rollout.DelayPolicy {
	spec := &o.app.Spec
	return rollout.DelayPolicy{
		Initial: time.Duration(*spec.BackoffSeconds) * time.Second,
		Max:     time.Duration(*spec.MaxLaunchDelaySeconds) * time.Second,
		Factor:  *spec.BackoffFactor,
	}
}

// backoff is the launch delay after what is seen now. It belongs to a
// configuration: a new one starts without.
func (o *observed) backoff() (rollout.Backoff, error) {
	var b rollout.Backoff
	if s := o.app.Status.Backoff; s != nil && o.app.Status.ConfigHash == o.config {
		b = rollout.Backoff{Failures: int(s.Failures), Last: s.LastFailureTime.Time}
	}
	if reset := o.app.Annotations[v1alpha1.LaunchDelayResetAtAnnotation]; reset != "" {
		at, err := time.Parse(time.RFC3339, reset)
		if err != nil {
			return b, invalid(fmt.Sprintf("metadata.annotations[%s]: %q is not a time such as 2021-10-31T12:00:00Z", v1alpha1.LaunchDelayResetAtAnnotation, reset))
		}
		if at.After(b.Last) {
			// A time to come forgets no failure to come.
			b = rollout.Backoff{Last: earlier(at, o.now)}
		}
	}
	if at := o.drained(); at.After(b.Last) {
		b = rollout.Backoff{Last: at}
	}
	var ends []time.Time
	for i := range o.pods {
		if !o.current(&o.pods[i]) || o.pods[i].DeletionTimestamp != nil {
			continue
		}
		if end := workload.LastEnd(&o.pods[i]); end != nil {
			ends = append(ends, end.FinishedAt.Time)
		}
	}
	return b.Observe(o.delays(), ends, o.now), nil
}

// drained is when a task was last stopped that maintenance takes off its node, the
// zero time if none is. As in Marathon since 1.9, that forgets the launch delay:
// its successor starts at once.
func (o *observed) drained() (at time.Time) {
	for i := range o.pods {
		pod := &o.pods[i]
		if pod.DeletionTimestamp == nil || !o.leaving[pod.Spec.NodeName].draining {
			continue
		}
		grace := time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second
		if told := earlier(pod.DeletionTimestamp.Add(-grace), o.now); told.After(at) {
			at = told
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// backoffStatus is a launch delay as the status tells it.
func backoffStatus(b rollout.Backoff, policy rollout.DelayPolicy) *v1alpha1.LaunchBackoff {
	if b.Failures == 0 {
		return nil
	}
	return &v1alpha1.LaunchBackoff{
		Failures:        int32(b.Failures), //nolint:gosec // Observe keeps it in range
		LastFailureTime: metav1.NewTime(b.Last),
		NextLaunchTime:  metav1.NewTime(b.NextLaunch(policy).Truncate(time.Second)),
	}
}
