// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"strings"
	"testing"
)

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		expression, matches, misses string
	}{
		{"a", "a", "ab"},
		{"a|bc", "bc", "abc"},
		{"rack-[1-3]", "rack-2", "rack-4"},
		{"[]a]", "]", "b"},
		{"[^]a]", "b", "]"},
		{`[\[&]+`, "[&", "a"},
		{`[\w-.]+`, "a-.", "+"},
		{"[a&b]+", "a&", "c"},
		{`(?i)ab`, "aB", "ac"},
		{`(?:a(?i:b))+`, "aBab", "A"},
		{`(?<name>a)b`, "ab", "a"},
		{`\Qa.b\E+`, "a.bb", "axb"},
		{`\Qa.b`, "a.b", "axb"},
		{`\Q(a`, "(a", "a"},
		{`\\Qa`, `\Qa`, "Qa"},
		{`\d{1,3}(\.\d{1,3}){3}`, "10.0.0.1", "10.0.0"},
		{`\w+\s\S`, "a b", "ab"},
		{`^a$`, "a", "a\n"},
		{`\Aa\z`, "a", "b"},
		{`\p{L}+`, "ab", "1"},
		{`\x41\x{42}`, "AB", "A"},
		{`a.b`, "a-b", "a\nb"},
		{`a{2}`, "aa", "a"},
		{`a*?b`, "aab", "aa"},
		{`(?s)a.b`, "a\nb", "ab"},
	} {
		r, err := compile(c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if !r.MatchString(c.matches) || r.MatchString(c.misses) {
			t.Errorf("%s: %q %t, %q %t", c.expression, c.matches, r.MatchString(c.matches), c.misses, r.MatchString(c.misses))
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"a(?=b)":                    `has "(?=": look-ahead is Java-only`,
		"a(?!b)":                    `has "(?!": look-ahead`,
		"(?<=a)b":                   `has "(?<=": look-behind`,
		"(?<!a)b":                   `has "(?<!": look-behind`,
		"(?>a)":                     `has "(?>": groups that never give back`,
		`(a)\1`:                     `has "\\1": back-references`,
		`(?<n>a)\k<n>`:              `has "\\k": back-references`,
		`\012`:                      `has "\\0": octal`,
		"a*+":                       `has "*+": possessive`,
		"a++":                       `has "++": possessive`,
		"a{1,2}+":                   `has "{1,2}+": possessive`,
		"[a-z&&[^b]]":               `has "&&": intersections`,
		"[a[b]]":                    `has "[": in Java a bracket in a class opens another class`,
		"[[:alpha:]]":               `has "["`,
		"[^[a]]":                    `has "["`,
		"[][]":                      `has "["`,
		"(?x)a b":                   `has "(?x": of the flags, i, m and s are taken`,
		"(?U)a":                     `has "(?U"`,
		"(?i-d)a":                   `has "(?i-d"`,
		"(?u:a)":                    `has "(?u"`,
		`a\Z`:                       `has "\\Z": this escape is Java-only`,
		`\Ga`:                       `has "\\G"`,
		`\h`:                        `has "\\h"`,
		`\R`:                        `has "\\R"`,
		`\X`:                        `has "\\X"`,
		`\u0041`:                    `has "\\u"`,
		`\cA`:                       `has "\\c"`,
		`\v`:                        `has "\\v": in Java this is any vertical white space`,
		`\p{javaLowerCase}`:         `has "\\p{javaLowerCase}": this class or range is Java-only`,
		`\p{IsAlphabetic}`:          `has "\\p{IsAlphabetic}"`,
		`\p{Alpha}`:                 `has "\\p{Alpha}"`,
		`[\Qa\E]`:                   `has "\\Q"`,
		"a{1001}":                   "more than 1000 repetitions",
		"((a{9}){9}){9}(b{900}){9}": "1000",
		"(a|b{900}){1}" + strings.Repeat("[ab]{900}", 12): "repeats too much",
		"(":    "this is no regular expression",
		"a)(b": "this is no regular expression",
		"[a":   "this is no regular expression",
		"*":    "this is no regular expression",
		`a\`:   "this is no regular expression",
		"\xff": "this is no regular expression",
	} {
		if r, err := compile(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", expression, r, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a|b", "[^]a]", `\Qa\E`, `\Qa`, "(?i)a{2,3}?", "a)(b", "[[:alpha:]]", `(a)\1`, `\\Q)`, "(?<n>a)", `[\Q]\E]`} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, expression, value string) {
		r, err := compile(expression)
		if err != nil {
			if err.Error() == "" || strings.Contains(err.Error(), "\n") && !strings.Contains(expression, "\n") {
				t.Errorf("%q: %q", expression, err)
			}
			return
		}
		if strings.Contains(expression, "&&") && strings.Contains(expression, "[") && !strings.Contains(expression, `\`) &&
			strings.Index(expression, "[") < strings.Index(expression, "&&") && !strings.Contains(expression, "]") {
			t.Errorf("%q: a class is open", expression)
		}
		// What matches as a whole matches as a whole: nothing can be put around it.
		if r.MatchString(value) {
			if at := r.FindStringIndex(value); at[0] != 0 || at[1] != len(value) {
				t.Errorf("%q matches a part of %q", expression, value)
			}
		}
	})
}
