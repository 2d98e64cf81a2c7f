// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// JobSpec is a Metronome job in its canonical form: Metronome's field names,
// meaning and units.
//
// +kubebuilder:validation:XValidation:rule="!has(self.schedules) || size(self.schedules) == 0 || !has(self.dependencies) || size(self.dependencies) == 0",message="schedules and dependencies exclude each other: a job runs by the clock or after others"
type JobSpec struct {
	// description tells people what the job is for.
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	Description *string `json:"description,omitempty"`

	// labels are metadata of the job. They are Metronome's: any text. They also
	// reach tasks as MARATHON_APP_LABEL_* variables.
	// +kubebuilder:validation:MaxProperties=512
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// dependencies are jobs after which this one runs: once each of them has
	// succeeded since this one was started last.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=id
	// +optional
	Dependencies []JobDependency `json:"dependencies,omitempty"`

	// schedules say when the job runs. There can be one.
	// +kubebuilder:validation:MaxItems=1
	// +listType=map
	// +listMapKey=id
	// +optional
	Schedules []Schedule `json:"schedules,omitempty"`

	// run is what a run of the job executes. A change reaches the next run.
	// +required
	Run Run `json:"run,omitzero"`

	// successfulRunsHistoryLimit is how many runs that succeeded are kept.
	// Counters go on after them.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	SuccessfulRunsHistoryLimit *int32 `json:"successfulRunsHistoryLimit,omitempty"`

	// failedRunsHistoryLimit is how many runs that failed are kept.
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	FailedRunsHistoryLimit *int32 `json:"failedRunsHistoryLimit,omitempty"`
}

// JobDependency is a job that another runs after.
type JobDependency struct {
	// id of the job, such as data.extract: the namespace data, and in it extract.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^([a-z0-9]+(-+[a-z0-9]+)*)(\.[a-z0-9]+(-+[a-z0-9]+)*)*$`
	// +required
	ID string `json:"id,omitempty"`
	// onFailure says what a run of that job that failed means for this one. It is
	// Chronos' softError; Metronome always waited.
	// +kubebuilder:default=Wait
	// +optional
	OnFailure ParentFailure `json:"onFailure,omitempty"`
}

// ParentFailure says what the failure of a job means for those that depend on it.
// +kubebuilder:validation:Enum=Wait;Run
type ParentFailure string

// What the failure of a parent means.
const (
	// ParentFailureWait waits for it to succeed.
	ParentFailureWait ParentFailure = "Wait"
	// ParentFailureRun counts it like a success.
	ParentFailureRun ParentFailure = "Run"
)

// CronDialect is a way to read an expression of cron.
// +kubebuilder:validation:Enum=metronome;standard
type CronDialect string

// The dialects.
const (
	// CronMetronome is what Metronome reads: a day has to match both of its
	// fields, 0 and 7 are Sunday, L, W and # are there, a sixth field is the year.
	CronMetronome CronDialect = "metronome"
	// CronStandard is what CronJob reads: a day matches one of its fields, and
	// there are macros such as @daily.
	CronStandard CronDialect = "standard"
)

// ConcurrencyPolicy says what a tick does while the job has a run.
// +kubebuilder:validation:Enum=ALLOW;FORBID
type ConcurrencyPolicy string

// The policies.
const (
	// ConcurrencyAllow starts another run.
	ConcurrencyAllow ConcurrencyPolicy = "ALLOW"
	// ConcurrencyForbid drops the tick, for good.
	ConcurrencyForbid ConcurrencyPolicy = "FORBID"
)

// MissedTicks says what becomes of ticks that nobody looked at in time.
// +kubebuilder:validation:Enum=Drop;Latest
type MissedTicks string

// What becomes of missed ticks.
const (
	// MissedTicksDrop drops them, as Metronome did after a fail-over.
	MissedTicksDrop MissedTicks = "Drop"
	// MissedTicksLatest starts the last of them late, if it is no older than
	// startingDeadlineSeconds and five minutes.
	MissedTicksLatest MissedTicks = "Latest"
)

