// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package jobs starts runs of Jobs, by the clock and after other Jobs, counts
// those that have finished and keeps their history. When a run starts is decided
// in plan.go; what becomes of it then is up to others.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=jobs,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=jobs/status,verbs=patch
// +kubebuilder:rbac:groups=kdcos.io,resources=jobs/finalizers,verbs=update
// +kubebuilder:rbac:groups=kdcos.io,resources=jobruns,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// conflictPause is when a run is looked at again that could not be changed: a busy
// API server says so, too, of what nobody has changed.
const conflictPause = time.Second

// afterTick is when a Job tells of a run that a tick has started, or up to as long
// again later: most schedules fire at the same second.
const afterTick = 2 * time.Second

// Reconciler starts runs, and counts them.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Apply makes, changes and removes runs.
	Apply *apply.Applier
	// Settings are those of the datacenter.
	Settings workload.Settings
	// Clock tells the time.
	Clock clock.PassiveClock

	// began is when the first pass was made: with the lease, if there is one.
	began time.Time
	once  sync.Once
}

// SetupWithManager adds the controller to a manager.
func SetupWithManager(mgr ctrl.Manager, settings workload.Settings, workers int) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Apply: apply.New(mgr.GetClient(), mgr.GetAPIReader()), Settings: settings, Clock: clock.RealClock{},
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("job").
		For(&v1alpha1.Job{}).
		Watches(&v1alpha1.JobRun{}, handler.EnqueueRequestsFromMapFunc(jobOf), builder.WithPredicates(comesOrEnds())).
		Watches(&v1alpha1.Job{}, handler.EnqueueRequestsFromMapFunc(r.children), builder.WithPredicates(runsOnce())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler.WithStatus(mgr.GetClient(), mgr.GetEventRecorder("kdcos-job"), reconcile.ObjectReconciler[*v1alpha1.Job](r)))
}

// Reconcile makes one pass over a Job.
func (r *Reconciler) Reconcile(ctx context.Context, job *v1alpha1.Job) (reconcile.Result, error) {
	seen, err := r.observe(ctx, job)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := seen.plan()
	if plan.start != nil {
		// First of all: somebody waits for it.
		if err := r.start(ctx, job, plan.start); err != nil {
			return reconcile.Result{}, err
		}
		if plan.start.Spec.Trigger.Type == v1alpha1.TriggerSchedule {
			// So do those of other Jobs at this minute. The run is there, and says
			// that the tick is over; the status can wait.
			return reconcile.Result{RequeueAfter: afterTick + rand.N(afterTick)}, plan.state //nolint:gosec // spreads load
		}
	}
	job.Status = plan.status
	ticksDropped.Add(float64(plan.dropped))
	conflicts, err := r.keepHistory(ctx, job, plan)
	if err != nil {
		return reconcile.Result{}, err
	}
	if conflicts && (plan.after == 0 || plan.after > conflictPause) {
		plan.after = conflictPause
	}
	return reconcile.Result{RequeueAfter: plan.after}, plan.state
}

// start makes a run.
func (r *Reconciler) start(ctx context.Context, job *v1alpha1.Job, run *v1alpha1.JobRun) error {
	trigger := run.Spec.Trigger
	log.FromContext(ctx).V(1).Info("start", "run", run.Name, "trigger", trigger.Type)
	if err := r.Apply.Create(ctx, job, run); err != nil {
		return reconciler.Refusal(err, "create run")
	}
	runsStarted.WithLabelValues(string(trigger.Type)).Inc()
	if !trigger.ScheduledAt.IsZero() {
		startDelay.Observe(r.Clock.Since(trigger.ScheduledAt.Time).Seconds())
	}
	return nil
}

