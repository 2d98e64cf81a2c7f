// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const healthPortIndex = "Health check port indices must address an element of the ports array or container port mappings."

// portCount is how many ports a portIndex can name.
func (a *App) portCount() int {
	if a.Container != nil && a.Container.PortMappings != nil {
		return len(a.Container.PortMappings)
	}
	return len(a.PortDefinitions)
}

// portReferenceOK says whether a check names a port: by number, by the index of
// one of the app's, or not at all where there is just one.
func portReferenceOK(port, portIndex *int32, count int) bool {
	if portIndex != nil {
		return int(*portIndex) < count
	}
	return port != nil || count == 1
}

func checkHealth(a *App, p *problems) {
	ofMesos := 0
	for i, h := range a.HealthChecks {
		path := index("/healthChecks", i)
		docker := a.Container != nil && a.Container.Type == v1alpha1.EngineDocker
		byMesos := strings.HasPrefix(string(h.Protocol), "MESOS_")
		if byMesos && h.Command == nil {
			ofMesos++
		}
		if !byMesos && h.Protocol != v1alpha1.HealthCommand && h.Command == nil {
			p.check(portReferenceOK(h.Port, h.PortIndex, a.portCount()), path, healthPortIndex)
		}
		p.check(h.IPProtocol != "IPv6" || byMesos && docker, path, "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks")
		checkHealthCommand(path, h, p)
	}
	p.check(ofMesos <= 1, "", "AppDefinition can contain at most one Mesos health check")
}

// checkHealthCommand refuses what makes Marathon fail to store a health check.
func checkHealthCommand(path string, h HealthCheck, p *problems) {
	command := h.Protocol == v1alpha1.HealthCommand
	switch {
	case h.Command != nil && !command:
		p.add(path, "illegal protocol "+string(h.Protocol)+" specified with command")
	case h.Command == nil && command:
		p.add(path, "illegal protocol COMMAND for non-command health check")
	case command:
		p.check(h.Path == nil && h.Port == nil, path, "a COMMAND health check has neither path nor port")
	}
}

func checkReadiness(a *App, p *problems) {
	n := len(a.ReadinessChecks)
	p.check(n <= 1, "/readinessChecks/size", got(strconv.Itoa(n), "1 or less"))
	names := a.portNames()
	for i, r := range a.ReadinessChecks {
		path := index("/readinessChecks", i)
		p.check(slices.Contains(names, *r.PortName), path+"/portName", "No port definition reference for portName "+*r.PortName)
		p.check(*r.TimeoutSeconds < *r.IntervalSeconds, path+"/timeoutSeconds",
			got(strconv.Itoa(int(*r.TimeoutSeconds)), "less than "+strconv.Itoa(int(*r.IntervalSeconds))))
	}
}

func (a *App) portNames() []string {
	var names []string
	if a.Container != nil && a.Container.PortMappings != nil {
		for _, m := range a.Container.PortMappings {
			if m.Name != nil {
				names = append(names, *m.Name)
			}
		}
		return names
	}
	for _, d := range a.PortDefinitions {
		if d.Name != nil {
			names = append(names, *d.Name)
		}
	}
	return names
}
