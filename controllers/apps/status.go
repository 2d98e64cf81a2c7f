// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// tally counts the pods of an App as its status does.
type tally struct {
	instances, upToDate    int32
	staged, running        int32
	healthy, old, stopping int32
	// available are the healthy ones that were once ready.
	available                   int32
	failing, waiting, unhealthy int32
	pulling, unproven           int32
	// words of the outside world on why something does not run, or is not healthy.
	failed, scheduler, puller, sick, proof string
}

func (o *observed) tally() tally {
	var t tally
	for i := range o.pods {
		t.add(o, &o.pods[i])
	}
	return t
}

func (t *tally) add(o *observed, pod *corev1.Pod) {
	instance := o.instance(pod)
	switch instance.Condition {
	case rollout.Lost, rollout.Ended:
		return
	case rollout.Stopping:
		t.stopping++
		return
	case rollout.Failing:
		t.failing++
		t.failed = describeEnd(lastEnd(pod))
		t.staged++
	case rollout.Staging:
		t.staged++
		t.whyStaging(pod)
	case rollout.Running:
		t.running++
		t.health(o, pod)
	}
	t.instances++
	if instance.Current {
		t.upToDate++
	} else {
		t.old++
	}
	if instance.Healthy {
		t.available++
	}
}

// health notes what the checks of a running task say.
func (t *tally) health(o *observed, pod *corev1.Pod) {
	why := ""
	if ready(pod) {
		t.healthy++
		if workload.ReadyOnce(pod) {
			return
		}
		for _, r := range workload.OtherResults(pod) {
			why = r.String()
		}
	} else {
		var sick bool
		if sick, why = o.ails(pod); sick {
			t.unhealthy++
			t.sick = colon(why)
			return
		}
	}
	if why != "" {
		t.unproven++
		t.proof = colon(why)
	}
}

func colon(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// whyStaging notes what the scheduler or the kubelet says about a pod that does not run.
func (t *tally) whyStaging(pod *corev1.Pod) {
	if c := podCondition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		t.waiting++
		t.scheduler = c.Message
		return
	}
	task := taskStatus(pod)
	if task == nil || task.State.Waiting == nil || task.State.Waiting.Message == "" {
		return
	}
	t.pulling++
	t.puller = task.State.Waiting.Reason + ": " + strings.ReplaceAll(task.State.Waiting.Message, pod.Name, "the pod")
}

// started says that a task is past its start: it once passed its health check.
func started(pod *corev1.Pod) bool {
	task := taskStatus(pod)
	return task != nil && task.Started != nil && *task.Started
}

// setStatus folds what was seen into the status of the App and returns its
// state: nil, or what is missing.
func setStatus(app *v1alpha1.App, seen *observed, backoff rollout.Backoff) error {
	t := seen.tally()
	s := &app.Status
	s.Selector = workload.Selector(app)
	s.Instances, s.InstancesUpToDate = t.instances, t.upToDate
	s.TasksStaged, s.TasksRunning = t.staged, t.running
	s.TasksHealthy, s.TasksUnhealthy = 0, 0
	if len(seen.app.Spec.HealthChecks) > 0 {
		s.TasksHealthy, s.TasksUnhealthy = t.healthy, t.unhealthy
	}
	s.Backoff = backoffStatus(backoff, seen.delays())
	for _, failure := range []*v1alpha1.TaskFailure{seen.lastFailure(), seen.lastKill()} {
		if failure != nil && (s.LastTaskFailure == nil || s.LastTaskFailure.Timestamp.Before(&failure.Timestamp)) {
			s.LastTaskFailure = failure
		}
	}
	n := seen.instances()
	if t.old == 0 && t.stopping == 0 && t.upToDate == n && t.available == n {
		return nil
	}
	reason, message := t.explain(app, n)
	return &reconciler.NotReady{Reason: reason, Message: message, Serving: t.serving(app, seen)}
}

