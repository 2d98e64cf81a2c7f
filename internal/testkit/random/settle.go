// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// settle takes out what the rules of the schema do not let stand together. It
// decides by chance where more than one thing could go.
func (g *generator) settle(s *v1alpha1.AppSpec) {
	several := g.settleContainers(s)
	if s.Cmd != nil && len(s.Args) > 0 {
		if g.one(2) {
			s.Cmd = nil
		} else {
			s.Args = nil
		}
	}
	g.settleContainer(s)
	if !several && s.Cmd == nil && len(s.Args) == 0 && (s.Container == nil || s.Container.Docker == nil) {
		s.Cmd = ptr.To("sleep 9")
	}
	g.settleNetworks(s)
	g.settlePorts(s)
	g.settleSecrets(s)
	g.settleConstraints(s.Constraints)
	g.settleChecks(s)
	g.settleStrategies(s)
	if s.AcceptedResourceRoles != nil {
		role := s.Role
		if role == "" {
			role = v1alpha1.RolePublic
		}
		s.AcceptedResourceRoles = pick(g, []string{"*"}, []string{role}, []string{"*", role})
		if s.Resident() {
			s.AcceptedResourceRoles = []string{"*"}
		}
	}
	if l := s.ResourceLimits; l != nil {
		raise(l.Cpus, ptr.Deref(s.Cpus, 1))
		raise(l.Mem, ptr.Deref(s.Mem, 128))
	}
}

// raise makes a limit one that is not under what is asked for.
func raise(limit *intstr.IntOrString, request float64) {
	if limit == nil || limit.Type == intstr.String && limit.StrVal == v1alpha1.Unlimited {
		return
	}
	if limit.Type == intstr.String {
		limit.StrVal = "999999999" + limit.StrVal[strings.IndexAny(limit.StrVal+".", "."):]
	}
	if float64(limit.IntVal) < request {
		limit.IntVal = 999999999
	}
	if float64(limit.IntVal) < request || request > 999999999 {
		*limit = intstr.FromString(v1alpha1.Unlimited)
	}
}

func (g *generator) settleContainer(s *v1alpha1.AppSpec) {
	c := s.Container
	if c == nil {
		return
	}
	if c.Type != v1alpha1.EngineMesos && c.Docker == nil {
		c.Type = v1alpha1.EngineMesos
	}
	if c.Type == v1alpha1.EngineMesos {
		if c.Docker != nil {
			c.Docker.Parameters = nil
		}
	} else {
		c.LinuxInfo, c.Docker.PullConfig = nil, nil
		s.Gpus, s.Check = nil, nil
	}
	if l := c.LinuxInfo; l != nil {
		g.settleLinuxInfo(l)
	}
	external := map[string]bool{}
	for i := range c.Volumes {
		g.settleVolume(&c.Volumes[i])
		if e := c.Volumes[i].External; e != nil {
			g.settleExternal(&c.Volumes[i], c.Type)
			if external[e.Name] {
				c.Volumes[i].External, c.Volumes[i].HostPath = nil, ptr.To("/h")
			}
			external[e.Name] = true
		}
	}
}

func (g *generator) settleVolume(v *v1alpha1.Volume) {
	kinds := []func(){
		func() {
			v.HostPath = ptr.To(ptr.Deref(v.HostPath, "/h"))
			v.Persistent, v.External, v.Secret = nil, nil, nil
		},
		func() { v.Secret = ptr.To("s"); v.HostPath, v.Persistent, v.External, v.Mode = nil, nil, nil, "" },
		func() {
			if v.Persistent == nil {
				v.Persistent = &v1alpha1.PersistentVolume{Size: ptr.To[int64](10)}
			}
			if g.one(4) {
				v.Persistent.Type, v.Persistent.MaxSize = v1alpha1.PersistentMount, ptr.To[int64](20)
				v.Persistent.Constraints = []v1alpha1.Constraint{{}}
			}
			v.HostPath, v.External, v.Secret = nil, nil, nil
			v.ContainerPath, v.Mode = "p"+strings.ReplaceAll(v.ContainerPath, "/", "-"), ""
		},
		func() {
			if v.External == nil {
				v.External = &v1alpha1.ExternalVolume{Name: "v", Provider: v1alpha1.ProviderDVDI}
			}
			v.HostPath, v.Persistent, v.Secret = nil, nil, nil
		},
	}
	if v.External != nil && v.External.CSI != nil && g.one(2) {
		// The deepest of all is the rarest.
		v.External.Provider = v1alpha1.ProviderCSI
		kinds = kinds[3:]
	}
	pick(g, kinds...)()
	if p := v.Persistent; p != nil {
		g.settlePersistent(p)
	}
}

func (g *generator) settlePersistent(p *v1alpha1.PersistentVolume) {
	if p.MaxSize != nil {
		p.Type = v1alpha1.PersistentMount
		*p.Size = min(*p.Size, 1<<30)
		*p.MaxSize = *p.Size + 1
	}
	if p.Type == "" || p.Type == v1alpha1.PersistentRoot {
		p.Constraints = nil
	}
	for i := range p.Constraints {
		p.Constraints[i] = v1alpha1.Constraint{Field: "path", Operator: pick(g, v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike), Value: ptr.To("/dev/.*")}
	}
}

