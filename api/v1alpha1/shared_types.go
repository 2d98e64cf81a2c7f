// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// LabelValue is the value of a Marathon label.
// +kubebuilder:validation:MaxLength=262144
type LabelValue string

// EngineType is the containerizer a container was made for.
// +kubebuilder:validation:Enum=DOCKER;MESOS
type EngineType string

// The engines. Both become one container of a pod; they differ in what user,
// working directory and sandbox a task sees.
const (
	EngineDocker EngineType = "DOCKER"
	EngineMesos  EngineType = "MESOS"
)

// KillSelection is the order in which tasks of a like state are stopped.
// +kubebuilder:validation:Enum=YOUNGEST_FIRST;OLDEST_FIRST
type KillSelection string

// The orders of KillSelection.
const (
	YoungestFirst KillSelection = "YOUNGEST_FIRST"
	OldestFirst   KillSelection = "OLDEST_FIRST"
)

// NetworkMode is the kind of a network.
// +kubebuilder:validation:Enum=host;container/bridge;container
type NetworkMode string

// The network modes.
const (
	NetworkHost      NetworkMode = "host"
	NetworkBridge    NetworkMode = "container/bridge"
	NetworkContainer NetworkMode = "container"
)

// Protocol is the transport of a port.
// +kubebuilder:validation:Enum=tcp;udp;"udp,tcp"
type Protocol string

// The transports.
const (
	ProtocolTCP    Protocol = "tcp"
	ProtocolUDP    Protocol = "udp"
	ProtocolUDPTCP Protocol = "udp,tcp"
)

// HealthCheckProtocol is the kind of a health check.
// +kubebuilder:validation:Enum=HTTP;HTTPS;TCP;COMMAND;MESOS_HTTP;MESOS_HTTPS;MESOS_TCP
type HealthCheckProtocol string

// The kinds of health check. HTTP, HTTPS and TCP were made by Marathon, the
// others at the task; they count failures differently.
const (
	HealthHTTP       HealthCheckProtocol = "HTTP"
	HealthHTTPS      HealthCheckProtocol = "HTTPS"
	HealthTCP        HealthCheckProtocol = "TCP"
	HealthCommand    HealthCheckProtocol = "COMMAND"
	HealthMesosHTTP  HealthCheckProtocol = "MESOS_HTTP"
	HealthMesosHTTPS HealthCheckProtocol = "MESOS_HTTPS"
	HealthMesosTCP   HealthCheckProtocol = "MESOS_TCP"
)

// ConstraintOperator is what a constraint does with a field.
// +kubebuilder:validation:Enum=UNIQUE;CLUSTER;GROUP_BY;MAX_PER;LIKE;UNLIKE;IS
type ConstraintOperator string

// The constraint operators.
const (
	ConstraintUnique  ConstraintOperator = "UNIQUE"
	ConstraintCluster ConstraintOperator = "CLUSTER"
	ConstraintGroupBy ConstraintOperator = "GROUP_BY"
	ConstraintMaxPer  ConstraintOperator = "MAX_PER"
	ConstraintLike    ConstraintOperator = "LIKE"
	ConstraintUnlike  ConstraintOperator = "UNLIKE"
	ConstraintIs      ConstraintOperator = "IS"
)

// EnvVar is an environment variable: a value, or a reference to a secret.
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.secret))",message="value and secret exclude each other"
type EnvVar struct {
	// name of the variable: printable ASCII without '='.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[ -<>-~]+$`
	// +required
	Name string `json:"name,omitempty"`
	// value of the variable, taken as it is: nothing in it is expanded.
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	Value *string `json:"value,omitempty"`
	// secret is the name of an entry of the app's secrets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Secret *string `json:"secret,omitempty"`
}

// Secret names an entry of the secret store.
type Secret struct {
	// name the app refers to it by.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// source is the path of the secret in the secret store.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Source string `json:"source,omitempty"`
}

// ResourceLimits are what a task may use at most. A value is a number (whole
// numbers as such, others as a string) or "unlimited".
// +kubebuilder:validation:XValidation:rule="[has(self.cpus) && type(self.cpus) == int ? int(self.cpus) : 0, has(self.mem) && type(self.mem) == int ? int(self.mem) : 0].all(n, n >= 0 && n <= 2147483647)",message="a limit over 2147483647 is written as a string"
type ResourceLimits struct {
	// cpus is the limit in CPU cores.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^(unlimited|[0-9]{1,9}(\.[0-9]{1,9})?)$`
	// +optional
	Cpus *intstr.IntOrString `json:"cpus,omitempty"`
	// mem is the limit in MiB.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^(unlimited|[0-9]{1,10}(\.[0-9]{1,9})?)$`
	// +optional
	Mem *intstr.IntOrString `json:"mem,omitempty"`
}

