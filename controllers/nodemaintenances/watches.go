// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
)

// ofNode are the NodeMaintenance of a node, and those that gave up its machine.
func (r *Reconciler) ofNode(ctx context.Context, obj client.Object) []reconcile.Request {
	node, is := obj.(*corev1.Node)
	machine := ""
	if is {
		machine = node.Status.NodeInfo.SystemUUID
	}
	return r.those(ctx, func(m *v1alpha1.NodeMaintenance) bool {
		return m.Name == obj.GetName() || machine != "" && m.Status.SystemUUID == machine && givenUp(m)
	})
}

// ofPod is the NodeMaintenance that empties, or emptied, the node of a pod.
func (r *Reconciler) ofPod(ctx context.Context, pod *corev1.Pod) []reconcile.Request {
	if pod.Spec.NodeName == "" {
		return nil
	}
	key := types.NamespacedName{Name: pod.Spec.NodeName}
	m := &v1alpha1.NodeMaintenance{}
	if err := r.Client.Get(ctx, key, m); err != nil || !drains(m) || givenUp(m) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

// waiting are those that wait for others of their pool.
func (r *Reconciler) waiting(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.those(ctx, func(m *v1alpha1.NodeMaintenance) bool { return m.Status.State == v1alpha1.MaintenanceWaiting })
}

// unfinished are those that their pool has to do with.
func (r *Reconciler) unfinished(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.those(ctx, func(m *v1alpha1.NodeMaintenance) bool { return drains(m) && !givenUp(m) })
}

// those are the NodeMaintenances of which something is true.
func (r *Reconciler) those(ctx context.Context, is func(*v1alpha1.NodeMaintenance) bool) []reconcile.Request {
	var all v1alpha1.NodeMaintenanceList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list maintenance")
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if is(&all.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: all.Items[i].Name}})
		}
	}
	return requests
}

// nodeChanges are those that maintenance may have to do with. The heartbeat is none.
func nodeChanges() predicate.Funcs {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, wasNode := e.ObjectOld.(*corev1.Node)
			after, isNode := e.ObjectNew.(*corev1.Node)
			if !wasNode || !isNode {
				return false
			}
			_, lost := index.UnreachableSince(before)
			_, lostNow := index.UnreachableSince(after)
			return lost != lostNow || before.UID != after.UID || before.Spec.Unschedulable != after.Spec.Unschedulable ||
				!slices.EqualFunc(before.Spec.Taints, after.Spec.Taints, func(a, b corev1.Taint) bool { return a.MatchTaint(&b) && a.Value == b.Value }) ||
				len(before.Status.VolumesAttached) != len(after.Status.VolumesAttached) ||
				before.Status.NodeInfo.SystemUUID != after.Status.NodeInfo.SystemUUID ||
				before.Labels[v1alpha1.NodePoolLabel] != after.Labels[v1alpha1.NodePoolLabel]
		},
	}
}

// progress lets through that a NodeMaintenance is done, or is not to be done any
// more: the next one's turn may have come.
func progress() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, was := e.ObjectOld.(*v1alpha1.NodeMaintenance)
			after, is := e.ObjectNew.(*v1alpha1.NodeMaintenance)
			return was && is && (before.Status.State != after.Status.State || before.Generation != after.Generation)
		},
	}
}

// poolChanges are those of how the nodes of a pool are emptied.
func poolChanges() predicate.Funcs {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, was := e.ObjectOld.(*v1alpha1.NodePool)
			after, is := e.ObjectNew.(*v1alpha1.NodePool)
			return was && is && (!equality.Semantic.DeepEqual(before.Spec.Drain, after.Spec.Drain) ||
				!equality.Semantic.DeepEqual(before.Spec.MaxUnavailable, after.Spec.MaxUnavailable))
		},
	}
}
