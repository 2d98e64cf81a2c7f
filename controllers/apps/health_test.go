// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/prober"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// checksOf are the checks that the manager makes of the tasks of an App. A
// first check, of the kubelet's, leaves the others to the manager.
func checksOf(t *testing.T, edit func(*v1alpha1.AppSpec)) []workload.TaskCheck {
	t.Helper()
	app := seen(1).app
	app.Spec = v1alpha1.AppSpec{
		Networks: []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
		Container: &v1alpha1.Container{
			Docker:       &v1alpha1.DockerContainer{Image: "web"},
			PortMappings: []v1alpha1.PortMapping{{ContainerPort: ptr.To[int32](80), Name: ptr.To("http-api")}},
		},
		HealthChecks: []v1alpha1.HealthCheck{{Protocol: v1alpha1.HealthCommand, Command: &v1alpha1.HealthCommandValue{Value: "true"}}},
	}
	edit(&app.Spec)
	app.Spec.Default()
	if refused := workload.Unsupported(app, workload.DefaultSettings()); len(refused) > 0 {
		t.Fatal(refused)
	}
	made, err := workload.Pod(app, workload.DefaultSettings(), workload.Slot{})
	if err != nil {
		t.Fatal(err)
	}
	checks, err := workload.TaskChecks(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: made.Annotations}})
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

// play runs a trial through results, a letter each and a second apart, from
// the start of the task: + is success, - is failure, 1 an informational
// answer. It returns the outcome after each: h(ealthy), u(nhealthy), ? unknown,
// K for one that kills.
func play(check workload.TaskCheck, results string) string {
	t := trial{check: check, started: noon, condition: corev1.PodCondition{Type: check.Condition}}
	var said strings.Builder
	for i, r := range results {
		result := prober.Result{Time: noon.Add(time.Duration(i) * time.Second)}
		switch {
		case r == '1':
			result.Code = http.StatusSwitchingProtocols
		case r == '-' && check.Protocol == "TCP":
			result.Cause = "connection refused"
		case r == '-':
			result.Code = http.StatusServiceUnavailable
		case check.Protocol != "TCP":
			result.Code = http.StatusOK
		}
		t.judge(result)
		switch {
		case t.kills():
			said.WriteByte('K')
		case t.condition.Status == corev1.ConditionTrue:
			said.WriteByte('h')
		case t.condition.Status == corev1.ConditionFalse:
			said.WriteByte('u')
		default:
			said.WriteByte('?')
		}
	}
	return said.String()
}

// TestKillRules is Marathon's rule for each protocol: those of its own kill at
// one failure more than maxConsecutiveFailures, never at 0; those that Mesos
// made at that number, at the first at 0. Failures count from the first success
// or the end of the grace period on.
func TestKillRules(t *testing.T) {
	marathons := []v1alpha1.HealthCheckProtocol{v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, v1alpha1.HealthTCP}
	mesos := []v1alpha1.HealthCheckProtocol{v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS, v1alpha1.HealthMesosTCP}
	for _, c := range []struct {
		protocols  []v1alpha1.HealthCheckProtocol
		max, grace int32
		results    string
		want       string
	}{
		{marathons, 0, 0, "------+--", "uuuuuuhuu"},
		{marathons, 1, 0, "-+-+--", "uhuhuK"},
		{marathons, 2, 0, "--+---+", "uuhuuKh"},
		{marathons, 3, 0, "----", "uuuK"},
		{mesos, 0, 0, "+-", "hK"},
		{mesos, 1, 0, "+-+-", "hKhK"},
		{mesos, 2, 0, "-+--", "uhuK"},
		{mesos, 3, 0, "---", "uuK"},
		// Within the grace period failures are not seen, until the first success.
		{marathons, 0, 5, "-------", "?????uu"},
		{marathons, 1, 5, "-------", "?????uK"},
		{marathons, 1, 5, "--+--", "??huK"},
		{marathons, 2, 300, "+---", "huuK"},
		{mesos, 0, 5, "------", "?????K"},
		{mesos, 0, 300, "----+-", "????hK"},
		{mesos, 2, 5, "-------", "?????uK"},
		// What is ignored is neither.
		{marathons[:2], 0, 0, "1+1-1", "?hhuu"},
		{marathons[:1], 1, 0, "-1-", "uuK"},
	} {
		for _, protocol := range c.protocols {
			check := checksOf(t, func(s *v1alpha1.AppSpec) {
				h := v1alpha1.HealthCheck{Protocol: protocol, MaxConsecutiveFailures: &c.max, GracePeriodSeconds: &c.grace}
				if strings.Contains(c.results, "1") {
					h.IgnoreHTTP1xx = ptr.To(true)
				}
				s.HealthChecks = append(s.HealthChecks, h)
			})[0]
			if got := play(check, c.results); got != c.want {
				t.Errorf("%s, max %d, grace %d: %s becomes %s, want %s", protocol, c.max, c.grace, c.results, got, c.want)
			}
		}
	}
	switching := checksOf(t, func(s *v1alpha1.AppSpec) {
		s.HealthChecks = append(s.HealthChecks, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, GracePeriodSeconds: ptr.To[int32](0)})
	})[0]
	if got := play(switching, "1"); got != "u" {
		t.Errorf("101 without ignoreHttp1xx is %s", got)
	}
}

