// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

const (
	// waitsForNode is what is said before the scheduler says anything.
	waitsForNode = "waits for a node"
	// ledger is how many attempts the status remembers.
	ledger = 16
	// kept is how many attempts that are over have their pods, and so their logs, kept.
	kept = 3
	// moment is how long a task may take to start before that is worth a write.
	moment = 2 * time.Second
)

// step is what is to be done about a run now.
type step struct {
	// status is what becomes of that of the run.
	status v1alpha1.JobRunStatus
	// create is the attempt whose Job is to be made, 0 for none.
	create int32
	// remove are Jobs that are to end.
	remove []*batchv1.Job
	// state is what the run has come to, as the reconciler takes it.
	state error
	// after is when to look again; 0 is not needed.
	after time.Duration
}

// step decides.
func (o *observed) step() step {
	s := step{status: *o.run.Status.DeepCopy()}
	if s.status.Finished() {
		s.remove = o.removable()
		s.state = verdict(&s.status)
		return s
	}
	if s.status.State == "" {
		s.status.State = v1alpha1.RunInitial
	}
	cur := last(&s.status)
	if cur != nil && cur.CompletedAt.IsZero() {
		o.fold(&s.status, cur)
		o.give(cur)
	}
	switch {
	case cur != nil && cur.CompletedAt.IsZero():
		s.remove = o.old
		o.goOn(&s, cur)
	case cur != nil && cur.State == v1alpha1.TaskFinished:
		o.finish(&s, v1alpha1.RunSuccess)
		s.state = verdict(&s.status)
	case cur != nil && len(o.unfinished) > 0 && !o.leaves(cur):
		// What comes next does not meet what was.
		s.remove = o.removable()
		s.state = o.ending(cur)
	default:
		o.next(&s, cur)
	}
	return s
}

// last is the last attempt, nil before there is any.
func last(s *v1alpha1.JobRunStatus) *v1alpha1.Attempt {
	if len(s.Attempts) == 0 {
		return nil
	}
	return &s.Attempts[len(s.Attempts)-1]
}

// ranOut says that the task of a Job of batch/v1 was seen to end by itself, whatever
// the cache has of its pod.
func ranOut(s *v1alpha1.JobRunStatus, job string) bool {
	return slices.ContainsFunc(s.Attempts, func(a v1alpha1.Attempt) bool {
		return a.Job == job && (a.State == v1alpha1.TaskFinished || a.State == v1alpha1.TaskFailed && a.Reason == "")
	})
}

// removable are the Jobs that are to end, and do not yet.
func (o *observed) removable() []*batchv1.Job {
	var all []*batchv1.Job
	for _, job := range o.unfinished {
		if job.DeletionTimestamp == nil {
			all = append(all, job)
		}
	}
	return all
}

// fold writes what was seen of an attempt into the ledger.
func (o *observed) fold(s *v1alpha1.JobRunStatus, a *v1alpha1.Attempt) {
	if pod := o.pod; pod != nil {
		a.Pod, a.Node = pod.Name, pod.Spec.NodeName
		a.TaskID = workload.RunTaskID(o.run, o.settings, string(pod.UID))
		if c := workload.Condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue && a.PlacedAt.IsZero() {
			a.PlacedAt = c.LastTransitionTime
		}
		if task := workload.TaskStatus(pod); task != nil {
			foldTask(a, task)
			if s.StartedAt.IsZero() {
				s.StartedAt = a.StartedAt
			}
		}
		a.State, a.Message = o.stateOf(a)
	}
	switch {
	case o.pod != nil && o.pod.Status.Phase == corev1.PodSucceeded:
		o.end(a, v1alpha1.TaskFinished, "", "")
	case o.pod != nil && o.pod.Status.Phase == corev1.PodFailed:
		state := v1alpha1.TaskFailed
		if o.pod.DeletionTimestamp != nil {
			state = v1alpha1.TaskKilled
		}
		o.end(a, state, "", describe(o.pod))
	case o.job == nil && a.Pod != "":
		o.end(a, v1alpha1.TaskKilled, "", "its Job was deleted")
	case o.job != nil && o.pod == nil && ended(o.job, batchv1.JobComplete):
		o.end(a, v1alpha1.TaskFinished, "", "")
	case o.job != nil && o.pod == nil && ended(o.job, batchv1.JobFailed):
		o.end(a, v1alpha1.TaskKilled, "", "its pod is gone, and how it ended not known")
	}
}

