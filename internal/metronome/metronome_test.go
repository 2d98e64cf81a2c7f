// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
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
)

var update = flag.Bool("update", false, "write golden files")

func schema(t testing.TB) *admission.Schema {
	t.Helper()
	return admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_jobs.yaml"))
}

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
			checkJob(t, schema(t), base, job)
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

// generator makes Jobs by chance.
type generator struct{ *rand.Rand }

func pick[T any](g generator, values ...T) T { return values[g.IntN(len(values))] }

// maybe is a value, or none.
func maybe[T any](g generator, values ...T) *T {
	if g.IntN(2) == 0 {
		return nil
	}
	return ptr.To(pick(g, values...))
}

func (g generator) job() *v1alpha1.Job {
	j := &v1alpha1.Job{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Job"}, ObjectMeta: metav1.ObjectMeta{Namespace: pick(g, "default", "data", "a-b"), Name: pick(g, "x", "nightly--all")}}
	if j.Namespace == "data" {
		j.Name = pick(g, "x", "a.b.c")
	}
	j.Spec = v1alpha1.JobSpec{
		Description:                maybe(g, "", "what it does", "ä\n"),
		SuccessfulRunsHistoryLimit: maybe[int32](g, 0, 100, 1000),
		FailedRunsHistoryLimit:     maybe[int32](g, 0, 1, 100),
		Run:                        g.run(),
	}
	if g.IntN(2) == 0 {
		j.Spec.Labels = map[string]v1alpha1.LabelValue{"a": "", "b/c": "ü", "": "x"}
	}
	switch g.IntN(3) {
	case 0:
		j.Spec.Schedules = []v1alpha1.Schedule{{
			ID: pick(g, "a", "every.day"), Cron: pick(g, "0 0 * * *", "*/1 1-5 L JAN 7", "0 0 * * 1 2030"), Dialect: pick(g, "", v1alpha1.CronMetronome),
			Timezone: pick(g, "", "UTC", "Europe/Berlin"), StartingDeadlineSeconds: maybe[int32](g, 60, 900, 31536000), ConcurrencyPolicy: pick(g, "", v1alpha1.ConcurrencyAllow, v1alpha1.ConcurrencyForbid),
			Enabled: maybe(g, true, false), MissedTicks: pick(g, "", v1alpha1.MissedTicksDrop, v1alpha1.MissedTicksLatest),
		}}
		if g.IntN(4) == 0 {
			j.Spec.Schedules[0].Cron, j.Spec.Schedules[0].Dialect = "@daily", v1alpha1.CronStandard
		}
	case 1:
		j.Spec.Dependencies = []v1alpha1.JobDependency{{ID: "other", OnFailure: pick(g, "", v1alpha1.ParentFailureRun, v1alpha1.ParentFailureWait)}, {ID: "a.b"}}
	}
	return j
}

func (g generator) run() v1alpha1.Run {
	r := v1alpha1.Run{
		Cpus: maybe(g, 0.01, 1, 2.5), Mem: maybe(g, 32.0, 128, 1<<30), Disk: maybe(g, 0, 0.5), User: maybe(g, "root", "1000"),
		MaxLaunchDelaySeconds: maybe[int32](g, 1, 3600), TaskKillGracePeriodSeconds: maybe[int32](g, 0, 5), LostAfterSeconds: maybe[int32](g, 0, 7),
	}
	switch g.IntN(3) {
	case 0:
		r.Cmd = ptr.To("sleep 1")
	case 1:
		r.Docker = &v1alpha1.RunDocker{Image: "a", ForcePullImage: maybe(g, true, false), Privileged: maybe(g, true, false)}
		if g.IntN(2) == 0 {
			r.Docker.Parameters = []v1alpha1.DockerParameter{{Key: "a", Value: ""}, {Key: "a", Value: "b"}}
		}
		r.Args = pick(g, nil, []string{}, []string{"", "b"})
	case 2:
		r.UCR = &v1alpha1.RunUCR{Image: v1alpha1.UCRImage{ID: "a/b:c", Kind: pick(g, "", "docker"), ForcePull: maybe(g, true, false)}, Privileged: maybe(g, true, false)}
		r.Cmd, r.Gpus = maybe(g, "true"), maybe[int32](g, 0, 3)
	}
	if g.IntN(2) == 0 {
		r.Env = []v1alpha1.EnvVar{{Name: "B", Value: maybe(g, "", "x=$Y")}, {Name: "A B", Secret: ptr.To("s")}}
		r.Secrets = []v1alpha1.Secret{{Name: "s", Source: "x/y"}}
	}
	r.Volumes = []v1alpha1.RunVolume{{ContainerPath: "/a", HostPath: ptr.To("b"), Mode: pick(g, "", v1alpha1.VolumeReadOnly, v1alpha1.VolumeReadWrite)}}
	if r.Docker == nil && r.Secrets != nil {
		r.Volumes = append(r.Volumes, v1alpha1.RunVolume{ContainerPath: "c", Secret: ptr.To("s")})
	}
	if g.IntN(2) == 0 {
		r.Artifacts = []v1alpha1.Artifact{{URI: "http://a/b.zip", Extract: maybe(g, true, false), Executable: maybe(g, true, false), Cache: maybe(g, true, false)}}
		r.Placement = &v1alpha1.Placement{Constraints: []v1alpha1.PlacementConstraint{
			{Attribute: "a", Operator: pick(g, v1alpha1.PlacementIs, v1alpha1.PlacementEq), Value: maybe(g, "", "b")},
			{Attribute: "@zone", Operator: pick(g, v1alpha1.PlacementLike, v1alpha1.PlacementUnlike), Value: maybe(g, "a.*")},
		}}
		r.Restart = &v1alpha1.Restart{Policy: pick(g, v1alpha1.RestartNever, v1alpha1.RestartOnFailure), ActiveDeadlineSeconds: maybe[int32](g, 0, 60)}
	}
	switch g.IntN(3) {
	case 0:
		r.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}
	case 1:
		if r.Docker != nil || r.UCR != nil {
			r.Networks = []v1alpha1.Network{{Mode: pick(g, "", v1alpha1.NetworkContainer), Name: ptr.To("n"), Labels: map[string]v1alpha1.LabelValue{"a": "b"}}}
		}
	}
	return r
}

// TestRandomJobs takes Jobs of all there is there and back.
func TestRandomJobs(t *testing.T) {
	s := schema(t)
	for seed := range uint64(2000) {
		checkJob(t, s, fmt.Sprint("seed ", seed), generator{rand.New(rand.NewPCG(seed, 0))}.job())
		if t.Failed() {
			return
		}
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
