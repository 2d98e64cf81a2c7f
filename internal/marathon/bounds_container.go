// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"strings"

	"k8s.io/utils/ptr"
)

func (b bounds) container(c *Container) {
	if c == nil {
		return
	}
	if d := c.Docker; d != nil {
		b.text("/container/docker/image", d.Image, 1, boundText)
		b.check(strings.TrimSpace(d.Image) == d.Image, "/container/docker/image", "an image has no spaces around its name")
		b.count("/container/docker/parameters", len(d.Parameters), boundItems)
		for i, parameter := range d.Parameters {
			path := index("/container/docker/parameters", i)
			b.text(path+"/key", parameter.Key, 1, boundName)
			b.text(path+"/value", parameter.Value, 0, boundCheck)
		}
	}
	b.count("/container/portMappings", len(c.PortMappings), boundPorts)
	for i, m := range c.PortMappings {
		path := index("/container/portMappings", i)
		b.text(path+"/name", ptr.Deref(m.Name, "-"), 1, boundPortName)
		b.labels(path+"/labels", m.Labels, boundOptions)
		b.count(path+"/networkNames", len(m.NetworkNames), boundNetworks)
		b.texts(path+"/networkNames", m.NetworkNames, 0, boundName)
	}
	b.volumes(c.Volumes)
	if l := c.LinuxInfo; l != nil && l.Seccomp != nil {
		b.text("/container/linuxInfo/seccomp/profileName", ptr.Deref(l.Seccomp.ProfileName, "-"), 1, boundName)
	}
	if l := c.LinuxInfo; l != nil && l.IPCInfo != nil {
		b.number("/container/linuxInfo/ipcInfo/shmSize", float64(ptr.Deref(l.IPCInfo.ShmSize, 0)), 0, boundMiB)
	}
}

func (b bounds) volumes(volumes []Volume) {
	b.count("/container/volumes", len(volumes), boundItems)
	seen := map[string]bool{}
	for i, v := range volumes {
		path := index("/container/volumes", i)
		b.text(path+"/containerPath", v.ContainerPath, 1, boundText)
		// Mesos mounts one over the other; there is no saying which one wins.
		b.check(!seen[v.ContainerPath], path+"/containerPath", "there is another volume with this containerPath")
		seen[v.ContainerPath] = true
		b.text(path+"/hostPath", ptr.Deref(v.HostPath, "-"), 1, boundText)
		if p := v.Persistent; p != nil {
			b.number(path+"/persistent/size", float64(p.Size), 1, boundDiskMiB)
			b.number(path+"/persistent/maxSize", float64(ptr.Deref(p.MaxSize, 1)), 1, boundDiskMiB)
			b.text(path+"/persistent/profileName", ptr.Deref(p.ProfileName, "-"), 1, boundName)
			b.count(path+"/persistent/constraints", len(p.Constraints), boundNetworks)
			for j, c := range p.Constraints {
				b.constraint(index(path+"/persistent/constraints", j), c)
			}
		}
		if v.External != nil {
			b.external(path+"/external", v.External)
		}
	}
}

func (b bounds) external(path string, e *ExternalVolume) {
	b.text(path+"/name", ptr.Deref(e.Name, "-"), 1, boundName)
	b.number(path+"/size", float64(ptr.Deref(e.Size, 0)), 0, boundGiB)
	b.labels(path+"/options", e.Options, boundOptions)
	c := e.CSI
	if c == nil {
		return
	}
	path += "/options"
	b.text(path+"/pluginName", c.PluginName, 1, boundName)
	b.labels(path+"/nodeStageSecret", c.NodeStageSecret, boundOptions)
	b.labels(path+"/nodePublishSecret", c.NodePublishSecret, boundOptions)
	b.labels(path+"/volumeContext", c.VolumeContext, boundOptions)
	b.text(path+"/capability/fsType", ptr.Deref(c.Capability.FsType, ""), 0, 63)
	b.count(path+"/capability/mountFlags", len(c.Capability.MountFlags), boundOptions)
	b.texts(path+"/capability/mountFlags", c.Capability.MountFlags, 0, boundName)
}
