// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func (r *run) node() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeOf(r.namespace)}}
}

// addNode makes a node that answers.
func (r *run) addNode(ctx context.Context, _ step) error {
	node := r.node()
	node.Labels = map[string]string{v1alpha1.NodeAttributePrefix + "rack": "a", "pool": "a"}
	if err := r.world.admin.Create(ctx, node); err != nil {
		return err
	}
	// The taint that says that it is new is for others to take away, and to say that it answers.
	gone := fmt.Sprintf(`[{"op": "test", "path": "/spec/taints/0/key", "value": %q}, {"op": "remove", "path": "/spec/taints/0"}]`, corev1.TaintNodeNotReady)
	if err := r.world.admin.Patch(ctx, node, client.RawPatch("application/json-patch+json", []byte(gone))); err != nil {
		return err
	}
	return r.answers(ctx, corev1.ConditionTrue)
}

func (r *run) answers(ctx context.Context, is corev1.ConditionStatus) error {
	patch := fmt.Sprintf(`{"status": {"conditions": [{"type": "Ready", "status": %q}], "nodeInfo": {"systemUUID": "machine-%s"}}}`, is, r.namespace)
	return r.world.admin.Status().Patch(ctx, r.node(), client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// loseNode lets the node answer no more. Its pods are lost with it: who deletes
// them kills nothing.
func (r *run) loseNode(ctx context.Context, _ step) error {
	var pods corev1.PodList
	if err := r.world.admin.List(ctx, &pods, client.InNamespace(r.namespace)); err != nil {
		return err
	}
	r.mu.Lock()
	for i := range pods.Items {
		r.harmed[pods.Items[i].UID] = true
	}
	r.mu.Unlock()
	return r.answers(ctx, corev1.ConditionUnknown)
}

func (r *run) maintenance() *v1alpha1.NodeMaintenance {
	return &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: nodeOf(r.namespace)}}
}

func (r *run) maintain(ctx context.Context, s step) error {
	m := r.maintenance()
	if err := r.spec(s, &m.Spec); err != nil {
		return err
	}
	return r.world.admin.Create(ctx, m)
}

func (r *run) changeMaintenance(ctx context.Context, s step) error {
	return r.patch(ctx, r.maintenance(), map[string]any{"spec": s.Spec})
}

func (r *run) reactivate(ctx context.Context, _ step) error {
	return r.world.admin.Delete(ctx, r.maintenance())
}

// unmaintained says what is missing until maintenance has come to a state.
func (r *run) unmaintained(ctx context.Context, _ step, want string) (string, error) {
	if err := r.standIn(ctx); err != nil {
		return "", err
	}
	m := r.maintenance()
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
		return "", err
	}
	if m.Status.ObservedGeneration != m.Generation || string(m.Status.State) != want || !meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady) {
		return fmt.Sprintf("it is %s, %+v, %+v", m.Status.State, m.Status.Conditions, m.Status.Remaining), nil
	}
	return "", nil
}

// standIn does what controllers of Kubernetes do about a node that is given up:
// claims in no use go when they are deleted, and the scheduler looks again at pods
// that were bound to it.
func (r *run) standIn(ctx context.Context) error {
	if !r.scenario.does(storeLocally) {
		return nil
	}
	var pods corev1.PodList
	var claims corev1.PersistentVolumeClaimList
	for _, list := range []client.ObjectList{&pods, &claims} {
		if err := r.world.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return err
		}
	}
	if err := r.release(ctx, claims.Items); err != nil {
		return err
	}
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName != "" {
			continue
		}
		err := r.patch(ctx, &pods.Items[i], map[string]any{"metadata": map[string]any{"annotations": map[string]any{prodAnnotation: fmt.Sprint(r.moment())}}})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// unmoved says what is missing until an App is as asked for, elsewhere.
