// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Container says what an app runs.
// +kubebuilder:validation:XValidation:rule="self.type == 'MESOS' || has(self.docker)",message="container.type DOCKER needs container.docker"
// +kubebuilder:validation:XValidation:rule="self.type == 'DOCKER' || !has(self.docker) || !has(self.docker.parameters) || size(self.docker.parameters) == 0",message="container.docker.parameters need container.type DOCKER"
// +kubebuilder:validation:XValidation:rule="self.type == 'MESOS' || !has(self.docker) || !has(self.docker.pullConfig)",message="container.docker.pullConfig needs container.type MESOS"
// +kubebuilder:validation:XValidation:rule="self.type == 'MESOS' || !has(self.linuxInfo)",message="container.linuxInfo needs container.type MESOS"
type Container struct {
	// type is the engine the container was made for.
	// +kubebuilder:default=DOCKER
	// +optional
	Type EngineType `json:"type,omitempty"`
	// docker is the image to run.
	// +optional
	Docker *DockerContainer `json:"docker,omitempty"`
	// portMappings are the ports of an app that is not on the host network.
	// Absent means one port of any number; an empty list means none.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="[self.filter(p, has(p.name)).map(p, p.name)].all(names, names.all(n, names.indexOf(n) == names.lastIndexOf(n)))",message="port names must be unique"
	// +listType=atomic
	// +optional
	PortMappings []PortMapping `json:"portMappings,omitzero"`
	// volumes of the container.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=containerPath
	// +optional
	Volumes []Volume `json:"volumes,omitempty"`
	// linuxInfo holds settings of the Linux kernel for the container.
	// +optional
	LinuxInfo *LinuxInfo `json:"linuxInfo,omitempty"`
}

// DockerContainer is a container image and how it is run.
type DockerContainer struct {
	// image reference.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\s\v\x{85}\p{Z}](.*[^\s\v\x{85}\p{Z}])?$`
	// +required
	Image string `json:"image,omitempty"`
	// forcePullImage pulls the image at every start. Without it an image that
	// the node has is used, whatever its tag.
	// +optional
	ForcePullImage *bool `json:"forcePullImage,omitempty"`
	// privileged runs the container with all rights over its node.
	// The MESOS engine ignores it.
	// +optional
	Privileged *bool `json:"privileged,omitempty"`
	// parameters are flags of docker run.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	Parameters []DockerParameter `json:"parameters,omitempty"`
	// pullConfig holds the credentials of the image's registry.
	// +optional
	PullConfig *PullConfig `json:"pullConfig,omitempty"`
}

// DockerParameter is a flag of docker run.
type DockerParameter struct {
	// key is the flag's name without dashes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key,omitempty"`
	// value of the flag.
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	Value string `json:"value"`
}

// PullConfig refers to registry credentials.
type PullConfig struct {
	// secret is the name of an entry of the app's secrets, a Docker config.json.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Secret string `json:"secret,omitempty"`
}

// PortMapping is a port of a container network.
type PortMapping struct {
	// containerPort is the port inside the container. 0 is any: the task finds it in $PORTn.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ContainerPort *int32 `json:"containerPort,omitempty"`
	// hostPort is the port on the node. 0 is any; absent is none.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	HostPort *int32 `json:"hostPort,omitempty"`
	// servicePort is the port a load balancer shows. 0 is any.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ServicePort *int32 `json:"servicePort,omitempty"`
	// protocol of the port.
	// +kubebuilder:default=tcp
	// +optional
	Protocol Protocol `json:"protocol,omitempty"`
	// name of the port.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +optional
	Name *string `json:"name,omitempty"`
	// labels of the port, such as VIP_0.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
	// networkNames are the container networks the port is on. Without it, all.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	NetworkNames []string `json:"networkNames,omitempty"`
}

// VolumeMode says whether a volume may be written.
// +kubebuilder:validation:Enum=RO;RW
type VolumeMode string

// The volume modes.
const (
	VolumeReadOnly  VolumeMode = "RO"
	VolumeReadWrite VolumeMode = "RW"
)

