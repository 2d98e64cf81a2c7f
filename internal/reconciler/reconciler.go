// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reconciler wraps the reconcilers of kdcos: it turns the error they
// return into conditions and writes the status, once a pass and only where
// something changed. Nobody else writes status. What an object has become is
// written at once, how far it is on its way about once a second.
package reconciler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Object is a kind with conditions.
type Object interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions(conditions []metav1.Condition)
	SetObservedGeneration(generation int64)
}

// NotReady says that an object is on its way, and how far.
type NotReady struct {
	// Reason and Message go to the conditions.
	Reason, Message string
	// Serving says that the object does its work meanwhile: Ready stays true.
	Serving bool
	// After is when to look again, if nothing happens before; 0 is not needed.
	After time.Duration
}

// Error returns reason and message.
func (e *NotReady) Error() string { return e.Reason + ": " + e.Message }

// Terminal says that nothing will move until somebody changes something.
type Terminal struct {
	// Reason and Message go to the conditions.
	Reason, Message string
	// Serving says that what there is of the object does its work: Ready stays as it is.
	Serving bool
	// Available says that the object does all its work, though not the way that
	// was asked for: Ready is true.
	Available bool
}

// Error returns reason and message.
func (e *Terminal) Error() string { return e.Reason + ": " + e.Message }

// Ready says that an object is as it should be, in other words than Available.
type Ready struct {
	// Reason and Message go to the condition Ready.
	Reason, Message string
}

// Error returns reason and message.
func (e *Ready) Error() string { return e.Reason + ": " + e.Message }

// Unknown says that nothing can be said of an object yet, such as when not all is
// read that it depends on: its status stays as it is.
type Unknown struct {
	// After is when to look again.
	After time.Duration
}

// Error says so.
func (e *Unknown) Error() string { return "not known yet" }

// conflictPause is how long an object is left alone that somebody else was faster
// to change. The change will be seen and brings on a pass; tried again sooner, a
// cache that lags behind would have us write in vain all the time.
const conflictPause = time.Second

type withStatus[T Object] struct {
	client client.Client
	events events.EventRecorder
	inner  reconcile.ObjectReconciler[T]
	rest   func(T) time.Duration
	pacer  *pacer[T]
	// finalizer is that of objects which are worked on although they are being
	// deleted.
	finalizer string
}

// Option changes how objects are reconciled.
type Option[T Object] func(*withStatus[T])

// Resting lets an object rest after each pass: one with thousands of children
// has an event every moment, and a pass over them is not for nothing.
func Resting[T Object](pause func(obj T) time.Duration) Option[T] {
	return func(r *withStatus[T]) { r.rest = pause }
}

// WithFinalizer has objects worked on that are being deleted, for as long as they
// have a finalizer. Without it, what they own goes with them by owner references.
func WithFinalizer[T Object](name string) Option[T] {
	return func(r *withStatus[T]) { r.finalizer = name }
}

// WithClock replaces the clock, for tests.
func WithClock[T Object](c clock.PassiveClock) Option[T] {
	return func(r *withStatus[T]) { r.pacer.clock = c }
}

// WithStatus makes a reconciler of one that is given its object and returns its
// state as an error: nil and Ready are that it is ready, NotReady and Terminal say
// what is missing, anything else is tried again.
func WithStatus[T Object](c client.Client, recorder events.EventRecorder, inner reconcile.ObjectReconciler[T], options ...Option[T]) reconcile.Reconciler {
	r := &withStatus[T]{client: c, events: recorder, inner: inner, pacer: newPacer[T](clock.RealClock{})}
	for _, option := range options {
		option(r)
	}
	return r
}

