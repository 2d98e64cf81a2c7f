// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import "github.com/kdcos/kdcos/api/v1alpha1"

// HealthCheck decides whether a task is healthy; times in seconds.
type HealthCheck struct {
	Command                *HealthCommand               `json:"command,omitempty"`
	GracePeriodSeconds     *int32                       `json:"gracePeriodSeconds,omitempty"`
	IgnoreHTTP1xx          *bool                        `json:"ignoreHttp1xx,omitempty"`
	IntervalSeconds        *int32                       `json:"intervalSeconds,omitempty"`
	MaxConsecutiveFailures *int32                       `json:"maxConsecutiveFailures,omitempty"`
	Path                   *string                      `json:"path,omitempty"`
	Port                   *int32                       `json:"port,omitempty"`
	PortIndex              *int32                       `json:"portIndex,omitempty"`
	Protocol               v1alpha1.HealthCheckProtocol `json:"protocol,omitempty"`
	IPProtocol             string                       `json:"ipProtocol,omitempty"`
	TimeoutSeconds         *int32                       `json:"timeoutSeconds,omitempty"`
	DelaySeconds           *int32                       `json:"delaySeconds,omitempty"`
}

// HealthCommand is the command of a health check.
type HealthCommand struct {
	Value string `json:"value"`
}

// Check reports a task's state, by one of its three kinds; times in seconds.
type Check struct {
	HTTP            *HTTPCheck `json:"http,omitempty"`
	TCP             *TCPCheck  `json:"tcp,omitempty"`
	Exec            *ExecCheck `json:"exec,omitempty"`
	IntervalSeconds *int32     `json:"intervalSeconds,omitempty"`
	TimeoutSeconds  *int32     `json:"timeoutSeconds,omitempty"`
	DelaySeconds    *int32     `json:"delaySeconds,omitempty"`
}

// HTTPCheck asks for a page.
type HTTPCheck struct {
	PortIndex *int32  `json:"portIndex,omitempty"`
	Port      *int32  `json:"port,omitempty"`
	Path      *string `json:"path,omitempty"`
	Scheme    string  `json:"scheme,omitempty"`
}

// TCPCheck opens a connection.
type TCPCheck struct {
	PortIndex *int32 `json:"portIndex,omitempty"`
	Port      *int32 `json:"port,omitempty"`
}

// ExecCheck runs a command.
type ExecCheck struct {
	Command ShellOrArgv `json:"command"`
}

// ShellOrArgv is a command for a shell, or a list of arguments.
type ShellOrArgv struct {
	Shell *string  `json:"shell,omitempty"`
	Argv  []string `json:"argv,omitempty"`
}

// ReadinessCheck gates a deployment; times in seconds.
type ReadinessCheck struct {
	Name                    *string `json:"name,omitempty"`
	Protocol                string  `json:"protocol,omitempty"`
	Path                    *string `json:"path,omitempty"`
	PortName                *string `json:"portName,omitempty"`
	IntervalSeconds         *int32  `json:"intervalSeconds,omitempty"`
	TimeoutSeconds          *int32  `json:"timeoutSeconds,omitempty"`
	HTTPStatusCodesForReady []int32 `json:"httpStatusCodesForReady,omitempty"`
	PreserveLastResponse    *bool   `json:"preserveLastResponse,omitempty"`
}
