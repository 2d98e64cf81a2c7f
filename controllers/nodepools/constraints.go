// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/workload"
)

// matcher labels nodes that satisfy constraints of Apps and Jobs.
type matcher struct {
	// client reads from the cache and writes.
	client client.Client
	// events tells Apps that their constraints do not count.
	events events.EventRecorder
}

// atOnce makes one request for all nodes, since a constraint concerns them all,
// and so does a pool: what happens at once makes one pass.
var atOnce = handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "nodes"}}}
})

func (r *matcher) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("node").
		Watches(&corev1.Node{}, atOnce, builder.WithPredicates(nodeChanges())).
		Watches(&v1alpha1.App{}, atOnce, builder.WithPredicates(matchChanges())).
		Watches(&v1alpha1.Job{}, atOnce, builder.WithPredicates(matchChanges())).
		Watches(&corev1.Pod{}, atOnce, builder.WithPredicates(podEnds())).
		Complete(r)
}

// Reconcile makes one pass over all nodes.
func (r *matcher) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return reconcile.Result{}, fmt.Errorf("list nodes: %w", err)
	}
	var apps v1alpha1.AppList
	if err := r.client.List(ctx, &apps, index.WithMatches()); err != nil {
		return reconcile.Result{}, fmt.Errorf("list apps: %w", err)
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, index.WithMatches()); err != nil {
		return reconcile.Result{}, fmt.Errorf("list pods: %w", err)
	}
	var jobs v1alpha1.JobList
	if err := r.client.List(ctx, &jobs, index.WithMatches()); err != nil {
		return reconcile.Result{}, fmt.Errorf("list jobs: %w", err)
	}
	var all []client.Object
	for i := range apps.Items {
		all = append(all, &apps.Items[i])
	}
	for i := range jobs.Items {
		all = append(all, &jobs.Items[i])
	}
	asked, left := matches(all)
	for _, obj := range left {
		r.events.Eventf(obj, nil, corev1.EventTypeWarning, "TooManyConstraints", "Place",
			"constraints: no more than %d different matches of nodes are looked for at once, those of the oldest apps and jobs", maxMatches)
	}
	inUse := labelsInUse(pods.Items)
	var errs []error
	for i := range nodes.Items {
		if changes := changes(&nodes.Items[i], asked, inUse); len(changes) > 0 {
			errs = append(errs, r.label(ctx, &nodes.Items[i], changes))
		}
	}
	return reconcile.Result{}, errors.Join(errs...)
}

// label writes labels of a node, and removes those that are nil.
func (r *matcher) label(ctx context.Context, node *corev1.Node, labels map[string]*string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}})
	if err != nil {
		return fmt.Errorf("encode labels: %w", err)
	}
	log.FromContext(ctx).V(1).Info("label", "node", node.Name, "labels", slices.Sorted(maps.Keys(labels)))
	if err := r.client.Patch(ctx, node, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("label node: %w", err)
	}
	return nil
}

// nodeChanges are those that constraints may speak of. The heartbeat is none.
func nodeChanges() predicate.Funcs {
	return predicate.Funcs{
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, wasNode := e.ObjectOld.(*corev1.Node)
			after, isNode := e.ObjectNew.(*corev1.Node)
			return wasNode && isNode &&
				(!maps.Equal(before.Labels, after.Labels) || !slices.Equal(before.Status.Addresses, after.Status.Addresses))
		},
	}
}

// matchChanges are those of what Apps and Jobs ask of nodes.
func matchChanges() predicate.Funcs {
	asks := func(obj client.Object) bool { return len(workload.MatchesOf(obj)) > 0 }
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return asks(e.Object) },
		DeleteFunc: func(e event.DeleteEvent) bool { return asks(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() &&
				!reflect.DeepEqual(workload.MatchesOf(e.ObjectOld), workload.MatchesOf(e.ObjectNew))
		},
	}
}

// podEnds are the ends of pods: a label that only they asked for can go.
func podEnds() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(event.UpdateEvent) bool { return false },
		DeleteFunc: func(e event.DeleteEvent) bool {
			pod, ok := e.Object.(*corev1.Pod)
			return ok && len(workload.MatchLabels(pod.Spec.Affinity)) > 0
		},
	}
}
