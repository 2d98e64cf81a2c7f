// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/hostaccess"
	"github.com/kdcos/kdcos/internal/workload"
)

func TestEveryWayOutOfARunIsRefused(t *testing.T) {
	jobs, runs, policy := admission.Job(t), admission.JobRun(t), admission.HostAccessJobs(t)
	for _, dangerous := range hostaccess.Runs() {
		t.Run(dangerous.Name, func(t *testing.T) {
			job, err := dangerous.Job(namespace, "x")
			must(t, err)
			run, err := dangerous.JobRun(namespace, "x")
			must(t, err)
			storedJob, errs := jobs.Admit(t, job)
			storedRun, more := runs.Admit(t, run)
			if errs = append(errs, more...); len(errs) > 0 {
				t.Fatalf("the schema refuses it before the policy can: %v", errs.ToAggregate())
			}
			for _, stored := range []*unstructured.Unstructured{storedJob, storedRun} {
				checkRefused(t, policy, stored, dangerous)
			}
			got, running := dangersOfRun(t, storedRun)
			switch {
			case dangerous.Inert && running:
				t.Errorf("it runs, and needs %v", got)
			case !dangerous.Inert && !slices.Equal(got, []string{dangerous.Label}):
				t.Errorf("the pod needs %v", got)
			}
		})
	}
}

func checkRefused(t *testing.T, policy *admission.Policy, stored *unstructured.Unstructured, dangerous hostaccess.Run) {
	t.Helper()
	message := policy.Create(t, stored, nil)
	for _, want := range []string{dangerous.Field, dangerous.Label + "=true", namespace, hostaccess.JobsPolicyName} {
		if !strings.Contains(message, want) {
			t.Errorf("%s: the message does not name %s: %q", stored.GetKind(), want, message)
		}
	}
	others := slices.DeleteFunc(v1alpha1.AllowLabels(), func(l string) bool { return l == dangerous.Label })
	if policy.Create(t, stored, allow(others...)) == "" {
		t.Errorf("%s: another label allows it", stored.GetKind())
	}
	if policy.Create(t, stored, map[string]string{dangerous.Label: "yes"}) == "" {
		t.Errorf("%s: a label that is not true allows it", stored.GetKind())
	}
	if message := policy.Create(t, stored, allow(dangerous.Label)); message != "" {
		t.Errorf("%s: the label does not allow it: %s", stored.GetKind(), message)
	}
}

// What a container does to itself needs no label.
func TestHarmlessRuns(t *testing.T) {
	policy := admission.HostAccessJobs(t)
	for _, run := range []string{
		"cmd: sleep 9",
		"docker: {image: x}", // on the pod network, where an App would be on that of the node
		"docker: {image: x}\nnetworks: [{mode: container/bridge}]",
		"docker: {image: x}\nuser: root", // ignored by the engine
		"ucr: {image: {id: x}, privileged: true}\nuser: nobody",
		"cmd: sleep 9\nuser: \"1000\"",
		"docker: {image: x, privileged: false}\nvolumes: [{containerPath: a, hostPath: a}]",
		`docker: {image: x, parameters: [{key: user, value: "1000:0"}, {key: privileged, value: "false"}, {key: ipc, value: private}, {key: cap-drop, value: ALL}, {key: label}]}`,
	} {
		if message := policy.Create(t, admitRun(t, run), nil); message != "" {
			t.Errorf("%s: %s", run, message)
		}
	}
}

// A run can be stopped and a Job disabled where a label has gone.
func TestUpdatesOfRuns(t *testing.T) {
	policy := admission.HostAccessJobs(t)
	old := admitRun(t, "docker: {image: x}\nnetworks: [{mode: host}]")
	stopped := old.DeepCopy()
	must(t, unstructured.SetNestedField(stopped.Object, true, "spec", "stop"))
	if message := policy.Update(t, stopped, old, nil); message != "" {
		t.Errorf("a run can't be stopped: %s", message)
	}
	job, errs := admission.Job(t).Admit(t, `{apiVersion: kdcos.io/v1alpha1, kind: Job, metadata: {name: x, namespace: tenant}, spec: {
		schedules: [{id: a, cron: '* * * * *'}], run: {cmd: sleep 9, networks: [{mode: host}]}}}`)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	disabled, changed := job.DeepCopy(), job.DeepCopy()
	must(t, unstructured.SetNestedSlice(disabled.Object, nil, "spec", "schedules"))
	must(t, unstructured.SetNestedField(changed.Object, "sleep 10", "spec", "run", "cmd"))
	if message := policy.Update(t, disabled, job, nil); message != "" {
		t.Errorf("its schedule can't be taken away: %s", message)
	}
	if policy.Update(t, changed, job, nil) == "" {
		t.Error("a change of the run passes")
	}
}

// The largest Job there may be does not cost more than a policy may.
func TestCostOfJobs(t *testing.T) {
	run := map[string]any{}
	var parameters, volumes []any
	for range 128 {
		parameters = append(parameters, map[string]any{"key": "env", "value": "A=" + strings.Repeat("x", 8000)})
		volumes = append(volumes, map[string]any{"containerPath": "/a", "mode": "RW", "hostPath": strings.Repeat("a", 1024)})
	}
	run["docker"], run["volumes"] = map[string]any{"image": "x", "parameters": parameters}, volumes
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kdcos.io/v1alpha1", "kind": "Job", "metadata": map[string]any{"name": "x", "namespace": namespace}, "spec": map[string]any{"run": run},
	}}
	policy := admission.HostAccessJobs(t)
	if message := policy.Create(t, object, nil); message != "" {
		t.Error(message)
	}
	old := object.DeepCopy()
	must(t, unstructured.SetNestedField(old.Object, "x", "spec", "run", "user"))
	if message := policy.Update(t, object, old, nil); message != "" {
		t.Error(message)
	}
}

