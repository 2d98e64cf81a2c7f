// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func (s *session) app(namespace, name string) *unstructured.Unstructured {
	s.t.Helper()
	app := &unstructured.Unstructured{}
	app.SetGroupVersionKind(appKind)
	must(s.t, s.client.Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, app))
	return app
}

// TestRollback goes back, in all the ways there are.
func TestRollback(t *testing.T) {
	three := load(t, "testdata/versions/three.in.yaml")
	single := load(t, "testdata/versions/single.in.yaml")
	text := ""
	for _, args := range [][]string{
		{"/prod/web/api"},
		{"/prod/web/api", "--dry-run=server"},
		{"/prod/web/api", "--dry-run=client"},
		{"web.api", "-n", "prod", "--to", "2026-02-20T12:00:00.000Z"},
		{"/prod/web/api", "--to", "2026-02-20T12:00:00Z", "-o", "jsonpath={.spec.env[0].value}{.spec.container.docker.image}"},
		{"/prod/web/api", "--to", "2026-03-01T11:00:00.000Z"},
		{"/prod/web/api", "--to", "2026-03-01T11:00:00.000Z", "--wait"},
		{"/prod/web/api", "--to", "yesterday"},
		{"/hello_world"},
		{"/nobody"},
		{},
	} {
		s := newSession(t, append(three.objects(), single.objects()...)...)
		text += s.transcript(append([]string{"rollback"}, args...)...) + "\n"
	}
	golden(t, "rollback.txt", text)
}

// TestRollbackToWhatRuns lets the definition say what runs where the manager
// went back by itself.
func TestRollbackToWhatRuns(t *testing.T) {
	const runs = "2026-02-25T12:00:00.000Z"
	objects := load(t, "testdata/versions/three.in.yaml").objects()
	for _, o := range objects {
		if app, is := o.(*unstructured.Unstructured); is && app.GetKind() == "App" {
			must(t, unstructured.SetNestedField(app.Object, runs, "status", "rolledBack", "to"))
		}
	}
	s := newSession(t, objects...)
	if code := s.run("rollback", "/prod/web/api"); code != 0 || !strings.Contains(s.out, "rolled back to "+runs) {
		t.Errorf("code %d, %s%s", code, s.out, s.err)
	}
}

// TestRollbackReplacesTheSpec leaves nothing of the newer one, keeps what this
// program does not know, and touches nothing else.
func TestRollbackReplacesTheSpec(t *testing.T) {
	three := load(t, "testdata/versions/three.in.yaml")
	s := newSession(t, three.objects()...)
	before := s.app("prod", "web.api")
	if code := s.run("rollback", "/prod/web/api", "--to", "2026-02-20T12:00:00.000Z"); code != 0 {
		t.Fatal(s.err)
	}
	after := s.app("prod", "web.api")
	want := map[string]any{
		"cmd": "./api", "instances": int64(2), "cpus": int64(1), "future": map[string]any{"a": int64(1)},
		"container": map[string]any{"type": "DOCKER", "docker": map[string]any{"image": "api:1"}},
		"env":       []any{map[string]any{"name": "A", "value": "1"}}, "networks": []any{map[string]any{"mode": "host"}},
	}
	if diff := cmp.Diff(want, after.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before.Object["status"], after.Object["status"]); diff != "" {
		t.Error(diff)
	}
}

// TestRollbackConflicts tries again if only the status has changed.
func TestRollbackConflicts(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Group: "kdcos.io", Resource: "apps"}, "web.api", errText("changed"))
	for name, test := range map[string]struct {
		conflicts int
		meanwhile func(*unstructured.Unstructured)
		fails     string
	}{
		"status":  {conflicts: 2, meanwhile: func(*unstructured.Unstructured) {}},
		"spec":    {conflicts: 1, meanwhile: func(o *unstructured.Unstructured) { o.SetGeneration(5) }, fails: "changed by somebody else"},
		"endless": {conflicts: 100, meanwhile: func(*unstructured.Unstructured) {}, fails: "changed by somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			left := test.conflicts
			s := newSessionWith(t, interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
					if left--; left >= 0 {
						return conflict
					}
					return c.Update(ctx, o, opts...)
				},
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					err := c.Get(ctx, key, o, opts...)
					if u, ok := o.(*unstructured.Unstructured); ok && left < test.conflicts {
						test.meanwhile(u)
					}
					return err
				},
			}, load(t, "testdata/versions/three.in.yaml").objects()...)
			code := s.run("rollback", "/prod/web/api")
			if test.fails == "" && code != 0 || test.fails != "" && !strings.Contains(s.err, test.fails) {
				t.Errorf("exit code %d: %s", code, s.err)
			}
		})
	}
}

