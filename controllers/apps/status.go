// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
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
	available                       int32
	failing, unhealthy, unreachable int32
	// gated are those that wait for a quota.
	gated int32
	// why counts, by reason, the words on why instances do not run.
	why map[string]map[string]int32
}

// because notes why an instance does not run, in the words of whom it is up to.
func (t *tally) because(reason, words string) { t.becauseOf(reason, words, 1) }

// becauseOf notes why so many do not run.
func (t *tally) becauseOf(reason, words string, n int32) {
	if t.why == nil {
		t.why = map[string]map[string]int32{}
	}
	if t.why[reason] == nil {
		t.why[reason] = map[string]int32{}
	}
	t.why[reason][words] += n
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
	case rollout.Ended:
		if workload.Over(pod) {
			t.over(pod)
		}
		return
	case rollout.Lost:
		return
	case rollout.Stopping:
		t.stopping++
		return
	case rollout.Failing:
		t.failing++
		t.because(v1alpha1.ReasonBackOff, "failing and launched again after a delay: "+workload.DescribeEnd(workload.LastEnd(pod)))
		t.staged++
	case rollout.Unreachable:
		t.unreachable++
		t.because(v1alpha1.ReasonUnreachable, "on a node that does not answer: "+pod.Spec.NodeName)
	case rollout.Staging:
		t.staged++
		t.whyStaging(o, pod)
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
			t.because(v1alpha1.ReasonUnhealthy, "not passing the health check"+colon(why))
			return
		}
	}
	if why != "" {
		t.because("", "not there yet"+colon(why))
	}
}

func colon(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// whyStaging notes what the scheduler or the kubelet says about a pod that does
// not run; of the scheduler in Marathon's words, too.
func (t *tally) whyStaging(o *observed, pod *corev1.Pod) {
	if words := workload.WhyGated(pod, o.quotas); words != "" {
		t.gated++
		t.because(v1alpha1.ReasonQuota, words)
		return
	}
	if words := workload.WhyNotPlaced(pod, len(o.app.Spec.Constraints) > 0); words != "" {
		t.because(v1alpha1.ReasonWaiting, words)
		return
	} else if volume := o.unprovided(slotOf(pod)); volume != "" && workload.Condition(pod, corev1.PodScheduled) == nil {
		t.because(v1alpha1.ReasonWaiting, "waiting for the volume "+volume+", which nothing has provided yet")
		return
	}
	for _, c := range []*corev1.ContainerStatus{taskStatus(pod), workload.FailedFetch(pod)} {
		if c != nil && c.State.Terminated != nil {
			t.failing++
			t.because(v1alpha1.ReasonBackOff, "ended and about to start again: "+workload.DescribeEnd(c.State.Terminated))
			return
		}
	}
	if reason, words := workload.WhyNotStarting(pod, workload.SecretFiles(&o.app.Spec)); reason != "" {
		t.because(reason, words)
	}
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
	if workload.HasHealthChecks(&seen.app.Spec) {
		s.TasksHealthy, s.TasksUnhealthy = t.healthy, t.unhealthy
	}
	s.Backoff = backoffStatus(backoff, seen.delays())
	for _, failure := range []*v1alpha1.TaskFailure{seen.lastFailure(), seen.lastKill()} {
		if failure != nil && (s.LastTaskFailure == nil || s.LastTaskFailure.Timestamp.Before(&failure.Timestamp)) {
			s.LastTaskFailure = failure
		}
	}
	t.whyGone(seen, s, backoff)
	n := seen.instances()
	if t.old == 0 && t.stopping == 0 && t.upToDate >= n && t.upToDate <= n+seen.spares && t.available >= n {
		if n > 0 && s.ConfigHash == seen.config && s.Version != "" {
			s.LastAvailable = &v1alpha1.AvailableVersion{Version: s.Version, ConfigHash: s.ConfigHash}
		}
		return seen.verdict(s, nil)
	}
	if missing := n - t.upToDate - t.stopping; t.gated >= mostGated && missing > 0 {
		t.becauseOf(v1alpha1.ReasonQuota, fmt.Sprintf("to be put in line after those: %d of an app wait at once", mostGated), missing)
	}
	reason, message := t.explain(app, n)
	return seen.verdict(s, &reconciler.NotReady{Reason: reason, Message: message, Serving: t.serving(app, seen)})
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
	worst := ""
	for _, problem := range problems {
		if t.why[problem] != nil && worst == "" {
			worst = problem
		}
		words = append(words, most(t.why[problem])...)
	}
	switch {
	case worst == v1alpha1.ReasonQuota && t.old > 0 && t.stopping == 0:
		reason = v1alpha1.ReasonBlockedByQuota
	case worst != "":
		reason = worst
	}
	return reason, strings.Join(words, "; ")
}

// problems are the reasons why instances do not run, the worst first. The last
// is none: what only needs its time.
var problems = []string{
	v1alpha1.ReasonBackOff, v1alpha1.ReasonImagePull, v1alpha1.ReasonNotStarting, v1alpha1.ReasonWaiting, v1alpha1.ReasonQuota, v1alpha1.ReasonUnreachable, v1alpha1.ReasonUnhealthy, "",
}

// most says what is said most, and how often; a few of many things are enough.
func most(counts map[string]int32) []string {
	const enough = 3
	said := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var lines []string
	rest := int32(0)
	for i, words := range said {
		if i < enough {
			lines = append(lines, fmt.Sprintf("%d %s", counts[words], words))
		} else {
			rest += counts[words]
		}
	}
	if rest > 0 {
		lines = append(lines, fmt.Sprintf("%d for other such reasons", rest))
	}
	return lines
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
	case t.failing == 0 && t.unhealthy == 0 && t.unreachable == 0:
		// Instances that are still on their way were never there to be missed.
		needed = min(needed, t.healthy)
	}
	return t.healthy >= max(needed, 1)
}

