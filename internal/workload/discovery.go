// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// discovery is the value of DiscoveryAnnotation: how the instance of an App with
// the id, and with these tasks, is found.
func discovery(id string, tasks []task) (string, error) {
	d := v1alpha1.Discovery{
		Name:      pathid.Reversed(id),
		Framework: v1alpha1.FrameworkMarathon,
		TaskID:    pathid.Safe(id) + ".instance-%s._app.1",
	}
	for i := range tasks {
		container := ""
		if tasks[i].of != nil {
			container = tasks[i].name
			d.TaskID = pathid.Safe(id) + ".instance-%s.%c.1"
			d.Containers = append(d.Containers, container)
		}
		for _, p := range tasks[i].ports {
			d.Ports = append(d.Ports, discoveryPorts(p, container)...)
		}
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode discovery: %w", err)
	}
	return string(raw), nil
}

// discoveryPorts are one for each protocol.
func discoveryPorts(p port, container string) []v1alpha1.DiscoveryPort {
	var all []v1alpha1.DiscoveryPort
	for _, protocol := range protocols(p.protocol) {
		all = append(all, v1alpha1.DiscoveryPort{
			Name: p.name, Number: p.container, HostPort: p.host, Container: container,
			Protocol: v1alpha1.TransportProtocol(strings.ToLower(string(protocol))),
		})
	}
	// In the order of their names, whatever the order Marathon writes them in.
	slices.SortFunc(all, func(a, b v1alpha1.DiscoveryPort) int { return strings.Compare(string(a.Protocol), string(b.Protocol)) })
	return all
}
