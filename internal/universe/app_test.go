// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/internal/universe"
)

func TestRender(t *testing.T) {
	for _, c := range []struct{ name, template, options, want, err string }{
		{"object", `{"id": "{{a}}"}`, `{"a":"q\""}`, `{"id":"q\""}`, ""},
		{"the last member counts", `{"a": 1, "a": {{x}}}`, `{"x":2}`, `{"a":2}`, ""},
		{"resources win over options", `{"a": "{{resource.assets.uris.blob}}", "b": "{{resource.cli.binaries}}"}`, `{"resource":{"assets":{"uris":{"blob":"mine"}},"cli":{"binaries":"mine"}}}`, `{"a":"https://example.com/blob","b":""}`, ""},
		{"labels", `{"labels": {"a": "b"}}`, `{}`, `{"labels":{"a":"b"}}`, ""},
		{"no JSON", "{\n\"a\": {{x}}}", `{}`, "", "its template gives no JSON with these options: line 2: invalid character '}' looking for beginning of value"},
		{"half of it", `{"a": `, `{}`, "", "its template gives no JSON with these options: unexpected end of input"},
		{"no object", `["{{x}}"]`, `{}`, "", "its template gives no JSON object with these options"},
		{"labels are a list", `{"labels": []}`, `{}`, "", "labels: must be an object of strings in what its template gives"},
		{"label is a number", `{"labels": {"a.b": 1, "z": 2}}`, `{}`, "", `labels["a.b"]: must be a string in what its template gives`},
		{"no template", "{{#x}}", `{}`, "", `marathon.v2AppMustacheTemplate: line 1: section "x" has no end`},
		{"endless", nested("x", 3), `{"x":[` + strings.Repeat("0,", 999) + `0]}`, "", "marathon.v2AppMustacheTemplate: takes more than 4194304 steps"},
	} {
		p := with(t, "", c.template)
		p.Resource = &universe.Resource{Assets: &universe.Assets{URIs: map[string]string{"blob": "https://example.com/blob"}}}
		app, err := p.Render(options(t, c.options))
		var refusal *universe.Error
		switch {
		case c.err != "" && (!errors.As(err, &refusal) || err.Error() != "package hello 1.0: "+c.err):
			t.Errorf("%s: got %v, want %s", c.name, err, c.err)
		case c.err == "" && (err != nil || string(encoded(t, app)) != c.want):
			t.Errorf("%s: got %s, %v; want %s", c.name, encoded(t, app), err, c.want)
		}
	}
	none := with(t, "", "{}")
	none.Marathon = nil
	var refusal *universe.Error
	if _, err := none.Render(nil); !errors.As(err, &refusal) || refusal.Reason != universe.NoTemplate {
		t.Error(err)
	}
}

// TestLabel marks an app and reads the marks.
func TestLabel(t *testing.T) {
	p := with(t, config, `{"id": "{{service.name}}", "labels": {"DCOS_PACKAGE_NAME": "mine", "a": "b"}}`)
	given := options(t, `{"service":{"principal":"p<&>","zones":null,"list":[null,{"x":null}]}}`)
	app := map[string]any{"id": "hello", "labels": map[string]any{"DCOS_PACKAGE_NAME": "mine", "a": "b"}, "cpus": json.Number("1")}
	before := string(encoded(t, app))
	out, err := p.Label(app, "prod/hello", "https://example.com/repo", given)
	if err != nil {
		t.Fatal(err)
	}
	if after := string(encoded(t, app)); after != before {
		t.Errorf("the app changed to %s", after)
	}
	labels := map[string]string{}
	for k, v := range out["labels"].(map[string]any) {
		labels[k] = v.(string)
	}
	definition := labels[universe.LabelDefinition]
	delete(labels, universe.LabelDefinition)
	if d := cmp.Diff(map[string]string{
		"a": "b", "DCOS_PACKAGE_NAME": "hello", "DCOS_PACKAGE_VERSION": "1.0", "DCOS_PACKAGE_SOURCE": "https://example.com/repo",
		"DCOS_PACKAGE_OPTIONS": base64.StdEncoding.EncodeToString([]byte(`{"service":{"list":[null,{}],"principal":"p<&>"}}`)),
	}, labels); d != "" {
		t.Error(d)
	}
	if out["id"] != "/prod/hello" || out["cpus"] != json.Number("1") {
		t.Error(out)
	}
	labels[universe.LabelDefinition] = definition
	installed, err := universe.ReadLabels(labels)
	if err != nil {
		t.Fatal(err)
	}
	if installed.Name != "hello" || installed.Version != "1.0" || installed.Source != "https://example.com/repo" {
		t.Error(installed)
	}
	if d := cmp.Diff(string(encoded(t, p)), string(encoded(t, installed.Package))); d != "" {
		t.Error(d)
	}
	// The order of the schema is that of its author.
	first, last := strings.Index(string(installed.Package.Config), "principal"), strings.Index(string(installed.Package.Config), "cpus")
	if first < 0 || first > last {
		t.Error("the order of the schema changed")
	}
	if d := cmp.Diff(options(t, `{"service":{"principal":"p<&>","list":[null,{}]}}`), installed.Options); d != "" {
		t.Error(d)
	}
	if unnamed, err := p.Label(app, "", "", nil); err != nil || unnamed["id"] != "hello" ||
		unnamed["labels"].(map[string]any)[universe.LabelOptions] != "e30=" {
		t.Error(unnamed, err)
	}
}

