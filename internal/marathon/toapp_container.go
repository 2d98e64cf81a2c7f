// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// spec returns the container; on a bridge, a default port is on the host too.
func (c *Container) spec(bridge bool) *v1alpha1.Container {
	if c == nil {
		return nil
	}
	return &v1alpha1.Container{
		Type:         saidValue(c.Type, v1alpha1.EngineDocker),
		Docker:       c.Docker.spec(),
		PortMappings: mappingSpec(c.PortMappings, bridge),
		Volumes:      volumeSpec(c.Volumes),
		LinuxInfo:    c.LinuxInfo.spec(),
	}
}

func (d *Docker) spec() *v1alpha1.DockerContainer {
	if d == nil {
		return nil
	}
	out := &v1alpha1.DockerContainer{
		Image:          d.Image,
		ForcePullImage: said(d.ForcePullImage, false),
		Privileged:     said(d.Privileged, false),
	}
	for _, p := range d.Parameters {
		out.Parameters = append(out.Parameters, v1alpha1.DockerParameter{Key: p.Key, Value: p.Value})
	}
	if d.PullConfig != nil {
		out.PullConfig = &v1alpha1.PullConfig{Secret: d.PullConfig.Secret}
	}
	return out
}

func isDefaultPortMappings(mappings []PortMapping, bridge bool) bool {
	if len(mappings) != 1 {
		return false
	}
	m := mappings[0]
	hostPort := m.HostPort == nil
	if bridge {
		hostPort = ptr.Deref(m.HostPort, 0) == 0
	}
	return hostPort && ptr.Equal(m.Name, ptr.To("default")) && *m.ContainerPort == 0 && *m.ServicePort == 0 &&
		m.Protocol == v1alpha1.ProtocolTCP && len(m.Labels) == 0 && len(m.NetworkNames) == 0
}

func mappingSpec(mappings []PortMapping, bridge bool) []v1alpha1.PortMapping {
	if mappings == nil || isDefaultPortMappings(mappings, bridge) {
		return nil
	}
	out := make([]v1alpha1.PortMapping, 0, len(mappings))
	for _, m := range mappings {
		out = append(out, v1alpha1.PortMapping{
			ContainerPort: said(m.ContainerPort, 0),
			HostPort:      m.HostPort,
			ServicePort:   said(m.ServicePort, 0),
			Protocol:      saidValue(m.Protocol, v1alpha1.ProtocolTCP),
			Name:          m.Name,
			Labels:        labelSpec(m.Labels),
			NetworkNames:  m.NetworkNames,
		})
	}
	return out
}

func volumeSpec(volumes []Volume) []v1alpha1.Volume {
	var out []v1alpha1.Volume
	for _, v := range volumes {
		out = append(out, v1alpha1.Volume{
			ContainerPath: v.ContainerPath,
			Mode:          saidValue(v.Mode, v1alpha1.VolumeReadWrite),
			HostPath:      v.HostPath,
			Persistent:    v.Persistent.spec(),
			External:      v.External.spec(),
			Secret:        v.Secret,
		})
	}
	return out
}

func (p *PersistentVolume) spec() *v1alpha1.PersistentVolume {
	if p == nil {
		return nil
	}
	return &v1alpha1.PersistentVolume{
		Type:        saidValue(p.Type, v1alpha1.PersistentRoot),
		Size:        &p.Size,
		MaxSize:     p.MaxSize,
		ProfileName: p.ProfileName,
		Constraints: constraintSpec(p.Constraints),
	}
}

func (e *ExternalVolume) spec() *v1alpha1.ExternalVolume {
	if e == nil {
		return nil
	}
	out := &v1alpha1.ExternalVolume{
		Name:     *e.Name,
		Provider: v1alpha1.ExternalProvider(*e.Provider),
		Size:     e.Size,
		Shared:   said(e.Shared, false),
		Options:  labelSpec(e.Options),
	}
	if c := e.CSI; c != nil {
		out.CSI = &v1alpha1.CSIOptions{
			PluginName: c.PluginName,
			Capability: v1alpha1.CSICapability{
				AccessType: c.Capability.AccessType,
				AccessMode: c.Capability.AccessMode,
				FsType:     said(c.Capability.FsType, ""),
				MountFlags: c.Capability.MountFlags,
			},
			NodeStageSecret:   labelSpec(c.NodeStageSecret),
			NodePublishSecret: labelSpec(c.NodePublishSecret),
			VolumeContext:     labelSpec(c.VolumeContext),
		}
	}
	return out
}

func (l *LinuxInfo) spec() *v1alpha1.LinuxInfo {
	if l == nil || l.Seccomp == nil && l.IPCInfo == nil {
		return nil
	}
	out := &v1alpha1.LinuxInfo{}
	if s := l.Seccomp; s != nil {
		out.Seccomp = &v1alpha1.Seccomp{ProfileName: s.ProfileName, Unconfined: said(&s.Unconfined, false)}
	}
	if i := l.IPCInfo; i != nil {
		out.IPCInfo = &v1alpha1.IPCInfo{Mode: i.Mode, ShmSize: i.ShmSize}
	}
	return out
}
