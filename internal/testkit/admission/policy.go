// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// Policy is a ValidatingAdmissionPolicy, compiled as an API server does.
type Policy struct {
	validator validating.Validator
	resource  schema.GroupVersionResource
}

// HostAccess returns the policy about access of Apps to nodes.
func HostAccess(t testing.TB) *Policy {
	t.Helper()
	return policyOf(t, "host-access.yaml")
}

// HostAccessJobs returns the one about access of Jobs and JobRuns.
func HostAccessJobs(t testing.TB) *Policy {
	t.Helper()
	return policyOf(t, "host-access-jobs.yaml")
}

func policyOf(t testing.TB, file string) *Policy {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(), "config", "policy", file))
	if err != nil {
		t.Fatal(err)
	}
	raw, _, _ = bytes.Cut(raw, []byte("\n---\n"))
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := yaml.UnmarshalStrict(raw, policy); err != nil {
		t.Fatal(err)
	}
	p, err := compile(policy)
	if err != nil {
		t.Fatalf("%s: %v", policy.Name, err)
	}
	return p
}

func compile(policy *admissionregistrationv1.ValidatingAdmissionPolicy) (*Policy, error) {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	options := plugincel.OptionalVariableDeclarations{HasAuthorizer: true}
	for _, v := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, options, environment.NewExpressions)
		if result.Error != nil {
			return nil, fmt.Errorf("variable %s: %s", v.Name, result.Error.Detail)
		}
	}
	var conditions, checks, messages []plugincel.ExpressionAccessor
	for i := range policy.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]))
	}
	for _, v := range policy.Spec.Validations {
		checks = append(checks, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
	}
	compileAll := func(all []plugincel.ExpressionAccessor, options plugincel.OptionalVariableDeclarations) plugincel.ConditionEvaluator {
		evaluator := compiler.CompileCondition(all, options, environment.NewExpressions)
		for _, e := range evaluator.CompilationErrors() {
			err = fmt.Errorf("compile: %w", e)
		}
		return evaluator
	}
	matcher := matchconditions.NewMatcher(compileAll(conditions, options), policy.Spec.FailurePolicy, "policy", "validate", policy.Name)
	validator := validating.NewValidator(compileAll(checks, options), matcher, compileAll(nil, options),
		compileAll(messages, plugincel.OptionalVariableDeclarations{}), policy.Spec.FailurePolicy, nil)
	rule := policy.Spec.MatchConstraints.ResourceRules[0]
	resource := schema.GroupVersionResource{Group: rule.APIGroups[0], Version: rule.APIVersions[0], Resource: rule.Resources[0]}
	return &Policy{validator: validator, resource: resource}, err
}

// Create returns what the policy has against the creation of an object in its
// namespace with these labels, "" for nothing.
func (p *Policy) Create(t testing.TB, object *unstructured.Unstructured, labels map[string]string) string {
	t.Helper()
	return p.validate(t, admission.Create, object, nil, labels)
}

// Update returns what the policy has against an update.
func (p *Policy) Update(t testing.TB, object, old *unstructured.Unstructured, labels map[string]string) string {
	t.Helper()
	return p.validate(t, admission.Update, object, old, labels)
}

func (p *Policy) validate(t testing.TB, operation admission.Operation, object, old *unstructured.Unstructured, labels map[string]string) string {
	t.Helper()
	// A nil object in an interface is none of nil.
	var oldObject apiruntime.Object
	if old != nil {
		oldObject = old
	}
	attributes := &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(object, oldObject, object.GroupVersionKind(), object.GetNamespace(), object.GetName(),
			p.resource, "", operation, nil, false, nil),
		VersionedKind:      object.GroupVersionKind(),
		VersionedObject:    admission.NewLazyObject(object),
		VersionedOldObject: admission.NewLazyObject(oldObject),
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace(), Labels: labels}}
	result := p.validator.Validate(t.Context(), p.resource, attributes, nil, namespace, celconfig.RuntimeCELCostBudget, nil)
	for _, d := range result.Decisions {
		if d.Action == validating.ActionDeny {
			return d.Message
		}
	}
	return ""
}