// TestLabelsOfJobs: the YAML repeats the names of the constants.
func TestLabelsOfJobs(t *testing.T) {
	raw, err := os.ReadFile("../../config/policy/host-access-jobs.yaml")
	must(t, err)
	found := map[string]bool{}
	for _, label := range regexp.MustCompile(`kdcos\.io/allow-[a-z-]+`).FindAllString(string(raw), -1) {
		found[label] = true
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(slices.Values(v1alpha1.AllowLabels())); !slices.Equal(got, want) {
		t.Errorf("the policy has %v, the API %v", got, want)
	}
	if !strings.Contains(string(raw), "\n  name: "+hostaccess.JobsPolicyName+"\n") {
		t.Errorf("no policy is named %s", hostaccess.JobsPolicyName)
	}
}

// TestNothingOfARunGetsPast makes runs of pieces that are dangerous, harmless
// and twisted, as TestNothingGetsPast makes Apps.
func TestNothingOfARunGetsPast(t *testing.T) {
	nothingGetsPast(t, admission.JobRun(t), admission.HostAccessJobs(t), randomRun, dangersOfRun)
}

func randomRun(random *rand.Rand) *unstructured.Unstructured {
	run := map[string]any{"cmd": "sleep 9"}
	switch random.IntN(4) {
	case 0:
		run["ucr"] = map[string]any{"image": map[string]any{"id": "x"}, "privileged": pick(random, true, false)}
	case 1, 2:
		docker := map[string]any{"image": "x"}
		if random.IntN(4) == 0 {
			docker["privileged"] = pick(random, true, false)
		}
		var parameters []any
		for range random.IntN(3) {
			parameters = append(parameters, map[string]any{"key": twist(random, randomKey(random)), "value": twist(random, randomValue(random))})
		}
		docker["parameters"] = parameters
		run["docker"] = docker
	}
	if random.IntN(3) == 0 {
		run["networks"] = []any{map[string]any{"mode": pick(random, "host", "host", "container/bridge")}}
	}
	if random.IntN(3) == 0 {
		run["user"] = twist(random, pick(random, "root", "0", "nobody", "1000"))
	}
	if random.IntN(3) == 0 {
		run["volumes"] = []any{map[string]any{"containerPath": "/v", "hostPath": twist(random, pick(random, "/", "/etc", "etc"))}}
	}
	return runOf(run)
}

func runOf(run map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kdcos.io/v1alpha1", "kind": "JobRun", "metadata": map[string]any{"name": "x-1", "namespace": namespace},
		"spec": map[string]any{"jobName": "x", "run": run},
	}}
}

// FuzzRunParameter holds the same of any docker parameter.
func FuzzRunParameter(f *testing.F) {
	for _, dangerous := range hostaccess.Runs() {
		run, err := dangerous.JobRun(namespace, "x")
		if err != nil {
			f.Fatal(err)
		}
		if d := run.Spec.Run.Docker; d != nil {
			for _, p := range d.Parameters {
				f.Add(p.Key, p.Value)
			}
		}
	}
	schema, policy := admission.JobRun(f), admission.HostAccessJobs(f)
	f.Fuzz(func(t *testing.T, key, value string) {
		parameters := []any{map[string]any{"key": key, "value": value}}
		stored, errs := schema.Admit(t, runOf(map[string]any{"docker": map[string]any{"image": "x", "parameters": parameters}}))
		if len(errs) > 0 || policy.Create(t, stored, nil) != "" {
			return
		}
		if got, _ := dangersOfRun(t, stored); len(got) > 0 {
			t.Errorf("%s=%s needs %v, and is admitted without", key, value, got)
		}
	})
}

// admitRun is a run as it is stored, of the YAML of what it executes.
func admitRun(t testing.TB, run string) *unstructured.Unstructured {
	t.Helper()
	object, err := hostaccess.Run{Spec: run}.JobRun(namespace, "x")
	must(t, err)
	stored, errs := admission.JobRun(t).Admit(t, object)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", run, errs.ToAggregate())
	}
	return stored
}

// dangersOfRun are the labels that the pod of a run needs, and whether there is a
// pod at all.
func dangersOfRun(t testing.TB, stored *unstructured.Unstructured) (labels []string, running bool) {
	t.Helper()
	run, err := admission.Into[v1alpha1.JobRun](stored)
	must(t, err)
	settings := workload.DefaultSettings()
	settings.BaseImage = "busybox"
	if len(workload.UnsupportedRun(run, settings)) > 0 {
		return nil, false
	}
	made, err := workload.AttemptJob(run, settings, 1)
	if err != nil {
		return nil, false
	}
	raw, err := json.Marshal(made)
	must(t, err)
	job := &batchv1.Job{}
	must(t, json.Unmarshal(raw, job))
	return needed(&job.Spec.Template.Spec), true
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
