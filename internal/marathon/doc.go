// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package marathon turns the JSON of Marathon's /v2/apps and /v2/pods, in every
// form its users ever wrote it, into v1alpha1.App, and back into the canonical
// form that Marathon answers with. What Marathon refuses is refused in its words: with
// its paths and messages.
//
//	bytes ── Decode ──► Item{*App} ── ToApp ──► *v1alpha1.App ── FromApp ──► *App ── json.Marshal ──► bytes
//
// A pod goes the same way by PodToApp and PodFromApp.
//
// ToApp runs what Marathon ran, in its order: the rules of the old API, the
// translation of deprecated fields, the rules of the canonical API, defaults,
// and the rules of the stored definition. After these come the bounds of our
// schema, so that nothing it returns is refused by an API server.
//
// The package never sees a Pod, a cluster or a request: it assigns no service
// ports, knows no other app, and reads no clock.
package marathon
