// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// PodContainer is one of several containers of an instance.
// +kubebuilder:validation:XValidation:rule="has(self.exec) || has(self.image)",message="a container needs an exec or an image"
// +kubebuilder:validation:XValidation:rule="!has(self.healthCheck) || ((!has(self.healthCheck.http) || (has(self.endpoints) && self.endpoints.exists(e, e.name == self.healthCheck.http.endpoint))) && (!has(self.healthCheck.tcp) || (has(self.endpoints) && self.endpoints.exists(e, e.name == self.healthCheck.tcp.endpoint))))",message="the endpoint of a healthCheck must be one of its container"
// +kubebuilder:validation:XValidation:rule="!has(self.check) || ((!has(self.check.http) || (has(self.endpoints) && self.endpoints.exists(e, e.name == self.check.http.endpoint))) && (!has(self.check.tcp) || (has(self.endpoints) && self.endpoints.exists(e, e.name == self.check.tcp.endpoint))))",message="the endpoint of a check must be one of its container"
// +kubebuilder:validation:XValidation:rule="!has(self.resourceLimits) || !has(self.resourceLimits.cpus) || (type(self.resourceLimits.cpus) == string ? (self.resourceLimits.cpus == 'unlimited' || double(self.resourceLimits.cpus) >= self.resources.cpus) : double(self.resourceLimits.cpus) >= self.resources.cpus)",message="resourceLimits.cpus of a container must be at least its resources.cpus, or unlimited"
// +kubebuilder:validation:XValidation:rule="!has(self.resourceLimits) || !has(self.resourceLimits.mem) || (type(self.resourceLimits.mem) == string ? (self.resourceLimits.mem == 'unlimited' || double(self.resourceLimits.mem) >= self.resources.mem) : double(self.resourceLimits.mem) >= self.resources.mem)",message="resourceLimits.mem of a container must be at least its resources.mem, or unlimited"
type PodContainer struct {
	// name of the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
	// exec is what runs; without it what the image says.
	// +optional
	Exec *PodExec `json:"exec,omitempty"`
	// resources the container gets.
	// +kubebuilder:default={}
	// +optional
	Resources *PodResources `json:"resources,omitempty"`
	// resourceLimits let the container burst over its cpus and mem. Without them
	// these are the limits.
	// +optional
	ResourceLimits *ResourceLimits `json:"resourceLimits,omitempty"`
	// endpoints are the ports of the container.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// image the container runs on; without it the operator's base image.
	// +optional
	Image *PodImage `json:"image,omitempty"`
	// env are environment variables. They win over those of the app, and those
	// that Marathon injects win over both.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`
	// user is the operating system user of the container, in place of the app's.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	User *string `json:"user,omitempty"`
	// healthCheck decides whether the container is healthy, and when its
	// instance is replaced.
	// +optional
	HealthCheck *PodHealthCheck `json:"healthCheck,omitempty"`
	// check reports the container's state beside its health; it never kills.
	// +optional
	Check *PodCheck `json:"check,omitempty"`
	// volumeMounts are the app's volumes in this container.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=mountPath
	// +optional
	VolumeMounts []VolumeMount `json:"volumeMounts,omitempty"`
	// artifacts are files to have in the sandbox before the container starts.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Artifacts []Fetch `json:"artifacts,omitempty"`
	// labels of the container: any text. They also reach it as
	// MARATHON_APP_LABEL_* variables.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
	// lifecycle says how the container is stopped.
	// +optional
	Lifecycle *PodLifecycle `json:"lifecycle,omitempty"`
	// tty gives the container a pseudo-terminal.
	// +optional
	TTY *bool `json:"tty,omitempty"`
	// linuxInfo holds settings of the Linux kernel for the container.
	// +optional
	LinuxInfo *LinuxInfo `json:"linuxInfo,omitempty"`
}

// PodExec is what runs in a container.
// +kubebuilder:validation:XValidation:rule="!has(self.overrideEntrypoint) || self.overrideEntrypoint || !has(self.command.shell)",message="a shell command always takes the place of the entrypoint"
type PodExec struct {
	// command to run.
	// +required
	Command ShellOrArgv `json:"command,omitzero"`
	// overrideEntrypoint makes the first of argv the program, in place of the
	// image's entrypoint. Otherwise argv are its arguments.
	// +optional
	OverrideEntrypoint *bool `json:"overrideEntrypoint,omitempty"`
}

// PodResources are what a container gets.
type PodResources struct {
	// cpus in cores.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0.001
	// +kubebuilder:validation:XValidation:rule="self >= 0.001",message="cpus must be at least 0.001"
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Cpus *float64 `json:"cpus,omitempty"`
	// mem in MiB.
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Mem *float64 `json:"mem,omitempty"`
	// disk in MiB. 0 asks for none in particular.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Disk *float64 `json:"disk,omitempty"`
	// gpus is a number of whole GPUs.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1024
	// +optional
	Gpus *int32 `json:"gpus,omitempty"`
}

