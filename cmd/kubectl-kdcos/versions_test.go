// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
)

// TestVersions lists the versions of Apps.
func TestVersions(t *testing.T) {
	for name, w := range cases(t, "versions") {
		t.Run(name, func(t *testing.T) {
			app := w.apps[0]
			s := newSession(t, w.objects()...)
			golden(t, "versions/"+name+".out.txt", s.transcript("versions", app.Name, "-n", app.Namespace))
		})
	}
}

// TestVersionsDefinitions prints the definitions of versions.
func TestVersionsDefinitions(t *testing.T) {
	three := load(t, "testdata/versions/three.in.yaml")
	single := load(t, "testdata/versions/single.in.yaml")
	s := newSession(t, append(three.objects(), single.objects()...)...)
	text := ""
	for _, args := range [][]string{
		{"versions", "/prod/web/api", "--version", "2026-02-25T12:00:00.000Z", "-o", "yaml"},
		{"versions", "/prod/web/api", "--version", "2026-02-25T12:00:00Z"},
		{"versions", "/prod/web/api", "--version", "2026-02-25T13:00:00Z"},
		{"versions", "/prod/web/api", "-o", "jsonpath={.items[*].status.version}"},
		{"versions", "/hello_world", "-o", "yaml"},
		{"versions", "/nobody"},
		{"versions"},
	} {
		text += s.transcript(args...) + "\n"
	}
	golden(t, "versions/definitions.txt", text)
}
