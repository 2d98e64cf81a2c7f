// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// fill sets what Marathon's GET always shows to the defaults of Marathon's
// types. It changes no slice in place: a may share them with another App.
func (a *App) fill() {
	orElse(&a.BackoffFactor, 1.15)
	orElse(&a.BackoffSeconds, 1)
	orElse(&a.Cpus, 1)
	orElse(&a.Disk, 0)
	orElse(&a.Executor, "")
	orElse(&a.Instances, 1)
	orElse(&a.MaxLaunchDelaySeconds, 300)
	orElse(&a.Mem, 128)
	orElse(&a.Gpus, 0)
	orElse(&a.RequirePorts, false)
	if a.KillSelection == "" {
		a.KillSelection = v1alpha1.YoungestFirst
	}
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	if a.User != nil && *a.User == "" {
		a.User = nil
	}
	a.Args = orNone(a.Args)
	a.Constraints = orNone(a.Constraints)
	a.Dependencies = orNone(a.Dependencies)
	a.fillContainer()
	a.Networks = each(a.Networks, func(n *Network) { fallback(&n.Mode, v1alpha1.NetworkContainer) })
	a.PortDefinitions = each(a.PortDefinitions, func(d *PortDefinition) {
		orElse(&d.Port, 0)
		fallback(&d.Protocol, v1alpha1.ProtocolTCP)
	})
	a.Fetch = each(a.Fetch, func(f *Artifact) {
		orElse(&f.Extract, true)
		orElse(&f.Executable, false)
		orElse(&f.Cache, false)
	})
	if r := a.ExecutorResources; r != nil {
		a.ExecutorResources = ptr.To(*r)
		orElse(&a.ExecutorResources.Cpus, 0.1)
		orElse(&a.ExecutorResources.Mem, 32)
		orElse(&a.ExecutorResources.Disk, 10)
	}
	a.fillChecks()
}

func (a *App) fillContainer() {
	if a.Container == nil {
		return
	}
	c := *a.Container
	a.Container = &c
	fallback(&c.Type, v1alpha1.EngineDocker)
	if c.Docker != nil {
		d := *c.Docker
		c.Docker = &d
		orElse(&d.ForcePullImage, false)
		orElse(&d.Privileged, false)
		if d.Parameters == nil {
			d.Parameters = []Parameter{}
		}
		d.PortMappings = each(d.PortMappings, (*PortMapping).fill)
	}
	c.PortMappings = each(c.PortMappings, (*PortMapping).fill)
	if c.Volumes == nil {
		c.Volumes = []Volume{}
	}
	c.Volumes = each(c.Volumes, (*Volume).fill)
}

func (m *PortMapping) fill() {
	orElse(&m.ContainerPort, 0)
	orElse(&m.ServicePort, 0)
	fallback(&m.Protocol, v1alpha1.ProtocolTCP)
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
}

func (v *Volume) fill() {
	if p := v.Persistent; p != nil {
		v.Persistent = ptr.To(*p)
		if p.Constraints == nil {
			v.Persistent.Constraints = [][]string{}
		}
	}
	if e := v.External; e != nil {
		v.External = ptr.To(*e)
		if e.CSI == nil {
			orElse(&v.External.Shared, false)
			return
		}
		v.External.CSI = ptr.To(*e.CSI)
		v.External.CSI.Capability.MountFlags = orNone(e.CSI.Capability.MountFlags)
	}
}

func (a *App) fillChecks() {
	a.HealthChecks = each(a.HealthChecks, func(h *HealthCheck) {
		fallback(&h.Protocol, v1alpha1.HealthHTTP)
		fallback(&h.IPProtocol, "IPv4")
		orElse(&h.GracePeriodSeconds, 300)
		orElse(&h.IntervalSeconds, 60)
		orElse(&h.MaxConsecutiveFailures, 3)
		orElse(&h.TimeoutSeconds, 20)
		orElse(&h.DelaySeconds, 15)
	})
	if c := a.Check; c != nil {
		a.Check = ptr.To(*c)
		orElse(&a.Check.IntervalSeconds, 60)
		orElse(&a.Check.TimeoutSeconds, 20)
		orElse(&a.Check.DelaySeconds, 15)
		if c.HTTP != nil {
			a.Check.HTTP = ptr.To(*c.HTTP)
			fallback(&a.Check.HTTP.Scheme, "HTTP")
		}
	}
	a.ReadinessChecks = each(a.ReadinessChecks, func(r *ReadinessCheck) {
		orElse(&r.Name, "readinessCheck")
		fallback(&r.Protocol, "HTTP")
		orElse(&r.Path, "/")
		orElse(&r.PortName, "http-api")
		orElse(&r.IntervalSeconds, 30)
		orElse(&r.TimeoutSeconds, 10)
		orElse(&r.PreserveLastResponse, false)
		if len(r.HTTPStatusCodesForReady) == 0 {
			r.HTTPStatusCodesForReady = []int32{200}
		}
	})
}

// each returns a copy of the items, changed; nil stays nil and empty stays empty.
func each[T any](items []T, change func(*T)) []T {
	if items == nil {
		return nil
	}
	out := make([]T, len(items))
	for i := range items {
		out[i] = items[i]
		change(&out[i])
	}
	return out
}

// orNone returns nil for a list that is empty, where that means the same.
func orNone[T any](items []T) []T {
	if len(items) == 0 {
		return nil
	}
	return items
}

func orElse[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func fallback[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}
