// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/podcache"
)

// observed is everything that one pass knows.
type observed struct {
	m *v1alpha1.NodeMaintenance
	// node is that of its name, nil if there is none.
	node *corev1.Node
	// unreachable says that the node does not answer.
	unreachable bool
	// machine is the system's UUID of the node, "" where others have the same.
	machine string
	// registered are the nodes of a machine that was given up.
	registered []*corev1.Node
	// settings are how the node is emptied.
	settings settings
	// pods are those that have to go.
	pods []pod
	// volumes is the number of those that are attached to the node.
	volumes int
	// ahead is how many nodes of the pool come first.
	ahead int
	// now is the time of the pass.
	now time.Time
}

// observe reads what a pass needs.
func (r *Reconciler) observe(ctx context.Context, m *v1alpha1.NodeMaintenance) (*observed, error) {
	seen := &observed{m: m, now: r.Clock.Now()}
	if err := r.observeNodes(ctx, seen); err != nil {
		return nil, err
	}
	if seen.node == nil || !drains(m) || givenUp(m) {
		return seen, nil
	}
	if before, over, _ := window(m, seen.now); before || over {
		return seen, nil
	}
	pool, err := r.pool(ctx, seen.node.Labels[v1alpha1.NodePoolLabel])
	if err != nil {
		return nil, err
	}
	seen.settings = drainSettings(m.Spec.Drain, pool.Spec.Drain)
	if pool.Name != "" && !seen.begun() {
		if seen.ahead, err = r.ahead(ctx, m, pool, seen.now); err != nil || seen.ahead > 0 {
			return seen, err
		}
	}
	return seen, r.observePods(ctx, seen)
}

// observeNodes reads the node, and those of the same machine.
func (r *Reconciler) observeNodes(ctx context.Context, seen *observed) error {
	var nodes corev1.NodeList
	// They belong to the cache: nobody changes them.
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	alike := map[string]int{}
	given := seen.m.Status.SystemUUID
	for i := range nodes.Items {
		n := &nodes.Items[i]
		machine := n.Status.NodeInfo.SystemUUID
		alike[machine]++
		if n.Name == seen.m.Name {
			seen.node, seen.machine, seen.volumes = n, machine, len(n.Status.VolumesAttached)
			_, seen.unreachable = index.UnreachableSince(n)
		}
		if n.Name == seen.m.Name || given != "" && machine == given {
			seen.registered = append(seen.registered, n)
		}
	}
	if alike[seen.machine] > 1 {
		seen.machine = ""
	}
	return nil
}

// pool is the NodePool of a name; one that says nothing if there is none.
func (r *Reconciler) pool(ctx context.Context, name string) (*v1alpha1.NodePool, error) {
	pool := &v1alpha1.NodePool{}
	if name == "" {
		return pool, nil
	}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, pool); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get node pool: %w", err)
	}
	return pool, nil
}

// ahead is how many nodes of a pool come first. It asks the API server, so that of
// two that begin at once each knows of the other.
func (r *Reconciler) ahead(ctx context.Context, m *v1alpha1.NodeMaintenance, pool *v1alpha1.NodePool, now time.Time) (int, error) {
	var all v1alpha1.NodeMaintenanceList
	if err := r.Live.List(ctx, &all); err != nil {
		return 0, fmt.Errorf("list maintenance: %w", err)
	}
	var others []v1alpha1.NodeMaintenance
	for i := range all.Items {
		var node corev1.Node
		err := r.Client.Get(ctx, client.ObjectKey{Name: all.Items[i].Name}, &node)
		if client.IgnoreNotFound(err) != nil {
			return 0, fmt.Errorf("get node: %w", err)
		}
		if err == nil && node.Labels[v1alpha1.NodePoolLabel] == pool.Name {
			others = append(others, all.Items[i])
		}
	}
	return ahead(m, others, int(ptr.Deref(pool.Spec.MaxUnavailable, 1)), now), nil
}

// observePods reads the pods of the node, and what decides about them.
func (r *Reconciler) observePods(ctx context.Context, seen *observed) error {
	if err := r.watcher.Watch(ctx); err != nil {
		return err
	}
	pods, err := r.Pods.List(ctx, podcache.On(seen.node.Name))
	if err != nil {
		return err
	}
	for i := range pods {
		if !mustGo(&pods[i]) {
			continue
		}
		p := pod{Pod: &pods[i]}
		if err := r.judge(ctx, &p); err != nil {
			return err
		}
		seen.pods = append(seen.pods, p)
	}
	order(seen.pods)
	return nil
}

// judge finds out what decides when a pod may go.
func (r *Reconciler) judge(ctx context.Context, p *pod) error {
	if isManager(p.Pod) {
		others, err := r.Pods.List(ctx, client.InNamespace(p.Namespace), managerLabels)
		if err != nil {
			return err
		}
		p.holds = "the manager of kdcos, and no other replica of it is ready: restart its Deployment, which starts one elsewhere"
		for i := range others {
			if others[i].UID != p.UID && ready(&others[i]) {
				p.holds = ""
			}
		}
		return nil
	}
	owner := metav1.GetControllerOfNoCopy(p.Pod)
	if owner == nil || owner.Kind != "App" || owner.APIVersion != v1alpha1.GroupVersion.String() {
		return nil
	}
	app := &v1alpha1.App{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: owner.Name}, app)
	if apierrors.IsNotFound(err) || err == nil && (app.UID != owner.UID || app.DeletionTimestamp != nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get app: %w", err)
	}
	app = app.DeepCopy()
	app.Spec.Default()
	p.resident = app.Spec.Resident()
	p.replaced = !app.Spec.SingleWriter() && !app.Spec.RunsPerNode() && *app.Spec.UpgradeStrategy.MinimumHealthCapacity >= 1
	if !p.replaced || app.Spec.Desired() != 1 || !ready(p.Pod) {
		// What more than one instance is promised, its disruption budget keeps.
		return nil
	}
	there, err := r.hasSuccessor(ctx, app, p.Pod)
	if !there {
		p.waits = "the only instance of its App, which starts another one elsewhere first"
	}
	return err
}

// hasSuccessor says that an App has another instance that serves.
func (r *Reconciler) hasSuccessor(ctx context.Context, app *v1alpha1.App, of *corev1.Pod) (bool, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, index.LeavingNodes(), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list nodes: %w", err)
	}
	leaves := map[string]bool{}
	for i := range nodes.Items {
		leaves[nodes.Items[i].Name] = true
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(app.Namespace), index.ControlledBy(app), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.UID != of.UID && ready(p) && !leaves[p.Spec.NodeName] {
			return true, nil
		}
	}
	return false, nil
}

// managerLabels are those of the manager's own pods, by its chart.
var managerLabels = client.MatchingLabels{"app.kubernetes.io/name": "kdcos", "app.kubernetes.io/component": "manager"}

func isManager(pod *corev1.Pod) bool {
	for key, value := range managerLabels {
		if pod.Labels[key] != value {
			return false
		}
	}
	return true
}

func ready(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
