// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The owners of fields that this program writes. Restart and rollback have
// their own: the annotation of a restart must outlive an apply, which takes
// away what its manager set before and sets no more.
const (
	fieldManager           = "kubectl-kdcos"
	fieldManagerRestart    = "kubectl-kdcos-restart"
	fieldManagerRollback   = "kubectl-kdcos-rollback"
	fieldManagerRollout    = "kubectl-kdcos-rollout"
	fieldManagerResetDelay = "kubectl-kdcos-reset-delay"
	fieldManagerRun        = "kubectl-kdcos-run"
	fieldManagerStop       = "kubectl-kdcos-stop"

	fieldManagerMaintenance = "kubectl-kdcos-maintenance"
)

// applier applies Apps and Jobs by server-side apply.
type applier struct {
	cluster          *cluster
	manager          string
	force            bool
	createNamespaces bool
	dryRun           cmdutil.DryRunStrategy
	// created are the namespaces that were made, or would have been.
	created sets.Set[string]
}

// applied is what became of an object.
type applied struct {
	object    *unstructured.Unstructured
	operation string
	// namespaceCreated says that its namespace is new.
	namespaceCreated bool
	// unchecked says that a dry run could not ask the server.
	unchecked bool
}

func (a *applier) apply(ctx context.Context, object *unstructured.Unstructured) (applied, error) {
	if err := a.place(object); err != nil {
		return applied{}, err
	}
	if a.dryRun == cmdutil.DryRunClient {
		return applied{object: object, operation: "applied"}, nil
	}
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(object.GroupVersionKind())
	err := a.cluster.client.Get(ctx, keyOf(object), before)
	switch {
	case apierrors.IsNotFound(err) && !isKindMissing(err):
		before = nil
	case err != nil:
		return applied{}, err
	default:
		if err := a.adoptRollback(ctx, before); err != nil {
			return applied{}, err
		}
	}
	result := applied{}
	result.object, err = a.patch(ctx, object, before)
	if isNamespaceMissing(err) {
		if !a.createNamespaces {
			return result, fmt.Errorf("the namespace %q does not exist: create it, or use --create-namespaces", object.GetNamespace())
		}
		if result.namespaceCreated, err = a.createNamespace(ctx, object.GetNamespace()); err != nil {
			return result, err
		}
		if a.dryRun == cmdutil.DryRunServer {
			result.object, result.operation, result.unchecked = object, "created", true
			return result, nil
		}
		result.object, err = a.patch(ctx, object, before)
	}
	if err != nil {
		return result, err
	}
	result.operation = operation(before, result.object)
	return result, nil
}

// place puts an object without a namespace into the current one.
func (a *applier) place(object *unstructured.Unstructured) error {
	switch namespace := object.GetNamespace(); {
	case namespace == "":
		object.SetNamespace(a.cluster.namespace)
	case a.cluster.chosen && namespace != a.cluster.namespace:
		return fmt.Errorf("the namespace from the provided object %q does not match the namespace %q: you must pass '--namespace=%s' to perform this operation",
			namespace, a.cluster.namespace, namespace)
	}
	return nil
}

// patch sends the object. A dry run can't adopt the fields of a rollback, so it
// takes them by force.
func (a *applier) patch(ctx context.Context, object, before *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	answer, err := a.send(ctx, object, a.force)
	if apierrors.IsConflict(err) && a.dryRun == cmdutil.DryRunServer && before != nil && onlyRollbackConflicts(err) {
		answer, err = a.send(ctx, object, true)
	}
	if apierrors.IsConflict(err) {
		return nil, &conflictError{err}
	}
	return answer, err
}

func (a *applier) send(ctx context.Context, object *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", object.GetKind(), err)
	}
	options := []client.PatchOption{client.FieldOwner(a.manager), client.FieldValidation(metav1.FieldValidationStrict)}
	if force {
		options = append(options, client.ForceOwnership)
	}
	if a.dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	answer := object.DeepCopy()
	return answer, a.cluster.client.Patch(ctx, answer, client.RawPatch(types.ApplyPatchType, raw), options...)
}

// adoptRollback makes the fields that a rollback has set those of the
// applying manager. Otherwise each apply after a rollback would conflict with
// it, and fields that the rollback brought back would stay for ever.
func (a *applier) adoptRollback(ctx context.Context, before *unstructured.Unstructured) error {
	if a.dryRun != cmdutil.DryRunNone {
		return nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(before, sets.New(fieldManagerRollback), a.manager)
	if err != nil || patch == nil {
		return err
	}
	// The patch names the version it was made of; to be too late is a conflict
	// that a second run does not have.
	return a.cluster.client.Patch(ctx, before.DeepCopy(), client.RawPatch(types.JSONPatchType, patch))
}

func (a *applier) createNamespace(ctx context.Context, name string) (created bool, err error) {
	if a.created.Has(name) {
		return false, nil // by a dry run
	}
	options := []client.CreateOption{client.FieldOwner(a.manager)}
	if a.dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	err = a.cluster.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, options...)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return false, err
	}
	a.created = a.created.Insert(name)
	return err == nil, nil
}

// operation says what apply did, in kubectl's words.
func operation(before, after *unstructured.Unstructured) string {
	switch {
	case before == nil:
		return "created"
	case equality.Semantic.DeepEqual(content(before), content(after)):
		return "unchanged"
	}
	return "configured"
}

// content is what of an object is the user's.
func content(object *unstructured.Unstructured) map[string]any {
	c := object.DeepCopy()
	trim(c)
	return c.Object
}

func keyOf(object *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// isNamespaceMissing tells a missing namespace from a missing object.
func isNamespaceMissing(err error) bool {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsNotFound(status) {
		return false
	}
	return status.ErrStatus.Details != nil && status.ErrStatus.Details.Kind == "namespaces"
}

// conflictError says how to get around a conflict.
type conflictError struct{ error }

func (e *conflictError) Unwrap() error { return e.error }

func (e *conflictError) reasons() []string {
	all := reasons(e.error)
	return append(all, "these fields are managed by others: leave them out of the file, or use --force-conflicts to take them over")
}

func onlyRollbackConflicts(err error) bool {
	for _, reason := range reasons(err) {
		if !strings.Contains(reason, fmt.Sprintf("%q", fieldManagerRollback)) {
			return false
		}
	}
	return true
}
