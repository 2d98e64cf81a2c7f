// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxSchemas is how many schemas a config may have, those that references
// repeat counted each time. The largest recorded has 1,500.
const maxSchemas = 20000

// Where the keywords of draft 4 have schemas: as the value, as the members of
// the value, or as its elements.
var (
	inValue    = []string{"items", "additionalItems", "additionalProperties", "not"}
	inMembers  = []string{"properties", "patternProperties", "dependencies"}
	inElements = []string{"items", "allOf", "anyOf", "oneOf"}
)

// compile makes a validator of config.json.
func compile(config map[string]any) (*jsonschema.Schema, error) {
	n := normalizer{root: config, left: maxSchemas}
	schema, err := n.schema(config, maxDepth)
	if err != nil {
		return nil, err
	}
	const name = "kdcos:config"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(nowhere{})
	if err := compiler.AddResource(name, schema); err != nil {
		return nil, fmt.Errorf("is no schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err == nil {
		return compiled, nil
	}
	var invalid *jsonschema.SchemaValidationError
	var wrong *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &wrong) {
		found := sortProblems(problems(wrong, nil, schema))
		return nil, fmt.Errorf("is no schema of draft 4: %s", found[0])
	}
	var regex *jsonschema.InvalidRegexError
	if errors.As(err, &regex) {
		return nil, fmt.Errorf("is no schema of draft 4: pattern %q: %w", shorten(regex.Regex), regex.Err)
	}
	return nil, fmt.Errorf("is no schema of draft 4: %w", err)
}

// nowhere loads no document: a schema must not read files of ours.
type nowhere struct{}

func (nowhere) Load(name string) (any, error) {
	return nil, fmt.Errorf("%s: other documents are not loaded", shorten(name))
}

// normalizer copies a schema to one that can do no harm. What is not a schema
// stays as it is, wrong or not.
//
// $schema goes, since all are of draft 4, and id, which packages have as the
// address of documentation; a validator takes it for the base of references.
// References are replaced by what they refer to, and those that repeat
// themselves refused: with a few of them validation takes forever.
type normalizer struct {
	root any
	left int
}

func (n *normalizer) schema(value any, depth int) (any, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return value, nil
	}
	if n.left--; n.left < 0 || depth < 0 {
		return nil, errors.New("has too many schemas, or one that refers to itself")
	}
	if reference, ok := members["$ref"].(string); ok {
		target, err := n.target(reference)
		if err != nil {
			return nil, fmt.Errorf("$ref %q: %w", shorten(reference), err)
		}
		return n.schema(target, depth-1)
	}
	out := make(map[string]any, len(members))
	// In order, so that the same schema always gives the same error.
	for _, keyword := range slices.Sorted(maps.Keys(members)) {
		var err error
		switch v := members[keyword].(type) {
		case map[string]any:
			switch {
			case slices.Contains(inMembers, keyword):
				out[keyword], err = n.members(v, depth-1)
			case slices.Contains(inValue, keyword):
				out[keyword], err = n.schema(v, depth-1)
			case keyword != "definitions":
				out[keyword] = v
			}
		case []any:
			out[keyword] = v
			if slices.Contains(inElements, keyword) {
				out[keyword], err = n.elements(v, depth-1)
			}
		default:
			out[keyword] = v
		}
		if err != nil {
			return nil, err
		}
	}
	delete(out, "id")
	delete(out, "$schema")
	return out, nil
}

