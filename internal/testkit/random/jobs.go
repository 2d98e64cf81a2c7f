// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Job makes a Job of a seed. Most are valid.
func Job(seed uint64) *v1alpha1.Job {
	g := newJobs(seed)
	job := &v1alpha1.Job{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Job"}}
	g.make("Job", &job.Spec)
	job.ObjectMeta = metav1.ObjectMeta{Namespace: "prod", Name: g.jobName()}
	if len(job.Spec.Schedules) > 0 && len(job.Spec.Dependencies) > 0 {
		if g.one(2) {
			job.Spec.Schedules = nil
		} else {
			job.Spec.Dependencies = nil
		}
	}
	g.settleRun(&job.Spec.Run)
	return job
}

// JobRun makes a JobRun of a seed. Most are valid.
func JobRun(seed uint64) *v1alpha1.JobRun {
	g := newJobs(seed)
	run := &v1alpha1.JobRun{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "JobRun"}}
	g.make("JobRun", &run.Spec)
	run.Spec.JobName = g.jobName()
	run.ObjectMeta = metav1.ObjectMeta{Namespace: "prod", Name: fmt.Sprintf("%s-20211031013000%05d", run.Spec.JobName, seed%100000)}
	t := &run.Spec.Trigger
	if t.Type != v1alpha1.TriggerSchedule {
		t.Schedule, t.ScheduledAt = "", metav1.Time{}
	} else if t.Schedule == "" || t.ScheduledAt.IsZero() {
		t.Schedule, t.ScheduledAt = "default", metav1.Unix(1635643800, 0)
	}
	if t.Type != v1alpha1.TriggerDependencies {
		t.Parents = nil
	} else if len(t.Parents) == 0 {
		t.Parents = []v1alpha1.ParentRun{{ID: "a", Run: "a-1", CompletedAt: metav1.NewMicroTime(metav1.Unix(1635643800, 0).Time)}}
	}
	g.settleRun(&run.Spec.Run)
	return run
}

func (g *generator) jobName() string {
	return pick(g, "etl", "data.extract", "a.b.c", "x1", strings.Repeat("n", 63)+".x")
}

func newJobs(seed uint64) *generator {
	return &generator{
		Rand:  rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // chance that can be had again is what is wanted
		words: jobWords, strict: slices.Sorted(maps.Keys(jobStrict)),
	}
}

// jobStrict are the fields where the schema takes more than what is meant.
var jobStrict = map[string][]any{
	"schedules[].cron":                  {"* * * * *", "0 3 * * 1-5", "*/15 8-18 1,15 * *", "0 0 L * *"},
	"schedules[].timezone":              {"UTC", "Europe/Berlin", "America/Sao_Paulo"},
	"trigger.scheduledAt":               {"2021-10-31T01:30:00Z", "2021-10-31T03:30:00.5+02:00"},
	"trigger.parents[].completedAt":     {"2021-10-31T01:30:00.000001Z"},
	"run.networks[].name":               {"dcos", "other"},
	"run.artifacts[].uri":               {"http://a/b.tgz", "hdfs://x/y", "file:///x.tar.gz"},
	"run.volumes[].containerPath":       {"data", "/data", "a/b", "/etc/x", "logs"},
	"run.placement.constraints[].value": {"1", "a", "rack-.*", "zone_1/x.y", "1.5"},
}

// jobWords are those, and the words that mean something where others are allowed.
var jobWords = func() map[string][]any {
	words := map[string][]any{
		"dependencies[].id":  {"data.extract", "a", "b-c.d"},
		"run.secrets[].name": {"s", "t"}, "run.env[].secret": {"s", "t"}, "run.volumes[].secret": {"s", "t"},
		"run.env[].name":                        {"A", "PORT0", "with space", "a.b-c", "PATH"},
		"run.user":                              {"root", "nobody", "1000"},
		"run.volumes[].hostPath":                {"/tmp/x", "rel", "/"},
		"run.docker.image":                      vocabulary["container.docker.image"],
		"run.ucr.image.id":                      vocabulary["container.docker.image"],
		"run.docker.parameters[].key":           vocabulary["container.docker.parameters[].key"],
		"run.docker.parameters[].value":         vocabulary["container.docker.parameters[].value"],
		"run.placement.constraints[].attribute": {"@hostname", "@zone", "@region", "rack"},
	}
	maps.Copy(words, jobStrict)
	return words
}()

// settleRun takes out what the rules of the schema do not let stand together.
func (g *generator) settleRun(r *v1alpha1.Run) {
	if r.Docker != nil && r.UCR != nil {
		if g.one(2) {
			r.Docker = nil
		} else {
			r.UCR = nil
		}
	}
	if r.Cmd != nil && len(r.Args) > 0 {
		if g.one(2) {
			r.Cmd = nil
		} else {
			r.Args = nil
		}
	}
	if r.Cmd == nil && r.Docker == nil && r.UCR == nil {
		r.Cmd, r.Args = ptr.To("sleep 9"), nil
	}
	if r.Docker != nil {
		r.Gpus = nil
	}
	g.settleRunVolumes(r)
	g.settleRunSecrets(r)
	// As in an App whose container has the engine that the run has.
	as := &v1alpha1.AppSpec{Networks: r.Networks}
	if r.UCR != nil {
		as.Container = &v1alpha1.Container{Type: v1alpha1.EngineMesos}
	}
	if g.settleNetworks(as); r.Docker == nil && r.UCR == nil {
		as.Networks = pick(g, nil, []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}})
	}
	r.Networks = as.Networks
}

func (g *generator) settleRunVolumes(r *v1alpha1.Run) {
	for i := range r.Volumes {
		v := &r.Volumes[i]
		if r.Docker != nil || v.Secret == nil || g.one(2) {
			v.HostPath, v.Secret = ptr.To(ptr.Deref(v.HostPath, "/h")), nil
		} else {
			v.HostPath, v.Mode = nil, ""
		}
	}
}

// settleRunSecrets has all secrets used and all that are used there.
func (g *generator) settleRunSecrets(r *v1alpha1.Run) {
	used := map[string]bool{}
	for i := range r.Env {
		if e := &r.Env[i]; e.Secret != nil {
			e.Value = nil
			used[*e.Secret] = true
		}
	}
	for i := range r.Volumes {
		if r.Volumes[i].Secret != nil {
			used[*r.Volumes[i].Secret] = true
		}
	}
	r.Secrets = slices.DeleteFunc(r.Secrets, func(s v1alpha1.Secret) bool { return !used[s.Name] })
	for _, s := range r.Secrets {
		delete(used, s.Name)
	}
	for _, name := range sortedKeys(used) {
		r.Secrets = append(r.Secrets, v1alpha1.Secret{Name: name, Source: "/a/" + name})
	}
}
