// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/workload"
)

// observed is everything that one pass knows.
type observed struct {
	run *v1alpha1.JobRun
	// of is the Job that the run is of, nil if it is not there, or about to go.
	of *v1alpha1.Job
	// job is the Job of batch/v1 of the last attempt, pod its pod; nil if there is
	// none.
	job *batchv1.Job
	pod *corev1.Pod
	// unfinished are all Jobs of batch/v1 of the run that have, or may have, a
	// process.
	unfinished []*batchv1.Job
	// old are those of attempts that are over, but for the last few.
	old []*batchv1.Job
	// quotas are those of the groups of the Job, where the pod waits for one. They
	// belong to the cache.
	quotas []*v1alpha1.Quota
	// lost says that the node of the pod does not answer.
	lost     bool
	settings workload.Settings
	now      time.Time
}

// observe reads what a pass needs, from the cache.
func (r *Reconciler) observe(ctx context.Context, run *v1alpha1.JobRun) (*observed, error) {
	seen := &observed{run: run, settings: r.Settings, now: r.Clock.Now()}
	if err := r.observeJob(ctx, seen); err != nil {
		return nil, err
	}
	var jobs batchv1.JobList
	if err := r.Client.List(ctx, &jobs, client.InNamespace(run.Namespace), index.ControlledBy(run), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	current := workload.AttemptName(run, run.Status.AttemptCount)
	for i := range jobs.Items {
		job := &jobs.Items[i]
		pod, err := r.podOf(ctx, job)
		if err != nil {
			return nil, err
		}
		if job.Name == current {
			if pod, err = r.lastPod(ctx, run, job, pod); err != nil {
				return nil, err
			}
			seen.job, seen.pod = job, pod
		}
		switch number, err := strconv.Atoi(job.Labels[v1alpha1.AttemptLabel]); {
		case !over(job, pod) && !ranOut(&run.Status, job.Name):
			seen.unfinished = append(seen.unfinished, job)
		case err == nil && number < int(run.Status.AttemptCount)-kept && job.DeletionTimestamp == nil:
			seen.old = append(seen.old, job)
		}
	}
	if seen.pod != nil && workload.Gated(seen.pod) {
		var err error
		if seen.quotas, err = index.QuotasOf(ctx, r.Client, run.Namespace, run.Spec.JobName); err != nil {
			return nil, err
		}
	}
	if seen.pod != nil && seen.pod.Spec.NodeName != "" {
		var node corev1.Node
		err := r.Client.Get(ctx, types.NamespacedName{Name: seen.pod.Spec.NodeName}, &node)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get node: %w", err)
		}
		_, unreachable := index.UnreachableSince(&node)
		seen.lost = unreachable || apierrors.IsNotFound(err)
	}
	return seen, nil
}

// observeJob finds the Job that the run is of.
func (r *Reconciler) observeJob(ctx context.Context, seen *observed) error {
	var of v1alpha1.Job
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: seen.run.Namespace, Name: seen.run.Spec.JobName}, &of)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get Job: %w", err)
	}
	owner := metav1.GetControllerOfNoCopy(seen.run)
	if err == nil && of.DeletionTimestamp == nil && (owner == nil || owner.UID == of.UID) {
		seen.of = &of
	}
	return nil
}

// lastPod is the pod of the attempt that goes on. That its Job is over, and the cache
// has no pod of it, may be a matter of time: what is not known now of how it ended
// never will be.
func (r *Reconciler) lastPod(ctx context.Context, run *v1alpha1.JobRun, job *batchv1.Job, pod *corev1.Pod) (*corev1.Pod, error) {
	a := last(&run.Status)
	if a == nil || !a.CompletedAt.IsZero() || pod != nil || !over(job, nil) {
		return pod, nil
	}
	var pods corev1.PodList
	if err := r.Live.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return !metav1.IsControlledBy(&p, job) })
	return newest(pods.Items), nil
}

// podOf is the pod of a Job of batch/v1: the last one, should there be several.
func (r *Reconciler) podOf(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(job.Namespace), index.ControlledBy(job), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return newest(pods.Items), nil
}

// newest is the pod that was made last, nil if there is none.
func newest(pods []corev1.Pod) *corev1.Pod {
	if len(pods) == 0 {
		return nil
	}
	last := slices.MaxFunc(pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return &last
}

// over says that a Job of batch/v1 has no process any more.
func over(job *batchv1.Job, pod *corev1.Pod) bool {
	return ended(job, batchv1.JobComplete) || ended(job, batchv1.JobFailed) ||
		pod != nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed)
}

func ended(job *batchv1.Job, how batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == how && c.Status == corev1.ConditionTrue })
}
