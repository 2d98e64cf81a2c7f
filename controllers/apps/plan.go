// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"fmt"
	"strconv"
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

// tasks decides what to do about the pods of the App now.
func (o *observed) tasks(backoff rollout.Backoff) rollout.Plan {
	spec := &o.app.Spec
	target := rollout.Target{
		Instances:             int(o.instances()),
		MinimumHealthCapacity: *spec.UpgradeStrategy.MinimumHealthCapacity,
		MaximumOverCapacity:   *spec.UpgradeStrategy.MaximumOverCapacity,
		Resident:              spec.Resident(),
		OldestFirst:           spec.KillSelection == v1alpha1.OldestFirst,
		Groups:                workload.Groups(spec),
		Spread:                o.groups != nil,
	}
	seen := make([]rollout.Instance, 0, len(o.pods))
	for i := range o.pods {
		seen = append(seen, o.instance(&o.pods[i]))
	}
	plan := rollout.Next(target, seen, o.now, backoff.NextLaunch(o.delays()))
	o.killUnhealthy(&plan)
	o.keepUntilCounted(&plan, backoff)
	return plan
}

// instance is what a pod is to the planner.
func (o *observed) instance(pod *corev1.Pod) rollout.Instance {
	condition := o.condition(pod)
	if o.doom(pod) != nil {
		condition = rollout.Stopping
	}
	return rollout.Instance{
		Name:      pod.Name,
		Slot:      slotOf(pod),
		Current:   o.current(pod),
		Condition: condition,
		Healthy:   condition == rollout.Running && ready(pod) && workload.ReadyOnce(pod),
		Overdue:   o.overdue(pod),
		Group:     o.groups[pod.Spec.NodeName],
		Started:   pod.CreationTimestamp.Time,
	}
}

func slotOf(pod *corev1.Pod) int {
	slot, _ := strconv.Atoi(pod.Labels[v1alpha1.SlotLabel])
	return slot
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
	case heldBack(task), heldBack(failedFetch(pod)):
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
		placed := podCondition(pod, corev1.PodScheduled)
		if cannotStart(pod) && placed != nil && placed.Status == corev1.ConditionTrue && o.settings.TaskLaunchTimeout > 0 {
			return placed.LastTransitionTime.Add(o.settings.TaskLaunchTimeout)
		}
	case rollout.Ended, rollout.Stopping, rollout.Unreachable, rollout.Failing, rollout.Running:
	}
	return time.Time{}
}

// cannotStart says that the kubelet tried to start the task and failed: that a
// container is still being made, or an image pulled, is no failure.
func cannotStart(pod *corev1.Pod) bool {
	w := waitsFor(pod)
	if w == nil {
		return false
	}
	switch w.Reason {
	case "ContainerCreating", "PodInitializing":
		return settingUp(pod)
	case "", "CrashLoopBackOff":
		return false
	}
	return true
}

// settingUp says that the node has not yet what a pod needs before any container
// of it: volumes and an address.
func settingUp(pod *corev1.Pod) bool {
	c := podCondition(pod, corev1.PodReadyToStartContainers)
	return c != nil && c.Status == corev1.ConditionFalse
}

// waitsFor is what the kubelet waits for before the task runs, nil if it does not:
// the container that fetches files comes first.
func waitsFor(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	for _, fetch := range workload.Fetchers(pod) {
		if fetch.State.Waiting != nil {
			return fetch.State.Waiting
		}
	}
	if task := taskStatus(pod); task != nil {
		return task.State.Waiting
	}
	return nil
}

// taskStatus is the status of the container that runs the task, or of the one of
// several that tells most, nil before there is one.
func taskStatus(pod *corev1.Pod) *corev1.ContainerStatus { return workload.TaskStatus(pod) }

// failedFetch is the status of the container that fetches files, if it failed
// and has not succeeded since.
func failedFetch(pod *corev1.Pod) *corev1.ContainerStatus {
	for _, fetch := range workload.Fetchers(pod) {
		switch {
		case fetch.State.Terminated != nil && fetch.State.Terminated.ExitCode != 0:
			return fetch
		case fetch.State.Terminated == nil && fetch.LastTerminationState.Terminated != nil:
			return fetch
		}
	}
	return nil
}

