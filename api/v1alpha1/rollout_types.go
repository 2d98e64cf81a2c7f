// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"k8s.io/utils/ptr"
)

// RolloutFailure is what happens to an upgrade that makes no progress.
// +kubebuilder:validation:Enum=Pause;Rollback
type RolloutFailure string

// What happens to an upgrade that makes no progress.
const (
	// FailurePause leaves the App as it is: tasks of both configurations stay.
	FailurePause RolloutFailure = "Pause"
	// FailureRollback goes back to the version that was last available whole.
	FailureRollback RolloutFailure = "Rollback"
)

// InPlaceField is a field of an App that may change and restart no task.
// +kubebuilder:validation:Enum=labels;constraints;acceptedResourceRoles;upgradeStrategy;killSelection;unreachableStrategy;backoffSeconds;backoffFactor;maxLaunchDelaySeconds;dependencies
type InPlaceField string

// The fields that may change in place.
const (
	InPlaceLabels                InPlaceField = "labels"
	InPlaceConstraints           InPlaceField = "constraints"
	InPlaceAcceptedResourceRoles InPlaceField = "acceptedResourceRoles"
	InPlaceUpgradeStrategy       InPlaceField = "upgradeStrategy"
	InPlaceKillSelection         InPlaceField = "killSelection"
	InPlaceUnreachableStrategy   InPlaceField = "unreachableStrategy"
	InPlaceBackoffSeconds        InPlaceField = "backoffSeconds"
	InPlaceBackoffFactor         InPlaceField = "backoffFactor"
	InPlaceMaxLaunchDelaySeconds InPlaceField = "maxLaunchDelaySeconds"
	InPlaceDependencies          InPlaceField = "dependencies"
)

// InPlaceFields are all fields that may change in place.
func InPlaceFields() []InPlaceField {
	return []InPlaceField{
		InPlaceLabels, InPlaceConstraints, InPlaceAcceptedResourceRoles, InPlaceUpgradeStrategy, InPlaceKillSelection,
		InPlaceUnreachableStrategy, InPlaceBackoffSeconds, InPlaceBackoffFactor, InPlaceMaxLaunchDelaySeconds, InPlaceDependencies,
	}
}

// Rollout says how kdcos goes from one configuration to the next, beyond what
// Marathon knew. To change it is no new version, and restarts no task.
// +kubebuilder:validation:XValidation:rule="!has(self.onFailure) || has(self.progressDeadlineSeconds)",message="onFailure needs progressDeadlineSeconds: without it, no upgrade counts as failed"
type Rollout struct {
	// paused holds an upgrade where it is. Tasks of both configurations are
	// kept up as they are; to scale the App changes the number of the old ones.
	// +optional
	Paused *bool `json:"paused,omitempty"`

	// canaryInstances is how many tasks of a new configuration an upgrade
	// brings before it waits: until the number is raised, or taken away.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	CanaryInstances *int32 `json:"canaryInstances,omitempty"`

	// progressDeadlineSeconds is how long no task may become ready before a
	// deployment counts as failed, in seconds. Without it, it is never.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// onFailure is what happens to an upgrade that failed. Without it, Pause.
	// +optional
	OnFailure *RolloutFailure `json:"onFailure,omitempty"`

	// inPlace are the fields whose change restarts no task: what runs keeps
	// what it was launched with, what is launched later has the new value.
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	// +optional
	InPlace []InPlaceField `json:"inPlace,omitempty"`
}

// Paused reports whether upgrades are held where they are.
func (s *AppSpec) Paused() bool { return s.Rollout != nil && ptr.Deref(s.Rollout.Paused, false) }

// CanaryInstances is how many tasks an upgrade brings before it waits, and
// whether it does.
func (s *AppSpec) CanaryInstances() (n int32, waits bool) {
	if s.Rollout == nil || s.Rollout.CanaryInstances == nil {
		return 0, false
	}
	return *s.Rollout.CanaryInstances, true
}

// ProgressDeadline is how long no task may become ready before a deployment
// counts as failed; 0 is no such time.
func (s *AppSpec) ProgressDeadline() time.Duration {
	if s.Rollout == nil {
		return 0
	}
	return time.Duration(ptr.Deref(s.Rollout.ProgressDeadlineSeconds, 0)) * time.Second
}

// RollsBack reports whether an upgrade that failed is rolled back.
func (s *AppSpec) RollsBack() bool {
	return s.Rollout != nil && ptr.Deref(s.Rollout.OnFailure, FailurePause) == FailureRollback
}

// InPlace are the fields whose change restarts no task.
func (s *AppSpec) InPlace() []InPlaceField {
	if s.Rollout == nil {
		return nil
	}
	return s.Rollout.InPlace
}
