// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

// page is all there is to say about one App.
type page struct {
	app *v1alpha1.App
	// id is the Marathon id, "" if its name belongs to none.
	id   string
	pods []corev1.Pod
	// hidden is why the caller may not see the pods.
	hidden string
	wide   bool
	now    time.Time
}

func (p page) print(w io.Writer) error {
	tasks := p.tasks()
	t := newTable(w, true)
	p.head(t)
	p.progress(t, tasks)
	p.failure(t)
	if err := t.flush(); err != nil {
		return err
	}
	if err := p.conditions(w); err != nil {
		return err
	}
	p.waiting(w, tasks)
	return p.taskTable(w, tasks)
}

func (p page) head(t *table) {
	status, spec := &p.app.Status, &p.app.Spec
	t.row("Id:", orNone(p.id))
	t.row("Name:", p.app.Name)
	t.row("Namespace:", p.app.Namespace)
	if image := image(spec); image != "" {
		t.row("Image:", image)
	}
	if spec.Cmd != nil {
		t.row("Command:", *spec.Cmd)
	}
	t.row("Version:", orNone(status.Version))
	t.row("Age:", age(p.app.CreationTimestamp.Time, p.now))
	line := fmt.Sprintf("%d of %d running", status.TasksRunning, p.wanted())
	if status.TasksStaged > 0 {
		line += fmt.Sprintf(", %d staged", status.TasksStaged)
	}
	if workload.HasHealthChecks(spec) {
		line += fmt.Sprintf(", %d healthy, %d unhealthy", status.TasksHealthy, status.TasksUnhealthy)
	}
	t.row("Instances:", line)
}

// progress is about an upgrade and the launch delay.
func (p page) progress(t *table, tasks []task) {
	var old, oldRunning, current, currentRunning, stopping int
	for _, task := range tasks {
		running := 0
		if task.state == taskRunning {
			running = 1
		}
		switch {
		case task.pod.DeletionTimestamp != nil:
			stopping++
		case p.isCurrent(task):
			current++
			currentRunning += running
		default:
			old++
			oldRunning += running
		}
	}
	if old > 0 {
		line := fmt.Sprintf("%d of %d new (%d running), %d old (%d running)", current, p.wanted(), currentRunning, old, oldRunning)
		if stopping > 0 {
			line += fmt.Sprintf(", %d being stopped", stopping)
		}
		t.row("Upgrade:", line)
	}
	if b := p.app.Status.Backoff; b != nil && b.Failures > 0 {
		line := fmt.Sprintf("failures: %d", b.Failures)
		if !b.LastFailureTime.IsZero() {
			line += fmt.Sprintf(", the last %s ago", age(b.LastFailureTime.Time, p.now))
		}
		t.row("Back-off:", line+", "+cmp.Or(p.delay(), "launches are not delayed now"))
	}
}

func (p page) failure(t *table) {
	f := p.app.Status.LastTaskFailure
	if f == nil {
		return
	}
	line := join(f.State, f.Message)
	if !f.Timestamp.IsZero() {
		line += fmt.Sprintf(", %s ago", age(f.Timestamp.Time, p.now))
	}
	if f.Host != "" {
		line += ", on " + f.Host
	}
	t.row("Last Failure:", line)
	if f.TaskID != "" {
		t.row("", f.TaskID)
	}
}

func (p page) conditions(w io.Writer) error {
	s := &p.app.Status
	return conditionTable(w, "App", s.Conditions, s.ObservedGeneration < p.app.Generation, p.now)
}

// conditionTable prints the conditions of an object of a kind. They are old
// where they are of an earlier definition.
func conditionTable(w io.Writer, kind string, conditions []metav1.Condition, old bool, now time.Time) error {
	fmt.Fprintln(w, "Conditions:")
	if len(conditions) == 0 {
		fmt.Fprintln(w, "  "+none+": the kdcos manager has not seen the "+kind+" yet")
		return nil
	}
	if old {
		fmt.Fprintln(w, "  (of an earlier definition: the kdcos manager has not seen the last change yet)")
	}
	t := newPart(w, "TYPE", "STATUS", "REASON", "AGE", "MESSAGE")
	for _, c := range conditions {
		t.row(c.Type, string(c.Status), c.Reason, age(c.LastTransitionTime.Time, now), c.Message)
	}
	return t.flush()
}