// Unlimited is the value of a resource limit that is none.
const Unlimited = "unlimited"

// ExecutorResources are what Marathon added to a task for its executor.
type ExecutorResources struct {
	// cpus in cores.
	// +kubebuilder:default=0.1
	// +kubebuilder:validation:Minimum=0.1
	// +kubebuilder:validation:XValidation:rule="self >= 0.1",message="cpus must be at least 0.1"
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Cpus *float64 `json:"cpus,omitempty"`
	// mem in MiB.
	// +kubebuilder:default=32
	// +kubebuilder:validation:Minimum=32
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Mem *float64 `json:"mem,omitempty"`
	// disk in MiB.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Disk *float64 `json:"disk,omitempty"`
}

// Fetch is a file to have in the sandbox before the task starts.
type Fetch struct {
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
	// cache keeps the file on the node for further tasks.
	// +optional
	Cache *bool `json:"cache,omitempty"`
	// destPath is where it goes, relative to the sandbox.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	DestPath *string `json:"destPath,omitempty"`
}

// Constraint limits where tasks may run.
// +kubebuilder:validation:XValidation:rule="self.operator != 'UNIQUE' || !has(self.value)",message="UNIQUE takes no value"
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['MAX_PER', 'LIKE', 'UNLIKE', 'IS']) || has(self.value)",message="MAX_PER, LIKE, UNLIKE and IS need a value"
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['MAX_PER', 'GROUP_BY']) || !has(self.value) || self.value.matches('^[0-9]+$')",message="the value of MAX_PER and GROUP_BY is a number"
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['MAX_PER', 'GROUP_BY']) || !has(self.value) || !self.value.matches('^0+$')",message="the value of MAX_PER and GROUP_BY is at least 1: MAX_PER 0 would let no task run anywhere"
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['LIKE', 'UNLIKE']) || !has(self.value) || (size(self.value) > 0 && ['x'.matches(self.value)].size() == 1)",message="the value of LIKE and UNLIKE is a regular expression as RE2 has them, and not empty"
type Constraint struct {
	// field is hostname, @hostname, @region, @zone or the name of a node attribute.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Field string `json:"field,omitempty"`
	// operator says what is asked of the field.
	// +required
	Operator ConstraintOperator `json:"operator,omitempty"`
	// value the operator compares with.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Value *string `json:"value,omitempty"`
}

// PortDefinition is a port of an app on the host network.
type PortDefinition struct {
	// port is the service port, and the host port with requirePorts. 0 is any.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port *int32 `json:"port,omitempty"`
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
}

// Network is a network tasks are on.
// +kubebuilder:validation:XValidation:rule="self.mode != 'container' || has(self.name)",message="a network of mode container needs a name"
// +kubebuilder:validation:XValidation:rule="self.mode == 'container' || !has(self.name)",message="only a network of mode container has a name"
// +kubebuilder:validation:XValidation:rule="self.mode != 'host' || !has(self.labels)",message="a network of mode host has no labels"
type Network struct {
	// mode of the network.
	// +kubebuilder:default=container
	// +optional
	Mode NetworkMode `json:"mode,omitempty"`
	// name of a network of mode container.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name *string `json:"name,omitempty"`
	// labels of the network.
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
}

// UpgradeStrategy says how an upgrade replaces tasks.
type UpgradeStrategy struct {
	// minimumHealthCapacity is the share of instances that stays healthy, 0 to 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	// +required
	MinimumHealthCapacity *float64 `json:"minimumHealthCapacity,omitempty"`
	// maximumOverCapacity is the share of instances that may run in addition, 0 to 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	// +required
	MaximumOverCapacity *float64 `json:"maximumOverCapacity,omitempty"`
}

// UnreachableStrategy says what happens to tasks on a lost node.
// +kubebuilder:validation:XValidation:rule="!has(self.disabled) || !self.disabled || (!has(self.inactiveAfterSeconds) && !has(self.expungeAfterSeconds))",message="disabled excludes inactiveAfterSeconds and expungeAfterSeconds"
// +kubebuilder:validation:XValidation:rule="(has(self.inactiveAfterSeconds) ? self.inactiveAfterSeconds : 0) <= (has(self.expungeAfterSeconds) ? self.expungeAfterSeconds : 0)",message="inactiveAfterSeconds must not be more than expungeAfterSeconds"
type UnreachableStrategy struct {
	// disabled waits for the node for ever.
	// +optional
	Disabled *bool `json:"disabled,omitempty"`
	// inactiveAfterSeconds is when a replacement starts.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	InactiveAfterSeconds *int32 `json:"inactiveAfterSeconds,omitempty"`
	// expungeAfterSeconds is when the task is given up, and killed should it return.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	ExpungeAfterSeconds *int32 `json:"expungeAfterSeconds,omitempty"`
}
