// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is one run, and a cluster that does what it is told.
type rig struct {
	observed
	jobs  map[int32]*batchv1.Job
	story []string
}

func newRig(change func(run *v1alpha1.JobRun)) *rig {
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "data", Name: "extract", UID: "job"}}
	job.Spec.Run = v1alpha1.Run{Docker: &v1alpha1.RunDocker{Image: "example/extract"}}
	run := workload.NewRun(job, v1alpha1.Trigger{Type: v1alpha1.TriggerManual}, noon)
	run.UID, run.CreationTimestamp = "run", metav1.NewTime(noon)
	if change != nil {
		change(run)
	}
	r := &rig{jobs: map[int32]*batchv1.Job{}}
	r.run, r.of, r.now = run, job, noon
	r.settings = workload.DefaultSettings()
	return r
}

// pass makes passes until nothing changes, and writes down what each led to.
func (r *rig) pass(after time.Duration) *rig {
	r.now = r.now.Add(after)
	for range 5 {
		before := r.run.Status.DeepCopy()
		s := r.step()
		r.run.Status = s.status
		for _, job := range s.remove {
			r.tell("remove %s", job.Name[len(job.Name)-1:])
			job.DeletionTimestamp = ptr.To(metav1.NewTime(r.now))
		}
		if s.create != 0 {
			r.tell("create %d", s.create)
			r.job = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: workload.AttemptName(r.run, s.create)}}
			r.pod, r.lost = nil, false
			r.jobs[s.create] = r.job
			r.unfinished = append(r.unfinished, r.job)
		}
		if last := last(&r.run.Status); last != nil && s.create == 0 && (r.job == nil || r.job.Name != last.Job) {
			r.job, r.pod = r.jobs[last.Number], nil
		}
		same := reflect.DeepEqual(&r.run.Status, before)
		if !same {
			r.tell("%s: %s", r.run.Status.State, words(s.state))
		}
		if s.create == 0 && same {
			break
		}
	}
	return r
}

func words(err error) string {
	switch e := err.(type) { //nolint:errorlint // they are not wrapped
	case *reconciler.Terminal:
		return "stalled, " + e.Reason + ", " + e.Message
	case *reconciler.Ready:
		return "ready, " + e.Reason
	}
	return fmt.Sprint(err)
}

func (r *rig) tell(format string, args ...any) {
	r.story = append(r.story, fmt.Sprintf("%3.0fs ", r.now.Sub(noon).Seconds())+fmt.Sprintf(format, args...))
}

// placed puts the pod of the attempt on a node.
func (r *rig) placed() *rig {
	r.pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", UID: "pod"}, Spec: corev1.PodSpec{NodeName: "node-1"}}
	r.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(r.now)}}
	return r
}

func (r *rig) waits(message string) *rig {
	r.pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", UID: "pod"}}
	r.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message}}
	return r
}

func (r *rig) runs() *rig {
	r.placed().pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: v1alpha1.TaskContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(r.now)}},
	}}
	r.pod.Status.Phase = corev1.PodRunning
	return r
}

func (r *rig) ends(code int32) *rig {
	r.runs().pod.Status.ContainerStatuses[0].State = corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: metav1.NewTime(r.now), FinishedAt: metav1.NewTime(r.now)},
	}
	r.pod.Status.Phase = corev1.PodSucceeded
	if code != 0 {
		r.pod.Status.Phase = corev1.PodFailed
	}
	r.gone()
	return r
}

// gone says that no process is left of any attempt.
func (r *rig) gone() *rig {
	r.unfinished = nil
	return r
}

func onFailure(deadline *int32) func(run *v1alpha1.JobRun) {
	return func(run *v1alpha1.JobRun) {
		run.Spec.Run.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, ActiveDeadlineSeconds: deadline}
	}
}

