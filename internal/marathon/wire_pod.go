// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import "github.com/kdcos/kdcos/api/v1alpha1"

// Pod is a pod definition of Marathon, as it is read and written: several
// containers that run side by side in each instance.
type Pod struct {
	ID                string               `json:"id"`
	Labels            map[string]string    `json:"labels,omitempty"`
	User              *string              `json:"user,omitempty"`
	Environment       map[string]EnvValue  `json:"environment,omitempty"`
	Containers        []PodContainer       `json:"containers"`
	Secrets           map[string]SecretDef `json:"secrets,omitempty"`
	Volumes           []PodVolume          `json:"volumes,omitempty"`
	Networks          []Network            `json:"networks,omitempty"`
	Scaling           *PodScaling          `json:"scaling,omitempty"`
	Scheduling        *PodScheduling       `json:"scheduling,omitempty"`
	ExecutorResources *ExecutorResources   `json:"executorResources,omitempty"`
	Role              *string              `json:"role,omitempty"`

	// Read, and refused.
	LinuxInfo *LinuxInfo `json:"linuxInfo,omitempty"`

	// What Marathon's pods did not have: written only where it is used.
	Dependencies []string          `json:"dependencies,omitempty"`
	DrainSeconds *int32            `json:"drainSeconds,omitempty"`
	PerNode      *bool             `json:"perNode,omitempty"`
	Rollout      *v1alpha1.Rollout `json:"rollout,omitempty"`
	Suspend      *bool             `json:"suspend,omitempty"`
}

// PodScaling is how many instances run: Marathon knew the kind fixed only.
type PodScaling struct {
	Kind      string `json:"kind"`
	Instances *int32 `json:"instances,omitempty"`
}

// PodScheduling says when and where instances are launched and killed.
type PodScheduling struct {
	Backoff             *PodBackoff            `json:"backoff,omitempty"`
	Upgrade             *UpgradeStrategy       `json:"upgrade,omitempty"`
	Placement           *PodPlacement          `json:"placement,omitempty"`
	KillSelection       v1alpha1.KillSelection `json:"killSelection,omitempty"`
	UnreachableStrategy *UnreachableStrategy   `json:"unreachableStrategy,omitempty"`
}

// PodBackoff is the launch delay, in seconds.
type PodBackoff struct {
	Backoff        *int32   `json:"backoff,omitempty"`
	BackoffFactor  *float64 `json:"backoffFactor,omitempty"`
	MaxLaunchDelay *int32   `json:"maxLaunchDelay,omitempty"`
}

// PodPlacement says where instances may run.
type PodPlacement struct {
	Constraints           []PodConstraint `json:"constraints,omitempty"`
	AcceptedResourceRoles []string        `json:"acceptedResourceRoles,omitempty"`
}

// PodConstraint is a constraint in the form that pods have.
type PodConstraint struct {
	FieldName string  `json:"fieldName"`
	Operator  string  `json:"operator"`
	Value     *string `json:"value,omitempty"`
}

// PodContainer is a container of a pod.
type PodContainer struct {
	Name           string              `json:"name"`
	Exec           *PodExec            `json:"exec,omitempty"`
	Resources      PodResources        `json:"resources"`
	ResourceLimits *ResourceLimits     `json:"resourceLimits,omitempty"`
	Endpoints      []Endpoint          `json:"endpoints,omitempty"`
	Image          *PodImage           `json:"image,omitempty"`
	Environment    map[string]EnvValue `json:"environment,omitempty"`
	User           *string             `json:"user,omitempty"`
	HealthCheck    *PodHealthCheck     `json:"healthCheck,omitempty"`
	Check          *PodCheck           `json:"check,omitempty"`
	VolumeMounts   []VolumeMount       `json:"volumeMounts,omitempty"`
	Artifacts      []Artifact          `json:"artifacts,omitempty"`
	Labels         map[string]string   `json:"labels,omitempty"`
	Lifecycle      *PodLifecycle       `json:"lifecycle,omitempty"`
	TTY            *bool               `json:"tty,omitempty"`
	LinuxInfo      *LinuxInfo          `json:"linuxInfo,omitempty"`
}

// PodExec is what runs in a container.
type PodExec struct {
	Command            ShellOrArgv `json:"command"`
	OverrideEntrypoint *bool       `json:"overrideEntrypoint,omitempty"`
}

// PodResources are what a container gets: cores, MiB, MiB, devices.
type PodResources struct {
	Cpus *float64 `json:"cpus,omitempty"`
	Mem  *float64 `json:"mem,omitempty"`
	Disk *float64 `json:"disk,omitempty"`
	Gpus *int32   `json:"gpus,omitempty"`
}

// Endpoint is a port of a container.
type Endpoint struct {
	Name          string            `json:"name"`
	ContainerPort *int32            `json:"containerPort,omitempty"`
	HostPort      *int32            `json:"hostPort,omitempty"`
	Protocol      []string          `json:"protocol,omitempty"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// PodImage is the image of a container.
type PodImage struct {
	Kind       string            `json:"kind"`
	ID         string            `json:"id"`
	PullConfig *PullConfig       `json:"pullConfig,omitempty"`
	ForcePull  *bool             `json:"forcePull,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// PodHealthCheck decides whether a container is healthy; times in seconds.
type PodHealthCheck struct {
	HTTP                   *EndpointHTTPCheck `json:"http,omitempty"`
	TCP                    *EndpointTCPCheck  `json:"tcp,omitempty"`
	Exec                   *ExecCheck         `json:"exec,omitempty"`
	GracePeriodSeconds     *int32             `json:"gracePeriodSeconds,omitempty"`
	IntervalSeconds        *int32             `json:"intervalSeconds,omitempty"`
	MaxConsecutiveFailures *int32             `json:"maxConsecutiveFailures,omitempty"`
	TimeoutSeconds         *int32             `json:"timeoutSeconds,omitempty"`
	DelaySeconds           *int32             `json:"delaySeconds,omitempty"`
}

// PodCheck reports a container's state; times in seconds.
type PodCheck struct {
	HTTP            *EndpointHTTPCheck `json:"http,omitempty"`
	TCP             *EndpointTCPCheck  `json:"tcp,omitempty"`
	Exec            *ExecCheck         `json:"exec,omitempty"`
	IntervalSeconds *int32             `json:"intervalSeconds,omitempty"`
	TimeoutSeconds  *int32             `json:"timeoutSeconds,omitempty"`
	DelaySeconds    *int32             `json:"delaySeconds,omitempty"`
}

// EndpointHTTPCheck asks for a page of an endpoint.
type EndpointHTTPCheck struct {
	Endpoint string  `json:"endpoint"`
	Path     *string `json:"path,omitempty"`
	Scheme   string  `json:"scheme,omitempty"`
}

// EndpointTCPCheck opens a connection to an endpoint.
type EndpointTCPCheck struct {
	Endpoint string `json:"endpoint"`
}

// VolumeMount is a volume of a pod at a path of a container.
type VolumeMount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	ReadOnly  *bool  `json:"readOnly,omitempty"`
}

// PodLifecycle says how a container is stopped.
type PodLifecycle struct {
	KillGracePeriodSeconds *int32 `json:"killGracePeriodSeconds,omitempty"`
}

// PodVolume is a volume of a pod: ephemeral, or one of host, persistent and secret.
type PodVolume struct {
	Name       string            `json:"name"`
	Host       *string           `json:"host,omitempty"`
	Persistent *PersistentVolume `json:"persistent,omitempty"`
	Secret     *string           `json:"secret,omitempty"`
}
