// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package virtualips

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/vip"
)

// conflictPause is how long a VirtualIP is left alone that somebody else was
// faster to change. The change will be seen, and brings on a pass.
const conflictPause = time.Second

// patience is how long a new App without a task that takes connections waits for
// its VirtualIP. It had no name on DC/OS until then, and Kubernetes finds the
// task of an App at once, in place of three times while it starts.
const patience = 3 * time.Second

// gathering is how long a new VirtualIP waits for further Apps that ask for it:
// many are applied at once, and each would be a write of its own.
const gathering = 2 * time.Second

// meet makes the VirtualIP that Apps of a namespace ask for, where nobody wrote
// one, and removes what nobody asks for any more. The name of the request is the
// key of the address.
func (r *Reconciler) meet(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	key := req.Name
	var apps v1alpha1.AppList
	if err := r.Client.List(ctx, &apps, client.InNamespace(req.Namespace), index.WithVIP(key), client.UnsafeDisableDeepCopy); err != nil {
		return reconcile.Result{}, fmt.Errorf("list Apps: %w", err)
	}
	var there v1alpha1.VirtualIPList
	if err := r.Client.List(ctx, &there, client.InNamespace(req.Namespace), index.WithVIP(key)); err != nil {
		return reconcile.Result{}, fmt.Errorf("list VirtualIPs: %w", err)
	}
	if len(there.Items) == 0 {
		if len(apps.Items) == 0 {
			return reconcile.Result{}, nil
		}
		if wait := r.early(apps.Items); wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		return r.make(ctx, req.Namespace, key, apps.Items)
	}
	written := false
	for i := range there.Items {
		written = written || !vip.Made(&there.Items[i])
	}
	for i := range there.Items {
		v := &there.Items[i]
		if !vip.Made(v) || v.DeletionTimestamp != nil {
			continue
		}
		wait, err := r.keep(ctx, v, apps.Items, written)
		if apierrors.IsConflict(err) {
			// Somebody was faster: what we saw is old.
			wait, err = conflictPause, nil
		}
		if err != nil || wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, err
		}
	}
	return reconcile.Result{}, nil
}

// early is how long new Apps may still take to have a task that takes
// connections, 0 if one of them has, or took too long.
func (r *Reconciler) early(apps []v1alpha1.App) time.Duration {
	wait := patience
	for i := range apps {
		if takesConnections(&apps[i]) {
			return 0
		}
		wait = min(wait, patience-r.Clock.Since(apps[i].CreationTimestamp.Time))
	}
	return max(wait, 0)
}

// takesConnections says that an App has a task that may take connections.
func takesConnections(app *v1alpha1.App) bool {
	s := &app.Status
	return s.TasksHealthy > 0 || s.TasksRunning > 0 && s.TasksUnhealthy == 0
}

// demandChanges lets changes pass of what Apps ask for, and of whether they have
// tasks to be found.
func demandChanges() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false }, DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			old, was := e.ObjectOld.(*v1alpha1.App)
			now, is := e.ObjectNew.(*v1alpha1.App)
			return was && is && takesConnections(old) != takesConnections(now)
		},
	})
}

// make makes a VirtualIP under the first of its names that is free.
func (r *Reconciler) make(ctx context.Context, namespace, key string, apps []v1alpha1.App) (reconcile.Result, error) {
	for _, name := range vip.Names(key) {
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &v1alpha1.VirtualIP{})
		if err == nil {
			continue
		}
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("get VirtualIP: %w", err)
		}
		log.FromContext(ctx).V(1).Info("make a VirtualIP", "name", name)
		err = r.Apply.CreateKept(ctx, vip.VirtualIP(namespace, name, vip.Asked(&apps[0], key)[0], apps))
		switch {
		case err == nil || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return reconcile.Result{}, nil
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
			// There is nothing yet whose condition could say so.
			for i := range apps {
				r.Events.Eventf(&apps[i], nil, corev1.EventTypeWarning, v1alpha1.ReasonRefused, "Serve", "create VirtualIP: %s", err)
			}
			return reconcile.Result{RequeueAfter: reconciler.RefusedRetry}, nil
		}
		return reconcile.Result{}, fmt.Errorf("create VirtualIP: %w", err)
	}
	return reconcile.Result{}, errors.New("create VirtualIP: others have its names")
}

// keep keeps a VirtualIP that we made for the Apps that ask for it, and removes
// one that nobody asks for, or that somebody wrote down. It returns how long to
// wait before it is looked at again.
func (r *Reconciler) keep(ctx context.Context, v *v1alpha1.VirtualIP, apps []v1alpha1.App, written bool) (time.Duration, error) {
	if len(apps) == 0 || written {
		if err := r.Apply.Delete(ctx, v); err != nil {
			return 0, fmt.Errorf("delete VirtualIP: %w", err)
		}
		return 0, nil
	}
	owners := vip.Owners(apps)
	if equality.Semantic.DeepEqual(v.OwnerReferences, owners) {
		return 0, nil
	}
	if wait := gathering - r.Clock.Since(v.CreationTimestamp.Time); wait > 0 {
		return min(wait, gathering), nil // clocks differ
	}
	wanted := v.DeepCopy()
	wanted.OwnerReferences = owners
	if err := r.Apply.Update(ctx, v, wanted); err != nil {
		return 0, fmt.Errorf("patch VirtualIP: %w", err)
	}
	return 0, nil
}

// demands are the addresses that an App asks for, or did.
func demands(_ context.Context, obj client.Object) []reconcile.Request {
	app, is := obj.(*v1alpha1.App)
	if !is {
		return nil
	}
	var all []reconcile.Request
	asked, _ := app.Spec.VIPs()
	for _, v := range asked {
		all = append(all, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: app.Namespace, Name: v.Key}})
	}
	return all
}

// demandFor is the address of a VirtualIP.
func demandFor(_ context.Context, obj client.Object) []reconcile.Request {
	v, is := obj.(*v1alpha1.VirtualIP)
	if !is {
		return nil
	}
	key, err := v.Spec.Key()
	if err != nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: v.Namespace, Name: key}}}
}