// Endpoint is a port of one of several containers.
type Endpoint struct {
	// name of the endpoint; no two containers of an app have one of the same name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
	// containerPort is the port that the container listens on, where the network
	// is not the host's. 0 is any: the container finds it in $ENDPOINT_NAME.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ContainerPort *int32 `json:"containerPort,omitempty"`
	// hostPort is the port on the node. 0 is any.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	HostPort *int32 `json:"hostPort,omitempty"`
	// protocol names what is spoken there: udp, tcp, or something over TCP such as http.
	// +kubebuilder:default={tcp}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +listType=set
	// +optional
	Protocol []string `json:"protocol,omitempty"`
	// networkNames are the container networks the endpoint is on. Without it, all.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	NetworkNames []string `json:"networkNames,omitempty"`
	// labels of the endpoint, such as VIP_0.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
}

// PodImage is the image of one of several containers.
type PodImage struct {
	// kind of the image.
	// +kubebuilder:default=DOCKER
	// +kubebuilder:validation:Enum=DOCKER
	// +optional
	Kind string `json:"kind,omitempty"`
	// id is the image reference.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\s\v\x{85}\p{Z}](.*[^\s\v\x{85}\p{Z}])?$`
	// +required
	ID string `json:"id,omitempty"`
	// forcePull pulls the image at every start. Without it an image that the
	// node has is used, whatever its tag.
	// +optional
	ForcePull *bool `json:"forcePull,omitempty"`
	// pullConfig holds the credentials of the image's registry.
	// +optional
	PullConfig *PullConfig `json:"pullConfig,omitempty"`
	// labels of the image. They have no effect on an image of kind DOCKER.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
}

// PodHealthCheck decides whether a container is healthy: one of http, tcp and exec.
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.exec)].filter(x, x).size() == 1",message="a healthCheck is exactly one of http, tcp and exec"
// +kubebuilder:validation:XValidation:rule="self.timeoutSeconds < self.intervalSeconds",message="timeoutSeconds of a healthCheck must be less than its intervalSeconds"
type PodHealthCheck struct {
	// http asks for a page.
	// +optional
	HTTP *PodHTTPCheck `json:"http,omitempty"`
	// tcp opens a connection.
	// +optional
	TCP *PodTCPCheck `json:"tcp,omitempty"`
	// exec runs a command in the container.
	// +optional
	Exec *ExecCheck `json:"exec,omitempty"`
	// gracePeriodSeconds is how long failures do not count after a start, until
	// the first success.
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	GracePeriodSeconds *int32 `json:"gracePeriodSeconds,omitempty"`
	// intervalSeconds between two checks.
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty"`
	// maxConsecutiveFailures before the instance is replaced; at the first
	// failure at 0.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	MaxConsecutiveFailures *int32 `json:"maxConsecutiveFailures,omitempty"`
	// timeoutSeconds of one check.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
	// delaySeconds before the first check.
	// +kubebuilder:default=15
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	DelaySeconds *int32 `json:"delaySeconds,omitempty"`
}

// PodCheck reports a container's state: one of http, tcp and exec.
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.exec)].filter(x, x).size() == 1",message="a check of a container is exactly one of http, tcp and exec"
type PodCheck struct {
	// http asks for a page.
	// +optional
	HTTP *PodHTTPCheck `json:"http,omitempty"`
	// tcp opens a connection.
	// +optional
	TCP *PodTCPCheck `json:"tcp,omitempty"`
	// exec runs a command in the container.
	// +optional
	Exec *ExecCheck `json:"exec,omitempty"`
	// intervalSeconds between two checks.
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty"`
	// timeoutSeconds of one check.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
	// delaySeconds before the first check.
	// +kubebuilder:default=15
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	DelaySeconds *int32 `json:"delaySeconds,omitempty"`
}

// PodHTTPCheck asks for a page of an endpoint.
type PodHTTPCheck struct {
	// endpoint is the name of an endpoint of the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Endpoint string `json:"endpoint,omitempty"`
	// path of the page. Without it "/".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path *string `json:"path,omitempty"`
	// scheme of the page.
	// +kubebuilder:default=HTTP
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +optional
	Scheme string `json:"scheme,omitempty"`
}

// PodTCPCheck opens a connection to an endpoint.
type PodTCPCheck struct {
	// endpoint is the name of an endpoint of the container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Endpoint string `json:"endpoint,omitempty"`
}

// VolumeMount is a volume of the app at a path of a container.
type VolumeMount struct {
	// name of a volume of the app.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name,omitempty"`
	// mountPath is where the volume is in the container; relative to the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	MountPath string `json:"mountPath,omitempty"`
	// readOnly keeps the container from writing.
	// +optional
	ReadOnly *bool `json:"readOnly,omitempty"`
}

// PodLifecycle says how a container is stopped.
type PodLifecycle struct {
	// killGracePeriodSeconds is the time between SIGTERM and SIGKILL. The longest
	// of all containers is that of each. Without any 3, as Mesos agents had it.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	KillGracePeriodSeconds *int32 `json:"killGracePeriodSeconds,omitempty"`
}

// PodVolume is a volume that containers share: a directory that goes with its
// instance, or one of host, persistent and secret.
// +kubebuilder:validation:XValidation:rule="[has(self.host), has(self.persistent), has(self.secret)].filter(x, x).size() <= 1",message="a volume is at most one of host, persistent and secret"
type PodVolume struct {
	// name that containers mount it by.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
	// host is a path of the node, or, where it is relative, of the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Host *string `json:"host,omitempty"`
	// persistent is a volume that stays with its instance.
	// +optional
	Persistent *PersistentVolume `json:"persistent,omitempty"`
	// secret is the name of an entry of the app's secrets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Secret *string `json:"secret,omitempty"`
}
