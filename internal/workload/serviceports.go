// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// WrittenServicePorts are the service ports of an app as it wrote them down, one
// for each of its ports: 0 asks for any.
func WrittenServicePorts(spec *v1alpha1.AppSpec) []int32 {
	var all []int32
	if spec.OnHostNetwork() {
		for i := range spec.PortDefinitions {
			all = append(all, ptr.Deref(spec.PortDefinitions[i].Port, 0))
		}
		return all
	}
	if spec.Container == nil {
		return nil
	}
	for i := range spec.Container.PortMappings {
		all = append(all, ptr.Deref(spec.Container.PortMappings[i].ServicePort, 0))
	}
	return all
}

// ServicePorts gives each port of an app its service port. Those the app wrote
// down it has; the others get, in order, what was assigned to the app before,
// and then what next yields: an app keeps its ports for life. It is an error
// that next has none left.
func ServicePorts(spec *v1alpha1.AppSpec, assigned []int32, ports PortRange, next func() (int32, bool)) ([]int32, error) {
	all := WrittenServicePorts(spec)
	reuse := slices.DeleteFunc(slices.Clone(assigned), func(p int32) bool {
		return !ports.contains(p) || slices.Contains(all, p)
	})
	for i := range all {
		if all[i] != 0 {
			continue
		}
		if len(reuse) > 0 {
			all[i], reuse = reuse[0], reuse[1:]
			continue
		}
		port, ok := next()
		if !ok {
			return nil, fmt.Errorf("port %d: all service ports from %d to %d are in use", i, ports.First, ports.Last)
		}
		all[i] = port
	}
	return all, nil
}

func (r PortRange) contains(port int32) bool { return r.First <= port && port <= r.Last }