// Reconcile makes one pass over the object named by the request.
func (r *withStatus[T]) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var none T
	obj, ok := reflect.New(reflect.TypeOf(none).Elem()).Interface().(T)
	if !ok {
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("%T is no pointer to a kind", none))
	}
	if wait := r.pacer.resting(req.NamespacedName); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	err := r.client.Get(ctx, req.NamespacedName, obj)
	if err != nil || !obj.GetDeletionTimestamp().IsZero() && !controllerutil.ContainsFinalizer(obj, r.finalizer) {
		r.pacer.forget(req.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.pacer.old(obj) {
		return reconcile.Result{}, nil
	}
	first, missed := r.pacer.unwritten(obj)
	if missed {
		return reconcile.Result{RequeueAfter: time.Millisecond}, r.catchUp(ctx, first)
	}
	before, _ := obj.DeepCopyObject().(T)
	if kind, ok := any(obj).(progressing[T]); ok && first != nil {
		// What was decided then holds.
		kind.TakeStatus(first.after)
	}
	result, err := r.inner.Reconcile(ctx, obj)
	if apierrors.IsConflict(err) {
		// Somebody was faster: what we saw is old.
		return reconcile.Result{RequeueAfter: conflictPause}, nil
	}
	var unknown *Unknown
	if errors.As(err, &unknown) {
		return reconcile.Result{RequeueAfter: unknown.After}, nil
	}
	result, err = settle(obj, result, err)
	written := r.report(ctx, req, &result, err, &change[T]{before, obj})
	if apierrors.IsConflict(written) && err == nil {
		return reconcile.Result{RequeueAfter: conflictPause}, nil
	}
	return result, errors.Join(err, written)
}

// report writes the status, or sees to it that it is written soon.
func (r *withStatus[T]) report(ctx context.Context, req reconcile.Request, result *reconcile.Result, failed error, c *change[T]) error {
	defer func() {
		if r.rest == nil {
			return
		}
		if pause := r.rest(c.after); pause > 0 {
			r.pacer.rest(req.NamespacedName, pause)
		}
	}()
	if equality.Semantic.DeepEqual(c.before, c.after) {
		if failed == nil && meta.FindStatusCondition(c.after.GetConditions(), v1alpha1.ConditionReconciling) == nil {
			r.pacer.forget(req.NamespacedName)
		}
		return nil
	}
	if failed == nil {
		if wait := r.pacer.wait(req.NamespacedName, c); wait > 0 {
			if result.RequeueAfter == 0 || wait < result.RequeueAfter {
				result.RequeueAfter = wait
			}
			return nil
		}
	}
	return r.write(ctx, c.before, c.after)
}

// catchUp writes the first status of an object that was still to be written
// when somebody changed the object: what it was must not be lost. The next pass
// does not wait for the write to be seen, for it may change nothing: a status
// that was written, and taken for one that was not.
func (r *withStatus[T]) catchUp(ctx context.Context, missed *change[T]) error {
	err := r.client.Status().Patch(ctx, missed.after, client.MergeFrom(missed.before))
	switch {
	case apierrors.IsNotFound(err):
		r.pacer.wentAway(missed.after)
	case err != nil:
		return fmt.Errorf("patch status: %w", err)
	default:
		r.pacer.wrote(missed.after)
	}
	return nil
}

// settle folds the outcome of a pass into the conditions of the object.
func settle(obj Object, result reconcile.Result, err error) (reconcile.Result, error) {
	var notReady *NotReady
	var terminal *Terminal
	var ready *Ready
	s := states{obj: obj, conditions: obj.GetConditions()}
	switch {
	case err == nil:
		s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable, "")
		s.only("")
	case errors.As(err, &ready):
		s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, ready.Reason, ready.Message)
		s.only("")
		err = nil
	case errors.As(err, &notReady):
		if notReady.Serving {
			s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable, notReady.Message)
		} else {
			s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, notReady.Reason, notReady.Message)
		}
		s.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, notReady.Reason, notReady.Message)
		s.only(v1alpha1.ConditionReconciling)
		if notReady.After > 0 && (result.RequeueAfter == 0 || notReady.After < result.RequeueAfter) {
			result.RequeueAfter = notReady.After
		}
		err = nil
	case errors.As(err, &terminal):
		switch {
		case terminal.Available:
			s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable, "")
		case !terminal.Serving:
			s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, terminal.Reason, terminal.Message)
		}
		s.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, terminal.Reason, terminal.Message)
		s.only(v1alpha1.ConditionStalled)
		err = nil
	default:
		// What was known before stands; nothing was if it is the default of the definition.
		if ready := meta.FindStatusCondition(s.conditions, v1alpha1.ConditionReady); ready == nil || ready.Status == metav1.ConditionUnknown {
			s.set(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonError, err.Error())
		}
		s.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonError, err.Error())
		s.only(v1alpha1.ConditionReconciling)
	}
	obj.SetConditions(s.conditions)
	obj.SetObservedGeneration(obj.GetGeneration())
	return result, err
}

// states sets conditions at the generation of an object.
type states struct {
	obj        Object
	conditions []metav1.Condition
}

func (s *states) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: Shorten(message), ObservedGeneration: s.obj.GetGeneration(),
	})
}

// only removes Reconciling and Stalled, but for the one named: they are there
// only while they are true.
func (s *states) only(kind string) {
	for _, other := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if other != kind {
			meta.RemoveStatusCondition(&s.conditions, other)
		}
	}
}

// write patches the status, and tells of a change for the worse.
func (r *withStatus[T]) write(ctx context.Context, before, after T) error {
	// The lock keeps a pass that saw an old object from undoing what a later one wrote.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	old := before.GetConditions()
	if err := r.client.Status().Patch(ctx, after, patch); err != nil {
		if apierrors.IsNotFound(err) {
			r.pacer.wentAway(after)
			return nil
		}
		return fmt.Errorf("patch status: %w", err)
	}
	r.pacer.wrote(after)
	r.tell(after, old)
	return nil
}

// tell records an event when an object stalls or is not ready any more. That
// all goes well is no event: conditions say so.
func (r *withStatus[T]) tell(obj T, old []metav1.Condition) {
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(obj.GetConditions(), kind)
		was := meta.FindStatusCondition(old, kind)
		stalled := kind == v1alpha1.ConditionStalled && c != nil && (was == nil || was.Message != c.Message)
		lost := kind == v1alpha1.ConditionReady && c != nil && c.Status == metav1.ConditionFalse && was != nil && was.Status == metav1.ConditionTrue
		if stalled || lost {
			r.events.Eventf(obj, nil, corev1.EventTypeWarning, c.Reason, "Reconcile", "%s", c.Message)
			return
		}
	}
}

// Shorten keeps a message within 1024 bytes, which is comfortable in a condition
// and what messages of a status may have.
func Shorten(message string) string {
	const limit = 1024
	if len(message) <= limit {
		return message
	}
	cut := limit - len("…")
	for cut > 0 && message[cut]&0xC0 == 0x80 {
		cut--
	}
	return message[:cut] + "…"
}
