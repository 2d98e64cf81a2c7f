// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random

import (
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// portNames are those of the app's ports; a port that nobody declared is called
// default.
func portNames(s *v1alpha1.AppSpec) (names []string, count int) {
	host := len(s.Networks) == 0 || s.OnHostNetwork()
	switch {
	case host && s.PortDefinitions != nil:
		for _, d := range s.PortDefinitions {
			names = append(names, ptr.Deref(d.Name, ""))
		}
		return names, len(names)
	case !host && s.Container != nil && s.Container.PortMappings != nil:
		for _, m := range s.Container.PortMappings {
			names = append(names, ptr.Deref(m.Name, ""))
		}
		return names, len(names)
	}
	return []string{"default"}, 1
}

func (g *generator) settleChecks(s *v1alpha1.AppSpec) {
	names, count := portNames(s)
	docker := s.Container != nil && s.Container.Type != v1alpha1.EngineMesos
	mesos := 0
	var kept []v1alpha1.HealthCheck
	for _, h := range s.HealthChecks {
		if !docker {
			h.IPProtocol = ""
		}
		if g.settleHealthCheck(&h, count); strings.HasPrefix(string(h.Protocol), "MESOS_") {
			if mesos++; mesos > 1 {
				continue
			}
		}
		kept = append(kept, h)
	}
	s.HealthChecks = kept
	if c := s.Check; c != nil {
		g.settleCheck(c, count)
	}
	var ready []v1alpha1.ReadinessCheck
	for _, r := range s.ReadinessChecks {
		var named []string
		for _, name := range names {
			if name != "" {
				named = append(named, name)
			}
		}
		if len(named) == 0 {
			continue
		}
		r.PortName = pick(g, named...)
		if ptr.Deref(r.TimeoutSeconds, 10) >= ptr.Deref(r.IntervalSeconds, 30) {
			r.TimeoutSeconds, r.IntervalSeconds = ptr.To[int32](1), ptr.To(max(ptr.Deref(r.IntervalSeconds, 30), 2))
		}
		ready = append(ready, r)
	}
	s.ReadinessChecks = ready
}

func (g *generator) settleHealthCheck(h *v1alpha1.HealthCheck, ports int) {
	if h.Protocol == v1alpha1.HealthCommand && h.Command == nil {
		h.Command = &v1alpha1.HealthCommandValue{Value: "true"}
	}
	switch h.Protocol {
	case v1alpha1.HealthCommand:
		h.Port, h.PortIndex, h.Path = nil, nil, nil
	case v1alpha1.HealthTCP, v1alpha1.HealthMesosTCP:
		h.Path, h.Command = nil, nil
	default:
		h.Command = nil
	}
	switch h.Protocol {
	case v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS, v1alpha1.HealthMesosTCP:
		h.IgnoreHTTP1xx = nil
	case v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, "":
		h.IPProtocol = ""
	default:
		h.IgnoreHTTP1xx, h.IPProtocol = nil, ""
	}
	if h.Port != nil {
		h.PortIndex = nil
	}
	if h.PortIndex != nil {
		*h.PortIndex %= int32(max(ports, 1)) //nolint:gosec // few
	}
	if ports == 0 && h.Port == nil && h.Protocol != v1alpha1.HealthCommand {
		h.Port, h.PortIndex = ptr.To[int32](80), nil
	}
}

func (g *generator) settleCheck(c *v1alpha1.Check, ports int) {
	settlePort := func(port, index **int32) {
		switch {
		case *port != nil || ports == 0:
			*port, *index = ptr.To(ptr.Deref(*port, 80)), nil
		case *index != nil:
			*index = ptr.To(**index % int32(ports)) //nolint:gosec // few
		}
	}
	switch g.IntN(3) {
	case 0:
		if c.HTTP == nil {
			c.HTTP = &v1alpha1.HTTPCheck{}
		}
		settlePort(&c.HTTP.Port, &c.HTTP.PortIndex)
		c.TCP, c.Exec = nil, nil
	case 1:
		if c.TCP == nil {
			c.TCP = &v1alpha1.TCPCheck{}
		}
		settlePort(&c.TCP.Port, &c.TCP.PortIndex)
		c.HTTP, c.Exec = nil, nil
	default:
		if c.Exec == nil {
			c.Exec = &v1alpha1.ExecCheck{}
		}
		if command := &c.Exec.Command; (command.Shell != nil) == (command.Argv != nil) {
			*command = pick(g, v1alpha1.ShellOrArgv{Shell: ptr.To("true")}, v1alpha1.ShellOrArgv{Argv: []string{"true", ""}})
		}
		c.HTTP, c.TCP = nil, nil
	}
}

func (g *generator) settleStrategies(s *v1alpha1.AppSpec) {
	resident, dvdi := s.Resident(), false
	if s.Container != nil {
		for _, v := range s.Container.Volumes {
			dvdi = dvdi || v.External != nil && v.External.Provider == v1alpha1.ProviderDVDI
			if csi := v.External; csi != nil && csi.CSI != nil {
				s.Instances = ptr.To[int32](1)
			}
		}
	}
	single := s.Labels["MARATHON_SINGLE_INSTANCE_APP"] == "true"
	if single || dvdi {
		s.Instances = ptr.To(min(ptr.Deref(s.Instances, 1), 1))
	}
	if single {
		s.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.0), MaximumOverCapacity: ptr.To(0.0)}
	}
	if (resident || dvdi) && s.UpgradeStrategy != nil {
		s.UpgradeStrategy.MaximumOverCapacity = ptr.To(0.0)
	}
	if r := s.Rollout; r != nil && r.ProgressDeadlineSeconds == nil {
		r.OnFailure = nil
	}
	u := s.UnreachableStrategy
	switch {
	case u == nil:
	case resident:
		s.UnreachableStrategy = pick(g, nil, &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)})
	case ptr.Deref(u.Disabled, false):
		u.InactiveAfterSeconds, u.ExpungeAfterSeconds = nil, nil
	case ptr.Deref(u.InactiveAfterSeconds, 0) > ptr.Deref(u.ExpungeAfterSeconds, 0):
		u.ExpungeAfterSeconds = u.InactiveAfterSeconds
	}
}