// explain names the reason why an App is not as asked for, the worst first,
// and says how far it is.
func (t *tally) explain(app *v1alpha1.App, n int32) (reason, message string) {
	reason = t.work(app)
	words := []string{fmt.Sprintf("%d of %d instances run", t.running, n)}
	if t.old > 0 {
		words[0] = fmt.Sprintf("%d of %d instances run the new configuration, %d the old", t.upToDate, n, t.old)
	}
	if t.stopping > 0 {
		words = append(words, fmt.Sprintf("%d being stopped", t.stopping))
	}
	problems := []struct {
		count       int32
		reason, say string
	}{
		{t.failing, v1alpha1.ReasonBackOff, "failing and launched again after a delay: " + t.failed},
		{t.pulling, v1alpha1.ReasonImagePull, "not starting: " + t.puller},
		{t.waiting, v1alpha1.ReasonWaiting, "waiting for the scheduler: " + t.scheduler},
		{t.unhealthy, v1alpha1.ReasonUnhealthy, "not passing the health check" + t.sick},
		{t.unproven, "", "not there yet" + t.proof},
	}
	worst := ""
	for _, p := range problems {
		if p.count == 0 {
			continue
		}
		words = append(words, fmt.Sprintf("%d %s", p.count, p.say))
		if worst == "" {
			worst = p.reason
		}
	}
	if worst != "" {
		reason = worst
	}
	return reason, strings.Join(words, "; ")
}

// work is the kind of work under way.
func (t *tally) work(app *v1alpha1.App) string {
	reconciling := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReconciling)
	ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
	sameVersion := ready != nil && ready.ObservedGeneration == app.Generation
	info := app.Status.VersionInfo
	switch {
	case t.old > 0:
		return v1alpha1.ReasonUpgrading
	case sameVersion && (reconciling == nil || reconciling.Reason == v1alpha1.ReasonDegraded):
		// It was as asked for, and something was lost since.
		return v1alpha1.ReasonDegraded
	case info.LastScalingAt > info.LastConfigChangeAt:
		return v1alpha1.ReasonScaling
	case reconciling != nil && reconciling.Reason == v1alpha1.ReasonUpgrading:
		return v1alpha1.ReasonUpgrading
	}
	return v1alpha1.ReasonDeploying
}

// serving says that enough instances are healthy for the App to count as
// available while work is under way. An App that was never ready has to come up
// whole first; one that is scaled up is as good as it was.
func (t *tally) serving(app *v1alpha1.App, seen *observed) bool {
	n := seen.instances()
	needed := int32(math.Ceil(float64(n) * *seen.app.Spec.UpgradeStrategy.MinimumHealthCapacity))
	ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
	wasReady := ready != nil && ready.Status == "True"
	switch {
	case n == 0:
		return true
	case !wasReady:
		return t.available >= n
	case t.failing == 0 && t.unhealthy == 0:
		// Instances that are still on their way were never there to be missed.
		needed = min(needed, t.healthy)
	}
	return t.healthy >= max(needed, 1)
}

// lastFailure is the youngest failure of a task there is a trace of. That a
// task finishes, with exit code 0, is none, as in Marathon.
func (o *observed) lastFailure() *v1alpha1.TaskFailure {
	var pod *corev1.Pod
	var end *corev1.ContainerStateTerminated
	for i := range o.pods {
		e := lastEnd(&o.pods[i])
		if e == nil || e.ExitCode == 0 || o.pods[i].DeletionTimestamp != nil || end != nil && e.FinishedAt.Before(&end.FinishedAt) {
			continue
		}
		pod, end = &o.pods[i], e
	}
	if end == nil {
		return nil
	}
	return &v1alpha1.TaskFailure{
		TaskID:    o.taskID(pod),
		State:     "TASK_FAILED",
		Message:   describeEnd(end),
		Host:      pod.Status.HostIP,
		Version:   pod.Annotations[v1alpha1.VersionAnnotation],
		Timestamp: end.FinishedAt,
	}
}

// taskID is the Marathon id of the incarnation of a task that ended last: each
// restart by the kubelet is a new one.
func (o *observed) taskID(pod *corev1.Pod) string {
	task := taskStatus(pod)
	incarnation := task.RestartCount
	if task.State.Running == nil || incarnation == 0 {
		incarnation++
	}
	return fmt.Sprintf("%s.instance-%s._app.%d", pathid.Safe(o.id), pod.UID, incarnation)
}

func describeEnd(end *corev1.ContainerStateTerminated) string {
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
