// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/internal/universe"
)

// fixture is a small index of our own.
func fixture(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// minimal is a package of a packaging version with nothing but what it must have.
func minimal(packagingVersion string) map[string]any {
	return map[string]any{
		"packagingVersion": packagingVersion, "name": "hello", "version": "1.0", "releaseVersion": 0,
		"maintainer": "m", "description": "d", "tags": []any{}, "marathon": map[string]any{"v2AppMustacheTemplate": "e30="},
	}
}

func encoded(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRecordedPackages reads every recorded package, and writes it as it was.
func TestRecordedPackages(t *testing.T) {
	packages := recordedPackages(t)
	var raw struct{ Packages []json.RawMessage }
	if err := json.NewDecoder(open(t, "universe-dev.json.gz")).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	if len(packages) != len(raw.Packages) || len(packages) == 0 {
		t.Fatalf("%d packages are read of %d", len(packages), len(raw.Packages))
	}
	versions := map[string]int{}
	for i, p := range packages {
		versions[p.PackagingVersion]++
		want, got := parse(t, raw.Packages[i]), parse(t, encoded(t, p))
		if d := difference("", withoutNulls(got), withoutNulls(want)); d != "" {
			t.Errorf("%s %s differs at %s", p.Name, p.Version, d)
		}
	}
	t.Logf("%d packages: %v", len(packages), versions)
}

func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			// An empty list is left out, which means the same.
			if list, ok := v[k].([]any); v[k] == nil || ok && len(list) == 0 {
				continue
			}
			out[k] = withoutNulls(v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNulls(v[i])
		}
		return out
	}
	return value
}

// TestDecodeIndex reads an index with packages of all versions and with some
// that can't be read.
func TestDecodeIndex(t *testing.T) {
	index, err := universe.DecodeIndex(fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range index.Packages {
		got = append(got, fmt.Sprintf("%s %s %s %d", p.PackagingVersion, p.Name, p.Version, p.ReleaseVersion))
	}
	want := []string{
		"2.0 hello 0.1 0", "3.0 hello 0.2 1", "4.0 hello 1.0 100", "5.0 hello 1.1-beta 200",
		"4.0 tool 1.0 0", "3.0 retired 1.0 0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var refusals []string
	for _, refusal := range index.Rejected {
		refusals = append(refusals, refusal.Error())
	}
	want = []string{
		`package bad 1: description: is missing; packagingVersion: must be 2.0, 3.0, 4.0 or 5.0; tags: is string, must be an array`,
		`package at packages[7]: must be a JSON object`,
	}
	if d := cmp.Diff(want, refusals); d != "" {
		t.Error(d)
	}
}

// TestDecodePackage changes a field of a package; the rest stays good.
func TestDecodePackage(t *testing.T) {
	for _, c := range []struct {
		name, version, field string
		value                any
		err                  string
	}{
		{"no name", universe.V4, "name", nil, "name: is missing"},
		{"bad name", universe.V4, "name", "Hello_1", "name: must match ^[a-z][a-z0-9-]*[a-z0-9]$"},
		{"any name", universe.V2, "name", "Hello_1", ""},
		{"name with a line", universe.V2, "name", "a\nb", "name: must not be empty or have spaces or control characters"},
		{"long name", universe.V4, "name", strings.Repeat("a", 254), "name: must not be longer than 253 characters"},
		{"number for version", universe.V4, "version", 1.0, "version: is number, must be a string"},
		{"bad version", universe.V5, "version", "1.0+a", "version: must match ^[-a-zA-Z0-9.]+$"},
		{"negative release", universe.V3, "releaseVersion", -1, "releaseVersion: must be 0 or more"},
		{"fraction of a release", universe.V3, "releaseVersion", 1.5, "releaseVersion: is number 1.5, must be an integer"},
		{"tag with a space", universe.V3, "tags", []any{"a b"}, "tags: must not be empty or have spaces or control characters"},
		{"number for tag", universe.V3, "tags", []any{1}, "tags: is number, must be a string"},
		{"text for bool", universe.V4, "framework", "yes", "framework: is string, must be true or false"},
		{"unknown field", universe.V4, "whatever", "x", ""},
		{"no template before 3.0", universe.V2, "marathon", nil, "marathon: is missing"},
		{"no template", universe.V3, "marathon", nil, ""},
		{"empty marathon", universe.V3, "marathon", map[string]any{}, "marathon.v2AppMustacheTemplate: is missing"},
		{"template is no base64", universe.V3, "marathon", map[string]any{"v2AppMustacheTemplate": "{}"}, "marathon.v2AppMustacheTemplate: must be base64"},
		{"template is a number", universe.V3, "marathon", map[string]any{"v2AppMustacheTemplate": 1}, "marathon.v2AppMustacheTemplate: is number, must be a string"},
		{"config is a list", universe.V3, "config", []any{}, "config: must be an object"},
		{"number out of range", universe.V3, "config", map[string]any{"default": json.Number("1e999999999")}, "config: default: number is out of range"},
		{"deep config", universe.V3, "config", deep(99), "config: is nested deeper than 64 levels"},
		{"broken schema is for later", universe.V3, "config", map[string]any{"type": 1}, ""},
		{"resource", universe.V4, "resource", map[string]any{"assets": map[string]any{"uris": []any{}}}, "resource.assets.uris: is array, must be an object"},
		{"release", universe.V3, "minDcosReleaseVersion", "1.9-dev", ""},
		{"no release", universe.V3, "minDcosReleaseVersion", "latest", `minDcosReleaseVersion: "latest" is no release of DC/OS: must be numbers with dots between, such as 2.1`},
		{"no release before 3.0", universe.V2, "minDcosReleaseVersion", "latest", ""},
		{"upgrades", universe.V4, "upgradesFrom", "*", "upgradesFrom: is string, must be an array"},
		{"no upgrades before 4.0", universe.V3, "upgradesFrom", "*", ""},
		{"manager", universe.V5, "manager", map[string]any{}, "manager.packageName: is missing"},
		{"null", universe.V5, "manager", nil, ""},
		{"packaging version", "6.0", "name", "a", "name: must match ^[a-z][a-z0-9-]*[a-z0-9]$; packagingVersion: must be 2.0, 3.0, 4.0 or 5.0"},
		{"large", universe.V4, "description", strings.Repeat("a", 5<<20), "has 5243044 bytes, must not have more than 4194304"},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := minimal(c.version)
			document[c.field] = c.value
			p, err := universe.DecodePackage(encoded(t, document))
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.HasSuffix(err.Error(), c.err)):
				t.Errorf("got %v, want …%s", err, c.err)
			case (p == nil) != (err != nil):
				t.Error("a package and an error, or neither")
			}
		})
	}
}

