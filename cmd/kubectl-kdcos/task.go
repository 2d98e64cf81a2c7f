// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// The states of tasks, as Mesos names them.
const (
	taskStaging     = "TASK_STAGING"
	taskStarting    = "TASK_STARTING"
	taskRunning     = "TASK_RUNNING"
	taskKilling     = "TASK_KILLING"
	taskFinished    = "TASK_FINISHED"
	taskFailed      = "TASK_FAILED"
	taskError       = "TASK_ERROR"
	taskUnreachable = "TASK_UNREACHABLE"
	taskGone        = "TASK_GONE"
	taskUnknown     = "TASK_UNKNOWN"
)

// lostAfter is how long after its time a task that was told to stop is taken to
// be lost with its node: this program does not look at nodes.
const lostAfter = 15 * time.Second

// task is what a pod is for Marathon: one incarnation of one instance.
type task struct {
	pod *corev1.Pod
	// delay is what the launch delay of the App adds to why, if there is one.
	delay string
	now   time.Time

	state string
	// why says what keeps the task from running, or from being healthy.
	why string
}

func newTask(pod *corev1.Pod, delay string, now time.Time) task {
	t := task{pod: pod, delay: delay, now: now}
	t.state, t.why = t.judge()
	if t.state == taskRunning {
		t.why = t.unwell()
	}
	return t
}

// unwell is which check a running task fails, or did not pass yet, and why as
// far as that is known.
func (t task) unwell() string {
	results := workload.HealthResults(&v1alpha1.App{}, t.pod)
	for _, r := range results {
		if r.Alive == nil || !*r.Alive {
			named := len(results) > 1 || r.LastFailureCause != ""
			switch {
			case r.Alive == nil && named:
				return "did not pass yet: " + r.String()
			case r.Alive == nil:
				return "did not pass its health check yet"
			case named:
				return "fails " + r.String()
			}
			return "fails its health check"
		}
	}
	for _, r := range workload.OtherResults(t.pod) {
		once := !strings.HasSuffix(r.Name, "check")
		switch {
		case once && (r.Alive == nil || !*r.Alive):
			return "was not ready yet: " + r.String()
		case !once && r.Alive != nil && !*r.Alive:
			return r.String()
		}
	}
	return ""
}

// judge finds the state of the task, and why it is not running.
func (t task) judge() (state, why string) {
	status := &t.pod.Status
	if t.pod.DeletionTimestamp != nil {
		return t.stopping()
	}
	switch status.Phase {
	case corev1.PodSucceeded:
		return taskFinished, t.ended(t.exited(t.main()))
	case corev1.PodFailed:
		if text := join(status.Reason, status.Message); text != "" {
			return taskFailed, text // the node gave it up
		}
		return taskFailed, t.ended(t.exited(t.main()))
	case corev1.PodUnknown:
		return taskUnknown, "the state of the pod can't be read from its node"
	case corev1.PodPending, corev1.PodRunning:
	}
	if t.pod.Spec.NodeName == "" {
		return taskStaging, t.unplaced()
	}
	if state, why, found := t.initializing(); found {
		return state, why
	}
	main := t.main()
	switch {
	case main == nil:
		return taskStaging, "waits for node " + t.pod.Spec.NodeName + " to start it"
	case main.State.Running != nil:
		return taskRunning, ""
	case main.State.Terminated != nil:
		return endState(main.State.Terminated), t.ended(t.exited(main))
	case main.State.Waiting != nil:
		return t.waiting(main)
	}
	return taskStaging, ""
}

// stopping is about a pod that was told to go.
func (t task) stopping() (state, why string) {
	due := t.pod.DeletionTimestamp.Time
	why = "is being stopped"
	if c := t.condition(corev1.DisruptionTarget); c != nil {
		if c.Reason == "DeletionByPodGC" {
			return taskGone, "its node is gone"
		}
		why = join(c.Reason, c.Message)
	}
	if late := t.now.Sub(due); late > lostAfter {
		return taskUnreachable, fmt.Sprintf("%s; its node should have stopped it %s ago and does not answer", why, duration.HumanDuration(late))
	}
	return taskKilling, why
}

// unplaced is about a pod without a node.
func (t task) unplaced() string {
	c := t.condition(corev1.PodScheduled)
	switch {
	case c == nil || c.Status == corev1.ConditionTrue:
		return "waits for the scheduler"
	case c.Reason == corev1.PodReasonSchedulingGated:
		gates := make([]string, 0, len(t.pod.Spec.SchedulingGates))
		for _, gate := range t.pod.Spec.SchedulingGates {
			gates = append(gates, gate.Name)
		}
		return "is held back by " + strings.Join(gates, ", ")
	}
	return workload.SchedulerWords(c.Message)
}

