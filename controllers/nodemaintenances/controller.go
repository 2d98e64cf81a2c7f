// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package nodemaintenances takes nodes out of use and puts them to use again: it
// makes them unschedulable, takes pods off them as their disruption budgets allow,
// and gives up those that will not return, with what is stored there. What to do is
// decided in plan.go; here is only the wiring. It starts nothing elsewhere: whoever
// owns a pod does.
package nodemaintenances

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=nodemaintenances,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kdcos.io,resources=nodemaintenances/status,verbs=patch
// +kubebuilder:rbac:groups=kdcos.io,resources=nodepools;apps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create
// +kubebuilder:rbac:groups="",resources=persistentvolumes,verbs=list
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// pause is how long a node rests between passes: many of its pods have events at
// once when they are told to end.
const pause = 300 * time.Millisecond

// Reconciler looks after nodes that are taken out of use.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server what is not worth a cache, or must be known now.
	Live client.Reader
	// Apply changes nodes and stops pods.
	Apply *apply.Applier
	// Pods are those of all nodes.
	Pods *podcache.Pods
	// Clock tells the time.
	Clock clock.PassiveClock

	watcher *podcache.Watcher
}

// SetupWithManager adds the controller to a manager.
func SetupWithManager(mgr ctrl.Manager, pods *podcache.Pods) error {
	r := &Reconciler{
		Client: mgr.GetClient(),
		Live:   mgr.GetAPIReader(),
		Apply:  apply.New(mgr.GetClient(), mgr.GetAPIReader()),
		Pods:   pods,
		Clock:  clock.RealClock{},
	}
	controller, err := ctrl.NewControllerManagedBy(mgr).
		Named("nodemaintenance").
		For(&v1alpha1.NodeMaintenance{}).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.ofNode), builder.WithPredicates(nodeChanges())).
		Watches(&v1alpha1.NodeMaintenance{}, handler.EnqueueRequestsFromMapFunc(r.waiting), builder.WithPredicates(progress())).
		Watches(&v1alpha1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.unfinished), builder.WithPredicates(poolChanges())).
		Build(reconciler.WithStatus[*v1alpha1.NodeMaintenance](mgr.GetClient(), mgr.GetEventRecorder("kdcos-nodemaintenance"), r,
			reconciler.WithFinalizer[*v1alpha1.NodeMaintenance](v1alpha1.MaintenanceFinalizer),
			reconciler.Resting(func(*v1alpha1.NodeMaintenance) time.Duration { return pause })))
	if err != nil {
		return fmt.Errorf("build the controller: %w", err)
	}
	r.watcher = pods.Watcher(controller, handler.TypedEnqueueRequestsFromMapFunc(r.ofPod))
	return nil
}

// Reconcile makes one pass over a NodeMaintenance: it looks, decides, acts and reports.
func (r *Reconciler) Reconcile(ctx context.Context, m *v1alpha1.NodeMaintenance) (reconcile.Result, error) {
	if m.DeletionTimestamp != nil {
		return reconcile.Result{}, r.release(ctx, m)
	}
	if !controllerutil.ContainsFinalizer(m, v1alpha1.MaintenanceFinalizer) {
		held := m.DeepCopy()
		controllerutil.AddFinalizer(held, v1alpha1.MaintenanceFinalizer)
		if err := r.Apply.Update(ctx, m, held); err != nil {
			return reconcile.Result{}, fmt.Errorf("add finalizer: %w", err)
		}
		// The write brings on the next pass.
		return reconcile.Result{}, asItWas(m)
	}
	seen, err := r.observe(ctx, m)
	if errors.Is(err, podcache.ErrSyncing) {
		return reconcile.Result{RequeueAfter: podcache.RetryAfter}, asItWas(m)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	step := seen.next()
	if step == nil {
		m.Status.State, m.Status.Remaining, m.Status.PodsRemaining = "", nil, 0
		return reconcile.Result{}, &reconciler.Terminal{
			Reason: v1alpha1.ReasonUnknownNode, Message: fmt.Sprintf("metadata.name: there is no node %s", m.Name),
		}
	}
	if !step.enter {
		if err := r.act(ctx, seen, step); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{RequeueAfter: step.after}, seen.report(step)
}

// release puts the node to use again and lets the NodeMaintenance go.
func (r *Reconciler) release(ctx context.Context, m *v1alpha1.NodeMaintenance) error {
	seen := &observed{m: m}
	if err := r.observeNodes(ctx, seen); err != nil {
		return err
	}
	if seen.node != nil && !givenUp(m) {
		if err := r.mark(ctx, seen.node, marks{unschedulable: seen.release()}); err != nil {
			return err
		}
	}
	for _, node := range seen.registered {
		if hasTaint(node, v1alpha1.GoneTaint) {
			if err := r.mark(ctx, node, marks{unschedulable: ptr.To(false)}); err != nil {
				return err
			}
		}
	}
	free := m.DeepCopy()
	controllerutil.RemoveFinalizer(free, v1alpha1.MaintenanceFinalizer)
	if err := r.Apply.Update(ctx, m, free); err != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}
	return nil
}
