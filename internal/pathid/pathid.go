// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pathid turns Marathon path ids into the namespace and name of an
// object, and back: /prod/web/api is the object web.api in the namespace prod.
// It knows what makes an id a good one. It never looks whether an object or a
// namespace is there, and it knows nothing of what the object is.
package pathid

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Root is the id of the root group.
const Root = "/"

// MaxLength is the longest id there can be, in bytes. Marathon has no limit;
// this one keeps an id within the annotations of an object.
const MaxLength = 128 << 10

// The rules of Marathon, in its own words.
const (
	messageSegment = `must fully match regular expression '^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$'`
	messageLast    = "must not end with any of the following reserved keywords: restart, tasks, versions, ., .."
	messageRoot    = "Path must contain at least one path element"
	messageBase    = "Path needs to be absolute"
	messageChild   = "Identifier is not child of '%s'"
)

// segmentPattern is Marathon's, and an underscore inside a segment in addition:
// the quick start of DC/OS runs /hello_world.
var segmentPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9_-]*[a-z0-9])?$`)

// reservedLast are the last segments that the paths of the API give a meaning.
var reservedLast = []string{"restart", "tasks", "versions", ".", ".."}

// Canonical returns the absolute form of id. A relative id continues base, which
// is absolute itself ("" is the root); "." and ".." are resolved, the latter no
// further than to the root, and empty segments are dropped. It does not say
// whether the id is valid: Validate does. The one error is a base that is not
// absolute.
func Canonical(base, id string) (string, error) {
	if base == "" {
		base = Root
	}
	if !strings.HasPrefix(base, "/") {
		return "", errors.New(messageBase)
	}
	path := id
	if !strings.HasPrefix(id, "/") {
		path = base + "/" + id
	}
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	return Root + strings.Join(segments, "/"), nil
}

// Validate says whether id is the absolute id of an app or a job, by Marathon's
// rules and in its words: each segment is dot-separated labels of lower-case
// letters, digits and inner dashes (or underscores), the last is no keyword of
// the API, and there is at least one.
func Validate(id string) error {
	if !strings.HasPrefix(id, "/") {
		return errors.New(messageBase)
	}
	if len(id) > MaxLength {
		return fmt.Errorf("must not be longer than %d bytes", MaxLength)
	}
	segments := Segments(id)
	if len(segments) == 0 {
		return errors.New(messageRoot)
	}
	for _, segment := range segments {
		if !segmentPattern.MatchString(segment) && segment != "." && segment != ".." {
			return errors.New(messageSegment)
		}
	}
	if slices.Contains(reservedLast, segments[len(segments)-1]) {
		return errors.New(messageLast)
	}
	if slices.Contains(segments, ".") || slices.Contains(segments, "..") {
		return fmt.Errorf(messageChild, Parent(id))
	}
	return nil
}

// ValidateGroup says whether id is the absolute id of a group: the root, or
// segments as of an app, none of which is a keyword.
func ValidateGroup(id string) error {
	if id == Root {
		return nil
	}
	return Validate(id)
}

// Segments returns the segments of an id, none for the root.
func Segments(id string) []string {
	return strings.FieldsFunc(id, func(r rune) bool { return r == '/' })
}

// Clean returns an absolute id without empty segments.
func Clean(id string) string {
	return Root + strings.Join(Segments(id), "/")
}

// Parent returns the id of the group an absolute id is in; the root is in itself.
func Parent(id string) string {
	segments := Segments(id)
	return Root + strings.Join(segments[:max(0, len(segments)-1)], "/")
}

// Reversed returns the segments of the id in reverse order, joined by dots, as
// Mesos named the tasks of an app: api.web.prod for /prod/web/api.
func Reversed(id string) string {
	segments := Segments(id)
	slices.Reverse(segments)
	return strings.Join(segments, ".")
}

// Safe returns the id as Marathon writes it into task ids: the segments joined
// by "_", prod_web_api for /prod/web/api.
func Safe(id string) string {
	return strings.Join(Segments(id), "_")
}
