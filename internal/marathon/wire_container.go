// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"encoding/json"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Container says what an app runs in.
type Container struct {
	Type         v1alpha1.EngineType `json:"type,omitempty"`
	Docker       *Docker             `json:"docker,omitempty"`
	LinuxInfo    *LinuxInfo          `json:"linuxInfo,omitempty"`
	Volumes      []Volume            `json:"volumes,omitzero"`
	PortMappings []PortMapping       `json:"portMappings,omitzero"`
}

// Docker is a container image and how it is run.
type Docker struct {
	ForcePullImage *bool       `json:"forcePullImage,omitempty"`
	Image          string      `json:"image"`
	Parameters     []Parameter `json:"parameters,omitzero"`
	Privileged     *bool       `json:"privileged,omitempty"`
	PullConfig     *PullConfig `json:"pullConfig,omitempty"`

	// Deprecated forms: read, and never written.
	Credential   *Credential   `json:"credential,omitempty"`
	Network      DockerNetwork `json:"network,omitempty"`
	PortMappings []PortMapping `json:"portMappings,omitzero"`
}

// DockerNetwork is the deprecated name of a network mode.
type DockerNetwork string

// The deprecated network modes.
const (
	DockerBridge DockerNetwork = "BRIDGE"
	DockerHost   DockerNetwork = "HOST"
	DockerNone   DockerNetwork = "NONE"
	DockerUser   DockerNetwork = "USER"
)

// Credential is the deprecated way to name a registry's user. It is refused.
type Credential struct {
	Principal string  `json:"principal"`
	Secret    *string `json:"secret,omitempty"`
}

// Parameter is a flag of docker run.
type Parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// PullConfig names the secret with the registry's credentials.
type PullConfig struct {
	Secret string `json:"secret"`
}

// PortMapping is a port of a container network.
type PortMapping struct {
	ContainerPort *int32            `json:"containerPort,omitempty"`
	HostPort      *int32            `json:"hostPort,omitempty"`
	Labels        map[string]string `json:"labels,omitzero"`
	Name          *string           `json:"name,omitempty"`
	Protocol      v1alpha1.Protocol `json:"protocol,omitempty"`
	ServicePort   *int32            `json:"servicePort,omitempty"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
}

// Volume is a path in the container and what is behind it: a path of the host,
// a persistent volume, an external one, or a secret.
type Volume struct {
	ContainerPath string              `json:"containerPath"`
	HostPath      *string             `json:"hostPath,omitempty"`
	Persistent    *PersistentVolume   `json:"persistent,omitempty"`
	External      *ExternalVolume     `json:"external,omitempty"`
	Secret        *string             `json:"secret,omitempty"`
	Mode          v1alpha1.VolumeMode `json:"mode,omitempty"`
}

// PersistentVolume is a volume that stays with its instance; sizes in MiB.
type PersistentVolume struct {
	Type        v1alpha1.PersistentVolumeType `json:"type,omitempty"`
	Size        int64                         `json:"size"`
	MaxSize     *int64                        `json:"maxSize,omitempty"`
	ProfileName *string                       `json:"profileName,omitempty"`
	Constraints [][]string                    `json:"constraints,omitzero"`
}

// ExternalVolume is a volume of a storage provider; the size in GiB. CSI takes
// the place of Options where the provider is csi.
type ExternalVolume struct {
	Size     *int64
	Name     *string
	Provider *string
	Options  map[string]string
	CSI      *CSIOptions
	Shared   *bool
}

// MarshalJSON encodes the volume with the options its provider has.
func (e ExternalVolume) MarshalJSON() ([]byte, error) {
	if e.CSI != nil {
		return json.Marshal(struct {
			Name     *string     `json:"name,omitempty"`
			Provider *string     `json:"provider,omitempty"`
			Options  *CSIOptions `json:"options"`
		}{e.Name, e.Provider, e.CSI})
	}
	return json.Marshal(struct {
		Size     *int64            `json:"size,omitempty"`
		Name     *string           `json:"name,omitempty"`
		Provider *string           `json:"provider,omitempty"`
		Options  map[string]string `json:"options,omitempty"`
		Shared   *bool             `json:"shared,omitempty"`
	}{e.Size, e.Name, e.Provider, e.Options, e.Shared})
}

// CSIOptions describe a volume to a CSI plugin.
type CSIOptions struct {
	PluginName        string            `json:"pluginName"`
	Capability        CSICapability     `json:"capability"`
	NodeStageSecret   map[string]string `json:"nodeStageSecret,omitempty"`
	NodePublishSecret map[string]string `json:"nodePublishSecret,omitempty"`
	VolumeContext     map[string]string `json:"volumeContext,omitempty"`
}

// CSICapability is how a CSI volume is used.
type CSICapability struct {
	AccessMode string   `json:"accessMode"`
	AccessType string   `json:"accessType"`
	FsType     *string  `json:"fsType,omitempty"`
	MountFlags []string `json:"mountFlags,omitempty"`
}

// LinuxInfo holds settings of the Linux kernel for a container.
type LinuxInfo struct {
	Seccomp *Seccomp `json:"seccomp,omitempty"`
	IPCInfo *IPCInfo `json:"ipcInfo,omitempty"`
}

// Seccomp is a filter of system calls.
type Seccomp struct {
	ProfileName *string `json:"profileName,omitempty"`
	Unconfined  bool    `json:"unconfined"`
}

// IPCInfo is a container's share of System V IPC and /dev/shm, whose size is in MiB.
type IPCInfo struct {
	Mode    v1alpha1.IPCMode `json:"mode"`
	ShmSize *int64           `json:"shmSize,omitempty"`
}
