// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
)

// conflictPause is when a node is looked at again that somebody else was faster
// to change.
const conflictPause = 100 * time.Millisecond

// marker sets the labels and taints of pools on their nodes, and takes back those
// of pools that are gone: what was set is recorded on the nodes.
type marker struct {
	client      client.Client
	apply       *apply.Applier
	gpuResource string
}

func (m *marker) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("node-marks").
		Watches(&corev1.Node{}, atOnce, builder.WithPredicates(markChanges())).
		Watches(&v1alpha1.NodePool{}, atOnce, builder.WithPredicates(poolChanges())).
		Complete(m)
}

// Reconcile makes one pass over all nodes.
func (m *marker) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var pools v1alpha1.NodePoolList
	var nodes corev1.NodeList
	if err := m.client.List(ctx, &pools); err != nil {
		return reconcile.Result{}, fmt.Errorf("list node pools: %w", err)
	}
	if err := m.client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return reconcile.Result{}, fmt.Errorf("list nodes: %w", err)
	}
	forgetMetrics(pools.Items)
	oldest := byAge(pools.Items)
	var before, after []*corev1.Node
	for i := range nodes.Items {
		node := &nodes.Items[i]
		var pool *v1alpha1.NodePool
		if all := poolsOf(node, oldest); len(all) > 0 {
			pool = all[0]
		}
		if marked := mark(node, pool, m.gpuResource); marked != nil {
			before, after = append(before, node), append(after, marked)
		}
	}
	errs := make([]error, len(after))
	_ = apply.Each(len(after), func(i int) error {
		log.FromContext(ctx).V(1).Info("mark", "node", after[i].Name, "pool", after[i].Labels[v1alpha1.NodePoolLabel])
		errs[i] = m.apply.Update(ctx, before[i], after[i])
		return nil // the others have their turn all the same
	})
	if slices.ContainsFunc(errs, apierrors.IsConflict) {
		errs = slices.DeleteFunc(errs, apierrors.IsConflict)
		return reconcile.Result{RequeueAfter: conflictPause}, errors.Join(errs...)
	}
	return reconcile.Result{}, errors.Join(errs...)
}

// markChanges are changes of what pools go by, or of what they set.
func markChanges() predicate.Funcs {
	return predicate.Funcs{
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, wasNode := e.ObjectOld.(*corev1.Node)
			after, isNode := e.ObjectNew.(*corev1.Node)
			return wasNode && isNode && (!maps.Equal(before.Labels, after.Labels) || !maps.Equal(before.Annotations, after.Annotations) ||
				!equality.Semantic.DeepEqual(before.Spec.Taints, after.Spec.Taints) ||
				!equality.Semantic.DeepEqual(before.Status.Allocatable, after.Status.Allocatable))
		},
	}
}

// poolChanges are those of specs, and that a pool is about to go.
func poolChanges() predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}
