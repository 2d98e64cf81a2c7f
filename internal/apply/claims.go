// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Grow asks for a claim to become larger, the very claim that was seen. That it
// is gone is no error.
func (a *Applier) Grow(ctx context.Context, claim *corev1.PersistentVolumeClaim, size resource.Quantity) error {
	raw, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": claim.UID},
		"spec":     map[string]any{"resources": map[string]any{"requests": corev1.ResourceList{corev1.ResourceStorage: size}}},
	})
	if err != nil {
		return fmt.Errorf("encode size: %w", err)
	}
	err = a.client.Patch(ctx, claim.DeepCopy(), client.RawPatch(types.MergePatchType, raw))
	if apierrors.IsConflict(err) && a.gone(ctx, claim) {
		return nil
	}
	return client.IgnoreNotFound(err)
}