func (n *normalizer) members(in map[string]any, depth int) (any, error) {
	out := make(map[string]any, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		var err error
		if out[name], err = n.schema(in[name], depth); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (n *normalizer) elements(in []any, depth int) (any, error) {
	out := make([]any, len(in))
	for i, v := range in {
		var err error
		if out[i], err = n.schema(v, depth); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// target returns what a reference refers to.
func (n *normalizer) target(reference string) (any, error) {
	pointer, ok := strings.CutPrefix(reference, "#")
	if pointer, _ = url.PathUnescape(pointer); !ok || pointer != "" && pointer[0] != '/' {
		return nil, errors.New("must be a JSON pointer into the same document, such as #/definitions/port")
	}
	value := n.root
	for _, segment := range strings.Split(pointer, "/")[1:] {
		segment = strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[segment]
		case []any:
			i, err := strconv.Atoi(segment)
			if ok = err == nil && i >= 0 && i < len(v); ok {
				value = v[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, errors.New("refers to nothing")
		}
	}
	return value, nil
}

// problems says what rules are broken, in words for who wrote the document. A
// value is never part of it: it may be a password.
func problems(wrong *jsonschema.ValidationError, schema *jsonschema.Schema, document any) []Problem {
	path := pathOf(wrong.InstanceLocation, document)
	one := func(format string, args ...any) []Problem {
		return []Problem{{Path: path, Message: fmt.Sprintf(format, args...)}}
	}
	switch k := wrong.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Dependency:
		return one("%s", ruleOf(k))
	case *kind.Required:
		return one("is missing %s", enumerate(k.Missing))
	case *kind.AdditionalProperties:
		return one("has no option %s%s", enumerate(slices.Sorted(slices.Values(k.Properties))), known(schema, wrong))
	}
	if len(wrong.Causes) == 0 {
		return one("%s", ruleOf(wrong.ErrorKind))
	}
	var out []Problem
	for _, cause := range wrong.Causes {
		out = append(out, problems(cause, schema, document)...)
	}
	return out
}

// ruleOf says what a value must be.
func ruleOf(broken jsonschema.ErrorKind) string {
	switch k := broken.(type) {
	case *kind.Type:
		return "is " + article(k.Got) + ", must be " + enumerate(each(k.Want, article))
	case *kind.Enum:
		var allowed []string
		for _, v := range k.Want {
			text, _ := encode(v)
			allowed = append(allowed, string(text))
		}
		return "must be " + enumerate(allowed)
	case *kind.Pattern:
		return "must match " + shorten(k.Want)
	case *kind.Minimum:
		return "must be " + decimal(k.Want) + " or more"
	case *kind.Maximum:
		return "must be " + decimal(k.Want) + " or less"
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, must have %d or more", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, must have %d or less", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d elements, must have %d or more", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d elements, must have %d or less", k.Got, k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("has %d members, must have %d or more", k.Got, k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("has %d members, must have %d or less", k.Got, k.Want)
	case *kind.AdditionalItems:
		return fmt.Sprintf("has %d elements too many", k.Count)
	case *kind.UniqueItems:
		return fmt.Sprintf("elements %d and %d are the same", k.Duplicates[0], k.Duplicates[1])
	case *kind.Format:
		return "must be in the format " + shorten(k.Want)
	case *kind.AnyOf:
		return "is none of what is allowed"
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return "is more than one of what is allowed"
		}
		return "is none of what is allowed"
	case *kind.Dependency:
		return "with " + shorten(k.Prop) + " must have " + enumerate(k.Missing)
	case *kind.Not:
		return "is what is not allowed"
	}
	return "breaks the rule " + strings.Join(broken.KeywordPath(), "/")
}

// decimal spells a bound as a schema does: 0.1, not 1/10.
func decimal(bound *big.Rat) string {
	if bound.IsInt() {
		return bound.Num().String()
	}
	f, _ := bound.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func each(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

func article(kind string) string {
	switch kind {
	case "null":
		return kind
	case "integer", "array", "object":
		return "an " + kind
	}
	return "a " + kind
}

// known says which options there are where one is that is none.
func known(schema *jsonschema.Schema, wrong *jsonschema.ValidationError) string {
	for _, segment := range wrong.InstanceLocation {
		if schema == nil {
			return ""
		}
		schema = schema.Properties[segment]
	}
	if schema == nil || len(schema.Properties) == 0 {
		return ""
	}
	return "; there is " + enumerate(slices.Sorted(maps.Keys(schema.Properties)))
}
