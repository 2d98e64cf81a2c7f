// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"testing"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestIsURI(t *testing.T) {
	for _, s := range []string{
		"", "a", "a/b", "/a/b", "//host/a", "http://host", "http://host:8080/a?b=c#d", "http://user:pw@host_1/a", "http://[::1]:80/a",
		"hdfs://n/x", "s3a://bucket/x", "file:///a", "mailto:a@b", "http://host/%41", "http://höst/ü", "?a", "#a", "a?b[c]", "a:b", "http://h/a;b,c!d'e(f)*~$&+=@:",
		"http://downloads.mesosphere.io/x-1.0.tgz", "docker.tar.gz", "http:///a",
	} {
		if !isURI(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{
		"a b", "http://a b", "http://host/{{x}}", "http://host/<x>", `a"b`, `a\b`, "a^b", "a`b", "a|b", "http://host/%4", "http://host/%zz", "%",
		"1a:b", ":a", "://", "http:", "http://", "a\nb", "a\x01", "http://h/a[b]", "a\u2028b", "a\u0085b",
	} {
		if isURI(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestIsArchive(t *testing.T) {
	for s, want := range map[string]bool{
		"http://a/b.tgz": true, "a.zip": true, "http://a/b.tar.gz?c#d": true, "http://a/b.gz": true, "http://a/b%2etgz": true, "file:/a.txz": true,
		"http://a/b": false, "http://a/b?c=d.zip": false, "http://a.zip": false, "http://a b.zip": false, "mailto:a.zip": false, "http://a/b.ZIP": false, "http://a/b.zip/": false,
	} {
		if got := isArchive(s); got != want {
			t.Errorf("isArchive(%q) = %v", s, got)
		}
	}
}

func TestIsRegexp(t *testing.T) {
	for _, s := range []string{"", "a", "rack-[1-3]", "(a|b)+", "(?i)a", "(?=a)b", "(?<!a)b", `(a)\1`, "a++", "a*+", `\Qa\E`, "(?<n>a)", `[\w-.]`, "a{2,3}", "[a&&[b]]"} {
		if !isRegexp(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"(", ")", "a)", "[", "[z-a]", "*", "+a", "(*)", `a\`} {
		if isRegexp(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestDecimal(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", 1.5: "1.5", -3: "-3.0", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 1.25e10: "1.25E10", 9999999: "9999999.0",
	} {
		if got := decimal(f); got != want {
			t.Errorf("decimal(%v) = %s", f, got)
		}
	}
}

// TestNeverPanics calls what is exported with values no document leads to.
func TestNeverPanics(t *testing.T) {
	volume := []Volume{{}, {Persistent: &PersistentVolume{}}, {External: &ExternalVolume{}}, {External: &ExternalVolume{CSI: &CSIOptions{}}}}
	for _, app := range []*App{
		nil,
		{},
		{Container: &Container{}},
		{Container: &Container{Docker: &Docker{}, LinuxInfo: &LinuxInfo{}, PortMappings: []PortMapping{{}}, Volumes: volume}},
		{ID: "/x", HealthChecks: []HealthCheck{{}}, ReadinessChecks: []ReadinessCheck{{}}, Check: &Check{HTTP: &HTTPCheck{}, TCP: &TCPCheck{}, Exec: &ExecCheck{}}},
		{ID: "/x", Constraints: [][]string{nil, {""}}, Networks: []Network{{}, {}}, PortDefinitions: []PortDefinition{{}}, Env: map[string]EnvValue{"": {}}},
		{ID: "/x", ResourceLimits: &ResourceLimits{Cpus: &ResourceLimit{}}, ExecutorResources: &ExecutorResources{}, UpgradeStrategy: &UpgradeStrategy{}, Residency: &Residency{}},
		{ID: "/x", IPAddress: &IPAddress{Discovery: &IPDiscovery{Ports: []IPDiscoveryPort{{}}}}, Fetch: []Artifact{{}}, Secrets: map[string]SecretDef{"": {}}, URIs: []string{""}},
	} {
		if _, err := ToApp(app, Options{}); err == nil {
			t.Errorf("%v is taken", app)
		}
	}
	for _, item := range []Item{{}, {Group: "/x"}, {App: &App{}, Group: "/x"}} {
		if _, err := item.ToApp(Options{}); err == nil {
			t.Errorf("%v is taken", item)
		}
	}
	for _, spec := range []v1alpha1.AppSpec{
		{},
		{Container: &v1alpha1.Container{
			Docker: &v1alpha1.DockerContainer{}, PortMappings: []v1alpha1.PortMapping{{}}, LinuxInfo: &v1alpha1.LinuxInfo{},
			Volumes: []v1alpha1.Volume{{}, {Persistent: &v1alpha1.PersistentVolume{}}, {External: &v1alpha1.ExternalVolume{CSI: &v1alpha1.CSIOptions{}}}},
		}},
		{HealthChecks: []v1alpha1.HealthCheck{{}}, ReadinessChecks: []v1alpha1.ReadinessCheck{{}}, Check: &v1alpha1.Check{Exec: &v1alpha1.ExecCheck{}}},
		{UpgradeStrategy: &v1alpha1.UpgradeStrategy{}, UnreachableStrategy: &v1alpha1.UnreachableStrategy{}, ResourceLimits: &v1alpha1.ResourceLimits{}},
		{Networks: []v1alpha1.Network{{}, {}}, Constraints: []v1alpha1.Constraint{{}}, Env: []v1alpha1.EnvVar{{}}},
	} {
		app := &v1alpha1.App{Spec: spec}
		app.Namespace, app.Name = "default", "x"
		if _, err := FromApp(app, Options{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := FromApp(&v1alpha1.App{}, Options{}); err == nil {
		t.Error("an App without a name has an id")
	}
	if _, err := FromApp(nil, Options{}); err == nil {
		t.Error("no App is an app")
	}
	_, _ = (&Error{}).MarshalJSON()
	_ = (&Error{}).Error()
}
