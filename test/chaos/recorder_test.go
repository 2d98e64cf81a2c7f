// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// podSeen is a pod at one instant.
type podSeen struct {
	uid, owner types.UID
	name       string
	config     string
	slot       string
	healthy    bool
	failing    bool
	// stores says that it has a volume which no other may write.
	stores      bool
	terminating bool
	// ended says that it is over for good, gated that it waits for a quota.
	ended, gated bool
	// millis are the thousandths of a CPU that it asks for.
	millis int64
	node   string
}

// appSeen is an App at one instant.
type appSeen struct {
	uid     types.UID
	promise promise
	// config is the hash of the configuration taken on, failures the count of its launch delay.
	config   string
	failures int32
	// settled says that the manager has nothing left to do about it.
	settled bool
}

// promise is what an App's spec promises of its pods.
type promise struct {
	// config is the hash of its configuration.
	config              string
	instances           int
	minHealthy, maxOver float64
}

// seen is an event of a watch.
type seen struct {
	rv   uint64
	gone bool
	pod  *podSeen
	app  *appSeen
	job  *jobSeen
	run  *runSeen
	made *madeSeen
	// quota is that of the namespace, node its node.
	quota *quotaSeen
	node  *nodeSeen
}

// nodeSeen is the node of a namespace at one instant.
type nodeSeen struct {
	name string
	// leaves says that it is being emptied.
	leaves bool
}

// recorder follows the objects of all namespaces that oracles ask for.
type recorder struct {
	mu     sync.Mutex
	events map[string][]seen
	last   map[string]uint64
	// nodes are those that there ever were.
	nodes map[string]bool
}

func record(ctx context.Context, c client.WithWatch) (*recorder, error) {
	r := &recorder{events: map[string][]seen{}, last: map[string]uint64{}, nodes: map[string]bool{}}
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &v1alpha1.AppList{}, &v1alpha1.JobList{}, &v1alpha1.JobRunList{}, &batchv1.JobList{}, &v1alpha1.QuotaList{}, &corev1.NodeList{},
	} {
		w, err := c.Watch(ctx, list)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		go func() {
			for e := range w.ResultChan() {
				r.add(e)
			}
			if ctx.Err() == nil {
				panic("the recorder's watch ended")
			}
		}()
	}
	return r, nil
}

func (r *recorder) add(e watch.Event) {
	obj, ok := e.Object.(client.Object)
	if !ok {
		return
	}
	rv, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(err)
	}
	s := seen{rv: rv, gone: e.Type == watch.Deleted}
	namespace := obj.GetNamespace()
	switch o := obj.(type) {
	case *corev1.Pod:
		s.pod = seePod(o)
	case *v1alpha1.App:
		s.app = seeApp(o)
	case *v1alpha1.Job:
		s.job = &jobSeen{uid: o.UID, success: o.Status.SuccessCount, failed: o.Status.FailureCount}
	case *v1alpha1.JobRun:
		s.run = &runSeen{uid: o.UID, name: o.Name, job: ownerOf(o), state: o.Status.State}
	case *batchv1.Job:
		s.made = &madeSeen{uid: o.UID, run: ownerOf(o), attempt: o.Labels[v1alpha1.AttemptLabel]}
	case *v1alpha1.Quota:
		namespace = o.Name
		s.quota = seeQuota(o)
	case *corev1.Node:
		namespace = strings.TrimPrefix(o.Name, nodeOf(""))
		s.node = &nodeSeen{name: o.Name, leaves: o.Spec.Unschedulable}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.node != nil {
		r.nodes[s.node.name] = true
	}
	r.events[namespace] = append(r.events[namespace], s)
	r.last[namespace] = max(r.last[namespace], rv)
}

func seePod(pod *corev1.Pod) *podSeen {
	p := &podSeen{
		uid: pod.UID, name: pod.Name, terminating: pod.DeletionTimestamp != nil,
		config: pod.Labels[v1alpha1.ConfigLabel], slot: pod.Labels[v1alpha1.SlotLabel],
	}
	p.owner, p.node, p.gated = ownerOf(pod), pod.Spec.NodeName, heldBack(pod)
	for i := range pod.Spec.Containers {
		p.millis += pod.Spec.Containers[i].Resources.Requests.Cpu().MilliValue()
	}
	p.ended = pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
	p.failing = p.ended
	for _, v := range pod.Spec.Volumes {
		p.stores = p.stores || v.PersistentVolumeClaim != nil
	}
	for _, c := range pod.Status.ContainerStatuses {
		p.failing = p.failing || c.State.Waiting != nil
	}
	for _, c := range pod.Status.Conditions {
		p.healthy = p.healthy || !p.failing && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	}
	return p
}

func ownerOf(obj client.Object) types.UID {
	if owner := metav1.GetControllerOf(obj); owner != nil {
		return owner.UID
	}
	return ""
}

func seeApp(app *v1alpha1.App) *appSeen {
	filled := app.DeepCopy()
	filled.Spec.Default()
	conditions := app.Status.Conditions
	config, err := configOf(app)
	if err != nil {
		panic(err)
	}
	var failures int32
	if app.Status.Backoff != nil {
		failures = app.Status.Backoff.Failures
	}
	return &appSeen{
		uid: app.UID, config: app.Status.ConfigHash, failures: failures,
		promise: promise{
			config:     config,
			instances:  int(filled.Spec.Desired()),
			minHealthy: *filled.Spec.UpgradeStrategy.MinimumHealthCapacity,
			maxOver:    *filled.Spec.UpgradeStrategy.MaximumOverCapacity,
		},
		settled: app.Status.ObservedGeneration == app.Generation && app.Status.ConfigHash == config && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) &&
			meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling) == nil,
	}
}

// knowsNode says that there is, or was, a node of the name.
func (r *recorder) knowsNode(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[name]
}

// revision is the last one seen in a namespace.
func (r *recorder) revision(namespace string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[namespace]
}

// story is what happened in a namespace, in the order in which it did.
func (r *recorder) story(namespace string) []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := slices.Clone(r.events[namespace])
	slices.SortStableFunc(events, func(a, b seen) int { return cmp.Compare(a.rv, b.rv) })
	return events
}

// forget drops what is known of a namespace.
func (r *recorder) forget(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.events, namespace)
	delete(r.last, namespace)
}
