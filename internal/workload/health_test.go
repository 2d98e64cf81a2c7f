// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	start = metav1.NewTime(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	later = metav1.NewTime(start.Add(time.Minute))
)

// runningPod is a pod of an App, made as Pod makes it, whose task runs.
func runningPod(t *testing.T, app *v1alpha1.App) *corev1.Pod {
	t.Helper()
	made, err := Pod(app, DefaultSettings(), Slot{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		t.Fatal(err)
	}
	pod.UID = "u"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: ContainerName, Started: ptr.To(true), Ready: true,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}},
	}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: later}}
	return pod
}

func TestHealthResults(t *testing.T) {
	conditions := func(all ...corev1.PodCondition) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Conditions = append(p.Status.Conditions, all...) }
	}
	alive, dead := ptr.To(true), ptr.To(false)
	kubelet := CheckResult{Name: "healthChecks[2]", InstanceID: "u", Alive: alive, LastSuccess: later, ConsecutiveFailures: ptr.To[int32](0)}
	unknown := func(name string) CheckResult { return CheckResult{Name: name, InstanceID: "u"} }
	for name, c := range map[string]struct {
		file string
		edit func(*corev1.Pod)
		want []CheckResult
	}{
		"no checks": {file: "hello-world", edit: func(*corev1.Pod) {}},
		"by the kubelet only": {
			file: "health-http", edit: func(*corev1.Pod) {},
			want: []CheckResult{{Name: "healthChecks[0]", InstanceID: "u", Alive: alive, LastSuccess: later, ConsecutiveFailures: ptr.To[int32](0)}},
		},
		"by the kubelet, failing": {
			file: "health-http", edit: func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].Ready, p.Status.Conditions[0].Status = false, corev1.ConditionFalse
			},
			want: []CheckResult{{Name: "healthChecks[0]", InstanceID: "u", Alive: dead, LastFailure: later}},
		},
		"by the kubelet, before the first success": {
			file: "health-http", edit: func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Started = ptr.To(false) },
			want: []CheckResult{unknown("healthChecks[0]")},
		},
		"several, as far as they are known": {
			file: "health-several",
			edit: conditions(
				corev1.PodCondition{Type: "kdcos.io/health-check-0", Status: corev1.ConditionTrue, Reason: v1alpha1.PodReasonFirstSuccess, Message: "200 OK", LastTransitionTime: later},
				corev1.PodCondition{Type: "kdcos.io/health-check-3", Status: corev1.ConditionFalse, Reason: v1alpha1.PodReasonFailing, Message: "connection refused", LastTransitionTime: later}),
			want: []CheckResult{
				{Name: "healthChecks[0]", InstanceID: "u", Alive: alive, FirstSuccess: later, LastSuccess: later, Answer: "200 OK", ConsecutiveFailures: ptr.To[int32](0)},
				unknown("healthChecks[1]"), kubelet,
				{Name: "healthChecks[3]", InstanceID: "u", Alive: dead, LastFailure: later, LastFailureCause: "connection refused"},
			},
		},
		"in their grace period": {
			file: "health-ipv6",
			edit: conditions(corev1.PodCondition{Type: "kdcos.io/health-check-0", Status: corev1.ConditionUnknown, Reason: v1alpha1.PodReasonGracePeriod, Message: "the task has no IPv6 address", LastTransitionTime: later}),
			want: []CheckResult{{Name: "healthChecks[0]", InstanceID: "u", LastFailureCause: "the task has no IPv6 address"}},
		},
		"of the task before": {
			file: "health-ipv6",
			edit: func(p *corev1.Pod) {
				conditions(corev1.PodCondition{Type: "kdcos.io/health-check-0", Status: corev1.ConditionTrue, LastTransitionTime: start})(p)
				p.Status.ContainerStatuses[0].State.Running.StartedAt = later
			},
			want: []CheckResult{unknown("healthChecks[0]")},
		},
	} {
		app := read(t, "testdata/"+c.file+".in.yaml")
		pod := runningPod(t, app)
		c.edit(pod)
		if diff := cmp.Diff(c.want, HealthResults(app, pod)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		// What a cache leaves out changes nothing.
		pod.Spec = corev1.PodSpec{}
		if diff := cmp.Diff(c.want, HealthResults(app, pod)); diff != "" {
			t.Errorf("%s, without its containers (-want +got):\n%s", name, diff)
		}
	}
}

func TestOtherResults(t *testing.T) {
	pod := runningPod(t, read(t, "testdata/checks.in.yaml"))
	if ReadyOnce(pod) {
		t.Error("ready without having been asked")
	}
	pod.Status.Conditions = append(pod.Status.Conditions,
		corev1.PodCondition{Type: v1alpha1.PodConditionReadinessCheck, Status: corev1.ConditionTrue, Message: "302 Found", LastTransitionTime: later},
		corev1.PodCondition{Type: v1alpha1.PodConditionCheck, Status: corev1.ConditionFalse, Message: "500 Internal Server Error", LastTransitionTime: later})
	want := []CheckResult{
		{Name: "check", InstanceID: "u", Alive: ptr.To(false), LastFailure: later, LastFailureCause: "500 Internal Server Error"},
		{Name: "readinessChecks[0]", InstanceID: "u", Alive: ptr.To(true), LastSuccess: later, Answer: "302 Found", ConsecutiveFailures: ptr.To[int32](0)},
	}
	if diff := cmp.Diff(want, OtherResults(pod)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !ReadyOnce(pod) || !ReadyOnce(runningPod(t, read(t, "testdata/health-http.in.yaml"))) {
		t.Error("not ready")
	}
	pod.Annotations[v1alpha1.ChecksAnnotation] = "?"
	if _, err := TaskChecks(pod); err == nil || ReadyOnce(pod) || len(OtherResults(pod)) > 0 {
		t.Errorf("what can't be read is taken for something: %v", err)
	}
}
