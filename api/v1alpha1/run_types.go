// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Run is what a run of a Job executes: Metronome's "run", with its field names,
// meaning and units (cpus a number, mem and disk in MiB, times in seconds).
//
// +kubebuilder:validation:XValidation:rule="has(self.cmd) || has(self.docker) || has(self.ucr)",message="a run needs a cmd, a docker image or a ucr image"
// +kubebuilder:validation:XValidation:rule="!(has(self.cmd) && has(self.args))",message="cmd and args exclude each other: give one of them"
// +kubebuilder:validation:XValidation:rule="!(has(self.docker) && has(self.ucr))",message="docker and ucr exclude each other: give one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.gpus) || self.gpus == 0 || !has(self.docker)",message="gpus need a ucr image: the docker engine has no GPU support"
// +kubebuilder:validation:XValidation:rule="!has(self.env) || self.env.all(e, !has(e.secret) || (has(self.secrets) && self.secrets.exists(s, s.name == e.secret)))",message="env[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || self.volumes.all(v, !has(v.secret) || (has(self.secrets) && self.secrets.exists(s, s.name == v.secret)))",message="volumes[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.secrets) || self.secrets.all(s, (has(self.env) && self.env.exists(e, has(e.secret) && e.secret == s.name)) || (has(self.volumes) && self.volumes.exists(v, has(v.secret) && v.secret == s.name)))",message="each of secrets must be used by env or volumes"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || !has(self.docker) || !self.volumes.exists(v, has(v.secret))",message="volumes of a secret need a ucr image, or none"
// +kubebuilder:validation:XValidation:rule="!has(self.networks) || size(self.networks) <= 1 || (self.networks.all(n, n.mode == 'container') && has(self.ucr))",message="networks: one, or with a ucr image several of mode container"
// +kubebuilder:validation:XValidation:rule="!has(self.networks) || has(self.docker) || has(self.ucr) || self.networks.all(n, n.mode == 'host')",message="networks of a run without an image are of mode host"
type Run struct {
	// cmd is run by /bin/sh -c. With an image it replaces the image's entrypoint.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +optional
	Cmd *string `json:"cmd,omitempty"`

	// args are appended to the image's entrypoint. No shell sees them.
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=131072
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// docker is the image to run, as the Docker engine of Mesos ran it.
	// +optional
	Docker *RunDocker `json:"docker,omitempty"`

	// ucr is the image to run, as the Universal Container Runtime of Mesos ran it.
	// +optional
	UCR *RunUCR `json:"ucr,omitempty"`

	// cpus is the number of CPU cores a run gets.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0.01
	// +kubebuilder:validation:XValidation:rule="self >= 0.01",message="cpus must be at least 0.01"
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Cpus *float64 `json:"cpus,omitempty"`

	// mem is the memory a run gets, in MiB.
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=32
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Mem *float64 `json:"mem,omitempty"`

	// disk is the space of a run's sandbox, in MiB. 0 asks for none in particular.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Disk *float64 `json:"disk,omitempty"`

	// gpus is the number of whole GPUs a run gets.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1024
	// +optional
	Gpus *int32 `json:"gpus,omitempty"`

	// user is the operating system user of the run: a name of the well-known ones
	// (root, nobody) or a number. With docker it is ignored, as it was.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	User *string `json:"user,omitempty"`

	// env are environment variables. They win over those that Metronome injects.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`

	// secrets are names for entries of the secret store that env and volumes refer to.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Secrets []Secret `json:"secrets,omitempty"`

	// volumes are paths of the node and files of secrets in the container.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=containerPath
	// +optional
	Volumes []RunVolume `json:"volumes,omitempty"`

	// artifacts are files to have in the sandbox before the run starts.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	Artifacts []Artifact `json:"artifacts,omitempty"`

	// networks the run is on. Without any it is on the cluster's pod network;
	// Metronome's default, that of the node, is the mode host.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(n, !has(n.name) || self.filter(m, has(m.name) && m.name == n.name).size() == 1)",message="network names must be unique"
	// +listType=atomic
	// +optional
	Networks []Network `json:"networks,omitempty"`

	// placement limits where runs may be.
	// +optional
	Placement *Placement `json:"placement,omitempty"`

	// restart says what follows on a task that fails. Without it, nothing does.
	// +optional
	Restart *Restart `json:"restart,omitempty"`

	// maxLaunchDelaySeconds did nothing that could be seen, and still does not.
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	MaxLaunchDelaySeconds *int32 `json:"maxLaunchDelaySeconds,omitempty"`

	// taskKillGracePeriodSeconds is the time between SIGTERM and SIGKILL, in
	// seconds. Without it, and with 0, it is that of the containerizer: 20 with
	// docker, 3 otherwise.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TaskKillGracePeriodSeconds *int32 `json:"taskKillGracePeriodSeconds,omitempty"`

	// lostAfterSeconds is how long a node may not answer before the task on it
	// counts as lost, and with it has failed. DC/OS waited about five minutes,
	// as it is without this. Metronome had no such setting.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	LostAfterSeconds *int32 `json:"lostAfterSeconds,omitempty"`
}

