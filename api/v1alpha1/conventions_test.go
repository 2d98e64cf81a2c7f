// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// These tests hold the conventions of Kubernetes APIs that kube-api-linter
// names, in brackets, as far as an API that speaks Marathon can follow them: it
// has numbers that are not whole (nofloats), yes and no (nobools) and free
// labels (nomaps).

// TestSchemas walks the schemas an API server enforces.
func TestSchemas(t *testing.T) {
	for _, crd := range definitions(t) {
		t.Run(crd.Name, func(t *testing.T) {
			checkDefinition(t, crd)
			for _, version := range crd.Spec.Versions {
				root := version.Schema.OpenAPIV3Schema
				for _, part := range []string{"spec", "status"} {
					schema := root.Properties[part]
					walk(part, &schema, func(path string, s *apiextensionsv1.JSONSchemaProps) {
						for _, complaint := range complaints(path, s) {
							t.Errorf("%s %s", path, complaint)
						}
					})
				}
			}
		})
	}
}

// checkDefinition looks at what is around the schema.
func checkDefinition(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if !slices.Contains(crd.Spec.Names.Categories, "kdcos") {
		t.Error("is not in category kdcos: kubectl get kdcos would not show it")
	}
	for _, version := range crd.Spec.Versions {
		if version.Subresources == nil || version.Subresources.Status == nil {
			t.Errorf("%s has no status subresource [statussubresource]", version.Name)
		}
		var columns []string
		for _, c := range version.AdditionalPrinterColumns {
			if c.Priority == 0 {
				columns = append(columns, c.Name)
			}
		}
		if len(columns) < 3 || columns[0] != "Ready" || columns[1] != "Status" || columns[len(columns)-1] != "Age" {
			t.Errorf("%s prints %v, want Ready, Status, ..., Age", version.Name, columns)
		}
		status := version.Schema.OpenAPIV3Schema.Properties["status"]
		conditions := status.Properties["conditions"]
		if !reflect.DeepEqual(conditions.XListMapKeys, []string{"type"}) {
			t.Errorf("%s: status.conditions is not a map by type [conditions]", version.Name)
		}
		if _, ok := status.Properties["observedGeneration"]; !ok {
			t.Errorf("%s: status has no observedGeneration", version.Name)
		}
		if len(status.Required) != 0 && !slices.Equal(status.Required, statusCounts(status)) {
			t.Errorf("%s: status requires %v, and may only require counts [statusoptional]", version.Name, status.Required)
		}
	}
}

// statusCounts are the required fields of a status that always have a number.
func statusCounts(status apiextensionsv1.JSONSchemaProps) []string {
	return slices.DeleteFunc(slices.Clone(status.Required), func(name string) bool {
		return status.Properties[name].Type != "integer"
	})
}

// timeWords are names of lengths of time, which are whole seconds and say so.
var timeWords = regexp.MustCompile(`(?i)(timeout|interval|delay|period|duration|grace|ttl)`)

// unboundedStrings are those that something else bounds.
var unboundedStrings = map[string]string{
	"spec.args[]":                                       "the kernel limits the list as a whole",
	"spec.check.exec.command.argv[]":                    "the kernel limits the list as a whole",
	"spec.containers[].exec.command.argv[]":             "the kernel limits the list as a whole",
	"spec.containers[].check.exec.command.argv[]":       "the kernel limits the list as a whole",
	"spec.containers[].healthCheck.exec.command.argv[]": "the kernel limits the list as a whole",
}

