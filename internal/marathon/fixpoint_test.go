// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// checkApp holds an App against what is true of all that ToApp returns: an API
// server takes it, with and without defaults, and there and back is a fixed
// point, as values and through JSON.
func checkApp(t *testing.T, schema *admission.Schema, who string, app *v1alpha1.App) {
	t.Helper()
	if marathon.IsPod(app) {
		checkThereAndBack(t, schema, who, app, marathon.PodFromApp, marathon.PodToApp)
		return
	}
	checkThereAndBack(t, schema, who, app, marathon.FromApp, marathon.ToApp)
}

func checkThereAndBack[W any](t *testing.T, schema *admission.Schema, who string, app *v1alpha1.App,
	from func(*v1alpha1.App, marathon.Options) (*W, error), to func(*W, marathon.Options) (*v1alpha1.App, error),
) {
	t.Helper()
	admitted, errs := schema.Admit(t, app)
	if len(errs) > 0 {
		t.Errorf("%s: not admitted: %v", who, errs.ToAggregate())
		return
	}
	wire, err := from(app, marathon.Options{})
	if err != nil {
		t.Errorf("%s: FromApp: %v", who, err)
		return
	}
	again, err := to(wire, marathon.Options{})
	if err != nil {
		t.Errorf("%s: ToApp∘FromApp: %v", who, err)
		return
	}
	same(t, who+": ToApp∘FromApp", app, again)
	wireAgain, err := from(again, marathon.Options{})
	if err != nil {
		t.Errorf("%s: FromApp∘ToApp∘FromApp: %v", who, err)
	}
	same(t, who+": FromApp∘ToApp∘FromApp", wire, wireAgain)
	stored, err := admission.Into[v1alpha1.App](admitted)
	if err != nil {
		t.Fatal(err)
	}
	wireStored, err := from(stored, marathon.Options{})
	if err != nil {
		t.Errorf("%s: FromApp of what is stored: %v", who, err)
	}
	same(t, who+": FromApp of what is stored", wire, wireStored)
	checkJSON(t, who, wire)
}

// checkJSON reads what is written, which has to be the same.
func checkJSON[W any](t *testing.T, who string, wire *W) {
	t.Helper()
	text, err := json.Marshal(wire)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return
	}
	var read W
	if err := json.Unmarshal(text, &read); err != nil {
		// ipAddress takes any name for a network, networks does not: Marathon
		// does not read either what it writes then.
		if !strings.Contains(err.Error(), "/name: error.pattern") && !strings.Contains(err.Error(), "/name: error.maxLength") {
			t.Errorf("%s: read what was written: %v\n%s", who, err, text)
		}
		return
	}
	same(t, who+": through JSON", wire, &read)
}

// same compares, and looks for the difference only where there is one.
func same[T any](t *testing.T, what string, before, after T) {
	t.Helper()
	if !reflect.DeepEqual(before, after) {
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s (-before +after):\n%s", what, diff)
		}
	}
}
