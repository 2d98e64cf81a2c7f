// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"encoding/json"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// App is an app definition of Marathon, as it is read and written. A field that
// is not there is nil; where an empty list means something else than none, it
// is empty but not nil. Encoded as JSON, the result of FromApp is what
// Marathon's GET shows of a definition.
type App struct {
	ID                         string               `json:"id"`
	AcceptedResourceRoles      []string             `json:"acceptedResourceRoles,omitzero"`
	Args                       []string             `json:"args,omitempty"`
	BackoffFactor              *float64             `json:"backoffFactor,omitempty"`
	BackoffSeconds             *int32               `json:"backoffSeconds,omitempty"`
	Cmd                        *string              `json:"cmd,omitempty"`
	Constraints                [][]string           `json:"constraints,omitempty"`
	Container                  *Container           `json:"container,omitempty"`
	Cpus                       *float64             `json:"cpus,omitempty"`
	Dependencies               []string             `json:"dependencies,omitempty"`
	Disk                       *float64             `json:"disk,omitempty"`
	Env                        map[string]EnvValue  `json:"env,omitempty"`
	Executor                   *string              `json:"executor,omitempty"`
	ExecutorResources          *ExecutorResources   `json:"executorResources,omitempty"`
	Fetch                      []Artifact           `json:"fetch,omitempty"`
	HealthChecks               []HealthCheck        `json:"healthChecks,omitempty"`
	Check                      *Check               `json:"check,omitempty"`
	Instances                  *int32               `json:"instances,omitempty"`
	Labels                     map[string]string    `json:"labels,omitzero"`
	MaxLaunchDelaySeconds      *int32               `json:"maxLaunchDelaySeconds,omitempty"`
	Mem                        *float64             `json:"mem,omitempty"`
	Gpus                       *int32               `json:"gpus,omitempty"`
	Networks                   []Network            `json:"networks,omitempty"`
	PortDefinitions            []PortDefinition     `json:"portDefinitions,omitzero"`
	ReadinessChecks            []ReadinessCheck     `json:"readinessChecks,omitempty"`
	Residency                  *Residency           `json:"residency,omitempty"`
	ResourceLimits             *ResourceLimits      `json:"resourceLimits,omitempty"`
	RequirePorts               *bool                `json:"requirePorts,omitempty"`
	Secrets                    map[string]SecretDef `json:"secrets,omitempty"`
	TaskKillGracePeriodSeconds *int32               `json:"taskKillGracePeriodSeconds,omitempty"`
	UpgradeStrategy            *UpgradeStrategy     `json:"upgradeStrategy,omitempty"`
	User                       *string              `json:"user,omitempty"`

	KillSelection       v1alpha1.KillSelection `json:"killSelection,omitempty"`
	UnreachableStrategy *UnreachableStrategy   `json:"unreachableStrategy,omitempty"`
	TTY                 *bool                  `json:"tty,omitempty"`
	Role                *string                `json:"role,omitempty"`

	// What Marathon did not have: written only where it is used.
	DrainSeconds *int32            `json:"drainSeconds,omitempty"`
	PerNode      *bool             `json:"perNode,omitempty"`
	Rollout      *v1alpha1.Rollout `json:"rollout,omitempty"`
	Suspend      *bool             `json:"suspend,omitempty"`

	// Deprecated forms: read, and never written.
	IPAddress *IPAddress `json:"ipAddress,omitempty"`
	Ports     []int32    `json:"ports,omitzero"`
	URIs      []string   `json:"uris,omitzero"`
}

// EnvValue is the value of an environment variable: a text, or the name of a secret.
type EnvValue struct {
	Value  string
	Secret *string
}

// MarshalJSON encodes a text as such and a secret as {"secret": name}.
func (v EnvValue) MarshalJSON() ([]byte, error) {
	if v.Secret != nil {
		return json.Marshal(map[string]string{"secret": *v.Secret})
	}
	return json.Marshal(v.Value)
}