func TestReadLabels(t *testing.T) {
	if installed, err := universe.ReadLabels(map[string]string{"a": "b"}); installed != nil || err != nil {
		t.Error(installed, err)
	}
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct{ label, value, want string }{
		{universe.LabelOptions, "{}", "label DCOS_PACKAGE_OPTIONS: must be base64"},
		{universe.LabelOptions, code("1"), "label DCOS_PACKAGE_OPTIONS: options: must be a JSON object"},
		{universe.LabelDefinition, "{}", "label DCOS_PACKAGE_DEFINITION: must be base64"},
		{universe.LabelDefinition, code("1"), "label DCOS_PACKAGE_DEFINITION: must be JSON with metadata and data"},
		{universe.LabelDefinition, code("{}"), `label DCOS_PACKAGE_DEFINITION: content type "": must be application/vnd.dcos.universe.package+json`},
		{universe.LabelDefinition, code(`{"metadata":{"Content-Type":"application/vnd.dcos.universe.package+json","Content-Encoding":"br"}}`), `label DCOS_PACKAGE_DEFINITION: content encoding "br": must be gzip`},
		{universe.LabelDefinition, code(`{"metadata":{"Content-Type":"application/vnd.dcos.universe.package+json","Content-Encoding":"gzip"},"data":"AAAA"}`), "label DCOS_PACKAGE_DEFINITION: unzip: unexpected EOF"},
		{universe.LabelDefinition, code(`{"metadata":{"Content-Type":"application/vnd.dcos.universe.package+json;version=v2"},"data":"` + code("{}") + `"}`), "label DCOS_PACKAGE_DEFINITION: description: is missing; maintainer: is missing; name: is missing; packagingVersion: is missing; releaseVersion: is missing; tags: is missing; version: is missing"},
	} {
		_, err := universe.ReadLabels(map[string]string{universe.LabelName: "hello", c.label: c.value})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.label, err, c.want)
		}
	}
}

// TestRecordedLabels marks an app with every recorded package, and reads it back.
func TestRecordedLabels(t *testing.T) {
	longest := 0
	for _, p := range recordedPackages(t) {
		app, err := p.Label(map[string]any{}, "", "https://example.com/repo", nil)
		if err != nil {
			t.Fatal(err)
		}
		labels := map[string]string{}
		for k, v := range app["labels"].(map[string]any) {
			labels[k] = v.(string)
			longest = max(longest, len(labels[k]))
		}
		installed, err := universe.ReadLabels(labels)
		if err != nil {
			t.Fatalf("%s %s: %v", p.Name, p.Version, err)
		}
		if string(encoded(t, installed.Package)) != string(encoded(t, p)) {
			t.Errorf("%s %s is another package in its label", p.Name, p.Version)
		}
	}
	t.Logf("the longest label has %d bytes", longest)
}

// FuzzDecode reads whatever index and label there is: nothing panics, what is
// refused has a reason, and what is read is written and read again.
func FuzzDecode(f *testing.F) {
	f.Add(fixture(f))
	f.Add([]byte(`{"packages":[{"name":1}, null, {"resource":{"assets":[]}}]}`))
	f.Add([]byte(`{"packages":[{"packagingVersion":"4.0","name":"ab","version":"1","releaseVersion":1e0,"maintainer":"","description":"","tags":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		index, err := universe.DecodeIndex(data)
		if err != nil {
			return
		}
		for _, refusal := range index.Rejected {
			if len(refusal.Problems) == 0 || refusal.Package == "" {
				t.Errorf("refused without a reason: %v", refusal)
			}
		}
		for _, p := range index.Packages {
			app, err := p.Label(map[string]any{}, "", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			label := app["labels"].(map[string]any)[universe.LabelDefinition].(string)
			again, err := universe.ReadLabels(map[string]string{universe.LabelName: "a", universe.LabelDefinition: label})
			if err != nil {
				t.Fatalf("%s: %v", encoded(t, p), err)
			}
			if string(encoded(t, again.Package)) != string(encoded(t, p)) {
				t.Errorf("%s is read as %s", encoded(t, p), encoded(t, again.Package))
			}
			merged, err := p.Resolve(nil)
			if err == nil {
				_, _ = p.Render(merged)
			}
		}
	})
}

// FuzzReadLabels reads whatever labels there are.
func FuzzReadLabels(f *testing.F) {
	f.Add("e30=", "e30=")
	f.Add("", "eyJtZXRhZGF0YSI6eyJDb250ZW50LVR5cGUiOiJhcHBsaWNhdGlvbi92bmQuZGNvcy51bml2ZXJzZS5wYWNrYWdlK2pzb24ifSwiZGF0YSI6ImUzMD0ifQ==")
	f.Fuzz(func(t *testing.T, options, definition string) {
		installed, err := universe.ReadLabels(map[string]string{
			universe.LabelName: "a", universe.LabelOptions: options, universe.LabelDefinition: definition,
		})
		if (installed == nil) != (err != nil) {
			t.Error("labels and an error, or neither")
		}
	})
}
