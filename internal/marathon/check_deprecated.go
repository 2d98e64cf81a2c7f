// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const (
	invalidURI      = "URI has invalid syntax."
	portNamesUnique = "Port names must be unique."
	portsUnique     = "Ports must be unique."
)

// checkDeprecated holds the rules for deprecated forms, before these are
// translated.
func checkDeprecated(a *App, p *problems) {
	if c := a.Container; c != nil && c.Docker != nil {
		d := c.Docker
		p.check(d.Credential == nil, "/container/docker/credential", mustBeEmpty)
		if c.Type == v1alpha1.EngineMesos {
			p.check(d.Network == "", "/container/docker/network", mustBeEmpty)
			p.check(len(d.Parameters) == 0, "/container/docker/parameters", mustBeEmpty)
			p.check(d.PortMappings == nil, "/container/docker/portMappings", mustBeEmpty)
		}
		p.check(namesUnique(d.PortMappings, mappingName), "/container/docker/portMappings", portNamesUnique)
		p.check(d.Network == "" || len(a.Networks) == 0, "", "must not specify both container.docker.network and networks")
	}
	for i, uri := range a.URIs {
		p.check(isURI(uri), index("/uris", i), invalidURI)
	}
	p.check(len(a.URIs) == 0 || len(a.Fetch) == 0, "/uris", "may not be set in conjunction with fetch")
	checkDeprecatedPorts(a, p)
}

func checkDeprecatedPorts(a *App, p *problems) {
	if ip := a.IPAddress; ip != nil {
		docker := a.Container != nil && a.Container.Type == v1alpha1.EngineDocker
		p.check(!docker || ip.Discovery == nil, "/ipAddress", "ipAddress/discovery is not allowed for Docker containers")
		p.check(len(a.Networks) == 0, "", "must not specify both networks and ipAddress")
		p.check(len(a.Ports) == 0 && len(a.PortDefinitions) == 0, "", "cannot specify both an IP address and port")
	}
	p.check(portNumbersUnique(a.Ports), "", "ports must be unique")
	if a.Ports != nil && a.PortDefinitions != nil {
		same := slices.EqualFunc(a.Ports, a.PortDefinitions, func(port int32, d PortDefinition) bool { return port == ptr.Deref(d.Port, 0) })
		p.check(same, "", "cannot specify both ports and port definitions")
	}
}

func mappingName(m PortMapping) *string       { return m.Name }
func definitionName(d PortDefinition) *string { return d.Name }

// namesUnique says whether no two of the items have the same name.
func namesUnique[T any](items []T, name func(T) *string) bool {
	seen := map[string]bool{}
	for _, item := range items {
		if n := name(item); n != nil {
			if seen[*n] {
				return false
			}
			seen[*n] = true
		}
	}
	return true
}

// portNumbersUnique says whether no two ports but 0 are the same.
func portNumbersUnique(ports []int32) bool {
	seen := map[int32]bool{}
	for _, port := range ports {
		if port != 0 && seen[port] {
			return false
		}
		seen[port] = true
	}
	return true
}
