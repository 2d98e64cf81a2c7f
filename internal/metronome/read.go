// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a value in a JSON document and the place it is at. Readers add what
// is wrong with it to out, and return whatever they have.
type node struct {
	path string
	raw  any
	out  *problems
}

func (n node) fail(format string, args ...any) { n.out.add(n.path, fmt.Sprintf(format, args...)) }

// expected says that a value is of another type.
func (n node) expected(what string) {
	is := "null"
	switch n.raw.(type) {
	case bool:
		is = "boolean"
	case json.Number:
		is = "number"
	case string:
		is = "string"
	case []any:
		is = "array"
	case map[string]any:
		is = "object"
	}
	n.fail("Wrong type. Expected %s, was %s.", what, is)
}

// object is a JSON object.
type object struct {
	node
	members map[string]any
}

// open returns the members of an object of which any may be there.
func (n node) open() object {
	members, ok := n.raw.(map[string]any)
	if !ok {
		n.expected("object")
	}
	return object{node: n, members: members}
}

// object returns the members of an object that has these and no others: a name
// that is misspelt would be a setting that is lost.
func (n node) object(names ...string) object {
	o := n.open()
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !slices.Contains(names, name) {
			n.fail("Additional properties are not allowed but found '%s'. There are %s.", cut(name), strings.Join(names, ", "))
		}
	}
	return o
}

// cut keeps what is mentioned in messages short.
func cut(text string) string {
	const most = 256
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// get returns a member; null is as good as none.
func (o object) get(name string) (node, bool) {
	raw, ok := o.members[name]
	return node{path: o.path + "/" + name, raw: raw, out: o.out}, ok && raw != nil
}

// need returns a member that has to be there.
func (o object) need(name string) (node, bool) {
	n, ok := o.get(name)
	if !ok && o.members != nil {
		o.fail("Property %s missing.", name)
	}
	return n, ok
}

// optional reads a member, nil if there is none.
func optional[T any](o object, name string, read func(node) T) *T {
	n, ok := o.get(name)
	if !ok {
		return nil
	}
	v := read(n)
	return &v
}

// either reads a member, or takes the default.
func either[T any](o object, name string, read func(node) T, otherwise T) T {
	if n, ok := o.get(name); ok {
		return read(n)
	}
	return otherwise
}

// required reads a member that has to be there.
func required[T any](o object, name string, read func(node) T) T {
	n, ok := o.need(name)
	if !ok {
		var none T
		return none
	}
	return read(n)
}

// list reads an array; the result is not nil.
func list[T any](most int, read func(node) T) func(node) []T {
	return func(n node) []T {
		items, ok := n.raw.([]any)
		if !ok {
			n.expected("array")
		}
		if len(items) > most {
			n.fail("has size %d, expected %d or less", len(items), most)
			items = nil
		}
		out := make([]T, 0, len(items))
		for i, raw := range items {
			out = append(out, read(node{path: index(n.path, i), raw: raw, out: n.out}))
		}
		return out
	}
}

// dictionary reads an object with any names; the result is not nil.
func dictionary[T any](most int, name *regexp.Regexp, read func(node) T) func(node) map[string]T {
	return func(n node) map[string]T {
		o := n.open()
		if len(o.members) > most {
			n.fail("has %d entries, expected %d or less", len(o.members), most)
			o.members = nil
		}
		out := make(map[string]T, len(o.members))
		for _, key := range slices.Sorted(maps.Keys(o.members)) {
			m := node{path: n.path + "/" + cut(key), raw: o.members[key], out: n.out}
			if name != nil && !name.MatchString(key) {
				m.fail("the name does not match pattern '%s'.", name)
			}
			out[key] = read(m)
		}
		return out
	}
}

// text reads a string of so many characters.
func text(least, most int) func(node) string {
	return func(n node) string {
		s, ok := n.raw.(string)
		if !ok {
			n.expected("string")
			return ""
		}
		if length := utf8.RuneCountInString(s); length < least || length > most {
			n.fail("has %d characters, expected %d to %d", length, least, most)
		}
		return s
	}
}

// matching reads a string of a pattern.
func matching(pattern *regexp.Regexp, most int) func(node) string {
	return func(n node) string {
		s := text(1, most)(n)
		if s != "" && !pattern.MatchString(s) {
			n.fail("'%s' does not match pattern '%s'.", cut(s), pattern)
		}
		return s
	}
}

// word reads one of several strings.
func word[T ~string](words ...T) func(node) T {
	return func(n node) T {
		s, ok := n.raw.(string)
		if !ok {
			n.expected("string")
			return ""
		}
		if slices.Contains(words, T(s)) {
			return T(s)
		}
		n.fail("'%s' is not one of: %s", cut(s), strings.Join(texts(words), ", "))
		return ""
	}
}

func texts[T ~string](words []T) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

func boolean(n node) bool {
	b, ok := n.raw.(bool)
	if !ok {
		n.expected("boolean")
	}
	return b
}

// number reads a number within bounds.
func number(least, most float64) func(node) float64 {
	return func(n node) float64 {
		literal, ok := n.raw.(json.Number)
		if !ok {
			n.expected("number")
			return least
		}
		v, err := strconv.ParseFloat(string(literal), 64)
		if err != nil || v < least || v > most {
			n.fail("%s is not between %s and %s", cut(string(literal)), short(least), short(most))
			return least
		}
		return v + 0 // -0 is 0
	}
}

// integer reads a whole number within bounds; 1.0 and 1e3 are whole.
func integer(least, most int32) func(node) int32 {
	return func(n node) int32 {
		v := number(float64(least), float64(most))(n)
		if v != math.Trunc(v) {
			n.fail("%s is no whole number", short(v))
		}
		return int32(v)
	}
}

// seconds reads a number of seconds, of which parts are dropped.
func seconds(most int32) func(node) int32 {
	return func(n node) int32 { return int32(number(0, float64(most))(n)) }
}

func short(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func index(path string, i int) string { return path + "(" + strconv.Itoa(i) + ")" }
