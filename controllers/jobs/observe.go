// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

// observed is everything that one pass knows.
type observed struct {
	job *v1alpha1.Job
	// id of the Job, as Metronome has them.
	id string
	// runs of the Job. They belong to the cache: nobody changes them.
	runs []*v1alpha1.JobRun
	// made is what runs were carried out with, by the uid of the run.
	made map[types.UID][]*batchv1.Job
	// parents are the Jobs that this one runs after, by id; nil where there is none.
	parents map[string]*v1alpha1.Job
	// cycle is a way over dependencies from the Job to itself, nil if there is none.
	cycle []string
	// unsupported is what the Job asks for and can't have.
	unsupported []string
	// began is when this manager began to look at schedules.
	began time.Time
	now   time.Time
}

// observe reads what a pass needs, from the cache.
func (r *Reconciler) observe(ctx context.Context, job *v1alpha1.Job) (*observed, error) {
	r.once.Do(func() { r.began = r.Clock.Now() })
	seen := &observed{job: job, began: r.began, now: r.Clock.Now(), made: map[types.UID][]*batchv1.Job{}, parents: map[string]*v1alpha1.Job{}}
	var err error
	if seen.id, err = r.id(job); err != nil {
		return nil, fmt.Errorf("metadata.annotations[%s]: %w", v1alpha1.IDAnnotation, err)
	}
	var runs v1alpha1.JobRunList
	if err := r.Client.List(ctx, &runs, client.InNamespace(job.Namespace), index.RunsOf(job.Name), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	for i := range runs.Items {
		// Those of an earlier Job of the name go with it.
		if owner := metav1.GetControllerOfNoCopy(&runs.Items[i]); owner == nil || owner.UID == job.UID {
			seen.runs = append(seen.runs, &runs.Items[i])
		}
	}
	made, err := r.batchJobs(ctx, job)
	if err != nil {
		return nil, err
	}
	for i := range made {
		if owner := metav1.GetControllerOfNoCopy(&made[i]); owner != nil {
			seen.made[owner.UID] = append(seen.made[owner.UID], &made[i])
		}
	}
	for _, d := range job.Spec.Dependencies {
		if seen.parents[d.ID], err = r.find(ctx, d.ID); err != nil {
			return nil, err
		}
	}
	if len(job.Spec.Dependencies) > 0 {
		if seen.cycle, err = r.cycle(ctx, seen.id, job); err != nil {
			return nil, err
		}
	}
	seen.unsupported = workload.UnsupportedRun(workload.NewRun(job, v1alpha1.Trigger{}, seen.now), r.Settings)
	return seen, nil
}

// id is that of the Job in Metronome: its path with dots.
func (r *Reconciler) id(job *v1alpha1.Job) (string, error) {
	path, err := pathid.Mapping{RootNamespace: r.Settings.RootNamespace}.ID(job.Namespace, job.Name, job.Annotations[v1alpha1.IDAnnotation])
	return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "."), err
}

// find is the Job with the id, nil if there is none.
func (r *Reconciler) find(ctx context.Context, id string) (*v1alpha1.Job, error) {
	namespace, name, _, err := pathid.Mapping{RootNamespace: r.Settings.RootNamespace}.Name("/" + strings.ReplaceAll(id, ".", "/"))
	if err != nil {
		return nil, nil // no Job can have it
	}
	job := &v1alpha1.Job{}
	err = r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, job)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Job %s: %w", id, err)
	}
	return job, nil
}

// cycle is a way over dependencies from a Job to itself, nil if there is none.
func (r *Reconciler) cycle(ctx context.Context, start string, job *v1alpha1.Job) ([]string, error) {
	been := map[string]bool{}
	var walk func(id string, job *v1alpha1.Job) ([]string, error)
	walk = func(id string, job *v1alpha1.Job) ([]string, error) {
		for _, d := range job.Spec.Dependencies {
			if d.ID == start {
				return []string{id, start}, nil
			}
			if been[d.ID] {
				continue
			}
			been[d.ID] = true
			parent, err := r.find(ctx, d.ID)
			if err != nil {
				return nil, err
			}
			if parent == nil {
				continue
			}
			if way, err := walk(d.ID, parent); way != nil || err != nil {
				return append([]string{id}, way...), err
			}
		}
		return nil, nil
	}
	return walk(start, job)
}

// newestFirst orders runs that have finished.
func newestFirst(runs []*v1alpha1.JobRun) {
	slices.SortFunc(runs, func(a, b *v1alpha1.JobRun) int {
		if c := b.Status.CompletedAt.Compare(a.Status.CompletedAt.Time); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
}
