// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kdcos/kdcos/internal/universe"
)

// with returns a package with a config, and a template that shows the options
// under "service".
func with(t testing.TB, config, template string) *universe.Package {
	t.Helper()
	document := minimal(universe.V4)
	if config != "" {
		document["config"] = json.RawMessage(config)
	}
	document["marathon"] = map[string]any{"v2AppMustacheTemplate": []byte(template)}
	p, err := universe.DecodePackage(encoded(t, document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func options(t testing.TB, text string) map[string]any {
	t.Helper()
	out, err := universe.ParseOptions([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDefaults(t *testing.T) {
	for config, want := range map[string]string{
		``:                       `{}`,
		`{}`:                     `{}`,
		`{"default":{"a":1}}`:    `{}`,
		`{"properties":{"a":1}}`: `{}`,
		`{"properties":{"a":{"default":1},"b":{},"c":{"default":null},"d":{"default":512.0}}}`:                          `{"a":1,"c":null,"d":512}`,
		`{"properties":{"a":{"properties":{"b":{"default":"x"},"c":{"properties":{"d":{}}}}}}}`:                         `{"a":{"b":"x"}}`,
		`{"properties":{"a":{"default":{"x":1},"properties":{"b":{"default":2}}}}}`:                                     `{"a":{"x":1}}`,
		`{"definitions":{"p":{"default":1}},"properties":{"a":{"$ref":"#/definitions/p"},"b":{"items":{"default":1}}}}`: `{}`,
	} {
		if got := string(encoded(t, with(t, config, "{}").Defaults())); got != want {
			t.Errorf("%s: got %s, want %s", config, got, want)
		}
	}
}

func TestMerge(t *testing.T) {
	under := options(t, `{"a":{"b":1,"c":[1,2],"d":{"e":1}},"f":1,"g":{"h":1}}`)
	over := options(t, `{"a":{"c":[3],"d":null},"f":{"x":1},"g":1,"n":null}`)
	if got := string(encoded(t, universe.Merge(under, over))); got != `{"a":{"b":1,"c":[3],"d":null},"f":{"x":1},"g":1,"n":null}` {
		t.Error(got)
	}
	if got := string(encoded(t, under)); got != `{"a":{"b":1,"c":[1,2],"d":{"e":1}},"f":1,"g":{"h":1}}` {
		t.Error("changed:", got)
	}
}

func TestParseOptions(t *testing.T) {
	for in, want := range map[string]string{
		`{`:                  "options: unexpected end of input",
		`{"a":1}x`:           "options: there is more than one JSON value",
		`{"a":1} {}`:         "options: there is more than one JSON value",
		`[]`:                 "options: must be a JSON object",
		`null`:               "options: must be a JSON object",
		"{\n\"a\":x}":        "options: line 2: invalid character 'x' looking for beginning of value",
		`{"a":1e400}`:        "options: a: number is out of range",
		`{"a":1e-999999999}`: "options: a: number is out of range",
		`{"a":{"b c":[1,1` + strings.Repeat("0", 999) + `]}}`:       `options: a["b c"][1]: number is out of range`,
		strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70): "options: is nested deeper than 64 levels",
	} {
		_, err := universe.ParseOptions([]byte(in))
		var refusal *universe.Error
		if !errors.As(err, &refusal) || refusal.Reason != universe.InvalidOptions || err.Error() != want {
			t.Errorf("%.40s: got %v, want %s", in, err, want)
		}
	}
	if got, err := universe.ParseOptions(nil); got != nil || err != nil {
		t.Error(got, err)
	}
}

const config = `{
  "$schema": "http://json-schema.org/schema#", "id": "https://example.com/service",
  "type": "object", "additionalProperties": false, "required": ["service"],
  "properties": {
    "service": {
      "type": "object", "additionalProperties": false, "required": ["name", "principal"],
      "properties": {
        "name": {"id": "https://example.com/service", "type": "string", "default": "hello", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 9},
        "principal": {"type": "string"},
        "cpus": {"type": "number", "default": 0.5, "minimum": 0.1, "maximum": 8},
        "count": {"type": "integer", "default": 1, "minimum": 0, "exclusiveMinimum": true, "multipleOf": 1},
        "mode": {"enum": ["a", "b", 3], "default": "a"},
        "zones": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "minItems": 1, "uniqueItems": true},
        "a.b": {"type": ["boolean", "null"]},
        "one": {"oneOf": [{"type": "string"}, {"enum": ["x"]}]},
        "not": {"not": {"type": "string"}},
        "ipv4": {"type": "string", "format": "ipv4"}
      },
      "dependencies": {"cpus": ["name"], "zones": ["ipv4"]}
    }
  }
}`

func TestResolve(t *testing.T) {
	p := with(t, config, "{}")
	for in, want := range map[string]string{
		`{"service":{"principal":"p"}}`:             "",
		`{"service":{"principal":"p","count":2.0}}`: "",
		`{"service":{"principal":"p","count":1e1}}`: "",
		`{"service":{"principal":"p","a.b":null}}`:  "",
		`{}`:                             "service: is missing principal",
		`{"service":null}`:               "service: is null, must be an object",
		`{"service":{"principal":null}}`: "service.principal: is null, must be a string",
		`{"service":{"principal":"secret","x":1,"y":2}}`:                       `service: has no option x or y; there is a.b, count, cpus, ipv4, mode, name, not, one, principal or zones`,
		`{"services":{},"service":{"principal":"p"}}`:                          "has no option services; there is service",
		`{"service":{"principal":"p","name":"SECRET"}}`:                        "service.name: must match ^[a-z]+$",
		`{"service":{"principal":"p","name":"a"}}`:                             "service.name: has 1 characters, must have 2 or more",
		`{"service":{"principal":"p","cpus":0}}`:                               "service.cpus: must be 0.1 or more",
		`{"service":{"principal":"p","cpus":8.5}}`:                             "service.cpus: must be 8 or less",
		`{"service":{"principal":"p","cpus":"1"}}`:                             "service.cpus: is a string, must be a number",
		`{"service":{"principal":"p","count":0}}`:                              "service.count: must be more than 0",
		`{"service":{"principal":"p","count":1.5}}`:                            "service.count: is a number, must be an integer",
		`{"service":{"principal":"p","mode":"secret"}}`:                        `service.mode: must be "a", "b" or 3`,
		`{"service":{"principal":"p","a.b":"secret"}}`:                         `service["a.b"]: is a string, must be null or a boolean`,
		`{"service":{"principal":"p","one":"x"}}`:                              "service.one: is more than one of what is allowed",
		`{"service":{"principal":"p","one":1}}`:                                "service.one: is none of what is allowed",
		`{"service":{"principal":"p","not":"secret"}}`:                         "service.not: is what is not allowed",
		`{"service":{"principal":"p","zones":["a"]}}`:                          "service: with zones must have ipv4",
		`{"service":{"principal":"p","zones":["a",1],"ipv4":"1.2.3"}}`:         "service.ipv4: must be in the format ipv4; service.zones[1]: is a number, must be a string",
		`{"service":{"principal":"p","zones":["s","t","s"],"ipv4":"1.2.3.4"}}`: "service.zones: elements 0 and 2 are the same; service.zones: has 3 elements, must have 2 or less",
	} {
		_, err := p.Resolve(options(t, in))
		var refusal *universe.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", in, err)
		case want != "" && (!errors.As(err, &refusal) || refusal.Reason != universe.OptionsMismatch || err.Error() != "package hello 1.0: "+want):
			t.Errorf("%s: got %v, want %s", in, err, want)
		case err != nil && strings.Contains(strings.ToLower(err.Error()), "secret"):
			t.Errorf("%s: %v tells a value", in, err)
		}
	}
}

// TestResolveEdges has what Cosmos decided.
func TestResolveEdges(t *testing.T) {
	for _, c := range []struct{ name, config, options, reason string }{
		{"no config, no options", ``, ``, ""},
		{"no config, empty options", ``, `{}`, ""},
		{"no config, options", ``, `{"a":1}`, "OptionsNotAllowed"},
		{"no options against a schema that wants some", `{"required":["a"]}`, ``, ""},
		{"options against it", `{"required":["a"]}`, `{"b":1}`, "JsonSchemaMismatch"},
		{"a default of the wrong type", `{"properties":{"a":{"type":"string","default":1}}}`, ``, "JsonSchemaMismatch"},
	} {
		_, err := with(t, c.config, "{}").Resolve(options(t, c.options))
		var refusal *universe.Error
		if c.reason == "" && err != nil || c.reason != "" && (!errors.As(err, &refusal) || string(refusal.Reason) != c.reason) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.reason)
		}
	}
}

// TestDangerousSchemas has schemas that would do harm, or can't be used.
func TestDangerousSchemas(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(`{"allOf":[{"$ref":"#/definitions/0"}],"definitions":{`)
	for i := range 40 {
		next := `{"$ref":"#/definitions/` + string(rune('0'+i+1)) + `"}`
		laughs.WriteString(`"` + string(rune('0'+i)) + `":{"allOf":[` + next + `,` + next + `]},`)
	}
	laughs.WriteString(`"X":{}}}`)
	for _, c := range []struct{ name, config, want string }{
		{"a file", `{"$ref":"file:///etc/passwd"}`, `config: $ref "file:///etc/passwd": must be a JSON pointer into the same document, such as #/definitions/port`},
		{"another server", `{"properties":{"a":{"$ref":"http://example.com/x"}}}`, `config: $ref "http://example.com/x": must be a JSON pointer into the same document, such as #/definitions/port`},
		{"nothing", `{"properties":{"a":{"$ref":"#/definitions/b/0"}}}`, `config: $ref "#/definitions/b/0": refers to nothing`},
		{"itself", `{"$ref":"#"}`, "config: has too many schemas, or one that refers to itself"},
		{"itself below", `{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, "config: has too many schemas, or one that refers to itself"},
		{"a billion laughs", laughs.String(), "config: has too many schemas, or one that refers to itself"},
		{"no schema", `{"type":"text"}`, "config: is no schema of draft 4: type: is none of what is allowed"},
		{"no schema below", `{"properties":{"a":{"minimum":"1"}}}`, "config: is no schema of draft 4: properties.a.minimum: is a string, must be a number"},
		{"draft 3", `{"properties":{"a":{"required":true}}}`, "config: is no schema of draft 4: properties.a.required: is a boolean, must be an array"},
		{"no pattern of properties", `{"patternProperties":{"(":{}}}`, "config: is no schema of draft 4: pattern \"(\": error parsing regexp: missing closing ): `(`"},
		{"no pattern", `{"properties":{"a":{"pattern":"("}}}`, "config: is no schema of draft 4: properties.a.pattern: must be in the format regex"},
	} {
		start := time.Now()
		_, err := with(t, c.config, "{}").Resolve(options(t, `{"a":{"a":{"a":1}}}`))
		var refusal *universe.Error
		if !errors.As(err, &refusal) || refusal.Reason != universe.InvalidPackage || err.Error() != "package hello 1.0: "+c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
	}
}

// TestReferences follows references within a schema.
func TestReferences(t *testing.T) {
	p := with(t, `{
	  "definitions": {"port": {"type": "integer", "minimum": 1}, "a/b": {"$ref": "#/definitions/port"}},
	  "properties": {"http": {"$ref": "#/definitions/a~1b"}, "$ref": {"type": "string"}, "id": {"type": "string"}, "list": {"items": [{"$ref": "#/properties/http"}]}}
	}`, "{}")
	for in, want := range map[string]string{
		`{"http":80,"$ref":"x","id":"y"}`: "",
		`{"http":0}`:                      "package hello 1.0: http: must be 1 or more",
		`{"id":1}`:                        "package hello 1.0: id: is a number, must be a string",
		`{"$ref":1}`:                      "package hello 1.0: $ref: is a number, must be a string",
		`{"list":["x"]}`:                  "package hello 1.0: list[0]: is a string, must be an integer",
	} {
		_, err := p.Resolve(options(t, in))
		if err == nil != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

// FuzzResolve holds whatever options against whatever config.
func FuzzResolve(f *testing.F) {
	f.Add([]byte(config), []byte(`{"service":{"principal":"p"}}`))
	f.Add([]byte(`{"properties":{"a":{"$ref":"#/definitions/b"}},"definitions":{"b":{"default":1}}}`), []byte(`{"a":1.0}`))
	f.Add([]byte(`{"properties":{"a":{"multipleOf":1e-300,"default":1e300}}}`), []byte(`{"a":[[]]}`))
	f.Fuzz(func(t *testing.T, config, given []byte) {
		user, err := universe.ParseOptions(given)
		if err != nil || !json.Valid(config) {
			return
		}
		document := minimal(universe.V4)
		document["config"] = json.RawMessage(config)
		p, err := universe.DecodePackage(encoded(t, document))
		if err != nil {
			return
		}
		merged, err := p.Resolve(user)
		var refusal *universe.Error
		switch {
		case err != nil && (!errors.As(err, &refusal) || refusal.Reason == "" || len(refusal.Problems) == 0):
			t.Errorf("refused without a reason: %v", err)
		case err == nil && difference("", merged, universe.Merge(p.Defaults(), user)) != "":
			t.Error("resolved to something else")
		}
	})
}