// SecretDef names an entry of the secret store.
type SecretDef struct {
	Source string `json:"source"`
}

// Artifact is a file to fetch into the sandbox.
type Artifact struct {
	URI        string  `json:"uri"`
	Extract    *bool   `json:"extract,omitempty"`
	Executable *bool   `json:"executable,omitempty"`
	Cache      *bool   `json:"cache,omitempty"`
	DestPath   *string `json:"destPath,omitempty"`
}

// ExecutorResources are added to what a task asks for: cores, MiB, MiB.
type ExecutorResources struct {
	Cpus *float64 `json:"cpus,omitempty"`
	Mem  *float64 `json:"mem,omitempty"`
	Disk *float64 `json:"disk,omitempty"`
}

// ResourceLimits are what a task may use at most, cores and MiB.
type ResourceLimits struct {
	Cpus *ResourceLimit `json:"cpus,omitempty"`
	Mem  *ResourceLimit `json:"mem,omitempty"`
}

// ResourceLimit is a number or a text, which has to be "unlimited".
type ResourceLimit struct {
	Number float64
	Text   *string
}

// MarshalJSON encodes the number or the text.
func (l ResourceLimit) MarshalJSON() ([]byte, error) {
	if l.Text != nil {
		return json.Marshal(*l.Text)
	}
	return json.Marshal(l.Number)
}

// Residency is what apps with persistent volumes once said about lost tasks. It
// has no effect.
type Residency struct {
	RelaunchEscalationTimeoutSeconds *int64 `json:"relaunchEscalationTimeoutSeconds,omitempty"`
	TaskLostBehavior                 string `json:"taskLostBehavior,omitempty"`
}

// UpgradeStrategy says how an upgrade replaces tasks; both are shares of the
// instances, 0 to 1.
type UpgradeStrategy struct {
	MaximumOverCapacity   float64 `json:"maximumOverCapacity"`
	MinimumHealthCapacity float64 `json:"minimumHealthCapacity"`
}

// UnreachableStrategy says what happens to tasks on a lost node: nothing, if
// disabled, or a replacement and the end of the old one, each after so many
// seconds.
type UnreachableStrategy struct {
	Disabled             bool
	InactiveAfterSeconds int64
	ExpungeAfterSeconds  int64
}

// MarshalJSON encodes "disabled" or an object with the two times.
func (s UnreachableStrategy) MarshalJSON() ([]byte, error) {
	if s.Disabled {
		return json.Marshal("disabled")
	}
	return json.Marshal(struct {
		InactiveAfterSeconds int64 `json:"inactiveAfterSeconds"`
		ExpungeAfterSeconds  int64 `json:"expungeAfterSeconds"`
	}{s.InactiveAfterSeconds, s.ExpungeAfterSeconds})
}

// Network is a network the tasks are on.
type Network struct {
	Name   *string              `json:"name,omitempty"`
	Mode   v1alpha1.NetworkMode `json:"mode,omitempty"`
	Labels map[string]string    `json:"labels,omitempty"`
}

// PortDefinition is a port of an app on the host network.
type PortDefinition struct {
	Port     *int32            `json:"port,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Name     *string           `json:"name,omitempty"`
	Protocol v1alpha1.Protocol `json:"protocol,omitempty"`
}

// IPAddress is the deprecated way to ask for a network of one's own.
type IPAddress struct {
	Discovery   *IPDiscovery      `json:"discovery,omitempty"`
	Groups      []string          `json:"groups,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	NetworkName *string           `json:"networkName,omitempty"`
}

// IPDiscovery lists the ports of an app with an IPAddress.
type IPDiscovery struct {
	Ports []IPDiscoveryPort `json:"ports,omitempty"`
}

// IPDiscoveryPort is a port of an app with an IPAddress.
type IPDiscoveryPort struct {
	Number   *int32            `json:"number,omitempty"`
	Name     string            `json:"name"`
	Protocol v1alpha1.Protocol `json:"protocol,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}
