// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"slices"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// protect keeps the PodDisruptionBudget of an App as its upgradeStrategy asks
// for: what an upgrade leaves healthy, kubectl drain does, too. An App gets its
// budget once it was available whole, so that its first tasks do not each have
// it counted anew. Somebody else's budget for the same pods takes the place of
// ours: Kubernetes evicts no pod that has two.
func (r *Reconciler) protect(ctx context.Context, seen *observed) error {
	own, err := r.budget(ctx, seen.app)
	if err != nil {
		return err
	}
	least := int32(0)
	if seen.app.Status.LastAvailable != nil {
		least = workload.LeastAvailable(&seen.app.Spec, seen.instances())
	}
	if least > 0 {
		var others policyv1.PodDisruptionBudgetList
		if err := r.Client.List(ctx, &others, client.InNamespace(seen.app.Namespace), index.Uncontrolled(), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list pod disruption budgets: %w", err)
		}
		if slices.ContainsFunc(others.Items, seen.covers) {
			least = 0
		}
	}
	switch {
	case own == nil && least > 0:
		if err := r.Apply.Create(ctx, seen.app, workload.DisruptionBudget(seen.app, least)); err != nil {
			return reconciler.Refusal(err, "create pod disruption budget")
		}
	case own != nil && least == 0:
		if err := r.Apply.Delete(ctx, own); err != nil {
			return fmt.Errorf("delete pod disruption budget: %w", err)
		}
	case own != nil && own.DeletionTimestamp == nil && (own.Spec.MinAvailable == nil || own.Spec.MinAvailable.IntVal != least):
		changed := own.DeepCopy()
		changed.Spec.MinAvailable, changed.Spec.MaxUnavailable = &intstr.IntOrString{IntVal: least}, nil
		if err := r.Apply.Update(ctx, own, changed); err != nil {
			return fmt.Errorf("patch pod disruption budget: %w", err)
		}
	}
	return nil
}

// budget is the App's own budget, nil if it has none. It belongs to the cache.
func (r *Reconciler) budget(ctx context.Context, app *v1alpha1.App) (*policyv1.PodDisruptionBudget, error) {
	var own policyv1.PodDisruptionBudgetList
	if err := r.Client.List(ctx, &own, client.InNamespace(app.Namespace), index.ControlledBy(app), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pod disruption budgets: %w", err)
	}
	if len(own.Items) == 0 {
		return nil, nil
	}
	return &own.Items[0], nil
}

// covers says that a budget is one for pods of the App.
func (o *observed) covers(budget policyv1.PodDisruptionBudget) bool {
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil {
		return false
	}
	for i := range o.pods {
		if o.current(&o.pods[i]) {
			return selector.Matches(labels.Set(o.pods[i].Labels))
		}
	}
	return selector.Matches(labels.Set(workload.Labels(o.app)))
}

// appsBudgeted are the Apps that a budget is of, or may stand in the way of.
func (r *Reconciler) appsBudgeted(ctx context.Context, budget client.Object) []reconcile.Request {
	if owner := metav1.GetControllerOfNoCopy(budget); owner != nil {
		if owner.Kind != "App" || owner.APIVersion != v1alpha1.GroupVersion.String() {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: budget.GetNamespace(), Name: owner.Name}}}
	}
	var apps v1alpha1.AppList
	if err := r.Client.List(ctx, &apps, client.InNamespace(budget.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list the Apps of a namespace", "namespace", budget.GetNamespace())
		return nil
	}
	var requests []reconcile.Request
	for i := range apps.Items {
		if apps.Items[i].Spec.Desired() > 1 {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&apps.Items[i])})
		}
	}
	return requests
}
