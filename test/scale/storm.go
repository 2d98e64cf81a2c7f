// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// storm lets n pods come, finish, scale, roll out, and the manager die, all by chance.
func (r *sideRun) storm(ctx context.Context, q *Quota, n int, length time.Duration) error {
	const namespace = "storm"
	if err := r.cluster.makeNamespaces(ctx, []string{namespace}); err != nil {
		return err
	}
	h, err := r.cluster.historyOf(ctx, namespace, int64(q.Limit)*share)
	if err != nil {
		return err
	}
	if err := r.govern(ctx, quotaOf(namespace, q.Limit)); err != nil {
		return err
	}
	s := &storm{sideRun: r, h: h, q: q, namespace: namespace, random: rand.New(rand.NewPCG(1, 2)), end: time.Now().Add(length)} //nolint:gosec // the same chance each time
	if err := s.fill(ctx, n); err != nil {
		return err
	}
	// Those that finish leave a third of the time for the last to start.
	s.finishing = float64(s.bare) / (length.Seconds() * 0.65)
	for time.Now().Before(s.end) {
		if err := s.second(ctx); err != nil {
			return err
		}
	}
	err = s.calm(ctx)
	h.mu.Lock()
	q.Peak, q.Exceeded = int(h.peak/share), h.excess
	err = errors.Join(err, h.err)
	h.mu.Unlock()
	q.Disordered = h.judge()
	c := h.census(everyone)
	q.Left = c.waiting + c.counting - c.placed
	q.Finished = c.ended
	return err
}

// storm is what happens to pods under a quota.
type storm struct {
	*sideRun
	h         *history
	q         *Quota
	namespace string
	random    *rand.Rand
	// size is how many instances an App has, on average.
	size int32
	// bare is how many pods finish by and by, finishing how many a second.
	bare      int
	finishing float64
	owed      float64
	killed    time.Time
	end       time.Time
}

// fill makes the pods: bare ones, those of Apps and of a Deployment.
func (s *storm) fill(ctx context.Context, n int) error {
	s.size = int32(max(s.q.Limit/(4*stormApps), 1)) //nolint:gosec // of a number that a machine holds
	s.bare = n - (stormApps+1)*int(s.size)
	c := s.cluster.client
	for i := range stormApps {
		app := &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: fmt.Sprintf("app-%d", i)},
			Spec: v1alpha1.AppSpec{
				Instances: ptr.To(s.size), Cpus: ptr.To(float64(share) / 1000),
				Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "web"}},
			},
		}
		if err := c.Create(ctx, app); err != nil {
			return fmt.Errorf("create app: %w", err)
		}
	}
	template := pod(s.namespace, "")
	labels := map[string]string{"app": "foreign"}
	if err := c.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "foreign"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(s.size), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: template.Spec},
		},
	}); err != nil {
		return fmt.Errorf("create deployment: %w", err)
	}
	return atWork(ctx, s.bare, func(ctx context.Context, i int) error {
		return c.Create(ctx, pod(s.namespace, fmt.Sprintf("bare-%d", i)))
	})
}

// second is one of the storm.
func (s *storm) second(ctx context.Context) error {
	const kills = 30 * time.Second
	began := time.Now()
	if err := s.finish(ctx); err != nil {
		return err
	}
	if s.random.IntN(5) == 0 {
		if err := s.change(ctx); err != nil {
			return err
		}
	}
	if began.Sub(s.killed) > kills {
		if err := s.kill(ctx); err != nil {
			return err
		}
	}
	return sleep(ctx, time.Until(began.Add(time.Second)))
}

// finish lets bare pods end well.
func (s *storm) finish(ctx context.Context) error {
	s.owed += s.finishing
	running := s.h.running("bare-")
	s.random.Shuffle(len(running), func(i, j int) { running[i], running[j] = running[j], running[i] })
	n := min(int(s.owed), len(running))
	s.owed -= float64(n)
	return atWork(ctx, n, func(ctx context.Context, i int) error {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: running[i]}}
		return client.IgnoreNotFound(s.cluster.client.Status().Patch(ctx, p, client.RawPatch(types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`))))
	})
}

// change scales an App, or rolls it out anew.
func (s *storm) change(ctx context.Context) error {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: fmt.Sprintf("app-%d", s.random.IntN(stormApps))}}
	patch := fmt.Sprintf(`{"spec":{"instances":%d}}`, s.size/2+s.random.Int32N(s.size+1))
	s.q.Scales++
	if s.random.IntN(3) == 0 {
		patch = fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RestartedAtAnnotation, time.Now().Format(time.RFC3339Nano))
		s.q.Scales--
		s.q.Rollouts++
	}
	return s.cluster.client.Patch(ctx, app, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// kill kills the manager and starts another one.
func (s *storm) kill(ctx context.Context) error {
	s.killed = time.Now()
	if err := s.manager.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.manager.done //nolint:errcheck // it was killed
	s.q.Kills++
	var err error
	s.manager, err = s.startManager(ctx, s.kubeconfig)
	return err
}

// calm lets all bare pods finish, and waits until all others run.
func (s *storm) calm(ctx context.Context) error {
	s.finishing = float64(s.q.Limit) / 20
	until := time.Now().Add(5 * time.Minute)
	for {
		c := s.h.census(func(name string) bool { return strings.HasPrefix(name, "bare-") })
		if c.ended >= s.bare || time.Now().After(until) {
			break
		}
		if err := s.finish(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	err := poll(ctx, 3*time.Minute, "all apps run", func() (bool, error) {
		var apps v1alpha1.AppList
		if err := s.cluster.client.List(ctx, &apps, client.InNamespace(s.namespace)); err != nil {
			return false, err
		}
		for i := range apps.Items {
			conditions := apps.Items[i].Status.Conditions
			if !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) || meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) {
				return false, nil
			}
		}
		c := s.h.census(everyone)
		return c.waiting == 0 && c.placed == c.counting, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		warn("%v", err) // the figures tell
		return nil
	}
	return err
}
