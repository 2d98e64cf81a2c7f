// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"errors"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// IsPod says that an App is a pod in Marathon's JSON.
func IsPod(app *v1alpha1.App) bool { return len(app.Spec.Containers) > 0 }

// PodFromApp is FromApp for an App with several containers.
func PodFromApp(app *v1alpha1.App, opts Options) (*Pod, error) {
	if app == nil || !IsPod(app) {
		return nil, errors.New("there is no App with several containers")
	}
	id, err := opts.mapping().ID(app.Namespace, app.Name, app.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return nil, err
	}
	s := app.Spec.DeepCopy()
	s.Default()
	a := fromSpec(s)
	unreachable := a.UnreachableStrategy
	if unreachable == nil {
		unreachable = &UnreachableStrategy{Disabled: s.Resident()}
	}
	pod := &Pod{
		ID: id, Labels: a.Labels, User: a.User, Environment: a.Env, Secrets: a.Secrets, Networks: a.Networks,
		Scaling: &PodScaling{Kind: "fixed", Instances: a.Instances},
		Scheduling: &PodScheduling{
			Backoff: &PodBackoff{Backoff: a.BackoffSeconds, BackoffFactor: a.BackoffFactor, MaxLaunchDelay: a.MaxLaunchDelaySeconds},
			Upgrade: a.UpgradeStrategy, KillSelection: a.KillSelection, UnreachableStrategy: unreachable,
			Placement: &PodPlacement{Constraints: fromPodConstraints(s.Constraints), AcceptedResourceRoles: a.AcceptedResourceRoles},
		},
		ExecutorResources: a.ExecutorResources, Role: a.Role,
		Dependencies: a.Dependencies, DrainSeconds: a.DrainSeconds, PerNode: a.PerNode, Rollout: a.Rollout, Suspend: a.Suspend,
	}
	for i := range s.Containers {
		pod.Containers = append(pod.Containers, fromPodContainer(&s.Containers[i]))
	}
	for _, v := range s.Volumes {
		pod.Volumes = append(pod.Volumes, PodVolume{
			Name: v.Name, Host: v.Host, Secret: v.Secret, Persistent: fromVolume(v1alpha1.Volume{Persistent: v.Persistent}).Persistent,
		})
	}
	return pod, nil
}

func fromPodConstraints(constraints []v1alpha1.Constraint) []PodConstraint {
	var out []PodConstraint
	for _, c := range constraints {
		out = append(out, PodConstraint{FieldName: c.Field, Operator: string(c.Operator), Value: c.Value})
	}
	return out
}

func fromPodContainer(c *v1alpha1.PodContainer) PodContainer {
	r := c.Resources
	out := PodContainer{
		Name:           c.Name,
		Resources:      PodResources{Cpus: r.Cpus, Mem: r.Mem, Disk: r.Disk, Gpus: r.Gpus},
		ResourceLimits: fromResourceLimits(c.ResourceLimits),
		Environment:    fromEnv(c.Env),
		User:           c.User,
		HealthCheck:    fromPodHealthCheck(c.HealthCheck),
		Check:          fromPodCheck(c.Check),
		Artifacts:      fromFetch(c.Artifacts),
		Labels:         fromLabels(c.Labels),
		TTY:            c.TTY,
		LinuxInfo:      fromLinuxInfo(c.LinuxInfo),
	}
	if e := c.Exec; e != nil {
		out.Exec = &PodExec{Command: fromCommand(e.Command), OverrideEntrypoint: e.OverrideEntrypoint}
	}
	if i := c.Image; i != nil {
		out.Image = &PodImage{Kind: i.Kind, ID: i.ID, ForcePull: i.ForcePull, Labels: fromLabels(i.Labels)}
		if i.PullConfig != nil {
			out.Image.PullConfig = &PullConfig{Secret: i.PullConfig.Secret}
		}
	}
	for _, e := range c.Endpoints {
		out.Endpoints = append(out.Endpoints, Endpoint{
			Name: e.Name, ContainerPort: e.ContainerPort, HostPort: e.HostPort, Protocol: e.Protocol, NetworkNames: e.NetworkNames, Labels: fromLabels(e.Labels),
		})
	}
	for _, m := range c.VolumeMounts {
		out.VolumeMounts = append(out.VolumeMounts, VolumeMount{Name: m.Name, MountPath: m.MountPath, ReadOnly: ptr.To(ptr.Deref(m.ReadOnly, false))})
	}
	if l := c.Lifecycle; l != nil {
		out.Lifecycle = &PodLifecycle{KillGracePeriodSeconds: l.KillGracePeriodSeconds}
	}
	return out
}

func fromCommand(c v1alpha1.ShellOrArgv) ShellOrArgv {
	return ShellOrArgv{Shell: c.Shell, Argv: c.Argv}
}

func fromPodHealthCheck(h *v1alpha1.PodHealthCheck) *PodHealthCheck {
	if h == nil {
		return nil
	}
	return &PodHealthCheck{
		HTTP: fromPodHTTPCheck(h.HTTP), TCP: fromPodTCPCheck(h.TCP), Exec: fromExecCheck(h.Exec),
		GracePeriodSeconds: h.GracePeriodSeconds, IntervalSeconds: h.IntervalSeconds, MaxConsecutiveFailures: h.MaxConsecutiveFailures,
		TimeoutSeconds: h.TimeoutSeconds, DelaySeconds: h.DelaySeconds,
	}
}

func fromPodCheck(k *v1alpha1.PodCheck) *PodCheck {
	if k == nil {
		return nil
	}
	return &PodCheck{
		HTTP: fromPodHTTPCheck(k.HTTP), TCP: fromPodTCPCheck(k.TCP), Exec: fromExecCheck(k.Exec),
		IntervalSeconds: k.IntervalSeconds, TimeoutSeconds: k.TimeoutSeconds, DelaySeconds: k.DelaySeconds,
	}
}

func fromPodHTTPCheck(h *v1alpha1.PodHTTPCheck) *EndpointHTTPCheck {
	if h == nil {
		return nil
	}
	return &EndpointHTTPCheck{Endpoint: h.Endpoint, Path: h.Path, Scheme: h.Scheme}
}

func fromPodTCPCheck(t *v1alpha1.PodTCPCheck) *EndpointTCPCheck {
	if t == nil {
		return nil
	}
	return &EndpointTCPCheck{Endpoint: t.Endpoint}
}

func fromExecCheck(e *v1alpha1.ExecCheck) *ExecCheck {
	if e == nil {
		return nil
	}
	return &ExecCheck{Command: fromCommand(e.Command)}
}
