// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Unsupported names, a line each, the fields of an App that Pod does not act
// on and would otherwise ignore in silence. Pod may only be called where there
// are none.
func Unsupported(app *v1alpha1.App, settings Settings) []string {
	id, err := idOf(app, settings)
	if err != nil {
		return []string{err.Error()}
	}
	return unsupported(app, id, settings)
}

func unsupported(app *v1alpha1.App, id string, settings Settings) []string {
	u := &refusals{}
	s := &app.Spec
	for i := range s.Fetch {
		u.fetch(&s.Fetch[i], fmt.Sprintf("spec.fetch[%d]", i))
	}
	if len(s.Fetch) > 0 && settings.FetcherImage == "" {
		*u = append(*u, "spec.fetch: the manager was not told the image of the fetcher: set its flag --fetcher-image")
	}
	u.secrets(app, id)
	if len(s.Containers) > 0 {
		u.containers(s, settings)
	} else if image(s, settings) == "" {
		*u = append(*u, "spec.container.docker.image: apps without an image run on a base image, and the manager was told none: set manager.baseImage of the chart")
	}
	u.container(s.Container)
	u.networks(s, settings)
	u.checks(s)
	return *u
}

// fetch refuses what the fetcher would refuse at every start.
func (u *refusals) fetch(f *v1alpha1.Fetch, field string) {
	if uri, err := url.Parse(f.URI); err != nil || uri.Scheme != "http" && uri.Scheme != "https" {
		// The address itself may hold a password.
		*u = append(*u, field+".uri: only http and https are fetched")
	}
	if to := ptr.Deref(f.DestPath, ""); strings.HasPrefix(to, "/") || hasDotDot(to) {
		*u = append(*u, fmt.Sprintf("%s.destPath: %q is no path in the sandbox: it must not begin with '/' or hold '..'", field, to))
	}
}

// refusals are lines "field: what is not supported".
type refusals []string

func (u *refusals) add(is bool, field, what string) {
	if is {
		*u = append(*u, fmt.Sprintf("%s: this version of kdcos does not support %s", field, what))
	}
}

func (u *refusals) container(c *v1alpha1.Container) {
	if c == nil {
		return
	}
	if c.Docker != nil {
		*u = append(*u, refusedParameters(c.Docker)...)
	}
	u.volumes(c.Volumes)
}

func (u *refusals) networks(s *v1alpha1.AppSpec, settings Settings) {
	u.add(len(s.Networks) > 1, "spec.networks", "being on several networks: a pod has one, that of the cluster")
	for i, n := range s.Networks {
		field := fmt.Sprintf("spec.networks[%d]", i)
		u.add(len(n.Labels) > 0, field+".labels", "a label for the network plugin: those of Kubernetes read none")
		if name := ptr.Deref(n.Name, ""); name != "" && !slices.Contains(settings.ContainerNetworks, name) {
			u.add(true, field+".name", fmt.Sprintf("the network %q (known: %s)", name, strings.Join(settings.ContainerNetworks, ", ")))
		}
	}
}

func (u *refusals) checks(s *v1alpha1.AppSpec) {
	ports := portsOf(s)
	missing := func(number, index *int32) bool {
		return number == nil && int(ptr.Deref(index, 0)) >= len(ports)
	}
	commands := 0
	for i := range s.HealthChecks {
		h := &s.HealthChecks[i]
		if h.Protocol == v1alpha1.HealthCommand {
			commands++
			continue
		}
		u.add(missing(h.Port, h.PortIndex), fmt.Sprintf("spec.healthChecks[%d].portIndex", i), "a health check of a port the app does not have")
	}
	// The kubelet has one set of probes, and Mesos took the first command only.
	u.add(commands > 1, "spec.healthChecks", "more than one health check of protocol COMMAND: the kubelet makes one such check of a task")
	for i := range s.ReadinessChecks {
		name := s.ReadinessChecks[i].PortName
		u.add(!slices.Contains(ports, name), fmt.Sprintf("spec.readinessChecks[%d].portName", i),
			fmt.Sprintf("a readiness check of the port %q, which the app does not have", name))
	}
	switch c := s.Check; {
	case c == nil:
	case c.Exec != nil:
		// A probe of the kubelet would end the task or take it from Services.
		u.add(true, "spec.check.exec", "a command as a check: nothing but the kubelet's probes, which act on what they find, runs commands in a task")
	case c.TCP != nil:
		u.add(missing(c.TCP.Port, c.TCP.PortIndex), "spec.check.tcp.portIndex", "a check of a port the app does not have")
	case c.HTTP != nil:
		u.add(missing(c.HTTP.Port, c.HTTP.PortIndex), "spec.check.http.portIndex", "a check of a port the app does not have")
	}
}

// portsOf are the names of the ports of an app, "" for those without.
func portsOf(s *v1alpha1.AppSpec) []string {
	var names []string
	if s.OnHostNetwork() {
		for i := range s.PortDefinitions {
			names = append(names, ptr.Deref(s.PortDefinitions[i].Name, ""))
		}
		return names
	}
	if s.Container == nil {
		return nil
	}
	for i := range s.Container.PortMappings {
		names = append(names, ptr.Deref(s.Container.PortMappings[i].Name, ""))
	}
	return names
}
