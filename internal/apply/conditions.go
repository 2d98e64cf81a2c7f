// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Conditions writes conditions of a pod, the very pod that was seen, beside
// those that the kubelet writes. That the pod is gone is no error.
func (a *Applier) Conditions(ctx context.Context, pod *corev1.Pod, conditions []corev1.PodCondition) error {
	// The uid is a precondition, and conditions are merged by their type.
	raw, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   map[string]any{"conditions": conditions},
	})
	if err != nil {
		return fmt.Errorf("encode conditions: %w", err)
	}
	err = a.client.Status().Patch(ctx, pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, raw))
	if apierrors.IsConflict(err) && a.gone(ctx, pod) {
		return nil
	}
	return client.IgnoreNotFound(err)
}
