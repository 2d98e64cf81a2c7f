// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/universe"
)

// execute renders a template with a context given as JSON.
func execute(t testing.TB, template, context string) (string, error) {
	t.Helper()
	options, err := universe.ParseOptions([]byte(context))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := universe.ParseTemplate(template)
	if err != nil {
		return "", err
	}
	return parsed.Execute(options)
}

// TestTemplate has what mustache.java 0.9.6 and Cosmos make of templates.
func TestTemplate(t *testing.T) {
	for _, c := range []struct{ name, template, context, want string }{
		{"text", "a } {b}", `{}`, "a } {b}"},
		{"three ways", "{{x}}{{{x}}}{{&x}}{{ x }}", `{"x":"<a>"}`, "<a><a><a><a>"},
		{"escaped as JSON", `"{{x}}"`, `{"x":"q\"\\\n\u0001é<&>"}`, `"q\"\\\n\u0001é<&>"`},
		{"no tag in a value", "{{x}}", `{"x":"{{y}}","y":"z"}`, "{{y}}"},
		{"missing and null", "[{{x}}{{y}}{{x.y}}]", `{"y":null}`, "[]"},
		{"whole numbers", "{{a}} {{b}} {{c}} {{d}}", `{"a":512.0,"b":1e3,"c":-0.0,"d":12345678901234567890}`, "512 1000 0 12345678901234567890"},
		{"fractions", "{{a}} {{b}} {{c}} {{d}} {{e}} {{f}}", `{"a":0.1,"b":0.00025,"c":0.001,"d":12345678.5,"e":1234567.25,"f":-1.5e-10}`, "0.1 2.5E-4 0.001 1.23456785E7 1234567.25 -1.5E-10"},
		{"bools", "{{a}} {{b}}", `{"a":true,"b":false}`, "true false"},
		{"list", "{{x}}", `{"x":["a",1,null,true,["b\"c"],{"k":"v"}]}`, `["a", 1, null, true, ["b\"c"], {k=v}]`},
		{"elements keep quotes", "{{#x}}{{.}}{{/x}}", `{"x":["a","b"]}`, `"a""b"`},
		{"empty list", "{{x}}{{#x}}a{{/x}}{{^x}}b{{/x}}", `{"x":[]}`, "[]b"},
		{"falsy", "{{#a}}1{{/a}}{{#b}}2{{/b}}{{#c}}3{{/c}}{{#d}}4{{/d}}{{#e}}5{{/e}}", `{"a":false,"b":null,"c":"","d":[]}`, ""},
		{"truthy", "{{#a}}1{{/a}}{{#b}}2{{/b}}{{#c}}3{{/c}}{{#d}}4{{/d}}{{^a}}x{{/a}}", `{"a":0,"b":" ","c":{},"d":[""]}`, "1234"},
		{"inverted", "{{^a}}1{{/a}}{{^b}}2{{/b}}{{^c}}3{{/c}}", `{"b":false,"c":true}`, "12"},
		{"scope of an object", "{{#a}}{{x}}{{y}}{{/a}}", `{"x":"out","y":"er","a":{"x":"in"}}`, "iner"},
		{"scope of objects in a list", "{{#a}}{{x}}{{y}},{{/a}}", `{"y":"!","a":[{"x":"1"},{"x":"2"}]}`, "1!,2!,"},
		{"null in a list", "{{#a}}{{x}}{{/a}}", `{"x":"o","a":[null,{"x":"i"}]}`, "oi"},
		{"dots", "{{a.b.c}}", `{"a":{"b":{"c":"x"}}}`, "x"},
		{"key with a dot first", "{{a.b}}", `{"a.b":"literal","a":{"b":"path"}}`, "literal"},
		{"key with spaces", "{{Install CNI.cpu-limit}}", `{"Install CNI":{"cpu-limit":0.5}}`, "0.5"},
		{"all but the last segment ends the search", "{{#s}}{{a.b}}{{/s}}", `{"a":{"b":"out"},"s":{"a":{}}}`, ""},
		{"null in the middle ends the search", "{{#s}}{{a.b.c}}{{/s}}", `{"a":{"b":{"c":"out"}},"s":{"a":null}}`, ""},
		{"missing in the middle does not", "{{#s}}{{a.b.c}}{{/s}}", `{"a":{"b":{"c":"out"}},"s":{"a":{}}}`, "out"},
		{"isEmpty", "{{^a.isEmpty}}1{{/a.isEmpty}}{{^b.isEmpty}}2{{/b.isEmpty}}{{#b.isEmpty}}3{{/b.isEmpty}}{{^c.isEmpty}}4{{/c.isEmpty}}", `{"a":["x"],"b":"","c":"y"}`, "134"},
		{"comment", "a{{! {{x }}b{{!\n}}", `{}`, "ab"},
		{"delimiters", "{{=<% %>=}}<%x%>{{x}}<%={{ }}=%>{{x}}", `{"x":"v"}`, "v{{x}}v"},
		{"delimiters in a section", "{{#x}}{{=[ ]=}}[x][/x]{{x}}", `{"x":"v"}`, "vv"},
		{"section in a section of its name", "{{#x}}{{#x}}{{y}}{{/x}}{{/x}}", `{"x":{"x":{"y":1}}}`, "1"},
		{"asJson", "{{#asJson}}x{{/asJson}} {{#asJson}}y{{/asJson}} {{#asJson}}z{{/asJson}}", `{"x":"{\"a\":\"{{y}}\"}","y":1}`, `{"a":"{{y}}"} null null`},
	} {
		got, err := execute(t, c.template, c.context)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	for template, want := range map[string]string{
		"a\n{{>/etc/passwd}}":                   "line 2: {{> is not allowed: a package has one template, without partials, inheritance or pragmas",
		"{{<parent}}{{/parent}}":                "line 1: {{< is not allowed: a package has one template, without partials, inheritance or pragmas",
		"{{$block}}{{/block}}":                  "line 1: {{$ is not allowed: a package has one template, without partials, inheritance or pragmas",
		"{{%implicit-iterator}}":                "line 1: {{% is not allowed: a package has one template, without partials, inheritance or pragmas",
		"\n\n{{x":                               "line 3: tag has no end: must have }}",
		"{{{x}}":                                "line 1: tag has no end: must have }}}",
		"{{ }}":                                 "line 1: tag is empty",
		"{{}}":                                  "line 1: tag is empty",
		"{{#x}}\n{{#y}}{{/x}}{{/y}}":            "line 2: the end of section \"x\" is not where it should be",
		"{{/x}}":                                "line 1: the end of section \"x\" is not where it should be",
		"{{/}}":                                 "line 1: the end of section \"\" is not where it should be",
		"\n{{#x}}\n":                            "line 2: section \"x\" has no end",
		"{{#}}{{/}}":                            "line 1: a section must have a name",
		"{{=a=}}":                               "line 1: delimiters must be two, of one or two characters",
		"{{" + strings.Repeat("a", 1001) + "}}": "line 1: a name must not be longer than 1000 bytes",
		strings.Repeat("{{#x}}", 65):            "line 1: sections are nested deeper than 64",
		strings.Repeat("x", 1<<20) + "\n{{x":    "has 1048580 bytes, must not have more than 1048576",
	} {
		if _, err := universe.ParseTemplate(template); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", template, err, want)
		}
	}
}

