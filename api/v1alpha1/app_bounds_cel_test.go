// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// fullApp has every field of an App, whether or not they go together.
// TestAppBounds sets each to what its bounds allow and to what they do not.
const fullApp = `
cmd: sleep 9
args: [a]
user: root
env: [{name: A, value: v, secret: s}]
instances: 1
cpus: 1
mem: 1
disk: 1
gpus: 1
resourceLimits: {cpus: "1.5", mem: "200.5"}
executor: //cmd
executorResources: {cpus: 1, mem: 32, disk: 10}
fetch: [{uri: u, extract: true, executable: true, cache: true, destPath: d}]
labels: {anykey: b}
constraints: [{field: f, operator: IS, value: v}]
acceptedResourceRoles: ["*"]
role: r
portDefinitions: [{port: 1, protocol: tcp, name: nm, labels: {anykey: b}}]
requirePorts: true
networks: [{mode: container, name: nm, labels: {anykey: b}}]
dependencies: [/d]
healthChecks: [{protocol: HTTP, port: 1, portIndex: 0, path: p, command: {value: v}, gracePeriodSeconds: 1, intervalSeconds: 1, timeoutSeconds: 1,
  delaySeconds: 1, maxConsecutiveFailures: 1, ignoreHttp1xx: true, ipProtocol: IPv4}]
check: {http: {port: 1, portIndex: 0, path: p, scheme: HTTP}, tcp: {port: 1, portIndex: 0}, exec: {command: {shell: s, argv: [a]}},
  intervalSeconds: 1, timeoutSeconds: 1, delaySeconds: 1}
readinessChecks: [{name: nm, protocol: HTTP, path: p, portName: p, intervalSeconds: 2, timeoutSeconds: 1, httpStatusCodesForReady: [200], preserveLastResponse: true}]
upgradeStrategy: {minimumHealthCapacity: 1, maximumOverCapacity: 1}
killSelection: OLDEST_FIRST
backoffSeconds: 1
backoffFactor: 1.5
maxLaunchDelaySeconds: 1
taskKillGracePeriodSeconds: 1
drainSeconds: 1
suspend: true
perNode: true
rollout: {paused: true, canaryInstances: 1, progressDeadlineSeconds: 1, onFailure: Rollback, inPlace: [labels]}
unreachableStrategy: {disabled: true, inactiveAfterSeconds: 1, expungeAfterSeconds: 1}
secrets: [{name: s, source: s}]
tty: true
container:
  type: MESOS
  docker: {image: i, forcePullImage: true, privileged: true, parameters: [{key: k, value: v}], pullConfig: {secret: s}}
  portMappings: [{containerPort: 1, hostPort: 1, servicePort: 1, protocol: tcp, name: nm, labels: {anykey: b}, networkNames: [nm]}]
  volumes: [{containerPath: c, mode: RW, hostPath: h, secret: s,
    persistent: {type: path, size: 1, maxSize: 2, profileName: p, constraints: [{field: path, operator: LIKE, value: v}]},
    external: {name: nm, provider: csi, size: 1, shared: true, options: {anykey: b}, csi: {pluginName: p, nodeStageSecret: {anykey: b}, nodePublishSecret: {anykey: b},
      volumeContext: {anykey: b}, capability: {accessType: block, accessMode: SINGLE_NODE_WRITER, fsType: f, mountFlags: [m]}}}}]
  linuxInfo: {seccomp: {profileName: p, unconfined: true}, ipcInfo: {mode: PRIVATE, shmSize: 1}}
`

// probe is a value for a field, and whether the bound takes it.
type probe struct {
	bound string
	value any
	ok    bool
}

// probes are values at and beyond each bound of a schema. item is what a list
// or a map has in it.
func probes(s *apiextensionsv1.JSONSchemaProps, old any) []probe {
	var out []probe
	add := func(bound string, at, beyond any) {
		out = append(out, probe{bound, at, true}, probe{bound, beyond, false})
	}
	if s.MaxLength != nil {
		add("maxLength", strings.Repeat("a", int(*s.MaxLength)), strings.Repeat("a", int(*s.MaxLength)+1))
	}
	if s.MinLength != nil {
		add("minLength", strings.Repeat("a", int(*s.MinLength)), strings.Repeat("a", int(*s.MinLength)-1))
	}
	if s.Pattern != "" {
		add("pattern", old, "\x01\n")
	}
	if len(s.Enum) > 0 {
		add("enum", old, "no such")
	}
	if s.Minimum != nil {
		add("minimum", *s.Minimum, *s.Minimum-max(1, *s.Minimum)/2-0.5)
		if s.Type == "integer" {
			out[len(out)-1].value = int64(*s.Minimum) - 1
			out[len(out)-2].value = int64(*s.Minimum)
		}
	}
	if s.Maximum != nil {
		add("maximum", int64(*s.Maximum), int64(*s.Maximum)+1)
	}
	if s.MaxItems != nil {
		item := old.([]any)[0]
		add("maxItems", slices.Repeat([]any{item}, int(*s.MaxItems)), slices.Repeat([]any{item}, int(*s.MaxItems)+1))
	}
	if s.MinItems != nil {
		add("minItems", old, []any{})
	}
	if s.MaxProperties != nil {
		add("maxProperties", keys(int(*s.MaxProperties)), keys(int(*s.MaxProperties)+1))
	}
	return out
}

