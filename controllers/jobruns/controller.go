// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package jobruns carries runs of Jobs through their attempts: each is a Job of
// batch/v1, which is in the ledger of the run before it is made. What comes next
// is decided in plan.go, what an attempt looks like in internal/workload. When runs
// start, and what they count for, is not decided here.
package jobruns

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
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

// +kubebuilder:rbac:groups=kdcos.io,resources=jobs;quotas,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=jobruns,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kdcos.io,resources=jobruns/status,verbs=patch
// +kubebuilder:rbac:groups=kdcos.io,resources=jobruns/finalizers,verbs=update
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconciler carries out runs.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Live reads from the API server what must be known now.
	Live client.Reader
	// Apply makes and removes Jobs of batch/v1.
	Apply *apply.Applier
	// Settings are those of the datacenter.
	Settings workload.Settings
	// Clock tells the time.
	Clock clock.PassiveClock
}

// SetupWithManager adds the controller to a manager.
func SetupWithManager(mgr ctrl.Manager, settings workload.Settings, workers int) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Apply: apply.New(mgr.GetClient(), mgr.GetAPIReader()), Settings: settings, Clock: clock.RealClock{},
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("jobrun").
		For(&v1alpha1.JobRun{}, builder.WithPredicates(predicate.Funcs{
			CreateFunc: func(e event.CreateEvent) bool { return !bySchedule(e.Object) || e.IsInInitialList },
		})).
		Watches(&v1alpha1.JobRun{}, &paced{clock: clock.RealClock{}}, builder.WithPredicates(predicate.Funcs{
			CreateFunc:  func(e event.CreateEvent) bool { return bySchedule(e.Object) && !e.IsInInitialList },
			UpdateFunc:  func(event.UpdateEvent) bool { return false },
			DeleteFunc:  func(event.DeleteEvent) bool { return false },
			GenericFunc: func(event.GenericEvent) bool { return false },
		})).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.runOf)).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.runsOn), builder.WithPredicates(reachability())).
		Watches(&v1alpha1.Quota{}, handler.Funcs{UpdateFunc: r.told}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler.WithStatus(mgr.GetClient(), mgr.GetEventRecorder("kdcos-jobrun"), reconcile.ObjectReconciler[*v1alpha1.JobRun](r),
			reconciler.WithFinalizer[*v1alpha1.JobRun](v1alpha1.HistoryFinalizer)))
}

// Reconcile makes one pass over a run.
func (r *Reconciler) Reconcile(ctx context.Context, run *v1alpha1.JobRun) (reconcile.Result, error) {
	seen, err := r.observe(ctx, run)
	if err != nil {
		return reconcile.Result{}, err
	}
	if run.Status.Finished() && seen.of == nil && len(seen.unfinished) == 0 && controllerutil.ContainsFinalizer(run, v1alpha1.HistoryFinalizer) {
		// There is nobody who would count it.
		if err := r.release(ctx, run); err != nil {
			return reconcile.Result{}, err
		}
	}
	step := seen.step()
	ends := !run.Status.Finished() && step.status.Finished()
	run.Status = step.status
	for _, job := range step.remove {
		log.FromContext(ctx).V(1).Info("end", "job", job.Name)
		if err := r.Apply.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
			return reconcile.Result{}, fmt.Errorf("delete job: %w", err)
		}
	}
	if step.create != 0 {
		if err := r.create(ctx, run, step.create); err != nil {
			return reconcile.Result{}, err
		}
	}
	if ends {
		log.FromContext(ctx).Info("finished", "state", run.Status.State)
		finished.WithLabelValues(string(run.Status.State)).Inc()
	}
	return reconcile.Result{RequeueAfter: step.after}, step.state
}

// create makes the Job of batch/v1 of an attempt.
func (r *Reconciler) create(ctx context.Context, run *v1alpha1.JobRun, attempt int32) error {
	job, err := workload.AttemptJob(run, r.Settings, attempt)
	if err != nil {
		return &reconciler.NotReady{Reason: v1alpha1.ReasonInvalid, Message: err.Error()}
	}
	log.FromContext(ctx).V(1).Info("start", "attempt", attempt)
	if err := r.Apply.Create(ctx, run, job); err != nil {
		return reconciler.Refusal(err, "create job")
	}
	attempts.Inc()
	return nil
}

// release takes away the finalizer.
func (r *Reconciler) release(ctx context.Context, run *v1alpha1.JobRun) error {
	free := run.DeepCopy()
	controllerutil.RemoveFinalizer(free, v1alpha1.HistoryFinalizer)
	if err := r.Apply.Update(ctx, run, free); err != nil {
		return fmt.Errorf("release run: %w", err)
	}
	return nil
}

// runOf is the run that a pod belongs to.
func (r *Reconciler) runOf(ctx context.Context, pod client.Object) []reconcile.Request {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "Job" || pod.GetLabels()[v1alpha1.JobRunLabel] == "" {
		return nil
	}
	var job batchv1.Job
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: pod.GetNamespace(), Name: owner.Name}, &job); err != nil {
		return nil // the Job has events of its own
	}
	run := metav1.GetControllerOfNoCopy(&job)
	if run == nil || run.Kind != "JobRun" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: run.Name}}}
}

// told wakes the runs of pods of which a quota says something new.
func (r *Reconciler) told(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	before, was := e.ObjectOld.(*v1alpha1.Quota)
	after, is := e.ObjectNew.(*v1alpha1.Quota)
	if !was || !is {
		return
	}
	namespace, _ := v1alpha1.ScopeOfQuota(after.Name)
	for _, w := range workload.Told(before, after) {
		name, made := strings.CutPrefix(w.Owner, "Job/")
		if !made {
			continue
		}
		var job batchv1.Job
		if err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &job); err != nil {
			continue // it is none of ours
		}
		if run := metav1.GetControllerOfNoCopy(&job); run != nil && run.Kind == "JobRun" {
			queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: run.Name}})
		}
	}
}

// runsOn are the runs with a pod on a node.
func (r *Reconciler) runsOn(ctx context.Context, node client.Object) []reconcile.Request {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, index.OnNode(node.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list the pods of a node", "node", node.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range pods.Items {
		requests = append(requests, r.runOf(ctx, &pods.Items[i])...)
	}
	return requests
}

// reachability lets through that a node is lost, or back.
func reachability() predicate.Predicate {
	lost := func(obj client.Object) bool {
		node, is := obj.(*corev1.Node)
		if !is {
			return false
		}
		_, unreachable := index.UnreachableSince(node)
		return unreachable
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return lost(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return lost(e.ObjectOld) != lost(e.ObjectNew) },
	}
}
