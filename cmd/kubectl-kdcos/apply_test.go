// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// inNamespaces answers as an API server does where a namespace is missing,
// which the fake has no notion of.
func inNamespaces(names ...string) interceptor.Funcs {
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if _, ok := o.(*corev1.Namespace); ok && !isDryRun(opts) {
				there[o.GetName()] = true
			}
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if !there[o.GetNamespace()] {
				return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, o.GetNamespace())
			}
			return c.Patch(ctx, o, p, opts...)
		},
	}
}

func isDryRun(opts []client.CreateOption) bool {
	o := client.CreateOptions{}
	o.ApplyOptions(opts)
	return len(o.DryRun) > 0
}

// TestApply applies files, one command line after the other.
func TestApply(t *testing.T) {
	const in = "testdata/convert/in/"
	s := newSessionWith(t, inNamespaces("default", "prod"))
	text := ""
	for _, args := range [][]string{
		{"-f", in + "hello.json", "--dry-run=client"},
		{"-f", in + "hello.json", "--dry-run=server"},
		{"-f", in + "hello.json"},
		{"-f", in + "hello.json"},
		{"-f", in + "hello.json", "-o", "name"},
		{"-f", in + "hello.json", "-n", "prod"},
		{"-f", in + "group.json"},
		{"-f", in + "group.json", "--create-namespaces", "--dry-run=server"},
		{"-f", in + "group.json", "--create-namespaces"},
		{"-f", in + "nested/mixed.yaml", "-n", "prod"},
		{"-f", in + "hello.json", "--base", "prod"},
		{"-f", in + "hello.json", "--dry-run=some"},
		{"-f", in + "hello.json", "-o", "wide"},
		{},
	} {
		text += s.transcript(append([]string{"apply"}, args...)...) + "\n"
	}
	golden(t, "apply.txt", text)
}

// TestApplyWritesShortObjects owns what the file says, and nothing else.
func TestApplyWritesShortObjects(t *testing.T) {
	s := newSessionWith(t, inNamespaces("default"))
	s.in = `{"id": "/x", "cmd": "sleep 1", "container": {"type": "DOCKER", "docker": {"image": "busybox"}}}`
	if code := s.run("apply", "-f", "-"); code != 0 {
		t.Fatal(s.err)
	}
	got := &unstructured.Unstructured{}
	got.SetGroupVersionKind(appKind)
	must(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "x"}, got))
	want := map[string]any{"cmd": "sleep 1", "container": map[string]any{"docker": map[string]any{"image": "busybox"}}}
	if diff := cmp.Diff(want, got.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	for _, entry := range got.GetManagedFields() {
		if entry.Manager != fieldManager || entry.Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("fields are owned by %s (%s)", entry.Manager, entry.Operation)
		}
	}
}

// TestApplyErrors tells what the server says, and goes on.
func TestApplyErrors(t *testing.T) {
	apps := schema.GroupResource{Group: "kdcos.io", Resource: "apps"}
	answers := map[string]error{
		"forbidden": apierrors.NewForbidden(apps, "forbidden", errText(`User "jane" cannot patch resource "apps"`)),
		"invalid": &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Message: "all at once", Details: &metav1.StatusDetails{
			Kind: "App", Name: "invalid", Causes: []metav1.StatusCause{
				{Field: "spec.cpus", Message: "Invalid value: -1"}, {Field: "spec", Message: "Invalid value: cmd and args exclude each other"}, {Field: "spec.cpus", Message: "Invalid value: -1"},
			},
		}}},
		"conflict": &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonConflict, Message: "all at once", Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.instances", Message: `conflict with "kubectl" using kdcos.io/v1alpha1`}},
		}}},
		"terminating": apierrors.NewForbidden(apps, "terminating", errText("unable to create new content in namespace x because it is being terminated")),
		"nokind": &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource", Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: metav1.CauseTypeUnexpectedServerResponse, Message: "404 page not found"}},
		}}},
	}
	s := newSessionWith(t, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := answers[o.GetName()]; err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
	})
	var definitions []string
	for _, id := range []string{"forbidden", "invalid", "conflict", "terminating", "nokind", "good"} {
		definitions = append(definitions, `{"id":"`+id+`","cmd":"sleep 1"}`)
	}
	s.in = "[" + strings.Join(definitions, ",") + "]"
	golden(t, "apply-errors.txt", s.transcript("apply", "-f", "-"))
}

// TestApplyWaits waits for those that were applied, and tells how it ends.
func TestApplyWaits(t *testing.T) {
	states := map[string]map[string]any{
		"good":  condition("Ready", "True", "Available", ""),
		"stuck": condition("Stalled", "True", "Unsupported", "spec.fetch: fetching files is not supported"),
		"slow":  condition("Reconciling", "True", "Deploying", "0 of 1 instances run"),
	}
	s := newSessionWith(t, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, o, opts...); err != nil {
				return err
			}
			o.(*unstructured.Unstructured).Object["status"] = map[string]any{
				"observedGeneration": o.GetGeneration(), "conditions": []any{states[key.Name]},
			}
			return nil
		},
	})
	s.in = `[{"id":"good","cmd":"sleep 1"},{"id":"stuck","cmd":"sleep 1"},{"id":"slow","cmd":"sleep 1"}]`
	text := s.transcript("apply", "-f", "-", "--wait", "--timeout", "500ms") + "\n"
	text += s.transcript("apply", "-f", "-", "--wait", "--timeout", "500ms", "-o", "name")
	golden(t, "apply-wait.txt", text)
}

func condition(kind, status, reason, message string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-03-01T11:00:00Z"}
}

type errText string

func (e errText) Error() string { return string(e) }
