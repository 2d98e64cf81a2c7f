// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/metronome"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/random"
)

var update = flag.Bool("update", false, "write golden files")

// TestGolden shows what becomes of jobs: *.in.json is what a user has,
// *.out.yaml the Job, and *.get.json what GET shows of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.in.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".in.json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			items, err := metronome.Decode(document)
			if err != nil || len(items) != 1 || items[0].Err != nil {
				t.Fatal(items, err)
			}
			if !metronome.IsJob(document) {
				t.Error("IsJob does not know it")
			}
			job, err := metronome.ToJob(items[0].Job, pathid.Mapping{})
			if err != nil {
				t.Fatal(err)
			}
			checkJob(t, admission.Job(t), base, job)
			object, err := yaml.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			for _, note := range items[0].Notes {
				object = append(object, "# "+note+"\n"...)
			}
			golden(t, base+".out.yaml", object)
			wire, err := metronome.FromJob(job, pathid.Mapping{})
			if err != nil {
				t.Fatal(err)
			}
			var answer bytes.Buffer
			encoder := json.NewEncoder(&answer)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(wire); err != nil {
				t.Fatal(err)
			}
			golden(t, base+".get.json", answer.Bytes())
		})
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run go test with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// checkJob holds a Job against what is true of all of them: an API server takes
// it, and there and back nothing is lost but what means the same.
func checkJob(t *testing.T, schema *admission.Schema, who string, job *v1alpha1.Job) {
	t.Helper()
	admitted, errs := schema.Admit(t, job)
	if len(errs) > 0 {
		t.Errorf("%s: not admitted: %v", who, errs.ToAggregate())
		return
	}
	wire, err := metronome.FromJob(job, pathid.Mapping{})
	if err != nil {
		t.Errorf("%s: FromJob: %v", who, err)
		return
	}
	text, err := json.Marshal(wire)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return
	}
	items, err := metronome.Decode(text)
	if err != nil || len(items) != 1 || items[0].Err != nil {
		t.Errorf("%s: read what was written: %v, %v\n%s", who, items, err, text)
		return
	}
	if diff := cmp.Diff(wire, items[0].Job); diff != "" {
		t.Errorf("%s: through JSON (-written +read):\n%s", who, diff)
	}
	again, err := metronome.ToJob(items[0].Job, pathid.Mapping{})
	if err != nil {
		t.Errorf("%s: ToJob: %v", who, err)
		return
	}
	back, errs := schema.Admit(t, again)
	if len(errs) > 0 {
		t.Errorf("%s: not admitted the second time: %v", who, errs.ToAggregate())
		return
	}
	before, err := admission.Into[v1alpha1.Job](admitted)
	if err != nil {
		t.Fatal(err)
	}
	after, err := admission.Into[v1alpha1.Job](back)
	if err != nil {
		t.Fatal(err)
	}
	same(before)
	same(after)
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" || before.Name != after.Name || before.Namespace != after.Namespace {
		t.Errorf("%s: there and back (-before +after):\n%s", who, diff)
	}
}

