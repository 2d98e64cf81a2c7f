// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func checkContainer(a *App, p *problems) {
	c := a.Container
	if c == nil {
		return
	}
	checkPortMappings(a, p)
	checkVolumes(a, p)
	d := c.Docker
	switch {
	case c.Type == v1alpha1.EngineDocker && d == nil:
		p.add("/container/docker", notDefined)
	case d == nil:
	default:
		p.check(d.Image != "", "/container/docker/image", mustNotBeEmpty)
		if d.PullConfig == nil {
			break
		}
		const path = "/container/docker/pullConfig"
		p.check(c.Type == v1alpha1.EngineMesos, path, "pullConfig is not supported with Docker containerizer")
		_, ok := a.Secrets[d.PullConfig.Secret]
		p.check(ok, path, "pullConfig.secret must refer to an existing secret")
	}
	if l := c.LinuxInfo; l != nil && c.Type == v1alpha1.EngineMesos {
		checkLinuxInfo(l, p)
	}
}

func checkLinuxInfo(l *LinuxInfo, p *problems) {
	if s := l.Seccomp; s != nil {
		const path = "/container/linuxInfo/seccomp"
		p.check(s.ProfileName == nil || !s.Unconfined, path, "Seccomp unconfined can NOT be true when Profile is defined")
		p.check(s.ProfileName != nil || s.Unconfined, path, "Seccomp unconfined must be true when Profile is NOT defined")
	}
	if i := l.IPCInfo; i != nil {
		p.check(i.Mode != "SHARE_PARENT" || i.ShmSize == nil, "/container/linuxInfo/ipcInfo", "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT")
	}
}

func checkVolumes(a *App, p *problems) {
	const path = "/container/volumes"
	external := func(v Volume) *string {
		if v.External == nil {
			return nil
		}
		return v.External.Name
	}
	p.check(namesUnique(a.Container.Volumes, external), path, "Volume names must be unique")
	for i, v := range a.Container.Volumes {
		at := index(path, i)
		switch {
		case v.Persistent != nil:
			checkPersistentVolume(at, v, p)
		case v.External != nil:
			checkExternalVolume(at, a.Container.Type, v, p)
		case v.Secret != nil:
			_, ok := a.Secrets[*v.Secret]
			p.check(ok, at, "volume.secret must refer to an existing secret")
		}
	}
}

func checkPersistentVolume(path string, v Volume, p *problems) {
	checkContainerPath(path, v.ContainerPath, p)
	p.check(!strings.Contains(v.ContainerPath, "/"), path+"/containerPath", `value must not contain "/"`)
	p.check(v.Mode == v1alpha1.VolumeReadWrite, path+"/mode", "does not equal RW")
	at, info := path+"/persistent", v.Persistent
	p.check(info.Size > 0, at+"/size", "got 0, expected more than 0")
	for i, c := range info.Constraints {
		if message := checkVolumeConstraint(c); message != "" {
			p.add(index(at+"/constraints", i), message)
		}
	}
	p.check(info.MaxSize == nil || info.Type == v1alpha1.PersistentMount, at, "Only mount volumes can have maxSize")
	root := info.Type == "" || info.Type == v1alpha1.PersistentRoot
	p.check(!root || len(info.Constraints) == 0, at, "Constraints on root volumes are not supported")
	p.check(info.MaxSize == nil || *info.MaxSize > info.Size, at, "Max size must be larger than size")
	p.check(info.ProfileName == nil || *info.ProfileName != "", at+"/profileName", mustNotBeEmpty)
}

func checkContainerPath(path, containerPath string, p *problems) {
	p.check(containerPath != "." && containerPath != "..", path+"/containerPath", "can not be one of (.,..)")
}
