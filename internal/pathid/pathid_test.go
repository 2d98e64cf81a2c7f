// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package pathid

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ base, id, want string }{
		{"/", "/a/b", "/a/b"},
		{"", "a/b", "/a/b"},
		{"/prod", "web", "/prod/web"},
		{"/prod", "/web", "/web"},
		{"/prod", "../web", "/web"},
		{"/prod/db", "x/../../web", "/prod/web"},
		{"/prod", "../../../web", "/web"},
		{"/prod", "./web/.", "/prod/web"},
		{"/prod", "", "/prod"},
		{"/prod/", "//a///b/", "/a/b"},
		{"/prod//x", "a//b/", "/prod/x/a/b"},
		{"/", "/", "/"},
		{"/", "..", "/"},
		{"/a", "/b/../../c", "/c"},
		{"/prod", "a.b/c_d", "/prod/a.b/c_d"},
	} {
		if got, err := Canonical(c.base, c.id); got != c.want || err != nil {
			t.Errorf("Canonical(%q, %q) = %q, %v; want %q", c.base, c.id, got, err, c.want)
		}
	}
	if id, err := Canonical("prod", "web"); err == nil {
		t.Errorf("a relative base is taken: %q", id)
	}
}

func TestValidate(t *testing.T) {
	for _, id := range []string{
		"/a", "/0", "/a/b/c", "/hello_world", "/a.b.c/d-e", "/prod/web-1.api", "/x/restart/y", "/tasks/x",
		"/" + strings.Repeat("a", 1000), "/a" + strings.Repeat("/b", 1000),
	} {
		if err := Validate(id); err != nil {
			t.Errorf("%.40s: %v", id, err)
		}
	}
	for id, want := range map[string]string{
		"":            messageBase,
		"a":           messageBase,
		"/":           messageRoot,
		"//":          messageRoot,
		"/A":          messageSegment,
		"/a b":        messageSegment,
		"/-a":         messageSegment,
		"/a-":         messageSegment,
		"/_a":         messageSegment,
		"/a_":         messageSegment,
		"/.a":         messageSegment,
		"/a.":         messageSegment,
		"/a..b":       messageSegment,
		"/a.-b":       messageSegment,
		"/ü":          messageSegment,
		"/a\x00":      messageSegment,
		"/a\n":        messageSegment,
		"/...":        messageSegment,
		"/restart":    messageLast,
		"/a/tasks":    messageLast,
		"/a/versions": messageLast,
		"/a/.":        messageLast,
		"/..":         messageLast,
		"/a/../b":     "Identifier is not child of '/a/..'",
		"/./b":        "Identifier is not child of '/.'",
	} {
		if err := Validate(id); err == nil || err.Error() != want {
			t.Errorf("%q: %v; want %s", id, err, want)
		}
	}
	if err := Validate("/" + strings.Repeat("a", MaxLength)); err == nil {
		t.Error("an id of any length is taken")
	}
}

func TestValidateGroup(t *testing.T) {
	if err := ValidateGroup("/"); err != nil {
		t.Error(err)
	}
	if err := ValidateGroup("/A"); err == nil {
		t.Error("a group may have any id")
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		id, safe, parent string
		segments         int
	}{
		{"/prod/web/api", "prod_web_api", "/prod/web", 3},
		{"/hello_world", "hello_world", "/", 1},
		{"/prod//web/", "prod_web", "/prod", 2},
		{"/", "", "/", 0},
		{"", "", "/", 0},
	} {
		if got := Safe(c.id); got != c.safe {
			t.Errorf("Safe(%q) = %q", c.id, got)
		}
		if got := Parent(c.id); got != c.parent {
			t.Errorf("Parent(%q) = %q", c.id, got)
		}
		if got := Segments(c.id); len(got) != c.segments {
			t.Errorf("Segments(%q) = %q", c.id, got)
		}
	}
}
