// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package reconciler

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func (s *stage) after(d time.Duration) { s.clock.SetTime(s.clock.Now().Add(d)) }

// passes makes a pass and says how often the status was written in it.
func (s *stage) passes(t *testing.T) (patches int, after time.Duration) {
	t.Helper()
	before := s.patches
	result, err := s.pass(t)
	if err != nil {
		t.Fatal(err)
	}
	return s.patches - before, result.RequeueAfter
}

func running(n int32) func(app *v1alpha1.App) {
	return func(app *v1alpha1.App) {
		app.Status.Version, app.Status.ConfigHash = "v1", "c1"
		app.Status.Instances, app.Status.TasksRunning = n, n
	}
}

func TestDeploymentThatGoesWellIsWrittenOnce(t *testing.T) {
	s := newStage(t)
	s.outcome = &NotReady{Reason: "Deploying", Message: "0 of 2"}
	for n := range int32(3) {
		s.look = func(app *v1alpha1.App) {
			if version := app.Status.Version; n > 0 && version != "v1" {
				t.Errorf("pass %d: what was decided is forgotten: %q", n, version)
			}
			running(n)(app)
		}
		patches, after := s.passes(t)
		if want := time.Second - time.Duration(n)*100*time.Millisecond; patches != 0 || after != want {
			t.Errorf("pass %d: %d writes, look again after %s, want %s", n, patches, after, want)
		}
		s.after(100 * time.Millisecond)
	}
	s.outcome = nil
	if patches, _ := s.passes(t); patches != 1 {
		t.Errorf("that it is ready is written at once: %d writes", patches)
	}
	if patches, after := s.passes(t); patches != 0 || after != 0 {
		t.Errorf("at rest: %d writes, look again after %s", patches, after)
	}
}

func TestProgressIsWrittenOnceASecond(t *testing.T) {
	s := newStage(t)
	s.outcome = &NotReady{Reason: "Deploying", Message: "some"}
	writes := 0
	for n := range int32(50) {
		s.look = running(n)
		patches, _ := s.passes(t)
		writes += patches
		s.after(100 * time.Millisecond)
	}
	if writes != 4 {
		t.Errorf("%d writes in five seconds", writes)
	}
}

func TestWhatMustNotWait(t *testing.T) {
	for _, c := range []struct {
		name    string
		look    func(app *v1alpha1.App)
		outcome error
	}{
		{name: "ready"},
		{name: "stalled", outcome: &Terminal{Reason: "Unsupported", Message: "spec.x"}},
		{name: "another reason", outcome: &NotReady{Reason: "BackOff", Message: "0 of 1"}},
		{name: "serving", outcome: &NotReady{Reason: "Deploying", Message: "0 of 1", Serving: true}},
		{name: "a version", outcome: &NotReady{Reason: "Deploying", Message: "0 of 1"}, look: func(app *v1alpha1.App) { app.Status.Version = "v2" }},
		{name: "a failure", outcome: &NotReady{Reason: "Deploying", Message: "0 of 1"}, look: func(app *v1alpha1.App) {
			app.Status.Backoff = &v1alpha1.LaunchBackoff{Failures: 1}
		}},
	} {
		s := newStage(t)
		s.look, s.outcome = running(1), &NotReady{Reason: "Deploying", Message: "0 of 1"}
		s.passes(t)
		s.after(time.Second)
		if patches, _ := s.passes(t); patches != 1 {
			t.Fatalf("%s: %d writes of the first status", c.name, patches)
		}
		if c.look != nil {
			s.look = c.look
		}
		s.outcome = c.outcome
		if patches, _ := s.passes(t); patches != 1 {
			t.Errorf("%s: %d writes at once", c.name, patches)
		}
	}
}

func TestErrorIsWrittenAtOnce(t *testing.T) {
	s := newStage(t)
	s.outcome = errors.New("no route")
	if _, err := s.pass(t); err == nil || s.patches != 1 {
		t.Errorf("%v, %d writes", err, s.patches)
	}
}

func TestChangeOfNewObjectLosesNoVersion(t *testing.T) {
	s := newStage(t)
	s.look, s.outcome = running(0), &NotReady{Reason: "Deploying", Message: "0 of 1"}
	s.passes(t)
	var app v1alpha1.App
	key := client.ObjectKey{Namespace: "default", Name: "a"}
	if err := s.client.Get(t.Context(), key, &app); err != nil {
		t.Fatal(err)
	}
	app.Annotations = map[string]string{"a": "b"}
	if err := s.client.Update(t.Context(), &app); err != nil {
		t.Fatal(err)
	}
	s.look = func(app *v1alpha1.App) { t.Error("a pass before the first version is written") }
	if patches, after := s.passes(t); patches != 1 || after == 0 {
		t.Errorf("%d writes, next pass after %s: the write may have changed nothing, and bring on none", patches, after)
	}
	if err := s.client.Get(t.Context(), key, &app); err != nil || app.Status.Version != "v1" || app.Annotations["a"] != "b" {
		t.Errorf("%v, %+v", err, app)
	}
	s.look = func(app *v1alpha1.App) {
		if app.Status.Version != "v1" {
			t.Errorf("version %s", app.Status.Version)
		}
	}
	s.passes(t)
}

func TestRest(t *testing.T) {
	s := newStage(t)
	seen := 0
	s.rest, s.look = 100*time.Millisecond, func(*v1alpha1.App) { seen++ }
	for _, want := range []time.Duration{0, 40 * time.Millisecond, 0, 40 * time.Millisecond} {
		if _, after := s.passes(t); after != want {
			t.Errorf("look again after %s, want %s", after, want)
		}
		s.after(60 * time.Millisecond)
	}
	if seen != 2 {
		t.Errorf("%d passes", seen)
	}
}

func TestObjectFromBeforeOurWrite(t *testing.T) {
	p := newPacer[*v1alpha1.App](clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
	app := func(version string) *v1alpha1.App {
		return &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", ResourceVersion: version}}
	}
	if p.old(app("9")) {
		t.Error("nothing was written")
	}
	p.wrote(app("10"))
	for version, want := range map[string]bool{"9": true, "10": false, "11": false, "odd": false} {
		if got := p.old(app(version)); got != want {
			t.Errorf("%s: old is %v", version, got)
		}
	}
}

func TestObjectThatAWriteFoundGone(t *testing.T) {
	p := newPacer[*v1alpha1.App](clocktesting.NewFakePassiveClock(time.Unix(0, 0)))
	app := func(uid types.UID) *v1alpha1.App {
		return &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: uid, ResourceVersion: "7"}}
	}
	p.wentAway(app("first"))
	if !p.old(app("first")) {
		t.Error("the cache shows it on, and it is looked at")
	}
	if p.old(app("second")) {
		t.Error("the next of its name is not looked at")
	}
	p.forget(client.ObjectKeyFromObject(app("first")))
	if p.old(app("first")) {
		t.Error("it is remembered though the cache knows that it is gone")
	}
}

func TestSameStates(t *testing.T) {
	ready := metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Deploying", Message: "a", ObservedGeneration: 1}
	other := ready
	other.Message = "b"
	if !sameStates([]metav1.Condition{ready}, []metav1.Condition{other}) {
		t.Error("a message is progress")
	}
	other.ObservedGeneration = 2
	if sameStates([]metav1.Condition{ready}, []metav1.Condition{other}) || sameStates(nil, []metav1.Condition{ready}) {
		t.Error("a generation, or a condition, is none")
	}
}