func complaints(path string, s *apiextensionsv1.JSONSchemaProps) []string {
	var all []string
	complain := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	name := path[strings.LastIndex(path, ".")+1:]
	item := strings.HasSuffix(path, "[]") || strings.HasSuffix(path, "{}")
	conditions := strings.HasPrefix(path, "status.conditions")
	complain(s.Description == "" && !item, "is not described [commentstart]")
	complain(name == "phase", "is a phase: conditions say more [nophase]")
	_, unbounded := unboundedStrings[path]
	complain(s.Nullable, "may be null [nonullable]")
	complain(s.XPreserveUnknownFields != nil, "takes anything: its fields are checked by nobody")
	switch s.Type {
	case "array":
		complain(s.XListType == nil, "has no listType: server-side apply can't merge it [ssatags]")
		complain(s.MaxItems == nil && !conditions, "has no MaxItems [maxlength]")
		complain(s.XListType != nil && *s.XListType == "atomic" && mapKey(s) && strings.HasPrefix(path, "status"),
			"is atomic and has a key [ssatags]")
	case "string":
		complain(s.MaxLength == nil && len(s.Enum) == 0 && s.Format == "" && !unbounded, "has no MaxLength, Enum or Format [maxlength]")
	case "integer", "number":
		bounded := s.Minimum != nil && s.Maximum != nil
		complain(!bounded && strings.HasPrefix(path, "spec"), "has no Minimum and Maximum")
		complain(timeWords.MatchString(name) && !strings.HasSuffix(name, "Seconds"), "is a time without its unit: call it %sSeconds", name)
	case "object":
		free := s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil
		complain(free && s.MaxProperties == nil, "has no MaxProperties [maxlength]")
		complain(!free && len(s.Properties) == 0, "takes anything: its fields are checked by nobody")
	}
	return all
}

func mapKey(s *apiextensionsv1.JSONSchemaProps) bool {
	_, is := s.Items.Schema.Properties["name"]
	return is
}

// walk visits a schema and those inside it. A list's items are path[], a map's
// values path{}.
func walk(path string, s *apiextensionsv1.JSONSchemaProps, visit func(string, *apiextensionsv1.JSONSchemaProps)) {
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		walk(path+"."+name, &property, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(path+"[]", s.Items.Schema, visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walk(path+"{}", s.AdditionalProperties.Schema, visit)
	}
}

func definitions(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob("../../config/crd/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions found (%v): run make generate", err)
	}
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(raw, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, crd)
	}
	return all
}

// TestFields reads the types themselves, for what does not reach the schema.
func TestFields(t *testing.T) {
	files, err := filepath.Glob("*_types.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no types found (%v)", err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		tree, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, is := n.(*ast.TypeSpec)
			if !is {
				return true
			}
			object, is := spec.Type.(*ast.StructType)
			if !is || strings.HasSuffix(spec.Name.Name, "List") {
				return false
			}
			for _, field := range object.Fields.List {
				for _, complaint := range fieldComplaints(field) {
					t.Errorf("%s: %s %s", set.Position(field.Pos()), spec.Name.Name, complaint)
				}
			}
			return false
		})
	}
}

var camelCase = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

func fieldComplaints(field *ast.Field) []string {
	tag := reflect.StructTag("")
	if field.Tag != nil {
		tag = reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
	}
	name, options, _ := strings.Cut(tag.Get("json"), ",")
	if name == "" && options == "inline" {
		return nil
	}
	if !camelCase.MatchString(name) {
		return []string{fmt.Sprintf("has a field %q that is not camelCase in JSON [jsontags]", name)}
	}
	var all []string
	var markers []string
	var text string
	if field.Doc != nil {
		text = field.Doc.Text()
		for _, line := range field.Doc.List {
			if marker, is := strings.CutPrefix(line.Text, "// +"); is {
				markers = append(markers, marker)
			}
		}
	}
	if !strings.HasPrefix(text, name+" ") {
		all = append(all, name+": its comment does not begin with its JSON name [commentstart]")
	}
	if slices.Contains(markers, "required") == slices.Contains(markers, "optional") {
		all = append(all, name+": is neither or both of +required and +optional [optionalorrequired]")
	}
	slices.Sort(markers)
	if len(slices.Compact(slices.Clone(markers))) != len(markers) && !slices.ContainsFunc(markers, isRule) {
		all = append(all, name+": has a marker twice [duplicatemarkers]")
	}
	switch kind := typeName(field.Type); kind {
	case "int", "int8", "int16", "uint", "uint8", "uint16", "uint32", "uint64", "float32":
		all = append(all, fmt.Sprintf("%s: is %s, want int32, int64 or float64 [integers]", name, kind))
	case "metav1.Duration", "time.Duration":
		all = append(all, name+": is a duration, want whole seconds and a name that says so")
	}
	return all
}

func isRule(marker string) bool { return strings.Contains(marker, "XValidation") }

// typeName is the name of a type, of what it points to or of what it is a list of.
func typeName(expression ast.Expr) string {
	switch x := expression.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.ArrayType:
		return typeName(x.Elt)
	case *ast.SelectorExpr:
		return typeName(x.X) + "." + x.Sel.Name
	default:
		return ""
	}
}
