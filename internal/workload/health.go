// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// CheckResult is what is known of one check of a task, as Marathon reported it
// in healthCheckResults, checkResult and readinessCheckResults. Results are
// written down when the outcome changes: the times are those of the change,
// and what is not known is nil or zero.
type CheckResult struct {
	// Name is the field of the App that asks for the check: "healthChecks[1]".
	Name string
	// InstanceID is the uid of the pod.
	InstanceID string
	// Alive says whether the last check that counted passed; nil before there was one.
	Alive *bool
	// FirstSuccess is known of a task that never failed since.
	FirstSuccess metav1.Time
	// LastSuccess and LastFailure are when the outcome became what it is.
	LastSuccess, LastFailure metav1.Time
	// LastFailureCause is why the check fails, or what keeps it from passing first.
	LastFailureCause string
	// Answer is what a check that reports, or is ready, got: "200 OK".
	Answer string
	// ConsecutiveFailures is 0 for a task that is alive, nil where nobody counted.
	ConsecutiveFailures *int32
}

// String names the check, and why it fails: "healthChecks[1]: connection refused".
func (r *CheckResult) String() string {
	if r.LastFailureCause == "" {
		return r.Name
	}
	return r.Name + ": " + r.LastFailureCause
}

// HealthResults are the results of the health checks of the task of a pod, in
// the order of the App, be they made by the kubelet or by the manager.
func HealthResults(app *v1alpha1.App, pod *corev1.Pod) []CheckResult {
	if names := containersOf(pod); names != nil {
		return containerResults(pod, names)
	}
	var results []CheckResult
	checks, _ := TaskChecks(pod) // what is not readable is not known
	gates := map[corev1.PodConditionType]*TaskCheck{}
	for i := range checks {
		if checks[i].Gates() {
			gates[checks[i].Condition] = &checks[i]
		}
	}
	byKubelet := checkedByKubelet(app, pod)
	for i := 0; i <= maxIndex && (len(gates) > 0 || byKubelet); i++ {
		kind := gate(i)
		switch check := gates[kind]; {
		case check != nil:
			results = append(results, result(pod, check))
			delete(gates, kind)
		case byKubelet:
			// It is the one that the manager does not make.
			results = append(results, kubeletResult(pod, i))
			byKubelet = false
		}
	}
	return results
}

// maxIndex is the bound of spec.healthChecks.
const maxIndex = 16

// OtherResults are those of an App's check and readiness check, of which the
// former reports and the latter gates a rollout.
func OtherResults(pod *corev1.Pod) []CheckResult {
	var results []CheckResult
	checks, _ := TaskChecks(pod)
	for i := range checks {
		if !checks[i].Gates() {
			results = append(results, result(pod, &checks[i]))
		}
	}
	return results
}

// ReadyOnce says that the task of a pod has passed its readiness check once, or
// has none: it does not hold up a rollout.
func ReadyOnce(pod *corev1.Pod) bool {
	checks, err := TaskChecks(pod)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(checks, func(c TaskCheck) bool {
		return c.Condition == v1alpha1.PodConditionReadinessCheck && !ptr.Deref(result(pod, &c).Alive, false)
	})
}

// checkedByKubelet says that a probe of the kubelet makes one of the health
// checks. Where the pod does not show its containers, the App tells.
func checkedByKubelet(app *v1alpha1.App, pod *corev1.Pod) bool {
	if len(pod.Spec.Containers) == 0 {
		return kubeletCheck(&app.Spec) >= 0
	}
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.ReadinessProbe != nil })
}

func kubeletResult(pod *corev1.Pod, index int) CheckResult {
	return resultOf(pod, TaskStatus(pod), fmt.Sprintf("healthChecks[%d]", index))
}

// resultOf is what the kubelet tells of the health check of a container.
func resultOf(pod *corev1.Pod, task *corev1.ContainerStatus, name string) CheckResult {
	r := CheckResult{Name: name, InstanceID: string(pod.UID)}
	if task == nil || task.State.Running == nil || !ptr.Deref(task.Started, false) {
		return r
	}
	r.set(task.Ready)
	if c := condition(pod, corev1.ContainersReady); c != nil && (c.Status == corev1.ConditionTrue) == task.Ready {
		r.at(c.LastTransitionTime)
	}
	return r
}

// result is what the condition of a check says, if it speaks of the task that
// runs now and not of one before.
func result(pod *corev1.Pod, check *TaskCheck) CheckResult {
	r := CheckResult{Name: check.field(), InstanceID: string(pod.UID)}
	c := condition(pod, check.Condition)
	if c == nil || !OfThisTask(pod, c) {
		return r
	}
	switch c.Status {
	case corev1.ConditionTrue:
		r.set(true)
		r.Answer = c.Message
	case corev1.ConditionFalse:
		r.set(false)
		r.LastFailureCause = c.Message
	case corev1.ConditionUnknown:
		r.LastFailureCause = c.Message
		return r
	}
	r.at(c.LastTransitionTime)
	if c.Reason == v1alpha1.PodReasonFirstSuccess {
		r.FirstSuccess = c.LastTransitionTime
	}
	return r
}

func (r *CheckResult) set(alive bool) {
	r.Alive = &alive
	if alive {
		r.ConsecutiveFailures = ptr.To[int32](0)
	}
}

func (r *CheckResult) at(t metav1.Time) {
	if *r.Alive {
		r.LastSuccess = t
	} else {
		r.LastFailure = t
	}
}

// OfThisTask says that a condition was written since the container of the task
// started: a restarted one is a new task.
func OfThisTask(pod *corev1.Pod, c *corev1.PodCondition) bool {
	task := TaskStatus(pod)
	return task != nil && task.State.Running != nil && !c.LastTransitionTime.Before(&task.State.Running.StartedAt)
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