func TestOtherChecks(t *testing.T) {
	checks := checksOf(t, func(s *v1alpha1.AppSpec) {
		s.Check = &v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Path: ptr.To("state")}}
		s.ReadinessChecks = []v1alpha1.ReadinessCheck{{HTTPStatusCodesForReady: []int32{202}, PreserveLastResponse: ptr.To(true)}}
	})
	report := trial{check: checks[0], started: noon}
	ready := trial{check: checks[1], started: noon}
	for i, c := range []struct {
		trial   *trial
		result  prober.Result
		changed bool
		status  corev1.ConditionStatus
		message string
	}{
		{&report, prober.Result{Code: 200}, true, corev1.ConditionTrue, "200 OK"},
		{&report, prober.Result{Code: 200}, false, corev1.ConditionTrue, "200 OK"},
		{&report, prober.Result{Code: 204}, true, corev1.ConditionTrue, "204 No Content"},
		{&report, prober.Result{Code: 500}, true, corev1.ConditionFalse, "500 Internal Server Error"},
		{&report, prober.Result{Code: 599}, true, corev1.ConditionFalse, "599"},
		{&report, prober.Result{Cause: "connection refused"}, true, corev1.ConditionFalse, "connection refused"},
		{&ready, prober.Result{Code: 200, Body: "1 of 2"}, true, corev1.ConditionFalse, "200 OK: 1 of 2"},
		{&ready, prober.Result{Code: 200, Body: "1 of 2"}, false, corev1.ConditionFalse, "200 OK: 1 of 2"},
		{&ready, prober.Result{Code: 200, Body: "2 of 2"}, true, corev1.ConditionFalse, "200 OK: 2 of 2"},
		{&ready, prober.Result{Code: 202, Body: "done"}, true, corev1.ConditionTrue, "202 Accepted: done"},
	} {
		c.result.Time = noon.Add(time.Duration(i) * time.Second)
		_, changed := c.trial.judge(c.result)
		if changed != c.changed || c.trial.condition.Status != c.status || c.trial.condition.Message != c.message {
			t.Errorf("%d: changed %t, %s %q, want %t, %s %q", i, changed, c.trial.condition.Status, c.trial.condition.Message, c.changed, c.status, c.message)
		}
		if c.trial.kills() {
			t.Errorf("%d: it kills", i)
		}
	}
	if report.done() || !ready.done() {
		t.Error("a readiness check ends with its success, a check never")
	}
}

// checked makes a pod one with two checks of the manager, and with conditions.
func checked(started time.Time, conditions ...corev1.PodCondition) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		raw, _ := json.Marshal([]workload.TaskCheck{
			{Condition: "kdcos.io/health-check-1", Protocol: "HTTP", Port: 80, Path: "/health", KillAfter: 2, GraceSeconds: 60},
			{Condition: v1alpha1.PodConditionReadinessCheck, Protocol: "HTTP", Port: 80, Path: "/"},
		})
		p.Annotations = map[string]string{v1alpha1.ChecksAnnotation: string(raw)}
		p.Status.PodIP = "192.0.2.9"
		p.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(started)
		p.Status.Conditions = append(p.Status.Conditions, conditions...)
	}
}

func said(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string, at time.Time) corev1.PodCondition {
	return corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(at)}
}

