// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Policies are those of config/policy. They stay where the definitions stay:
// an App made in between would be run by the next release.
func TestPolicies(t *testing.T) {
	var want []unstructured.Unstructured
	for _, file := range []string{"host-access.yaml", "host-access-jobs.yaml", "virtual-ips.yaml", "quota.yaml"} {
		want = append(want, decode(t, read(t, root+"/config/policy/"+file))...)
	}
	for _, c := range []struct {
		values []string
		count  int
		keep   string
	}{
		{nil, 12, "keep"},
		{[]string{"crds.keep=false"}, 12, ""},
		{[]string{"policy.enabled=false"}, 0, ""},
	} {
		var found int
		for _, o := range render(t, "kdcos", c.values...) {
			if !strings.Contains(o.GetKind(), "AdmissionPolicy") {
				continue
			}
			found++
			keep := c.keep
			if strings.HasPrefix(o.GetName(), "kdcos-quota") {
				// A gate must not outlast who takes it away.
				keep = ""
			}
			if got := o.GetAnnotations()["helm.sh/resource-policy"]; got != keep {
				t.Errorf("%v: %s %s has the resource policy %q, want %q", c.values, o.GetKind(), o.GetName(), got, keep)
			}
			if !slices.ContainsFunc(want, func(w unstructured.Unstructured) bool {
				return w.GetKind() == o.GetKind() && w.GetName() == o.GetName() && reflect.DeepEqual(w.Object["spec"], o.Object["spec"])
			}) {
				t.Errorf("%v: %s %s is not the one of config/policy: run make generate", c.values, o.GetKind(), o.GetName())
			}
		}
		if found != c.count {
			t.Errorf("%v: %d objects, want %d", c.values, found, c.count)
		}
	}
}

// TestPoliciesAboutQuotas: they know the manager by its account, and keep out of
// its way. A cluster that can't set gates gets none.
func TestPoliciesAboutQuotas(t *testing.T) {
	text := func(arguments ...string) string {
		out, err := helm(append([]string{"template", "mine", root + "/charts/kdcos"}, arguments...)...)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, policies, _ := strings.Cut(string(out), "kdcos-quota")
		return policies
	}
	today := text("--namespace=there", "--kube-version=1.36.0")
	for _, want := range []string{"system:serviceaccount:there:mine-kdcos'", "kind: MutatingAdmissionPolicyBinding", "- there\n"} {
		if !strings.Contains(today, want) {
			t.Errorf("the policies do not say %q", want)
		}
	}
	if strings.Contains(today, "kdcos-system") {
		t.Error("the policies name a namespace that there is not")
	}
	old := text("--namespace=there", "--kube-version=1.34.0")
	if strings.Contains(old, "kind: Mutating") || !strings.Contains(old, "kdcos-quota-limits") {
		t.Error("on an older cluster, the gate is to be left out, and nothing else")
	}
}

// TestRolesDoNotGrow compares every single right in the chart's roles with
// testdata/roles.txt: who gives the manager more power sees it in a diff.
func TestRolesDoNotGrow(t *testing.T) {
	var rights []string
	for _, o := range render(t, "kdcos", variants["everything"]...) {
		if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		for _, rule := range convert[rbacv1.ClusterRole](t, o).Rules {
			for _, right := range expand(rule) {
				rights = append(rights, fmt.Sprintf("%s %s: %s", o.GetKind(), o.GetName(), right))
			}
		}
	}
	slices.Sort(rights)
	got := strings.Join(slices.Compact(rights), "\n") + "\n"
	const golden = "testdata/roles.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Split(string(read(t, golden)), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("rights have changed; if they must, say why and run with -update (-want +got):\n%s", diff)
	}
}

// expand writes a rule as one line for each verb on each resource.
func expand(rule rbacv1.PolicyRule) []string {
	var all []string
	for _, verb := range rule.Verbs {
		for _, url := range rule.NonResourceURLs {
			all = append(all, verb+" "+url)
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				name := resource
				if group != "" {
					name += "." + group
				}
				right := verb + " " + name
				if len(rule.ResourceNames) > 0 {
					right += " named " + strings.Join(rule.ResourceNames, ", ")
				}
				all = append(all, right)
			}
		}
	}
	return all
}
