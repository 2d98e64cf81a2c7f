// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package vip

import (
	"maps"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// most is how many Apps a status names.
const most = 512

// Backends are the ports of an address with the tasks behind them, as the slices
// of its Service say, of one family of addresses. appOf is the App of a pod, ""
// if it is of none.
func Backends(ports []Port, found []discoveryv1.EndpointSlice, family discoveryv1.AddressType, appOf func(pod string) string) []v1alpha1.VirtualIPPortStatus {
	counts := map[string]map[string]*v1alpha1.VirtualIPBackends{}
	for i := range found {
		s := &found[i]
		if s.AddressType != family {
			continue
		}
		apps := byApp(s.Endpoints, appOf)
		for _, p := range s.Ports {
			name := ptr.Deref(p.Name, "")
			if counts[name] == nil {
				counts[name] = map[string]*v1alpha1.VirtualIPBackends{}
			}
			for app, n := range apps {
				if counts[name][app] == nil {
					counts[name][app] = &v1alpha1.VirtualIPBackends{App: app}
				}
				counts[name][app].Ready += n.Ready
				counts[name][app].NotReady += n.NotReady
				counts[name][app].Draining += n.Draining
			}
		}
	}
	var all []v1alpha1.VirtualIPPortStatus
	for _, p := range ports {
		status := v1alpha1.VirtualIPPortStatus{Port: p.Port, Protocol: p.Protocol}
		of := counts[p.Name()]
		for _, app := range slices.Sorted(maps.Keys(of)) {
			status.Backends = append(status.Backends, *of[app])
		}
		status.Backends = status.Backends[:min(len(status.Backends), most)]
		all = append(all, status)
	}
	return all
}

// byApp counts endpoints by the App they are of.
func byApp(endpoints []discoveryv1.Endpoint, appOf func(pod string) string) map[string]v1alpha1.VirtualIPBackends {
	apps := map[string]v1alpha1.VirtualIPBackends{}
	for i := range endpoints {
		e, app := &endpoints[i], ""
		if e.TargetRef != nil {
			app = appOf(e.TargetRef.Name)
		}
		n := apps[app]
		switch {
		case ptr.Deref(e.Conditions.Terminating, false):
			n.Draining++
		case ptr.Deref(e.Conditions.Ready, true):
			n.Ready++
		default:
			n.NotReady++
		}
		apps[app] = n
	}
	return apps
}

// Tasks counts the tasks behind an address, whatever port of it they serve.
func Tasks(found []discoveryv1.EndpointSlice, family discoveryv1.AddressType) v1alpha1.VirtualIPBackends {
	var endpoints []discoveryv1.Endpoint
	seen := map[string]bool{}
	for i := range found {
		if found[i].AddressType != family || len(found[i].Ports) == 0 {
			continue
		}
		for _, e := range found[i].Endpoints {
			name := strings.Join(e.Addresses, ",")
			if e.TargetRef != nil {
				// Tasks on the network of a node have one address.
				name = e.TargetRef.Name
			}
			if !seen[name] {
				seen[name] = true
				endpoints = append(endpoints, e)
			}
		}
	}
	return byApp(endpoints, func(string) string { return "" })[""]
}

// AppNames are the names of Apps, sorted, as a status has them.
func AppNames(apps []v1alpha1.App) []string {
	var names []string
	for i := range apps {
		names = append(names, apps[i].Name)
	}
	slices.Sort(names)
	return names[:min(len(names), most)]
}