func keys(n int) map[string]any {
	out := map[string]any{}
	for i := range n {
		out[fmt.Sprintf("key%d", i)] = "v"
	}
	return out
}

// boundErrors are the kinds of error by which the API server tells of a bound.
var boundErrors = map[string]func(*field.Error) bool{
	"maxLength":     func(e *field.Error) bool { return e.Type == field.ErrorTypeTooLong },
	"minLength":     func(e *field.Error) bool { return strings.Contains(e.Detail, "should be at least") },
	"pattern":       func(e *field.Error) bool { return strings.Contains(e.Detail, "should match") },
	"enum":          func(e *field.Error) bool { return e.Type == field.ErrorTypeNotSupported },
	"minimum":       func(e *field.Error) bool { return strings.Contains(e.Detail, "should be greater than or equal to") },
	"maximum":       func(e *field.Error) bool { return strings.Contains(e.Detail, "should be less than or equal to") },
	"maxItems":      func(e *field.Error) bool { return e.Type == field.ErrorTypeTooMany },
	"minItems":      func(e *field.Error) bool { return strings.Contains(e.Detail, "should have at least") },
	"maxProperties": func(e *field.Error) bool { return e.Type == field.ErrorTypeTooMany },
}

func TestAppBounds(t *testing.T) { checkBounds(t, "App", admission.App(t), fullApp+fullContainers) }

// checkBounds holds that every bound in the schema is met: by a value at it and,
// with the error that belongs to it, by one beyond.
func checkBounds(t *testing.T, kind string, schema *admission.Schema, full string) {
	t.Helper()
	met := map[string]bool{}
	spec := decodeSpec(t, full)
	eachValue("spec", specSchema(t, kind), spec, func(path string, s *apiextensionsv1.JSONSchemaProps, value any, set func(any)) {
		for _, p := range probes(s, value) {
			met[path+" "+p.bound] = true
			set(p.value)
			_, errs := schema.Admit(t, object(kind, spec))
			refused := slices.ContainsFunc(errs, func(e *field.Error) bool {
				return boundErrors[p.bound](e) && generic(e.Field) == path
			})
			if refused == p.ok {
				t.Errorf("%s: %s: %.80v: refused is %v:\n%.400v", path, p.bound, p.value, refused, errs)
			}
		}
		set(value)
	})
	walk("spec", specSchema(t, kind), func(path string, s *apiextensionsv1.JSONSchemaProps) {
		for _, p := range probes(s, []any{nil}) {
			if !met[path+" "+p.bound] {
				t.Errorf("the full spec lacks %s, whose %s is not met", path, p.bound)
			}
		}
	})
	t.Logf("%d bounds", len(met))
}

func object(kind string, spec any) map[string]any {
	return map[string]any{"apiVersion": "kdcos.io/v1alpha1", "kind": kind, "metadata": map[string]any{"name": "x", "namespace": "default"}, "spec": spec}
}

func decodeSpec(t *testing.T, text string) map[string]any {
	t.Helper()
	u, err := admission.Decode("apiVersion: v1\nkind: Spec\nspec:\n  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
	if err != nil {
		t.Fatal(err)
	}
	return u.Object["spec"].(map[string]any)
}

// generic is a field with [] for the first item and {} for the one key that the
// full Apps have in maps, as walk has it.
func generic(path string) string {
	return strings.NewReplacer("[0]", "[]", ".anykey", "{}").Replace(path)
}

// eachValue visits every value of a spec with its schema. set puts another in
// its place.
func eachValue(path string, s *apiextensionsv1.JSONSchemaProps, value any, visit func(string, *apiextensionsv1.JSONSchemaProps, any, func(any))) {
	switch value := value.(type) {
	case map[string]any:
		for name := range value {
			child, at := s.Properties[name], path+"."+name
			if s.AdditionalProperties != nil {
				child, at = *s.AdditionalProperties.Schema, path+"{}"
			}
			visit(at, &child, value[name], func(v any) { value[name] = v })
			eachValue(at, &child, value[name], visit)
		}
	case []any:
		for i := range value {
			visit(path+"[]", s.Items.Schema, value[i], func(v any) { value[i] = v })
			eachValue(path+"[]", s.Items.Schema, value[i], visit)
		}
	}
}
