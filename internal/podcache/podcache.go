// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package podcache is a second cache of pods: of all there are, whoever made them,
// cut down to what they ask for and where they are. The manager's own cache holds
// only the pods that kdcos makes, with more of each. This one costs nothing until
// somebody asks for it, which NodePools and Quotas do: a cluster without them never
// reads pods of others. It never writes.
package podcache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch

// ErrSyncing says that not all pods are known yet.
var ErrSyncing = errors.New("not all pods are known yet")

// Pods is the cache. Make it with New.
type Pods struct {
	cache cache.Cache

	mu      sync.Mutex
	started bool
	synced  func() bool
}

// New makes the cache and has the manager run it.
func New(mgr ctrl.Manager) (*Pods, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {Transform: trim}},
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache of all pods: %w", err)
	}
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("run the cache of all pods: %w", err)
	}
	return &Pods{cache: c}, nil
}

// nodeName is the index of pods by their node.
const nodeName = "spec.nodeName"

// start begins to watch pods, once.
func (p *Pods) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return nil
	}
	informer, err := p.cache.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch all pods: %w", err)
	}
	if err := p.cache.IndexField(ctx, &corev1.Pod{}, nodeName, func(obj client.Object) []string {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			return nil
		}
		return []string{pod.Spec.NodeName}
	}); err != nil {
		return fmt.Errorf("index all pods: %w", err)
	}
	p.synced, p.started = informer.HasSynced, true
	return nil
}

// List reads pods, of a namespace or a node where options say so. The first call
// of all begins to watch pods; until all are known, the error is ErrSyncing. What
// it returns is shared: don't change it.
func (p *Pods) List(ctx context.Context, options ...client.ListOption) ([]corev1.Pod, error) {
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	if !p.synced() {
		return nil, ErrSyncing
	}
	var pods corev1.PodList
	if err := p.cache.List(ctx, &pods, append([]client.ListOption{client.UnsafeDisableDeepCopy}, options...)...); err != nil {
		return nil, fmt.Errorf("list all pods: %w", err)
	}
	return pods.Items, nil
}

// On selects the pods of a node, and those that are on none if it is "".
func On(node string) client.ListOption {
	return client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector(nodeName, node)}
}

// Watcher has a controller woken by pods from the first time it is asked to.
type Watcher struct {
	pods       *Pods
	controller controller.Controller
	handler    handler.TypedEventHandler[*corev1.Pod, reconcile.Request]
	predicates []predicate.TypedPredicate[*corev1.Pod]

	mu      sync.Mutex
	watches bool
}

// Watcher makes a Watcher of a controller.
func (p *Pods) Watcher(c controller.Controller, h handler.TypedEventHandler[*corev1.Pod, reconcile.Request], predicates ...predicate.TypedPredicate[*corev1.Pod]) *Watcher {
	return &Watcher{pods: p, controller: c, handler: h, predicates: predicates}
}

// Watch has the controller woken from now on.
func (w *Watcher) Watch(ctx context.Context) error {
	if err := w.pods.start(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches {
		return nil
	}
	if err := w.controller.Watch(source.Kind(w.pods.cache, &corev1.Pod{}, w.handler, w.predicates...)); err != nil {
		return fmt.Errorf("be told of all pods: %w", err)
	}
	w.watches = true
	return nil
}

// RetryAfter is when to ask again after ErrSyncing.
const RetryAfter = 200 * time.Millisecond

// trim drops what nobody asks of a pod for whose work he is not responsible.
func trim(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	pod.ManagedFields = nil
	spec := corev1.PodSpec{
		NodeName: pod.Spec.NodeName, SchedulingGates: pod.Spec.SchedulingGates, Priority: pod.Spec.Priority,
		Overhead: pod.Spec.Overhead, Resources: pod.Spec.Resources,
		NodeSelector: pod.Spec.NodeSelector, Tolerations: pod.Spec.Tolerations,
		TerminationGracePeriodSeconds: pod.Spec.TerminationGracePeriodSeconds,
		Containers:                    ask(pod.Spec.Containers), InitContainers: ask(pod.Spec.InitContainers),
	}
	if pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: pod.Spec.Affinity.NodeAffinity}
	}
	pod.Spec = spec
	status := corev1.PodStatus{Phase: pod.Status.Phase}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled || c.Type == corev1.PodReady {
			status.Conditions = append(status.Conditions, c)
		}
	}
	pod.Status = status
	return pod, nil
}

func ask(containers []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(containers))
	for i := range containers {
		c := &containers[i]
		out = append(out, corev1.Container{Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy})
	}
	return out
}
