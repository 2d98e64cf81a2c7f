// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TriggerType is what started a run.
// +kubebuilder:validation:Enum=Manual;Schedule;Dependencies
type TriggerType string

// What starts runs.
const (
	TriggerManual       TriggerType = "Manual"
	TriggerSchedule     TriggerType = "Schedule"
	TriggerDependencies TriggerType = "Dependencies"
)

// Trigger says what started a run.
// +kubebuilder:validation:XValidation:rule="has(self.schedule) == (self.type == 'Schedule') && has(self.scheduledAt) == (self.type == 'Schedule')",message="schedule and scheduledAt are for the type Schedule, and it needs both"
// +kubebuilder:validation:XValidation:rule="has(self.parents) == (self.type == 'Dependencies')",message="parents are for the type Dependencies, and it needs them"
type Trigger struct {
	// type of the trigger.
	// +kubebuilder:default=Manual
	// +optional
	Type TriggerType `json:"type,omitempty"`
	// schedule is the id of the schedule.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Schedule string `json:"schedule,omitempty"`
	// scheduledAt is the tick.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +optional
	ScheduledAt metav1.Time `json:"scheduledAt,omitzero"`
	// parents are the runs of the job's dependencies that this one follows on.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=id
	// +optional
	Parents []ParentRun `json:"parents,omitempty"`
}

// JobRunSpec is what a run was started for, and what it executes. Only stop can
// change.
//
// +kubebuilder:validation:XValidation:rule="self.jobName == oldSelf.jobName && self.trigger == oldSelf.trigger && self.run == oldSelf.run && has(self.labels) == has(oldSelf.labels) && (!has(self.labels) || self.labels == oldSelf.labels) && has(self.startingDeadlineSeconds) == has(oldSelf.startingDeadlineSeconds) && (!has(self.startingDeadlineSeconds) || self.startingDeadlineSeconds == oldSelf.startingDeadlineSeconds)",message="a run never changes: only stop can be set"
// +kubebuilder:validation:XValidation:rule="!oldSelf.?stop.orValue(false) || self.?stop.orValue(false)",message="a run that was stopped can't be started again: make a new one"
type JobRunSpec struct {
	// jobName is the Job, of the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=228
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`
	// +required
	JobName string `json:"jobName,omitempty"`
	// trigger says what started the run.
	// +kubebuilder:default={type: Manual}
	// +optional
	Trigger Trigger `json:"trigger,omitzero"`
	// labels are those of the job when the run was started.
	// +kubebuilder:validation:MaxProperties=512
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`
	// run is what is executed: that of the job when the run was started.
	// +required
	Run Run `json:"run,omitzero"`
	// startingDeadlineSeconds is how long the run may wait for its first task to
	// be placed on a node. Without it, it waits for ever.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	StartingDeadlineSeconds *int32 `json:"startingDeadlineSeconds,omitempty"`
	// stop ends the run, which then has failed.
	// +optional
	Stop *bool `json:"stop,omitempty"`
}

// RunState is how far a run is, in Metronome's words.
// +kubebuilder:validation:Enum=INITIAL;STARTING;ACTIVE;SUCCESS;FAILED
type RunState string

// The states of a run.
const (
	// RunInitial waits for its first task to be placed on a node.
	RunInitial RunState = "INITIAL"
	// RunStarting has a task on a node that does not run yet, or follows on one that failed.
	RunStarting RunState = "STARTING"
	// RunActive has a task that runs.
	RunActive RunState = "ACTIVE"
	// RunSuccess has had a task that ended well.
	RunSuccess RunState = "SUCCESS"
	// RunFailed will have no more tasks.
	RunFailed RunState = "FAILED"
)

// TaskState is the state of a task, in the words of Mesos.
// +kubebuilder:validation:Enum=TASK_CREATED;TASK_STAGING;TASK_STARTING;TASK_RUNNING;TASK_FINISHED;TASK_FAILED;TASK_KILLED
type TaskState string

