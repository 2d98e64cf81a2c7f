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
	nameOrIP   = "give either name, of a named VIP, or ip, the address itself"
	both       = "selector and ports belong together"
	targetPort = "targetPort is a port, 1 to 65535, or the name of one"
	isFixed    = "name, framework and ip can't be changed: make a new VirtualIP"
)

// virtualIPRules has, for every rule of VirtualIP, specs it takes and specs it refuses.
var virtualIPRules = []ruleCase{
	{"name: /shop/web", ""},
	{"name: web, framework: kafka", ""},
	{"ip: 198.51.100.7", ""},
	{"ip: 'fd01:c::7'", ""},
	{"{}", nameOrIP},
	{"name: web, ip: 198.51.100.7", nameOrIP},
	{"ip: web", "ip must be an IPv4 or IPv6 address"},
	{"ip: 198.51.100.007", "ip must be an IPv4 or IPv6 address"},
	{"name: //", "name needs a letter or a digit"},
	{"name: web, framework: '-'", "framework needs a letter or a digit"},
	{"ip: 198.51.100.7, framework: kafka", "framework is a part of the DNS name, which only a named VIP has"},
	{"name: web, selector: {a: b}, ports: [{port: 80}]", ""},
	{"name: web, selector: {a: b}, ports: [{port: 80, targetPort: 8080}, {port: 80, protocol: udp, targetPort: dns}]", ""},
	{"name: web, selector: {a: b}", both},
	{"name: web, ports: [{port: 80}]", both},
	{"name: web, selector: {a: b}, ports: [{port: 0}]", "should be greater than or equal to 1"},
	{"name: web, selector: {a: b}, ports: [{port: 80, protocol: sctp}]", "Unsupported value"},
	{"name: web, selector: {a: b}, ports: [{port: 80}, {port: 80}]", "Duplicate value"},
	{"name: web, selector: {a: b}, ports: [{port: 80, targetPort: 0}]", targetPort},
	{"name: web, selector: {a: b}, ports: [{port: 80, targetPort: 65536}]", targetPort},
	{"name: web, selector: {a: b}, ports: [{port: 80, targetPort: ''}]", targetPort},
	{"name: web, selector: {a: b}, ports: [{port: 80, targetPort: sixteen-letters-}]", "15"},
	{"name: web, sessionAffinity: None", ""},
	{"name: web, sessionAffinity: ClientIP, sessionAffinityTimeoutSeconds: 86400", ""},
	{"name: web, sessionAffinity: ClientIP, sessionAffinityTimeoutSeconds: 86401", "should be less than or equal to 86400"},
	{"name: web, sessionAffinity: Cookie", "Unsupported value"},
	{"name: web, sessionAffinityTimeoutSeconds: 60", "sessionAffinityTimeoutSeconds needs the sessionAffinity ClientIP"},
	{"name: web, sessionAffinity: None, sessionAffinityTimeoutSeconds: 60", "sessionAffinityTimeoutSeconds needs the sessionAffinity ClientIP"},
}

func virtualIPOf(spec string) string {
	return strings.Replace(appOf(spec), "kind: App", "kind: VirtualIP", 1)
}

func TestVirtualIPRules(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_virtualips.yaml"))
	refused := map[string]bool{isFixed: true}
	for _, c := range virtualIPRules {
		_, errs := schema.Admit(t, virtualIPOf(c.spec))
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
		if crd.Spec.Names.Kind != "VirtualIP" {
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

func TestVirtualIPChanges(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_virtualips.yaml"))
	for _, c := range []struct{ from, to, message string }{
		{"name: web", "name: web, sessionAffinity: ClientIP", ""},
		{"name: web", "name: web, selector: {a: b}, ports: [{port: 80}]", ""},
		{"name: web", "name: other", isFixed},
		{"name: web", "name: web, framework: kafka", isFixed},
		{"name: web, framework: kafka", "name: web", isFixed},
		{"name: web", "ip: 198.51.100.7", isFixed},
		{"ip: 198.51.100.7", "ip: 198.51.100.8", isFixed},
	} {
		old, errs := schema.Admit(t, virtualIPOf(c.from))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", c.from, errs.ToAggregate())
		}
		errs = schema.Update(t, virtualIPOf(c.to), old)
		if c.message == "" && len(errs) > 0 || c.message != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), c.message)) {
			t.Errorf("%s to %s: %v; want %q", c.from, c.to, errs.ToAggregate(), c.message)
		}
	}
}
