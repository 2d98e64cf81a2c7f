// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// seen is an App of n instances with the given pods.
func seen(n int32, pods ...corev1.Pod) *observed {
	app := &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Generation: 2, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec:       v1alpha1.AppSpec{Instances: &n, Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "web"}}},
	}
	app.Spec.Default()
	return &observed{app: app, id: "/web", specHash: "new", config: "new", pods: pods, now: noon, settings: workload.DefaultSettings()}
}

// pod is one of a configuration; edits make something else of a healthy one.
func pod(config string, edits ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + config, UID: "00000000-0000-0000-0000-000000000001", CreationTimestamp: metav1.NewTime(noon),
			Labels: map[string]string{v1alpha1.ConfigLabel: config, v1alpha1.SlotLabel: "4"},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: "192.0.2.7",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: workload.ContainerName, Started: ptr.To(true),
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
	for _, edit := range edits {
		edit(&p)
	}
	return p
}

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func stopping(deadline time.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(deadline)) }
}

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		unready(p)
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		p.Status.ContainerStatuses[0].Started = ptr.To(false)
	}
}

func ended(code int32, at time.Time) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", FinishedAt: metav1.NewTime(at)}
	}
}

// terminated is a pod whose task has ended and was started again that often before.
func terminated(code, restarts int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		unready(p)
		task := &p.Status.ContainerStatuses[0]
		task.RestartCount = restarts
		task.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", FinishedAt: metav1.NewTime(noon)}}
	}
}

// fetching is a pod whose files are being fetched: how that goes now and how it ended last.
func fetching(now, last corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		waiting("PodInitializing", "")(p)
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: workload.FetchContainerName, State: now, LastTerminationState: last}}
	}
}

// Files that can't be fetched are a failure of the task, until they can.
func TestFetching(t *testing.T) {
	exited := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: "fetch http://a/b: 404", FinishedAt: metav1.NewTime(noon)}}
	}
	waits := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "no such image"}}
	}
	running, none := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, corev1.ContainerState{}
	for name, c := range map[string]struct {
		now, last   corev1.ContainerState
		condition   rollout.Condition
		ends, pulls bool
	}{
		"running":               {running, none, rollout.Staging, false, false},
		"without an image":      {waits("ImagePullBackOff"), none, rollout.Staging, false, true},
		"failed":                {exited(1), none, rollout.Staging, true, false},
		"held back":             {waits("CrashLoopBackOff"), exited(1), rollout.Failing, true, false},
		"running again":         {running, exited(1), rollout.Staging, true, false},
		"done":                  {exited(0), none, rollout.Staging, false, false},
		"done at a further try": {exited(0), exited(1), rollout.Staging, false, false},
	} {
		p := pod("new", fetching(c.now, c.last))
		if got := seen(1).instance(&p).Condition; got != c.condition {
			t.Errorf("%s: condition %v", name, got)
		}
		if end := workload.LastEnd(&p); (end != nil) != c.ends || end != nil && !strings.Contains(workload.DescribeEnd(end), "404") {
			t.Errorf("%s: ended %v", name, end)
		}
		if workload.CannotStart(&p) != c.pulls {
			t.Errorf("%s: cannot start %t", name, !c.pulls)
		}
	}
	for status, want := range map[corev1.ConditionStatus]bool{corev1.ConditionFalse: true, corev1.ConditionTrue: false} {
		p := pod("new", waiting("ContainerCreating", ""), func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReadyToStartContainers, Status: status}}
		})
		if workload.CannotStart(&p) != want {
			t.Errorf("volumes and address there: %s: cannot start %t", status, !want)
		}
	}
	p := pod("new", func(p *corev1.Pod) {
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: workload.FetchContainerName, State: exited(0), LastTerminationState: exited(1)}}
	})
	if got := seen(1).instance(&p); got.Condition != rollout.Running || !got.Healthy || workload.LastEnd(&p) != nil {
		t.Errorf("running: %v", got)
	}
}

func unscheduled(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message},
		}}
	}
}

