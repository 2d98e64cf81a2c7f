// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// ToJob returns the Job of a definition, with no default in it. The id
// data.extract is the Job extract in the namespace data; an id of one segment is
// in the root namespace. The error is an *Error.
func ToJob(j *Job, mapping pathid.Mapping) (*v1alpha1.Job, error) {
	id := pathid.Root + strings.ReplaceAll(j.ID, ".", "/")
	namespace, name, annotate, err := mapping.Name(id)
	if err != nil {
		p := &problems{}
		p.add("/id", err.Error())
		return nil, p.err()
	}
	job := &v1alpha1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.JobSpec{
			Description: j.Description,
			Labels:      toLabels(j.Labels),
			Run:         toRun(&j.Run),

			SuccessfulRunsHistoryLimit: j.SuccessfulRunsHistoryLimit,
			FailedRunsHistoryLimit:     j.FailedRunsHistoryLimit,
		},
	}
	if annotate {
		job.Annotations = map[string]string{v1alpha1.IDAnnotation: id}
	}
	for _, d := range j.Dependencies {
		job.Spec.Dependencies = append(job.Spec.Dependencies, v1alpha1.JobDependency{ID: d.ID, OnFailure: d.OnFailure})
	}
	for _, s := range j.Schedules {
		job.Spec.Schedules = append(job.Spec.Schedules, toSchedule(s))
	}
	return job, nil
}

func toSchedule(s Schedule) v1alpha1.Schedule {
	out := v1alpha1.Schedule{ID: s.ID, Cron: s.Cron, Dialect: s.Dialect, MissedTicks: s.MissedTicks}
	if s.Timezone != defaultTimezone {
		out.Timezone = s.Timezone
	}
	if s.StartingDeadlineSeconds != defaultStartingDeadline {
		out.StartingDeadlineSeconds = ptr.To(s.StartingDeadlineSeconds)
	}
	if s.ConcurrencyPolicy != v1alpha1.ConcurrencyAllow {
		out.ConcurrencyPolicy = s.ConcurrencyPolicy
	}
	if !s.Enabled {
		out.Enabled = ptr.To(false)
	}
	return out
}

func toLabels(labels map[string]string) map[string]v1alpha1.LabelValue {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]v1alpha1.LabelValue, len(labels))
	for key, value := range labels {
		out[key] = v1alpha1.LabelValue(value)
	}
	return out
}

func toRun(r *Run) v1alpha1.Run {
	out := v1alpha1.Run{
		Cmd: r.Cmd, Args: slices.Clone(r.Args), User: r.User,
		Cpus: ptr.To(r.Cpus), Mem: ptr.To(r.Mem), Disk: ptrOrNil(r.Disk), Gpus: ptrOrNil(r.Gpus),
		MaxLaunchDelaySeconds:      unless(defaultMaxLaunchDelay, ptr.To(r.MaxLaunchDelay)),
		TaskKillGracePeriodSeconds: r.TaskKillGracePeriodSeconds,
		LostAfterSeconds:           r.LostAfterSeconds,
	}
	for _, name := range slices.Sorted(maps.Keys(r.Env)) {
		e := v1alpha1.EnvVar{Name: name, Secret: r.Env[name].Secret}
		if e.Secret == nil {
			e.Value = ptr.To(r.Env[name].Value)
		}
		out.Env = append(out.Env, e)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Secrets)) {
		out.Secrets = append(out.Secrets, v1alpha1.Secret{Name: name, Source: r.Secrets[name].Source})
	}
	for _, v := range r.Volumes {
		out.Volumes = append(out.Volumes, v1alpha1.RunVolume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, Mode: v.Mode, Secret: v.Secret})
	}
	for _, a := range r.Artifacts {
		out.Artifacts = append(out.Artifacts, v1alpha1.Artifact{
			URI: a.URI, Extract: unless(true, ptr.To(a.Extract)), Executable: ptrOrNil(a.Executable), Cache: ptrOrNil(a.Cache),
		})
	}
	for _, n := range r.Networks {
		out.Networks = append(out.Networks, v1alpha1.Network{Name: n.Name, Mode: n.Mode, Labels: toLabels(n.Labels)})
	}
	for _, c := range r.Placement.Constraints {
		if out.Placement == nil {
			out.Placement = &v1alpha1.Placement{}
		}
		out.Placement.Constraints = append(out.Placement.Constraints, v1alpha1.PlacementConstraint{Attribute: c.Attribute, Operator: c.Operator, Value: c.Value})
	}
	if r.Restart.Policy != v1alpha1.RestartNever || r.Restart.ActiveDeadlineSeconds != nil {
		out.Restart = &v1alpha1.Restart{Policy: r.Restart.Policy, ActiveDeadlineSeconds: r.Restart.ActiveDeadlineSeconds}
	}
	out.Docker, out.UCR = toDocker(r.Docker), toUCR(r.UCR)
	return out
}

func toDocker(d *Docker) *v1alpha1.RunDocker {
	if d == nil {
		return nil
	}
	out := &v1alpha1.RunDocker{Image: d.Image, ForcePullImage: ptrOrNil(d.ForcePullImage), Privileged: ptrOrNil(d.Privileged)}
	if len(d.Parameters) > 0 {
		out.Parameters = slices.Clone(d.Parameters)
	}
	return out
}

func toUCR(u *UCR) *v1alpha1.RunUCR {
	if u == nil {
		return nil
	}
	return &v1alpha1.RunUCR{
		Image:      v1alpha1.UCRImage{ID: u.Image.ID, ForcePull: ptrOrNil(u.Image.ForcePull)},
		Privileged: ptrOrNil(u.Privileged),
	}
}
