// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/rollout"
)

// TestLostNodes: a node does not answer for a minute.
func TestLostNodes(t *testing.T) {
	on := func(p *corev1.Pod) { p.Spec.NodeName = "gone" }
	seconds := func(inactive, expunge int32) *v1alpha1.UnreachableStrategy {
		return &v1alpha1.UnreachableStrategy{InactiveAfterSeconds: &inactive, ExpungeAfterSeconds: &expunge}
	}
	disabled := &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
	for name, c := range map[string]struct {
		strategy  *v1alpha1.UnreachableStrategy
		pod       corev1.Pod
		condition rollout.Condition
		overdue   bool
		again     time.Duration
	}{
		"at once":                          {nil, pod("new", on), rollout.Lost, false, 0},
		"told to stop":                     {nil, pod("new", on, stopping(noon.Add(-time.Second))), rollout.Lost, true, 0},
		"told to stop, in its grace":       {nil, pod("new", on, stopping(noon.Add(time.Second))), rollout.Lost, false, time.Second},
		"inactive later":                   {seconds(90, 300), pod("new", on), rollout.Unreachable, false, 30 * time.Second},
		"inactive":                         {seconds(60, 300), pod("new", on), rollout.Lost, false, 0},
		"inactive, stopped by hand":        {seconds(60, 300), pod("new", on, stopping(noon)), rollout.Lost, false, 240 * time.Second},
		"expunged":                         {seconds(10, 60), pod("new", on, stopping(noon)), rollout.Lost, true, 0},
		"waits for ever":                   {disabled, pod("new", on), rollout.Unreachable, false, 0},
		"waits for ever, stopped by hand":  {disabled, pod("new", on, stopping(noon.Add(-time.Hour))), rollout.Stopping, false, 0},
		"on a node that answers":           {nil, pod("new"), rollout.Running, false, 0},
		"what is ended does not come back": {nil, pod("new", on, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), rollout.Ended, false, 0},
	} {
		o := seen(1, c.pod)
		o.unreachable = map[string]time.Time{"gone": noon.Add(-time.Minute)}
		o.app.Spec.UnreachableStrategy = c.strategy
		got := o.instance(&o.pods[0])
		if got.Condition != c.condition || got.Overdue != c.overdue {
			t.Errorf("%s: condition %d, overdue %v, want %d, %v", name, got.Condition, got.Overdue, c.condition, c.overdue)
		}
		if again := o.lookAgain(0, rollout.Backoff{}).Truncate(time.Second); again != c.again {
			t.Errorf("%s: looks again after %s, want %s", name, again, c.again)
		}
	}
}

// TestLaunchTimeout: what can't start is launched anew in the end; an image that
// is still being pulled is waited for.
func TestLaunchTimeout(t *testing.T) {
	placed := func(ago time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
				Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-ago)),
			})
		}
	}
	for name, c := range map[string]struct {
		pod     corev1.Pod
		overdue bool
		again   time.Duration
		failure string
	}{
		"just placed":     {pod("new", waiting("ImagePullBackOff", "no"), placed(time.Minute)), false, 4 * time.Minute, ""},
		"too long":        {pod("new", waiting("ImagePullBackOff", "no"), placed(6*time.Minute)), true, 0, "did not start within 5m0s: ImagePullBackOff: no"},
		"being pulled":    {pod("new", waiting("ContainerCreating", ""), placed(time.Hour)), false, 0, ""},
		"without a place": {pod("new", unscheduled("no")), false, 0, ""},
	} {
		o := seen(1, c.pod)
		if got := o.instance(&o.pods[0]).Overdue; got != c.overdue {
			t.Errorf("%s: overdue is %v", name, got)
		}
		if again := o.lookAgain(0, rollout.Backoff{}).Truncate(time.Second); again != c.again {
			t.Errorf("%s: looks again after %s, want %s", name, again, c.again)
		}
		got := ""
		if failure := o.lastFailure(); failure != nil {
			got = failure.Message
		}
		if got != c.failure {
			t.Errorf("%s: failure %q, want %q", name, got, c.failure)
		}
	}
}

func TestLaunchDelayIsReset(t *testing.T) {
	for name, c := range map[string]struct {
		reset    string
		failures int
		fails    bool
	}{
		"never":               {"", 4, false},
		"after all failures":  {noon.Format(time.RFC3339), 0, false},
		"before the last one": {noon.Add(-30 * time.Second).Format(time.RFC3339), 1, false},
		"long ago":            {noon.Add(-time.Hour).Format(time.RFC3339), 4, false},
		"in times to come":    {noon.Add(time.Hour).Format(time.RFC3339), 0, false},
		"no time":             {"now", 0, true},
	} {
		o := seen(1, pod("new", ended(1, noon.Add(-10*time.Second))))
		o.app.Status.ConfigHash = "new"
		o.app.Status.Backoff = &v1alpha1.LaunchBackoff{Failures: 3, LastFailureTime: metav1.NewTime(noon.Add(-time.Minute))}
		o.app.Annotations = map[string]string{v1alpha1.LaunchDelayResetAtAnnotation: c.reset}
		b, err := o.backoff()
		if b.Failures != c.failures && !c.fails || (err != nil) != c.fails {
			t.Errorf("%s: %d failures, %v; want %d", name, b.Failures, err, c.failures)
		}
		if !c.fails && c.failures == 0 {
			o.now = noon.Add(time.Minute)
			o.pods = append(o.pods, pod("new", ended(1, noon.Add(time.Second))))
			o.app.Status.Backoff = backoffStatus(b, o.delays())
			if b, _ := o.backoff(); b.Failures != 1 && name != "in times to come" {
				t.Errorf("%s: a failure after it counts as %d", name, b.Failures)
			}
		}
	}
}

// TestDrainForgetsTheDelay: what maintenance takes off a node is no failure, and
// its successor does not wait for those there were.
func TestDrainForgetsTheDelay(t *testing.T) {
	failed := &v1alpha1.LaunchBackoff{Failures: 7, LastFailureTime: metav1.NewTime(noon.Add(-time.Minute))}
	on := func(p *corev1.Pod) { p.Spec.NodeName = "node" }
	told := func(p *corev1.Pod) {
		stopping(noon.Add(29 * time.Second))(p)
		p.DeletionGracePeriodSeconds = ptr.To[int64](30)
	}
	for name, c := range map[string]struct {
		pod     corev1.Pod
		leaving leaving
		want    rollout.Backoff
	}{
		"drained":              {pod("new", on, told), leaving{true, true}, rollout.Backoff{Last: noon.Add(-time.Second)}},
		"emptied by others":    {pod("new", on, told), leaving{is: true}, rollout.Backoff{Failures: 7, Last: noon.Add(-time.Minute)}},
		"still on the node":    {pod("new", on), leaving{true, true}, rollout.Backoff{Failures: 7, Last: noon.Add(-time.Minute)}},
		"stopped for no drain": {pod("new", on, told), leaving{}, rollout.Backoff{Failures: 7, Last: noon.Add(-time.Minute)}},
	} {
		o := seen(1, c.pod)
		o.app.Status.ConfigHash, o.app.Status.Backoff = "new", failed
		o.leaving = map[string]leaving{"node": c.leaving}
		got, err := o.backoff()
		if err != nil || got.Failures != c.want.Failures || !got.Last.Equal(c.want.Last) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
