// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"maps"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// check holds the rules for a run as a whole, in Metronome's words.
func (r *Run) check(p *problems) {
	p.check(r.Cmd != nil || r.Docker != nil || r.UCR != nil, "/run", "Cmd, Docker or UCR image must be specified")
	p.check(r.Cmd == nil || r.Args == nil, "/run", "cmd and args exclude each other: give one of them")
	p.check(r.Docker == nil || r.UCR == nil, "/run", "Either Docker or UCR should be provided, but not both")
	p.check(r.Gpus == 0 || r.Docker == nil, "/run/gpus", "GPUs are not supported with Docker")
	paths := map[string]bool{}
	for i, v := range r.Volumes {
		p.check(v.Secret == nil || r.Docker == nil, "/run/volumes", "File based secrets are only supported by UCR")
		p.check(v.ContainerPath == "" || !paths[v.ContainerPath], index("/run/volumes", i)+"/containerPath", "is that of another volume, too")
		paths[v.ContainerPath] = true
	}
	r.checkSecrets(p)
	r.checkNetworks(p)
}

func (r *Run) checkSecrets(p *problems) {
	used := map[string]bool{}
	for _, e := range r.Env {
		if e.Secret != nil {
			used[*e.Secret] = true
		}
	}
	for _, v := range r.Volumes {
		if v.Secret != nil {
			used[*v.Secret] = true
		}
	}
	var undefined, unused []string
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if _, ok := r.Secrets[name]; !ok {
			undefined = append(undefined, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Secrets)) {
		if !used[name] {
			unused = append(unused, name)
		}
	}
	message := ""
	if undefined != nil {
		message = "The following secrets are referenced, but undefined: " + cut(strings.Join(undefined, ", ")) + ". Please add them to the secrets field."
	}
	if unused != nil {
		message += "The following secrets are defined, but not referenced: " + cut(strings.Join(unused, ", ")) + ". Please remove them from the secrets field."
	}
	p.check(message == "", "/run", message)
}

func (r *Run) checkNetworks(p *problems) {
	modes, names := map[v1alpha1.NetworkMode]bool{}, map[string]bool{}
	for i, n := range r.Networks {
		path := index("/run/networks", i)
		modes[n.Mode] = true
		switch n.Mode {
		case v1alpha1.NetworkHost:
			p.check(n.Name == nil, path+"/name", "must be empty for host network")
			p.check(len(n.Labels) == 0, path+"/labels", "must be empty for host network")
		case v1alpha1.NetworkBridge:
			p.check(n.Name == nil, path+"/name", "must be empty for container/bridge networks")
		case v1alpha1.NetworkContainer:
			p.check(n.Name != nil && *n.Name != "", path+"/name", "must not be empty for container networks")
		}
		if n.Name != nil {
			p.check(!names[*n.Name], "/run/networks", "network names must be unique")
			names[*n.Name] = true
		}
	}
	only := func(mode v1alpha1.NetworkMode) bool { return len(modes) == 1 && modes[mode] }
	several := len(r.Networks) > 1
	p.check(len(modes) <= 1, "/run/networks", "You may not mix host, container, or container/bridge networking. Only define one kind of network.")
	if r.Docker == nil && r.UCR == nil {
		p.check(len(modes) == 0 || only(v1alpha1.NetworkHost), "/run/networks", "Only containers may join container or bridge networks")
	} else if r.Docker != nil {
		p.check(!several || !only(v1alpha1.NetworkContainer), "/run/networks", "Docker does not allow specification of multiple networks")
	}
	p.check(!several || only(v1alpha1.NetworkContainer), "/run/networks", "Only one host or container/bridge network modes are allowed")
}
