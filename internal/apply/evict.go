// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Evict asks for the very pod that was seen to be stopped, which its disruption
// budget may refuse: the error is TooManyRequests then. It has so many seconds to
// end, or as many as it asks for itself. That it is gone already is no error.
func (a *Applier) Evict(ctx context.Context, pod *corev1.Pod, graceSeconds *int64) error {
	uid := pod.UID
	err := a.client.SubResource("eviction").Create(ctx, pod.DeepCopy(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{
			GracePeriodSeconds: graceSeconds, Preconditions: &metav1.Preconditions{UID: &uid},
		},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) && a.gone(ctx, pod) {
		return nil
	}
	return err
}
