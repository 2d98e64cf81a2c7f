// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/prober"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// unhealthy is the reason of a kill by a health check.
const unhealthy rollout.Reason = "unhealthy"

// trial is what is known of one check of one task: results go in, a condition
// and whether to kill the task come out. It is Marathon's Health: a task is
// known from its first success, or from the first failure that counts.
type trial struct {
	check workload.TaskCheck
	// started is when the task did.
	started time.Time
	// condition is what the pod should say; its status is "" while there is nothing to say.
	condition corev1.PodCondition
	// counts says that failures do: the task has passed once, or its grace period was over.
	counts bool
	// failures is their number since the last success, failed when the last
	// one that mattered was, and cause why.
	failures int32
	failed   time.Time
	cause    string
}

// resume is the trial of a task of which a pod tells: a new manager starts with
// what is written there and counts failures anew, as a new leader of Marathon.
// What is written of the task before a restart is taken back.
func resume(check workload.TaskCheck, pod *corev1.Pod, started time.Time, restarted bool) trial {
	t := trial{check: check, started: started, condition: corev1.PodCondition{Type: check.Condition}}
	c := workload.Condition(pod, check.Condition)
	switch {
	case c == nil:
	case !restarted && workload.OfThisTask(pod, c):
		t.condition = *c
		t.counts = c.Status != corev1.ConditionUnknown
	case c.Status == corev1.ConditionUnknown:
		t.condition = *c
	default:
		t.say(corev1.ConditionUnknown, v1alpha1.PodReasonRestarted, "", started)
	}
	return t
}

// kills says that the task has failed the check as often as it may.
func (t *trial) kills() bool {
	return t.check.KillAfter > 0 && t.failures >= t.check.KillAfter
}

// done says that there is nothing more to ask: a task is once ready for ever.
func (t *trial) done() bool {
	return t.check.Condition == v1alpha1.PodConditionReadinessCheck && t.condition.Status == corev1.ConditionTrue
}

// verdict is what a result is taken for.
type verdict string

const (
	success   verdict = "success"
	failure   verdict = "failure"
	discarded verdict = "discarded"
)

// judge takes a result in, and says whether that changes what is to be said or done.
func (t *trial) judge(r prober.Result) (is verdict, changed bool) {
	if t.check.IgnoreHTTP1xx && r.Code >= 100 && r.Code < 200 {
		return discarded, false
	}
	answer := r.Cause
	if r.Code != 0 {
		answer = strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, http.StatusText(r.Code)))
	}
	if t.check.KeepAnswer && r.Body != "" {
		answer += ": " + r.Body
	}
	if !t.passes(r) {
		return failure, t.fail(answer, r.Time)
	}
	reason := v1alpha1.PodReasonRecovered
	switch {
	case t.condition.Status == corev1.ConditionTrue && t.condition.Message == answer || t.condition.Status == corev1.ConditionTrue && !t.reports():
		t.failures = 0
		return success, false
	case t.condition.Status == corev1.ConditionTrue:
		reason = t.condition.Reason
	case !t.counts:
		reason = v1alpha1.PodReasonFirstSuccess
	}
	t.counts, t.failures = true, 0
	t.say(corev1.ConditionTrue, reason, answer, r.Time)
	return success, true
}

func (t *trial) passes(r prober.Result) bool {
	switch {
	case r.Cause != "":
		return false
	case r.Code == 0:
		return true // a connection
	case len(t.check.Codes) > 0:
		return slices.Contains(t.check.Codes, int32(r.Code)) //nolint:gosec // three digits
	}
	return r.Code >= http.StatusOK && r.Code < http.StatusBadRequest
}

