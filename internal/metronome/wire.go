// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"encoding/json"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Job is a job of Metronome with all defaults in it, as it is answered. Fields
// that Metronome does not have are absent where they have their default.
type Job struct {
	ID           string            `json:"id"`
	Description  *string           `json:"description,omitempty"`
	Dependencies []Dependency      `json:"dependencies"`
	Labels       map[string]string `json:"labels"`
	Schedules    []Schedule        `json:"schedules"`
	Run          Run               `json:"run"`

	// Not Metronome's.
	SuccessfulRunsHistoryLimit *int32 `json:"successfulRunsHistoryLimit,omitempty"`
	FailedRunsHistoryLimit     *int32 `json:"failedRunsHistoryLimit,omitempty"`
}

// Dependency is a job that runs before.
type Dependency struct {
	ID string `json:"id"`

	// Not Metronome's.
	OnFailure v1alpha1.ParentFailure `json:"onFailure,omitempty"`
}

// Schedule says when a job runs. nextRunAt is added by who knows the time.
type Schedule struct {
	ID                      string                     `json:"id"`
	Cron                    string                     `json:"cron"`
	Timezone                string                     `json:"timezone"`
	StartingDeadlineSeconds int32                      `json:"startingDeadlineSeconds"`
	ConcurrencyPolicy       v1alpha1.ConcurrencyPolicy `json:"concurrencyPolicy"`
	Enabled                 bool                       `json:"enabled"`

	// Not Metronome's.
	Dialect     v1alpha1.CronDialect `json:"dialect,omitempty"`
	MissedTicks v1alpha1.MissedTicks `json:"missedTicks,omitempty"`
}

// Run is what a run of a job executes.
type Run struct {
	Cpus                       float64           `json:"cpus"`
	Mem                        float64           `json:"mem"`
	Disk                       float64           `json:"disk"`
	Gpus                       int32             `json:"gpus"`
	Cmd                        *string           `json:"cmd,omitempty"`
	Args                       []string          `json:"args,omitempty"`
	User                       *string           `json:"user,omitempty"`
	Env                        map[string]Env    `json:"env"`
	Placement                  Placement         `json:"placement"`
	Artifacts                  []Artifact        `json:"artifacts"`
	MaxLaunchDelay             int32             `json:"maxLaunchDelay"`
	Docker                     *Docker           `json:"docker,omitempty"`
	UCR                        *UCR              `json:"ucr,omitempty"`
	Volumes                    []Volume          `json:"volumes"`
	Restart                    Restart           `json:"restart"`
	TaskKillGracePeriodSeconds *int32            `json:"taskKillGracePeriodSeconds,omitempty"`
	Secrets                    map[string]Secret `json:"secrets"`
	Networks                   []Network         `json:"networks"`

	// Not Metronome's.
	LostAfterSeconds *int32 `json:"lostAfterSeconds,omitempty"`
}

// Env is the value of an environment variable: a text, or the name of a secret.
type Env struct {
	Value  string
	Secret *string
}

// MarshalJSON writes a text, or {"secret": …}.
func (e Env) MarshalJSON() ([]byte, error) {
	if e.Secret != nil {
		return json.Marshal(map[string]string{"secret": *e.Secret})
	}
	return json.Marshal(e.Value)
}

// Secret is an entry of the secret store.
type Secret struct {
	Source string `json:"source"`
}

// Placement says where runs may be.
type Placement struct {
	Constraints []Constraint `json:"constraints"`
}

// Constraint is what is asked of an attribute of nodes.
type Constraint struct {
	Attribute string                     `json:"attribute"`
	Operator  v1alpha1.PlacementOperator `json:"operator"`
	Value     *string                    `json:"value,omitempty"`
}

// Artifact is a file in the sandbox.
type Artifact struct {
	URI        string `json:"uri"`
	Extract    bool   `json:"extract"`
	Executable bool   `json:"executable"`
	Cache      bool   `json:"cache"`
}

// Docker is an image of the Docker engine.
type Docker struct {
	Image          string                     `json:"image"`
	Privileged     bool                       `json:"privileged"`
	Parameters     []v1alpha1.DockerParameter `json:"parameters"`
	ForcePullImage bool                       `json:"forcePullImage"`
}

// UCR is an image of the Universal Container Runtime.
type UCR struct {
	Image      Image `json:"image"`
	Privileged bool  `json:"privileged"`
}

// Image of the Universal Container Runtime.
type Image struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	ForcePull bool   `json:"forcePull"`
}

// Volume is a path of the node or a file of a secret.
type Volume struct {
	ContainerPath string              `json:"containerPath"`
	HostPath      *string             `json:"hostPath,omitempty"`
	Mode          v1alpha1.VolumeMode `json:"mode,omitempty"`
	Secret        *string             `json:"secret,omitempty"`
}

// Restart says what follows on a task that fails.
type Restart struct {
	Policy                v1alpha1.RestartPolicy `json:"policy"`
	ActiveDeadlineSeconds *int32                 `json:"activeDeadlineSeconds,omitempty"`
}

// Network is a network of runs.
type Network struct {
	Name   *string              `json:"name,omitempty"`
	Mode   v1alpha1.NetworkMode `json:"mode"`
	Labels map[string]string    `json:"labels,omitempty"`
}
