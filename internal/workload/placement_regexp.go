// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxInstructions bounds what a regular expression compiles to, since few
// characters can ask for much: (.{1000}){1000}.
const maxInstructions = 10000

// compile makes a regular expression that was written for Java and has to match
// a whole value. What Go has not is refused, and so is what Go takes for
// something else than Java does.
func compile(expression string) (*regexp.Regexp, error) {
	construct, why, quoted := javaOnly(expression)
	if construct != "" {
		return nil, refuseRegexp(construct, why)
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, explainRegexp(err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, explainRegexp(err)
	}
	if len(program.Inst) > maxInstructions {
		return nil, errors.New("the regular expression repeats too much: fewer or smaller {counts} are needed")
	}
	if quoted {
		expression += `\E`
	}
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	if err != nil {
		return nil, explainRegexp(err)
	}
	return whole, nil
}

func refuseRegexp(construct, why string) error {
	return fmt.Errorf("the regular expression has %q: %s. Those of RE2 are taken, see https://github.com/google/re2/wiki/Syntax", construct, why)
}

// explainRegexp says in the terms of Java what Go has not.
func explainRegexp(err error) error {
	var problem *syntax.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("compile regular expression: %w", err)
	}
	switch problem.Code {
	case syntax.ErrInvalidEscape:
		return refuseRegexp(problem.Expr, "this escape is Java-only")
	case syntax.ErrInvalidCharRange:
		return refuseRegexp(problem.Expr, "this class or range is Java-only, or none at all")
	case syntax.ErrInvalidPerlOp:
		return refuseRegexp(problem.Expr, "this group or flag is Java-only")
	case syntax.ErrInvalidRepeatOp:
		return refuseRegexp(problem.Expr, "possessive and repeated quantifiers are Java-only")
	case syntax.ErrInvalidRepeatSize, syntax.ErrLarge, syntax.ErrNestingDepth:
		return refuseRegexp(problem.Expr, "more than 1000 repetitions, or levels, are Java-only")
	}
	return fmt.Errorf("this is no regular expression: %w", err)
}

// javaOnly finds the first construct that Java has and Go has not, or reads
// otherwise, and says why it is refused. quoted says that a quotation is left open.
func javaOnly(expression string) (construct, why string, quoted bool) {
	class := false
	for rest := expression; rest != ""; {
		n := 1
		switch {
		case strings.HasPrefix(rest, `\Q`):
			if n = strings.Index(rest, `\E`) + 2; n == 1 {
				return "", "", true
			}
		case rest[0] == '\\':
			n = min(2, len(rest))
			construct, why = javaEscape(rest[:n])
		case class:
			construct, why = javaClass(rest)
			class = rest[0] != ']'
		case rest[0] == '[':
			class = true
			// A bracket that comes first is one of the class.
			n = len(rest) - len(strings.TrimPrefix(strings.TrimPrefix(rest[1:], "^"), "]"))
		case strings.HasPrefix(rest, "(?"):
			construct, why = javaGroup(rest[2:])
		}
		if construct != "" {
			return construct, why, false
		}
		rest = rest[n:]
	}
	return "", "", false
}

func javaEscape(escape string) (construct, why string) {
	if len(escape) < 2 {
		return "", ""
	}
	switch c := escape[1]; {
	case c >= '1' && c <= '9', c == 'k':
		return escape, "back-references are Java-only"
	case c == '0':
		return escape, `octal characters are Java-only: \x is for hexadecimal ones`
	case c == 'v':
		return escape, "in Java this is any vertical white space, in RE2 one character"
	case strings.ContainsRune("ZGhHVRXNuce", rune(c)):
		return escape, "this escape is Java-only"
	}
	return "", ""
}

func javaClass(rest string) (construct, why string) {
	switch {
	case rest[0] == '[':
		return "[", `in Java a bracket in a class opens another class, in RE2 it is one character: write \[`
	case strings.HasPrefix(rest, "&&"):
		return "&&", "intersections of classes are Java-only"
	}
	return "", ""
}

func javaGroup(group string) (construct, why string) {
	for prefix, why := range map[string]string{
		"=":  "look-ahead is Java-only",
		"!":  "look-ahead is Java-only",
		"<=": "look-behind is Java-only",
		"<!": "look-behind is Java-only",
		">":  "groups that never give back are Java-only",
	} {
		if strings.HasPrefix(group, prefix) {
			return "(?" + prefix, why
		}
	}
	flags := group[:len(group)-len(strings.TrimLeft(group, "idmsuxU-"))]
	if strings.ContainsAny(flags, "duxU") {
		return "(?" + flags, "of the flags, i, m and s are taken: the others are Java-only"
	}
	return "", ""
}
