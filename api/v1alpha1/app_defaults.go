// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"
	"time"

	"k8s.io/utils/ptr"
)

// Default fills in what the schema's defaults would, for specs that did not
// pass through an API server, and two things a schema can't say: the
// upgradeStrategy that follows from the volumes, and the one port an app has
// when it declares none. Filling in twice changes nothing.
func (s *AppSpec) Default() {
	fill(&s.Instances, 1)
	fill(&s.Cpus, 1)
	fill(&s.Mem, 128)
	fill(&s.Disk, 0)
	fill(&s.BackoffSeconds, 1)
	fill(&s.BackoffFactor, 1.15)
	fill(&s.MaxLaunchDelaySeconds, 300)
	if s.Role == "" {
		s.Role = RolePublic
	}
	if s.KillSelection == "" {
		s.KillSelection = YoungestFirst
	}
	if len(s.Networks) == 0 {
		s.Networks = []Network{{Mode: NetworkHost}}
	}
	for i := range s.Networks {
		if s.Networks[i].Mode == "" {
			s.Networks[i].Mode = NetworkContainer
		}
	}
	if s.UpgradeStrategy == nil {
		health, over := 1.0, 1.0
		if s.hasVolumesThatStay() {
			health, over = 0.5, 0
		}
		s.UpgradeStrategy = &UpgradeStrategy{MinimumHealthCapacity: &health, MaximumOverCapacity: &over}
	}
	if r := s.ExecutorResources; r != nil {
		fill(&r.Cpus, 0.1)
		fill(&r.Mem, 32)
		fill(&r.Disk, 10)
	}
	for i := range s.Fetch {
		fill(&s.Fetch[i].Extract, true)
	}
	if len(s.Containers) > 0 {
		s.defaultContainers()
		return
	}
	s.defaultContainer()
	s.defaultPorts()
	s.defaultChecks()
}

// Desired is the number of instances to run now: none of a suspended app.
func (s *AppSpec) Desired() int32 {
	if ptr.Deref(s.Suspend, false) {
		return 0
	}
	return ptr.Deref(s.Instances, 1)
}

// RunsPerNode reports whether the app runs one task on every node it may use.
func (s *AppSpec) RunsPerNode() bool { return ptr.Deref(s.PerNode, false) }

// Resident reports whether the tasks have persistent volumes, and so stay
// where these are.
func (s *AppSpec) Resident() bool {
	if slices.ContainsFunc(s.Volumes, func(v PodVolume) bool { return v.Persistent != nil }) {
		return true
	}
	if s.Container == nil {
		return false
	}
	for i := range s.Container.Volumes {
		if s.Container.Volumes[i].Persistent != nil {
			return true
		}
	}
	return false
}

// SingleWriter reports whether the tasks have volumes that one task at a time
// may have: persistent ones, and external ones that are not shared.
func (s *AppSpec) SingleWriter() bool {
	return s.Resident() || s.Container != nil &&
		slices.ContainsFunc(s.Container.Volumes, func(v Volume) bool { return v.External != nil && v.External.SingleWriter() })
}

// SingleWriter reports whether one task at a time may have the volume.
func (v *ExternalVolume) SingleWriter() bool {
	if v.CSI != nil {
		return v.CSI.Capability.AccessMode == "SINGLE_NODE_WRITER"
	}
	return !ptr.Deref(v.Shared, false)
}

// Unreachable is what happens to tasks on a node that does not answer: they are
// replaced after inactive, and given up after expunge, both counted from when
// the node was lost. waits says that they wait for their node for ever.
func (s *AppSpec) Unreachable() (inactive, expunge time.Duration, waits bool) {
	u := s.UnreachableStrategy
	switch {
	case u == nil:
		return 0, 0, s.Resident()
	case u.Disabled != nil && *u.Disabled:
		return 0, 0, true
	}
	seconds := func(n *int32) time.Duration { return time.Duration(ptr.Deref(n, 0)) * time.Second }
	return seconds(u.InactiveAfterSeconds), seconds(u.ExpungeAfterSeconds), false
}

// OnHostNetwork reports whether the tasks use the network of their node.
func (s *AppSpec) OnHostNetwork() bool {
	return len(s.Networks) == 0 || s.Networks[0].Mode == NetworkHost
}

func (s *AppSpec) hasVolumesThatStay() bool {
	if s.Container == nil {
		return s.Resident()
	}
	for i := range s.Container.Volumes {
		if v := &s.Container.Volumes[i]; v.Persistent != nil || v.External != nil {
			return true
		}
	}
	return false
}

func (s *AppSpec) defaultContainer() {
	c := s.Container
	if c == nil {
		return
	}
	if c.Type == "" {
		c.Type = EngineDocker
	}
	for i := range c.Volumes {
		v := &c.Volumes[i]
		if v.Mode == "" {
			v.Mode = VolumeReadWrite
		}
		if v.Persistent != nil && v.Persistent.Type == "" {
			v.Persistent.Type = PersistentRoot
		}
	}
}

func (s *AppSpec) defaultPorts() {
	if s.OnHostNetwork() {
		if s.PortDefinitions == nil {
			s.PortDefinitions = []PortDefinition{{Name: ptr.To("default")}}
		}
		for i := range s.PortDefinitions {
			fill(&s.PortDefinitions[i].Port, 0)
			fillProtocol(&s.PortDefinitions[i].Protocol)
		}
		return
	}
	if s.Container == nil {
		return
	}
	if s.Container.PortMappings == nil {
		s.Container.PortMappings = []PortMapping{{Name: ptr.To("default")}}
		if s.Networks[0].Mode == NetworkBridge {
			s.Container.PortMappings[0].HostPort = ptr.To[int32](0)
		}
	}
	for i := range s.Container.PortMappings {
		fill(&s.Container.PortMappings[i].ContainerPort, 0)
		fill(&s.Container.PortMappings[i].ServicePort, 0)
		fillProtocol(&s.Container.PortMappings[i].Protocol)
	}
}

func (s *AppSpec) defaultChecks() {
	for i := range s.HealthChecks {
		h := &s.HealthChecks[i]
		if h.Protocol == "" {
			h.Protocol = HealthHTTP
		}
		if h.IPProtocol == "" {
			h.IPProtocol = "IPv4"
		}
		fill(&h.GracePeriodSeconds, 300)
		fill(&h.IntervalSeconds, 60)
		fill(&h.TimeoutSeconds, 20)
		fill(&h.DelaySeconds, 15)
		fill(&h.MaxConsecutiveFailures, 3)
	}
	if c := s.Check; c != nil {
		fill(&c.IntervalSeconds, 60)
		fill(&c.TimeoutSeconds, 20)
		fill(&c.DelaySeconds, 15)
	}
	for i := range s.ReadinessChecks {
		r := &s.ReadinessChecks[i]
		fillString(&r.Name, "readinessCheck")
		fillString(&r.Protocol, "HTTP")
		fillString(&r.Path, "/")
		fillString(&r.PortName, "http-api")
		fill(&r.IntervalSeconds, 30)
		fill(&r.TimeoutSeconds, 10)
		if len(r.HTTPStatusCodesForReady) == 0 {
			r.HTTPStatusCodesForReady = []int32{200}
		}
	}
}

func fill[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func fillString(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func fillProtocol(field *Protocol) {
	if *field == "" {
		*field = ProtocolTCP
	}
}
