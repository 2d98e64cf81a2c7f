// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// HealthCheck decides whether a task is healthy, and when it is replaced.
// +kubebuilder:validation:XValidation:rule="(self.protocol == 'COMMAND') == has(self.command)",message="command goes with protocol COMMAND"
// +kubebuilder:validation:XValidation:rule="self.protocol != 'COMMAND' || (!has(self.port) && !has(self.portIndex) && !has(self.path))",message="a health check of protocol COMMAND has no port, portIndex or path"
// +kubebuilder:validation:XValidation:rule="!(self.protocol in ['TCP', 'MESOS_TCP']) || !has(self.path)",message="a TCP health check has no path"
// +kubebuilder:validation:XValidation:rule="!(has(self.port) && has(self.portIndex))",message="port and portIndex exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.ignoreHttp1xx) || !self.ignoreHttp1xx || self.protocol in ['HTTP', 'HTTPS']",message="ignoreHttp1xx is for the protocols HTTP and HTTPS"
// +kubebuilder:validation:XValidation:rule="self.ipProtocol == 'IPv4' || self.protocol in ['MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP']",message="ipProtocol IPv6 is for the protocols MESOS_HTTP, MESOS_HTTPS and MESOS_TCP"
type HealthCheck struct {
	// protocol is the kind of the check.
	// +kubebuilder:default=HTTP
	// +optional
	Protocol HealthCheckProtocol `json:"protocol,omitempty"`
	// port to check: a number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port *int32 `json:"port,omitempty"`
	// portIndex to check: the index of a port of the app. Without port and
	// portIndex, the first.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	PortIndex *int32 `json:"portIndex,omitempty"`
	// path of an HTTP check. Without it "/".
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path *string `json:"path,omitempty"`
	// command of a check of protocol COMMAND, run by /bin/sh -c in the container.
	// +optional
	Command *HealthCommandValue `json:"command,omitempty"`
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
	// timeoutSeconds of one check.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
	// delaySeconds before the first check, of the kinds made at the task.
	// +kubebuilder:default=15
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	DelaySeconds *int32 `json:"delaySeconds,omitempty"`
	// maxConsecutiveFailures before the task is killed. The kinds HTTP, HTTPS
	// and TCP kill at one more than that, and never at 0; the others kill at
	// that number, and at the first failure at 0.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	MaxConsecutiveFailures *int32 `json:"maxConsecutiveFailures,omitempty"`
	// ignoreHttp1xx takes an informational answer for no answer.
	// +optional
	IgnoreHTTP1xx *bool `json:"ignoreHttp1xx,omitempty"`
	// ipProtocol is the address family of the check.
	// +kubebuilder:default=IPv4
	// +kubebuilder:validation:Enum=IPv4;IPv6
	// +optional
	IPProtocol string `json:"ipProtocol,omitempty"`
}

// HealthCommandValue is the command of a health check.
type HealthCommandValue struct {
	// value is run by /bin/sh -c.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +required
	Value string `json:"value,omitempty"`
}

// Check reports a task's state: one of http, tcp and exec.
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.exec)].filter(x, x).size() == 1",message="a check is exactly one of http, tcp and exec"
type Check struct {
	// http asks for a page.
	// +optional
	HTTP *HTTPCheck `json:"http,omitempty"`
	// tcp opens a connection.
	// +optional
	TCP *TCPCheck `json:"tcp,omitempty"`
	// exec runs a command.
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

// HTTPCheck asks for a page.
type HTTPCheck struct {
	// port to check: a number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port *int32 `json:"port,omitempty"`
	// portIndex to check: the index of a port of the app.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	PortIndex *int32 `json:"portIndex,omitempty"`
	// path of the page.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path *string `json:"path,omitempty"`
	// scheme of the page.
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +optional
	Scheme *string `json:"scheme,omitempty"`
}

// TCPCheck opens a connection.
type TCPCheck struct {
	// port to check: a number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port *int32 `json:"port,omitempty"`
	// portIndex to check: the index of a port of the app.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	PortIndex *int32 `json:"portIndex,omitempty"`
}

// ExecCheck runs a command in the container.
type ExecCheck struct {
	// command to run.
	// +required
	Command ShellOrArgv `json:"command,omitzero"`
}

// ShellOrArgv is a command: for a shell, or as a list of arguments.
// +kubebuilder:validation:XValidation:rule="has(self.shell) != has(self.argv)",message="a command is either shell or argv"
type ShellOrArgv struct {
	// shell is run by /bin/sh -c.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	Shell *string `json:"shell,omitempty"`
	// argv is run as it is.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	Argv []string `json:"argv,omitempty"`
}

// ReadinessCheck gates a rollout, once a task, until it succeeds.
// +kubebuilder:validation:XValidation:rule="self.timeoutSeconds < self.intervalSeconds",message="timeoutSeconds must be less than intervalSeconds"
type ReadinessCheck struct {
	// name of the check.
	// +kubebuilder:default=readinessCheck
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Name string `json:"name,omitempty"`
	// protocol of the check.
	// +kubebuilder:default=HTTP
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	// +optional
	Protocol string `json:"protocol,omitempty"`
	// path of the page.
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`
	// portName is the name of a port of the app.
	// +kubebuilder:default=http-api
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PortName string `json:"portName,omitempty"`
	// intervalSeconds between two checks.
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty"`
	// timeoutSeconds of one check.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
	// httpStatusCodesForReady are the answers that mean ready.
	// +kubebuilder:default={200}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=100
	// +kubebuilder:validation:items:Maximum=999
	// +listType=set
	// +optional
	HTTPStatusCodesForReady []int32 `json:"httpStatusCodesForReady,omitempty"`
	// preserveLastResponse shows the last answer in the rollout's state.
	// +optional
	PreserveLastResponse *bool `json:"preserveLastResponse,omitempty"`
}
