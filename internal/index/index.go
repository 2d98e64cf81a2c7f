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

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

const (
	controllerUID = "metadata.controllerUID"
	matches       = "spec.matches"
)

// Register adds the indexes to the cache.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.Pod{}, controllerUID, func(obj client.Object) []string {
		if owner := metav1.GetControllerOfNoCopy(obj); owner != nil {
			return []string{string(owner.UID)}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &v1alpha1.App{}, matches, func(obj client.Object) []string {
		app, ok := obj.(*v1alpha1.App)
		return yes(ok && len(workload.Matches(&app.Spec)) > 0)
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &corev1.Pod{}, matches, func(obj client.Object) []string {
		pod, ok := obj.(*corev1.Pod)
		return yes(ok && len(workload.MatchLabels(pod.Spec.Affinity)) > 0)
	})
}

func yes(is bool) []string {
	if is {
		return []string{"true"}
	}
	return nil
}

// WithMatches selects the Apps that have matches, and the pods that ask for
// labels of such.
func WithMatches() client.ListOption { return client.MatchingFields{matches: "true"} }

// ControlledBy selects the pods that owner controls.
func ControlledBy(owner client.Object) client.ListOption {
	return client.MatchingFields{controllerUID: string(owner.GetUID())}
}
