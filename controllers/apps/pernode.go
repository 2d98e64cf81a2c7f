// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// nodeFilter tells the nodes that an App may use from others.
type nodeFilter struct {
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

// newNodeFilter reads an App's constraints, roles and region as the scheduler
// reads them of its pods.
func newNodeFilter(app *v1alpha1.App, settings workload.Settings) (*nodeFilter, error) {
	ac, err := workload.Pod(app, settings, workload.Slot{})
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(ac)
	if err != nil {
		return nil, fmt.Errorf("encode pod: %w", err)
	}
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, fmt.Errorf("decode pod: %w", err)
	}
	return &nodeFilter{affinity: nodeaffinity.GetRequiredNodeAffinity(&pod), tolerations: pod.Spec.Tolerations}, nil
}

// allows reports whether the App may use a node, and whether the node takes new
// pods: one that is cordoned, or under pressure, keeps what it has.
func (f *nodeFilter) allows(node *corev1.Node) (may, takes bool) {
	matches, err := f.affinity.Match(node)
	if err != nil || !matches || f.repelled(node, false) {
		return false, false
	}
	return true, !node.Spec.Unschedulable && !f.repelled(node, true)
}

// conditionTaints are what the taints begin with that Kubernetes itself puts on
// nodes for the state they are in.
const conditionTaints = "node.kubernetes.io/"

// repelled says that a node has a taint that keeps the pods of the App away,
// those for its state included or not.
func (f *nodeFilter) repelled(node *corev1.Node, forItsState bool) bool {
	_, is := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, f.tolerations, func(t *corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && (forItsState || !strings.HasPrefix(t.Key, conditionTaints))
	}, false)
	return is
}

// places are the nodes that an App of one task per node may use, and whether
// they take new pods.
func (r *Reconciler) places(ctx context.Context, app *v1alpha1.App) (map[string]bool, error) {
	filter, err := newNodeFilter(app, r.Settings)
	if err != nil {
		return nil, invalid(err.Error())
	}
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	places := map[string]bool{}
	for i := range nodes.Items {
		if may, takes := filter.allows(&nodes.Items[i]); may {
			places[nodes.Items[i].Name] = takes
		}
	}
	return places, nil
}

// perNode is how many tasks an App of one task per node is to have: one for each
// node that takes one, or has one that stays.
func (o *observed) perNode() int32 {
	used := map[string]bool{}
	for i := range o.pods {
		pod := &o.pods[i]
		switch o.condition(pod) {
		case rollout.Unreachable, rollout.Staging, rollout.Failing, rollout.Running:
			used[pod.Spec.NodeName] = true
		case rollout.Lost, rollout.Ended, rollout.Stopping:
		}
	}
	n := int32(0)
	for node, takes := range o.places {
		if _, lost := o.unreachable[node]; used[node] || takes && !lost {
			n++
		}
	}
	return n
}

// astray says that a pod is on a node that its App may not use any more.
func (o *observed) astray(pod *corev1.Pod) bool {
	if o.places == nil || pod.Spec.NodeName == "" || pod.DeletionTimestamp != nil {
		return false
	}
	_, may := o.places[pod.Spec.NodeName]
	return !may
}

// killAstray adds the tasks to a plan that are where they may not be.
func (o *observed) killAstray(plan *rollout.Plan) {
	for i := range o.pods {
		if o.astray(&o.pods[i]) && o.doom(&o.pods[i]) == nil {
			plan.Kill = append(plan.Kill, rollout.Kill{Name: o.pods[i].Name, Reason: rollout.Scale})
		}
	}
}

// appsPerNode are the Apps whose tasks follow the nodes.
func (r *Reconciler) appsPerNode(ctx context.Context, _ client.Object) []reconcile.Request {
	var apps v1alpha1.AppList
	if err := r.Client.List(ctx, &apps, index.PerNode(), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list the Apps of one task per node")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(apps.Items))
	for i := range apps.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&apps.Items[i])})
	}
	return requests
}

// placeChanges lets through what decides whether a node may be used.
func placeChanges() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			old, is := e.ObjectOld.(*corev1.Node)
			now, isToo := e.ObjectNew.(*corev1.Node)
			return is && isToo && !(maps.Equal(old.Labels, now.Labels) && old.Spec.Unschedulable == now.Spec.Unschedulable &&
				slices.EqualFunc(old.Spec.Taints, now.Spec.Taints, func(a, b corev1.Taint) bool { return equality.Semantic.DeepEqual(a, b) }))
		},
	}
}
