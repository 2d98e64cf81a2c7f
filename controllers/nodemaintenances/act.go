// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
)

// act does what a step says.
func (r *Reconciler) act(ctx context.Context, seen *observed, s *step) error {
	for _, node := range s.keepOut {
		if err := r.mark(ctx, node, banned()); err != nil {
			return err
		}
	}
	if s.marks != nil {
		if err := r.mark(ctx, seen.node, *s.marks); err != nil {
			return err
		}
	}
	if err := errors.Join(r.evict(ctx, s), r.remove(ctx, s)); err != nil {
		return err
	}
	if s.giveUp {
		return r.giveUp(ctx, seen)
	}
	return nil
}

// mark writes what is to be seen by on a node.
func (r *Reconciler) mark(ctx context.Context, node *corev1.Node, k marks) error {
	wanted := k.on(node)
	if wanted == nil {
		return nil
	}
	log.FromContext(ctx).Info("mark", "node", node.Name, "state", k.state, "unschedulable", wanted.Spec.Unschedulable)
	if err := r.Apply.Update(ctx, node, wanted); err != nil {
		return fmt.Errorf("patch node: %w", err)
	}
	return nil
}

// evict asks for pods, and notes of which it is refused.
func (r *Reconciler) evict(ctx context.Context, s *step) error {
	refused, errs := make([]string, len(s.evict)), make([]error, len(s.evict))
	err := apply.Each(len(s.evict), func(i int) error {
		pod := s.evict[i]
		err := r.Apply.Evict(ctx, pod, s.grace.grace(pod))
		if why := refusal(err); why != "" {
			refused[i] = why
			evictions.WithLabelValues("refused").Inc()
			return nil
		}
		if err != nil {
			errs[i] = fmt.Errorf("evict pod: %w", err)
			return nil
		}
		log.FromContext(ctx).V(1).Info("evict", "namespace", pod.Namespace, "pod", pod.Name)
		evictions.WithLabelValues("evicted").Inc()
		return nil
	})
	for i, why := range refused {
		if why != "" {
			s.blocked[s.evict[i].Namespace+"/"+s.evict[i].Name] = why
		}
	}
	return errors.Join(append(errs, err)...)
}

// refusal says why an eviction may be granted later, "" if it is no matter of that.
func refusal(err error) string {
	cause, budget := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause)
	switch {
	case budget:
		return cause.Message
	case apierrors.IsTooManyRequests(err), apierrors.IsInternalError(err), apierrors.IsForbidden(err):
		// More than one budget is an internal error to Kubernetes.
		return err.Error()
	}
	return ""
}

// remove stops pods without asking.
func (r *Reconciler) remove(ctx context.Context, s *step) error {
	errs := make([]error, len(s.remove))
	err := apply.Each(len(s.remove), func(i int) error {
		pod := s.remove[i]
		var options []client.DeleteOption
		if grace := s.grace.grace(pod); grace != nil {
			options = append(options, client.GracePeriodSeconds(*grace))
		}
		log.FromContext(ctx).V(1).Info("delete", "namespace", pod.Namespace, "pod", pod.Name)
		if err := r.Apply.Delete(ctx, pod.DeepCopy(), options...); err != nil {
			errs[i] = fmt.Errorf("delete pod: %w", err)
			return nil
		}
		evictions.WithLabelValues("deleted").Inc()
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// giveUp drops what Apps have stored on a node, so that their instances start
// elsewhere, and then the node itself.
func (r *Reconciler) giveUp(ctx context.Context, seen *observed) error {
	host := seen.m.Name
	if seen.node != nil && seen.node.Labels[corev1.LabelHostname] != "" {
		host = seen.node.Labels[corev1.LabelHostname]
	}
	var volumes corev1.PersistentVolumeList
	if err := r.Live.List(ctx, &volumes); err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	for i := range volumes.Items {
		v := &volumes.Items[i]
		if v.Spec.ClaimRef == nil || !local(v, host) {
			continue
		}
		if err := r.forget(ctx, v); err != nil {
			return err
		}
	}
	if seen.node == nil {
		return nil
	}
	log.FromContext(ctx).Info("give up", "node", seen.node.Name)
	if err := r.Apply.Delete(ctx, seen.node.DeepCopy()); err != nil {
		return fmt.Errorf("delete node: %w", err)
	}
	return nil
}

// forget deletes the claim of a volume, if an App made it.
func (r *Reconciler) forget(ctx context.Context, volume *corev1.PersistentVolume) error {
	ref := volume.Spec.ClaimRef
	claim := &corev1.PersistentVolumeClaim{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, claim)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get claim: %w", err)
	}
	owner := metav1.GetControllerOfNoCopy(claim)
	if err != nil || claim.UID != ref.UID || claim.DeletionTimestamp != nil ||
		owner == nil || owner.Kind != "App" || owner.APIVersion != v1alpha1.GroupVersion.String() {
		return nil
	}
	log.FromContext(ctx).Info("drop volume", "namespace", claim.Namespace, "claim", claim.Name)
	if err := r.Apply.Delete(ctx, claim); err != nil {
		return fmt.Errorf("delete claim: %w", err)
	}
	return nil
}
