// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Reason is what kind of mistake an Error is, by the name that Cosmos has for it.
type Reason string

// The reasons.
const (
	// PackageNotFound says that no repository has a package of this name.
	PackageNotFound Reason = "PackageNotFound"
	// VersionNotFound says that no repository has this version of the package.
	VersionNotFound Reason = "VersionNotFound"
	// InvalidPackage says that a package breaks the format of its packaging
	// version, or that its schema or its template can't be used.
	InvalidPackage Reason = "InvalidPackage"
	// InvalidOptions says that options are no JSON object.
	InvalidOptions Reason = "JsonParsingError"
	// OptionsNotAllowed says that there are options, and the package has no config.
	OptionsNotAllowed Reason = "OptionsNotAllowed"
	// OptionsMismatch says that options break the rules of the package's config.
	OptionsMismatch Reason = "JsonSchemaMismatch"
	// NoTemplate says that the package has no Marathon app, only a command line
	// tool or assets.
	NoTemplate Reason = "ServiceMarathonTemplateNotFound"
	// RenderFailed says that with these options the template gives no JSON object,
	// or one with labels that are none.
	RenderFailed Reason = "MarathonTemplateMustBeJsonObject"
)

// Error is why something can't be done with a package.
type Error struct {
	Reason Reason
	// Package and Version say which, as far as that is known.
	Package, Version string
	// Problems say what is wrong where. No value of an option is among them.
	Problems []Problem
}

// Problem is what is wrong at one place.
type Problem struct {
	// Path is the field or option, such as service.cpus or zones[0]; "" is the whole.
	Path string
	// Message says what is wrong, and what is allowed.
	Message string
}

// String returns "path: message".
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Error returns everything there is to say, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Package != "" {
		b.WriteString("package " + e.Package)
		if e.Version != "" {
			b.WriteString(" " + e.Version)
		}
		b.WriteString(": ")
	}
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// failed is an error of the package with one problem.
func (p *Package) failed(reason Reason, path, format string, args ...any) *Error {
	return &Error{
		Reason: reason, Package: p.Name, Version: p.Version,
		Problems: []Problem{{Path: path, Message: fmt.Sprintf(format, args...)}},
	}
}

// pathOf spells a path into JSON: service.cpus, zones[0], service["a.b"].
func pathOf(segments []string, document any) string {
	var b strings.Builder
	for _, s := range segments {
		if list, ok := document.([]any); ok {
			i, _ := strconv.Atoi(s)
			b.WriteString("[" + s + "]")
			document = nil
			if i >= 0 && i < len(list) {
				document = list[i]
			}
			continue
		}
		members, _ := document.(map[string]any)
		document = members[s]
		switch {
		case s == "" || strings.ContainsAny(s, ". []\"'"):
			b.WriteString("[" + strconv.Quote(shorten(s)) + "]")
		case b.Len() > 0:
			b.WriteString("." + shorten(s))
		default:
			b.WriteString(shorten(s))
		}
	}
	return b.String()
}

// shorten keeps what a stranger wrote from filling a message.
func shorten(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// enumerate spells a list for a message: a, b or c.
func enumerate(names []string) string {
	const most = 20
	out := make([]string, 0, most+1)
	for _, n := range names[:min(len(names), most)] {
		out = append(out, shorten(n))
	}
	if len(names) > most {
		return strings.Join(out, ", ") + fmt.Sprintf(" … (%d in all)", len(names))
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " or " + out[len(out)-1]
}

func sortProblems(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.Compact(problems)
}
