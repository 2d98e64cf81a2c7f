// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/hostaccess"
)

// TestNothingGetsPast makes Apps of pieces that are dangerous, harmless and
// twisted, and holds that a pod of one that is admitted needs no label that its
// namespace lacks.
func TestNothingGetsPast(t *testing.T) {
	nothingGetsPast(t, admission.App(t), admission.HostAccess(t), randomApp, dangers)
}

// nothingGetsPast makes objects, and holds that a pod of one that is admitted
// needs no label that its namespace lacks.
func nothingGetsPast(
	t *testing.T, schema *admission.Schema, policy *admission.Policy,
	random func(*rand.Rand) *unstructured.Unstructured, dangers func(testing.TB, *unstructured.Unstructured) ([]string, bool),
) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	admitted, reaching := 0, 0
	for range 3000 {
		stored, errs := schema.Admit(t, random(r))
		if len(errs) > 0 {
			continue
		}
		var labels []string
		for _, label := range v1alpha1.AllowLabels() {
			if r.IntN(3) > 0 {
				labels = append(labels, label)
			}
		}
		if policy.Create(t, stored, allow(labels...)) != "" {
			continue
		}
		got, running := dangers(t, stored)
		if running {
			admitted++
		}
		if len(got) > 0 {
			reaching++
		}
		for _, label := range got {
			if !slices.Contains(labels, label) {
				t.Fatalf("a pod that needs %v is admitted with %v:\n%v", got, labels, stored.Object["spec"])
			}
		}
	}
	t.Logf("%d run, %d of them reach into the node", admitted, reaching)
	if admitted < 200 || reaching < 100 {
		t.Errorf("only %d run and %d reach into the node: the test looks at nothing", admitted, reaching)
	}
}

func pick[T any](random *rand.Rand, all ...T) T { return all[random.IntN(len(all))] }

// twist changes a text in a way that a careless reader would not see.
func twist(random *rand.Rand, s string) string {
	switch random.IntN(12) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return " " + s
	case 2:
		return s + "\t"
	case 3:
		return "--" + s
	case 4:
		return "+" + s
	case 5:
		return "0" + s
	case 6:
		return s + ":"
	case 7:
		return "/" + s
	}
	return s
}

func randomApp(random *rand.Rand) *unstructured.Unstructured {
	container := map[string]any{"type": pick(random, "DOCKER", "DOCKER", "MESOS")}
	docker := map[string]any{"image": "x"}
	spec := map[string]any{"container": container}
	container["docker"] = docker
	if random.IntN(5) == 0 {
		spec = randomContainers(random)
	}
	if random.IntN(4) > 0 {
		spec["networks"] = []any{map[string]any{"mode": pick(random, "host", "container/bridge", "container/bridge")}}
	}
	if random.IntN(4) == 0 {
		docker["privileged"] = pick(random, true, false)
	}
	if random.IntN(3) == 0 {
		spec["user"] = twist(random, pick(random, "root", "0", "nobody", "1000"))
	}
	if container["type"] == "DOCKER" {
		var parameters []any
		for range random.IntN(3) {
			parameters = append(parameters, map[string]any{"key": twist(random, randomKey(random)), "value": twist(random, randomValue(random))})
		}
		docker["parameters"] = parameters
	} else if random.IntN(3) == 0 {
		container["linuxInfo"] = pick(random,
			map[string]any{"ipcInfo": map[string]any{"mode": "SHARE_PARENT"}},
			map[string]any{"ipcInfo": map[string]any{"mode": "PRIVATE", "shmSize": int64(64)}},
			map[string]any{"seccomp": map[string]any{"unconfined": true}},
			map[string]any{"seccomp": map[string]any{"profileName": "p"}})
	}
	if random.IntN(3) == 0 {
		container["volumes"] = []any{map[string]any{"containerPath": "/v", "hostPath": twist(random, pick(random, "/", "/etc", "etc"))}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kdcos.io/v1alpha1", "kind": "App", "metadata": map[string]any{"name": "x", "namespace": namespace}, "spec": spec,
	}}
}

// randomContainers is the spec of an App with several containers.
func randomContainers(random *rand.Rand) map[string]any {
	mounts := []any{map[string]any{"name": "v", "mountPath": "/v"}}
	containers := []any{map[string]any{"name": "a", "image": map[string]any{"id": "x"}, "volumeMounts": mounts}}
	for i := range random.IntN(3) {
		c := map[string]any{"name": fmt.Sprintf("b%d", i), "image": map[string]any{"id": "x"}}
		if random.IntN(3) == 0 {
			c["user"] = twist(random, pick(random, "root", "0", "nobody", "1000"))
		}
		if random.IntN(3) == 0 {
			c["linuxInfo"] = pick(random, map[string]any{"ipcInfo": map[string]any{"mode": "SHARE_PARENT"}}, map[string]any{"seccomp": map[string]any{"unconfined": true}})
		}
		containers = append(containers, c)
	}
	return map[string]any{
		"containers": containers,
		"volumes":    []any{map[string]any{"name": "v", "host": twist(random, pick(random, "/", "/etc", "etc"))}},
	}
}

func randomKey(random *rand.Rand) string {
	return pick(random, "net", "network", "pid", "ipc", "privileged", "user", "volume", "cap-add", "cap-drop", "env", "shm-size", "mount", "security-opt")
}

func randomValue(random *rand.Rand) string {
	return pick(random, "host", "private", "true", "1", "false", "root", "0:0", "1000", "/:/host", "/etc:/etc:ro", "a:/b", "SYS_ADMIN", "ALL", "A=B", "64m")
}

// FuzzParameter holds the same of any docker parameter.
func FuzzParameter(f *testing.F) {
	for _, app := range hostaccess.Apps() {
		object, err := app.Object(namespace, "x")
		if err != nil {
			f.Fatal(err)
		}
		if object.Spec.Container == nil {
			continue
		}
		for _, p := range object.Spec.Container.Docker.Parameters {
			f.Add(p.Key, p.Value)
		}
	}
	schema, policy := admission.App(f), admission.HostAccess(f)
	f.Fuzz(func(t *testing.T, key, value string) {
		stored, errs := schema.Admit(t, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kdcos.io/v1alpha1", "kind": "App", "metadata": map[string]any{"name": "x", "namespace": namespace},
			"spec": map[string]any{
				"networks":  []any{map[string]any{"mode": "container/bridge"}},
				"container": map[string]any{"docker": map[string]any{"image": "x", "parameters": []any{map[string]any{"key": key, "value": value}}}},
			},
		}})
		if len(errs) > 0 || policy.Create(t, stored, nil) != "" {
			return
		}
		if got, _ := dangers(t, stored); len(got) > 0 {
			t.Errorf("%s=%s needs %v, and is admitted without", key, value, got)
		}
	})
}
