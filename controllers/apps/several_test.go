// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/rollout"
)

// several is an instance of the containers a and b, of which b has a health check.
func several(a, b corev1.ContainerState, edits ...func(*corev1.Pod)) corev1.Pod {
	return pod("new", append([]func(*corev1.Pod){func(p *corev1.Pod) {
		p.Annotations = map[string]string{v1alpha1.ContainersAnnotation: "a,b:healthCheck", v1alpha1.VersionAnnotation: "v"}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{
			// One that is not ours, as a mesh adds them.
			{Name: "proxy", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}},
			{Name: "b", State: b, Started: ptr.To(b.Running != nil), Ready: b.Running != nil},
			{Name: "a", State: a, Started: ptr.To(a.Running != nil), Ready: a.Running != nil},
		}
	}}, edits...)...)
}

func over(code int32, at time.Time) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(at)}}
}

var (
	runs  = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}
	waits = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no such image"}}
)

func unfetched(p *corev1.Pod) {
	p.Status.Phase = corev1.PodFailed
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "fetch-a", State: over(1, noon)}}
}

func TestSeveralContainers(t *testing.T) {
	for name, c := range map[string]struct {
		pod       corev1.Pod
		condition rollout.Condition
		healthy   bool
		// failure is what the status says of it, failures the launch delay.
		failure  string
		failures int
	}{
		"run":                       {several(runs, runs), rollout.Running, true, "", 0},
		"one waits":                 {several(waits, runs), rollout.Staging, false, "", 0},
		"one not ready":             {several(runs, runs, func(p *corev1.Pod) { p.Status.ContainerStatuses[1].Ready = false }), rollout.Running, false, "", 0},
		"one ended well":            {several(over(0, noon), runs, unready), rollout.Running, true, "", 0},
		"one failed":                {several(over(7, noon), runs), rollout.Ended, false, "container a: exit code 7", 1},
		"one failed, one waits":     {several(over(7, noon), waits), rollout.Ended, false, "container a: exit code 7", 1},
		"the first that failed":     {several(over(7, noon), over(9, noon.Add(-time.Second))), rollout.Ended, false, "container b: exit code 9", 1},
		"all ended well":            {several(over(0, noon), over(0, noon)), rollout.Ended, false, "", 1},
		"one ended that is checked": {several(runs, over(0, noon)), rollout.Ended, false, "", 1},
		"files not there":           {several(waits, waits, unfetched), rollout.Ended, false, "container fetch-a: exit code 1", 1},
		"told to stop":              {several(over(137, noon), runs, stopping(noon)), rollout.Stopping, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := seen(1, c.pod)
			o.app.Spec.Containers = []v1alpha1.PodContainer{{Name: "a"}, {Name: "b"}}
			o.app.Status.ConfigHash = "new"
			o.now = noon.Add(500 * time.Millisecond)
			got := o.instance(&c.pod)
			if got.Condition != c.condition || got.Healthy != c.healthy {
				t.Errorf("condition %v, healthy %v", got.Condition, got.Healthy)
			}
			b, err := o.backoff()
			if err != nil || b.Failures != c.failures {
				t.Errorf("%d failures, %v", b.Failures, err)
			}
			failure := o.lastFailure()
			if (failure != nil) != (c.failure != "") || failure != nil && failure.Message != c.failure {
				t.Errorf("last failure %+v", failure)
			}
			if failure != nil && c.failure != "" && strings.HasPrefix(c.failure, "container b") && !strings.HasSuffix(failure.TaskID, ".b.1") {
				t.Errorf("task id %s", failure.TaskID)
			}
			// An end is in the status before its only trace goes.
			kills := func() bool {
				return slices.ContainsFunc(o.tasks(b).Kill, func(k rollout.Kill) bool { return k.Name == c.pod.Name })
			}
			if kills() {
				t.Error("it is killed before its end is written down")
			}
			o.app.Status.Backoff = backoffStatus(b, o.delays())
			if kills() != (c.condition == rollout.Ended) {
				t.Error("it is killed, or is not")
			}
		})
	}
}

// What is gone is still told of while its successor waits.
func TestSeveralContainersWait(t *testing.T) {
	o := seen(1)
	o.app.Spec.Containers = []v1alpha1.PodContainer{{Name: "a"}}
	o.app.Status.ConfigHash = "new"
	app := o.app.DeepCopy()
	app.Status.LastTaskFailure = &v1alpha1.TaskFailure{Message: "container a: exit code 7", Timestamp: metav1.NewTime(noon)}
	err := setStatus(app, o, rollout.Backoff{Failures: 3, Last: noon})
	if err == nil || !strings.Contains(err.Error(), "launched again after a delay: container a: exit code 7") {
		t.Errorf("%v", err)
	}
}