// fail takes a failure in. Within the grace period it does not count, but the
// first says what the task waits for.
func (t *trial) fail(cause string, at time.Time) (changed bool) {
	grace := time.Duration(t.check.GraceSeconds) * time.Second
	if !t.counts && at.Before(t.started.Add(grace)) {
		if t.condition.Reason == v1alpha1.PodReasonGracePeriod {
			return false
		}
		t.say(corev1.ConditionUnknown, v1alpha1.PodReasonGracePeriod, cause, at)
		return true
	}
	t.counts = true
	if t.failures++; t.failures == t.check.KillAfter {
		t.failed, t.cause, changed = at, cause, true
	}
	if t.condition.Status == corev1.ConditionFalse && (!t.reports() || t.condition.Message == cause) {
		return changed
	}
	t.say(corev1.ConditionFalse, v1alpha1.PodReasonFailing, cause, at)
	return true
}

// reports says that each new answer is to be seen, not only a new outcome: what
// a rollout waits for changes while a task starts.
func (t *trial) reports() bool {
	return t.check.KeepAnswer || !t.check.Gates()
}

func (t *trial) say(status corev1.ConditionStatus, reason, message string, at time.Time) {
	if at.Before(t.started) {
		// Clocks differ. What is said of a task is never older than the task.
		at = t.started
	}
	since := metav1.NewTime(at.Truncate(time.Second))
	if last := t.condition.LastTransitionTime; t.condition.Status == status && !last.Time.Before(t.started) {
		since = last
	}
	t.condition = corev1.PodCondition{Type: t.check.Condition, Status: status, Reason: reason, Message: message, LastTransitionTime: since}
}

// doom is the check that a running task has failed as often as it may, nil if
// there is none. Like Marathon, it leaves alone what can't be reached.
func (o *observed) doom(pod *corev1.Pod) *trial {
	trials := o.health[pod.UID].trials
	i := slices.IndexFunc(trials, func(t trial) bool { return t.kills() })
	if i < 0 || o.condition(pod) != rollout.Running {
		return nil
	}
	return &trials[i]
}

// killUnhealthy adds the tasks that fail their health checks to a plan, which
// counts them as being stopped already. No launch delay follows: in Marathon,
// being killed is no failure.
func (o *observed) killUnhealthy(plan *rollout.Plan) {
	for i := range o.pods {
		if pod := &o.pods[i]; o.doom(pod) != nil && !o.health[pod.UID].killed {
			plan.Kill = append(plan.Kill, rollout.Kill{Name: pod.Name, Reason: unhealthy})
		}
	}
}

// lastKill is the youngest kill by a health check, as Marathon reports it.
func (o *observed) lastKill() *v1alpha1.TaskFailure {
	var last *v1alpha1.TaskFailure
	for i := range o.pods {
		pod := &o.pods[i]
		t := o.doom(pod)
		if t == nil || last != nil && t.failed.Before(last.Timestamp.Time) {
			continue
		}
		last = &v1alpha1.TaskFailure{
			TaskID:    o.incarnationID(pod, taskStatus(pod).RestartCount+1),
			State:     "TASK_KILLED",
			Message:   reconciler.Shorten(fmt.Sprintf("Task was killed since health check failed. Reason: %s: %s", &t.check, t.cause)),
			Host:      pod.Status.HostIP,
			Version:   pod.Annotations[v1alpha1.VersionAnnotation],
			Timestamp: metav1.NewTime(t.failed.Truncate(time.Second)),
		}
	}
	return last
}

// ails is what the health checks of a running task that is not healthy say:
// whether it is known to fail one, and which and why, as far as that is known.
// A task without a result is neither healthy nor sick.
func (o *observed) ails(pod *corev1.Pod) (sick bool, why string) {
	results := workload.HealthResults(o.app, pod)
	if len(results) == 0 {
		return started(pod), ""
	}
	for _, r := range results {
		failing := r.Alive != nil && !*r.Alive
		if !failing && r.LastFailureCause == "" {
			continue
		}
		if len(results) > 1 || r.LastFailureCause != "" {
			why = r.String()
		}
		if failing {
			return true, why
		}
	}
	return false, why
}
