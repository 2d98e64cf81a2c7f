// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart_test renders the chart as a user would and reads the result as
// a security reviewer would.
package chart_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	namespace = "kdcos-system"
)

// variants are the ways of installing the chart that every rule must hold for.
var variants = map[string][]string{
	"default": nil,
	"everything": {
		"replicas=3", "metrics.serviceMonitor.enabled=true", "image.digest=sha256:" + strings.Repeat("0", 64),
		"priorityClassName=system-cluster-critical", "manager.extraArgs={--zap-stacktrace-level=panic}", "manager.homeRegion=eu-1", "manager.dnsServers={192.0.2.53}", "manager.dnsSearches={marathon.mesos}",
		"manager.storageClasses.mount=local-disks", "manager.driverStorageClasses.rexray=ebs",
		"image.pullSecrets[0].name=pull", "dns.stubDomains.enabled=true", "nodeSelector.a=b", "podLabels.team=a", "podAnnotations.a=b",
		"dns.gateway=kdcos-system/gateway", "dns.zookeeper=data/zk", "dns.forward={10.96.0.10}", "dns.clusterIP=10.96.0.11", "dns.clusterID=abc",
	},
	"nothing": {
		"metrics.enabled=false", "rbac.aggregate=false", "crds.install=false", "policy.enabled=false",
		"serviceAccount.create=false", "serviceAccount.name=mine", "dns.enabled=false",
	},
}

func TestNoWildcardsAndNoSecrets(t *testing.T) {
	eachVariant(t, func(t *testing.T, objects []unstructured.Unstructured) {
		rules := 0
		for _, o := range objects {
			if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
				continue
			}
			for _, rule := range convert[rbacv1.ClusterRole](t, o).Rules {
				rules++
				everything := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs)
				for _, word := range everything {
					if strings.Contains(word, "*") {
						t.Errorf("%s %s has a wildcard: %v", o.GetKind(), o.GetName(), rule)
					}
				}
				for _, forbidden := range []string{"secrets", "pods/exec", "pods/attach", "nodes/proxy", "impersonate", "escalate", "bind"} {
					if o.GetKind() == "ClusterRole" && slices.Contains(everything, forbidden) {
						t.Errorf("%s %s grants %s: %v", o.GetKind(), o.GetName(), forbidden, rule)
					}
				}
			}
		}
		if rules == 0 {
			t.Error("no rule found")
		}
	})
}

// pods are those that the chart's Deployments and Jobs make, by their names.
func pods(t *testing.T, objects []unstructured.Unstructured) map[string]corev1.PodSpec {
	t.Helper()
	all := map[string]corev1.PodSpec{}
	for _, o := range objects {
		switch o.GetKind() {
		case "Deployment":
			all[o.GetName()] = convert[appsv1.Deployment](t, o).Spec.Template.Spec
		case "Job":
			all[o.GetName()] = convert[batchv1.Job](t, o).Spec.Template.Spec
		}
	}
	if len(all) == 0 {
		t.Error("there are no pods")
	}
	return all
}

// What the Pod Security Standard "restricted" asks for, and a little more.
func TestPodsAreRestricted(t *testing.T) {
	eachVariant(t, func(t *testing.T, objects []unstructured.Unstructured) {
		for name, pod := range pods(t, objects) {
			if pod.HostNetwork || pod.HostPID || pod.HostIPC || slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.ConfigMap == nil }) {
				t.Errorf("%s uses something of its node", name)
			}
			s := pod.SecurityContext
			if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 {
				t.Errorf("%s may run as root", name)
			}
			if s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s has no seccomp profile RuntimeDefault", name)
			}
			for _, c := range pod.Containers {
				checkContainer(t, c, pod.RestartPolicy == corev1.RestartPolicyNever)
			}
		}
	})
}

func checkContainer(t *testing.T, c corev1.Container, ends bool) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("container %s does not drop all capabilities", c.Name)
	}
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
		t.Errorf("container %s allows privilege escalation", c.Name)
	}
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
		t.Errorf("container %s has a writable root file system", c.Name)
	}
	if !ends && (c.LivenessProbe == nil || c.ReadinessProbe == nil) {
		t.Errorf("container %s has no probes", c.Name)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("container %s does not say what it needs: %v", c.Name, c.Resources)
	}
	if c.Name == "manager" && !slices.Contains(c.Args, "--leader-elect") {
		t.Errorf("container %s works without a lease: %v", c.Name, c.Args)
	}
}

