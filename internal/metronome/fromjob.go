// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/cron"
	"github.com/kdcos/kdcos/internal/pathid"
)

// FromJob returns the definition of a Job as Metronome answers it, with every
// default in it and expressions in their normal form. The Job is not changed and
// shares nothing with the result that either writes to. The error is about the
// Job's name, which may have no id.
func FromJob(job *v1alpha1.Job, mapping pathid.Mapping) (*Job, error) {
	id, err := JobID(job, mapping)
	if err != nil {
		return nil, err
	}
	s := job.Spec.DeepCopy()
	out := &Job{
		ID: id, Description: notEmpty(s.Description),
		Dependencies: []Dependency{}, Labels: fromLabels(s.Labels), Schedules: []Schedule{}, Run: fromRun(&s.Run),

		SuccessfulRunsHistoryLimit: unless(defaultHistory, s.SuccessfulRunsHistoryLimit),
		FailedRunsHistoryLimit:     unless(defaultHistory, s.FailedRunsHistoryLimit),
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	for _, d := range s.Dependencies {
		if d.OnFailure == v1alpha1.ParentFailureWait {
			d.OnFailure = ""
		}
		out.Dependencies = append(out.Dependencies, Dependency{ID: d.ID, OnFailure: d.OnFailure})
	}
	for _, schedule := range s.Schedules {
		out.Schedules = append(out.Schedules, fromSchedule(schedule))
	}
	return out, nil
}

// JobID returns the id of a Job, such as data.extract.
func JobID(job *v1alpha1.Job, mapping pathid.Mapping) (string, error) {
	path, err := mapping.ID(job.Namespace, job.Name, job.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return "", err
	}
	id := strings.ReplaceAll(strings.TrimPrefix(path, pathid.Root), "/", ".")
	if strings.Contains(path, ".") || !jobID.MatchString(id) {
		return "", fmt.Errorf("%s can't be the id of a job: it has segments of a-z, 0-9 and dashes, and no dot in them", path)
	}
	return id, nil
}

func fromSchedule(s v1alpha1.Schedule) Schedule {
	out := Schedule{
		ID: s.ID, Cron: normal(s), Timezone: s.Timezone, ConcurrencyPolicy: s.ConcurrencyPolicy,
		StartingDeadlineSeconds: ptr.Deref(s.StartingDeadlineSeconds, defaultStartingDeadline),
		Enabled:                 ptr.Deref(s.Enabled, true),
	}
	if out.Timezone == "" {
		out.Timezone = defaultTimezone
	}
	if out.ConcurrencyPolicy == "" {
		out.ConcurrencyPolicy = v1alpha1.ConcurrencyAllow
	}
	if s.Dialect != v1alpha1.CronMetronome {
		out.Dialect = s.Dialect
	}
	if s.MissedTicks != v1alpha1.MissedTicksLatest {
		out.MissedTicks = s.MissedTicks
	}
	return out
}

// normal is the expression in its normal form, if that reads the same: what
// Metronome makes of 0L00 it does not take itself.
func normal(s v1alpha1.Schedule) string {
	e, err := cron.Parse(s.Cron, s.Dialect)
	if err != nil {
		return s.Cron
	}
	again, err := cron.Parse(e.String(), s.Dialect)
	if err != nil || again.String() != e.String() {
		return s.Cron
	}
	return e.String()
}

func fromLabels(labels map[string]v1alpha1.LabelValue) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]string, len(labels))
	for key, value := range labels {
		out[key] = string(value)
	}
	return out
}

func fromRun(r *v1alpha1.Run) Run {
	out := Run{
		Cpus: ptr.Deref(r.Cpus, defaultCpus), Mem: ptr.Deref(r.Mem, defaultMem), Disk: ptr.Deref(r.Disk, 0), Gpus: ptr.Deref(r.Gpus, 0),
		Cmd: r.Cmd, Args: r.Args, User: r.User,
		Env: map[string]Env{}, Secrets: map[string]Secret{}, Placement: Placement{Constraints: []Constraint{}},
		Artifacts: []Artifact{}, Volumes: []Volume{}, Networks: []Network{},
		MaxLaunchDelay:             ptr.Deref(r.MaxLaunchDelaySeconds, defaultMaxLaunchDelay),
		Restart:                    Restart{Policy: v1alpha1.RestartNever},
		TaskKillGracePeriodSeconds: unless(0, r.TaskKillGracePeriodSeconds),
		LostAfterSeconds:           r.LostAfterSeconds,
	}
	if len(out.Args) == 0 {
		out.Args = nil
	}
	for _, e := range r.Env {
		out.Env[e.Name] = Env{Value: ptr.Deref(e.Value, ""), Secret: e.Secret}
	}
	for _, s := range r.Secrets {
		out.Secrets[s.Name] = Secret{Source: s.Source}
	}
	for _, v := range r.Volumes {
		if v.Mode == "" && v.HostPath != nil {
			v.Mode = v1alpha1.VolumeReadWrite
		}
		out.Volumes = append(out.Volumes, Volume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, Mode: v.Mode, Secret: v.Secret})
	}
	for _, a := range r.Artifacts {
		out.Artifacts = append(out.Artifacts, Artifact{
			URI: a.URI, Extract: ptr.Deref(a.Extract, true), Executable: ptr.Deref(a.Executable, false), Cache: ptr.Deref(a.Cache, false),
		})
	}
	for _, n := range r.Networks {
		if n.Mode == "" {
			n.Mode = v1alpha1.NetworkContainer
		}
		out.Networks = append(out.Networks, Network{Name: n.Name, Mode: n.Mode, Labels: fromLabels(n.Labels)})
	}
	for _, c := range ptr.Deref(r.Placement, v1alpha1.Placement{}).Constraints {
		if c.Operator == v1alpha1.PlacementEq {
			c.Operator = v1alpha1.PlacementIs
		}
		out.Placement.Constraints = append(out.Placement.Constraints, Constraint{Attribute: c.Attribute, Operator: c.Operator, Value: c.Value})
	}
	if r.Restart != nil {
		out.Restart = Restart{Policy: r.Restart.Policy, ActiveDeadlineSeconds: r.Restart.ActiveDeadlineSeconds}
	}
	out.Docker, out.UCR = fromDocker(r.Docker), fromUCR(r.UCR)
	return out
}

func fromDocker(d *v1alpha1.RunDocker) *Docker {
	if d == nil {
		return nil
	}
	return &Docker{
		Image: d.Image, Privileged: ptr.Deref(d.Privileged, false), ForcePullImage: ptr.Deref(d.ForcePullImage, false),
		Parameters: append([]v1alpha1.DockerParameter{}, slices.Clone(d.Parameters)...),
	}
}

func fromUCR(u *v1alpha1.RunUCR) *UCR {
	if u == nil {
		return nil
	}
	kind := u.Image.Kind
	if kind == "" {
		kind = defaultKind
	}
	return &UCR{Image: Image{ID: u.Image.ID, Kind: kind, ForcePull: ptr.Deref(u.Image.ForcePull, false)}, Privileged: ptr.Deref(u.Privileged, false)}
}
