// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// quotaScenario is the name of the scenario that this file is about: there is no
// twin of a quota.
const quotaScenario = "quota"

// Quota is what came of pods under a Quota.
type Quota struct {
	// Limit is how many pods may run at once, Peak how many did, by the history of
	// the API server; Exceeded how often it was over the limit.
	Limit    int `json:"limit"`
	Peak     int `json:"peak"`
	Exceeded int `json:"exceeded"`
	// Disordered is how many pods were let in before others in front of them.
	Disordered int `json:"disordered"`
	// Finished pods ended, Left are those that wait, or do not run, in the end.
	Finished int `json:"finished"`
	Left     int `json:"left"`
	Kills    int `json:"kills"`
	Scales   int `json:"scales"`
	Rollouts int `json:"rollouts"`
	// Release compares how long it takes until pods are on their nodes: of ours
	// from when the limit is raised that all of them wait for, of the twin from when
	// they are made where there is no quota.
	Release Pair `json:"release"`
}

const (
	quotaNodes   = 500
	quotaMinutes = 10
	// each pod asks for so many thousandths of a CPU.
	share = 100
	// released is how many pods are compared.
	released = 1000
	// stormApps are among the pods, which ask for no more than half of the limit together.
	stormApps = 10
)

// quota lets n pods run under a limit for a quarter of them.
func (r *runner) quota(ctx context.Context, n, minutes int) (*Result, error) {
	load, err := loadAverage()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := r.up(ctx, quotaNodes)
	if err != nil {
		return nil, err
	}
	run := &sideRun{runner: r, cluster: c, ours: true, kubeconfig: filepath.Join(r.dir, "manager.kubeconfig")}
	defer run.stop()
	if err := c.install(ctx, r.root, run.kubeconfig); err != nil {
		return nil, err
	}
	if err := c.installPolicy(ctx, filepath.Join(r.root, "config", "policy", "quota.yaml")); err != nil {
		return nil, err
	}
	if run.manager, err = r.startManager(ctx, run.kubeconfig); err != nil {
		return nil, err
	}
	q := &Quota{Limit: n / 4}
	if q.Release, err = run.releases(ctx, min(released, n)); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	warn("  %d pods on nodes %.1f s after the limit was raised, %.1f s without a quota", min(released, n), q.Release.Ours, q.Release.Twin)
	if err := run.storm(ctx, q, n, time.Duration(minutes)*time.Minute); err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	result := &Result{
		Scenario: quotaScenario, N: n, Rounds: 1, Quota: q, LoadWarning: load > busy,
		WritesAtRest: -1, AfterRestart: -1, AfterResync: -1,
	}
	result.ManagerRSS, err = memoryOf(run.manager.cmd.Process.Pid)
	return result, err
}

// installPolicy makes what is in a file.
func (c *cluster) installPolicy(ctx context.Context, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := c.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("install policy: %w", err)
		}
	}
	return nil
}

// releases measures twin, ours, ours, twin.
func (r *sideRun) releases(ctx context.Context, n int) (Pair, error) {
	var ours, twins []float64
	for i, quota := range []bool{false, true, true, false} {
		d, err := r.release(ctx, fmt.Sprintf("release-%d", i+1), n, quota)
		if err != nil {
			return Pair{}, err
		}
		if quota {
			ours = append(ours, d.Seconds())
		} else {
			twins = append(twins, d.Seconds())
		}
	}
	p := Pair{Ours: median(ours), Twin: median(twins), Spread: [2]float64{ours[0] / twins[0], ours[1] / twins[1]}}
	p.Ratio = p.Ours / p.Twin
	return p.rounded(), nil
}

// release is how long it takes until so many pods are on nodes.
func (r *sideRun) release(ctx context.Context, namespace string, n int, quota bool) (time.Duration, error) {
	c := r.cluster
	if err := c.makeNamespaces(ctx, []string{namespace}); err != nil {
		return 0, err
	}
	h, err := c.historyOf(ctx, namespace, int64(n)*share)
	if err != nil {
		return 0, err
	}
	q := quotaOf(namespace, 0)
	if quota {
		if err := r.govern(ctx, q); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if err := atWork(ctx, n, func(ctx context.Context, i int) error {
		return c.client.Create(ctx, pod(namespace, fmt.Sprintf("pod-%d", i)))
	}); err != nil {
		return 0, err
	}
	if quota {
		if err := r.wait(ctx, h, "all pods wait", func(c census) bool { return c.waiting == n && c.counting == 0 }); err != nil {
			return 0, err
		}
		if err := poll(ctx, managerPatience, "the quota counts them", func() (bool, error) {
			err := c.client.Get(ctx, client.ObjectKeyFromObject(q), q)
			return int(q.Status.WaitingPods) == n, err
		}); err != nil {
			return 0, err
		}
		start = time.Now()
		if err := r.limit(ctx, q, n); err != nil {
			return 0, err
		}
	}
	if err := r.wait(ctx, h, "all pods have a node", func(c census) bool { return c.placed == n }); err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, c.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0))
}

// govern makes a Quota, and waits until pods of its namespace get the gate.
func (r *sideRun) govern(ctx context.Context, q *v1alpha1.Quota) error {
	c := r.cluster.client
	if err := c.Create(ctx, q); err != nil {
		return err
	}
	namespace, _ := v1alpha1.ScopeOfQuota(q.Name)
	return poll(ctx, managerPatience, "the gate is set in "+namespace, func() (bool, error) {
		probe := pod(namespace, "probe")
		if err := c.Create(ctx, probe, client.DryRunAll); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		return len(probe.Spec.SchedulingGates) > 0, nil
	})
}

// limit lets a Quota have so many pods.
func (r *sideRun) limit(ctx context.Context, q *v1alpha1.Quota, pods int) error {
	patch := fmt.Sprintf(`{"spec":{"limits":{"cpus":%g}}}`, float64(pods*share)/1000)
	return r.cluster.client.Patch(ctx, q, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// wait waits until all that is there is as it should be.
func (r *sideRun) wait(ctx context.Context, h *history, what string, done func(census) bool) error {
	return poll(ctx, 10*time.Minute, what, func() (bool, error) {
		h.mu.Lock()
		err := h.err
		h.mu.Unlock()
		return done(h.census(everyone)), err
	})
}

func quotaOf(name string, pods int) *v1alpha1.Quota {
	return &v1alpha1.Quota{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.QuotaSpec{Limits: &v1alpha1.QuotaResources{Cpus: ptr.To(float64(pods*share) / 1000)}},
	}
}

func pod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: "web",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(share, resource.DecimalSI)}},
		}}},
	}
}
