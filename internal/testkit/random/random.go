// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package random makes Apps, Jobs and JobRuns by chance that an API server takes. It walks the
// generated schema, so that a new field is tried from the day it is there, and
// draws values from the edges of what the schema allows. What rules ask across
// fields is settled afterwards. The same seed makes the same App.
package random

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// specOf reads the schema of the spec of a kind.
func specOf(resource string) func() *apiextensionsv1.JSONSchemaProps {
	return sync.OnceValue(func() *apiextensionsv1.JSONSchemaProps {
		_, file, _, _ := runtime.Caller(0)
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "..", "config", "crd", "kdcos.io_"+resource+".yaml"))
		if err != nil {
			panic(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(raw, crd); err != nil {
			panic(err)
		}
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		return &spec
	})
}

// schemas are those of the specs of the kinds that are made here.
var schemas = map[string]func() *apiextensionsv1.JSONSchemaProps{"App": specOf("apps"), "Job": specOf("jobs"), "JobRun": specOf("jobruns")}

// App makes an App of a seed. Most are valid: see admission.
func App(seed uint64) *v1alpha1.App {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), words: vocabulary, strict: strict} //nolint:gosec // chance that can be had again is what is wanted
	app := &v1alpha1.App{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App"},
	}
	g.make("App", &app.Spec)
	app.ObjectMeta = metav1.ObjectMeta{Namespace: "prod", Name: pick(g, "web", "web.api", "a.b.c", "x1")}
	g.settle(&app.Spec)
	return app
}

// make makes the spec of a kind.
func (g *generator) make(kind string, spec any) {
	raw, err := json.Marshal(g.value("", schemas[kind]()))
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(raw, spec); err != nil {
		panic(fmt.Sprintf("the schema and the types differ: %v: %s", err, raw))
	}
}

// Leaves are the fields of a kind's spec that hold values, such as
// healthChecks[].port.
func Leaves(kind string) []string {
	var all []string
	walk("", schemas[kind](), func(path string) { all = append(all, path) })
	return all
}

func walk(path string, s *apiextensionsv1.JSONSchemaProps, leaf func(string)) {
	switch {
	case len(s.Properties) > 0:
		for _, name := range sortedKeys(s.Properties) {
			property := s.Properties[name]
			walk(strings.TrimPrefix(path+"."+name, "."), &property, leaf)
		}
	case s.Items != nil:
		walk(path+"[]", s.Items.Schema, leaf)
	case s.AdditionalProperties != nil:
		walk(path+"{}", s.AdditionalProperties.Schema, leaf)
	default:
		leaf(path)
	}
}

// Visit calls leaf for each leaf that a spec of a kind has.
func Visit(kind string, spec any, leaf func(path string)) {
	raw, err := json.Marshal(spec)
	if err != nil {
		panic(err)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	visit("", schemas[kind](), value, leaf)
}

func visit(path string, s *apiextensionsv1.JSONSchemaProps, value any, leaf func(string)) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			visit(path+"[]", s.Items.Schema, item, leaf)
		}
	case map[string]any:
		for name, member := range v {
			if property, ok := s.Properties[name]; ok {
				visit(strings.TrimPrefix(path+"."+name, "."), &property, member, leaf)
			} else if s.AdditionalProperties != nil {
				visit(path+"{}", s.AdditionalProperties.Schema, member, leaf)
			}
		}
	default:
		leaf(path)
	}
}

type generator struct {
	*rand.Rand
	words  map[string][]any
	strict []string
}

func pick[T any](g *generator, values ...T) T { return values[g.IntN(len(values))] }

// one says yes once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) value(path string, s *apiextensionsv1.JSONSchemaProps) any {
	if words, ok := g.words[path]; ok && (slices.Contains(g.strict, path) || !g.one(20)) {
		return pick(g, words...)
	}
	switch {
	case len(s.Enum) > 0:
		var v any
		if err := json.Unmarshal(pick(g, s.Enum...).Raw, &v); err != nil {
			panic(err)
		}
		return v
	case s.XIntOrString:
		if g.one(2) {
			return g.IntN(1 << 20)
		}
		return g.text(s)
	}
	switch s.Type {
	case "object":
		return g.object(path, s)
	case "array":
		return g.array(path, s)
	case "string":
		return g.text(s)
	case "boolean":
		return g.one(2)
	case "integer":
		return int64(g.number(s, 0))
	case "number":
		return g.number(s, 3)
	}
	panic("no type: " + path)
}

func (g *generator) object(path string, s *apiextensionsv1.JSONSchemaProps) any {
	out := map[string]any{}
	if s.AdditionalProperties != nil {
		for range g.IntN(4) {
			out[g.key()] = g.value(path+"{}", s.AdditionalProperties.Schema)
		}
		return out
	}
	// Small Apps and large ones.
	rarity := pick(g, 2, 3, 6)
	for _, name := range sortedKeys(s.Properties) {
		property := s.Properties[name]
		if slices.Contains(s.Required, name) || g.one(rarity) {
			out[name] = g.value(strings.TrimPrefix(path+"."+name, "."), &property)
		}
	}
	return out
}

// key of a map: labels have any text.
func (g *generator) key() string {
	return pick(g, "VIP_0", "a", "b", "HAPROXY_0_VHOST", "with space", "ü/ß", "x.y/z", "MARATHON_SINGLE_INSTANCE_APP", strings.Repeat("k", 500))
}

func (g *generator) array(path string, s *apiextensionsv1.JSONSchemaProps) any {
	least, most := 0, 3
	if s.MinItems != nil {
		least = int(*s.MinItems)
	}
	if s.MaxItems != nil {
		most = min(least+3, int(*s.MaxItems))
		if most < 20 && g.one(20) {
			least = int(*s.MaxItems)
			most = least
		}
	}
	out := []any{}
	seen := map[string]bool{}
	for range least + g.IntN(most-least+1) {
		item := g.value(path+"[]", s.Items.Schema)
		key, unique := identity(s, item)
		if unique && seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, item)
	}
	if len(out) < least {
		return g.array(path, s)
	}
	return out
}

// identity is what must differ between the items of a list.
func identity(s *apiextensionsv1.JSONSchemaProps, item any) (key string, unique bool) {
	if s.XListType == nil {
		return "", false
	}
	switch *s.XListType {
	case "set":
		return fmt.Sprint(item), true
	case "map":
		for _, name := range s.XListMapKeys {
			key += fmt.Sprint(item.(map[string]any)[name])
		}
		return key, true
	}
	return "", false
}

// number draws one between the bounds, mostly at their edges.
func (g *generator) number(s *apiextensionsv1.JSONSchemaProps, decimals int) float64 {
	least, most := 0.0, 1e6
	if s.Minimum != nil {
		least = *s.Minimum
	}
	if s.Maximum != nil {
		most = *s.Maximum
	}
	scale := math.Pow10(decimals)
	v := pick(g, least, most, least+1/scale, least+1, most-1, least+float64(g.IntN(200)), least+g.Float64()*math.Min(most-least, 1000), g.Float64())
	return math.Min(math.Max(math.Round(v*scale)/scale, least), most)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