// foldTask notes when the container started, and how it ended.
func foldTask(a *v1alpha1.Attempt, task *corev1.ContainerStatus) {
	if end := task.State.Terminated; end != nil {
		a.ExitCode, a.StartedAt = ptr.To(end.ExitCode), end.StartedAt
	}
	if task.State.Running != nil {
		a.StartedAt = task.State.Running.StartedAt
	}
}

// stateOf is the state of a task whose pod is not over, and what it waits for.
func (o *observed) stateOf(a *v1alpha1.Attempt) (v1alpha1.TaskState, string) {
	task := workload.TaskStatus(o.pod)
	switch {
	case task != nil && (task.State.Running != nil || task.State.Terminated != nil):
		return v1alpha1.TaskRunning, "" // one that has ended is told of when its pod has
	case a.PlacedAt.IsZero():
		if words := workload.WhyGated(o.pod, o.quotas); words != "" {
			return v1alpha1.TaskCreated, words
		}
		if gates := o.pod.Spec.SchedulingGates; len(gates) > 0 {
			return v1alpha1.TaskCreated, "held back by the scheduling gate " + gates[0].Name
		}
		return v1alpha1.TaskCreated, reconciler.Shorten(workload.WhyNotPlaced(o.pod, len(workload.RunConstraints(&o.run.Spec.Run)) > 0))
	}
	_, words := workload.WhyNotStarting(o.pod, workload.RunSecretFiles(&o.run.Spec.Run))
	return v1alpha1.TaskStaging, reconciler.Shorten(words)
}

// end closes an attempt.
func (o *observed) end(a *v1alpha1.Attempt, state v1alpha1.TaskState, reason, message string) {
	a.State, a.Reason, a.Message = state, reason, reconciler.Shorten(message)
	a.CompletedAt = metav1.NewTime(o.now)
	if o.pod != nil {
		if end := workload.LastEnd(o.pod); end != nil && !end.FinishedAt.IsZero() {
			a.CompletedAt = end.FinishedAt
		}
	}
}

// describe says how a pod failed.
func describe(pod *corev1.Pod) string {
	if end := workload.LastEnd(pod); end != nil {
		return workload.DescribeEnd(end)
	}
	return strings.TrimSpace(pod.Status.Reason + ": " + pod.Status.Message)
}

// stopped says that somebody ended the run.
func (o *observed) stopped() bool {
	return ptr.Deref(o.run.Spec.Stop, false) || o.run.DeletionTimestamp != nil
}

// give gives an attempt up that must not go on.
func (o *observed) give(a *v1alpha1.Attempt) {
	if !a.CompletedAt.IsZero() {
		return
	}
	at, reason := o.due(a)
	switch {
	case o.stopped():
		o.end(a, v1alpha1.TaskKilled, v1alpha1.ReasonStopped, "the run was stopped")
	case o.pod != nil && o.pod.DeletionTimestamp != nil && o.lost:
		o.end(a, v1alpha1.TaskFailed, v1alpha1.ReasonTaskLost, "the node "+a.Node+" does not answer")
	case !at.IsZero() && !o.now.Before(at):
		message := "no node was found for it in time"
		if reason == v1alpha1.ReasonLaunchTimeout {
			message = fmt.Sprintf("it did not start within %s", o.settings.RunLaunchTimeout)
		}
		if a.Message != "" {
			message += ": " + a.Message
		}
		o.end(a, v1alpha1.TaskKilled, reason, message)
	}
}

