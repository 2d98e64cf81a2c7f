// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// What the status of a pod tells about its task.

// Condition is the condition of a pod, nil before there is one.
func Condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// WaitsFor is what the kubelet waits for before the task runs, nil if it does not:
// the container that fetches files comes first. That an image can't be pulled the
// kubelet says in two ways by turns, with the cause and with that it waits before it
// tries again: it is told as the one.
func WaitsFor(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	w := waiting(pod)
	if w == nil || w.Reason != "ImagePullBackOff" {
		return w
	}
	if _, cause, has := strings.Cut(w.Message, ": ErrImagePull: "); has {
		return &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: cause}
	}
	return w
}

func waiting(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	for _, fetch := range Fetchers(pod) {
		if fetch.State.Waiting != nil {
			return fetch.State.Waiting
		}
	}
	if task := TaskStatus(pod); task != nil {
		return task.State.Waiting
	}
	return nil
}

// CannotStart says that the kubelet tried to start the task and failed: that a
// container is still being made, or an image pulled, is no failure.
func CannotStart(pod *corev1.Pod) bool {
	w := WaitsFor(pod)
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
	c := Condition(pod, corev1.PodReadyToStartContainers)
	return c != nil && c.Status == corev1.ConditionFalse
}

// FailedFetch is the status of the container that fetches files, if it failed
// and has not succeeded since.
func FailedFetch(pod *corev1.Pod) *corev1.ContainerStatus {
	for _, fetch := range Fetchers(pod) {
		switch {
		case fetch.State.Terminated != nil && fetch.State.Terminated.ExitCode != 0:
			return fetch
		case fetch.State.Terminated == nil && fetch.LastTerminationState.Terminated != nil:
			return fetch
		}
	}
	return nil
}

// LastEnd is how the task of a pod ended last, nil if it never did.
func LastEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	task := TaskStatus(pod)
	if fetch := FailedFetch(pod); fetch != nil {
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

// DescribeEnd says how a task ended.
func DescribeEnd(end *corev1.ContainerStateTerminated) string {
	if end == nil {
		return "the task ended"
	}
	what := fmt.Sprintf("exit code %d", end.ExitCode)
	if end.Signal != 0 {
		what = fmt.Sprintf("signal %d", end.Signal)
	}
	if end.Reason != "" && end.Reason != "Error" && end.Reason != "Completed" {
		what += ", " + end.Reason
	}
	if message := strings.TrimSpace(end.Message); message != "" {
		what += ": " + message
	}
	return what
}

// WhyNotPlaced is what the scheduler says about a pod that it finds no node for,
// in Marathon's words too; "" where it says nothing. constrained is that of Funnel.
func WhyNotPlaced(pod *corev1.Pod, constrained bool) string {
	c := Condition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return ""
	}
	words := SchedulerWords(c.Message)
	if all, nodes := Funnel(c.Message, constrained); nodes > 0 {
		words = SayFunnel(all, nodes) + ": " + words
	}
	return "waiting for the scheduler: " + words
}

// WhyNotStarting is what the kubelet says about a pod whose task does not start,
// and the reason of a condition for it; "" where it says nothing. files are the
// Secrets that the task has as files.
func WhyNotStarting(pod *corev1.Pod, files []string) (reason, words string) {
	w := WaitsFor(pod)
	if len(files) > 0 && w != nil && w.Message == "" && settingUp(pod) {
		// The kubelet says no more than that it is at it, for as long as one is missing.
		return v1alpha1.ReasonNotStarting, fmt.Sprintf("being set up by the node, which needs the Secret %s with the key %q", strings.Join(files, ", "), SecretKey)
	}
	if w == nil || w.Message == "" {
		return "", ""
	}
	reason = v1alpha1.ReasonImagePull
	if w.Reason == "CreateContainerConfigError" || w.Reason == "CreateContainerError" || w.Reason == "RunContainerError" {
		reason = v1alpha1.ReasonNotStarting
	}
	return reason, "not starting: " + w.Reason + ": " + strings.ReplaceAll(w.Message, pod.Name, "the pod")
}
