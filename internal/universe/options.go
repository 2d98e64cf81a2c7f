// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"encoding/json"
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ParseOptions reads a user's options: a JSON object, or nothing. The error is
// an *Error.
func ParseOptions(data []byte) (map[string]any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	value, err := parse(data)
	if err != nil {
		return nil, &Error{Reason: InvalidOptions, Problems: []Problem{{Message: "options: " + err.Error()}}}
	}
	options, ok := value.(map[string]any)
	if !ok {
		return nil, &Error{Reason: InvalidOptions, Problems: []Problem{{Message: "options: must be a JSON object"}}}
	}
	return options, nil
}

// Defaults returns the options that hold unless a user gives others: defaults of
// properties, that of an object before those of its own properties. Nothing
// else in the schema has a say.
func (p *Package) Defaults() map[string]any {
	return defaults(p.schema()["properties"])
}

// schema returns config.json, which DecodePackage saw to be an object.
func (p *Package) schema() map[string]any {
	value, _ := parse(p.Config)
	schema, _ := value.(map[string]any)
	return schema
}

func defaults(properties any) map[string]any {
	out := map[string]any{}
	members, _ := properties.(map[string]any)
	for name, raw := range members {
		property, _ := raw.(map[string]any)
		if value, ok := property["default"]; ok {
			out[name] = value
		} else if below := defaults(property["properties"]); len(below) > 0 {
			out[name] = below
		}
	}
	return out
}

// Resolve lays a user's options over the defaults, and holds the result against
// the package's schema. The error is an *Error that names all options that break
// a rule; no value is in it.
func (p *Package) Resolve(options map[string]any) (map[string]any, error) {
	config := p.schema()
	merged := Merge(defaults(config["properties"]), options)
	// Cosmos asked no schema about nothing.
	if len(merged) == 0 {
		return merged, nil
	}
	if config == nil {
		return nil, p.failed(OptionsNotAllowed, "", "has no options")
	}
	schema, err := compile(config)
	if err != nil {
		return nil, p.failed(InvalidPackage, "config", "%v", err)
	}
	err = schema.Validate(merged)
	var wrong *jsonschema.ValidationError
	switch {
	case errors.As(err, &wrong):
		return nil, &Error{
			Reason: OptionsMismatch, Package: p.Name, Version: p.Version,
			Problems: sortProblems(problems(wrong, schema, merged)),
		}
	case err != nil:
		return nil, p.failed(InvalidPackage, "config", "%v", err)
	}
	return merged, nil
}

// context returns what a template sees: the options, and over them the
// resources, so that no option replaces an image.
func (p *Package) context(options map[string]any) map[string]any {
	if p.Resource == nil {
		return options
	}
	// Through JSON, for the names and the nulls.
	data, _ := json.Marshal(map[string]any{"resource": p.Resource})
	resource, _ := parse(data)
	members, _ := resource.(map[string]any)
	return Merge(options, members)
}
