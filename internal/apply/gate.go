// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Ungate takes a scheduling gate from a pod, the very pod that was seen, and
// writes an annotation on it. It is not done where the pod is gone.
func (a *Applier) Ungate(ctx context.Context, pod types.NamespacedName, uid types.UID, gate, annotation, value string) (done bool, err error) {
	// The uid is a precondition, and gates are merged by their name.
	raw, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": uid, "annotations": map[string]string{annotation: value}},
		"spec":     map[string]any{"schedulingGates": []map[string]string{{"$patch": "delete", "name": gate}}},
	})
	if err != nil {
		return false, fmt.Errorf("encode patch: %w", err)
	}
	// The answer is read into it.
	obj := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = a.client.Patch(ctx, obj, client.RawPatch(types.StrategicMergePatchType, raw))
	seen := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: uid}}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) && a.gone(ctx, seen) {
		return false, nil
	}
	return err == nil, err
}