func TestPodsBecomeInstances(t *testing.T) {
	for name, c := range map[string]struct {
		pod       corev1.Pod
		condition rollout.Condition
		healthy   bool
	}{
		"healthy":          {pod("new"), rollout.Running, true},
		"not ready":        {pod("new", unready), rollout.Running, false},
		"just made":        {pod("new", func(p *corev1.Pod) { p.Status = corev1.PodStatus{} }), rollout.Staging, false},
		"being created":    {pod("new", waiting("ContainerCreating", "")), rollout.Staging, false},
		"without an image": {pod("new", waiting("ImagePullBackOff", "no")), rollout.Staging, false},
		"crash looping":    {pod("new", waiting("CrashLoopBackOff", "")), rollout.Failing, false},
		"ended once":       {pod("new", terminated(7, 0)), rollout.Staging, false},
		"ended again":      {pod("new", terminated(7, 1)), rollout.Failing, false},
		"evicted":          {pod("new", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), rollout.Ended, false},
		"being stopped":    {pod("new", stopping(noon.Add(-time.Second))), rollout.Stopping, false},
		"long overdue":     {pod("new", stopping(noon.Add(-time.Minute))), rollout.Stopping, false},
	} {
		got := seen(1).instance(&c.pod)
		want := rollout.Instance{Name: "web-new", Slot: 4, Current: true, Condition: c.condition, Healthy: c.healthy, Started: noon}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTransitions(t *testing.T) {
	const created = "2026-11-01T11:00:00.000Z"
	for name, c := range map[string]struct {
		status v1alpha1.AppStatus
		// unseen pods run a configuration that the status says nothing of.
		unseen int
		want   *transition
		info   v1alpha1.VersionInfo
	}{
		"a new App has the version of its creation": {
			want: &transition{to: created, restarts: true},
			info: v1alpha1.VersionInfo{LastScalingAt: created, LastConfigChangeAt: created},
		},
		"changed before its status was written: its pods tell": {
			unseen: 3,
			want:   &transition{from: created, to: "2026-11-01T12:00:00.000Z", fromConfig: "old", fromInstances: 3, restarts: true, counted: true},
			info:   v1alpha1.VersionInfo{LastScalingAt: created, LastConfigChangeAt: "2026-11-01T12:00:00.000Z"},
		},
		"nothing changed": {
			status: v1alpha1.AppStatus{Version: created, ConfigHash: "new", TargetInstances: 3},
		},
		"scaled": {
			status: v1alpha1.AppStatus{Version: created, ConfigHash: "new", TargetInstances: 2, VersionInfo: v1alpha1.VersionInfo{LastScalingAt: created, LastConfigChangeAt: created}},
			want:   &transition{from: created, to: "2026-11-01T12:00:00.000Z", fromConfig: "new", fromInstances: 2},
			info:   v1alpha1.VersionInfo{LastScalingAt: "2026-11-01T12:00:00.000Z", LastConfigChangeAt: created},
		},
		"changed": {
			status: v1alpha1.AppStatus{Version: created, ConfigHash: "old", TargetInstances: 3, VersionInfo: v1alpha1.VersionInfo{LastScalingAt: created, LastConfigChangeAt: created}},
			want:   &transition{from: created, to: "2026-11-01T12:00:00.000Z", fromConfig: "old", fromInstances: 3, restarts: true},
			info:   v1alpha1.VersionInfo{LastScalingAt: created, LastConfigChangeAt: "2026-11-01T12:00:00.000Z"},
		},
		"changed twice within a millisecond": {
			status: v1alpha1.AppStatus{Version: "2026-11-01T12:00:00.000Z", ConfigHash: "old", TargetInstances: 1, VersionInfo: v1alpha1.VersionInfo{LastScalingAt: created}},
			want:   &transition{from: "2026-11-01T12:00:00.000Z", to: "2026-11-01T12:00:00.001Z", fromConfig: "old", fromInstances: 1, restarts: true},
			info:   v1alpha1.VersionInfo{LastScalingAt: "2026-11-01T12:00:00.001Z", LastConfigChangeAt: "2026-11-01T12:00:00.001Z"},
		},
	} {
		o := seen(3)
		o.app.Status = c.status
		for range c.unseen {
			o.pods = append(o.pods, pod("old", func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.VersionAnnotation: created} }))
		}
		got := o.transition()
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(transition{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
			continue
		}
		if got == nil {
			continue
		}
		status := c.status
		got.enter(&status, o)
		if status.Version != got.to || status.ConfigHash != "new" || status.TargetInstances != 3 {
			t.Errorf("%s: entered %+v", name, status)
		}
		if diff := cmp.Diff(c.info, status.VersionInfo); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// unreachable makes the node n1 one that does not answer, and the App wait for it.
func unreachable(o *observed) *observed {
	o.unreachable = map[string]time.Time{"n1": noon}
	o.app.Spec.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
	return o
}

func TestStatusExplains(t *testing.T) {
	available := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 2}}
	young := []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, ObservedGeneration: 2},
		{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeploying},
	}
	scaled := v1alpha1.VersionInfo{LastScalingAt: "2", LastConfigChangeAt: "1"}
	for name, c := range map[string]struct {
		seen       *observed
		conditions []metav1.Condition
		info       v1alpha1.VersionInfo
		reason     string
		message    string
		serving    bool
	}{
		"all is well":  {seen: seen(1, pod("new"))},
		"none asked":   {seen: seen(0)},
		"first launch": {seen: seen(2, pod("new")), conditions: young, reason: "Deploying", message: "1 of 2 instances run"},
		"no room": {
			seen: seen(1, pod("new", unscheduled("0/3 nodes are available"))), conditions: young,
			reason: "Waiting", message: "0 of 1 instances run; 1 waiting for the scheduler: 0/3 nodes are available",
		},
		"no room, in Marathon's words": {
			seen: seen(2, pod("new", unscheduled("0/3 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. preemption: no")),
				pod("new", unscheduled("0/3 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. preemption: no"))), conditions: young,
			reason: "Waiting", message: "0 of 2 instances run; 2 waiting for the scheduler: InsufficientCpus 2, InsufficientMemory 1, of 3 nodes: " +
				"0/3 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.",
		},
		"many reasons": {
			seen:       seen(5, pod("new", unscheduled("a")), pod("new", unscheduled("b")), pod("new", unscheduled("c")), pod("new", unscheduled("d")), pod("new", unscheduled("d"))),
			conditions: young, reason: "Waiting", message: "0 of 5 instances run; 2 waiting for the scheduler: d; 1 waiting for the scheduler: a; " +
				"1 waiting for the scheduler: b; 1 for other such reasons",
		},
		"a node is lost, and the App waits for it": {
			seen: unreachable(seen(2, pod("new"), pod("new", unready, func(p *corev1.Pod) { p.Spec.NodeName = "n1" }))), conditions: available,
			reason: "Unreachable", message: "1 of 2 instances run; 1 on a node that does not answer: n1",
		},
		"no image": {
			seen: seen(1, pod("new", waiting("ErrImagePull", "not found"))), conditions: young,
			reason: "ImagePull", message: "0 of 1 instances run; 1 not starting: ErrImagePull: not found",
		},
		"upgrade": {
			seen: seen(1, pod("old"), pod("new", unready)), conditions: available, serving: true,
			reason: "Unhealthy", message: "1 of 1 instances run the new configuration, 1 the old; 1 not passing the health check",
		},
		"upgrade to what crashes": {
			seen: seen(1, pod("old"), pod("new", waiting("CrashLoopBackOff", ""), ended(3, noon))), conditions: available, serving: true,
			reason: "BackOff", message: "1 of 1 instances run the new configuration, 1 the old; 1 failing and launched again after a delay: exit code 3",
		},
		"one has ended": {
			seen: seen(2, pod("new"), pod("new", terminated(3, 0))), conditions: available, info: scaled,
			reason: "BackOff", message: "1 of 2 instances run; 1 ended and about to start again: exit code 3",
		},
		"one is launched again": {
			seen: seen(2, pod("new"), pod("new", waiting("ContainerCreating", ""))), conditions: available, info: scaled, serving: true,
			reason: "Degraded", message: "1 of 2 instances run",
		},
		"the last one is being stopped": {
			seen: seen(1, pod("new"), pod("old", stopping(noon))), conditions: available, serving: true,
			reason: "Degraded", message: "1 of 1 instances run; 1 being stopped",
		},
		"one of one is gone": {seen: seen(1), conditions: available, reason: "Degraded", message: "0 of 1 instances run"},
	} {
		app := c.seen.app.DeepCopy()
		app.Status.Conditions, app.Status.VersionInfo = c.conditions, c.info
		err := setStatus(app, c.seen, rollout.Backoff{})
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		want := &reconciler.NotReady{Reason: c.reason, Message: c.message, Serving: c.serving}
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLastFailure(t *testing.T) {
	younger := pod("new", ended(9, noon))
	younger.Status.ContainerStatuses[0].RestartCount = 2
	o := seen(2, pod("new", ended(1, noon.Add(-time.Minute))), younger, pod("new", ended(0, noon.Add(time.Minute))))
	got := o.lastFailure()
	want := &v1alpha1.TaskFailure{
		TaskID: "web.instance-00000000-0000-0000-0000-000000000001._app.2", State: "TASK_FAILED", Message: "exit code 9",
		Host: "192.0.2.7", Timestamp: metav1.NewTime(noon),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b, err := o.backoff(); b.Failures != 3 || err != nil {
		t.Errorf("%d failures, and a task that finishes is one", b.Failures)
	}
}

func TestLookAgain(t *testing.T) {
	if d := seen(1, pod("new")).lookAgain(0, rollout.Backoff{}); d != 0 {
		t.Errorf("nothing to wait for, but looks again after %s", d)
	}
	o := seen(1, pod("new", stopping(noon.Add(time.Second))))
	if d := o.lookAgain(time.Minute, rollout.Backoff{}); d != time.Minute {
		t.Errorf("looks again after %s, though the end of a pod is an event", d)
	}
	if d := o.lookAgain(time.Second, rollout.Backoff{Failures: 1, Last: noon}); d != time.Second {
		t.Errorf("looks again after %s", d)
	}
}
