// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply makes and removes the objects that ours own. It is the only
// writer of children: nothing else creates, changes or deletes a Pod, a
// PersistentVolumeClaim or a ControllerRevision. It also writes what pools want of
// nodes and of what makes them.
package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// requests is how many requests there are at once for one owner.
const requests = 16

// Applier makes and removes children.
type Applier struct {
	client  client.Client
	live    client.Reader
	decoder runtime.Decoder
}

// New returns an Applier that writes by c and, in doubt, reads by live, which
// must not be a cache.
func New(c client.Client, live client.Reader) *Applier {
	return &Applier{client: c, live: live, decoder: serializer.NewCodecFactory(c.Scheme()).UniversalDeserializer()}
}

// NameConflictError says that an object of somebody else has the name that a
// child needs.
type NameConflictError struct {
	// Kind and Name of the object.
	Kind, Name string
}

// Error names the object.
func (e *NameConflictError) Error() string {
	return fmt.Sprintf("%s %s belongs to somebody else", e.Kind, e.Name)
}

// Create makes a child of owner whose identity is the point: one of that name
// that the owner has already is left as it is. It is a create and not an apply:
// less than half the work for the API server. It returns a NameConflictError
// where the name is taken by an object that the owner does not own.
func (a *Applier) Create(ctx context.Context, owner client.Object, child any) error {
	return a.create(ctx, child, func(there metav1.Object) bool { return metav1.IsControlledBy(there, owner) })
}

// CreateKept makes an object that outlasts whom it is made for, and is found by
// its name, unless there is one. It returns a NameConflictError where that is
// somebody's own.
func (a *Applier) CreateKept(ctx context.Context, obj any) error {
	return a.create(ctx, obj, func(there metav1.Object) bool { return metav1.GetControllerOfNoCopy(there) == nil })
}

// create makes an object, or leaves one of its name as it is if it will do.
func (a *Applier) create(ctx context.Context, child any, willDo func(metav1.Object) bool) error {
	obj, gvk, err := a.object(child)
	if err != nil {
		return err
	}
	err = a.client.Create(ctx, obj)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(*gvk)
	if err := a.live.Get(ctx, client.ObjectKeyFromObject(obj), there); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !willDo(there) {
		return &NameConflictError{Kind: gvk.Kind, Name: obj.GetName()}
	}
	return nil
}

// object is the child that is described. One of a kind that is not ours to know
// comes as it is.
func (a *Applier) object(child any) (client.Object, *schema.GroupVersionKind, error) {
	if obj, is := child.(*unstructured.Unstructured); is {
		gvk := obj.GroupVersionKind()
		return obj, &gvk, nil
	}
	raw, err := json.Marshal(child)
	if err != nil {
		return nil, nil, fmt.Errorf("encode child: %w", err)
	}
	decoded, gvk, err := a.decoder.Decode(raw, nil, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("decode child: %w", err)
	}
	obj, ok := decoded.(client.Object)
	if !ok {
		return nil, nil, fmt.Errorf("create %s: not an object", gvk.Kind)
	}
	return obj, gvk, nil
}

// Update writes what differs between an object that was seen and what is to be of
// it. It fails with a conflict where somebody changed the object since; that it
// is gone is no error.
func (a *Applier) Update(ctx context.Context, seen, wanted client.Object) error {
	return client.IgnoreNotFound(a.client.Patch(ctx, wanted, client.MergeFromWithOptions(seen, client.MergeFromWithOptimisticLock{})))
}

// UpdateStatus writes what differs between the status of an object that was seen
// and what is to be of it, as Update does.
func (a *Applier) UpdateStatus(ctx context.Context, seen, wanted client.Object) error {
	return client.IgnoreNotFound(a.client.Status().Patch(ctx, wanted, client.MergeFromWithOptions(seen, client.MergeFromWithOptimisticLock{})))
}

// Each calls do for all of n, many at once, until an error. The first comes
// alone: where it is refused, the others would be, too.
func Each(n int, do func(i int) error) error {
	if n == 0 {
		return nil
	}
	if err := do(0); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(requests)
	var failed atomic.Bool
	for i := 1; i < n && !failed.Load(); i++ {
		group.Go(func() error {
			err := do(i)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}

// Delete removes the very object that was seen, and not one of the same name
// that took its place since. That it is gone already is no error.
func (a *Applier) Delete(ctx context.Context, obj client.Object, options ...client.DeleteOption) error {
	uid := obj.GetUID()
	err := a.client.Delete(ctx, obj, append(options, client.Preconditions{UID: &uid})...)
	if apierrors.IsConflict(err) && a.gone(ctx, obj) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// gone says that an object is no more, though another may have its name. A
// conflict alone does not: a busy API server answers so, too.
func (a *Applier) gone(ctx context.Context, obj client.Object) bool {
	gvk, err := a.client.GroupVersionKindFor(obj)
	if err != nil {
		return false
	}
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(gvk)
	err = a.live.Get(ctx, client.ObjectKeyFromObject(obj), there)
	return apierrors.IsNotFound(err) || err == nil && there.UID != obj.GetUID()
}
