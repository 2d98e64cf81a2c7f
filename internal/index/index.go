// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index holds the field indexes of the cache and the queries that use
// them, so that no read of a pass goes through all objects of a kind.
package index

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const controllerUID = "metadata.controllerUID"

// Register adds the indexes to the cache.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &corev1.Pod{}, controllerUID, func(obj client.Object) []string {
		if owner := metav1.GetControllerOfNoCopy(obj); owner != nil {
			return []string{string(owner.UID)}
		}
		return nil
	})
}

// ControlledBy selects the pods that owner controls.
func ControlledBy(owner client.Object) client.ListOption {
	return client.MatchingFields{controllerUID: string(owner.GetUID())}
}
