// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"github.com/kdcos/kdcos/internal/universe"
)

var mutations = flag.Int("mutations", 2, "how many wrong options are tried with each recorded package")

// other is an independent validator of draft 4. It takes id and $schema for
// addresses.
func other(t testing.TB, config json.RawMessage) *gojsonschema.Schema {
	t.Helper()
	loader := gojsonschema.NewSchemaLoader()
	loader.AutoDetect, loader.Draft = false, gojsonschema.Draft4
	schema, err := loader.Compile(gojsonschema.NewGoLoader(without(parse(t, config), true, "id", "$schema")))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// without removes keywords from a schema.
func without(value any, schema bool, keywords ...string) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			if schema && slices.Contains(keywords, k) {
				continue
			}
			out[k] = without(v[k], !schema || k != "properties" && k != "default" && k != "enum", keywords...)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = without(v[i], true, keywords...)
		}
		return out
	}
	return value
}

// verdict says whether options are valid here, and holds it against the other's.
func verdict(t *testing.T, p *universe.Package, schema *gojsonschema.Schema, what string, options map[string]any) bool {
	t.Helper()
	merged := universe.Merge(p.Defaults(), options)
	got, err := p.Resolve(options)
	var refusal *universe.Error
	if err != nil && (!errors.As(err, &refusal) || refusal.Reason != universe.OptionsMismatch || len(refusal.Problems) == 0) {
		t.Fatalf("%s %s, %s: %v", p.Name, p.Version, what, err)
	}
	if err == nil {
		if d := difference("", got, merged); d != "" {
			t.Errorf("%s %s, %s: differs at %s", p.Name, p.Version, what, d)
		}
	}
	want := true
	if len(merged) > 0 {
		result, err := schema.Validate(gojsonschema.NewGoLoader(merged))
		if err != nil {
			t.Fatal(err)
		}
		want = result.Valid()
	}
	if want != (err == nil) {
		t.Errorf("%s %s, %s: valid is %v, here: %v", p.Name, p.Version, what, want, err)
	}
	return want
}

// mutate changes an option at a place by chance to something that may be wrong.
func mutate(chance *rand.Rand, value any) (any, string) {
	if members, ok := value.(map[string]any); ok && (len(members) > 0 && chance.IntN(8) > 0) {
		out := maps.Clone(members)
		names := slices.Sorted(maps.Keys(members))
		name := names[chance.IntN(len(names))]
		switch chance.IntN(12) {
		case 0:
			delete(out, name)
			return out, "without " + name
		case 1:
			out["no-such-option"] = true
			return out, "with one more"
		}
		var what string
		out[name], what = mutate(chance, out[name])
		return out, name + "." + what
	}
	wrong := []any{
		nil, true, false, "", "text", "no such value", json.Number("0"), json.Number("-1"), json.Number("2"),
		json.Number("0.5"), json.Number("99999999999999999999"),
		[]any{},
		[]any{"a", json.Number("1")},
		map[string]any{},
		map[string]any{"a": nil},
	}
	if list, ok := value.([]any); ok {
		wrong = append(wrong, append(slices.Clone(list), nil), append(slices.Clone(list), list...))
	}
	if text, ok := value.(string); ok {
		wrong = append(wrong, text+" ", text+"/x", text+text)
	}
	changed := wrong[chance.IntN(len(wrong))]
	return changed, fmt.Sprintf("= %v", changed)
}

// TestRecordedVerdicts validates options of all recorded packages: the defaults,
// those of the recorded renders, and wrong ones.
func TestRecordedVerdicts(t *testing.T) {
	given := map[string][]map[string]any{}
	for _, r := range recordedRenders(t) {
		options, err := universe.ParseOptions(r.Options)
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("%s/%d", r.Package, r.ReleaseVersion)
		given[key] = append(given[key], options)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	valid, invalid, schemas := 0, 0, 0
	count := func(ok bool) {
		if ok {
			valid++
		} else {
			invalid++
		}
	}
	for _, p := range recordedPackages(t) {
		if p.Config == nil {
			continue
		}
		schemas++
		schema := other(t, p.Config)
		count(verdict(t, p, schema, "defaults", nil))
		for i, options := range given[fmt.Sprintf("%s/%d", p.Name, p.ReleaseVersion)] {
			count(verdict(t, p, schema, fmt.Sprintf("recorded options %d", i), options))
		}
		for range *mutations {
			// Without defaults in the schema, what is removed is missing.
			bare := *p
			bare.Config = encoded(t, without(parse(t, p.Config), true, "default"))
			options, what := mutate(chance, p.Defaults())
			if members, ok := options.(map[string]any); ok {
				count(verdict(t, &bare, schema, what, members))
			}
		}
	}
	t.Logf("%d schemas: %d options are valid and %d are not, for both validators", schemas, valid, invalid)
	if schemas == 0 || invalid == 0 {
		t.Error("nothing was validated")
	}
}
