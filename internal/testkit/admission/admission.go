// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission says what an API server would say to an object of one of
// our kinds, in the test's process and in milliseconds: it reads the generated
// CustomResourceDefinition and prunes, defaults and validates with the code of
// the API server, CEL rules and their cost included, and asks the policy about
// access to nodes. It never talks to a cluster, and it knows nothing of the
// state of other objects.
package admission

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// Schema is one version of one of our kinds.
type Schema struct {
	crd        *apiextensions.CustomResourceDefinition
	version    string
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

var (
	scheme = sync.OnceValue(func() *apiruntime.Scheme {
		s := apiruntime.NewScheme()
		install.Install(s)
		return s
	})
	loaded sync.Map // file → *Schema: compiling the rules takes its time
)

// App returns the schema of App.
func App(t testing.TB) *Schema {
	t.Helper()
	return New(t, filepath.Join(root(), "config", "crd", "kdcos.io_apps.yaml"))
}

// Job returns the schema of Job.
func Job(t testing.TB) *Schema {
	t.Helper()
	return New(t, filepath.Join(root(), "config", "crd", "kdcos.io_jobs.yaml"))
}

// JobRun returns the schema of JobRun.
func JobRun(t testing.TB) *Schema {
	t.Helper()
	return New(t, filepath.Join(root(), "config", "crd", "kdcos.io_jobruns.yaml"))
}

func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// New returns the schema of the stored version in a file with a
// CustomResourceDefinition. The test fails if an API server would not take it,
// for a rule that costs too much for instance.
func New(t testing.TB, crdFile string) *Schema {
	t.Helper()
	if s, ok := loaded.Load(crdFile); ok {
		return s.(*Schema)
	}
	s, err := load(crdFile)
	if err != nil {
		t.Fatal(err)
	}
	if errs := s.ValidateCRD(t); len(errs) > 0 {
		t.Fatalf("%s is no valid CustomResourceDefinition:\n%v", crdFile, errs.ToAggregate())
	}
	loaded.Store(crdFile, s)
	return s
}

func load(file string) (*Schema, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var external apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &external); err != nil {
		return nil, err
	}
	scheme().Default(&external)
	s := &Schema{crd: &apiextensions.CustomResourceDefinition{}}
	if err := scheme().Convert(&external, s.crd, nil); err != nil {
		return nil, err
	}
	for _, v := range external.Spec.Versions {
		if v.Storage {
			s.version = v.Name
		}
	}
	s.crd.Status.StoredVersions = []string{s.version}
	props, err := apiextensions.GetSchemaForVersion(s.crd, s.version)
	if err != nil {
		return nil, err
	}
	if s.structural, err = structuralschema.NewStructural(props.OpenAPIV3Schema); err != nil {
		return nil, err
	}
	if s.openAPI, _, err = validation.NewSchemaValidator(props.OpenAPIV3Schema); err != nil {
		return nil, err
	}
	s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	return s, nil
}

// ValidateCRD returns what an API server has against the
// CustomResourceDefinition itself.
func (s *Schema) ValidateCRD(t testing.TB) field.ErrorList {
	return crdvalidation.ValidateCustomResourceDefinition(t.Context(), s.crd)
}

// Decode makes an object of one that is typed, or of bytes that are YAML or
// JSON, as it would be sent.
func Decode(object any) (*unstructured.Unstructured, error) {
	data, ok := object.([]byte)
	if text, isText := object.(string); isText {
		data, ok = []byte(text), true
	}
	var err error
	if ok {
		data, err = yaml.YAMLToJSON(data)
	} else {
		data, err = json.Marshal(object)
	}
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	return u, u.UnmarshalJSON(data)
}

// Admit returns the object as it would be stored when it is created, pruned and
// with its defaults, and what an API server has against it.
func (s *Schema) Admit(t testing.TB, object any) (*unstructured.Unstructured, field.ErrorList) {
	t.Helper()
	u, err := Decode(object)
	if err != nil {
		t.Fatalf("decode object: %v", err)
	}
	return u, s.admit(t, u, nil)
}

// Update returns what an API server has against one that was admitted being
// replaced by the object.
func (s *Schema) Update(t testing.TB, object any, old *unstructured.Unstructured) field.ErrorList {
	t.Helper()
	u, err := Decode(object)
	if err != nil {
		t.Fatalf("decode object: %v", err)
	}
	return s.admit(t, u, old.Object)
}

// admit takes the object that there was, nil for a new one.
func (s *Schema) admit(t testing.TB, u *unstructured.Unstructured, old map[string]any) field.ErrorList {
	defaulting.Default(u.Object, s.structural)
	pruning.Prune(u.Object, s.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(u.Object, s.structural)
	delete(u.Object, "status")
	var errs field.ErrorList
	if err := objectmeta.Coerce(nil, u.Object, s.structural, false, false); err != nil {
		return field.ErrorList{err}
	}
	kind := s.crd.Spec.Group + "/" + s.version + " " + s.crd.Spec.Names.Kind
	if got := u.GetAPIVersion() + " " + u.GetKind(); got != kind {
		errs = append(errs, field.Invalid(field.NewPath("kind"), got, "must be "+kind))
	}
	namespaced := s.crd.Spec.Scope == apiextensions.NamespaceScoped
	errs = append(errs, apivalidation.ValidateObjectMetaAccessor(u, namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	if namespaced {
		for _, message := range apivalidation.ValidateNamespaceName(u.GetNamespace(), false) {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "namespace"), u.GetNamespace(), message))
		}
	}
	errs = append(errs, validation.ValidateCustomResource(nil, u.Object, s.openAPI)...)
	errs = append(errs, objectmeta.Validate(t.Context(), nil, u.Object, s.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, u.Object)...)
	if blocked(errs) {
		return errs
	}
	var before any
	if old != nil {
		before = old
	}
	more, _ := s.rules.Validate(t.Context(), nil, s.structural, u.Object, before, celconfig.RuntimeCELCostBudget)
	return append(errs, more...)
}

// blocked says whether the API server does not get to the rules: they may rely
// on what the schema says.
func blocked(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// Into makes a typed object of one that was admitted.
func Into[T any](u *unstructured.Unstructured) (*T, error) {
	out := new(T)
	if err := apiruntime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		return nil, fmt.Errorf("read admitted object: %w", err)
	}
	return out, nil
}
