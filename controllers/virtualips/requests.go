// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package virtualips

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
)

// behind are the VirtualIPs that a slice of endpoints is behind.
func (r *Reconciler) behind(ctx context.Context, slice client.Object) []reconcile.Request {
	return r.requests(ctx, func(*v1alpha1.VirtualIP) bool { return true },
		client.InNamespace(slice.GetNamespace()), index.WithVirtualIPLabel(slice.GetLabels()[v1alpha1.VirtualIPLabel]))
}

// askedBy are the VirtualIPs that an App asks for, and those of other namespaces
// that may have to make room for its ports, or get them.
func (r *Reconciler) askedBy(ctx context.Context, app client.Object) []reconcile.Request {
	var all []reconcile.Request
	for _, d := range demands(ctx, app) {
		all = append(all, r.requests(ctx, func(v *v1alpha1.VirtualIP) bool {
			return v.Namespace == app.GetNamespace() || v.Spec.IP != ""
		}, index.WithVIP(d.Name))...)
	}
	return all
}

// rivals are the VirtualIPs that claim what another one does.
func (r *Reconciler) rivals(ctx context.Context, obj client.Object) []reconcile.Request {
	var all []reconcile.Request
	for _, d := range demandFor(ctx, obj) {
		all = append(all, r.requests(ctx, func(v *v1alpha1.VirtualIP) bool { return v.UID != obj.GetUID() }, index.WithVIP(d.Name))...)
	}
	return all
}

// withAddress are all VirtualIPs with an address of their own: what is allowed to
// one decides for those that wait for it, too.
func (r *Reconciler) withAddress(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.requests(ctx, func(v *v1alpha1.VirtualIP) bool { return v.Spec.IP != "" })
}

// networkChanges are changes of what a namespace allows.
func networkChanges() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			return e.Object.GetAnnotations()[v1alpha1.VirtualIPNetworksAnnotation] != ""
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetAnnotations()[v1alpha1.VirtualIPNetworksAnnotation] != e.ObjectNew.GetAnnotations()[v1alpha1.VirtualIPNetworksAnnotation]
		},
	}
}

func (r *Reconciler) requests(ctx context.Context, concerns func(*v1alpha1.VirtualIP) bool, which ...client.ListOption) []reconcile.Request {
	var found v1alpha1.VirtualIPList
	if err := r.Client.List(ctx, &found, append(which, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "list VirtualIPs")
		return nil
	}
	var all []reconcile.Request
	for i := range found.Items {
		if concerns(&found.Items[i]) {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
		}
	}
	return all
}
