// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package universe turns the index of a DC/OS package repository and a user's
// options into the Marathon app that Cosmos would have installed.
//
//	index ── DecodeIndex ──► []*Package ── NewCollection, Find ──► *Package
//	options ── Package.Resolve ──► merged and validated ── Package.Render ──► app ── Package.Label ──► app, marked as the package's
//
// A package is of packaging version 2.0 to 5.0. One that can't be read is told
// apart with its reasons and does not hurt the others; Cosmos refused the whole
// repository.
//
// Options are held against config.json, a JSON schema of draft 4, by
// santhosh-tekuri/jsonschema: it answers as an independent validator does for
// all recorded packages. What it sees is made harmless first: see schema.go.
//
// The template language is mustache as mustache.java 0.9.6 and Cosmos have it,
// and its own code here, since libraries for Go differ where it matters: a list
// prints as ["a", "b"], strings are inserted as JSON has them, 0 is true, 512.0
// is 512, a list has .isEmpty, and names with dots fall back to outer scopes
// segment by segment. With cbroglie/mustache 1.4.2 590 of the 1,987 recorded
// renders differ, and 84 with all values escaped and printed beforehand. It has
// no bounds either, and its partials read files.
//
// The package never fetches anything, knows no cluster, and does not know what
// a Marathon app means: internal/marathon reads what Render returns.
package universe