func ready(pod *corev1.Pod) bool {
	if workload.Several(pod) {
		return workload.Ready(pod)
	}
	c := podCondition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
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
	var ends []time.Time
	for i := range o.pods {
		if !o.current(&o.pods[i]) || o.pods[i].DeletionTimestamp != nil {
			continue
		}
		if end := lastEnd(&o.pods[i]); end != nil {
			ends = append(ends, end.FinishedAt.Time)
		}
	}
	return b.Observe(o.delays(), ends, o.now), nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// lastEnd is how the task of a pod ended last, nil if it never did. Exit code 0
// is an end like any other: apps are there to run.
func lastEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	task := taskStatus(pod)
	if fetch := failedFetch(pod); fetch != nil {
		// In Mesos, too, the task has failed then.
		task = fetch
	}
	if task == nil {
		return nil
	}
	if task.State.Terminated != nil {
		return task.State.Terminated
	}
	return task.LastTerminationState.Terminated
}

// transition is the step of an App from one version to the next.
type transition struct {
	// from and to are the versions; from is empty for a new App.
	from, to string
	// fromConfig is the hash of the configuration that is left, fromInstances how
	// many instances were asked for with it.
	fromConfig    string
	fromInstances int32
	// counted says that nobody wrote fromInstances down: it is the number of pods.
	counted bool
	// restarts says that tasks are replaced; otherwise the App is only scaled.
	restarts bool
}

// transition is the step that the App's spec asks for, nil where it is what it was.
func (o *observed) transition() *transition {
	s := &o.app.Status
	if s.ConfigHash == "" {
		if step := o.unwritten(); step != nil {
			return step
		}
		return &transition{to: o.app.CreationTimestamp.UTC().Format(versionFormat), restarts: true}
	}
	restarts := s.ConfigHash != o.config
	if !restarts && s.TargetInstances == o.instances() {
		return nil
	}
	return &transition{from: s.Version, to: after(s.Version, o.now), fromConfig: s.ConfigHash, fromInstances: s.TargetInstances, restarts: restarts}
}

// unwritten is the step from a version that runs, but of which the status says
// nothing: it was not written yet when the App changed, or that is not seen yet.
// Its pods tell of it. It is nil where there are none.
func (o *observed) unwritten() *transition {
	var step *transition
	for i := range o.pods {
		version, config := o.pods[i].Annotations[v1alpha1.VersionAnnotation], o.pods[i].Labels[v1alpha1.ConfigLabel]
		if config == o.config || version == "" || step != nil && version < step.from {
			continue
		}
		if step == nil || config != step.fromConfig {
			step = &transition{from: version, to: after(version, o.now), fromConfig: config, restarts: true, counted: true}
		}
		step.fromInstances++
	}
	return step
}

// after is a version for now that is later than the last one.
func after(last string, now time.Time) string {
	if at, err := time.Parse(versionFormat, last); err == nil && !now.Truncate(time.Millisecond).After(at) {
		now = at.Add(time.Millisecond)
	}
	return now.UTC().Format(versionFormat)
}

// enter writes the new version into the status.
func (t *transition) enter(status *v1alpha1.AppStatus, seen *observed) {
	if t.from != "" && status.ConfigHash == "" {
		status.TargetInstances, status.VersionInfo.LastScalingAt = t.fromInstances, t.from
	}
	status.Version = t.to
	status.VersionInfo.LastScalingAt = ptr.Deref(scaledAt(status, seen, t), t.to)
	if t.restarts {
		status.VersionInfo.LastConfigChangeAt = t.to
		status.Backoff = nil
	}
	status.ConfigHash = seen.config
	status.TargetInstances = seen.instances()
}

// scaledAt is the last scaling that still stands, nil if this is one.
func scaledAt(status *v1alpha1.AppStatus, seen *observed, t *transition) *string {
	if t.from == "" || status.TargetInstances != seen.instances() || status.VersionInfo.LastScalingAt == "" {
		return nil
	}
	return &status.VersionInfo.LastScalingAt
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