// TestStories tells what becomes of runs, a line for each step.
func TestStories(t *testing.T) {
	for _, c := range []struct {
		name string
		told *rig
		want string
	}{
		{"does its work", newRig(nil).pass(0).waits("0/3 nodes are available: 3 Insufficient cpu.").pass(1 * time.Second).placed().pass(1 * time.Second).pass(2 * time.Second).runs().pass(1 * time.Second).ends(0).pass(time.Minute), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s INITIAL: Waiting: waiting for the scheduler: InsufficientCpus 3, of 3 nodes: 0/3 nodes are available: 3 Insufficient cpu.
  4s STARTING: Starting: its task starts on node-1
  5s ACTIVE: Running: its task runs on node-1
 65s SUCCESS: ready, Succeeded`},
		{"fails, and never again", newRig(nil).pass(0).runs().pass(time.Second).ends(3).pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
  2s FAILED: stalled, TaskFailed, exit code 3`},
		{"starts again at once, until it succeeds", newRig(onFailure(nil)).pass(0).runs().pass(time.Second).ends(3).pass(time.Second).runs().pass(time.Second).ends(0).pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
  2s STARTING: Restarting: attempt 2 follows: exit code 3
  2s create 2
  3s ACTIVE: Running: its task runs on node-1
  4s SUCCESS: ready, Succeeded`},
		{"runs over its deadline, which ends only what follows on failures", newRig(onFailure(ptr.To[int32](60))).pass(0).runs().pass(time.Second).pass(time.Hour).ends(3).pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
3602s FAILED: stalled, ActiveDeadlineExceeded, exit code 3`},
		{"is not placed in time", newRig(func(run *v1alpha1.JobRun) { run.Spec.StartingDeadlineSeconds = ptr.To[int32](60) }).pass(0).waits("0/1 nodes are available: 1 Insufficient cpu.").pass(time.Second).pass(59 * time.Second).gone().pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s INITIAL: Waiting: waiting for the scheduler: InsufficientCpus 1, of 1 nodes: 0/1 nodes are available: 1 Insufficient cpu.
 60s remove 1
 60s INITIAL: Stopping: waits for the task to be gone: no node was found for it in time: waiting for the scheduler: InsufficientCpus 1, of 1 nodes: 0/1 nodes are available: 1 Insufficient cpu.
 61s FAILED: stalled, StartingDeadlineExceeded, no node was found for it in time: waiting for the scheduler: InsufficientCpus 1, of 1 nodes: 0/1 nodes are available: 1 Insufficient cpu.`},
		{"does not start in time, and is tried elsewhere", newRig(onFailure(nil)).pass(0).placed().pass(time.Second).pass(2 * time.Second).pass(10 * time.Minute).gone().pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  3s STARTING: Starting: its task starts on node-1
603s remove 1
603s STARTING: Restarting: waits for the task to be gone from node-1: it did not start within 10m0s
604s STARTING: Restarting: attempt 2 follows: it did not start within 10m0s
604s create 2`},
		{"is stopped while it runs", newRig(nil).pass(0).runs().pass(time.Second).stop().pass(time.Second).gone().pass(3 * time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
  2s remove 1
  2s ACTIVE: Stopping: waits for the task to be gone from node-1: the run was stopped
  5s FAILED: stalled, Stopped, the run was stopped`},
		{"is stopped before it began", newRig(nil).stop().pass(0), `
  0s FAILED: stalled, Stopped, the run was stopped`},
		{"loses its node, and fails at once", newRig(nil).pass(0).runs().pass(time.Second).loses().pass(time.Minute), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
 61s FAILED: stalled, TaskLost, the node node-1 does not answer
 61s remove 1`},
		{"loses its node, and waits to be sure before it starts again", newRig(onFailure(nil)).pass(0).runs().pass(time.Second).loses().pass(time.Minute).pass(time.Hour).gone().pass(time.Second), `
  0s INITIAL: Waiting: waits for a node
  0s create 1
  1s ACTIVE: Running: its task runs on node-1
 61s remove 1
 61s ACTIVE: Restarting: waits for the task to be gone from node-1: the node node-1 does not answer
3662s STARTING: Restarting: attempt 2 follows: the node node-1 does not answer
3662s create 2`},
		{"is of no Job", newRig(nil).orphan().pass(0), `
  0s INITIAL: UnknownJob: there is no Job extract`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(c.told.story, "\n"); got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("got:\n%s\nwant:%s", got, c.want)
			}
		})
	}
}

func (r *rig) stop() *rig {
	r.run.Spec.Stop = ptr.To(true)
	return r
}

func (r *rig) loses() *rig {
	r.lost, r.pod.DeletionTimestamp = true, ptr.To(metav1.NewTime(r.now))
	return r
}

func (r *rig) orphan() *rig {
	r.of = nil
	return r
}

// The kubelet tells that a container has ended before it tells so of the pod: the
// run is no other for that moment.
func TestBetweenContainerAndPod(t *testing.T) {
	r := newRig(nil)
	r.pass(0).runs().pass(time.Second)
	r.ends(0).pod.Status.Phase = corev1.PodRunning
	story := len(r.story)
	if r.pass(time.Second); r.run.Status.State != v1alpha1.RunActive {
		t.Errorf("the run is %s: %q", r.run.Status.State, r.story[story:])
	}
	if r.ends(0).pass(time.Second); r.run.Status.State != v1alpha1.RunSuccess {
		t.Errorf("the run is %s", r.run.Status.State)
	}
}

// What the ledger knows holds, whatever the cache has of pods.
func TestRanOut(t *testing.T) {
	for _, c := range []struct {
		state  v1alpha1.TaskState
		reason string
		want   bool
	}{
		{v1alpha1.TaskRunning, "", false},
		{v1alpha1.TaskFinished, "", true},
		{v1alpha1.TaskFailed, "", true},
		{v1alpha1.TaskFailed, v1alpha1.ReasonTaskLost, false},
		{v1alpha1.TaskKilled, v1alpha1.ReasonStopped, false},
	} {
		s := &v1alpha1.JobRunStatus{Attempts: []v1alpha1.Attempt{{Job: "one", State: c.state, Reason: c.reason}}}
		if got := ranOut(s, "one"); got != c.want || ranOut(s, "two") {
			t.Errorf("%s %s: %t", c.state, c.reason, got)
		}
	}
}
