// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package virtualips serves virtual IPs. It makes the VirtualIPs that the labels
// of Apps ask for, and keeps the Service of each, by which Kubernetes finds the
// tasks behind its address. What a Service looks like and who may have an address
// is decided in internal/vip. It never touches an endpoint or a pod, so that the
// addresses are served without it.
package virtualips

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/vip"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=apps,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=virtualips,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=kdcos.io,resources=virtualips/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services/status,verbs=patch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=servicecidrs,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// rest is how long a VirtualIP that serves is left alone between passes: each
// pass counts all its tasks, and tells if one more is ready. One that does not
// serve yet has somebody waiting for it.
func rest(v *v1alpha1.VirtualIP) time.Duration {
	if meta.IsStatusConditionTrue(v.Status.Conditions, v1alpha1.ConditionReady) {
		return time.Second
	}
	return 0
}

// Reconciler serves VirtualIPs.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Live reads from the API server what is not worth a cache.
	Live client.Reader
	// Apply makes and removes Services and VirtualIPs.
	Apply *apply.Applier
	// Events tells Apps what else can't be told.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
}

// SetupWithManager adds the two controllers to a manager: that of VirtualIPs,
// and that of the demand for them.
func SetupWithManager(mgr ctrl.Manager, workers int) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Apply: apply.New(mgr.GetClient(), mgr.GetAPIReader()),
		Events: mgr.GetEventRecorder("kdcos-virtualip"), Clock: clock.RealClock{},
	}
	specs := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	err := ctrl.NewControllerManagedBy(mgr).
		Named("virtualip").
		For(&v1alpha1.VirtualIP{}).
		Owns(&corev1.Service{}).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(r.behind)).
		Watches(&v1alpha1.App{}, handler.EnqueueRequestsFromMapFunc(r.askedBy), specs).
		Watches(&v1alpha1.VirtualIP{}, handler.EnqueueRequestsFromMapFunc(r.rivals), specs).
		Watches(&networkingv1.ServiceCIDR{}, handler.EnqueueRequestsFromMapFunc(r.withAddress), specs).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.withAddress), builder.WithPredicates(networkChanges())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler.WithStatus[*v1alpha1.VirtualIP](mgr.GetClient(), r.Events, r, reconciler.Resting(rest)))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("virtualip-demand").
		Watches(&v1alpha1.App{}, handler.EnqueueRequestsFromMapFunc(demands), builder.WithPredicates(demandChanges())).
		Watches(&v1alpha1.VirtualIP{}, handler.EnqueueRequestsFromMapFunc(demandFor), specs).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconcile.Func(r.meet))
}

// Reconcile makes one pass over a VirtualIP.
func (r *Reconciler) Reconcile(ctx context.Context, v *v1alpha1.VirtualIP) (reconcile.Result, error) {
	seen, err := r.observe(ctx, v)
	if err != nil {
		return reconcile.Result{}, err
	}
	refused, err := r.refuse(ctx, seen)
	if err != nil {
		return reconcile.Result{}, err
	}
	if refused != nil {
		// Nobody is to be led to what another one serves.
		if seen.service != nil {
			if err := r.Apply.Delete(ctx, seen.service); err != nil {
				return reconcile.Result{}, fmt.Errorf("delete service: %w", err)
			}
		}
		v.Status = v1alpha1.VirtualIPStatus{Conditions: v.Status.Conditions, Apps: vip.AppNames(seen.apps)}
		return reconcile.Result{}, refused
	}
	if err := r.serve(ctx, seen); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, setStatus(v, seen)
}

// serve keeps the Service as it is to be. One without ports can't be: there is
// none before the first App asks, and it stays when the last one goes.
func (r *Reconciler) serve(ctx context.Context, seen *observed) error {
	v, key, ports := seen.virtualIP, seen.key, seen.ports
	switch {
	case len(ports) == 0:
		return nil
	case seen.service == nil:
		log.FromContext(ctx).V(1).Info("serve", "key", key)
		if err := r.Apply.Create(ctx, v, vip.Service(v, key, ports)); err != nil {
			return reconciler.Refusal(err, "create service")
		}
		return nil
	}
	if changed := vip.Changed(seen.service, v, key, ports); changed != nil {
		if err := r.Apply.Update(ctx, seen.service, changed); err != nil {
			return reconciler.Refusal(err, "patch service")
		}
	}
	if published := vip.Published(seen.service, v, key); published != nil {
		if err := r.Apply.UpdateStatus(ctx, seen.service, published); err != nil {
			return reconciler.Refusal(err, "patch service")
		}
	}
	return nil
}