// RunDocker is an image and how the Docker engine runs it.
type RunDocker struct {
	// image reference.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\s\v\x{85}\p{Z}](.*[^\s\v\x{85}\p{Z}])?$`
	// +required
	Image string `json:"image,omitempty"`
	// forcePullImage pulls the image at every start. Without it an image that the
	// node has is used, whatever its tag.
	// +optional
	ForcePullImage *bool `json:"forcePullImage,omitempty"`
	// privileged runs the container with all rights over its node.
	// +optional
	Privileged *bool `json:"privileged,omitempty"`
	// parameters are flags of docker run.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	Parameters []DockerParameter `json:"parameters,omitempty"`
}

// RunUCR is an image and how the Universal Container Runtime runs it.
type RunUCR struct {
	// image to run.
	// +required
	Image UCRImage `json:"image,omitzero"`
	// privileged was ignored by Metronome, and is.
	// +optional
	Privileged *bool `json:"privileged,omitempty"`
}

// UCRImage is an image of the Universal Container Runtime.
type UCRImage struct {
	// id is the image reference.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\s\v\x{85}\p{Z}](.*[^\s\v\x{85}\p{Z}])?$`
	// +required
	ID string `json:"id,omitempty"`
	// kind of the image. Images of kind appc are no longer made by anybody.
	// +kubebuilder:default=docker
	// +kubebuilder:validation:Enum=docker
	// +optional
	Kind string `json:"kind,omitempty"`
	// forcePull pulls the image at every start.
	// +optional
	ForcePull *bool `json:"forcePull,omitempty"`
}

// RunVolume is a path in the container and what is behind it: a hostPath or a secret.
// +kubebuilder:validation:XValidation:rule="has(self.hostPath) != has(self.secret)",message="a volume is exactly one of hostPath and secret"
// +kubebuilder:validation:XValidation:rule="!has(self.secret) || !has(self.mode)",message="a volume of a secret has no mode: it is read-only"
type RunVolume struct {
	// containerPath is where the volume is in the container; relative to the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ContainerPath string `json:"containerPath,omitempty"`
	// hostPath is a path of the node, or, where it is relative, of the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	HostPath *string `json:"hostPath,omitempty"`
	// mode says whether a hostPath may be written. Without it RW.
	// +optional
	Mode VolumeMode `json:"mode,omitempty"`
	// secret is the name of an entry of secrets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Secret *string `json:"secret,omitempty"`
}

// Artifact is a file to have in the sandbox before the run starts.
type Artifact struct {
	// uri to get it from.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	URI string `json:"uri,omitempty"`
	// extract unpacks archives. Without it true.
	// +kubebuilder:default=true
	// +optional
	Extract *bool `json:"extract,omitempty"`
	// executable sets the executable bit.
	// +optional
	Executable *bool `json:"executable,omitempty"`
	// cache keeps the file on the node for further runs.
	// +optional
	Cache *bool `json:"cache,omitempty"`
}

// Placement limits where runs may be.
type Placement struct {
	// constraints that a node has to satisfy, all of them.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Constraints []PlacementConstraint `json:"constraints,omitempty"`
}

// PlacementOperator is what a constraint of a run does with an attribute.
// +kubebuilder:validation:Enum=IS;EQ;LIKE;UNLIKE
type PlacementOperator string

// The operators. EQ is an old name of IS.
const (
	PlacementIs     PlacementOperator = "IS"
	PlacementEq     PlacementOperator = "EQ"
	PlacementLike   PlacementOperator = "LIKE"
	PlacementUnlike PlacementOperator = "UNLIKE"
)

// PlacementConstraint limits where runs may be. Without a value it is ignored,
// as Metronome did.
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['LIKE', 'UNLIKE']) || !has(self.value) || (size(self.value) > 0 && ['x'.matches(self.value)].size() == 1)",message="the value of LIKE and UNLIKE is a regular expression as RE2 has them, and not empty"
type PlacementConstraint struct {
	// attribute is @hostname, @region, @zone or the name of a node attribute.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Attribute string `json:"attribute,omitempty"`
	// operator says what is asked of the attribute.
	// +required
	Operator PlacementOperator `json:"operator,omitempty"`
	// value the operator compares with.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Value *string `json:"value,omitempty"`
}

// RestartPolicy says whether a run outlives a task of its that fails.
// +kubebuilder:validation:Enum=NEVER;ON_FAILURE
type RestartPolicy string

// The restart policies.
const (
	RestartNever     RestartPolicy = "NEVER"
	RestartOnFailure RestartPolicy = "ON_FAILURE"
)

// Restart says what follows on a task that fails.
type Restart struct {
	// policy NEVER fails the run, ON_FAILURE starts another task, at once and as
	// often as it takes.
	// +required
	Policy RestartPolicy `json:"policy,omitempty"`
	// activeDeadlineSeconds is how long after the creation of a run a task that
	// fails is followed by another. It never stops a task: that is not what
	// Metronome did. Without it there is no end.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	ActiveDeadlineSeconds *int32 `json:"activeDeadlineSeconds,omitempty"`
}