// The lease is in the release's namespace, and no other may be touched.
func TestLeaderElection(t *testing.T) {
	eachVariant(t, func(t *testing.T, objects []unstructured.Unstructured) {
		leases := 0
		for _, o := range objects {
			if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
				continue
			}
			for _, rule := range convert[rbacv1.ClusterRole](t, o).Rules {
				if !slices.Contains(rule.Resources, "leases") {
					continue
				}
				leases++
				if o.GetKind() != "Role" || o.GetNamespace() != namespace {
					t.Errorf("%s %s grants leases beyond the namespace", o.GetKind(), o.GetName())
				}
				if !slices.Equal(rule.Verbs, []string{"create"}) && !slices.Equal(rule.ResourceNames, []string{"manager.kdcos.io"}) {
					t.Errorf("%s %s grants leases of others: %v", o.GetKind(), o.GetName(), rule)
				}
			}
		}
		if leases == 0 {
			t.Error("nobody may take the lease")
		}
	})
}

// Every subject and every role a binding names is the release's own.
func TestBindings(t *testing.T) {
	eachVariant(t, func(t *testing.T, objects []unstructured.Unstructured) {
		accounts := map[string]bool{}
		for _, pod := range pods(t, objects) {
			accounts[pod.ServiceAccountName] = true
		}
		roles, managers := map[string]bool{}, 0
		for _, o := range objects {
			roles[o.GetKind()+"/"+o.GetName()] = true
			if o.GetKind() == "ServiceAccount" && o.GetLabels()["app.kubernetes.io/component"] == "manager" {
				managers++
			}
		}
		if managers > 1 {
			t.Errorf("%d accounts say that they are the manager's", managers)
		}
		for _, o := range objects {
			if !strings.HasSuffix(o.GetKind(), "RoleBinding") {
				continue
			}
			binding := convert[rbacv1.ClusterRoleBinding](t, o)
			if !roles[binding.RoleRef.Kind+"/"+binding.RoleRef.Name] {
				t.Errorf("%s %s binds %s, which the chart does not have", o.GetKind(), o.GetName(), binding.RoleRef.Name)
			}
			for _, subject := range binding.Subjects {
				if subject.Kind != "ServiceAccount" || !accounts[subject.Name] || subject.Namespace != namespace {
					t.Errorf("%s %s is for %v, who runs no pod of the chart", o.GetKind(), o.GetName(), subject)
				}
			}
		}
	})
}

// Definitions are the generated ones; Helm upgrades them and never deletes them.
func TestDefinitions(t *testing.T) {
	files, err := filepath.Glob(root + "/config/crd/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no generated definitions (%v)", err)
	}
	for _, c := range []struct {
		values []string
		count  int
		policy string
	}{
		{nil, len(files), "keep"},
		{[]string{"crds.keep=false"}, len(files), ""},
		{[]string{"crds.install=false"}, 0, ""},
	} {
		var found int
		for _, o := range render(t, "kdcos", c.values...) {
			if o.GetKind() != "CustomResourceDefinition" {
				continue
			}
			found++
			if got := o.GetAnnotations()["helm.sh/resource-policy"]; got != c.policy {
				t.Errorf("%v: %s has policy %q, want %q", c.values, o.GetName(), got, c.policy)
			}
			group, plural := o.Object["spec"].(map[string]any)["group"].(string), strings.Split(o.GetName(), ".")[0]
			want := decode(t, read(t, root+"/config/crd/"+group+"_"+plural+".yaml"))[0]
			if !reflect.DeepEqual(o.Object["spec"], want.Object["spec"]) {
				t.Errorf("%v: %s is not what was generated", c.values, o.GetName())
			}
		}
		if found != c.count {
			t.Errorf("%v: %d definitions, want %d", c.values, found, c.count)
		}
	}
}

func TestManagerRoleIsTheGeneratedOne(t *testing.T) {
	want := decode(t, read(t, root+"/config/rbac/role.yaml"))[0]
	for _, o := range render(t, "kdcos") {
		if o.GetKind() == "ClusterRole" && o.GetName() == "kdcos-manager" {
			if !reflect.DeepEqual(o.Object["rules"], want.Object["rules"]) {
				t.Error("the manager's role is not what was generated: run make generate")
			}
			return
		}
	}
	t.Error("no ClusterRole kdcos-manager")
}

