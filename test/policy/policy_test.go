// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy_test holds the policy about access to nodes and the
// translation of Apps into pods together: whatever reaches out of a container
// is refused without a label of the namespace.
package policy_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/hostaccess"
	"github.com/kdcos/kdcos/internal/workload"
)

const namespace = "tenant"

func allow(labels ...string) map[string]string {
	all := map[string]string{}
	for _, label := range labels {
		all[label] = "true"
	}
	return all
}

func TestEveryWayOutIsRefused(t *testing.T) {
	schema, policy := admission.App(t), admission.HostAccess(t)
	for _, dangerous := range hostaccess.Apps() {
		t.Run(dangerous.Name, func(t *testing.T) {
			app, err := dangerous.Object(namespace, "x")
			if err != nil {
				t.Fatal(err)
			}
			stored, errs := schema.Admit(t, app)
			if len(errs) > 0 {
				t.Fatalf("the schema refuses it before the policy can: %v", errs.ToAggregate())
			}
			message := policy.Create(t, stored, nil)
			for _, want := range []string{dangerous.Field, dangerous.Label + "=true", namespace, hostaccess.PolicyName} {
				if !strings.Contains(message, want) {
					t.Errorf("the message does not name %s: %q", want, message)
				}
			}
			others := slices.DeleteFunc(v1alpha1.AllowLabels(), func(l string) bool { return l == dangerous.Label })
			if policy.Create(t, stored, allow(others...)) == "" {
				t.Error("another label allows it")
			}
			if policy.Create(t, stored, map[string]string{dangerous.Label: "yes"}) == "" {
				t.Error("a label that is not true allows it")
			}
			if message := policy.Create(t, stored, allow(dangerous.Label)); message != "" {
				t.Errorf("the label does not allow it: %s", message)
			}
			got, running := dangers(t, stored)
			switch {
			case dangerous.Inert && running:
				t.Errorf("it runs, and needs %v", got)
			case !dangerous.Inert && !slices.Equal(got, []string{dangerous.Label}):
				t.Errorf("the pod needs %v", got)
			}
		})
	}
}

// The exploit as it was sent to Marathon's API.
func TestTheExploitOf2017(t *testing.T) {
	items, err := marathon.Decode([]byte(hostaccess.Exploit))
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	app, err := items[0].ToApp(marathon.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stored, errs := admission.App(t).Admit(t, app)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	policy := admission.HostAccess(t)
	want := "spec.container.volumes: a hostPath of the node needs the label kdcos.io/allow-host-path=true on namespace default (policy kdcos-host-access)"
	if got := policy.Create(t, stored, nil); got != want {
		t.Errorf("refused by %q, want %q", got, want)
	}
}

func TestAllReasonsAreToldAtOnce(t *testing.T) {
	stored := admit(t, "user: root\ncontainer: {type: MESOS, docker: {image: x}, volumes: [{containerPath: /a, hostPath: /a}]}")
	policy := admission.HostAccess(t)
	message := policy.Create(t, stored, nil)
	for _, want := range []string{v1alpha1.AllowRootLabel, v1alpha1.AllowHostNetworkLabel, v1alpha1.AllowHostPathLabel, "networks: [{mode: container/bridge}]"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q does not name %s", message, want)
		}
	}
	message = policy.Create(t, stored, allow(v1alpha1.AllowRootLabel, v1alpha1.AllowHostNetworkLabel))
	if strings.Contains(message, "root") || strings.Contains(message, "network") || !strings.Contains(message, v1alpha1.AllowHostPathLabel) {
		t.Errorf("what is allowed is named, or what is not isn't: %q", message)
	}
}

// What a container does to itself needs no label.
func TestHarmlessApps(t *testing.T) {
	policy := admission.HostAccess(t)
	for _, spec := range []string{
		"networks: [{mode: container/bridge}]\ncontainer: {docker: {image: x}}",
		"networks: [{mode: container, name: dcos}]\nuser: root\ncontainer: {type: DOCKER, docker: {image: x}}", // ignored by the engine
		"networks: [{mode: container/bridge}]\nuser: nobody\ncontainer: {type: MESOS, docker: {image: x, privileged: true}}",
		"networks: [{mode: container/bridge}]\nuser: \"1000\"\ncontainer: {type: MESOS, docker: {image: x}}",
		"networks: [{mode: container/bridge}]\ncontainer: {type: MESOS, docker: {image: x}, linuxInfo: {seccomp: {profileName: p}, ipcInfo: {mode: PRIVATE, shmSize: 9}}}",
		"networks: [{mode: container/bridge}]\ncontainer: {docker: {image: x}, volumes: [{containerPath: a, hostPath: a}]}",
		`networks: [{mode: container/bridge}]
container: {docker: {image: x, parameters: [{key: user, value: "1000:0"}, {key: user, value: nobody}, {key: privileged, value: "false"},
  {key: ipc, value: private}, {key: cap-drop, value: ALL}, {key: env, value: "A=host:/"}, {key: workdir, value: /}, {key: label}]}}`,
	} {
		if message := policy.Create(t, admit(t, spec), nil); message != "" {
			t.Errorf("%s: %s", spec, message)
		}
	}
}

