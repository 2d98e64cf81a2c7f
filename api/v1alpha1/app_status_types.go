// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// VersionInfo tells the kinds of change of an App apart.
type VersionInfo struct {
	// lastScalingAt is the version that changed instances last.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	LastScalingAt string `json:"lastScalingAt,omitempty"`
	// lastConfigChangeAt is the version that changed anything else, or
	// restarted the app, last. Tasks of older versions are replaced.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	LastConfigChangeAt string `json:"lastConfigChangeAt,omitempty"`
}

// LaunchBackoff is the state of an App's launch delay. It belongs to one
// configuration; a new one starts without delay.
type LaunchBackoff struct {
	// failures is the number of task failures that make up the delay.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// lastFailureTime is when the last of them happened.
	// +optional
	LastFailureTime metav1.Time `json:"lastFailureTime,omitzero"`
	// nextLaunchTime is when the next task may start.
	// +optional
	NextLaunchTime metav1.Time `json:"nextLaunchTime,omitzero"`
}

// TaskFailure is the last failure of a task, as Marathon reports it.
type TaskFailure struct {
	// taskId is the Marathon id of the task.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	TaskID string `json:"taskId,omitempty"`
	// state is the task state, such as TASK_FAILED.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	State string `json:"state,omitempty"`
	// message says what happened.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// host is the address of the node the task ran on.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Host string `json:"host,omitempty"`
	// version is the app version the task ran.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Version string `json:"version,omitempty"`
	// timestamp is when it happened.
	// +optional
	Timestamp metav1.Time `json:"timestamp,omitzero"`
}

// AvailableVersion is a version of an App that had all its instances ready.
type AvailableVersion struct {
	// version of the App.
	// +kubebuilder:validation:MaxLength=32
	// +required
	Version string `json:"version,omitempty"`
	// configHash names its configuration.
	// +kubebuilder:validation:MaxLength=63
	// +required
	ConfigHash string `json:"configHash,omitempty"`
}

// RolledBack says what became of a version that could not be rolled out.
type RolledBack struct {
	// from is the version that failed.
	// +kubebuilder:validation:MaxLength=32
	// +required
	From string `json:"from,omitempty"`
	// to is the version that runs instead.
	// +kubebuilder:validation:MaxLength=32
	// +required
	To string `json:"to,omitempty"`
	// message says why it failed.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
	// timestamp is when it was given up.
	// +optional
	Timestamp metav1.Time `json:"timestamp,omitzero"`
}

// AppStatus is what was seen of an App.
type AppStatus struct {
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, and Reconciling and Stalled while they are true.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// version is the Marathon version of the current definition: an RFC 3339
	// time in UTC with milliseconds. Every change of the spec makes a new one.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Version string `json:"version,omitempty"`

	// versionInfo tells scaling from configuration changes.
	// +optional
	VersionInfo VersionInfo `json:"versionInfo,omitzero"`

	// configHash names the current configuration: pods carry it as the label
	// kdcos.io/config.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ConfigHash string `json:"configHash,omitempty"`

	// specHash names what the spec asks for, where tasks run it under another
	// name: it was changed in place, or is rolled back.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	SpecHash string `json:"specHash,omitempty"`

	// lastAvailable is the version that last had all its instances ready.
	// +optional
	LastAvailable *AvailableVersion `json:"lastAvailable,omitempty"`

	// rolledBack says that the spec could not be rolled out, and what runs
	// instead. A new configuration ends it.
	// +optional
	RolledBack *RolledBack `json:"rolledBack,omitempty"`

	// resumedAt is when the deployment went on that had been held. Its deadline
	// counts from then.
	// +optional
	ResumedAt metav1.Time `json:"resumedAt,omitzero"`

	// dependenciesMet is the configuration whose dependencies were ready once:
	// from then on it does not wait for them.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	DependenciesMet string `json:"dependenciesMet,omitempty"`

	// targetInstances is the number of instances that version stands for.
	// +optional
	TargetInstances int32 `json:"targetInstances,omitempty"`

	// selector selects the pods of the App, for the scale subresource.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Selector string `json:"selector,omitempty"`

	// instances is the number of pods there are, those that are being stopped left out.
	// +optional
	Instances int32 `json:"instances"`

	// instancesUpToDate is how many of them run the current configuration.
	// +optional
	InstancesUpToDate int32 `json:"instancesUpToDate"`

	// tasksStaged is the number of tasks that do not run yet.
	// +optional
	TasksStaged int32 `json:"tasksStaged"`

	// tasksRunning is the number of running tasks.
	// +optional
	TasksRunning int32 `json:"tasksRunning"`

	// tasksHealthy is how many running tasks pass their health checks; 0 without checks.
	// +optional
	TasksHealthy int32 `json:"tasksHealthy"`

	// tasksUnhealthy is how many running tasks do not.
	// +optional
	TasksUnhealthy int32 `json:"tasksUnhealthy"`

	// servicePorts are the service ports of the App, one for each of its ports:
	// those of the spec, and where that asks for any, those it was given. It keeps them.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	ServicePorts []int32 `json:"servicePorts,omitempty"`

	// backoff is the state of the launch delay, while there is one.
	// +optional
	Backoff *LaunchBackoff `json:"backoff,omitempty"`

	// lastTaskFailure is the last failure of a task of this App.
	// +optional
	LastTaskFailure *TaskFailure `json:"lastTaskFailure,omitempty"`
}
