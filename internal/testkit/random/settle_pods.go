// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random

import (
	"fmt"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// settleContainers makes an App one with several containers or one with none of
// them, and says which.
func (g *generator) settleContainers(s *v1alpha1.AppSpec) bool {
	if len(s.Containers) == 0 || g.one(2) {
		s.Containers, s.Volumes = nil, nil
		return false
	}
	s.Cmd, s.Args, s.Container, s.Fetch, s.TTY, s.Executor, s.Gpus, s.ResourceLimits = nil, nil, nil, nil, nil, nil, nil, nil
	s.PortDefinitions, s.RequirePorts, s.HealthChecks, s.Check, s.ReadinessChecks = nil, nil, nil, nil, nil
	s.Cpus, s.Mem, s.Disk, s.TaskKillGracePeriodSeconds = nil, nil, nil, nil
	settleNames(s.Env)
	g.settleNetworks(s)
	for i := range s.Containers {
		g.settlePodContainer(s, i)
	}
	g.settleVolumes(s)
	return true
}

// settleNames gives variables the names that pods of Marathon may have.
func settleNames(env []v1alpha1.EnvVar) {
	for i := range env {
		env[i].Name = fmt.Sprintf("%s_%d", strings.Trim(strings.Map(plain, env[i].Name)[:1], "0123456789"), i)
	}
}

func (g *generator) settlePodContainer(s *v1alpha1.AppSpec, index int) {
	c := &s.Containers[index]
	settleNames(c.Env)
	if c.Exec == nil && c.Image == nil {
		c.Exec = &v1alpha1.PodExec{}
	}
	if c.Exec != nil {
		g.settleCommand(&c.Exec.Command)
		if c.Exec.Command.Shell != nil {
			c.Exec.OverrideEntrypoint = nil
		}
	}
	if c.Resources == nil {
		c.Resources = &v1alpha1.PodResources{}
	}
	if l := c.ResourceLimits; l != nil {
		raise(l.Cpus, ptr.Deref(c.Resources.Cpus, 1))
		raise(l.Mem, ptr.Deref(c.Resources.Mem, 128))
	}
	if l := c.LinuxInfo; l != nil {
		g.settleLinuxInfo(l)
	}
	onHost := len(s.Networks) == 0 || s.OnHostNetwork()
	for i := range c.Endpoints {
		e, number := &c.Endpoints[i], int32(1000+100*index+i) //nolint:gosec // few
		e.Name = fmt.Sprintf("%s-%d-%d", e.Name[:1], index, i)
		e.ContainerPort = ptr.To(pick(g, 0, number))
		if onHost {
			e.ContainerPort = nil
		}
		if e.HostPort != nil {
			e.HostPort = ptr.To(pick(g, 0, number))
		}
		if e.NetworkNames = nil; len(s.Networks) == 1 && s.Networks[0].Name != nil && g.one(2) {
			e.NetworkNames = []string{*s.Networks[0].Name}
		}
	}
	g.settlePodChecks(c)
}

func (g *generator) settleCommand(c *v1alpha1.ShellOrArgv) {
	if (c.Shell != nil) == (len(c.Argv) > 0) {
		*c = pick(g, v1alpha1.ShellOrArgv{Shell: ptr.To("true")}, v1alpha1.ShellOrArgv{Argv: []string{"true", ""}})
	}
}

func (g *generator) settleLinuxInfo(l *v1alpha1.LinuxInfo) {
	if l.Seccomp != nil && (l.Seccomp.ProfileName != nil) == ptr.Deref(l.Seccomp.Unconfined, false) {
		l.Seccomp = pick(g, &v1alpha1.Seccomp{Unconfined: ptr.To(true)}, &v1alpha1.Seccomp{ProfileName: ptr.To("p")})
	}
	if l.IPCInfo != nil && l.IPCInfo.Mode == "SHARE_PARENT" {
		l.IPCInfo.ShmSize = nil
	}
}

func (g *generator) settlePodChecks(c *v1alpha1.PodContainer) {
	if h := c.HealthCheck; h != nil {
		g.settleKind(c, &h.HTTP, &h.TCP, &h.Exec)
		if ptr.Deref(h.TimeoutSeconds, 20) >= ptr.Deref(h.IntervalSeconds, 60) {
			h.TimeoutSeconds, h.IntervalSeconds = ptr.To[int32](1), ptr.To(max(ptr.Deref(h.IntervalSeconds, 60), 2))
		}
	}
	if k := c.Check; k != nil {
		g.settleKind(c, &k.HTTP, &k.TCP, &k.Exec)
	}
}

// settleKind leaves one kind of a check.
func (g *generator) settleKind(c *v1alpha1.PodContainer, http **v1alpha1.PodHTTPCheck, tcp **v1alpha1.PodTCPCheck, exec **v1alpha1.ExecCheck) {
	kind := g.IntN(3)
	if len(c.Endpoints) == 0 {
		kind = 2
	}
	switch kind {
	case 0:
		if *http == nil {
			*http = &v1alpha1.PodHTTPCheck{Path: pick(g, nil, ptr.To("x")), Scheme: pick(g, "", "HTTPS")}
		}
		(*http).Endpoint = c.Endpoints[0].Name
		*tcp, *exec = nil, nil
	case 1:
		*tcp = &v1alpha1.PodTCPCheck{Endpoint: c.Endpoints[0].Name}
		*http, *exec = nil, nil
	default:
		if *exec == nil {
			*exec = &v1alpha1.ExecCheck{}
		}
		g.settleCommand(&(*exec).Command)
		*http, *tcp = nil, nil
	}
}

// settleVolumes has each volume mounted, and nothing else.
func (g *generator) settleVolumes(s *v1alpha1.AppSpec) {
	known := map[string]bool{}
	for i := range s.Volumes {
		v := &s.Volumes[i]
		known[v.Name] = true
		kinds := []func(){
			func() { v.Persistent, v.Secret = nil, nil },
			func() { v.Host, v.Persistent = nil, nil },
			func() { v.Host, v.Secret = nil, nil },
		}
		kinds[g.IntN(3)]()
		if v.Persistent == nil && v.Host == nil && v.Secret == nil && g.one(2) {
			v.Persistent = &v1alpha1.PersistentVolume{Size: ptr.To[int64](10), ProfileName: pick(g, nil, ptr.To("fast")), MaxSize: ptr.To[int64](20), Constraints: []v1alpha1.Constraint{{}}}
		}
		if v.Persistent != nil {
			g.settlePersistent(v.Persistent)
		}
	}
	mounted := map[string]bool{}
	for i := range s.Containers {
		var kept []v1alpha1.VolumeMount
		for _, m := range s.Containers[i].VolumeMounts {
			if len(s.Volumes) > 0 {
				if !known[m.Name] {
					m.Name = pick(g, s.Volumes...).Name
				}
				mounted[m.Name] = true
				kept = append(kept, m)
			}
		}
		s.Containers[i].VolumeMounts = kept
	}
	var used []v1alpha1.PodVolume
	for _, v := range s.Volumes {
		if mounted[v.Name] {
			used = append(used, v)
		}
	}
	s.Volumes = used
}
