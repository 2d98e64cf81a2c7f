// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

const (
	// gather is for how long events of pods are gathered before a pass: many come
	// at once, and a pass looks at all pods of its namespace.
	gather = 20 * time.Millisecond
	// statusPause is what lies between two looks at the figures of a Quota, while
	// pods come and go.
	statusPause = time.Second
	// workers is how many namespaces, and Quotas, are worked on at once.
	workers = 4
)

// SetupWithManager adds two controllers to a manager: that of lines, one a
// namespace, which lets pods in, and that of Quotas, which tells of them.
func SetupWithManager(mgr ctrl.Manager, pods *podcache.Pods, settings workload.Settings) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Pods: pods, Apply: apply.New(mgr.GetClient(), mgr.GetAPIReader()),
		Events: mgr.GetEventRecorder("kdcos-quota"), GPUResource: settings.GPUResource, Clock: clock.RealClock{},
		told: make(chan event.GenericEvent, 1024), books: map[string]*book{},
	}
	namespaces := handler.EnqueueRequestsFromMapFunc(r.namespaceOf)
	specs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	lines, err := ctrl.NewControllerManagedBy(mgr).
		Named("quota-line").
		Watches(&v1alpha1.Quota{}, namespaces, specs).
		Watches(&v1alpha1.App{}, namespaces, specs).
		Watches(&v1alpha1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.everywhere), specs).
		Watches(&corev1.PersistentVolumeClaim{}, namespaces).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Build(reconcile.Func(r.serve))
	if err != nil {
		return fmt.Errorf("set up lines: %w", err)
	}
	r.watcher = pods.Watcher(lines, r.gathered(), podChanges())
	return ctrl.NewControllerManagedBy(mgr).
		Named("quota").
		// The lines see to it that each has one.
		For(&v1alpha1.Quota{}, builder.WithPredicates(predicate.NewPredicateFuncs(func(obj client.Object) bool {
			return controllerutil.ContainsFinalizer(obj, v1alpha1.QuotaFinalizer)
		}))).
		WatchesRawSource(source.Channel(r.told, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler.WithStatus(mgr.GetClient(), r.Events, reconcile.ObjectReconciler[*v1alpha1.Quota](r),
			reconciler.WithFinalizer[*v1alpha1.Quota](v1alpha1.QuotaFinalizer),
			reconciler.Resting(func(*v1alpha1.Quota) time.Duration { return statusPause })))
}

// namespaceOf is the namespace that a Quota is about; that of an App or a claim
// where there are Quotas.
func (r *Reconciler) namespaceOf(_ context.Context, obj client.Object) []reconcile.Request {
	if _, is := obj.(*v1alpha1.Quota); is {
		namespace, _ := v1alpha1.ScopeOfQuota(obj.GetName())
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: namespace}}}
	}
	if !r.knows(obj.GetNamespace()) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: obj.GetNamespace()}}}
}

// knows says whether there are Quotas in a namespace.
func (r *Reconciler) knows(namespace string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.books[namespace] != nil
}

// everywhere are all namespaces with Quotas.
func (r *Reconciler) everywhere(context.Context, client.Object) []reconcile.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []reconcile.Request
	for _, namespace := range slices.Sorted(maps.Keys(r.books)) {
		all = append(all, reconcile.Request{NamespacedName: client.ObjectKey{Name: namespace}})
	}
	return all
}

// gathered wakes the line of a pod's namespace, in a moment: where there are
// Quotas, or were when the pod was made.
func (r *Reconciler) gathered() handler.TypedEventHandler[*corev1.Pod, reconcile.Request] {
	wake := func(pod *corev1.Pod, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if !r.knows(pod.Namespace) && !workload.Gated(pod) {
			return
		}
		queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKey{Name: pod.Namespace}}, gather)
	}
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.TypedFuncs[*corev1.Pod, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*corev1.Pod], q queue) { wake(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*corev1.Pod], q queue) { wake(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*corev1.Pod], q queue) { wake(e.Object, q) },
	}
}

// podChanges are those that a line may move for: not that a container is ready.
func podChanges() predicate.TypedPredicate[*corev1.Pod] {
	return predicate.TypedFuncs[*corev1.Pod]{
		UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Pod]) bool {
			before, after := e.ObjectOld, e.ObjectNew
			return before.Generation != after.Generation || before.Status.Phase != after.Status.Phase ||
				len(before.Spec.SchedulingGates) != len(after.Spec.SchedulingGates) ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
				readPod(before, nil).unplaced.IsZero() != readPod(after, nil).unplaced.IsZero()
		},
	}
}
