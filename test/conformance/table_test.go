// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit"
)

// verdict is what became of a field of Marathon's.
type verdict string

const (
	isKept    verdict = "kept"
	isDiffers verdict = "differs"
	isRefused verdict = "refused"
)

// row is a line of the page: a field, or a rule, and what became of it.
type row struct {
	// field as users write it in Marathon's JSON, or a rule in words.
	field   string
	verdict verdict
	// words say what happens, how it differs, or why it is refused.
	words string
	// watched are the names of the behaviours that watch it.
	watched []string
}

// by adds the names of the behaviours that watch it.
func (r row) by(names ...string) row {
	r.watched = append(r.watched, names...)
	return r
}

func kept(field, words string) row    { return row{field: field, verdict: isKept, words: words} }
func differs(field, words string) row { return row{field: field, verdict: isDiffers, words: words} }
func refused(field, words string) row { return row{field: field, verdict: isRefused, words: words} }

// section is a table of the page.
type section struct {
	title string
	// about is what the table is about, if its title does not say it.
	about string
	// column is what the first column holds: fields, unless said.
	column string
	rows   []row
}

// sections are the tables in their order.
var sections = []section{
	reading, core, resources, container, parameters, volumes, upgrades, networks, ports, vips, environment, placement, health, checks, backoff, lost, pods,
}

func TestTable(t *testing.T) {
	registered := map[string]bool{}
	for _, b := range slices.Concat(storm, clocked, disruptive) {
		if registered[b.name] {
			t.Errorf("two behaviours are called %q", b.name)
		}
		registered[b.name] = true
	}
	watched := map[string]bool{}
	fields := map[string]verdict{}
	for _, s := range sections {
		for _, r := range s.rows {
			switch {
			case fields[r.field] != "":
				t.Errorf("%s has two rows", r.field)
			case r.words == "" && (r.verdict == isDiffers || r.verdict == isRefused):
				t.Errorf("%s: %s, and there is no word on why", r.field, r.verdict)
			case len(r.watched) == 0:
				t.Errorf("%s: no behaviour watches it", r.field)
			}
			fields[r.field] = r.verdict
			for _, name := range r.watched {
				if !registered[name] {
					t.Errorf("%s: there is no behaviour %q", r.field, name)
				}
				watched[name] = true
			}
		}
	}
	for name := range registered {
		if !watched[name] {
			t.Errorf("no row names the behaviour %q", name)
		}
	}
	for _, field := range wireFields(reflect.TypeFor[marathon.App](), "") {
		if !mentioned(fields, field) {
			t.Errorf("no row is about %s", field)
		}
	}
	for _, field := range wireFields(reflect.TypeFor[marathon.Pod](), "") {
		if !mentioned(fields, ofPod+field) {
			t.Errorf("no row is about %s of a pod", field)
		}
	}
	checkPage(t)
}

// mentioned says whether there is a row for the field, or for a part it belongs
// to that is not there as a whole.
func mentioned(fields map[string]verdict, field string) bool {
	if fields[field] != "" {
		return true
	}
	for {
		i := strings.LastIndexAny(field, ".[{")
		if i < 0 {
			return false
		}
		field = field[:i]
		if fields[field] == isRefused {
			return true
		}
	}
}

// wireFields are the fields of Marathon's JSON, as far as Go's types tell: what
// has a form of its own in JSON is one field.
func wireFields(t reflect.Type, path string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return wireFields(t.Elem(), path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return append([]string{path}, wireFields(t.Elem(), path+"[]")...)
		}
	case reflect.Map:
		if _, own := t.Elem().MethodByName("MarshalJSON"); t.Elem().Kind() == reflect.Struct && !own {
			return append([]string{path}, wireFields(t.Elem(), path+"{}")...)
		}
	case reflect.Struct:
		_, own := t.MethodByName("MarshalJSON")
		if own {
			break
		}
		var all []string
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			all = append(all, wireFields(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
		}
		return all
	}
	return []string{path}
}

func checkPage(t *testing.T) {
	t.Helper()
	head, err := os.ReadFile(filepath.Join("testdata", "head.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(testkit.Root(), "docs", "compat", "marathon.md")
	want := string(head) + tables()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/compat/marathon.md is not what the rows say: run go test ./test/conformance -run TestTable -update\n%s", diff)
	}
}

func tables() string {
	var b strings.Builder
	for _, s := range sections {
		column := s.column
		if column == "" {
			column = "field"
		}
		fmt.Fprintf(&b, "\n## %s\n", s.title)
		if s.about != "" {
			fmt.Fprintf(&b, "%s\n\n", s.about)
		}
		fmt.Fprintf(&b, "| %s | verdict | what happens |\n|---|---|---|\n", column)
		for _, r := range s.rows {
			name := strings.ReplaceAll(r.field, "|", `\|`)
			if !strings.Contains(name, "`") {
				name = "`" + name + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, r.verdict, strings.ReplaceAll(r.words, "|", `\|`))
		}
	}
	return b.String()
}