func (r *run) unmoved(ctx context.Context, s step, _ string) (string, error) {
	if err := r.standIn(ctx); err != nil {
		return "", err
	}
	app := &v1alpha1.App{}
	if err := r.world.admin.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: s.App}, app); err != nil {
		return "", err
	}
	if left, err := r.unsettled(ctx, app); left != "" || err != nil {
		return left, err
	}
	pods, err := r.podsOf(ctx, app)
	return map[bool]string{true: "not all pods are elsewhere"}[slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName != spareOf(r.namespace) })], err
}

// unused says what is missing until the node is used again.
func (r *run) unused(ctx context.Context, _ step, _ string) (string, error) {
	m, node := r.maintenance(), r.node()
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(m), m); !apierrors.IsNotFound(err) {
		return "the NodeMaintenance is there", err
	}
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
		return "", err
	}
	if node.Spec.Unschedulable || slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return strings.HasPrefix(t.Key, "kdcos.io/") }) {
		return fmt.Sprintf("the node is unschedulable: %t, %v", node.Spec.Unschedulable, node.Spec.Taints), nil
	}
	return "", nil
}

// letIn says what is missing until the node is kept out.
func (r *run) letIn(ctx context.Context, _ step, _ string) (string, error) {
	node := r.node()
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
		return "", err
	}
	if !node.Spec.Unschedulable || !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.GoneTaint }) {
		return "the node is not kept out", nil
	}
	return "", nil
}

// volume is one on the node.
func (r *run) volume(n int) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("volume-%s-%d", r.namespace, n)}}
}

// storeLocally binds the App's only claim to a volume on the node.
func (r *run) storeLocally(ctx context.Context, s step) error {
	c := r.world.admin
	claims, err := r.claimsOf(ctx, &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: s.App}})
	if err != nil {
		return err
	}
	if len(claims) != 1 {
		return fmt.Errorf("there are %d claims, 1 is wanted", len(claims))
	}
	claim, v := &claims[0], r.volume(0)
	v.Spec = corev1.PersistentVolumeSpec{
		Capacity: claim.Spec.Resources.Requests, AccessModes: claim.Spec.AccessModes,
		PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/data"}},
		ClaimRef:               &corev1.ObjectReference{Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
		NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeOf(r.namespace)}}},
		}}}},
	}
	if v.Spec.Capacity == nil {
		v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
	}
	if err := c.Create(ctx, v); err != nil {
		return err
	}
	if err := r.patch(ctx, claim, map[string]any{"spec": map[string]any{"volumeName": v.Name}}); err != nil {
		return err
	}
	before := client.MergeFrom(claim.DeepCopy())
	claim.Status.Phase, claim.Status.Capacity = corev1.ClaimBound, claim.Spec.Resources.Requests
	return c.Status().Patch(ctx, claim, before)
}

// bound says that a pod has a claim with a volume on a node that takes no pods.
func (w *world) bound(pod *corev1.Pod) bool {
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil || !w.recorder.knowsNode(nodeOf(pod.Namespace)) || w.takes(pod.Namespace) {
			continue
		}
		var claim corev1.PersistentVolumeClaim
		err := w.admin.Get(context.Background(), client.ObjectKey{Namespace: pod.Namespace, Name: v.PersistentVolumeClaim.ClaimName}, &claim)
		if err != nil || claim.Spec.VolumeName != "" {
			return true
		}
	}
	return false
}

func (r *run) pool() *v1alpha1.NodePool {
	return &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: poolOf(r.namespace)}}
}

func (r *run) createPool(ctx context.Context, s step) error {
	pool := r.pool()
	if err := r.spec(s, &pool.Spec); err != nil {
		return err
	}
	return r.world.admin.Create(ctx, pool)
}

func (r *run) changePool(ctx context.Context, s step) error {
	return r.patch(ctx, r.pool(), map[string]any{"spec": s.Spec})
}

func (r *run) deletePool(ctx context.Context, _ step) error {
	return r.world.admin.Delete(ctx, r.pool())
}

