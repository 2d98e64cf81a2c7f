// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

const (
	goneIsFinal  = "a node that is gone can't come back: MARK_AGENT_GONE is final"
	goneNoWindow = "a node that is gone does not come back: it has no window"
)

// nodeMaintenanceRules has, for every rule of NodeMaintenance, specs it takes and
// specs it refuses.
var nodeMaintenanceRules = []ruleCase{
	{"action: Deactivate", ""},
	{"action: Drain, reason: new disks", ""},
	{"action: Gone", ""},
	{"{}", "Required value"},
	{"action: Reboot", "Unsupported value"},
	{"action: Drain, drain: {mode: Delete, podGraceCapSeconds: 0, timeoutSeconds: 1, onTimeout: Force}", ""},
	{"action: Drain, drain: {mode: Kill}", "Unsupported value"},
	{"action: Drain, drain: {onTimeout: Forget}", "Unsupported value"},
	{"action: Drain, drain: {podGraceCapSeconds: -1}", "should be greater than or equal to 0"},
	{"action: Drain, drain: {podGraceCapSeconds: 86401}", "should be less than or equal to 86400"},
	{"action: Drain, drain: {timeoutSeconds: 0}", "should be greater than or equal to 1"},
	{"action: Drain, drain: {timeoutSeconds: 604801}", "should be less than or equal to 604800"},
	{"action: Drain, window: {start: '2026-11-01T12:00:00Z'}", ""},
	{"action: Deactivate, window: {start: '2026-11-01T12:00:00Z', durationSeconds: 3600}", ""},
	{"action: Drain, window: {durationSeconds: 3600}", "Required value"},
	{"action: Drain, window: {start: tomorrow}", "date-time"},
	{"action: Drain, window: {start: '2026-11-01T12:00:00Z', durationSeconds: 0}", "should be greater than or equal to 1"},
	{"action: Drain, window: {start: '2026-11-01T12:00:00Z', durationSeconds: 31536001}", "should be less than or equal to 31536000"},
	{"action: Gone, window: {start: '2026-11-01T12:00:00Z'}", goneNoWindow},
}

func nodeMaintenanceOf(spec string) string {
	return strings.NewReplacer("kind: App", "kind: NodeMaintenance", ", namespace: default", "").Replace(appOf(spec))
}

func TestNodeMaintenanceRules(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_nodemaintenances.yaml"))
	refused := map[string]bool{goneIsFinal: true}
	for _, c := range nodeMaintenanceRules {
		_, errs := schema.Admit(t, nodeMaintenanceOf(c.spec))
		found := c.message == "" && len(errs) == 0
		for _, err := range errs {
			found = found || c.message != "" && strings.Contains(err.Error(), c.message)
			refused[err.Detail] = true
		}
		if !found {
			t.Errorf("%s: %v; want %q", c.spec, errs.ToAggregate(), c.message)
		}
	}
	for _, crd := range definitions(t) {
		if crd.Spec.Names.Kind != "NodeMaintenance" {
			continue
		}
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		walk("spec", &spec, func(path string, s *apiextensionsv1.JSONSchemaProps) {
			for _, rule := range s.XValidations {
				if !refused[rule.Message] {
					t.Errorf("%s: no case is refused by the rule %q", path, rule.Message)
				}
			}
		})
	}
}

func TestNodeMaintenanceChanges(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_nodemaintenances.yaml"))
	for _, c := range []struct{ from, to, message string }{
		{"action: Deactivate", "action: Drain", ""},
		{"action: Drain", "action: Deactivate", ""},
		{"action: Drain", "action: Gone", ""},
		{"action: Gone", "action: Gone, reason: burnt", ""},
		{"action: Gone", "action: Drain", goneIsFinal},
	} {
		old, errs := schema.Admit(t, nodeMaintenanceOf(c.from))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", c.from, errs.ToAggregate())
		}
		errs = schema.Update(t, nodeMaintenanceOf(c.to), old)
		if c.message == "" && len(errs) > 0 || c.message != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), c.message)) {
			t.Errorf("%s to %s: %v; want %q", c.from, c.to, errs.ToAggregate(), c.message)
		}
	}
}