// keepHistory takes up runs that others made, lets go those that are counted, and
// removes what is beyond the limits. What somebody else has changed keeps nothing
// from the others: it says that there were such conflicts.
func (r *Reconciler) keepHistory(ctx context.Context, job *v1alpha1.Job, plan *plan) (bool, error) {
	var conflicts atomic.Bool
	change := func(run *v1alpha1.JobRun, edit func(*v1alpha1.JobRun)) error {
		changed := run.DeepCopy()
		edit(changed)
		err := r.Apply.Update(ctx, run, changed)
		if apierrors.IsConflict(err) {
			conflicts.Store(true)
			return nil
		}
		return err
	}
	adopt := apply.Each(len(plan.adopt), func(i int) error {
		return change(plan.adopt[i], func(run *v1alpha1.JobRun) { workload.Adopt(job, run) })
	})
	release := apply.Each(len(plan.release), func(i int) error {
		return change(plan.release[i], func(run *v1alpha1.JobRun) { controllerutil.RemoveFinalizer(run, v1alpha1.HistoryFinalizer) })
	})
	remove := apply.Each(len(plan.remove), func(i int) error { return r.Apply.Delete(ctx, plan.remove[i]) })
	clean := apply.Each(len(plan.clean), func(i int) error {
		return r.Apply.Delete(ctx, plan.clean[i], client.PropagationPolicy(metav1.DeletePropagationBackground))
	})
	if err := errors.Join(adopt, release, remove, clean); err != nil {
		return false, fmt.Errorf("keep history: %w", err)
	}
	return conflicts.Load(), nil
}

// jobOf is the Job of a run.
func jobOf(_ context.Context, obj client.Object) []reconcile.Request {
	run, is := obj.(*v1alpha1.JobRun)
	if !is {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: run.Namespace, Name: run.Spec.JobName}}}
}

// comesOrEnds are the events of a run that concern its Job.
func comesOrEnds() predicate.Predicate {
	return predicate.Funcs{
		// Of those that a tick has started we know.
		CreateFunc: func(e event.CreateEvent) bool {
			run, is := e.Object.(*v1alpha1.JobRun)
			return is && run.Spec.Trigger.Type != v1alpha1.TriggerSchedule
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, was := e.ObjectOld.(*v1alpha1.JobRun)
			after, is := e.ObjectNew.(*v1alpha1.JobRun)
			return was && is && (before.Status.Finished() != after.Status.Finished() || len(before.Finalizers) != len(after.Finalizers) ||
				!after.Status.Finished() && len(after.Finalizers) == 0)
		},
	}
}

// children are the Jobs that run after one.
func (r *Reconciler) children(ctx context.Context, obj client.Object) []reconcile.Request {
	job, is := obj.(*v1alpha1.Job)
	if !is {
		return nil
	}
	id, err := r.id(job)
	if err != nil {
		return nil // it says so itself
	}
	var jobs v1alpha1.JobList
	if err := r.Client.List(ctx, &jobs, index.DependingOn(id), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list the Jobs that depend on one")
		return nil
	}
	var requests []reconcile.Request
	for i := range jobs.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&jobs.Items[i])})
	}
	return requests
}

// runsOnce are the events of a Job that concern those which run after it.
func runsOnce() predicate.Predicate {
	ran := func(obj client.Object) (success, failure string, dependencies int64) {
		job, is := obj.(*v1alpha1.Job)
		if !is {
			return "", "", 0
		}
		if s := job.Status.LastSuccess; s != nil {
			success = s.Name
		}
		if f := job.Status.LastFailure; f != nil {
			failure = f.Name
		}
		return success, failure, job.Generation
	}
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			a, b, c := ran(e.ObjectOld)
			x, y, z := ran(e.ObjectNew)
			return a != x || b != y || c != z
		},
	}
}

// batchJobs are what the runs of a Job were carried out with.
func (r *Reconciler) batchJobs(ctx context.Context, job *v1alpha1.Job) ([]batchv1.Job, error) {
	var jobs batchv1.JobList
	if err := r.Client.List(ctx, &jobs, client.InNamespace(job.Namespace), index.OfJob(workload.JobLabels(job.Name)[v1alpha1.JobLabel]), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs.Items, nil
}
