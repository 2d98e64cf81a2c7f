// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
)

// outcome is what became of the wish to let a pod in.
type outcome int

const (
	untried outcome = iota
	// letIn: the gate is away.
	letIn
	// refused: it is still there, or the pod is gone.
	refused
	// unknown: nobody can tell. The pod counts, and we try again.
	unknown
)

// act does what a plan says, as much as a pass may.
func (r *Reconciler) act(ctx context.Context, namespace string, p *plan, b *book) error {
	release := p.release[:min(len(p.release), batch)]
	outcomes := make([]outcome, len(release))
	err := apply.Each(len(release), func(i int) error {
		var err error
		outcomes[i], err = r.letIn(ctx, namespace, release[i])
		return err
	})
	for i, pod := range release {
		switch outcomes[i] {
		case letIn:
			b.admit(pod, true)
		case unknown:
			b.admit(pod, false)
		case refused:
			delete(b.let, pod.uid)
		case untried:
		}
	}
	if err != nil {
		return fmt.Errorf("let pods in: %w", err)
	}
	for _, pod := range p.sendBack {
		if err := r.remove(ctx, namespace, pod, b); err != nil {
			return err
		}
	}
	return nil
}

// letIn takes the gate from a pod, and says so on it.
func (r *Reconciler) letIn(ctx context.Context, namespace string, pod *pod) (outcome, error) {
	now := r.Clock.Now()
	done, err := r.Apply.Ungate(ctx, types.NamespacedName{Namespace: namespace, Name: pod.name}, pod.uid,
		v1alpha1.QuotaGate, v1alpha1.QuotaReleasedAtAnnotation, now.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	var status apierrors.APIStatus
	switch {
	case done:
		waited.Observe(now.Sub(pod.created).Seconds())
		log.FromContext(ctx).V(1).Info("let in", "pod", pod.name, "waited", now.Sub(pod.since).Round(time.Second).String())
		return letIn, nil
	case err == nil:
		return refused, nil
	case errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500:
		return refused, err
	}
	return unknown, err
}

// remove deletes a pod that no node takes. Its App makes another one, which waits.
func (r *Reconciler) remove(ctx context.Context, namespace string, pod *pod, b *book) error {
	log.FromContext(ctx).Info("no node takes a pod that was let in: it waits again", "pod", pod.name, "owner", pod.ownerName)
	obj := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod.name, UID: pod.uid}}
	b.removed[pod.uid], b.sentBack[pod.owner] = true, r.Clock.Now()
	if err := r.Apply.Delete(ctx, obj); err != nil {
		delete(b.removed, pod.uid)
		return fmt.Errorf("send pod back: %w", err)
	}
	sentBack.Inc()
	return nil
}