// lastFailure is the youngest failure of a task there is a trace of: it ended,
// its node gave it up, or it did not start in time. That a task finishes, with
// exit code 0, is none, as in Marathon.
func (o *observed) lastFailure() *v1alpha1.TaskFailure {
	var last *v1alpha1.TaskFailure
	for i := range o.pods {
		pod := &o.pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		message, at := o.failure(pod)
		if message == "" || last != nil && at.Before(&last.Timestamp) {
			continue
		}
		last = &v1alpha1.TaskFailure{
			TaskID:    o.taskID(pod),
			State:     "TASK_FAILED",
			Message:   reconciler.Shorten(message),
			Host:      pod.Status.HostIP,
			Version:   pod.Annotations[v1alpha1.VersionAnnotation],
			Timestamp: at,
		}
	}
	return last
}

// failure is how and when the task of a pod failed last, "" if it did not.
func (o *observed) failure(pod *corev1.Pod) (message string, at metav1.Time) {
	end := workload.LastEnd(pod)
	switch {
	case pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "":
		// Its node gave it up, for lack of resources or to shut down.
		if c := workload.Condition(pod, corev1.PodReady); c != nil {
			at = c.LastTransitionTime
		}
		return pod.Status.Reason + ": " + pod.Status.Message, at
	case end != nil && end.ExitCode != 0:
		return describeLast(pod), end.FinishedAt
	case o.condition(pod) == rollout.Staging && o.overdue(pod):
		w := workload.WaitsFor(pod)
		return fmt.Sprintf("did not start within %s: %s%s", o.settings.TaskLaunchTimeout, w.Reason, colon(w.Message)), metav1.NewTime(o.due(pod))
	}
	return "", metav1.Time{}
}

// taskID is the Marathon id of the incarnation of a task that ended last: each
// restart by the kubelet is a new one.
func (o *observed) taskID(pod *corev1.Pod) string {
	task := taskStatus(pod)
	incarnation := int32(0)
	if task != nil {
		incarnation = task.RestartCount
	}
	if task == nil || task.State.Running == nil || incarnation == 0 {
		incarnation++
	}
	return o.incarnationID(pod, incarnation)
}
