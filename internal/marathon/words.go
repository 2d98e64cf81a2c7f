// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"errors"
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// The wording of the library Marathon validates with.
const (
	mustNotBeEmpty = "must not be empty"
	mustBeEmpty    = "must be empty"
	notDefined     = "not defined"
)

func mustMatch(expression *regexp.Regexp) string {
	return "must match regular expression '" + expression.String() + "'"
}

func got(value, expected string) string { return "got " + value + ", expected " + expected }

// decimal writes a number as the JVM does: 1.0, 0.5, 1.0E7.
func decimal(f float64) string {
	if f == 0 || math.Abs(f) >= 1e-3 && math.Abs(f) < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa
	}
	return mantissa + "E" + strconv.Itoa(n)
}

// isRegexp says whether a text may be a regular expression of Java. Look-around,
// back references and possessive quantifiers, which Go has not, are taken on
// trust; parentheses, brackets and quantifiers that are out of place are not.
func isRegexp(s string) bool {
	_, err := syntax.Parse(s, syntax.Perl)
	var problem *syntax.Error
	if !errors.As(err, &problem) {
		return true
	}
	switch problem.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen, syntax.ErrMissingBracket,
		syntax.ErrMissingRepeatArgument, syntax.ErrTrailingBackslash:
		return false
	case syntax.ErrInvalidCharRange:
		return strings.Contains(problem.Expr, `\`) // [\w-.] is fine in Java
	}
	return true
}
