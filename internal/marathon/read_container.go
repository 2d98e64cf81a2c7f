// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"math"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func readContainer(n node) Container {
	o := n.fields()
	return Container{
		Type:         either(o, "type", enum(v1alpha1.EngineMesos, v1alpha1.EngineDocker)),
		Docker:       optional(o, "docker", readDocker),
		LinuxInfo:    optional(o, "linuxInfo", readLinuxInfo),
		Volumes:      either(o, "volumes", list(readVolume)),
		PortMappings: either(o, "portMappings", list(readPortMapping)),
	}
}

func readDocker(n node) Docker {
	o := n.fields()
	return Docker{
		ForcePullImage: optional(o, "forcePullImage", boolean),
		Image:          required(o, "image", text(notEmpty)),
		Parameters:     either(o, "parameters", list(readParameter)),
		Privileged:     optional(o, "privileged", boolean),
		PullConfig:     optional(o, "pullConfig", readPullConfig),
		Credential:     optional(o, "credential", readCredential),
		Network:        either(o, "network", enum(DockerBridge, DockerHost, DockerNone, DockerUser)),
		PortMappings:   either(o, "portMappings", list(readPortMapping)),
	}
}

func readParameter(n node) Parameter {
	o := n.fields()
	return Parameter{
		Key:   required(o, "key", text(notEmpty)),
		Value: required(o, "value", text()),
	}
}

func readPullConfig(n node) PullConfig {
	return PullConfig{Secret: required(n.fields(), "secret", text(notEmpty))}
}

func readCredential(n node) Credential {
	o := n.fields()
	return Credential{
		Principal: expected(o, "principal", text()),
		Secret:    optional(o, "secret", text()),
	}
}

func readPortMapping(n node) PortMapping {
	o := n.fields()
	return PortMapping{
		ContainerPort: optional(o, "containerPort", anyPort),
		HostPort:      optional(o, "hostPort", anyPort),
		Labels:        either(o, "labels", labels),
		Name:          optional(o, "name", text(notEmpty, portName)),
		Protocol:      either(o, "protocol", protocol),
		ServicePort:   optional(o, "servicePort", anyPort),
		NetworkNames:  either(o, "networkNames", list(text())),
	}
}

func readLinuxInfo(n node) LinuxInfo {
	o := n.fields()
	return LinuxInfo{
		Seccomp: optional(o, "seccomp", readSeccomp),
		IPCInfo: optional(o, "ipcInfo", readIPCInfo),
	}
}

func readSeccomp(n node) Seccomp {
	o := n.fields()
	return Seccomp{
		ProfileName: optional(o, "profileName", text()),
		Unconfined:  either(o, "unconfined", boolean),
	}
}

func readIPCInfo(n node) IPCInfo {
	o := n.fields()
	info := IPCInfo{Mode: expected(o, "mode", enum[v1alpha1.IPCMode]("PRIVATE", "SHARE_PARENT"))}
	if size := optional(o, "shmSize", int32s(math.MinInt32, math.MaxInt32)); size != nil {
		mib := int64(*size)
		info.ShmSize = &mib
	}
	return info
}

// readVolume takes the first kind of volume that can be read, in Marathon's
// order: one with a hostPath beside a broken external is a host volume. Where
// none can, Marathon tells what is wrong with the last kind, whatever the user
// meant; we tell it of the kind whose member is there.
func readVolume(n node) Volume {
	var failed *problems
	members, _ := n.raw.(map[string]any)
	for _, kind := range []struct {
		member string
		read   reader[Volume]
	}{
		{"persistent", readPersistentVolume},
		{"external", readExternalVolume},
		{"secret", readSecretVolume},
		{"hostPath", readHostVolume},
	} {
		try := &problems{}
		v := kind.read(node{path: n.path, raw: n.raw, out: try})
		if try.none() {
			return v
		}
		if failed == nil && (members[kind.member] != nil || kind.member == "hostPath") {
			failed = try
		}
	}
	n.out.merge(failed)
	return Volume{}
}

var readMode = enum(v1alpha1.VolumeReadOnly, v1alpha1.VolumeReadWrite)

func readHostVolume(n node) Volume {
	o := n.fields()
	path := required(o, "hostPath", text(notEmpty))
	return Volume{
		ContainerPath: required(o, "containerPath", text(notEmpty)),
		HostPath:      &path,
		Mode:          required(o, "mode", readMode),
	}
}

func readSecretVolume(n node) Volume {
	o := n.fields()
	secret := required(o, "secret", text(notEmpty))
	return Volume{
		ContainerPath: required(o, "containerPath", text(notEmpty)),
		Secret:        &secret,
	}
}

func readPersistentVolume(n node) Volume {
	o := n.fields()
	persistent := required(o, "persistent", readPersistent)
	return Volume{
		ContainerPath: required(o, "containerPath", text(notEmpty)),
		Persistent:    &persistent,
		Mode:          required(o, "mode", readMode),
	}
}

func readPersistent(n node) PersistentVolume {
	o := n.fields()
	return PersistentVolume{
		Type:        either(o, "type", enum(v1alpha1.PersistentRoot, v1alpha1.PersistentPath, v1alpha1.PersistentMount)),
		Size:        required(o, "size", natural),
		MaxSize:     optional(o, "maxSize", natural),
		ProfileName: optional(o, "profileName", text()),
		Constraints: either(o, "constraints", tuples),
	}
}

func readExternalVolume(n node) Volume {
	o := n.fields()
	external := required(o, "external", readExternal)
	return Volume{
		ContainerPath: required(o, "containerPath", text(notEmpty)),
		External:      &external,
		Mode:          required(o, "mode", readMode),
	}
}

// readExternal reads the options by their form, as Marathon did: what has only
// texts in them is a volume of a driver, and what has not is one of CSI.
func readExternal(n node) ExternalVolume {
	o := n.fields()
	if options, ok := o.member("options"); ok {
		members, _ := options.raw.(map[string]any)
		if _, ok := members["capability"].(map[string]any); ok {
			csi := readCSIOptions(options)
			name, provider := expected(o, "name", text()), expected(o, "provider", text())
			return ExternalVolume{Name: &name, Provider: &provider, CSI: &csi}
		}
	}
	return ExternalVolume{
		Size:     optional(o, "size", natural),
		Name:     optional(o, "name", text()),
		Provider: optional(o, "provider", text()),
		Options:  either(o, "options", labels),
		Shared:   optional(o, "shared", boolean),
	}
}

func readCSIOptions(n node) CSIOptions {
	o := n.fields()
	return CSIOptions{
		PluginName:        required(o, "pluginName", text(notEmpty)),
		Capability:        required(o, "capability", readCSICapability),
		NodeStageSecret:   either(o, "nodeStageSecret", labels),
		NodePublishSecret: either(o, "nodePublishSecret", labels),
		VolumeContext:     either(o, "volumeContext", labels),
	}
}

func readCSICapability(n node) CSICapability {
	o := n.fields()
	return CSICapability{
		AccessMode: required(o, "accessMode", enum("SINGLE_NODE_WRITER", "SINGLE_NODE_READER_ONLY",
			"MULTI_NODE_READER_ONLY", "MULTI_NODE_SINGLE_WRITER", "MULTI_NODE_MULTI_WRITER")),
		AccessType: required(o, "accessType", enum("block", "mount")),
		FsType:     optional(o, "fsType", text()),
		MountFlags: either(o, "mountFlags", list(text())),
	}
}