func TestResume(t *testing.T) {
	const kind = "kdcos.io/health-check-1"
	passing := said(kind, corev1.ConditionTrue, v1alpha1.PodReasonFirstSuccess, "200 OK", noon)
	failing := said(kind, corev1.ConditionFalse, v1alpha1.PodReasonFailing, "503", noon)
	grace := said(kind, corev1.ConditionUnknown, v1alpha1.PodReasonGracePeriod, "503", noon)
	restarted := func(at time.Time) corev1.PodCondition {
		return said(kind, corev1.ConditionUnknown, v1alpha1.PodReasonRestarted, "", at)
	}
	before, after := noon.Add(-time.Minute), noon.Add(time.Second)
	for name, c := range map[string]struct {
		started   time.Time
		restarted bool
		there     []corev1.PodCondition
		want      corev1.PodCondition
		counts    bool
	}{
		"nothing is known":              {started: before, want: corev1.PodCondition{Type: kind}},
		"it passes":                     {started: before, there: []corev1.PodCondition{passing}, want: passing, counts: true},
		"since the second of its start": {started: noon, there: []corev1.PodCondition{passing}, want: passing, counts: true},
		"it fails":                      {started: before, there: []corev1.PodCondition{failing}, want: failing, counts: true},
		"it is in its grace period":     {started: before, there: []corev1.PodCondition{grace}, want: grace},
		"of a task before":              {started: after, there: []corev1.PodCondition{passing}, want: restarted(after)},
		"of the task just before":       {started: before, restarted: true, there: []corev1.PodCondition{passing}, want: restarted(before)},
		"taken back already":            {started: after, there: []corev1.PodCondition{restarted(before)}, want: restarted(before)},
	} {
		p := pod("new", checked(c.started, c.there...))
		checks, _ := workload.TaskChecks(&p)
		got := resume(checks[0], &p, c.started, c.restarted)
		if diff := cmp.Diff(c.want, got.condition); diff != "" || got.counts != c.counts || got.failures != 0 {
			t.Errorf("%s: counts %t, failures %d (-want +got):\n%s", name, got.counts, got.failures, diff)
		}
	}
}

// What is known of a task that was taken back once and started anew again is
// known of the new one.
func TestTakenBackTwice(t *testing.T) {
	started := noon.Add(time.Minute)
	p := pod("new", checked(started, said("kdcos.io/health-check-1", corev1.ConditionUnknown, v1alpha1.PodReasonRestarted, "", noon)))
	checks, _ := workload.TaskChecks(&p)
	tried := resume(checks[0], &p, started, false)
	tried.judge(prober.Result{Code: 503, Time: started.Add(time.Second)})
	if tried.condition.Message == "" || !workload.OfThisTask(&p, &tried.condition) {
		t.Errorf("%+v", tried.condition)
	}
}

// Clocks of nodes and of the manager differ: what is said of a task must not
// look as if it was said of the one before.
func TestConditionsAreNotOlderThanTheirTask(t *testing.T) {
	p := pod("new", checked(noon.Add(time.Minute)))
	checks, _ := workload.TaskChecks(&p)
	tried := resume(checks[0], &p, noon.Add(time.Minute), false)
	tried.judge(prober.Result{Code: 200, Time: noon})
	if !workload.OfThisTask(&p, &tried.condition) {
		t.Errorf("said at %s of a task since %s", tried.condition.LastTransitionTime, noon.Add(time.Minute))
	}
}

func TestUnhealthyTasksAreKilled(t *testing.T) {
	ill := pod("new", unready, checked(noon.Add(-time.Hour)), func(p *corev1.Pod) { p.UID, p.Name = "ill", "ill" })
	well := pod("new", checked(noon.Add(-time.Hour), said(v1alpha1.PodConditionReadinessCheck, corev1.ConditionTrue, "", "", noon)),
		func(p *corev1.Pod) { p.Name = "well" })
	checks, _ := workload.TaskChecks(&ill)
	tried := trial{check: checks[0], started: noon.Add(-time.Hour)}
	for i := range 2 {
		tried.judge(prober.Result{Code: 503, Time: noon.Add(time.Duration(i) * time.Minute)})
	}
	o := seen(2, ill, well)
	o.health = map[types.UID]taskHealth{"ill": {trials: []trial{tried}}}
	plan := o.tasks(rollout.Backoff{Failures: 5, Last: noon})
	want := []rollout.Kill{{Name: "ill", Reason: "unhealthy"}}
	if diff := cmp.Diff(want, plan.Kill); diff != "" || len(plan.Launch) > 0 {
		t.Errorf("launch %v (-want +got):\n%s", plan.Launch, diff)
	}
	app := o.app.DeepCopy()
	err := setStatus(app, o, rollout.Backoff{})
	if message := fmt.Sprint(err); !strings.Contains(message, "1 of 2 instances run; 1 being stopped") {
		t.Error(message)
	}
	failure := &v1alpha1.TaskFailure{
		TaskID: "web.instance-ill._app.1", State: "TASK_KILLED", Host: "192.0.2.7", Timestamp: metav1.NewTime(noon.Add(time.Minute)),
		Message: "Task was killed since health check failed. Reason: healthChecks[1] (HTTP :80/health): 503 Service Unavailable",
	}
	if diff := cmp.Diff(failure, app.Status.LastTaskFailure); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.health = map[types.UID]taskHealth{"ill": {trials: []trial{tried}, killed: true}}
	if kill := o.tasks(rollout.Backoff{}).Kill; len(kill) > 0 {
		t.Errorf("killed twice: %v", kill)
	}
	waiting("CrashLoopBackOff", "")(&o.pods[0])
	o.health = map[types.UID]taskHealth{"ill": {trials: []trial{tried}}}
	if kill := o.tasks(rollout.Backoff{Failures: 1, Last: noon}).Kill; len(kill) > 0 {
		t.Errorf("killed though it does not run: %v", kill)
	}
}

