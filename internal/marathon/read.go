// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The messages for values of a wrong type or out of range are those of Play, the
// JSON library of Marathon: its clients look for them.
const (
	wantArray   = "error.expected.jsarray"
	wantBoolean = "error.expected.jsboolean"
	wantInt     = "error.expected.int"
	wantLong    = "error.expected.long"
	wantNumber  = "error.expected.jsnumber"
	wantObject  = "error.expected.jsobject"
	wantString  = "error.expected.jsstring"
	notInEnum   = "error.unknown.enum.literal"
	pathMissing = "error.path.missing"

	belowMin    = "error.min"
	aboveMax    = "error.max"
	tooShort    = "error.minLength"
	tooLong     = "error.maxLength"
	noMatch     = "error.pattern"
	maxMentions = 256
)

// node is a value in a JSON document and the place it is at. Readers add what
// is wrong with it to out, and return whatever they have.
type node struct {
	path string
	raw  any
	out  *problems
}

// reader makes a T of a value.
type reader[T any] func(node) T

func (n node) fail(message string) { n.out.add(n.path, message) }

// fields returns the members of an object; it has none where it is no object.
func (n node) fields() object {
	members, ok := n.raw.(map[string]any)
	if !ok {
		n.fail(wantObject)
	}
	return object{node: n, members: members, ok: ok}
}

// object is a JSON object. Members nobody asks for are ignored, as Marathon did:
// published packages have "maintainer", "priviledged" and others.
type object struct {
	node
	members map[string]any
	ok      bool
}

// member returns the value of a member; null is as good as none.
func (o object) member(name string) (node, bool) {
	raw, ok := o.members[name]
	return node{path: o.path + "/" + name, raw: raw, out: o.out}, ok && raw != nil
}

// optional reads a member, nil if there is none.
func optional[T any](o object, name string, read reader[T]) *T {
	n, ok := o.member(name)
	if !ok {
		return nil
	}
	v := read(n)
	return &v
}

// either reads a member, the zero value if there is none.
func either[T any](o object, name string, read reader[T]) T {
	n, ok := o.member(name)
	if !ok {
		var none T
		return none
	}
	return read(n)
}

// required reads a member that has to be there.
func required[T any](o object, name string, read reader[T]) T {
	n, _ := o.member(name)
	if _, there := o.members[name]; !there {
		var none T
		if o.ok {
			n.fail("'" + name + "' is undefined on object: " + mention(o.members))
		}
		return none
	}
	return read(n)
}

// expected is required with the message Marathon has for its simplest types.
func expected[T any](o object, name string, read reader[T]) T {
	n, _ := o.member(name)
	if _, there := o.members[name]; !there {
		var none T
		if o.ok {
			n.fail(pathMissing)
		}
		return none
	}
	return read(n)
}

// mention quotes a value in a message. It is cut: labels can be megabytes.
func mention(v any) string {
	text := fingerprint(v)
	if len(text) > maxMentions {
		return strings.ToValidUTF8(text[:maxMentions], "") + "…"
	}
	return text
}

// fingerprint is the same for equal values only.
func fingerprint(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// list reads an array; the result is not nil.
func list[T any](read reader[T]) reader[[]T] {
	return func(n node) []T {
		items, ok := n.raw.([]any)
		if !ok {
			n.fail(wantArray)
		}
		out := make([]T, 0, len(items))
		for i, raw := range items {
			out = append(out, read(node{path: index(n.path, i), raw: raw, out: n.out}))
		}
		return out
	}
}

// set reads an array of which equal members count once.
func set[T comparable](read reader[T]) reader[[]T] {
	return func(n node) []T { return orEmpty(distinct(list(read)(n))) }
}

// tuples reads an array of arrays of strings, of which equal ones count once.
func tuples(n node) [][]string { return orEmpty(unlike(list(list(text()))(n))) }

func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// dictionary reads an object with any members; the result is not nil.
func dictionary[T any](read reader[T]) reader[map[string]T] {
	return func(n node) map[string]T {
		o := n.fields()
		out := make(map[string]T, len(o.members))
		for _, name := range sortedKeys(o.members) {
			out[name] = read(node{path: n.path + "/" + name, raw: o.members[name], out: n.out})
		}
		return out
	}
}

// text reads a string that all of the rules hold for.
func text(rules ...func(string) string) reader[string] {
	return func(n node) string {
		s, ok := n.raw.(string)
		if !ok {
			n.fail(wantString)
			return ""
		}
		for _, rule := range rules {
			if message := rule(s); message != "" {
				n.fail(message)
			}
		}
		return s
	}
}

// notEmpty is the rule that Play calls minLength(1).
func notEmpty(s string) string { return unless(s != "", tooShort) }

func maxLength(limit int) func(string) string {
	return func(s string) string {
		return unless(utf8.RuneCountInString(s) <= limit, tooLong)
	}
}

func pattern(expression *regexp.Regexp) func(string) string {
	return func(s string) string {
		return unless(expression.MatchString(s), noMatch)
	}
}

// enum reads a string that is one of the values, in any case: Marathon takes
// "ROOT" for a volume type and "tcp" for a health check.
func enum[T ~string](values ...T) reader[T] {
	return func(n node) T {
		s, _ := n.raw.(string)
		for _, value := range values {
			if strings.EqualFold(s, string(value)) {
				return value
			}
		}
		n.fail(notInEnum)
		return ""
	}
}

func boolean(n node) bool {
	b, ok := n.raw.(bool)
	if !ok {
		n.fail(wantBoolean)
	}
	return b
}

// number reads a number not below min and not above max. A number in a string
// is none.
func number(least, most float64) reader[float64] {
	return func(n node) float64 {
		literal, _ := n.raw.(json.Number)
		v, err := strconv.ParseFloat(string(literal), 64)
		if err != nil {
			n.fail(wantNumber)
			return least
		}
		inRange(n, v, least, most)
		return v
	}
}

// int32s reads a whole number that 32 bits hold, within bounds.
func int32s(least, most int64) reader[int32] {
	return func(n node) int32 { return narrow(integer(n, least, most, math.MinInt32, math.MaxInt32, wantInt)) }
}

// natural reads a whole number that 64 bits hold and that is not negative.
func natural(n node) int64 {
	return integer(n, 0, math.MaxInt64, math.MinInt64, math.MaxInt64, wantLong)
}

// narrow returns the number in 32 bits, or the closest they hold.
func narrow(v int64) int32 {
	if v < math.MinInt32 {
		return math.MinInt32
	}
	if v > math.MaxInt32 {
		return math.MaxInt32
	}
	return int32(v)
}

func integer(n node, least, most, lowest, highest int64, want string) int64 {
	literal, ok := n.raw.(json.Number)
	if !ok {
		n.fail(wantNumber)
		return 0
	}
	v, err := strconv.ParseInt(string(literal), 10, 64)
	if err != nil {
		// 1.0 and 1e3 are whole numbers too.
		f, err := strconv.ParseFloat(string(literal), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			n.fail(want)
			return 0
		}
		v = int64(f)
	}
	if v < lowest || v > highest {
		n.fail(want)
		return 0
	}
	inRange(n, v, least, most)
	return v
}

func inRange[T int64 | float64](n node, v, least, most T) {
	if v < least {
		n.fail(belowMin)
	}
	if v > most {
		n.fail(aboveMax)
	}
}

func index(path string, i int) string { return path + "(" + strconv.Itoa(i) + ")" }

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
