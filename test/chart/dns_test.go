// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ofDNS says whether an object is a part of the DNS server.
func ofDNS(o unstructured.Unstructured) bool {
	return o.GetLabels()["app.kubernetes.io/component"] == "dns"
}

func dnsObject[T any](t *testing.T, objects []unstructured.Unstructured, kind string) T {
	t.Helper()
	i := slices.IndexFunc(objects, func(o unstructured.Unstructured) bool { return o.GetKind() == kind && ofDNS(o) })
	if i < 0 {
		t.Fatalf("the DNS server has no %s", kind)
	}
	return convert[T](t, objects[i])
}

// TestDNSReadsOnly holds that the server takes no port of root's, and writes
// nothing.
func TestDNSReadsOnly(t *testing.T) {
	objects := render(t, "kdcos", variants["everything"]...)
	pod := dnsObject[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec
	if len(pod.TopologySpreadConstraints) == 0 {
		t.Error("replicas do not spread")
	}
	for _, c := range pod.Containers {
		for _, p := range c.Ports {
			if p.ContainerPort < 1024 {
				t.Errorf("port %d needs root", p.ContainerPort)
			}
		}
	}
	for _, o := range objects {
		if !ofDNS(o) || o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
			continue
		}
		for _, rule := range convert[rbacv1.ClusterRole](t, o).Rules {
			for _, verb := range rule.Verbs {
				if !slices.Contains([]string{"get", "list", "watch"}, verb) {
					t.Errorf("%s %s may %s", o.GetKind(), o.GetName(), verb)
				}
			}
		}
	}
}

// TestDNSStaysUp holds that two answer, and that a drain leaves one.
func TestDNSStaysUp(t *testing.T) {
	objects := render(t, "kdcos")
	d := dnsObject[appsv1.Deployment](t, objects, "Deployment")
	budget := dnsObject[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget")
	service := dnsObject[corev1.Service](t, objects, "Service")
	if *d.Spec.Replicas != 2 || budget.Spec.MaxUnavailable.IntValue() != 1 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("%d replicas, %v, %v", *d.Spec.Replicas, budget.Spec, d.Spec.Strategy)
	}
	for _, selector := range []map[string]string{d.Spec.Selector.MatchLabels, budget.Spec.Selector.MatchLabels, service.Spec.Selector} {
		if diff := cmp.Diff(selector, d.Spec.Template.Labels); diff != "" {
			t.Errorf("(-selector +pods):\n%s", diff)
		}
	}
	for _, o := range objects {
		if o.GetKind() == "Deployment" && !ofDNS(o) && cmp.Equal(convert[appsv1.Deployment](t, o).Spec.Selector, d.Spec.Selector) {
			t.Error("the manager's pods are selected, too")
		}
	}
	named := map[string]bool{}
	for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
		named[p.Name+" "+string(p.Protocol)] = true
	}
	for _, p := range service.Spec.Ports {
		if !named[p.TargetPort.StrVal+" "+string(p.Protocol)] {
			t.Errorf("port %s leads to no port of the pods", p.Name)
		}
	}
}

// TestCorefile holds the configuration of the server. What it means, its own
// tests know.
func TestCorefile(t *testing.T) {
	for _, variant := range []string{"default", "everything"} {
		got := dnsObject[corev1.ConfigMap](t, render(t, "kdcos", variants[variant]...), "ConfigMap").Data["Corefile"]
		golden := "testdata/Corefile." + variant
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(strings.Split(string(read(t, golden)), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", variant, diff)
		}
	}
	for _, wrong := range []string{"dns.gateway=a b", "dns.ttl=-1", "dns.negativeTTL=60", "dns.clusterID=A B", "dns.forward={a b}", "dns.other=1"} {
		if out, err := template("kdcos", wrong); err == nil {
			t.Errorf("%s is taken:\n%.200s", wrong, out)
		}
	}
}
