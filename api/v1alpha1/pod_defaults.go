// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// defaultContainers is Default for what only Apps with several containers have.
func (s *AppSpec) defaultContainers() {
	for i := range s.Containers {
		s.Containers[i].fill()
	}
	for i := range s.Volumes {
		if p := s.Volumes[i].Persistent; p != nil && p.Type == "" {
			p.Type = PersistentRoot
		}
	}
}

func (c *PodContainer) fill() {
	if c.Resources == nil {
		c.Resources = &PodResources{}
	}
	fill(&c.Resources.Cpus, 1)
	fill(&c.Resources.Mem, 128)
	fill(&c.Resources.Disk, 0)
	fill(&c.Resources.Gpus, 0)
	if c.Image != nil {
		fillString(&c.Image.Kind, "DOCKER")
	}
	for i := range c.Endpoints {
		if e := &c.Endpoints[i]; len(e.Protocol) == 0 {
			e.Protocol = []string{string(ProtocolTCP)}
		}
	}
	for i := range c.Artifacts {
		fill(&c.Artifacts[i].Extract, true)
	}
	if h := c.HealthCheck; h != nil {
		fill(&h.GracePeriodSeconds, 300)
		fill(&h.IntervalSeconds, 60)
		fill(&h.MaxConsecutiveFailures, 3)
		fill(&h.TimeoutSeconds, 20)
		fill(&h.DelaySeconds, 15)
		h.HTTP.fill()
	}
	if k := c.Check; k != nil {
		fill(&k.IntervalSeconds, 60)
		fill(&k.TimeoutSeconds, 20)
		fill(&k.DelaySeconds, 15)
		k.HTTP.fill()
	}
}

func (h *PodHTTPCheck) fill() {
	if h != nil {
		fillString(&h.Scheme, "HTTP")
	}
}