// Users of a namespace get our kinds through the roles they have.
func TestAggregation(t *testing.T) {
	want := map[string]struct{ label, resource, verb string }{
		"kdcos-view": {"rbac.authorization.k8s.io/aggregate-to-view", "apps", "list"},
		"kdcos-edit": {"rbac.authorization.k8s.io/aggregate-to-edit", "apps/scale", "patch"},
	}
	for _, o := range render(t, "kdcos") {
		w, is := want[o.GetName()]
		if !is || o.GetKind() != "ClusterRole" {
			continue
		}
		delete(want, o.GetName())
		granted := slices.ContainsFunc(convert[rbacv1.ClusterRole](t, o).Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Resources, w.resource) && slices.Contains(r.Verbs, w.verb)
		})
		if o.GetLabels()[w.label] != "true" || !granted {
			t.Errorf("%s: want label %s and %s %s", o.GetName(), w.label, w.verb, w.resource)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestOptionalObjects(t *testing.T) {
	for _, c := range []struct {
		values []string
		kind   string
		count  int
	}{
		{nil, "PodDisruptionBudget", 0},
		{[]string{"replicas=2"}, "PodDisruptionBudget", 1},
		{[]string{"replicas=2", "podDisruptionBudget.enabled=false"}, "PodDisruptionBudget", 0},
		{nil, "ServiceMonitor", 0},
		{[]string{"metrics.serviceMonitor.enabled=true"}, "ServiceMonitor", 1},
		{[]string{"metrics.serviceMonitor.enabled=true", "metrics.enabled=false"}, "ServiceMonitor", 0},
		{nil, "Service", 1},
		{[]string{"metrics.enabled=false"}, "Service", 0},
	} {
		got := 0
		for _, o := range render(t, "kdcos", c.values...) {
			if o.GetKind() == c.kind && !ofDNS(o) {
				got++
			}
		}
		if got != c.count {
			t.Errorf("%v: %d of kind %s, want %d", c.values, got, c.kind, c.count)
		}
	}
}

// Two releases do not meet, whatever their names.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, release := range []string{"kdcos", "other", "other-kdcos-2"} {
		// Definitions and policies are the cluster's.
		for _, o := range render(t, release, "crds.install=false", "policy.enabled=false") {
			key := o.GetKind() + "/" + o.GetName()
			if seen[key] != "" && seen[key] != release {
				t.Errorf("releases %s and %s both have %s", seen[key], release, key)
			}
			seen[key] = release
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for _, value := range []string{
		"replica=2", "image.pullPolicy=Sometimes", "image.digest=abc", "manager.rootNamespace=Not_A_Name", "manager.homeRegion=-", "manager.dnsServers={a,b,c,d}", "manager.storageClasses.tape=x",
		"manager.hostPorts=20000", "manager.servicePorts=all", "manager.taskLaunchTimeout=5", "manager.runLaunchTimeout=5", "manager.workers=0", "metrics.port=70000", "serviceAccount.create=false",
	} {
		if out, err := template("kdcos", value); err == nil {
			t.Errorf("%s is taken:\n%.200s", value, out)
		}
	}
}

func eachVariant(t *testing.T, check func(*testing.T, []unstructured.Unstructured)) {
	t.Helper()
	for name, values := range variants {
		t.Run(name, func(t *testing.T) { check(t, render(t, "kdcos", values...)) })
	}
}

func render(t *testing.T, release string, values ...string) []unstructured.Unstructured {
	t.Helper()
	out, err := template(release, values...)
	if err != nil {
		t.Fatalf("helm template %v: %v", values, err)
	}
	return decode(t, out)
}

// template runs Helm: the binary that $HELM names, or the pinned one.
func template(release string, values ...string) ([]byte, error) {
	args := []string{"template", release, root + "/charts/kdcos", "--namespace", namespace, "--kube-version", "1.36.0"}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	return helm(args...)
}

func helm(args ...string) ([]byte, error) {
	command := exec.Command("go", append([]string{"tool", "-modfile=" + root + "/go.tools.mod", "helm"}, args...)...)
	if helm := os.Getenv("HELM"); helm != "" {
		command = exec.Command(helm, args...)
	}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		out = stderr.Bytes()
	}
	return out, err
}

func decode(t *testing.T, stream []byte) []unstructured.Unstructured {
	t.Helper()
	var all []unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+string(stream), "\n---\n") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if len(object) > 0 {
			all = append(all, unstructured.Unstructured{Object: object})
		}
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func convert[T any](t *testing.T, o unstructured.Unstructured) T {
	t.Helper()
	var into T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &into, true); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return into
}
