// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"errors"
	"strconv"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// FromApp returns the definition of an App in the canonical form, as Marathon's
// GET shows it, with every default in it, and the service ports that the App was
// given. What else Marathon adds (the version, counts of tasks) is left to the caller.
// The App is not changed and shares nothing with the result. Of opts only
// RootNamespace counts. The error is about the App's name, which may have no id.
func FromApp(app *v1alpha1.App, opts Options) (*App, error) {
	if app == nil {
		return nil, errors.New("there is no App")
	}
	if IsPod(app) {
		return nil, errors.New("an App with several containers is a pod")
	}
	id, err := opts.mapping().ID(app.Namespace, app.Name, app.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return nil, err
	}
	s := app.Spec.DeepCopy()
	s.Default()
	giveServicePorts(s, app.Status.ServicePorts)
	a := fromSpec(s)
	a.ID = id
	if a.onContainerNetwork() {
		a.ensureContainer()
		a.PortDefinitions = nil
	} else if a.Container != nil {
		a.Container.PortMappings = nil
	}
	a.fill()
	a.indexHealthChecks()
	a.indexCheck()
	a.finish(opts.filled())
	return a, nil
}

// indexCheck names the first port in a check that names none, where Marathon
// asks for one: with several to choose from.
func (a *App) indexCheck() {
	if a.Check == nil || a.portCount() < 2 {
		return
	}
	if h := a.Check.HTTP; h != nil && h.Port == nil {
		orElse(&h.PortIndex, 0)
	}
	if t := a.Check.TCP; t != nil && t.Port == nil {
		orElse(&t.PortIndex, 0)
	}
}

// fromSpec returns the definition of a spec that has its defaults.
func fromSpec(s *v1alpha1.AppSpec) *App {
	a := &App{
		AcceptedResourceRoles:      s.AcceptedResourceRoles,
		Args:                       s.Args,
		BackoffFactor:              s.BackoffFactor,
		BackoffSeconds:             s.BackoffSeconds,
		Cmd:                        s.Cmd,
		Constraints:                fromConstraints(s.Constraints),
		Container:                  fromContainer(s.Container),
		Cpus:                       s.Cpus,
		Dependencies:               s.Dependencies,
		Disk:                       s.Disk,
		Env:                        fromEnv(s.Env),
		Executor:                   s.Executor,
		Fetch:                      fromFetch(s.Fetch),
		HealthChecks:               fromHealthChecks(s.HealthChecks),
		Check:                      fromCheck(s.Check),
		Instances:                  s.Instances,
		Labels:                     fromLabels(s.Labels),
		MaxLaunchDelaySeconds:      s.MaxLaunchDelaySeconds,
		Mem:                        s.Mem,
		Gpus:                       s.Gpus,
		Networks:                   fromNetworks(s.Networks),
		PortDefinitions:            fromPorts(s.PortDefinitions),
		ReadinessChecks:            fromReadinessChecks(s.ReadinessChecks),
		ResourceLimits:             fromResourceLimits(s.ResourceLimits),
		RequirePorts:               s.RequirePorts,
		Secrets:                    fromSecrets(s.Secrets),
		TaskKillGracePeriodSeconds: s.TaskKillGracePeriodSeconds,
		User:                       s.User,
		KillSelection:              s.KillSelection,
		TTY:                        s.TTY,
		DrainSeconds:               s.DrainSeconds,
		PerNode:                    s.PerNode,
		Rollout:                    s.Rollout,
		Suspend:                    s.Suspend,
		Role:                       &s.Role,
	}
	if u := s.UpgradeStrategy; u != nil {
		a.UpgradeStrategy = &UpgradeStrategy{ptr.Deref(u.MaximumOverCapacity, 0), ptr.Deref(u.MinimumHealthCapacity, 0)}
	}
	if r := s.ExecutorResources; r != nil {
		a.ExecutorResources = &ExecutorResources{Cpus: r.Cpus, Mem: r.Mem, Disk: r.Disk}
	}
	if u := s.UnreachableStrategy; u != nil {
		a.UnreachableStrategy = &UnreachableStrategy{
			Disabled:             ptr.Deref(u.Disabled, false),
			InactiveAfterSeconds: int64(ptr.Deref(u.InactiveAfterSeconds, 0)),
			ExpungeAfterSeconds:  int64(ptr.Deref(u.ExpungeAfterSeconds, 0)),
		}
	}
	return a
}

// giveServicePorts fills in, where the spec asks for any, what the App was given.
func giveServicePorts(s *v1alpha1.AppSpec, given []int32) {
	fill := func(i int, port **int32) {
		if i < len(given) && ptr.Deref(*port, 0) == 0 {
			*port = &given[i]
		}
	}
	if s.OnHostNetwork() {
		for i := range s.PortDefinitions {
			fill(i, &s.PortDefinitions[i].Port)
		}
	} else if s.Container != nil {
		for i := range s.Container.PortMappings {
			fill(i, &s.Container.PortMappings[i].ServicePort)
		}
	}
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

func fromEnv(env []v1alpha1.EnvVar) map[string]EnvValue {
	if len(env) == 0 {
		return nil
	}
	out := make(map[string]EnvValue, len(env))
	for _, v := range env {
		out[v.Name] = EnvValue{Value: ptr.Deref(v.Value, ""), Secret: v.Secret}
	}
	return out
}

func fromSecrets(secrets []v1alpha1.Secret) map[string]SecretDef {
	if len(secrets) == 0 {
		return nil
	}
	out := make(map[string]SecretDef, len(secrets))
	for _, s := range secrets {
		out[s.Name] = SecretDef{Source: s.Source}
	}
	return out
}

func fromFetch(files []v1alpha1.Fetch) []Artifact {
	var out []Artifact
	for _, f := range files {
		out = append(out, Artifact{URI: f.URI, Extract: f.Extract, Executable: f.Executable, Cache: f.Cache, DestPath: f.DestPath})
	}
	return out
}

func fromConstraints(constraints []v1alpha1.Constraint) [][]string {
	var out [][]string
	for _, c := range constraints {
		triple := []string{c.Field, string(c.Operator)}
		if c.Value != nil {
			triple = append(triple, *c.Value)
		}
		out = append(out, triple)
	}
	return out
}

func fromNetworks(networks []v1alpha1.Network) []Network {
	var out []Network
	for _, n := range networks {
		out = append(out, Network{Name: n.Name, Mode: n.Mode, Labels: fromLabels(n.Labels)})
	}
	return out
}

func fromPorts(ports []v1alpha1.PortDefinition) []PortDefinition {
	if ports == nil {
		return nil
	}
	out := make([]PortDefinition, 0, len(ports))
	for _, d := range ports {
		out = append(out, PortDefinition{Port: d.Port, Labels: fromLabels(d.Labels), Name: d.Name, Protocol: d.Protocol})
	}
	return out
}

func fromResourceLimits(l *v1alpha1.ResourceLimits) *ResourceLimits {
	if l == nil {
		return nil
	}
	return &ResourceLimits{Cpus: fromResourceLimit(l.Cpus), Mem: fromResourceLimit(l.Mem)}
}

func fromResourceLimit(l *intstr.IntOrString) *ResourceLimit {
	switch {
	case l == nil:
		return nil
	case l.Type == intstr.Int:
		return &ResourceLimit{Number: float64(l.IntVal)}
	}
	if number, err := strconv.ParseFloat(l.StrVal, 64); err == nil {
		return &ResourceLimit{Number: number}
	}
	return &ResourceLimit{Text: &l.StrVal}
}