// Volume is a path in the container and what is behind it: one of hostPath,
// persistent, external and secret.
// +kubebuilder:validation:XValidation:rule="[has(self.hostPath), has(self.persistent), has(self.external), has(self.secret)].filter(x, x).size() == 1",message="a volume is exactly one of hostPath, persistent, external and secret"
// +kubebuilder:validation:XValidation:rule="!has(self.persistent) || (!self.containerPath.contains('/') && self.containerPath != '.' && self.containerPath != '..')",message="the containerPath of a persistent volume is one name, without '/'"
// +kubebuilder:validation:XValidation:rule="!has(self.persistent) || self.mode == 'RW'",message="a persistent volume has mode RW"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.persistent) || has(self.persistent)",message="a persistent volume can't become one of another kind: make a new app"
type Volume struct {
	// containerPath is where the volume is in the container; relative to the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ContainerPath string `json:"containerPath,omitempty"`
	// mode says whether the volume may be written.
	// +kubebuilder:default=RW
	// +optional
	Mode VolumeMode `json:"mode,omitempty"`
	// hostPath is a path of the node, or, where it is relative, of the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	HostPath *string `json:"hostPath,omitempty"`
	// persistent is a volume that stays with its instance.
	// +optional
	Persistent *PersistentVolume `json:"persistent,omitempty"`
	// external is a volume of a storage provider, found by name.
	// +optional
	External *ExternalVolume `json:"external,omitempty"`
	// secret is the name of an entry of the app's secrets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Secret *string `json:"secret,omitempty"`
}

// PersistentVolumeType is the kind of disk behind a persistent volume.
// +kubebuilder:validation:Enum=root;path;mount
type PersistentVolumeType string

// The kinds of disk.
const (
	PersistentRoot  PersistentVolumeType = "root"
	PersistentPath  PersistentVolumeType = "path"
	PersistentMount PersistentVolumeType = "mount"
)

// PersistentVolume is a volume that stays with its instance.
// +kubebuilder:validation:XValidation:rule="!has(self.maxSize) || (self.type == 'mount' && self.maxSize > self.size)",message="maxSize is for type mount only, and more than size"
// +kubebuilder:validation:XValidation:rule="!has(self.constraints) || size(self.constraints) == 0 || self.type != 'root'",message="constraints are not for type root"
// +kubebuilder:validation:XValidation:rule="self.size >= oldSelf.size",message="a persistent volume can't get smaller"
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type && has(self.profileName) == has(oldSelf.profileName) && (!has(self.profileName) || self.profileName == oldSelf.profileName) && has(self.maxSize) == has(oldSelf.maxSize) && (!has(self.maxSize) || self.maxSize == oldSelf.maxSize)",message="of a persistent volume only the size can change: make a new app"
type PersistentVolume struct {
	// type is the kind of disk.
	// +kubebuilder:default=root
	// +optional
	Type PersistentVolumeType `json:"type,omitempty"`
	// size in MiB.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1099511627776
	// +required
	Size *int64 `json:"size,omitempty"`
	// maxSize in MiB, of a disk of type mount.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1099511627776
	// +optional
	MaxSize *int64 `json:"maxSize,omitempty"`
	// profileName names a storage profile.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ProfileName *string `json:"profileName,omitempty"`
	// constraints on the disk: field path, operator LIKE or UNLIKE.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.field == 'path' && c.operator in ['LIKE', 'UNLIKE'])",message="a constraint on a disk is path LIKE or UNLIKE a regular expression"
	// +listType=atomic
	// +optional
	Constraints []Constraint `json:"constraints,omitempty"`
}

// ExternalProvider is the interface to a storage provider.
// +kubebuilder:validation:Enum=dvdi;csi
type ExternalProvider string

// The interfaces to storage providers.
const (
	ProviderDVDI ExternalProvider = "dvdi"
	ProviderCSI  ExternalProvider = "csi"
)

