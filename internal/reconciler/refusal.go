// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
)

// RefusedRetry is when what the API server refused is tried again: a quota or a
// policy of the namespace may have changed.
const RefusedRetry = 30 * time.Second

// Refusal tells an answer of the API server to a write that only somebody else
// can change, which is NotReady, from one that a further try may.
func Refusal(err error, doing string) error {
	var conflict *apply.NameConflictError
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &conflict):
		return &NotReady{Reason: v1alpha1.ReasonNameConflict, Message: err.Error(), After: RefusedRetry}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return err
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		message := err.Error()
		if errors.As(err, &status) && status.Status().Details != nil {
			// The name of what was made says nothing and changes.
			message = strings.ReplaceAll(message, fmt.Sprintf("%q ", status.Status().Details.Name), "")
		}
		return &NotReady{Reason: v1alpha1.ReasonRefused, Message: message, After: RefusedRetry}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