func TestUpdates(t *testing.T) {
	policy := admission.HostAccess(t)
	old := admit(t, "container: {docker: {image: x}}")
	same := old.DeepCopy()
	same.SetFinalizers(nil)
	same.SetAnnotations(map[string]string{v1alpha1.RestartedAtAnnotation: "now"})
	if message := policy.Update(t, same, old, nil); message != "" {
		t.Errorf("an update of the metadata is refused: %s", message)
	}
	changed := admit(t, "container: {docker: {image: y}}")
	if policy.Update(t, changed, old, nil) == "" {
		t.Error("a change passes")
	}
	if message := policy.Update(t, admit(t, "networks: [{mode: container/bridge}]\ncontainer: {docker: {image: x}}"), old, nil); message != "" {
		t.Errorf("the way back is refused: %s", message)
	}
}

// The largest App there may be does not cost more than a policy may, since it
// would be refused for that.
func TestCost(t *testing.T) {
	spec := map[string]any{"networks": []any{map[string]any{"mode": "container/bridge"}}}
	var parameters, volumes []any
	for range 128 {
		parameters = append(parameters, map[string]any{"key": "env", "value": "A=" + strings.Repeat("x", 8000)})
		volumes = append(volumes, map[string]any{"containerPath": "/a", "mode": "RW", "hostPath": strings.Repeat("a", 1024)})
	}
	spec["container"] = map[string]any{"type": "DOCKER", "docker": map[string]any{"image": "x", "parameters": parameters}, "volumes": volumes}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kdcos.io/v1alpha1", "kind": "App", "metadata": map[string]any{"name": "x", "namespace": namespace}, "spec": spec,
	}}
	policy := admission.HostAccess(t)
	if message := policy.Create(t, object, nil); message != "" {
		t.Error(message)
	}
	old := object.DeepCopy()
	old.Object["spec"].(map[string]any)["user"] = "x"
	if message := policy.Update(t, object, old, nil); message != "" {
		t.Error(message)
	}
}

// The YAML repeats the names of the constants.
func TestLabels(t *testing.T) {
	raw, err := os.ReadFile("../../config/policy/host-access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, label := range regexp.MustCompile(`kdcos\.io/allow-[a-z-]+`).FindAllString(string(raw), -1) {
		found[label] = true
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(slices.Values(v1alpha1.AllowLabels())); !slices.Equal(got, want) {
		t.Errorf("the policy has %v, the API %v", got, want)
	}
	if !strings.Contains(string(raw), "\n  name: "+hostaccess.PolicyName+"\n") {
		t.Errorf("no policy is named %s", hostaccess.PolicyName)
	}
}

func admit(t testing.TB, spec string) *unstructured.Unstructured {
	t.Helper()
	app, err := hostaccess.App{Spec: spec}.Object(namespace, "x")
	if err != nil {
		t.Fatal(err)
	}
	stored, errs := admission.App(t).Admit(t, app)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", spec, errs.ToAggregate())
	}
	return stored
}

// dangers are the labels that the pod of an App needs, and whether there is a
// pod at all.
func dangers(t testing.TB, stored *unstructured.Unstructured) (labels []string, running bool) {
	t.Helper()
	app, err := admission.Into[v1alpha1.App](stored)
	if err != nil {
		t.Fatal(err)
	}
	app.Spec.Default()
	settings := workload.DefaultSettings()
	if len(workload.Unsupported(app, settings)) > 0 {
		return nil, false
	}
	made, err := workload.Pod(app, settings, workload.Slot{Version: "2021-10-31T12:00:00.000Z"})
	if err != nil {
		return nil, false
	}
	raw, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		t.Fatal(err)
	}
	return needed(&pod.Spec), true
}

// needed reads a pod as a security reviewer would.
func needed(spec *corev1.PodSpec) []string {
	found := map[string]bool{}
	found[v1alpha1.AllowHostNetworkLabel] = spec.HostNetwork
	found[v1alpha1.AllowHostNamespacesLabel] = spec.HostPID || spec.HostIPC
	for _, v := range spec.Volumes {
		if v.EmptyDir == nil {
			found[v1alpha1.AllowHostPathLabel] = true
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		s := c.SecurityContext
		if s == nil {
			continue
		}
		if s.Privileged != nil && *s.Privileged || s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeUnconfined {
			found[v1alpha1.AllowPrivilegedLabel] = true
		}
		if s.Capabilities != nil && len(s.Capabilities.Add) > 0 {
			found[v1alpha1.AllowCapabilitiesLabel] = true
		}
		if s.RunAsUser != nil && *s.RunAsUser == 0 {
			found[v1alpha1.AllowRootLabel] = true
		}
	}
	maps.DeleteFunc(found, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(found))
}