// unpooled says what is missing until the node is in the pool.
func (r *run) unpooled(ctx context.Context, _ step, _ string) (string, error) {
	pool, node := r.pool(), r.node()
	for _, obj := range []client.Object{pool, node} {
		if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return "", err
		}
	}
	ready := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || pool.Status.ObservedGeneration != pool.Generation || len(pool.Status.Conditions) != 1 {
		return fmt.Sprintf("conditions are %+v", pool.Status.Conditions), nil
	}
	for name, value := range pool.Spec.Attributes {
		if node.Labels[v1alpha1.NodeAttributePrefix+name] != string(value) {
			return "the node has not the attribute " + name, nil
		}
	}
	return map[bool]string{true: "the node is not of the pool"}[node.Labels[v1alpha1.NodePoolLabel] != pool.Name], nil
}

// theirs is an object of a provisioner.
func (r *run) theirs(ctx context.Context, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(apiVersion)
	obj.SetKind(kind)
	return obj, r.world.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj)
}

// karpenterPool is the NodePool of Karpenter that is made for ours.
func (r *run) karpenterPool(ctx context.Context) (*unstructured.Unstructured, error) {
	return r.theirs(ctx, "karpenter.sh/v1", "NodePool", "", poolOf(r.namespace))
}

// machines is the API version of a MachineDeployment, and its name.
const (
	machinesVersion = "cluster.x-k8s.io/v1beta2"
	machinesName    = "workers"
)

// poolThere says what is left of a pool.
func (r *run) poolThere(ctx context.Context, _ step, _ string) (string, error) {
	pool, node := r.pool(), r.node()
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(pool), pool); !apierrors.IsNotFound(err) {
		return "the NodePool is there", err
	}
	if _, err := r.karpenterPool(ctx); !apierrors.IsNotFound(err) {
		return "Karpenter's NodePool is there", err
	}
	err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(node), node)
	return map[bool]string{true: "the node is marked"}[node.Labels[v1alpha1.NodePoolLabel] != ""], client.IgnoreNotFound(err)
}

// unprovisioned says what is missing until Karpenter is told how many nodes may go at once.
func (r *run) unprovisioned(ctx context.Context, _ step, want string) (string, error) {
	obj, err := r.karpenterPool(ctx)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	budgets, _, _ := unstructured.NestedSlice(obj.Object, "spec", "disruption", "budgets")
	if fmt.Sprint(budgets) != fmt.Sprintf("[map[nodes:%s]]", want) {
		return fmt.Sprintf("budgets are %v", budgets), nil
	}
	return r.poolUnsaid(ctx)
}

// poolUnsaid says that a pool has not told of the last change of its spec.
func (r *run) poolUnsaid(ctx context.Context) (string, error) {
	pool := r.pool()
	err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(pool), pool)
	return map[bool]string{true: "the NodePool has not told of it"}[pool.Status.ObservedGeneration != pool.Generation], err
}

// addMachines makes what Cluster API makes the nodes of the pool by.
func (r *run) addMachines(ctx context.Context, _ step) error {
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"clusterName": "c", "replicas": int64(1), "selector": map[string]any{"matchLabels": map[string]any{"a": "b"}},
		"template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"a": "b", v1alpha1.ClusterAPINodePoolLabel: poolOf(r.namespace)}},
			"spec": map[string]any{
				"clusterName": "c", "bootstrap": map[string]any{"dataSecretName": "s"},
				"infrastructureRef": map[string]any{"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "DockerMachineTemplate", "name": "t"},
			},
		},
	}}}
	obj.SetAPIVersion(machinesVersion)
	obj.SetKind("MachineDeployment")
	obj.SetNamespace(r.namespace)
	obj.SetName(machinesName)
	return r.world.admin.Create(ctx, obj)
}

// machinesMissing says what is missing until so many machines are asked for.
func (r *run) machinesMissing(ctx context.Context, _ step, want string) (string, error) {
	obj, err := r.theirs(ctx, machinesVersion, "MachineDeployment", r.namespace, machinesName)
	if err != nil {
		return "", err
	}
	if n, _, _ := unstructured.NestedInt64(obj.Object, "spec", "replicas"); fmt.Sprint(n) != want {
		return fmt.Sprintf("%d machines are asked for", n), nil
	}
	return r.poolUnsaid(ctx)
}
