// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package quotas lets pods in, in order, as far as the Quotas of their groups
// allow. A policy gives every pod of a governed namespace a scheduling gate when it
// is made; here the gate is taken away. Pods are the only ledger there is: one with
// the gate waits, one without it counts until it is gone. Nothing that runs is
// ever stopped.
package quotas

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/podcache"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=quotas,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kdcos.io,resources=quotas/status,verbs=patch
// +kubebuilder:rbac:groups=kdcos.io,resources=nodepools;apps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// batch is how many pods are let in before we look again: a limit may have been
// lowered meanwhile.
const batch = 256

// conflictPause is when a Quota is looked at again that could not be changed: a busy
// API server says so, too, of what nobody has changed.
const conflictPause = time.Second

// figuresSeen are what a status says beside conditions.
type figuresSeen = v1alpha1.QuotaStatus

// Reconciler lets pods in.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Pods are all there are.
	Pods *podcache.Pods
	// Apply takes gates away and removes pods.
	Apply *apply.Applier
	// Events tells of what changed for the worse.
	Events events.EventRecorder
	// GPUResource is the operator's.
	GPUResource string
	// Clock tells the time.
	Clock clock.PassiveClock

	// watcher wakes the lines by pods, told the status of Quotas by lines.
	watcher *podcache.Watcher
	told    chan event.GenericEvent

	mu    sync.Mutex
	books map[string]*book
}

// bookOf is what is remembered of a namespace.
func (r *Reconciler) bookOf(namespace string) *book {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.books[namespace] == nil {
		r.books[namespace] = newBook()
	}
	return r.books[namespace]
}

// serve makes a pass over the line of a namespace. The gate needs no manager, so
// pods that wait in a namespace whose last Quota is gone are let in, too.
func (r *Reconciler) serve(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	namespace, began := request.Name, r.Clock.Now()
	quotas, err := r.quotasOf(ctx, namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	conflicts, err := r.hold(ctx, quotas)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.watcher.Watch(ctx); err != nil {
		return reconcile.Result{}, err
	}
	b := r.bookOf(namespace)
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := r.look(ctx, namespace, quotas, b)
	if errors.Is(err, podcache.ErrSyncing) {
		return reconcile.Result{RequeueAfter: podcache.RetryAfter}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	p := makePlan(s)
	b.credits = p.credits
	if err := r.act(ctx, namespace, p, b); err != nil {
		return reconcile.Result{}, err
	}
	r.tell(ctx, quotas, p, b)
	passTime.Observe(r.Clock.Since(began).Seconds())
	if len(quotas) == 0 && len(p.release) == 0 && len(b.let) == 0 {
		r.close(namespace)
	}
	after := next(p, s.now)
	if conflicts && (after == 0 || after > conflictPause) {
		after = conflictPause
	}
	return reconcile.Result{RequeueAfter: after}, nil
}

func next(p *plan, now time.Time) time.Duration {
	switch {
	case len(p.release) > batch:
		return time.Millisecond
	case p.again.IsZero():
		return 0
	}
	// A moment later, so that it is over then.
	return max(p.again.Sub(now), 0) + 10*time.Millisecond
}

// close forgets a namespace.
func (r *Reconciler) close(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.books, namespace)
}

// hold keeps Quotas until nothing waits for them, when somebody deletes them. It
// says whether there were conflicts.
func (r *Reconciler) hold(ctx context.Context, quotas []*v1alpha1.Quota) (conflicts bool, err error) {
	for _, q := range quotas {
		if !q.DeletionTimestamp.IsZero() || controllerutil.ContainsFinalizer(q, v1alpha1.QuotaFinalizer) {
			continue
		}
		held := q.DeepCopy()
		controllerutil.AddFinalizer(held, v1alpha1.QuotaFinalizer)
		err := r.Apply.Update(ctx, q, held)
		if err != nil && !apierrors.IsConflict(err) {
			return false, fmt.Errorf("keep quota: %w", err)
		}
		conflicts = conflicts || err != nil
	}
	return conflicts, nil
}

// tell has the status of Quotas written whose figures have changed.
func (r *Reconciler) tell(ctx context.Context, quotas []*v1alpha1.Quota, p *plan, b *book) {
	of := map[string]*line{}
	for _, l := range p.lines {
		of[l.quota.name] = l
	}
	for _, q := range quotas {
		if l := of[q.Name]; l != nil {
			figures := figuresOf(l)
			if equality.Semantic.DeepEqual(b.told[q.Name], figures) {
				continue
			}
			b.told[q.Name] = figures
		}
		select {
		case r.told <- event.GenericEvent{Object: &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: q.Name, Finalizers: []string{v1alpha1.QuotaFinalizer}}}}:
		case <-ctx.Done():
		}
	}
}

// Reconcile makes a pass over a Quota: it says what is seen of its line.
func (r *Reconciler) Reconcile(ctx context.Context, q *v1alpha1.Quota) (reconcile.Result, error) {
	namespace, _ := v1alpha1.ScopeOfQuota(q.Name)
	quotas, err := r.quotasOf(ctx, namespace)
	if err != nil {
		return reconcile.Result{}, err
	}
	b := r.bookOf(namespace)
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := r.look(ctx, namespace, quotas, b)
	if errors.Is(err, podcache.ErrSyncing) {
		return reconcile.Result{RequeueAfter: podcache.RetryAfter}, counting(q)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	p := makePlan(s)
	if !q.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, r.letGo(ctx, q, keptBy(q, s, p))
	}
	for _, l := range p.lines {
		if l.quota.name != q.Name {
			continue
		}
		measure(q, l)
		before := q.Status.Conditions
		state := setStatus(q, l)
		r.announce(q, before)
		return reconcile.Result{}, state
	}
	return reconcile.Result{}, fmt.Errorf("the cache does not know quota %s", q.Name)
}

// letGo lets a Quota go that was deleted, once nothing waits that only it kept:
// all the pods that no other Quota is above are being let in. An API server learns
// of the deletion with a delay, and gives pods the gate until then.
func (r *Reconciler) letGo(ctx context.Context, q *v1alpha1.Quota, n int) error {
	wait := propagation - r.Clock.Since(q.DeletionTimestamp.Time)
	if n > 0 || wait > 0 {
		return releasing(n, max(wait, time.Second))
	}
	free := q.DeepCopy()
	controllerutil.RemoveFinalizer(free, v1alpha1.QuotaFinalizer)
	if err := r.Apply.Update(ctx, q, free); err != nil {
		return fmt.Errorf("let quota go: %w", err)
	}
	forget(q.Name)
	return releasing(0, 0)
}

// announce tells of conditions that have come about.
func (r *Reconciler) announce(q *v1alpha1.Quota, before []metav1.Condition) {
	was := map[string]bool{}
	for _, c := range before {
		was[c.Type] = true
	}
	for _, kind := range []string{v1alpha1.ConditionQuotaExceeded, v1alpha1.ConditionQuotaUnsatisfiable, v1alpha1.ConditionQuotaBypassed} {
		for _, c := range q.Status.Conditions {
			if c.Type == kind && !was[kind] {
				r.Events.Eventf(q, nil, corev1.EventTypeWarning, kind, "Reconcile", "%s", c.Message)
			}
		}
	}
}