// A task that was never ready holds a rollout, and no more than that.
func TestReadinessGatesRollouts(t *testing.T) {
	available := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 2}}
	ready := said(v1alpha1.PodConditionReadinessCheck, corev1.ConditionTrue, "", "200 OK", noon)
	notYet := said(v1alpha1.PodConditionReadinessCheck, corev1.ConditionFalse, "", "503 Service Unavailable", noon)
	old := pod("old", func(p *corev1.Pod) { p.Name = "old" })
	for name, c := range map[string]struct {
		pod     corev1.Pod
		kills   int
		healthy int32
		message string
	}{
		"never asked": {pod("new", checked(noon)), 0, 2, "1 of 1 instances run the new configuration, 1 the old; 1 not there yet: readinessChecks[0]"},
		"not yet":     {pod("new", checked(noon, notYet)), 0, 2, "1 of 1 instances run the new configuration, 1 the old; 1 not there yet: readinessChecks[0]: 503 Service Unavailable"},
		"ready once":  {pod("new", checked(noon, ready)), 1, 2, "1 of 1 instances run the new configuration, 1 the old"},
		"ready once, and restarted": {
			pod("new", checked(noon.Add(time.Minute), ready)), 0, 2,
			"1 of 1 instances run the new configuration, 1 the old; 1 not there yet: readinessChecks[0]",
		},
	} {
		o := seen(1, old, c.pod)
		o.app.Spec.HealthChecks = []v1alpha1.HealthCheck{{}}
		plan := o.tasks(rollout.Backoff{})
		if len(plan.Kill) != c.kills {
			t.Errorf("%s: kills %v", name, plan.Kill)
		}
		app := o.app.DeepCopy()
		app.Status.Conditions = available
		var why *reconciler.NotReady
		if err := setStatus(app, o, rollout.Backoff{}); err != nil {
			why, _ = err.(*reconciler.NotReady) //nolint:errorlint // it is this or a bug
		}
		if why == nil || why.Message != c.message || !why.Serving || why.Reason != v1alpha1.ReasonUpgrading {
			t.Errorf("%s: %+v", name, why)
		}
		if app.Status.TasksHealthy != c.healthy || app.Status.TasksUnhealthy != 0 {
			t.Errorf("%s: %d healthy, %d unhealthy", name, app.Status.TasksHealthy, app.Status.TasksUnhealthy)
		}
	}
}

func TestStatusNamesTheCheck(t *testing.T) {
	const kind = "kdcos.io/health-check-1"
	young := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, ObservedGeneration: 2}, {Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeploying}}
	containerReady := func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = true }
	for name, c := range map[string]struct {
		pod             corev1.Pod
		unhealthy       int32
		reason, message string
	}{
		"no result yet": {pod("new", unready, containerReady, checked(noon)), 0, "Deploying", "1 of 1 instances run"},
		"grace": {
			pod("new", unready, containerReady, checked(noon, said(kind, corev1.ConditionUnknown, "", "connection refused", noon))), 0,
			"Deploying", "1 of 1 instances run; 1 not there yet: healthChecks[1]: connection refused",
		},
		"failing": {
			pod("new", unready, containerReady, checked(noon, said(kind, corev1.ConditionFalse, "", "connection refused", noon))), 1,
			"Unhealthy", "1 of 1 instances run; 1 not passing the health check: healthChecks[1]: connection refused",
		},
		"failing before its restart": {
			pod("new", unready, containerReady, checked(noon.Add(time.Minute), said(kind, corev1.ConditionFalse, "", "connection refused", noon))), 0,
			"Deploying", "1 of 1 instances run",
		},
		"failing the kubelet's": {pod("new", unready, checked(noon)), 1, "Unhealthy", "1 of 1 instances run; 1 not passing the health check: healthChecks[0]"},
	} {
		o := seen(1, c.pod)
		o.app.Spec.HealthChecks = []v1alpha1.HealthCheck{{}, {}}
		app := o.app.DeepCopy()
		app.Status.Conditions = young
		want := &reconciler.NotReady{Reason: c.reason, Message: c.message}
		if diff := cmp.Diff(error(want), setStatus(app, o, rollout.Backoff{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if app.Status.TasksUnhealthy != c.unhealthy || app.Status.TasksHealthy != 0 {
			t.Errorf("%s: %d healthy, %d unhealthy", name, app.Status.TasksHealthy, app.Status.TasksUnhealthy)
		}
	}
}
