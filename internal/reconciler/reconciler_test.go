// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

type inner func(app *v1alpha1.App) (reconcile.Result, error)

func (f inner) Reconcile(_ context.Context, app *v1alpha1.App) (reconcile.Result, error) {
	return f(app)
}

// stage holds one App and counts what is written of it.
type stage struct {
	client  client.Client
	clock   *clocktesting.FakePassiveClock
	subject reconcile.Reconciler
	events  *events.FakeRecorder
	// look is what a pass finds, outcome what it returns.
	look    func(app *v1alpha1.App)
	outcome error
	rest    time.Duration
	patches int
}

func newStage(t *testing.T) *stage {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	s := &stage{events: events.NewFakeRecorder(10), clock: clocktesting.NewFakePassiveClock(time.Unix(1700000000, 0))}
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", Generation: 3}}
	s.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(app).WithStatusSubresource(app).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				s.patches++
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	s.subject = WithStatus(s.client, s.events, inner(func(app *v1alpha1.App) (reconcile.Result, error) {
		if s.look != nil {
			s.look(app)
		}
		return reconcile.Result{}, s.outcome
	}), WithClock[*v1alpha1.App](s.clock), Resting(func(*v1alpha1.App) time.Duration { return s.rest }))
	return s
}

func (s *stage) pass(t *testing.T) (reconcile.Result, error) {
	t.Helper()
	return s.subject.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "default", Name: "a"}})
}

// later is a pass long after the last.
func (s *stage) later(t *testing.T) (reconcile.Result, error) {
	t.Helper()
	s.clock.SetTime(s.clock.Now().Add(time.Hour))
	return s.pass(t)
}

func (s *stage) conditions(t *testing.T) map[string]string {
	t.Helper()
	var app v1alpha1.App
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "a"}, &app); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range app.Status.Conditions {
		if c.ObservedGeneration != 3 {
			t.Errorf("%s speaks of generation %d", c.Type, c.ObservedGeneration)
		}
		all[c.Type] = string(c.Status) + " " + c.Reason + " " + c.Message
	}
	return all
}

func TestOutcomesBecomeConditions(t *testing.T) {
	s := newStage(t)
	for _, step := range []struct {
		name    string
		outcome error
		want    map[string]string
		after   time.Duration
		fails   bool
		event   bool
	}{
		{
			name: "on its way", outcome: &NotReady{Reason: "Deploying", Message: "0 of 1", After: time.Minute}, after: time.Minute,
			want: map[string]string{"Ready": "False Deploying 0 of 1", "Reconciling": "True Deploying 0 of 1"},
		},
		{name: "done", want: map[string]string{"Ready": "True Available "}},
		{
			name: "at work and serving", outcome: &NotReady{Reason: "Upgrading", Message: "1 of 2", Serving: true},
			want: map[string]string{"Ready": "True Available 1 of 2", "Reconciling": "True Upgrading 1 of 2"},
		},
		{
			name: "worse", outcome: &NotReady{Reason: "Degraded", Message: "0 of 2"}, event: true,
			want: map[string]string{"Ready": "False Degraded 0 of 2", "Reconciling": "True Degraded 0 of 2"},
		},
		{
			name: "stuck", outcome: &Terminal{Reason: "Unsupported", Message: "spec.x"}, event: true,
			want: map[string]string{"Ready": "False Unsupported spec.x", "Stalled": "True Unsupported spec.x"},
		},
		{
			name: "a failure", outcome: errors.New("no route"), fails: true,
			want: map[string]string{"Ready": "False Unsupported spec.x", "Reconciling": "True Error no route"},
		},
		{
			name: "stuck and serving", outcome: &Terminal{Reason: "Invalid", Message: "spec.y", Serving: true}, event: true,
			want: map[string]string{"Ready": "False Unsupported spec.x", "Stalled": "True Invalid spec.y"},
		},
	} {
		s.outcome = step.outcome
		if _, err := s.pass(t); (err != nil) != step.fails {
			t.Errorf("%s: got %v", step.name, err)
		}
		result, err := s.later(t)
		if (err != nil) != step.fails || result.RequeueAfter != step.after {
			t.Errorf("%s: got %v, %v", step.name, result, err)
		}
		if diff := cmp.Diff(step.want, s.conditions(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if event := len(s.events.Events) > 0; event != step.event {
			t.Errorf("%s: event %v, want %v", step.name, event, step.event)
		}
		for len(s.events.Events) > 0 {
			<-s.events.Events
		}
		before := s.patches
		if _, err := s.pass(t); (err != nil) != step.fails || s.patches != before {
			t.Errorf("%s: a pass that changes nothing writes: %v", step.name, err)
		}
	}
}

func TestConflictsAndGoneObjects(t *testing.T) {
	s := newStage(t)
	s.outcome = apierrors.NewConflict(schema.GroupResource{Resource: "pods"}, "p", errors.New("too late"))
	if result, err := s.pass(t); err != nil || result.RequeueAfter == 0 || s.patches != 0 {
		t.Errorf("a conflict is no failure, but looked at again: %v, %v", result, err)
	}
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}}
	if err := s.client.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pass(t); err != nil {
		t.Errorf("an object that is gone: %v", err)
	}
}

func TestShorten(t *testing.T) {
	long := Shorten(strings.Repeat("ü", 2000))
	if len(long) > 1024 || !utf8.ValidString(long) || !strings.HasSuffix(long, "…") {
		t.Errorf("%d bytes, valid: %v", len(long), utf8.ValidString(long))
	}
	if got := Shorten("short"); got != "short" {
		t.Error(got)
	}
}
