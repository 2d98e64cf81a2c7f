// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// karpenterKind is Karpenter's NodePool. Its spec is that of version v1.
var karpenterKind = schema.GroupKind{Group: "karpenter.sh", Kind: "NodePool"}

const karpenterVersion = "v1"

// drainSeconds is spec.drain.timeoutSeconds where it is not given.
const drainSeconds = 3600

// karpenter makes nodes by a NodePool of karpenter.sh that has the name of ours
// and belongs to it.
type karpenter struct{ *provisioners }

func (k *karpenter) provision(ctx context.Context, pool *v1alpha1.NodePool) error {
	seen, err := k.get(ctx, karpenterKind, karpenterVersion, client.ObjectKey{Name: pool.Name})
	switch {
	case apierrors.IsNotFound(err):
		wanted := karpenterPool(pool, nil)
		if err := k.apply.Create(ctx, pool, wanted); err != nil {
			return reconciler.Refusal(err, "create Karpenter's NodePool")
		}
		return nil
	case err != nil:
		return err
	case !metav1.IsControlledBy(seen, pool):
		return &reconciler.NotReady{
			Reason: v1alpha1.ReasonNameConflict, Message: fmt.Sprintf("there is a NodePool %s of Karpenter that is somebody else's", pool.Name),
		}
	}
	wanted := karpenterPool(pool, seen)
	if !equality.Semantic.DeepEqual(seen, wanted) {
		if err := k.update(ctx, seen, wanted); err != nil {
			return err
		}
		// What Karpenter's version does not know is dropped without a word.
		if !equality.Semantic.DeepEqual(wanted, karpenterPool(pool, wanted)) {
			return &reconciler.Terminal{
				Reason: v1alpha1.ReasonProvisionerNotReady, Message: "Karpenter here does not know all of what the pool asks for, such as scaling.replicas",
			}
		}
	}
	return notReadyIn(seen)
}

// notReadyIn is what the object of a provisioner says is missing.
func notReadyIn(obj *unstructured.Unstructured) error {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == "Ready" && condition["status"] == "False" {
			return &reconciler.NotReady{
				Reason:  v1alpha1.ReasonProvisionerNotReady,
				Message: fmt.Sprintf("%s %s: %v: %v", obj.GetKind(), obj.GetName(), condition["reason"], condition["message"]),
			}
		}
	}
	return nil
}

// karpenterPool is Karpenter's NodePool for ours: the one that is there with all
// that ours has a say in, or a new one.
func karpenterPool(pool *v1alpha1.NodePool, there *unstructured.Unstructured) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	if there != nil {
		obj = there.DeepCopy()
	} else {
		obj.SetGroupVersionKind(karpenterKind.WithVersion(karpenterVersion))
		obj.SetName(pool.Name)
		owner := metav1.NewControllerRef(pool, v1alpha1.GroupVersion.WithKind("NodePool"))
		owner.BlockOwnerDeletion = nil // nothing waits for it
		obj.SetOwnerReferences([]metav1.OwnerReference{*owner})
	}
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/managed-by"] = "kdcos"
	obj.SetLabels(labels)

	m := marksOf(pool)
	if pool.Spec.GPU != nil && len(pool.Spec.GPU.Resources) > 0 && restricted(pool) {
		for _, r := range pool.Spec.GPU.Resources {
			m.taints[taintKey(r.Name, corev1.TaintEffectNoSchedule)] = ptr.To("")
		}
	}
	spec := &pool.Spec
	requirements := []any{}
	for _, r := range spec.Provisioner.Karpenter.Requirements {
		requirements = append(requirements, requirement(r.Key, string(r.Operator), r.Values...))
	}
	template := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(m.labels)) {
		switch value := m.labels[key]; {
		case value == nil:
		case key == corev1.LabelTopologyRegion || key == corev1.LabelTopologyZone:
			// Where nodes are made, and not only what they say.
			requirements = append(requirements, requirement(key, string(corev1.NodeSelectorOpIn), v1alpha1.NodeLabelValue(*value)))
		default:
			template[key] = *value
		}
	}
	class := spec.Provisioner.Karpenter.NodeClassRef
	set(obj, template, "spec", "template", "metadata", "labels")
	set(obj, taintList(m), "spec", "template", "spec", "taints")
	set(obj, requirements, "spec", "template", "spec", "requirements")
	set(obj, map[string]any{"group": class.Group, "kind": class.Kind, "name": class.Name}, "spec", "template", "spec", "nodeClassRef")
	// What runs stays where it is, as on an agent.
	set(obj, "Never", "spec", "template", "spec", "expireAfter")
	set(obj, "WhenEmpty", "spec", "disruption", "consolidationPolicy")
	if _, there, _ := unstructured.NestedString(obj.Object, "spec", "disruption", "consolidateAfter"); !there {
		set(obj, "5m", "spec", "disruption", "consolidateAfter")
	}
	set(obj, []any{map[string]any{"nodes": fmt.Sprint(ptr.Deref(spec.MaxUnavailable, 1))}}, "spec", "disruption", "budgets")
	set(obj, termination(spec.Drain), "spec", "template", "spec", "terminationGracePeriod")
	set(obj, limits(spec.Scaling), "spec", "limits")
	set(obj, replicas(spec.Scaling), "spec", "replicas")
	return obj
}

// set sets a field, or removes it where the value is nil. What is on the way there
// and no object gives way.
func set(obj *unstructured.Unstructured, value any, path ...string) {
	if value == nil {
		unstructured.RemoveNestedField(obj.Object, path...)
		return
	}
	parent := obj.Object
	for _, name := range path[:len(path)-1] {
		child, is := parent[name].(map[string]any)
		if !is {
			child = map[string]any{}
			parent[name] = child
		}
		parent = child
	}
	parent[path[len(path)-1]] = value
}

func requirement(key, operator string, values ...v1alpha1.NodeLabelValue) map[string]any {
	r := map[string]any{"key": key, "operator": operator}
	if len(values) > 0 {
		all := make([]any, 0, len(values))
		for _, v := range values {
			all = append(all, string(v))
		}
		r["values"] = all
	}
	return r
}

func taintList(m marks) any {
	var all []any
	for _, key := range slices.Sorted(maps.Keys(m.taints)) {
		if m.taints[key] == nil {
			continue
		}
		t := taintOf(key, *m.taints[key])
		taint := map[string]any{"key": t.Key, "effect": string(t.Effect)}
		if t.Value != "" {
			taint["value"] = t.Value
		}
		all = append(all, taint)
	}
	if all == nil {
		return nil
	}
	return all
}

// termination is the time after which Karpenter deletes pods whatever their
// budgets: that of the drain, and then the longest that a pod has to end. Without a
// bound on that, it never does.
func termination(drain *v1alpha1.Drain) any {
	if drain == nil || drain.PodGraceCapSeconds == nil {
		return nil
	}
	return fmt.Sprintf("%ds", *drain.PodGraceCapSeconds+ptr.Deref(drain.TimeoutSeconds, drainSeconds))
}

func limits(scaling *v1alpha1.Scaling) any {
	if scaling == nil || len(scaling.Limits) == 0 {
		return nil
	}
	all := map[string]any{}
	for name, quantity := range scaling.Limits {
		all[string(name)] = quantity.String()
	}
	return all
}

func replicas(scaling *v1alpha1.Scaling) any {
	if scaling == nil || scaling.Replicas == nil {
		return nil
	}
	return int64(*scaling.Replicas)
}