// initializing is about a pod whose init containers are not done.
func (t task) initializing() (state, why string, found bool) {
	for i := range t.pod.Status.InitContainerStatuses {
		c := &t.pod.Status.InitContainerStatuses[i]
		switch {
		case c.State.Running != nil:
			return taskStarting, "prepares: " + c.Name, true
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			return taskStarting, c.Name + " " + exited(c), true
		case c.State.Waiting != nil && c.LastTerminationState.Terminated != nil:
			return taskStarting, c.Name + " " + exited(c), true
		case c.State.Waiting != nil && i == 0:
			return taskStaging, held(c.State.Waiting), true
		}
	}
	return "", "", false
}

// waiting is about a container that has not started, or has ended before.
func (t task) waiting(main *corev1.ContainerStatus) (state, why string) {
	waiting := main.State.Waiting
	last := main.LastTerminationState.Terminated
	switch {
	case waiting.Reason == "InvalidImageName":
		return taskError, held(waiting)
	case last != nil:
		return endState(last), t.ended(t.exited(main))
	}
	return taskStaging, held(waiting)
}

// ended adds how a task that has ended goes on.
func (t task) ended(how string) string {
	if t.delay != "" {
		return how + "; " + t.delay
	}
	return how
}

// held is why a container does not start.
func held(waiting *corev1.ContainerStateWaiting) string {
	switch waiting.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return "the container is being made"
	}
	return join(waiting.Reason, waiting.Message)
}

// exited says how the task ended last, and of several containers which.
func (t task) exited(c *corev1.ContainerStatus) string {
	if c != nil && workload.Several(t.pod) {
		return "container " + c.Name + " " + exited(c)
	}
	return exited(c)
}

// exited says how a container ended last.
func exited(c *corev1.ContainerStatus) string {
	if c == nil {
		return "ended"
	}
	last := c.State.Terminated
	if last == nil {
		last = c.LastTerminationState.Terminated
	}
	if last == nil {
		return "ended"
	}
	text := fmt.Sprintf("exited with code %d", last.ExitCode)
	if last.Reason == "OOMKilled" {
		text += " (OOMKilled: it used more memory than mem allows)"
	} else if last.Reason != "" && last.Reason != "Error" && last.Reason != "Completed" {
		text += " (" + last.Reason + ")"
	}
	if last.Message != "" {
		text += ": " + last.Message
	}
	if c.RestartCount > 0 {
		text += fmt.Sprintf(", restarts: %d", c.RestartCount)
	}
	return text
}

func endState(end *corev1.ContainerStateTerminated) string {
	if end.ExitCode == 0 {
		return taskFinished
	}
	return taskFailed
}

// The words for a task's health.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
	unchecked = "unknown"
)

// health is what the health checks say; "" where there are none.
func (t task) health() string {
	results := workload.HealthResults(&v1alpha1.App{}, t.pod)
	said := ""
	for _, r := range results {
		switch {
		case t.state != taskRunning || r.Alive == nil:
			said = cmp.Or(said, unchecked) // with no success yet
		case !*r.Alive:
			return unhealthy
		}
	}
	if said == "" && len(results) > 0 {
		return healthy
	}
	return said
}

// main is the state of the container that runs the task, or of the one of
// several that tells most.
func (t task) main() *corev1.ContainerStatus { return workload.TaskStatus(t.pod) }

// incarnation counts the starts of the instance, from 1.
func (t task) incarnation() int {
	if main := t.main(); main != nil {
		return int(main.RestartCount) + 1
	}
	return 1
}

// address is where others reach the task: its node where it has ports there.
func (t task) address() string {
	onNode, ports := false, []string{}
	for i := range t.pod.Spec.Containers {
		for _, p := range t.pod.Spec.Containers[i].Ports {
			number := p.ContainerPort
			if p.HostPort != 0 {
				onNode, number = true, p.HostPort
			}
			if text := strconv.Itoa(int(number)); !slices.Contains(ports, text) {
				ports = append(ports, text)
			}
		}
	}
	address := t.pod.Status.PodIP
	if onNode || t.pod.Spec.HostNetwork {
		address = t.pod.Status.HostIP
	}
	if address == "" || len(ports) == 0 {
		return address
	}
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return address + ":" + strings.Join(ports, ",")
}

// slot is the number of the instance within its configuration.
func (t task) slot() int {
	n, err := strconv.Atoi(t.pod.Labels[v1alpha1.SlotLabel])
	if err != nil {
		return -1
	}
	return n
}

func (t task) condition(kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range t.pod.Status.Conditions {
		if c := &t.pod.Status.Conditions[i]; c.Type == kind && (kind == corev1.PodScheduled || c.Status == corev1.ConditionTrue) {
			return c
		}
	}
	return nil
}

func join(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
