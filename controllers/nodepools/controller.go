// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package nodepools looks after nodes. It gives the nodes of a NodePool its
// labels and taints, has a provisioner make them where the pool names one, and
// tells what they have and what is free. And it labels nodes that satisfy the
// constraints of Apps and Jobs which no selector of Kubernetes can ask for, such as
// regular expressions; their pods ask for the label. It touches nothing else of a
// node.
package nodepools

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=apps;jobs;nodepools;nodemaintenances,verbs=get;list;watch
// +kubebuilder:rbac:groups=kdcos.io,resources=nodepools/status,verbs=patch
// +kubebuilder:rbac:groups=karpenter.sh,resources=nodepools,verbs=get;create;patch
// +kubebuilder:rbac:groups=cluster.x-k8s.io,resources=machinedeployments,verbs=get;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconciler tells what becomes of NodePools.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Pods are all pods of the cluster.
	Pods *podcache.Pods
	// GPUResource counts GPUs where a pool names no resource.
	GPUResource string

	provisioners provisioners
	watcher      *podcache.Watcher
}

// SetupWithManager adds three controllers to a manager: that of NodePools, and
// those of what their nodes get and what nodes get for constraints.
func SetupWithManager(mgr ctrl.Manager, settings workload.Settings, pods *podcache.Pods, workers int) error {
	recorder := mgr.GetEventRecorder("kdcos-node")
	applier := apply.New(mgr.GetClient(), mgr.GetAPIReader())
	if err := (&matcher{client: mgr.GetClient(), events: recorder}).setup(mgr); err != nil {
		return err
	}
	if err := (&marker{client: mgr.GetClient(), apply: applier, gpuResource: settings.GPUResource}).setup(mgr); err != nil {
		return err
	}
	r := &Reconciler{
		Client: mgr.GetClient(), Pods: pods, GPUResource: settings.GPUResource,
		provisioners: provisioners{live: mgr.GetAPIReader(), apply: applier, mapper: mgr.GetRESTMapper()},
	}
	return r.setup(mgr, recorder, workers)
}

func (r *Reconciler) setup(mgr ctrl.Manager, recorder events.EventRecorder, workers int) error {
	// Who has a node depends on all pools that ask for it.
	every := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request { return r.every(ctx) })
	c, err := ctrl.NewControllerManagedBy(mgr).
		Named("nodepool").
		For(&v1alpha1.NodePool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.NodePool{}, every, builder.WithPredicates(poolChanges())).
		Watches(&corev1.Node{}, every, builder.WithPredicates(stateChanges())).
		Watches(&v1alpha1.NodeMaintenance{}, every, builder.WithPredicates(maintenanceChanges())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Build(reconciler.WithStatus[*v1alpha1.NodePool](mgr.GetClient(), recorder, r, reconciler.Resting(rest)))
	if err != nil {
		return err
	}
	wake := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, pod *corev1.Pod) []reconcile.Request { return r.poolsOfPod(ctx, pod) })
	r.watcher = r.Pods.Watcher(c, wake, podChanges())
	return nil
}

// rest is how long a pool is left alone between passes: each looks at all pods on
// its nodes, of which one comes or goes every moment.
func rest(pool *v1alpha1.NodePool) time.Duration {
	return 2*time.Second + time.Duration(pool.Status.Nodes.Total)*2*time.Millisecond
}

// Reconcile makes one pass over a pool.
func (r *Reconciler) Reconcile(ctx context.Context, pool *v1alpha1.NodePool) (reconcile.Result, error) {
	if err := r.watcher.Watch(ctx); err != nil {
		return reconcile.Result{}, err
	}
	seen, err := r.observe(ctx, pool)
	if errors.Is(err, podcache.ErrSyncing) {
		return reconcile.Result{}, &reconciler.Unknown{After: podcache.RetryAfter}
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	found := setStatus(pool, seen)
	measure(pool)
	if pool.Spec.Provisioner == nil {
		return reconcile.Result{}, found
	}
	if err := r.provisioners.of(pool).provision(ctx, pool); err != nil {
		found = serving(err, pool.Status.Nodes.Ready > 0)
	}
	return reconcile.Result{RequeueAfter: provisionerPause}, found
}

// serving says of what is in the way of new nodes that those there are take work.
func serving(err error, is bool) error {
	var notReady *reconciler.NotReady
	var terminal *reconciler.Terminal
	switch {
	case errors.As(err, &notReady):
		notReady.Serving = is
	case errors.As(err, &terminal):
		terminal.Available = is
	}
	return err
}

// every makes a request for each pool.
func (r *Reconciler) every(ctx context.Context) []reconcile.Request {
	var pools v1alpha1.NodePoolList
	if err := r.Client.List(ctx, &pools, client.UnsafeDisableDeepCopy); err != nil {
		return nil // of a cache: it stops
	}
	var all []reconcile.Request
	for i := range pools.Items {
		all = append(all, request(pools.Items[i].Name))
	}
	return all
}

// poolsOfPod makes a request for the pool of the node that a pod is on, and for
// all pools if it is on none.
func (r *Reconciler) poolsOfPod(ctx context.Context, pod *corev1.Pod) []reconcile.Request {
	if pod.Spec.NodeName == "" {
		return r.every(ctx)
	}
	var node corev1.Node
	if err := r.Client.Get(ctx, types.NamespacedName{Name: pod.Spec.NodeName}, &node, client.UnsafeDisableDeepCopy); err != nil {
		return nil // a node that is gone has no pool
	}
	if pool := node.Labels[v1alpha1.NodePoolLabel]; pool != "" {
		return []reconcile.Request{request(pool)}
	}
	return nil
}

func request(pool string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: pool}}
}

// stateChanges are those that a pool tells of its nodes, and those it goes by.
func stateChanges() predicate.Funcs {
	marks := markChanges()
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, wasNode := e.ObjectOld.(*corev1.Node)
		after, isNode := e.ObjectNew.(*corev1.Node)
		return marks.Update(e) || wasNode && isNode && (before.Spec.Unschedulable != after.Spec.Unschedulable ||
			v1alpha1.StateOf(before, nil) != v1alpha1.StateOf(after, nil))
	}}
}

// maintenanceChanges are those of the state of a node.
func maintenanceChanges() predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, was := e.ObjectOld.(*v1alpha1.NodeMaintenance)
		after, is := e.ObjectNew.(*v1alpha1.NodeMaintenance)
		return was && is && before.Status.State != after.Status.State
	}}
}

// podChanges are those of what pods take of nodes, and of pods that find none.
func podChanges() predicate.TypedFuncs[*corev1.Pod] {
	counts := func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" || unschedulable(pod) }
	return predicate.TypedFuncs[*corev1.Pod]{
		CreateFunc: func(e event.TypedCreateEvent[*corev1.Pod]) bool { return counts(e.Object) },
		DeleteFunc: func(e event.TypedDeleteEvent[*corev1.Pod]) bool { return counts(e.Object) },
		UpdateFunc: func(e event.TypedUpdateEvent[*corev1.Pod]) bool {
			before, after := e.ObjectOld, e.ObjectNew
			return before.Spec.NodeName != after.Spec.NodeName || over(before) != over(after) || unschedulable(before) != unschedulable(after) ||
				before.Generation != after.Generation && !equality.Semantic.DeepEqual(requests(before), requests(after))
		},
	}
}

// over says that a pod takes nothing of its node any more.
func over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// unschedulable says that the scheduler found no node for a pod.
func unschedulable(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}
