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
	"github.com/kdcos/kdcos/internal/workload"
)

// protect keeps the PodDisruptionBudget of an App as its upgradeStrategy asks
// for: what an upgrade leaves healthy, kubectl drain does, too. An App gets its
// budget once it was available whole, so that its first tasks do not each have
// it counted anew. Somebody else's budget for the same pods takes the place of
// ours: Kubernetes evicts no pod that has two.
func (r *Reconciler) protect(ctx context.Context, seen *observed) error {
	var budgets policyv1.PodDisruptionBudgetList
	if err := r.Client.List(ctx, &budgets, client.InNamespace(seen.app.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list pod disruption budgets: %w", err)
	}
	own, others := partition(budgets.Items, seen.app)
	least := int32(0)
	if seen.app.Status.LastAvailable != nil && !slices.ContainsFunc(others, seen.covers) {
		least = workload.LeastAvailable(&seen.app.Spec, seen.instances())
	}
	switch {
	case own == nil && least > 0:
		if err := r.Apply.Create(ctx, seen.app, workload.DisruptionBudget(seen.app, least)); err != nil {
			return refusal(err, "create pod disruption budget")
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

// partition tells the App's own budget from those of others. They belong to the cache.
func partition(budgets []policyv1.PodDisruptionBudget, app *v1alpha1.App) (own *policyv1.PodDisruptionBudget, others []policyv1.PodDisruptionBudget) {
	for i := range budgets {
		switch owner := metav1.GetControllerOfNoCopy(&budgets[i]); {
		case owner != nil && owner.UID == app.UID:
			own = &budgets[i]
		case owner == nil:
			others = append(others, budgets[i])
		}
	}
	return own, others
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
		if owner.Kind != "App" {
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
