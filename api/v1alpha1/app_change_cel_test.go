// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// appChanges are volumes of an App, those it is changed to, and what an API
// server says to that.
var appChanges = []struct{ was, is, message string }{
	{"", "{containerPath: a, persistent: {size: 1}}", ""},
	{"{containerPath: a, hostPath: b}", "{containerPath: a, persistent: {size: 1}}", ""},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, persistent: {size: 1}}", ""},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, persistent: {size: 2, type: root}}", ""},
	{"{containerPath: a, persistent: {size: 2}}", "{containerPath: a, persistent: {size: 1}}", "a persistent volume can't get smaller"},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, persistent: {size: 1, type: path}}", onlySize},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, persistent: {size: 1, profileName: p}}", onlySize},
	{"{containerPath: a, persistent: {size: 1, profileName: p}}", "{containerPath: a, persistent: {size: 1, profileName: q}}", onlySize},
	{"{containerPath: a, persistent: {size: 1, type: mount, maxSize: 2}}", "{containerPath: a, persistent: {size: 1, type: mount, maxSize: 3}}", onlySize},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, hostPath: b}", "a persistent volume can't become one of another kind: make a new app"},
	{"{containerPath: a, persistent: {size: 1}}", "", otherVolumes},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: b, persistent: {size: 1}}", otherVolumes},
	{"{containerPath: a, persistent: {size: 1}}", "{containerPath: a, persistent: {size: 1}}, {containerPath: b, persistent: {size: 1}}", otherVolumes},
	{
		"{containerPath: a, persistent: {size: 1}}, {containerPath: b, persistent: {size: 1}}, {containerPath: c, hostPath: d}",
		"{containerPath: b, persistent: {size: 1}}, {containerPath: a, persistent: {size: 1}}", "",
	},
}

const (
	onlySize     = "of a persistent volume only the size can change: make a new app"
	otherVolumes = "an app can't get or lose persistent volumes while it has any: make a new app"
)

func TestAppChanges(t *testing.T) {
	schema := admission.App(t)
	for _, c := range appChanges {
		with := func(volumes string) string {
			return appOf(fmt.Sprintf("container: {docker: {image: x}, volumes: [%s]}", volumes))
		}
		old, errs := schema.Admit(t, with(c.was))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", c.was, errs.ToAggregate())
		}
		errs = schema.Update(t, with(c.is), old)
		switch {
		case c.message == "" && len(errs) > 0:
			t.Errorf("%s to %s: %v", c.was, c.is, errs.ToAggregate())
		case c.message != "" && !strings.Contains(errs.ToAggregate().Error(), c.message):
			t.Errorf("%s to %s: %v; want %q", c.was, c.is, errs.ToAggregate(), c.message)
		}
	}
}