// Schedule says when a job runs.
type Schedule struct {
	// id of the schedule.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ID string `json:"id,omitempty"`
	// cron is the expression that says at which minutes the job runs.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Cron string `json:"cron,omitempty"`
	// dialect of the expression.
	// +kubebuilder:default=metronome
	// +optional
	Dialect CronDialect `json:"dialect,omitempty"`
	// timezone of the expression, by its name in the IANA database.
	// +kubebuilder:default=UTC
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Timezone string `json:"timezone,omitempty"`
	// startingDeadlineSeconds is how long a run may wait for its first task to be
	// placed on a node, from its creation on. Then it has failed.
	// +kubebuilder:default=900
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	StartingDeadlineSeconds *int32 `json:"startingDeadlineSeconds,omitempty"`
	// concurrencyPolicy says what a tick does while the job has a run, be it one
	// that was started by hand or still waits.
	// +kubebuilder:default=ALLOW
	// +optional
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`
	// enabled lets the schedule start runs.
	// +kubebuilder:default=true
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// missedTicks says what becomes of ticks that came while no manager ran.
	// +kubebuilder:default=Latest
	// +optional
	MissedTicks MissedTicks `json:"missedTicks,omitempty"`
}

// ParentRun is a finished run of a job that others depend on.
type ParentRun struct {
	// id of the job.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	ID string `json:"id,omitempty"`
	// run is the name of its JobRun.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Run string `json:"run,omitempty"`
	// completedAt is when it finished, to a millionth of a second.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +required
	CompletedAt metav1.MicroTime `json:"completedAt,omitzero"`
}

// ScheduleStatus is where a schedule is.
type ScheduleStatus struct {
	// id of the schedule.
	// +kubebuilder:validation:MaxLength=253
	// +required
	ID string `json:"id,omitempty"`
	// cron is the expression as Metronome writes it.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Cron string `json:"cron,omitempty"`
	// hash of what decides when it fires.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Hash string `json:"hash,omitempty"`
	// since is when the schedule became as it is, or was enabled. Ticks before
	// that are none.
	// +optional
	Since metav1.Time `json:"since,omitzero"`
	// lastTickAt is the last tick that was decided about.
	// +optional
	LastTickAt metav1.Time `json:"lastTickAt,omitzero"`
	// nextRunAt is the next tick, also of a schedule that is not enabled. It is
	// absent if there is none.
	// +optional
	NextRunAt metav1.Time `json:"nextRunAt,omitzero"`
	// droppedTicks is how many ticks started no run, since the schedule is as it is.
	// +optional
	DroppedTicks int64 `json:"droppedTicks,omitempty"`
}

// JobStatus is what was seen of a Job.
type JobStatus struct {
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and Reconciling, Stalled and CronQuirk while they are true.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// schedule is where the schedule is.
	// +optional
	Schedule *ScheduleStatus `json:"schedule,omitempty"`
	// activeRuns is the number of runs that have not finished.
	// +optional
	ActiveRuns int32 `json:"activeRuns,omitempty"`
	// successCount is how many runs ever succeeded.
	// +optional
	SuccessCount int64 `json:"successCount,omitempty"`
	// failureCount is how many runs ever failed, those that were stopped among them.
	// +optional
	FailureCount int64 `json:"failureCount,omitempty"`
	// lastSuccessAt is when a run succeeded last.
	// +optional
	LastSuccessAt metav1.Time `json:"lastSuccessAt,omitzero"`
	// lastFailureAt is when a run failed last.
	// +optional
	LastFailureAt metav1.Time `json:"lastFailureAt,omitzero"`
	// lastRun is the run of a job with dependencies that was started last for them.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	LastRun string `json:"lastRun,omitempty"`
	// parents are the runs that dependencies were met with last.
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=128
	// +optional
	Parents []ParentRun `json:"parents,omitempty"`
	// waiting are the dependencies that the next run waits for.
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=1024
	// +optional
	Waiting []string `json:"waiting,omitempty"`
	// lastSuccess is the last run that succeeded: what jobs that depend on this
	// one look at.
	// +optional
	LastSuccess *FinishedRun `json:"lastSuccess,omitempty"`
	// lastFailure is the last run that failed.
	// +optional
	LastFailure *FinishedRun `json:"lastFailure,omitempty"`
	// countedRuns are the uids of runs that are in the counters and still have to
	// be released.
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	CountedRuns []string `json:"countedRuns,omitempty"`
}

// FinishedRun is a run that has finished.
type FinishedRun struct {
	// name of its JobRun.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// completedAt is when it finished.
	// +required
	CompletedAt metav1.MicroTime `json:"completedAt,omitzero"`
}

// Job runs something to its end, by a schedule, after other jobs or when asked
// to, as a Metronome job did.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=djob,categories=kdcos
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Schedule",type=string,JSONPath=`.spec.schedules[0].cron`
// +kubebuilder:printcolumn:name="Active",type=integer,JSONPath=`.status.activeRuns`
// +kubebuilder:printcolumn:name="Succeeded",type=integer,JSONPath=`.status.successCount`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failureCount`
// +kubebuilder:printcolumn:name="Next",type=string,format=date-time,JSONPath=`.status.schedule.nextRunAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 228",message="the name of a Job has 228 characters at most: its runs are named after it"
type Job struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is the job definition.
	// +required
	Spec JobSpec `json:"spec,omitzero"`
	// status is what was seen of the Job.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status JobStatus `json:"status,omitzero"`
}

// JobList is a list of Jobs.
//
// +kubebuilder:object:root=true
type JobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Job `json:"items"`
}

// GetConditions returns the conditions of the Job.
func (j *Job) GetConditions() []metav1.Condition { return j.Status.Conditions }

// SetConditions replaces the conditions of the Job.
func (j *Job) SetConditions(conditions []metav1.Condition) { j.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (j *Job) SetObservedGeneration(generation int64) { j.Status.ObservedGeneration = generation }
