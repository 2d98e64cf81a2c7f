// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"

	"github.com/kdcos/kdcos/internal/pathid"
)

// TestPage shows one App in all the states it can be in.
func TestPage(t *testing.T) {
	for name, w := range cases(t, "status") {
		t.Run(name, func(t *testing.T) {
			app := w.apps[0]
			view := page{app: &app.App, id: idOf(pathid.Mapping{}, app), pods: w.pods, now: noon}
			var out bytes.Buffer
			must(t, view.print(&out))
			golden(t, "status/"+name+".out.txt", out.String())
		})
	}
}

// TestPageWide names the pods, too.
func TestPageWide(t *testing.T) {
	w := load(t, "testdata/status/running.in.yaml")
	var out bytes.Buffer
	view := page{app: &w.apps[0].App, id: "/prod/web/api", pods: w.pods, now: noon, wide: true}
	must(t, view.print(&out))
	golden(t, "status/running-wide.out.txt", out.String())
}

// TestPageHidden is what somebody sees who may see Apps and no pods.
func TestPageHidden(t *testing.T) {
	w := load(t, "testdata/status/running.in.yaml")
	var out bytes.Buffer
	view := page{app: &w.apps[0].App, id: "/prod/web/api", hidden: `pods is forbidden: User "jane" cannot list resource "pods"`, now: noon}
	must(t, view.print(&out))
	golden(t, "status/running-hidden.out.txt", out.String())
}

// TestOverview shows many Apps.
func TestOverview(t *testing.T) {
	w := load(t, "testdata/overview/apps.in.yaml")
	for name, o := range map[string]overview{
		"plain":      {now: noon},
		"wide":       {now: noon, wide: true},
		"namespaces": {now: noon, everyone: true},
		"no-headers": {now: noon, noHeaders: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			must(t, o.print(&out, w.apps))
			golden(t, "overview/"+name+".out.txt", out.String())
		})
	}
}