// ExternalVolume is a volume of a storage provider.
// +kubebuilder:validation:XValidation:rule="self.provider != 'dvdi' || (has(self.options) && 'dvdi/driver' in self.options)",message="a dvdi volume needs the option dvdi/driver"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'csi') == has(self.csi)",message="csi goes with provider csi"
type ExternalVolume struct {
	// name of the volume at its provider.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// provider is the interface to the storage provider.
	// +required
	Provider ExternalProvider `json:"provider,omitempty"`
	// size in GiB.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1048576
	// +optional
	Size *int64 `json:"size,omitempty"`
	// shared lets several apps use the volume.
	// +optional
	Shared *bool `json:"shared,omitempty"`
	// options for a dvdi driver.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Options map[string]LabelValue `json:"options,omitempty"`
	// csi are the options of provider csi.
	// +optional
	CSI *CSIOptions `json:"csi,omitempty"`
}

// CSIOptions describe a volume to a CSI plugin.
type CSIOptions struct {
	// pluginName is the CSI driver.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	PluginName string `json:"pluginName,omitempty"`
	// capability asked of the volume.
	// +required
	Capability CSICapability `json:"capability,omitzero"`
	// nodeStageSecret maps keys of the driver to entries of the app's secrets.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	NodeStageSecret map[string]LabelValue `json:"nodeStageSecret,omitempty"`
	// nodePublishSecret maps keys of the driver to entries of the app's secrets.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	NodePublishSecret map[string]LabelValue `json:"nodePublishSecret,omitempty"`
	// volumeContext is passed to the driver.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	VolumeContext map[string]LabelValue `json:"volumeContext,omitempty"`
}

// CSICapability is how a CSI volume is used.
type CSICapability struct {
	// accessType is block or mount.
	// +kubebuilder:validation:Enum=block;mount
	// +required
	AccessType string `json:"accessType,omitempty"`
	// accessMode of the volume.
	// +kubebuilder:validation:Enum=SINGLE_NODE_WRITER;SINGLE_NODE_READER_ONLY;MULTI_NODE_READER_ONLY;MULTI_NODE_SINGLE_WRITER;MULTI_NODE_MULTI_WRITER
	// +required
	AccessMode string `json:"accessMode,omitempty"`
	// fsType is the file system of accessType mount.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	FsType *string `json:"fsType,omitempty"`
	// mountFlags of accessType mount.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=atomic
	// +optional
	MountFlags []string `json:"mountFlags,omitempty"`
}

// LinuxInfo holds settings of the Linux kernel for a container.
type LinuxInfo struct {
	// seccomp filter of the container.
	// +optional
	Seccomp *Seccomp `json:"seccomp,omitempty"`
	// ipcInfo is the container's share of System V IPC and /dev/shm.
	// +optional
	IPCInfo *IPCInfo `json:"ipcInfo,omitempty"`
}

// Seccomp is a filter of system calls.
// +kubebuilder:validation:XValidation:rule="has(self.profileName) != (has(self.unconfined) && self.unconfined)",message="seccomp is either a profileName or unconfined"
type Seccomp struct {
	// profileName is a profile on the node.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ProfileName *string `json:"profileName,omitempty"`
	// unconfined switches the filter off.
	// +optional
	Unconfined *bool `json:"unconfined,omitempty"`
}

// IPCMode says with whom a container shares its IPC namespace.
// +kubebuilder:validation:Enum=PRIVATE;SHARE_PARENT
type IPCMode string

// The IPC modes.
const (
	IPCPrivate     IPCMode = "PRIVATE"
	IPCShareParent IPCMode = "SHARE_PARENT"
)

// IPCInfo is a container's share of System V IPC and /dev/shm.
// +kubebuilder:validation:XValidation:rule="self.mode != 'SHARE_PARENT' || !has(self.shmSize)",message="shmSize is not for mode SHARE_PARENT"
type IPCInfo struct {
	// mode of the IPC namespace.
	// +required
	Mode IPCMode `json:"mode,omitempty"`
	// shmSize of /dev/shm in MiB.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	ShmSize *int64 `json:"shmSize,omitempty"`
}