// The states of a task.
const (
	TaskCreated  TaskState = "TASK_CREATED"
	TaskStaging  TaskState = "TASK_STAGING"
	TaskStarting TaskState = "TASK_STARTING"
	TaskRunning  TaskState = "TASK_RUNNING"
	TaskFinished TaskState = "TASK_FINISHED"
	TaskFailed   TaskState = "TASK_FAILED"
	TaskKilled   TaskState = "TASK_KILLED"
)

// Attempt is one task of a run.
type Attempt struct {
	// number of the attempt, from 1 on.
	// +kubebuilder:validation:Minimum=1
	// +required
	Number int32 `json:"number,omitempty"`
	// job is the name of the batch/v1 Job that runs it.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Job string `json:"job,omitempty"`
	// taskId is the id of the task, once there is one.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	TaskID string `json:"taskId,omitempty"`
	// pod that runs it.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Pod string `json:"pod,omitempty"`
	// node it is on.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Node string `json:"node,omitempty"`
	// state of the task.
	// +required
	State TaskState `json:"state,omitempty"`
	// createdAt is when the attempt was decided on.
	// +required
	CreatedAt metav1.Time `json:"createdAt,omitzero"`
	// placedAt is when a node was found for it.
	// +optional
	PlacedAt metav1.Time `json:"placedAt,omitzero"`
	// startedAt is when its container started.
	// +optional
	StartedAt metav1.Time `json:"startedAt,omitzero"`
	// completedAt is when it ended.
	// +optional
	CompletedAt metav1.Time `json:"completedAt,omitzero"`
	// reason says why it was ended, where it did not end by itself.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Reason string `json:"reason,omitempty"`
	// exitCode of its container.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`
	// message says why it failed, or what it waits for.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// JobRunStatus is what was seen of a run.
type JobRunStatus struct {
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, which is true once the run has succeeded, and
	// Reconciling and Stalled while they are true. Stalled is a run that failed.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// state is how far the run is.
	// +optional
	State RunState `json:"state,omitempty"`
	// startedAt is when its first task started.
	// +optional
	StartedAt metav1.Time `json:"startedAt,omitzero"`
	// completedAt is when the run ended. It has parts of a second, so that the
	// order of runs is known.
	// +optional
	CompletedAt metav1.MicroTime `json:"completedAt,omitzero"`
	// attemptCount is how many attempts there were.
	// +optional
	AttemptCount int32 `json:"attemptCount,omitempty"`
	// attempts are the last of them, the newest last. An attempt is written here
	// before anything is made for it.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=number
	// +optional
	Attempts []Attempt `json:"attempts,omitempty"`
}

// ID is what Metronome called the id of the run: its name, without that of the
// Job in front.
func (r *JobRun) ID() string { return strings.TrimPrefix(r.Name, r.Spec.JobName+"-") }

// GetConditions returns the conditions of the run.
func (r *JobRun) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions of the run.
func (r *JobRun) SetConditions(conditions []metav1.Condition) { r.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (r *JobRun) SetObservedGeneration(generation int64) { r.Status.ObservedGeneration = generation }

// Finished says that nothing more will become of the run.
func (s *JobRunStatus) Finished() bool { return s.State == RunSuccess || s.State == RunFailed }

// JobRun is one run of a Job.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=drun,categories=kdcos
// +kubebuilder:selectablefield:JSONPath=`.spec.jobName`
// +kubebuilder:selectablefield:JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Job",type=string,JSONPath=`.spec.jobName`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Trigger",type=string,JSONPath=`.spec.trigger.type`
// +kubebuilder:printcolumn:name="Attempts",type=integer,JSONPath=`.status.attemptCount`
// +kubebuilder:printcolumn:name="Completed",type=date,JSONPath=`.status.completedAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type JobRun struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what the run was started for.
	// +required
	Spec JobRunSpec `json:"spec,omitzero"`
	// status is what was seen of the run.
	// +kubebuilder:default={state: INITIAL, conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status JobRunStatus `json:"status,omitzero"`
}

// JobRunList is a list of JobRuns.
//
// +kubebuilder:object:root=true
type JobRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []JobRun `json:"items"`
}
