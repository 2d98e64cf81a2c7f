// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random_test

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/random"
	"github.com/kdcos/kdcos/internal/workload"
)

// TestRandomJobs holds that Jobs and JobRuns of all the schema has are taken by a
// real API server, and so are the Jobs of batch/v1 that runs become.
func TestRandomJobs(t *testing.T) {
	jobs := admittedOf(t, "Job", admission.Job(t), random.Job, func(j *v1alpha1.Job) any { return &j.Spec })
	runs := admittedOf(t, "JobRun", admission.JobRun(t), random.JobRun, func(r *v1alpha1.JobRun) any { return &r.Spec })
	plane, err := testkit.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := plane.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod", Labels: allowed}}); err != nil {
		t.Fatal(err)
	}
	attempts := make([]*batchv1.Job, len(runs))
	tries := &errgroup.Group{}
	tries.SetLimit(8)
	take := func(object client.Object) {
		tries.Go(func() error {
			if err := plane.Client.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Errorf("%s: %v", object.GetName(), err)
			}
			return nil
		})
	}
	for i, job := range jobs {
		if i%10 == 0 { // as long as names may be
			job.Name += strings.Repeat("n", 228-len(job.Name))
		}
		take(job)
	}
	made := 0
	for i, run := range runs {
		take(run.DeepCopy())
		if attempts[i] = attemptOf(t, run); attempts[i] != nil {
			made++
			take(attempts[i])
		}
	}
	if err := tries.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d Jobs, %d JobRuns, %d of them become a Job of batch/v1", len(jobs), len(runs), made)
	if made < len(runs)/2 {
		t.Errorf("only %d of %d runs became a Job of batch/v1", made, len(runs))
	}
}

// attemptOf is the first attempt of a run without what is not supported, or nil
// where the run names a field that no pod can have.
func attemptOf(t *testing.T, run *v1alpha1.JobRun) *batchv1.Job {
	t.Helper()
	run = run.DeepCopy()
	run.UID = "11111111-2222-3333-4444-555555555555"
	for range 10 {
		refused := workload.UnsupportedRun(run, datacenter())
		if len(refused) == 0 {
			break
		}
		for _, line := range refused {
			if !fieldAndReason.MatchString(line) || !strings.HasPrefix(line, "spec.") {
				t.Errorf("%s: no field that is why: %s", run.Name, line)
			}
			withoutField(run, line)
		}
	}
	if refused := workload.UnsupportedRun(run, datacenter()); len(refused) > 0 {
		t.Errorf("%s: still not supported: %q", run.Name, refused)
		return nil
	}
	made, err := workload.AttemptJob(run, datacenter(), 1)
	if err != nil {
		if !fieldAndReason.MatchString(err.Error()) || !strings.HasPrefix(err.Error(), "spec.") {
			t.Errorf("%s: no attempt, and no field that is why: %v", run.Name, err)
		}
		return nil
	}
	raw, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	job := &batchv1.Job{}
	if err := json.Unmarshal(raw, job); err != nil {
		t.Fatal(err)
	}
	return job
}

// withoutField takes out what a line says is not supported.
func withoutField(run *v1alpha1.JobRun, line string) {
	r := &run.Spec.Run
	field, _, _ := strings.Cut(strings.TrimPrefix(line, "spec.run."), ": ")
	field, _, _ = strings.Cut(field, "[")
	switch field {
	case "docker.parameters":
		r.Docker.Parameters = nil
	case "docker.image":
		r.Docker.Image = "nginx"
	case "ucr.image.id":
		r.UCR = &v1alpha1.RunUCR{Image: v1alpha1.UCRImage{ID: "nginx"}}
	case "secrets":
		for i := range r.Secrets {
			r.Secrets[i].Source = "everyones"
		}
	case "networks":
		r.Networks = nil
	case "artifacts":
		r.Artifacts = nil
	case "volumes":
		r.Volumes, r.Secrets = nil, nil
		for i := range r.Env {
			r.Env[i].Secret = nil
		}
	case "placement.constraints":
		r.Placement = nil
	case "user":
		r.User = ptr.To("nobody")
	case "gpus":
		r.Gpus = nil
	}
}

// admittedOf makes objects of a kind until there are enough that the schema lets
// pass, and holds that they have every leaf of it.
func admittedOf[T any](t *testing.T, kind string, schema *admission.Schema, one func(uint64) *T, spec func(*T) any) []*T {
	t.Helper()
	var all []*T
	visited := map[string]int{}
	for s, made := *seed, 1; len(all) < *number/2; s, made = s+1, made+1 {
		object, errs := schema.Admit(t, one(s))
		if len(errs) > 0 {
			t.Logf("%s %d: %.300s", kind, s, errs.ToAggregate())
			if made > 100 && made > 2*len(all) {
				t.Fatalf("%d of %d %ss are valid: the generator proves little", len(all), made, kind)
			}
			continue
		}
		typed, err := admission.Into[T](object)
		if err != nil {
			t.Fatalf("%s %d: %v", kind, s, err)
		}
		all = append(all, typed)
		random.Visit(kind, spec(typed), func(path string) { visited[path]++ })
	}
	for _, leaf := range random.Leaves(kind) {
		if visited[leaf] == 0 {
			t.Errorf("no %s has %s", kind, leaf)
		}
	}
	return all
}
