// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// TestDefault holds that Default fills in what an API server does, and two
// things more: the upgradeStrategy and the one port of an app that has none.
func TestDefault(t *testing.T) {
	schema := admission.App(t)
	for _, spec := range []string{
		"cmd: sleep 9",
		image,
		"networks: [{name: a}], " + image,
		bridged + image,
		bridged + "container: {docker: {image: x}, portMappings: []}",
		bridged + "container: {docker: {image: x}, portMappings: [{}, {hostPort: 0, protocol: 'udp,tcp'}]}",
		"cmd: sleep 9, portDefinitions: []",
		"cmd: sleep 9, portDefinitions: [{}, {port: 80}]",
		"cmd: sleep 9, executorResources: {}, fetch: [{uri: u}, {uri: v, extract: false}]",
		"cmd: sleep 9, healthChecks: [{}, {protocol: COMMAND, command: {value: x}}]",
		"cmd: sleep 9, check: {tcp: {port: 80}}, readinessChecks: [{portName: default}]",
		"cmd: sleep 9, container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}, {containerPath: b, hostPath: c, mode: RO}]}",
		"cmd: sleep 9, container: {type: MESOS, volumes: [{containerPath: a, external: {name: v, provider: dvdi, options: {dvdi/driver: d}}}]}",
		containersOf("endpoints: [{name: p}, {name: q, protocol: [udp]}], artifacts: [{uri: u}], healthCheck: {http: {endpoint: p}}, check: {http: {endpoint: p}}"),
		containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, persistent: {size: 1}}]",
		"cmd: sleep 9, instances: 0, cpus: 0.5, mem: 0, disk: 1, gpus: 0, role: prod, killSelection: OLDEST_FIRST, backoffSeconds: 0, backoffFactor: 1, " +
			"maxLaunchDelaySeconds: 0, upgradeStrategy: {minimumHealthCapacity: 0, maximumOverCapacity: 0}, unreachableStrategy: {}, resourceLimits: {}",
	} {
		raw, err := admission.Decode(appOf(spec))
		if err != nil {
			t.Fatal(err)
		}
		given, err := admission.Into[v1alpha1.App](raw)
		if err != nil {
			t.Fatal(err)
		}
		admitted, errs := schema.Admit(t, appOf(spec))
		if len(errs) > 0 {
			t.Errorf("%s: %v", spec, errs.ToAggregate())
		}
		stored, err := admission.Into[v1alpha1.App](admitted)
		if err != nil {
			t.Fatal(err)
		}
		filled := given.DeepCopy()
		filled.Spec.Default()
		again := filled.DeepCopy()
		again.Spec.Default()
		if diff := cmp.Diff(filled, again); diff != "" {
			t.Errorf("%s: filling in twice changes something:\n%s", spec, diff)
		}
		late := stored.DeepCopy()
		late.Spec.Default()
		if diff := cmp.Diff(filled, late); diff != "" {
			t.Errorf("%s: before (-) and after (+) an API server Default does something else:\n%s", spec, diff)
		}
		withoutExtras(&given.Spec, &filled.Spec)
		if diff := cmp.Diff(stored, filled); diff != "" {
			t.Errorf("%s: the schema (-) and Default (+) differ:\n%s", spec, diff)
		}
	}
}

// withoutExtras takes out of a spec what Default alone fills in.
func withoutExtras(given, filled *v1alpha1.AppSpec) {
	filled.UpgradeStrategy = given.UpgradeStrategy
	if given.PortDefinitions == nil {
		filled.PortDefinitions = nil
	}
	if given.Container != nil && given.Container.PortMappings == nil {
		filled.Container.PortMappings = nil
	}
}
