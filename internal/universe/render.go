// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a render. The largest recorded has 70 KB.
const (
	maxRendered = 4 << 20
	maxSteps    = 4 << 20
)

// Execute renders a template. What it returns is meant to be JSON, and need not
// be. The error is for a render that does not come to an end within bounds.
func (t *Template) Execute(context map[string]any) (string, error) {
	root, _ := toJava(context, false).(map[string]any)
	root["asJson"] = rawJSON(context)
	r := &renderer{scopes: []any{root}, left: maxSteps}
	if err := r.run(t.nodes); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// renderer renders values as toJava makes them.
type renderer struct {
	scopes []any
	out    strings.Builder
	left   int
}

func (r *renderer) run(nodes []node) error {
	for _, n := range nodes {
		// A step is a look into one scope.
		if r.left -= len(r.scopes); r.left < 0 {
			return fmt.Errorf("takes more than %d steps", maxSteps)
		}
		var err error
		switch n.kind {
		case isText:
			err = r.write(n.text)
		case isVariable:
			err = r.variable(n.text)
		case isSection:
			err = r.section(n)
		case isInverted:
			if !truthy(r.lookup(n.text)) {
				err = r.run(n.nodes)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) write(text string) error {
	if r.out.Len()+len(text) > maxRendered {
		return fmt.Errorf("gives more than %d bytes", maxRendered)
	}
	r.out.WriteString(text)
	return nil
}

func (r *renderer) variable(name string) error {
	if value := r.lookup(name); value != nil {
		return r.write(display(value))
	}
	return nil
}

// section renders once for each element of a list, or once for anything else
// that is true. What it is about is the innermost scope.
func (r *renderer) section(n node) error {
	value := r.lookup(n.text)
	if function, ok := value.(rawJSON); ok {
		return r.write(function.of(n.source))
	}
	if !truthy(value) {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, element := range list {
		depth := len(r.scopes)
		if element != nil {
			r.scopes = append(r.scopes, element)
		}
		err := r.run(n.nodes)
		r.scopes = r.scopes[:depth]
		if err != nil {
			return err
		}
	}
	// Going through an empty section counts, too.
	r.left -= len(list)
	return nil
}

// truthy says what Cosmos took for true: 0 and " " are.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}

// lookup finds a name: in each scope, innermost first, as it is, then by the
// segments between its dots. Where all segments but the last are found the
// search ends, whether or not the last is.
func (r *renderer) lookup(name string) any {
	if name == "." {
		return r.scopes[len(r.scopes)-1]
	}
	for _, scope := range slices.Backward(r.scopes) {
		if value, ok := member(scope, name); ok {
			return value
		}
		if value, end := path(scope, name); end {
			return value
		}
	}
	return nil
}

func path(scope any, name string) (value any, end bool) {
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil, false
	}
	for dotted {
		found, ok := member(scope, first)
		if !ok {
			return nil, false
		}
		if scope = found; scope == nil {
			return nil, true
		}
		first, rest, dotted = strings.Cut(rest, ".")
	}
	value, _ = member(scope, first)
	return value, true
}

// member returns a member of an object. Lists and strings have the one method
// of Java that templates came to use.
func member(scope any, name string) (value any, ok bool) {
	switch v := scope.(type) {
	case map[string]any:
		value, ok = v[name]
	case []any:
		if name == "isEmpty" {
			return len(v) == 0, true
		}
	case string:
		if name == "isEmpty" {
			return v == "", true
		}
	}
	return value, ok
}

// javaNumber is a number as Java prints it.
type javaNumber string

// toJava makes of JSON what Cosmos gave to its template engine: strings are
// escaped as in JSON, so that "{{x}}" is always a string, and in lists they keep
// their quotes.
func toJava(value any, inList bool) any {
	switch v := value.(type) {
	case string:
		quoted, _ := encode(v)
		if inList {
			return string(quoted)
		}
		return string(quoted[1 : len(quoted)-1])
	case json.Number:
		return javaNumber(printNumber(v))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = toJava(v[i], true)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v)+1)
		for k := range v {
			out[k] = toJava(v[k], false)
		}
		return out
	}
	return value
}

// display prints a value as Java does. An object is never JSON.
func display(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case javaNumber:
		return string(v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = display(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+display(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}

// printNumber prints a canonical number: a whole one with all its digits,
// another as Java's Double.toString does.
func printNumber(n json.Number) string {
	if !strings.ContainsAny(string(n), ".eE") {
		return string(n)
	}
	f, err := n.Float64()
	if err != nil {
		return string(n)
	}
	if size := math.Abs(f); size >= 1e-3 && size < 1e7 {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	power, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(power)
}

// rawJSON is the function asJson: {{#asJson}}name{{/asJson}} is the text of an
// option as it is, to be JSON, and null where there is none. Cosmos took the
// text for a template; here it is inserted, as all values are.
type rawJSON map[string]any

func (j rawJSON) of(name string) string {
	if text, ok := j[name].(string); ok {
		return text
	}
	return "null"
}