// same writes in one way what there are several for.
func same(job *v1alpha1.Job) {
	s := &job.Spec
	if ptr.Deref(s.Description, "") == "" {
		s.Description = nil
	}
	if len(s.Labels) == 0 {
		s.Labels = nil
	}
	for i := range s.Schedules {
		s.Schedules[i].Cron = "" // the normal form is another text: internal/cron holds that it means the same
	}
	r := &s.Run
	r.Gpus = ptr.To(ptr.Deref(r.Gpus, 0))
	r.TaskKillGracePeriodSeconds = ptr.To(ptr.Deref(r.TaskKillGracePeriodSeconds, 0))
	for i := range r.Env {
		if r.Env[i].Secret == nil {
			r.Env[i].Value = ptr.To(ptr.Deref(r.Env[i].Value, ""))
		}
	}
	slices.SortFunc(r.Env, func(a, b v1alpha1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Secrets, func(a, b v1alpha1.Secret) int { return strings.Compare(a.Name, b.Name) })
	for i := range r.Volumes {
		if v := &r.Volumes[i]; v.HostPath != nil && v.Mode == "" {
			v.Mode = v1alpha1.VolumeReadWrite
		}
	}
	for i := range r.Artifacts {
		r.Artifacts[i].Executable = ptr.To(ptr.Deref(r.Artifacts[i].Executable, false))
		r.Artifacts[i].Cache = ptr.To(ptr.Deref(r.Artifacts[i].Cache, false))
	}
	if r.Restart == nil {
		r.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartNever}
	}
	if r.Placement == nil {
		r.Placement = &v1alpha1.Placement{}
	}
	for i, c := range r.Placement.Constraints {
		if c.Operator == v1alpha1.PlacementEq {
			r.Placement.Constraints[i].Operator = v1alpha1.PlacementIs
		}
	}
	if d := r.Docker; d != nil {
		d.Privileged, d.ForcePullImage = ptr.To(ptr.Deref(d.Privileged, false)), ptr.To(ptr.Deref(d.ForcePullImage, false))
	}
	if u := r.UCR; u != nil {
		u.Privileged, u.Image.ForcePull = ptr.To(ptr.Deref(u.Privileged, false)), ptr.To(ptr.Deref(u.Image.ForcePull, false))
	}
}

// TestRandomJobs takes Jobs of all that the schema holds there and back. What
// Metronome has a narrower form for than the schema is given that form.
func TestRandomJobs(t *testing.T) {
	s := admission.Job(t)
	taken := 0
	for seed := range uint64(800) {
		job := random.Job(seed)
		for i := range job.Spec.Dependencies {
			job.Spec.Dependencies[i].ID = fmt.Sprintf("data.x%d", i)
		}
		for i := range job.Spec.Schedules {
			schedule := &job.Spec.Schedules[i]
			schedule.ID = "a--1.b"
			schedule.Timezone = []string{"", "UTC", "Europe/Berlin"}[seed%3]
			schedule.Cron = map[bool]string{true: "@daily", false: "*/1 1-5 L JAN 7"}[schedule.Dialect == v1alpha1.CronStandard]
		}
		if _, errs := s.Admit(t, job); len(errs) > 0 {
			continue
		}
		taken++
		checkJob(t, s, fmt.Sprint("seed ", seed), job)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d Jobs", taken)
	if taken < 600 {
		t.Errorf("%d of 800 Jobs were good", taken)
	}
}

// TestIDs holds where jobs go, and which Jobs have an id of Metronome's.
func TestIDs(t *testing.T) {
	for id, want := range map[string]string{
		"hello": "default/hello", "data.extract": "data/extract", "a.b.c": "a/b.c", "a--b.c": "a--b/c",
	} {
		job, err := metronome.ToJob(&metronome.Job{ID: id}, pathid.Mapping{})
		if err != nil || job.Namespace+"/"+job.Name != want || len(job.Annotations) > 0 {
			t.Errorf("%s is %v, %v, want %s", id, job, err, want)
		}
	}
	job, err := metronome.ToJob(&metronome.Job{ID: "kube-system.x"}, pathid.Mapping{RootNamespace: "jobs"})
	if err != nil || job.Annotations[v1alpha1.IDAnnotation] != "/kube-system/x" {
		t.Errorf("%v, %v", job, err)
	}
	if id, err := metronome.JobID(job, pathid.Mapping{RootNamespace: "jobs"}); err != nil || id != "kube-system.x" {
		t.Errorf("%s, %v", id, err)
	}
	for _, id := range []string{"tasks", "a.restart", ""} {
		_, err := metronome.ToJob(&metronome.Job{ID: id}, pathid.Mapping{})
		var refusal *metronome.Error
		if !errors.As(err, &refusal) || refusal.Details[0].Path != "/id" {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, name := range []string{"default/x.y", "kube-system/x", "default/hello-world-3979d6c1ee"} {
		namespace, name, _ := strings.Cut(name, "/")
		if id, err := metronome.JobID(&v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, pathid.Mapping{}); err == nil {
			t.Errorf("%s in %s has the id %s", name, namespace, id)
		}
	}
}
