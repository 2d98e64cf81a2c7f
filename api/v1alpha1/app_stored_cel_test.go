// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// The cache of the manager reads all Apps at once: one that its types can't
// hold would keep it from seeing any. So whatever the schema admits must fit.

// odd are values of a type that fit into few fields of it.
func odd(s *apiextensionsv1.JSONSchemaProps) []any {
	numbers := []any{int64(math.MaxInt32) + 1, int64(math.MaxInt64), int64(math.MinInt32) - 1, int64(-1), 0.5, 1e300}
	texts := []any{"", "x", "1.5", "9999999999", "2021-10-31T01:30:00", "2021-10-31T01:30:00Z", "2021-10-31T01:30:00.5+02:00", "2021-10-31T01:30:00.123456Z"}
	switch {
	case s.XIntOrString:
		return append(numbers, texts...)
	case s.Type == "integer" || s.Type == "number":
		return append(numbers, "1")
	case s.Type == "string":
		return append(texts, int64(1))
	}
	return []any{nil, "x"}
}

func TestWhatIsStoredCanBeRead(t *testing.T) {
	checkStored(t, "App", admission.App(t), fullApp, func() any { return &v1alpha1.App{} })
	checkStored(t, "Job", admission.Job(t), fullJob, func() any { return &v1alpha1.Job{} })
	checkStored(t, "JobRun", admission.JobRun(t), fullJobRun, func() any { return &v1alpha1.JobRun{} })
}

func checkStored(t *testing.T, kind string, schema *admission.Schema, full string, typed func() any) {
	t.Helper()
	spec := decodeSpec(t, full)
	_, errs := schema.Admit(t, object(kind, spec))
	var before []string
	for _, err := range errs {
		before = append(before, err.Field+err.Detail)
	}
	read := 0
	eachValue("spec", specSchema(t, kind), spec, func(path string, s *apiextensionsv1.JSONSchemaProps, value any, set func(any)) {
		for _, candidate := range odd(s) {
			set(candidate)
			stored, errs := schema.Admit(t, object(kind, spec))
			refused := false
			for _, err := range errs {
				refused = refused || !slices.Contains(before, err.Field+err.Detail)
			}
			if refused {
				continue
			}
			raw, err := json.Marshal(stored)
			if err != nil {
				t.Fatal(err)
			}
			read++
			if err := json.Unmarshal(raw, typed()); err != nil {
				t.Errorf("%s: %v is admitted: %v", path, candidate, err)
			}
		}
		set(value)
	})
	if read < 50 {
		t.Errorf("%s: only %d values were admitted", kind, read)
	}
	t.Logf("%s: %d values read", kind, read)
}

// TestNoTypeReadsByItself: types that parse what they read, such as durations,
// quantities and times, fail on what a schema can't refuse. The exceptions have
// a rule on ResourceLimits, and patterns on the times of JobRuns.
func TestNoTypeReadsByItself(t *testing.T) {
	reader := reflect.TypeFor[json.Unmarshaler]()
	timed := map[string]bool{"spec.trigger.scheduledAt": true, "spec.trigger.parents.completedAt": true}
	seen := map[reflect.Type]bool{}
	var visit func(path string, x reflect.Type)
	visit = func(path string, x reflect.Type) {
		for x.Kind() == reflect.Pointer || x.Kind() == reflect.Slice || x.Kind() == reflect.Map {
			x = x.Elem()
		}
		if x == reflect.TypeFor[intstr.IntOrString]() || seen[x] || timed[path] {
			return
		}
		seen[x] = true
		if reflect.PointerTo(x).Implements(reader) {
			t.Errorf("%s: %s reads itself", path, x)
		}
		if x.Kind() != reflect.Struct {
			return
		}
		for i := range x.NumField() {
			field := x.Field(i)
			visit(path+"."+strings.Split(field.Tag.Get("json"), ",")[0], field.Type)
		}
	}
	visit("spec", reflect.TypeFor[v1alpha1.AppSpec]())
	visit("spec", reflect.TypeFor[v1alpha1.JobSpec]())
	visit("spec", reflect.TypeFor[v1alpha1.JobRunSpec]())
	if len(seen) < 20 {
		t.Errorf("only %d types seen", len(seen))
	}
}
