// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const (
	networkNameRequired = "networkNames must be a single item list when hostPort is specified and more than 1 container network is defined"
	singleNetworkOnly   = "may only specify a single container network when using the Docker container engine"
)

func checkNetworks(a *App, opts Options, p *problems) {
	const path = "/networks"
	count := map[v1alpha1.NetworkMode]int{}
	unnamed, names := 0, map[string]int{}
	hostHasMore, bridgeHasName := false, false
	for _, n := range a.Networks {
		count[n.Mode]++
		named := n.Name != nil && *n.Name != ""
		hostHasMore = hostHasMore || n.Mode == v1alpha1.NetworkHost && (named || len(n.Labels) > 0)
		bridgeHasName = bridgeHasName || n.Mode == v1alpha1.NetworkBridge && named
		switch {
		case n.Name != nil:
			names[*n.Name]++
		case n.Mode == v1alpha1.NetworkContainer:
			// It gets the default name, which another may have as well.
			unnamed++
			names[opts.DefaultNetwork]++
		}
	}
	duplicate := unnamed > 1 || slices.ContainsFunc(sortedKeys(names), func(name string) bool { return names[name] > 1 })
	host, bridge, container := count[v1alpha1.NetworkHost], count[v1alpha1.NetworkBridge], count[v1alpha1.NetworkContainer]
	one := host <= 1 && bridge+container == 0 || bridge <= 1 && host+container == 0 || container > 0 && host+bridge == 0
	p.check(!hostHasMore, path, "Host networks may not have names or labels")
	p.check(!bridgeHasName, path, "Bridge networks may not have names")
	p.check(!duplicate, path, "Duplicate networks are not allowed")
	p.check(one, path, "May specify a single host network, single bridge network, or else 1-to-n container networks")
	p.check(unnamed == 0 || opts.DefaultNetwork != NoNetwork, path, "Network name must be specified when container network is selected.")
	docker := a.Container != nil && a.Container.Type == v1alpha1.EngineDocker
	p.check(!docker || container <= 1, "", singleNetworkOnly)
}

// checkPortMappings holds the rules for the port mappings of a container, given
// the networks.
func checkPortMappings(a *App, p *problems) {
	const path = "/container/portMappings"
	mappings := a.Container.PortMappings
	p.check(namesUnique(mappings, mappingName), path, portNamesUnique)
	var names []string
	containers := 0
	for _, n := range a.Networks {
		if n.Name != nil {
			names = append(names, *n.Name)
		}
		if n.Mode == v1alpha1.NetworkContainer {
			containers++
		}
	}
	if len(names) > boundNetworks {
		return // far too many, which is said elsewhere
	}
	for i, m := range mappings {
		if len(m.NetworkNames) > boundNetworks {
			continue
		}
		p.check(containers <= 1 || m.HostPort == nil || len(m.NetworkNames) == 1, index(path, i), networkNameRequired)
		for j, name := range m.NetworkNames {
			p.check(slices.Contains(names, name), index(index(path, i)+"/networkNames", j), "is not one of ("+strings.Join(names, ",")+")")
		}
	}
}
