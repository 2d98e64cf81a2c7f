// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// bridgeName is the network name that once meant a bridge.
const bridgeName = "mesos-bridge"

// normalized returns the canonical form of an app: ids absolute, deprecated
// forms translated, defaults filled in. What can't be translated, and what
// breaks a rule of Marathon on the way, is collected as one error.
func (a App) normalized(opts Options) (*App, error) {
	opts = opts.filled()
	p := &problems{}
	a.canonicalIDs(opts.Base, p)
	a.fill()
	checkDeprecated(&a, p)
	if err := p.err(messageInvalidObject); err != nil {
		return nil, err
	}
	a.translate(p)
	if err := p.err(messageInvalidObject); err != nil {
		return nil, err
	}
	if a.Role == nil {
		a.Role = &opts.DefaultRole
	}
	checkCanonical(&a, opts, p)
	a.finish(opts)
	checkStored(&a, p)
	checkBounds(&a, opts, p)
	if err := p.err(messageInvalidObject); err != nil {
		return nil, err
	}
	return &a, nil
}

// canonicalIDs makes ids absolute. Relative dependencies continue the group,
// not the app.
func (a *App) canonicalIDs(base string, p *problems) {
	id, err := pathid.Canonical(base, a.ID)
	if err != nil {
		p.add("/id", err.Error())
	}
	a.ID = id
	var dependencies []string
	for _, dependency := range a.Dependencies {
		if id, err := pathid.Canonical(base, dependency); err == nil {
			dependencies = append(dependencies, id)
		}
	}
	a.Dependencies = distinct(dependencies)
}

// translate puts canonical fields in the place of deprecated ones. The order of
// the steps on ports is Marathon's, and matters.
func (a *App) translate(p *problems) {
	a.translateURIs()
	a.translateNetworks(p)
	declared := a.PortDefinitions
	if declared == nil && a.Ports != nil {
		declared = make([]PortDefinition, len(a.Ports))
		for i, port := range a.Ports {
			declared[i] = PortDefinition{Port: &port, Protocol: v1alpha1.ProtocolTCP}
		}
	}
	if a.Container == nil && a.IPAddress != nil {
		a.Container = &Container{Type: v1alpha1.EngineMesos, Volumes: []Volume{}}
	}
	if a.Container != nil {
		a.translatePortMappings(p)
		a.settlePortMappings(len(declared))
	}
	if a.PortDefinitions == nil && len(declared) == 1 {
		// Of several ports in the old form Marathon takes none for the first;
		// with one there is nothing to tell apart.
		a.PortDefinitions = declared
	}
	a.indexHealthChecks()
	a.PortDefinitions = declared
	if a.onContainerNetwork() {
		// Dropped, even where there are some: they are port mappings by now.
		a.PortDefinitions = nil
	} else if declared == nil {
		a.PortDefinitions = defaultPortDefinitions()
	}
	if a.resident() && a.Residency == nil {
		a.Residency = &Residency{}
	}
	a.IPAddress, a.Ports, a.URIs = nil, nil, nil
}

func (a *App) translateURIs() {
	if len(a.Fetch) > 0 {
		return
	}
	var fetch []Artifact
	for _, uri := range a.URIs {
		// Packages give "" for an optional file: there is nothing to fetch.
		if uri != "" {
			archive := isArchive(uri)
			fetch = append(fetch, Artifact{URI: uri, Extract: &archive, Executable: new(bool), Cache: new(bool)})
		}
	}
	a.Fetch = fetch
}

// translateNetworks finds out what container.docker.network and ipAddress asked for.
func (a *App) translateNetworks(p *problems) {
	var docker DockerNetwork
	if a.Container != nil && a.Container.Docker != nil {
		docker = a.Container.Docker.Network
		a.Container.Docker.Network = ""
	}
	ip := a.IPAddress
	if docker == "" && ip == nil {
		return
	}
	network := Network{}
	if ip != nil {
		network = Network{Name: ip.NetworkName, Labels: ip.Labels}
	}
	switch {
	case docker == DockerNone:
		p.add("/container/docker/network", "unsupported docker network type NONE")
	case docker == DockerHost:
		network = Network{Mode: v1alpha1.NetworkHost}
	case docker == DockerBridge, docker == "" && network.Name != nil && *network.Name == bridgeName:
		network.Mode, network.Name = v1alpha1.NetworkBridge, nil
	default:
		network.Mode = v1alpha1.NetworkContainer
	}
	a.Networks = []Network{network}
}

// translatePortMappings moves docker.portMappings and ipAddress.discovery.ports
// to container.portMappings.
func (a *App) translatePortMappings(p *problems) {
	c := a.Container
	if c.Docker != nil && c.Docker.PortMappings != nil {
		switch {
		case c.PortMappings == nil:
			c.PortMappings = c.Docker.PortMappings
		case len(c.Docker.PortMappings) > 0:
			p.add("/container/portMappings", "cannot specify both portMappings and docker.portMappings")
		}
		c.Docker.PortMappings = nil
	}
	if a.IPAddress == nil || a.IPAddress.Discovery == nil || len(a.IPAddress.Discovery.Ports) == 0 {
		return
	}
	// With the DOCKER engine, checkDeprecated has refused it already.
	if c.PortMappings != nil {
		p.add("/container/portMappings", "container.portMappings and ipAddress.discovery.ports must not both be set")
	}
	c.PortMappings = nil
	for _, port := range a.IPAddress.Discovery.Ports {
		m := PortMapping{ContainerPort: port.Number, Name: &port.Name, Protocol: port.Protocol, Labels: port.Labels}
		m.fill()
		c.PortMappings = append(c.PortMappings, m)
	}
}

