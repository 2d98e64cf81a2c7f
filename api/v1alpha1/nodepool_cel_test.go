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
	selectorOrProvisioner = "a pool has a selector, of nodes that are there, or a provisioner that makes them"
	oneProvisioner        = "give one provisioner: karpenter or clusterAPI"
	sameProvisioner       = "the provisioner of a pool can't be replaced by another: make another pool"
	sameKindOfPool        = "a pool can't change between a selector and a provisioner: make another pool"
	attributeLabels       = "names and values of attributes have at most 63 letters, digits, dots, dashes and underscores"
	labelsOfOthers        = "labels of Kubernetes and of kdcos can't be given: role, attributes and faultDomain set them"
	taintsOfOthers        = "taints of Kubernetes and of kdcos can't be given"
	shortPoolName         = "the name of a pool is the value of a label of its nodes, and has at most 63 characters"

	karpenterSpec  = "provisioner: {karpenter: {nodeClassRef: {group: karpenter.example, kind: Class, name: default}}}"
	clusterAPISpec = "provisioner: {clusterAPI: {namespace: infra, machineDeployment: workers}}"
)

// nodePoolRules has, for every rule of NodePool, specs it takes and specs it refuses.
var nodePoolRules = []ruleCase{
	{"selector: {a: b}", ""},
	{"selector: {a: b}, role: slave_public, attributes: {public_ip: 'true', rack: ''}, maxUnavailable: 2", ""},
	{"selector: {a: b}, labels: {example.com/tier: gold}, taints: [{key: example.com/a, effect: NoSchedule}]", ""},
	{"selector: {a: b}, faultDomain: {region: eu, zone: eu-1}, gpu: {resources: [{name: nvidia.com/mig-1g.10gb, weight: 0.125}], scheduling: Unrestricted}", ""},
	{karpenterSpec, ""},
	{karpenterSpec + ", scaling: {limits: {cpu: 1k}}", ""},
	{karpenterSpec + ", scaling: {replicas: 3}", ""},
	{clusterAPISpec + ", scaling: {replicas: 0}", ""},
	{clusterAPISpec + ", scaling: {min: 1, max: 3}", ""},
	{"{}", selectorOrProvisioner},
	{"selector: {}", "should have at least 1 properties"},
	{"selector: {a: b}, " + karpenterSpec, selectorOrProvisioner},
	{"selector: {a: b}, scaling: {replicas: 1}", "scaling needs a provisioner: nodes that a selector adopts are made by others"},
	{"provisioner: {}", oneProvisioner},
	{"provisioner: {karpenter: {nodeClassRef: {group: a.b, kind: C, name: d}}, clusterAPI: {namespace: infra, machineDeployment: workers}}", oneProvisioner},
	{clusterAPISpec, "the provisioner clusterAPI needs scaling"},
	{clusterAPISpec + ", scaling: {max: 3}", "the provisioner clusterAPI needs scaling.replicas, or both scaling.min and scaling.max, as the cluster autoscaler does"},
	{clusterAPISpec + ", scaling: {replicas: 3, limits: {cpu: 1}}", "scaling.limits is for the provisioner karpenter"},
	{karpenterSpec + ", scaling: {min: 1}", "scaling.min and scaling.max are for the provisioner clusterAPI"},
	{clusterAPISpec + ", scaling: {replicas: 3, min: 1}", "give replicas, or min and max"},
	{clusterAPISpec + ", scaling: {min: 3, max: 1}", "min may not be more than max"},
	{"selector: {a: b}, role: 'not a role'", "should match"},
	{"selector: {a: b}, attributes: {'a/b': c}", attributeLabels},
	{"selector: {a: b}, attributes: {a: 'not a label'}", attributeLabels},
	{"selector: {a: b}, labels: {kubernetes.io/os: c}", labelsOfOthers},
	{"selector: {a: b}, labels: {kdcos.node-restriction.kubernetes.io/pool: c}", labelsOfOthers},
	{"selector: {a: b}, labels: {'a b': c}", "labels have keys and values of Kubernetes"},
	{"selector: {a: b}, taints: [{key: kdcos.io/role, effect: NoSchedule}]", taintsOfOthers},
	{"selector: {a: b}, taints: [{key: a, effect: Never}]", "Unsupported value"},
	{"selector: {a: b}, gpu: {resources: [{name: gpu}]}", "should match"},
	{"selector: {a: b}, gpu: {resources: [{name: nvidia.com/gpu, weight: 0.0001}]}", "weight must be at least 0.001"},
	{"selector: {a: b}, maxUnavailable: 0", "should be greater than or equal to 1"},
}

func nodePoolOf(spec string) string {
	return strings.NewReplacer("kind: App", "kind: NodePool", ", namespace: default", "").Replace(appOf(spec))
}

func TestNodePoolRules(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_nodepools.yaml"))
	refused := map[string]bool{sameProvisioner: true, sameKindOfPool: true}
	for _, c := range nodePoolRules {
		_, errs := schema.Admit(t, nodePoolOf(c.spec))
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
		if crd.Spec.Names.Kind != "NodePool" {
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
	long := strings.Replace(nodePoolOf("selector: {a: b}"), "name: x", "name: "+strings.Repeat("a", 64), 1)
	if _, errs := schema.Admit(t, long); len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), shortPoolName) {
		t.Errorf("a name of 64 characters: %v", errs.ToAggregate())
	}
}

func TestNodePoolChanges(t *testing.T) {
	schema := admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_nodepools.yaml"))
	for _, c := range []struct{ from, to, message string }{
		{"selector: {a: b}", "selector: {c: d}, role: slave_public", ""},
		{"selector: {a: b}", karpenterSpec, sameKindOfPool},
		{karpenterSpec, "selector: {a: b}", sameKindOfPool},
		{karpenterSpec, clusterAPISpec + ", scaling: {replicas: 1}", sameProvisioner},
		{clusterAPISpec + ", scaling: {replicas: 1}", clusterAPISpec + ", scaling: {min: 1, max: 2}", ""},
	} {
		old, errs := schema.Admit(t, nodePoolOf(c.from))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", c.from, errs.ToAggregate())
		}
		errs = schema.Update(t, nodePoolOf(c.to), old)
		if c.message == "" && len(errs) > 0 || c.message != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), c.message)) {
			t.Errorf("%s to %s: %v; want %q", c.from, c.to, errs.ToAggregate(), c.message)
		}
	}
}