// TestTemplateBounds renders what would take forever, or fill the memory.
func TestTemplateBounds(t *testing.T) {
	list := `{"x":[` + strings.Repeat("0,", 999) + `0],"text":"` + strings.Repeat("x", 100_000) + `"}`
	for name, c := range map[string]struct{ template, want string }{
		"steps":          {nested("{{y}}", 5), "takes more than 4194304 steps"},
		"steps of empty": {nested("", 5), "takes more than 4194304 steps"},
		"text":           {nested("{{text}}", 2), "gives more than 4194304 bytes"},
		"long names":     {nested("{{^"+strings.Repeat("y", 999)+"}}{{/"+strings.Repeat("y", 999)+"}}", 5), "takes more than 4194304 steps"},
		"inverted":       {strings.Repeat("{{#x}}{{^y}}", 5) + strings.Repeat("{{/y}}{{/x}}", 5), "takes more than 4194304 steps"},
	} {
		if _, err := execute(t, c.template, list); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func nested(inner string, depth int) string {
	return strings.Repeat("{{#x}}", depth) + inner + strings.Repeat("{{/x}}", depth)
}

// TestRecordedTemplates reads the template of every recorded package.
func TestRecordedTemplates(t *testing.T) {
	n := 0
	for _, p := range recordedPackages(t) {
		if p.Marathon == nil {
			continue
		}
		n++
		if _, err := universe.ParseTemplate(string(p.Marathon.Template)); err != nil {
			t.Errorf("%s %s: %v", p.Name, p.Version, err)
		}
	}
	t.Logf("%d templates", n)
}

// FuzzTemplate reads and renders whatever there is: it comes to an end within
// bounds, and does not panic.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{{#a}}{{b.c}}{{^d}}{{{e}}}{{/d}}{{/a}}", "{{=<% %>=}}<%a%>", "{{#asJson}}a{{/asJson}}", "{{! }}{{&a}}", "{{#a}}{{.}}{{/a}}",
		"{{#a.isEmpty}}", "{{>x}}", "{{={{ }}=}}", "{{{a}}}}", "{{=} }=}}}a}",
	} {
		f.Add(seed, `{"a":[1,"b",{"b":{"c":null}}],"d":0.5,"e":"\u0000"}`)
	}
	f.Fuzz(func(t *testing.T, source, context string) {
		options, err := universe.ParseOptions([]byte(context))
		if err != nil {
			return
		}
		template, err := universe.ParseTemplate(source)
		if err != nil {
			return
		}
		out, err := template.Execute(options)
		if err == nil && len(out) > 4<<20 {
			t.Errorf("%d bytes", len(out))
		}
		again, err2 := template.Execute(options)
		if again != out || (err == nil) != (err2 == nil) {
			t.Error("rendered twice, it differs")
		}
	})
}