// settlePortMappings drops port mappings on the host network, silently; on
// others there is one by default, and at least as many as declared ports.
func (a *App) settlePortMappings(declared int) {
	c := a.Container
	if !a.onContainerNetwork() {
		c.PortMappings = nil
		return
	}
	if c.PortMappings == nil {
		c.PortMappings = defaultPortMappings()
	}
	if missing := declared - len(c.PortMappings); missing > 0 {
		more := each(make([]PortMapping, missing), (*PortMapping).fill)
		c.PortMappings = slices.Concat(c.PortMappings, more)
	}
}

// indexHealthChecks gives network health checks without a port the first one,
// where ports are declared. One default port does not count, written out or
// not: with one port there is nothing to tell apart.
func (a *App) indexHealthChecks() {
	declared := len(a.PortDefinitions) > 0 && !isDefaultPortDefinitions(a.PortDefinitions)
	if a.onContainerNetwork() {
		declared = a.Container != nil && a.Container.PortMappings != nil
	}
	a.HealthChecks = each(a.HealthChecks, func(h *HealthCheck) {
		if h.Port != nil && *h.Port == 0 {
			h.Port = nil // Marathon took it, and then asked port 0, which never answers
		}
		if declared && h.Port == nil && h.PortIndex == nil && h.Protocol != v1alpha1.HealthCommand {
			h.PortIndex = new(int32)
		}
	})
	a.HealthChecks = unlike(a.HealthChecks)
}

// unlike returns the items that differ: Marathon's lists are sets at times.
func unlike[T any](items []T) []T {
	seen := map[string]bool{}
	var out []T
	for _, item := range items {
		if key := fingerprint(item); !seen[key] {
			seen[key] = true
			out = append(out, item)
		}
	}
	return out
}

// finish is what Marathon does to an app after it passed the canonical rules.
func (a *App) finish(opts Options) {
	if len(a.Networks) == 0 {
		a.Networks = []Network{{Mode: v1alpha1.NetworkHost}}
	}
	a.Networks = each(a.Networks, func(n *Network) {
		if n.Mode == v1alpha1.NetworkContainer && n.Name == nil {
			n.Name = &opts.DefaultNetwork
		}
	})
	if a.onContainerNetwork() {
		a.RequirePorts = ptr.To(false)
		if a.Container == nil {
			a.ensureContainer()
			a.indexHealthChecks()
		}
	}
	if a.Networks[0].Mode == v1alpha1.NetworkBridge && a.Container != nil {
		a.Container.PortMappings = each(a.Container.PortMappings, func(m *PortMapping) { orElse(&m.HostPort, 0) })
	}
	if a.UnreachableStrategy == nil {
		a.UnreachableStrategy = &UnreachableStrategy{Disabled: a.resident()}
	}
	if a.UpgradeStrategy == nil {
		a.UpgradeStrategy = &UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1}
		if a.volumesThatStay() {
			a.UpgradeStrategy = &UpgradeStrategy{MinimumHealthCapacity: 0.5, MaximumOverCapacity: 0}
		}
	}
	a.finishContainer()
	a.finishConstraints()
	a.finishChecks()
	a.Residency = nil
	if a.resident() {
		a.Residency = &Residency{RelaunchEscalationTimeoutSeconds: ptr.To[int64](3600), TaskLostBehavior: "WAIT_FOREVER"}
	}
}

// ensureContainer gives an app that is not on the host network a container.
func (a *App) ensureContainer() {
	if a.Container == nil {
		a.Container = &Container{Type: v1alpha1.EngineMesos, Volumes: []Volume{}, PortMappings: defaultPortMappings()}
	}
}

func (a *App) onContainerNetwork() bool {
	return slices.ContainsFunc(a.Networks, func(n Network) bool { return n.Mode != v1alpha1.NetworkHost })
}

// resident says whether the app has persistent volumes.
func (a *App) resident() bool {
	return a.Container != nil && slices.ContainsFunc(a.Container.Volumes, func(v Volume) bool { return v.Persistent != nil })
}

func (a *App) volumesThatStay() bool {
	return a.resident() ||
		a.Container != nil && slices.ContainsFunc(a.Container.Volumes, func(v Volume) bool { return v.External != nil })
}

func defaultPortDefinitions() []PortDefinition {
	return []PortDefinition{{Port: new(int32), Protocol: v1alpha1.ProtocolTCP, Name: ptr.To("default")}}
}

func isDefaultPortDefinitions(ports []PortDefinition) bool {
	return len(ports) == 1 && ptr.Equal(ports[0].Name, ptr.To("default")) && ptr.Deref(ports[0].Port, 0) == 0 &&
		(ports[0].Protocol == "" || ports[0].Protocol == v1alpha1.ProtocolTCP) && len(ports[0].Labels) == 0
}

func defaultPortMappings() []PortMapping {
	m := PortMapping{Name: ptr.To("default")}
	m.fill()
	return []PortMapping{m}
}