// TestApplyAfterRollback takes the fields of the rollback over: no conflict,
// and what only the rollback brought back goes again.
func TestApplyAfterRollback(t *testing.T) {
	s := newSession(t)
	s.in = `{"id": "/x", "cmd": "sleep 1", "env": {"A": "1"}, "container": {"type": "DOCKER", "docker": {"image": "one"}}}`
	if s.run("apply", "-f", "-") != 0 {
		t.Fatal(s.err)
	}
	// As rollback does it: another manager sets what the file has, and more.
	app := s.app("default", "x")
	must(t, unstructured.SetNestedField(app.Object, "two", "spec", "container", "docker", "image"))
	must(t, unstructured.SetNestedField(app.Object, "nobody", "spec", "user"))
	must(t, s.client.Update(t.Context(), app, client.FieldOwner(fieldManagerRollback)))
	if code := s.run("apply", "-f", "-"); code != 0 || !strings.Contains(s.out, "configured") {
		t.Fatalf("exit code %d: %s%s", code, s.out, s.err)
	}
	spec, _, err := unstructured.NestedMap(s.app("default", "x").Object, "spec")
	must(t, err)
	want := map[string]any{
		"cmd": "sleep 1", "env": []any{map[string]any{"name": "A", "value": "1"}},
		"container": map[string]any{"docker": map[string]any{"image": "one"}},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Error(diff)
	}
}

// TestRestart asks for new tasks. An apply afterwards does not take that back.
func TestRestart(t *testing.T) {
	three := load(t, "testdata/versions/three.in.yaml")
	s := newSession(t, three.objects()...)
	text := ""
	for _, args := range [][]string{
		{"/prod/web/api", "--dry-run=client"},
		{"/prod/web/api", "/nobody", "web.api"},
		{"/prod/web/api", "-o", "jsonpath={.metadata.annotations}"},
		{"/prod/web/api", "--wait", "--timeout", "500ms"},
		{},
	} {
		text += s.transcript(append([]string{"restart"}, args...)...) + "\n"
	}
	golden(t, "restart.txt", text)
	app := s.app("prod", "web.api")
	if got := app.GetAnnotations()[v1alpha1.RestartedAtAnnotation]; got != "2026-03-01T12:00:00Z" {
		t.Errorf("annotation is %q", got)
	}
	s.in = `{"id": "/prod/web/api", "cmd": "./api", "instances": 3}`
	if code := s.run("apply", "-f", "-", "--force-conflicts"); code != 0 {
		t.Fatal(s.err)
	}
	if got := s.app("prod", "web.api").GetAnnotations()[v1alpha1.RestartedAtAnnotation]; got == "" {
		t.Error("apply took the restart back")
	}
}

// TestRollout holds an upgrade, and lets it go on in steps.
func TestRollout(t *testing.T) {
	s := newSession(t, load(t, "testdata/versions/single.in.yaml").objects()...)
	text := ""
	for _, args := range [][]string{
		{"pause", "/hello_world", "--dry-run=server"},
		{"pause", "/hello_world", "/nobody"},
		{"pause"},
		{"resume", "/hello_world", "--canary", "2"},
		{"resume", "/hello_world"},
		{"resume", "/hello_world", "--canary", "x"},
	} {
		text += s.transcript(args...)
		rollout, _, err := unstructured.NestedMap(s.app("default", "hello-world-3979d6c1ee").Object, "spec", "rollout")
		must(t, err)
		text += fmt.Sprintf("# spec.rollout: %v\n\n", rollout)
	}
	golden(t, "rollout.txt", text)
}

// TestResetDelay forgets the launch delay of an App that has one, and of one that has none.
func TestResetDelay(t *testing.T) {
	failing := load(t, "testdata/status/failing.in.yaml")
	single := load(t, "testdata/versions/single.in.yaml")
	text := ""
	for _, args := range [][]string{
		{"/web"}, {"/web", "--dry-run=server"}, {"/hello_world", "/nobody"}, {},
	} {
		s := newSession(t, append(failing.objects(), single.objects()...)...)
		text += s.transcript(append([]string{"reset-delay"}, args...)...) + "\n"
	}
	golden(t, "reset-delay.txt", text)
}