// waiting sums up what waits: instances without a task, tasks without a node.
func (p page) waiting(w io.Writer, tasks []task) {
	var lines []string
	launched := 0
	unplaced := map[string]int{}
	for _, task := range tasks {
		phase := task.pod.Status.Phase
		if task.pod.DeletionTimestamp != nil || phase == corev1.PodFailed || phase == corev1.PodSucceeded {
			continue
		}
		launched++
		if task.pod.Spec.NodeName == "" {
			unplaced[p.unplaced(task)]++
		}
	}
	if missing := p.wanted() - launched; missing > 0 && p.hidden == "" {
		lines = append(lines, fmt.Sprintf("%d not launched: %s", missing, p.notLaunched()))
	}
	for _, why := range slices.Sorted(maps.Keys(unplaced)) {
		lines = append(lines, fmt.Sprintf("%d without a node: %s", unplaced[why], why))
	}
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, "Waiting:")
	for _, line := range lines {
		fmt.Fprintln(w, "  "+line)
	}
}

// unplaced is why a task has no node, in Marathon's words if there are any.
func (p page) unplaced(t task) string {
	if c := t.condition(corev1.PodScheduled); c != nil {
		// Constraints are affinities: a selector alone is for the role.
		constrained := t.pod.Spec.Affinity != nil || t.pod.Spec.NodeSelector[v1alpha1.NodeRoleLabel] == ""
		if all, nodes := workload.Funnel(c.Message, constrained); nodes > 0 {
			return workload.SayFunnel(all, nodes)
		}
	}
	return t.why
}

// notLaunched is why there are fewer tasks than asked for.
func (p page) notLaunched() string {
	if delay := p.delay(); delay != "" {
		return delay
	}
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(p.app.Status.Conditions, kind); c != nil {
			return because(c)
		}
	}
	return "the kdcos manager has not acted yet"
}

// delay says until when launches wait.
func (p page) delay() string {
	b := p.app.Status.Backoff
	if b == nil || !b.NextLaunchTime.After(p.now) {
		return ""
	}
	return "waits for the launch delay: next launch in " + duration.HumanDuration(b.NextLaunchTime.Sub(p.now))
}

func (p page) tasks() []task {
	tasks := make([]task, 0, len(p.pods))
	for i := range p.pods {
		tasks = append(tasks, newTask(&p.pods[i], p.delay(), p.now))
	}
	slices.SortFunc(tasks, func(a, b task) int {
		return cmp.Or(
			-cmp.Compare(p.versionOf(a), p.versionOf(b)),
			cmp.Compare(a.slot(), b.slot()),
			cmp.Compare(a.pod.Name, b.pod.Name))
	})
	return tasks
}

func (p page) taskTable(w io.Writer, tasks []task) error {
	switch {
	case p.hidden != "":
		fmt.Fprintf(w, "Tasks: not shown: %s\n", p.hidden)
		return nil
	case len(tasks) == 0:
		fmt.Fprintln(w, "Tasks: "+none)
		return nil
	}
	fmt.Fprintln(w, "Tasks:")
	headers := []string{"TASK", "STATE", "HEALTH", "NODE", "ADDRESS", "VERSION", "AGE", "WHY"}
	if p.wide {
		headers = slices.Insert(headers, 1, "POD")
	}
	t := newPart(w, headers...)
	for _, task := range tasks {
		cells := []string{
			p.taskID(task), task.state, orNone(task.health()), orNone(task.pod.Spec.NodeName), orNone(task.address()),
			orNone(p.versionOf(task)), age(task.pod.CreationTimestamp.Time, p.now), task.why,
		}
		if p.wide {
			cells = slices.Insert(cells, 1, task.pod.Name)
		}
		t.row(cells...)
	}
	return t.flush()
}

// taskID is the id of the task in Marathon's form.
func (p page) taskID(t task) string {
	safe := pathid.Safe(p.id)
	if p.id == "" {
		safe = strings.ReplaceAll(p.app.Name, ".", "_")
	}
	container := "_app"
	if main := t.main(); main != nil && workload.Several(t.pod) {
		container = main.Name
	}
	return fmt.Sprintf("%s.instance-%s.%s.%d", safe, t.pod.UID, container, t.incarnation())
}

func (p page) versionOf(t task) string { return t.pod.Annotations[v1alpha1.VersionAnnotation] }

func (p page) isCurrent(t task) bool {
	return t.pod.Labels[v1alpha1.ConfigLabel] == p.app.Status.ConfigHash
}

func (p page) wanted() int { return int(wanted(p.app)) }

// wanted is how many tasks an App is to have. Where they follow the nodes, that
// is the manager's to know, which makes so many.
func wanted(app *v1alpha1.App) int32 {
	if n := app.Spec.Desired(); n == 0 || !app.Spec.RunsPerNode() {
		return n
	}
	return app.Status.Instances
}
