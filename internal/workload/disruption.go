// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"math"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// LeastAvailable is how many of n instances of an App are to stay healthy where
// others empty nodes, by its minimumHealthCapacity; 0 is no such promise. A
// single instance has none: there would be no way to empty its node. Neither
// have tasks that are bound to their nodes.
func LeastAvailable(spec *v1alpha1.AppSpec, n int32) int32 {
	if n < 2 || spec.RunsPerNode() {
		return 0
	}
	least := int32(math.Ceil(float64(n) * *spec.UpgradeStrategy.MinimumHealthCapacity))
	if spec.SingleWriter() {
		// No successor can start beside a task that keeps its volumes.
		least = min(least, n-1)
	}
	return least
}

// DisruptionBudget is the PodDisruptionBudget of an App. Tasks that are not
// healthy are no loss.
func DisruptionBudget(app *v1alpha1.App, least int32) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(slug(app.Name, 40)+"-"+digest(string(app.UID), "disruption"), app.Namespace).
		WithLabels(Labels(app)).
		WithOwnerReferences(owner(app, "App")).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt32(least)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{v1alpha1.AppLabel: labelValue(app.Name)})))
}
