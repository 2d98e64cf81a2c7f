// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func fromContainer(c *v1alpha1.Container) *Container {
	if c == nil {
		return nil
	}
	out := &Container{Type: c.Type, LinuxInfo: fromLinuxInfo(c.LinuxInfo)}
	if c.PortMappings != nil {
		out.PortMappings = make([]PortMapping, 0, len(c.PortMappings))
	}
	for _, m := range c.PortMappings {
		out.PortMappings = append(out.PortMappings, PortMapping{
			ContainerPort: m.ContainerPort,
			HostPort:      m.HostPort,
			Labels:        fromLabels(m.Labels),
			Name:          m.Name,
			Protocol:      m.Protocol,
			ServicePort:   m.ServicePort,
			NetworkNames:  m.NetworkNames,
		})
	}
	if d := c.Docker; d != nil {
		out.Docker = &Docker{Image: d.Image, ForcePullImage: d.ForcePullImage, Privileged: d.Privileged}
		for _, p := range d.Parameters {
			out.Docker.Parameters = append(out.Docker.Parameters, Parameter{Key: p.Key, Value: p.Value})
		}
		if d.PullConfig != nil {
			out.Docker.PullConfig = &PullConfig{Secret: d.PullConfig.Secret}
		}
	}
	for _, v := range c.Volumes {
		out.Volumes = append(out.Volumes, fromVolume(v))
	}
	return out
}

func fromVolume(v v1alpha1.Volume) Volume {
	out := Volume{ContainerPath: v.ContainerPath, HostPath: v.HostPath, Secret: v.Secret, Mode: v.Mode}
	if v.Secret != nil {
		out.Mode = ""
	}
	if p := v.Persistent; p != nil {
		out.Persistent = &PersistentVolume{
			Type:        p.Type,
			Size:        ptr.Deref(p.Size, 0),
			MaxSize:     p.MaxSize,
			ProfileName: p.ProfileName,
			Constraints: fromConstraints(p.Constraints),
		}
	}
	if e := v.External; e != nil {
		out.External = &ExternalVolume{
			Size:     e.Size,
			Name:     &e.Name,
			Provider: ptr.To(string(e.Provider)),
			Options:  fromLabels(e.Options),
			CSI:      fromCSI(e.CSI),
			Shared:   e.Shared,
		}
	}
	return out
}

func fromCSI(c *v1alpha1.CSIOptions) *CSIOptions {
	if c == nil {
		return nil
	}
	return &CSIOptions{
		PluginName: c.PluginName,
		Capability: CSICapability{
			AccessMode: c.Capability.AccessMode,
			AccessType: c.Capability.AccessType,
			FsType:     c.Capability.FsType,
			MountFlags: c.Capability.MountFlags,
		},
		NodeStageSecret:   fromLabels(c.NodeStageSecret),
		NodePublishSecret: fromLabels(c.NodePublishSecret),
		VolumeContext:     fromLabels(c.VolumeContext),
	}
}

func fromLinuxInfo(l *v1alpha1.LinuxInfo) *LinuxInfo {
	if l == nil {
		return nil
	}
	out := &LinuxInfo{}
	if s := l.Seccomp; s != nil {
		out.Seccomp = &Seccomp{ProfileName: s.ProfileName, Unconfined: ptr.Deref(s.Unconfined, false)}
	}
	if i := l.IPCInfo; i != nil {
		out.IPCInfo = &IPCInfo{Mode: i.Mode, ShmSize: i.ShmSize}
	}
	return out
}
