// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1ac "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

const (
	// dockerGracePeriod is docker_stop_timeout of DC/OS, in seconds.
	dockerGracePeriod = 20
	// defaultLostAfterSeconds is how long DC/OS waited for an agent that does not answer.
	defaultLostAfterSeconds = 300
)

// JobLabels are the labels of everything that a Job owns; they select it.
func JobLabels(job string) map[string]string {
	return map[string]string{
		v1alpha1.JobLabel:              labelValue(job),
		"app.kubernetes.io/managed-by": "kdcos",
	}
}

// RunLabels are the labels of everything that a run owns; they select it.
func RunLabels(run string) map[string]string {
	return map[string]string{v1alpha1.JobRunLabel: labelValue(run)}
}

// AttemptName is the name of the Job of batch/v1 that is an attempt of a run: a
// function of the run's uid and the attempt, so that making it twice makes it
// once.
func AttemptName(run *v1alpha1.JobRun, attempt int32) string {
	return fmt.Sprintf("%s-%s-%d", slug(run.Name, 40), digest(string(run.UID)), attempt)
}

// AttemptJob is the Job of batch/v1 that is an attempt of a run. It starts one
// pod, and no other one after that: what follows is decided by who looks at how
// it ended. That it is no bare pod is for its finalizer, which keeps the exit code
// of a pod that somebody deletes.
func AttemptJob(run *v1alpha1.JobRun, settings Settings, attempt int32) (*batchv1ac.JobApplyConfiguration, error) {
	app := runAsApp(run)
	id, err := runID(run, settings)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(&app.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode run: %w", err)
	}
	name := AttemptName(run, attempt)
	slot := Slot{Number: 0, Version: run.CreationTimestamp.UTC().Format("2006-01-02T15:04:05.000Z")}
	made, err := newInstance(app, id, settings, slot, name, string(raw))
	if err != nil {
		return nil, inRun(run, err)
	}
	labels := JobLabels(run.Spec.JobName)
	maps.Copy(labels, RunLabels(run.Name))
	labels[v1alpha1.AttemptLabel] = fmt.Sprint(attempt)
	annotations := map[string]string{
		// Who moves pods to save nodes would fail the run.
		"cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
		"karpenter.sh/do-not-disrupt":                    "true",
	}
	made.spec.WithRestartPolicy(corev1.RestartPolicyNever)
	return batchv1ac.Job(name, run.Namespace).
		WithLabels(labels).
		WithOwnerReferences(owner(run, "JobRun")).
		WithSpec(batchv1ac.JobSpec().
			WithParallelism(1).WithCompletions(1).WithBackoffLimit(0).
			WithPodReplacementPolicy(batchv1.Failed).
			WithTemplate(corev1ac.PodTemplateSpec().WithLabels(labels).WithAnnotations(annotations).WithSpec(made.spec))), nil
}

// RunTaskID is the id of the task that the pod with the uid is of a run.
func RunTaskID(run *v1alpha1.JobRun, settings Settings, uid string) string {
	id, err := runID(run, settings)
	if err != nil {
		return uid
	}
	return fmt.Sprintf("%s.instance-%s._app.1", pathid.Safe(id), uid)
}

// UnsupportedRun names, a line each, the fields of a run that AttemptJob does not
// act on, and those that are wrong.
func UnsupportedRun(run *v1alpha1.JobRun, settings Settings) []string {
	app := runAsApp(run)
	id, err := runID(run, settings)
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, line := range unsupported(app, id, settings) {
		all = append(all, runFields(run).Replace(line))
	}
	if err := CheckPlacement(app); err != nil {
		all = append(all, runFields(run).Replace(err.Error()))
	}
	return all
}

// RunSecretFiles are the names of the Secrets that the task of a run has as files,
// as SecretFiles are those of an App.
func RunSecretFiles(run *v1alpha1.Run) []string {
	return SecretFiles(&v1alpha1.AppSpec{Secrets: run.Secrets, Container: runContainer(run)})
}