// due is when an attempt is given up as it is, the zero time if it is not.
// Metronome's startingDeadlineSeconds is no window for ticks: it counts from the
// creation of the run to the first task that is placed.
func (o *observed) due(a *v1alpha1.Attempt) (time.Time, string) {
	deadline := o.run.Spec.StartingDeadlineSeconds
	switch {
	case a.PlacedAt.IsZero() && a.Number == 1 && deadline != nil:
		return o.run.CreationTimestamp.Add(time.Duration(*deadline) * time.Second), v1alpha1.ReasonStartingDeadline
	case !a.PlacedAt.IsZero() && a.StartedAt.IsZero() && o.settings.RunLaunchTimeout > 0:
		return a.PlacedAt.Add(o.settings.RunLaunchTimeout), v1alpha1.ReasonLaunchTimeout
	}
	return time.Time{}, ""
}

// goOn lets an attempt go on: its Job is made, if it is not there yet.
func (o *observed) goOn(s *step, a *v1alpha1.Attempt) {
	switch {
	case a.State == v1alpha1.TaskRunning:
		s.status.State = v1alpha1.RunActive
		s.state = &reconciler.NotReady{Reason: v1alpha1.ReasonRunning, Message: "its task runs on " + a.Node}
	case a.PlacedAt.IsZero() && o.pod != nil && a.Message == "" && o.now.Sub(o.pod.CreationTimestamp.Time) < moment:
		// The scheduler is about to look at it.
		s.status, s.state = *o.run.Status.DeepCopy(), o.asBefore()
		s.after = o.pod.CreationTimestamp.Add(moment).Sub(o.now)
		return
	case a.PlacedAt.IsZero():
		if a.Number > 1 {
			s.status.State = v1alpha1.RunStarting
		}
		reason := v1alpha1.ReasonWaiting
		if o.pod != nil && workload.Gated(o.pod) {
			reason = v1alpha1.ReasonQuota
		}
		s.state = &reconciler.NotReady{Reason: reason, Message: orElse(a.Message, waitsForNode)}
	case o.now.Sub(a.PlacedAt.Time) < moment && !o.told():
		// It is about to run, and that is what will be told.
		s.status, s.state = *o.run.Status.DeepCopy(), o.asBefore()
		s.after = a.PlacedAt.Add(moment).Sub(o.now)
		return
	default:
		s.status.State = v1alpha1.RunStarting
		reason, words := workload.WhyNotStarting(o.pod, workload.RunSecretFiles(&o.run.Spec.Run))
		s.state = &reconciler.NotReady{Reason: orElse(reason, v1alpha1.ReasonStarting), Message: orElse(words, "its task starts on "+a.Node)}
	}
	if o.job == nil {
		s.create = a.Number
	}
	if at, _ := o.due(a); !at.IsZero() {
		s.after = max(at.Sub(o.now), time.Millisecond)
	}
}

// told says that it is known already that a node was found for the task.
func (o *observed) told() bool {
	a := last(&o.run.Status)
	return a != nil && !a.PlacedAt.IsZero()
}

// asBefore is what was told of the run last.
func (o *observed) asBefore() error {
	c := meta.FindStatusCondition(o.run.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		return &reconciler.NotReady{Reason: v1alpha1.ReasonWaiting, Message: waitsForNode}
	}
	return &reconciler.NotReady{Reason: c.Reason, Message: c.Message}
}

// leaves says that a run does not wait for what is left of an attempt: its node
// may never answer again.
func (o *observed) leaves(a *v1alpha1.Attempt) bool {
	return o.lost && (o.stopped() || a.Reason == v1alpha1.ReasonTaskLost && !o.again(a))
}

// ending says that a task is on its way out.
func (o *observed) ending(a *v1alpha1.Attempt) error {
	reason := v1alpha1.ReasonRestarting
	if o.stopped() || !o.again(a) {
		reason = v1alpha1.ReasonStopping
	}
	message := "waits for the task to be gone from " + a.Node
	if a.Node == "" {
		message = "waits for the task to be gone"
	}
	return &reconciler.NotReady{Reason: reason, Message: message + ": " + a.Message}
}

// again says that another attempt follows on one that failed.
func (o *observed) again(a *v1alpha1.Attempt) bool {
	restart := o.run.Spec.Run.Restart
	switch {
	case o.stopped() || a.Reason == v1alpha1.ReasonStartingDeadline:
		return false
	case restart == nil || restart.Policy != v1alpha1.RestartOnFailure:
		return false
	}
	return restart.ActiveDeadlineSeconds == nil || o.now.Before(o.activeDeadline())
}

