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

// leaving says of a node whether it is being emptied, and whether by maintenance.
type leaving struct{ is, draining bool }

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

// leavingNodes are the nodes that are being emptied, and whether by maintenance.
func (r *Reconciler) leavingNodes(ctx context.Context) (map[string]leaving, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, index.LeavingNodes(), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	all := make(map[string]leaving, len(nodes.Items))
	for i := range nodes.Items {
		all[nodes.Items[i].Name] = leaving{is: true, draining: index.Draining(&nodes.Items[i])}
	}
	return all, nil
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
	type state struct {
		unreachable bool
		leaving
	}
	lost := func(obj client.Object) state {
		node, is := obj.(*corev1.Node)
		if !is {
			return state{}
		}
		_, unreachable := index.UnreachableSince(node)
		return state{unreachable, leaving{index.Leaving(node), index.Draining(node)}}
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return lost(e.Object) != state{} },
		UpdateFunc: func(e event.UpdateEvent) bool { return lost(e.ObjectOld) != lost(e.ObjectNew) },
		DeleteFunc: func(event.DeleteEvent) bool { return true },
	}
}