// RunConstraints are the constraints of a run as those of an App. Those without a
// value count for nothing, as in Metronome.
func RunConstraints(run *v1alpha1.Run) []v1alpha1.Constraint {
	if run.Placement == nil {
		return nil
	}
	var all []v1alpha1.Constraint
	for _, c := range run.Placement.Constraints {
		if ptr.Deref(c.Value, "") == "" {
			continue
		}
		operator := v1alpha1.ConstraintIs
		switch c.Operator {
		case v1alpha1.PlacementLike:
			operator = v1alpha1.ConstraintLike
		case v1alpha1.PlacementUnlike:
			operator = v1alpha1.ConstraintUnlike
		case v1alpha1.PlacementIs, v1alpha1.PlacementEq:
		}
		all = append(all, v1alpha1.Constraint{Field: c.Attribute, Operator: operator, Value: c.Value})
	}
	return all
}

// runID is the path id of a run, as Metronome told its tasks: below that of the Job.
func runID(run *v1alpha1.JobRun, settings Settings) (string, error) {
	job, err := pathid.Mapping{RootNamespace: settings.RootNamespace}.ID(run.Namespace, run.Spec.JobName, run.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return "", fmt.Errorf("metadata.annotations[%s]: %w", v1alpha1.IDAnnotation, err)
	}
	return job + "/" + run.ID(), nil
}

// runAsApp is an App that asks for what the run asks for, so that there is one way
// from what is asked for to a pod. It has no ports.
func runAsApp(run *v1alpha1.JobRun) *v1alpha1.App {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: run.Name, UID: run.UID}}
	r := &run.Spec.Run
	app.Spec = v1alpha1.AppSpec{
		Cmd: r.Cmd, Args: r.Args, Cpus: r.Cpus, Mem: r.Mem, Disk: r.Disk, Gpus: r.Gpus, User: r.User,
		Env: r.Env, Secrets: r.Secrets, Labels: run.Spec.Labels, Networks: r.Networks,
		Constraints: RunConstraints(r), Container: runContainer(r),
		PortDefinitions: []v1alpha1.PortDefinition{},
		UnreachableStrategy: &v1alpha1.UnreachableStrategy{
			ExpungeAfterSeconds: ptr.To(ptr.Deref(r.LostAfterSeconds, defaultLostAfterSeconds)),
		},
	}
	for _, a := range r.Artifacts {
		app.Spec.Fetch = append(app.Spec.Fetch, v1alpha1.Fetch{URI: a.URI, Extract: a.Extract, Executable: a.Executable, Cache: a.Cache})
	}
	if len(r.Networks) == 0 {
		app.Spec.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}}
	}
	// The command line of DC/OS writes 0 where nothing was asked for.
	if grace := ptr.Deref(r.TaskKillGracePeriodSeconds, 0); grace > 0 {
		app.Spec.TaskKillGracePeriodSeconds = &grace
	} else if r.Docker != nil {
		app.Spec.TaskKillGracePeriodSeconds = ptr.To[int32](dockerGracePeriod)
	}
	app.Spec.Default()
	return app
}

func runContainer(r *v1alpha1.Run) *v1alpha1.Container {
	c := &v1alpha1.Container{Type: v1alpha1.EngineMesos, PortMappings: []v1alpha1.PortMapping{}}
	switch {
	case r.Docker != nil:
		c.Type = v1alpha1.EngineDocker
		c.Docker = &v1alpha1.DockerContainer{
			Image: r.Docker.Image, ForcePullImage: r.Docker.ForcePullImage, Privileged: r.Docker.Privileged, Parameters: r.Docker.Parameters,
		}
	case r.UCR != nil:
		c.Docker = &v1alpha1.DockerContainer{Image: r.UCR.Image.ID, ForcePullImage: r.UCR.Image.ForcePull}
	}
	for _, v := range r.Volumes {
		c.Volumes = append(c.Volumes, v1alpha1.Volume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, Mode: v.Mode, Secret: v.Secret})
	}
	return c
}

// inRun says of an error about a field of an App which field of the run it is about.
func inRun(run *v1alpha1.JobRun, err error) error {
	return errors.New(runFields(run).Replace("spec." + strings.TrimPrefix(err.Error(), "spec.")))
}

// runFields turns the names of fields of an App into those of a run.
func runFields(run *v1alpha1.JobRun) *strings.Replacer {
	image := "docker.image"
	if run.Spec.Run.Docker == nil {
		image = "ucr.image.id"
	}
	return strings.NewReplacer(
		"spec.container.docker.image", "spec.run."+image, "spec.container.", "spec.run.", "spec.fetch", "spec.run.artifacts",
		"spec.constraints", "spec.run.placement.constraints", ".field:", ".attribute:", "spec.", "spec.run.", "apps without an image", "runs without an image",
	)
}
