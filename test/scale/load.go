// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// hands is how many requests the maker of objects has open at once.
const hands = 32

// atWork runs do for every one of n, so many at once, until one fails.
func atWork(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(hands, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// settled says that an object is as its spec asks for, by what it says itself.
func settled(obj client.Object) bool {
	switch o := obj.(type) {
	case *v1alpha1.App:
		return o.Status.ObservedGeneration == o.Generation &&
			meta.IsStatusConditionTrue(o.Status.Conditions, v1alpha1.ConditionReady) &&
			!meta.IsStatusConditionTrue(o.Status.Conditions, v1alpha1.ConditionReconciling)
	case *appsv1.Deployment:
		n := ptr.Deref(o.Spec.Replicas, 1)
		s := o.Status
		return s.ObservedGeneration == o.Generation && s.Replicas == n && s.UpdatedReplicas == n && s.AvailableReplicas == n
	}
	return false
}

// generation is that which an object must have settled at, by its key.
type generations map[types.NamespacedName]int64

// look shows all objects of a kind, and each again when it changes.
func (c *cluster) look(ctx context.Context, list client.ObjectList, see func(client.Object)) error {
	open := func() (watch.Interface, error) { return c.client.Watch(ctx, list) }
	events, err := open()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	go func() {
		for ctx.Err() == nil {
			for event := range events.ResultChan() {
				if obj, ok := event.Object.(client.Object); ok && event.Type != watch.Deleted {
					see(obj)
				}
			}
			// The first events of a new watch are all there is.
			if again, err := open(); err == nil {
				events = again
			} else {
				time.Sleep(time.Second)
			}
		}
	}()
	return nil
}

// watcher looks on while objects of one kind settle.
type watcher struct {
	mu sync.Mutex
	// wanted are those that have not settled yet, settledAt when the others did.
	wanted    generations
	settledAt map[types.NamespacedName]time.Time
	changed   chan struct{}
}

// watchFor starts to watch the kind of the objects.
func (c *cluster) watchFor(ctx context.Context, kind client.Object) (*watcher, error) {
	w := &watcher{wanted: generations{}, settledAt: map[types.NamespacedName]time.Time{}, changed: make(chan struct{}, 1)}
	var list client.ObjectList
	switch kind.(type) {
	case *v1alpha1.App:
		list = &v1alpha1.AppList{}
	case *appsv1.Deployment:
		list = &appsv1.DeploymentList{}
	default:
		return nil, fmt.Errorf("no way is known to tell that a %T is ready", kind)
	}
	return w, c.look(ctx, list, w.see)
}

func (w *watcher) see(obj client.Object) {
	if !settled(obj) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := client.ObjectKeyFromObject(obj)
	if least, ok := w.wanted[name]; ok && obj.GetGeneration() >= least {
		delete(w.wanted, name)
		w.settledAt[name] = time.Now()
		if len(w.wanted) == 0 {
			select {
			case w.changed <- struct{}{}:
			default:
			}
		}
	}
}

// expect asks for objects at generations; what has settled before is forgotten.
func (w *watcher) expect(wanted generations) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted, w.settledAt = wanted, map[types.NamespacedName]time.Time{}
	select {
	case <-w.changed:
	default:
	}
}

// wait returns when the last one settled.
func (w *watcher) wait(ctx context.Context, patience time.Duration) (time.Time, error) {
	select {
	case <-w.changed:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(patience):
		w.mu.Lock()
		defer w.mu.Unlock()
		return time.Time{}, fmt.Errorf("%d of %d objects are not as asked for after %s", len(w.wanted), len(w.wanted)+len(w.settledAt), patience)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var last time.Time
	for _, at := range w.settledAt {
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// create makes all objects.
func (c *cluster) create(ctx context.Context, all []made) error {
	return atWork(ctx, len(all), func(ctx context.Context, i int) error {
		for _, obj := range all[i] {
			// What the API server answers is not kept.
			fresh, _ := obj.DeepCopyObject().(client.Object)
			if err := c.client.Create(ctx, fresh); err != nil {
				return fmt.Errorf("create %s: %w", obj.GetName(), err)
			}
		}
		return nil
	})
}

// change patches the main objects.
func (c *cluster) change(ctx context.Context, all []made, patch string) error {
	raw, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		return fmt.Errorf("read patch: %w", err)
	}
	return atWork(ctx, len(all), func(ctx context.Context, i int) error {
		fresh, _ := all[i][0].DeepCopyObject().(client.Object)
		if err := c.client.Patch(ctx, fresh, client.RawPatch(types.MergePatchType, raw)); err != nil {
			return fmt.Errorf("patch %s: %w", fresh.GetName(), err)
		}
		return nil
	})
}

// makeNamespaces makes the namespaces that hold the objects.
func (c *cluster) makeNamespaces(ctx context.Context, names []string) error {
	for _, name := range names {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := c.client.Create(ctx, namespace); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
	}
	return nil
}

// at is the generation that each main object must settle at.
func at(all []made, generation int64) generations {
	wanted := generations{}
	for _, one := range all {
		wanted[client.ObjectKeyFromObject(one[0])] = generation
	}
	return wanted
}
