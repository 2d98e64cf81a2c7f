// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// Instances of several containers are launched and stopped as a whole: the
// kubelet starts none of them again.

// keepUntilCounted takes out of a plan the kills of instances whose end is not
// in the status yet. The pod is the only trace of it: were it gone, and the
// manager with it, no launch delay would follow. The write of the status brings
// on the next pass.
func (o *observed) keepUntilCounted(plan *rollout.Plan, backoff rollout.Backoff) {
	written := o.app.Status.Backoff
	if backoff.Failures == 0 || o.app.Status.ConfigHash == o.config && written != nil && !written.LastFailureTime.Time.Before(backoff.Last) {
		return
	}
	pods := o.byName()
	plan.Kill = slices.DeleteFunc(plan.Kill, func(k rollout.Kill) bool {
		pod := pods[k.Name]
		return o.current(pod) && pod.DeletionTimestamp == nil && workload.Over(pod)
	})
}

// incarnationID is the Marathon id of a task: of the container of several that
// tells most.
func (o *observed) incarnationID(pod *corev1.Pod, incarnation int32) string {
	container := "_app"
	if task := taskStatus(pod); task != nil && workload.Several(pod) {
		container = task.Name
	}
	return fmt.Sprintf("%s.instance-%s.%s.%d", pathid.Safe(o.id), pod.UID, container, incarnation)
}

// describeLast says how the task of a pod ended last, and of several containers
// which.
func describeLast(pod *corev1.Pod) string {
	if task := cmp.Or(workload.FailedFetch(pod), taskStatus(pod)); task != nil && workload.Several(pod) {
		return "container " + task.Name + ": " + workload.DescribeEnd(workload.LastEnd(pod))
	}
	return workload.DescribeEnd(workload.LastEnd(pod))
}

// over notes an instance of several containers that is to be launched anew.
func (t *tally) over(pod *corev1.Pod) {
	t.failing++
	t.because(v1alpha1.ReasonBackOff, "ended and to be launched again: "+describeLast(pod))
}

// whyGone notes what instances of several containers wait for that are gone.
func (t *tally) whyGone(seen *observed, status *v1alpha1.AppStatus, backoff rollout.Backoff) {
	if len(seen.app.Spec.Containers) == 0 || t.instances+t.failing >= seen.instances() || !seen.now.Before(backoff.NextLaunch(seen.delays())) {
		return
	}
	words := "launched again after a delay"
	if last := status.LastTaskFailure; last != nil && !last.Timestamp.Time.Before(backoff.Last) {
		words += ": " + last.Message
	}
	t.because(v1alpha1.ReasonBackOff, words)
}
