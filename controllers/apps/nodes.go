// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/internal/index"
)

// unreachableNodes are the nodes that do not answer, and since when.
func (r *Reconciler) unreachableNodes(ctx context.Context) (map[string]time.Time, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, index.UnreachableNodes()); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	lost := make(map[string]time.Time, len(nodes.Items))
	for i := range nodes.Items {
		if since, is := index.UnreachableSince(&nodes.Items[i]); is {
			lost[nodes.Items[i].Name] = since
		}
	}
	return lost, nil
}

// leavingNodes are the nodes that are being emptied.
func (r *Reconciler) leavingNodes(ctx context.Context) (map[string]bool, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, index.LeavingNodes(), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	leaving := make(map[string]bool, len(nodes.Items))
	for i := range nodes.Items {
		leaving[nodes.Items[i].Name] = true
	}
	return leaving, nil
}

// nodeValues are the values of a label, by node.
func (r *Reconciler) nodeValues(ctx context.Context, key string) (map[string]string, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	values := make(map[string]string, len(nodes.Items))
	for i := range nodes.Items {
		values[nodes.Items[i].Name] = nodes.Items[i].Labels[key]
	}
	return values, nil
}

// appsOn are the Apps with pods on a node.
func (r *Reconciler) appsOn(ctx context.Context, node client.Object) []reconcile.Request {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, index.OnNode(node.GetName())); err != nil {
		log.FromContext(ctx).Error(err, "list the pods of a node", "node", node.GetName())
		return nil
	}
	seen := map[types.UID]bool{}
	var requests []reconcile.Request
	for i := range pods.Items {
		owner := metav1.GetControllerOfNoCopy(&pods.Items[i])
		if owner == nil || owner.Kind != "App" || seen[owner.UID] {
			continue
		}
		seen[owner.UID] = true
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: pods.Items[i].Namespace, Name: owner.Name}})
	}
	return requests
}

// reachability lets through that a node is lost, or is being emptied, or is back.
func reachability() predicate.Predicate {
	lost := func(obj client.Object) (unreachable, leaving bool) {
		node, is := obj.(*corev1.Node)
		if !is {
			return false, false
		}
		_, unreachable = index.UnreachableSince(node)
		return unreachable, index.Leaving(node)
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool {
			unreachable, leaving := lost(e.Object)
			return unreachable || leaving
		},
		UpdateFunc: func(e event.UpdateEvent) bool {
			unreachable, leaving := lost(e.ObjectOld)
			unreachableNow, leavingNow := lost(e.ObjectNew)
			return unreachable != unreachableNow || leaving != leavingNow
		},
		DeleteFunc: func(event.DeleteEvent) bool { return true },
	}
}