func deep(levels int) any {
	var out any = map[string]any{}
	for range levels {
		out = map[string]any{"a": out}
	}
	return out
}

func TestDecodeIndexRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                     "index: must be a JSON object: EOF",
		`[]`:                   "index: must be a JSON object: unexpected [",
		`<html>`:               "index: must be a JSON object: invalid character '<' looking for beginning of value",
		`{}`:                   "index: packages: is missing",
		`{"packages":{}}`:      "index: packages: must be an array: unexpected {",
		`{"packages":[{}`:      "index: packages: EOF",
		`{"packages":[}`:       "index: packages: invalid character '}' looking for beginning of value",
		`{"a":1,"packages":[]`: "index: EOF",
	} {
		if _, err := universe.DecodeIndex([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%.40s: got %v, want %s", in, err, want)
		}
	}
}

// TestDecodeIndexOfGarbage reads one good package among many that are none.
func TestDecodeIndexOfGarbage(t *testing.T) {
	good := string(encoded(t, minimal(universe.V4)))
	index, err := universe.DecodeIndex([]byte(`{"packages":[` + strings.Repeat("1,", 1500) + good + `]}`))
	if err != nil || len(index.Packages) != 1 || len(index.Rejected) != 1000 || index.Untold != 500 {
		t.Error(index, err)
	}
}

func TestCheckContentType(t *testing.T) {
	for _, accepted := range strings.Split(universe.Accept, ",") {
		if err := universe.CheckContentType(accepted); err != nil {
			t.Error(err)
		}
	}
	for _, refused := range []string{
		"", "text/html", "application/json", "application/vnd.dcos.universe.repo+json;version=v9",
		"application/vnd.dcos.universe.repo+json;charset=latin1", "application/vnd.dcos.universe.repo+json;;",
	} {
		if err := universe.CheckContentType(refused); err == nil {
			t.Errorf("%q is accepted", refused)
		}
	}
}

func TestDCOSRelease(t *testing.T) {
	order := []string{"0", "1.8", "1.9.0-rc.1", "1.9.1", "1.10", "2", "2.1", "999", "9999"}
	for i, a := range order {
		for j, b := range order {
			x, err := universe.ParseDCOSRelease(a)
			y, err2 := universe.ParseDCOSRelease(b)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if got := x.Compare(y); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s compare as %d", a, b, got)
			}
			if x.String() != a {
				t.Errorf("%s is written %s", a, x)
			}
		}
	}
	a, _ := universe.ParseDCOSRelease("1.9")
	b, _ := universe.ParseDCOSRelease("1.9.0-dev")
	if a.Compare(b) != 0 {
		t.Error("1.9 is not 1.9.0-dev")
	}
	for _, bad := range []string{"", "v1", "1.", ".1", "01", "1..2", "1-", "99999999999", "1 "} {
		if _, err := universe.ParseDCOSRelease(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