// activeDeadline is until when tasks that fail are followed by others. It ends no
// task: that is what Metronome does.
func (o *observed) activeDeadline() time.Time {
	return o.run.CreationTimestamp.Add(time.Duration(*o.run.Spec.Run.Restart.ActiveDeadlineSeconds) * time.Second)
}

// next starts an attempt, or ends the run. It is written down first, and made by
// the pass that the write brings on.
func (o *observed) next(s *step, before *v1alpha1.Attempt) {
	unsupported := workload.UnsupportedRun(o.run, o.settings)
	switch {
	case before == nil && o.stopped():
		o.fail(s, v1alpha1.ReasonStopped, "the run was stopped")
	case len(unsupported) > 0:
		o.fail(s, v1alpha1.ReasonUnsupported, strings.Join(unsupported, "; "))
	case before != nil && !o.again(before):
		o.fail(s, o.whyFailed(before), orElse(before.Message, "its task failed"))
	case o.of == nil:
		s.state = &reconciler.NotReady{Reason: v1alpha1.ReasonUnknownJob, Message: "there is no Job " + o.run.Spec.JobName}
	case !adopted(o.run):
		s.state = &reconciler.NotReady{Reason: v1alpha1.ReasonPending, Message: "waits for its Job to take notice of it"}
	default:
		number := s.status.AttemptCount + 1
		s.status.AttemptCount = number
		s.status.Attempts = append(s.status.Attempts, v1alpha1.Attempt{
			Number: number, Job: workload.AttemptName(o.run, number), State: v1alpha1.TaskCreated, CreatedAt: metav1.NewTime(o.now),
		})
		if extra := len(s.status.Attempts) - ledger; extra > 0 {
			s.status.Attempts = s.status.Attempts[extra:]
		}
		s.state = &reconciler.NotReady{Reason: v1alpha1.ReasonWaiting, Message: waitsForNode}
		if before != nil {
			s.status.State = v1alpha1.RunStarting
			s.state = &reconciler.NotReady{Reason: v1alpha1.ReasonRestarting, Message: fmt.Sprintf("attempt %d follows: %s", number, before.Message)}
		}
	}
}

// whyFailed is the reason for which no attempt follows.
func (o *observed) whyFailed(a *v1alpha1.Attempt) string {
	restart := o.run.Spec.Run.Restart
	switch {
	case a.Reason != "":
		return a.Reason
	case restart != nil && restart.Policy == v1alpha1.RestartOnFailure && !o.stopped():
		return v1alpha1.ReasonActiveDeadline
	case o.stopped():
		return v1alpha1.ReasonStopped
	}
	return v1alpha1.ReasonTaskFailed
}

func (o *observed) fail(s *step, reason, message string) {
	o.finish(s, v1alpha1.RunFailed)
	s.state = &reconciler.Terminal{Reason: reason, Message: message}
}

func (o *observed) finish(s *step, state v1alpha1.RunState) {
	s.status.State, s.status.CompletedAt = state, metav1.NewMicroTime(o.now)
}

// verdict is what a run that has finished came to, as it was told then.
func verdict(s *v1alpha1.JobRunStatus) error {
	if s.State == v1alpha1.RunSuccess {
		return &reconciler.Ready{Reason: v1alpha1.ReasonSucceeded, Message: ""}
	}
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionStalled); c != nil {
		return &reconciler.Terminal{Reason: c.Reason, Message: c.Message}
	}
	return &reconciler.Terminal{Reason: v1alpha1.ReasonTaskFailed, Message: ""}
}

// adopted says that the run will be counted.
func adopted(run *v1alpha1.JobRun) bool {
	return metav1.GetControllerOfNoCopy(run) != nil && controllerutil.ContainsFinalizer(run, v1alpha1.HistoryFinalizer)
}

func orElse(words, other string) string {
	if words != "" {
		return words
	}
	return other
}