// settleExternal keeps Marathon's rules as well, of which the schema has few.
func (g *generator) settleExternal(v *v1alpha1.Volume, engine v1alpha1.EngineType) {
	e := v.External
	v.Mode = ""
	if e.Provider == v1alpha1.ProviderDVDI {
		e.CSI = nil
		if v.ContainerPath == "." || v.ContainerPath == ".." {
			v.ContainerPath = "/d"
		}
		if engine != v1alpha1.EngineMesos {
			e.Options, e.Size = nil, nil
		} else if g.one(4) {
			e.Size = ptr.To[int64](1)
		}
		options := map[string]v1alpha1.LabelValue{"dvdi/driver": pick[v1alpha1.LabelValue](g, "rexray", "pxd")}
		for key, value := range e.Options {
			if !strings.Contains(key, "/") {
				options["dvdi/x"+strings.ToLower(strings.Trim(strings.Map(plain, key), "_"))] = value
			}
		}
		e.Options = options
		return
	}
	e.Options, e.Size, e.Shared = nil, nil, nil // without meaning to csi
	if e.CSI == nil {
		e.CSI = &v1alpha1.CSIOptions{PluginName: "p", Capability: v1alpha1.CSICapability{AccessType: "mount", AccessMode: "SINGLE_NODE_WRITER"}}
	}
	if strings.HasSuffix(e.CSI.Capability.AccessMode, "READER_ONLY") {
		v.Mode = v1alpha1.VolumeReadOnly
	}
}

// plain leaves letters and digits.
func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return 'x'
}

func (g *generator) settleNetworks(s *v1alpha1.AppSpec) {
	for i := range s.Networks {
		n := &s.Networks[i]
		switch n.Mode {
		case v1alpha1.NetworkHost:
			n.Name, n.Labels = nil, nil
		case v1alpha1.NetworkBridge:
			n.Name = nil
		case v1alpha1.NetworkContainer, "":
			n.Name = ptr.To(ptr.Deref(n.Name, "dcos"))
		}
	}
	if len(s.Networks) > 1 && (s.Container == nil || s.Container.Type != v1alpha1.EngineMesos || s.Networks[0].Mode == v1alpha1.NetworkHost || s.Networks[0].Mode == v1alpha1.NetworkBridge) {
		s.Networks = s.Networks[:1]
	}
	if len(s.Networks) > 1 {
		names := map[string]bool{}
		s.Networks = slices.DeleteFunc(s.Networks, func(n v1alpha1.Network) bool {
			again := n.Name == nil || names[*n.Name]
			if n.Name != nil {
				names[*n.Name] = true
			}
			return again
		})
	}
}

func (g *generator) settlePorts(s *v1alpha1.AppSpec) {
	if !s.OnHostNetwork() && len(s.Networks) > 0 {
		s.PortDefinitions, s.RequirePorts = nil, nil
	} else if s.Container != nil {
		s.Container.PortMappings = nil
	}
	names, numbers := map[string]bool{}, map[int32]bool{}
	s.PortDefinitions = slices.DeleteFunc(s.PortDefinitions, func(d v1alpha1.PortDefinition) bool {
		name, number := ptr.Deref(d.Name, ""), ptr.Deref(d.Port, 0)
		again := name != "" && names[name] || number != 0 && numbers[number]
		names[name], numbers[number] = true, true
		return again
	})
	if s.Container == nil {
		return
	}
	var known []string
	for _, n := range s.Networks {
		if n.Name != nil {
			known = append(known, *n.Name)
		}
	}
	s.Container.PortMappings = slices.DeleteFunc(s.Container.PortMappings, func(m v1alpha1.PortMapping) bool {
		name, number := ptr.Deref(m.Name, ""), ptr.Deref(m.HostPort, 0)
		again := name != "" && names[name] || number != 0 && numbers[number]
		names[name], numbers[number] = true, true
		return again
	})
	for i := range s.Container.PortMappings {
		m := &s.Container.PortMappings[i]
		m.NetworkNames = slices.DeleteFunc(m.NetworkNames, func(name string) bool { return !slices.Contains(known, name) })
		if len(s.Networks) > 1 && m.HostPort != nil {
			m.NetworkNames = known[:1]
		}
	}
}

func (g *generator) settleSecrets(s *v1alpha1.AppSpec) {
	used := map[string]bool{}
	for i := range s.Env {
		e := &s.Env[i]
		if e.Secret != nil {
			e.Value = nil
			used[*e.Secret] = true
		}
	}
	for i := range s.Containers {
		for j := range s.Containers[i].Env {
			if e := &s.Containers[i].Env[j]; e.Secret != nil {
				e.Value = nil
				used[*e.Secret] = true
			}
		}
		if image := s.Containers[i].Image; image != nil && image.PullConfig != nil {
			used[image.PullConfig.Secret] = true
		}
	}
	for i := range s.Volumes {
		if s.Volumes[i].Secret != nil {
			used[*s.Volumes[i].Secret] = true
		}
	}
	if c := s.Container; c != nil {
		for i := range c.Volumes {
			if c.Volumes[i].Secret != nil {
				used[*c.Volumes[i].Secret] = true
			}
		}
		if c.Docker != nil && c.Docker.PullConfig != nil {
			used[c.Docker.PullConfig.Secret] = true
		}
	}
	for i := range s.Secrets {
		delete(used, s.Secrets[i].Name)
	}
	for _, name := range sortedKeys(used) {
		s.Secrets = append(s.Secrets, v1alpha1.Secret{Name: name, Source: "/a/" + name})
	}
}

func (g *generator) settleConstraints(constraints []v1alpha1.Constraint) {
	for i := range constraints {
		c := &constraints[i]
		switch c.Operator {
		case v1alpha1.ConstraintUnique:
			c.Value = nil
		case v1alpha1.ConstraintMaxPer:
			c.Value = ptr.To("2")
		case v1alpha1.ConstraintGroupBy:
			c.Value = pick(g, nil, ptr.To("3"))
		case v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike, v1alpha1.ConstraintIs:
			c.Value = ptr.To(pick(g, "a", "1.5", "x-1", "zone_1/x.y"))
		case v1alpha1.ConstraintCluster:
		}
	}
}
