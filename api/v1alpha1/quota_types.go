// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QuotaResources are amounts of the scalar resources of Mesos, to three
// decimals. What is not given is not limited, or not used.
type QuotaResources struct {
	// cpus is a number of CPU cores.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1e12
	// +optional
	Cpus *float64 `json:"cpus,omitempty"`
	// mem is memory in MiB.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1099511627776
	// +optional
	Mem *float64 `json:"mem,omitempty"`
	// disk is ephemeral storage and that of persistent volumes, in MiB.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1099511627776
	// +optional
	Disk *float64 `json:"disk,omitempty"`
	// gpus is a number of devices, each with the weight that its NodePool gives
	// it: a part of a GPU may count for less than one.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1e12
	// +optional
	Gpus *float64 `json:"gpus,omitempty"`
}

// Queueing says who may go first.
// +kubebuilder:validation:Enum=BestEffortFIFO;StrictFIFO
type Queueing string

// The orders of waiting pods.
const (
	// QueueingBestEffortFIFO lets a pod that fits pass those in front of it that
	// do not, as Mesos did, until the first of them has waited for
	// headOfLineTimeoutSeconds.
	QueueingBestEffortFIFO Queueing = "BestEffortFIFO"
	// QueueingStrictFIFO lets nothing pass.
	QueueingStrictFIFO Queueing = "StrictFIFO"
)

// BlockedUpdate says what becomes of an upgrade that needs more than there is.
// +kubebuilder:validation:Enum=Wait;ReduceCapacity
type BlockedUpdate string

// What may become of an upgrade at the limit.
const (
	// BlockedUpdateWait waits for others to free something, as DC/OS did.
	BlockedUpdateWait BlockedUpdate = "Wait"
	// BlockedUpdateReduceCapacity stops one instance more than
	// minimumHealthCapacity allows, to start a new one in its place.
	BlockedUpdateReduceCapacity BlockedUpdate = "ReduceCapacity"
)

// QuotaSpec is the share of the datacenter that a group may use: what a quota of
// the group's role was in Mesos. Its name is the group: dev is the group /dev,
// with all that is in the namespace dev; dev.web is /dev/web, with Apps and Jobs
// of that namespace whose name begins with "web.".
//
// What is over a limit is not refused: it waits, in order, until it fits.
// Nothing that runs is ever stopped for a quota.
//
// +kubebuilder:validation:XValidation:rule="has(self.limits) || has(self.guarantees)",message="a quota has limits, or guarantees, or both"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.guarantees) || ((!has(self.guarantees.cpus) || !has(self.limits.cpus) || self.guarantees.cpus <= self.limits.cpus) && (!has(self.guarantees.mem) || !has(self.limits.mem) || self.guarantees.mem <= self.limits.mem) && (!has(self.guarantees.disk) || !has(self.limits.disk) || self.guarantees.disk <= self.limits.disk) && (!has(self.guarantees.gpus) || !has(self.limits.gpus) || self.guarantees.gpus <= self.limits.gpus))",message="a guarantee may not be more than the limit of the same resource"
type QuotaSpec struct {
	// limits are what the group may use at most, all groups in it included. What
	// is not given is not limited, and 0 lets nothing start that asks for it.
	// +optional
	Limits *QuotaResources `json:"limits,omitempty"`
	// guarantees are what other groups leave for this one.
	// +optional
	Guarantees *QuotaResources `json:"guarantees,omitempty"`
	// queueing says who may go first. Without it, BestEffortFIFO.
	// +optional
	Queueing Queueing `json:"queueing,omitempty"`
	// headOfLineTimeoutSeconds is for how long the first pod in line may be
	// passed, 0 to 86400 s; 300 s without it. What it needs is kept for it then.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	HeadOfLineTimeoutSeconds *int32 `json:"headOfLineTimeoutSeconds,omitempty"`
	// releaseTimeoutSeconds is for how long a pod of an App may hold its share
	// without a node that takes it while others wait, 10 to 86400 s; 600 s without
	// it. It is made anew then, and waits behind those who wait.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=86400
	// +optional
	ReleaseTimeoutSeconds *int32 `json:"releaseTimeoutSeconds,omitempty"`
	// countJobs says whether runs of Jobs count, and wait. Without it they do. In
	// DC/OS they did not.
	// +optional
	CountJobs *bool `json:"countJobs,omitempty"`
	// onBlockedUpdate says what becomes of an upgrade of an App that needs more
	// than there is. Without it, Wait.
	// +optional
	OnBlockedUpdate BlockedUpdate `json:"onBlockedUpdate,omitempty"`
}

// QuotaWaiting is a pod that waits for a quota.
type QuotaWaiting struct {
	// pod is the name of the pod, in the namespace of the group.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Pod string `json:"pod,omitempty"`
	// owner is what the pod is of, such as App/web or ReplicaSet/nginx-5d4.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	Owner string `json:"owner,omitempty"`
	// position in the line, from 1; 0 of a pod that no position helps.
	// +optional
	Position int32 `json:"position,omitempty"`
	// since is the time from which the pod's place in line counts.
	// +required
	Since metav1.Time `json:"since,omitzero"`
	// need is what the pod would use.
	// +optional
	Need QuotaResources `json:"need,omitzero"`
	// blockedBy is the name of the Quota in which it does not fit; empty while
	// it only waits for its turn.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	BlockedBy string `json:"blockedBy,omitempty"`
	// resource is what there is too little of: cpus, mem, disk or gpus.
	// +kubebuilder:validation:Enum=cpus;mem;disk;gpus
	// +optional
	Resource string `json:"resource,omitempty"`
	// reason is Waiting, HeldBack while what it needs is kept for the first in
	// line or for who just lost it, or Unsatisfiable where it needs more than the
	// limit.
	// +kubebuilder:validation:Enum=Waiting;HeldBack;Unsatisfiable
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Reasons of a pod that waits for a quota.
const (
	// QuotaWaits: there is too little left of a resource.
	QuotaWaits = "Waiting"
	// QuotaHeldBack: what is left is kept for another pod.
	QuotaHeldBack = "HeldBack"
	// QuotaUnsatisfiable: the pod alone needs more than the limit.
	QuotaUnsatisfiable = "Unsatisfiable"
)

// QuotaStatus is what was seen of a Quota.
type QuotaStatus struct {
	// observedGeneration is the generation of the spec the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and while they are true Reconciling, Stalled,
	// QuotaExceeded, QuotaUnsatisfiable and QuotaBypassed.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// consumed is what pods use that are not gone, and persistent volumes.
	// +optional
	Consumed QuotaResources `json:"consumed,omitzero"`
	// pods is the number of pods that use something.
	// +kubebuilder:default=0
	// +required
	Pods int32 `json:"pods"`
	// waitingPods is the number of pods that wait, also of those that waiting
	// does not name.
	// +kubebuilder:default=0
	// +required
	WaitingPods int32 `json:"waitingPods"`
	// bypassedPods is the number of pods that use something without having
	// been let in, such as those that were given a node when they were made.
	// +optional
	BypassedPods int32 `json:"bypassedPods,omitempty"`
	// wanted is what all waiting pods need together.
	// +optional
	Wanted QuotaResources `json:"wanted,omitzero"`
	// waiting are the first 100 pods in line.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Waiting []QuotaWaiting `json:"waiting,omitempty"`
}

// ScopeOfQuota is what the name of a Quota says: its namespace, and with what the
// names of Apps and Jobs there begin that it is about; "" is all of the namespace.
func ScopeOfQuota(name string) (namespace, prefix string) {
	namespace, prefix, _ = strings.Cut(name, ".")
	return namespace, prefix
}

// Governs says that what belongs to an App or a Job of the namespace and name is
// charged to the quota.
func (q *Quota) Governs(namespace, name string) bool {
	of, prefix := ScopeOfQuota(q.Name)
	return of == namespace && (prefix == "" || name == prefix || strings.HasPrefix(name, prefix+"."))
}

// Group is the path of the group, such as /dev/web.
func (q *Quota) Group() string { return "/" + strings.ReplaceAll(q.Name, ".", "/") }

// GetConditions returns the conditions of the Quota.
func (q *Quota) GetConditions() []metav1.Condition { return q.Status.Conditions }

// SetConditions replaces the conditions of the Quota.
func (q *Quota) SetConditions(conditions []metav1.Condition) { q.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (q *Quota) SetObservedGeneration(generation int64) { q.Status.ObservedGeneration = generation }

// Quota is the share of the datacenter that a group may use.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=kdcos
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[^.]{1,63}([.]|$)')",message="the name of a quota is that of its group, with dots for slashes: dev.web for /dev/web. Up to the first dot it is a namespace, of at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(kube|kube-[^.]*|kdcos|kdcos-[^.]*)($|[.])')",message="namespaces of the system and of kdcos have no quota: what runs there must be able to start"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingPods`
// +kubebuilder:printcolumn:name="Cpus",type=number,JSONPath=`.status.consumed.cpus`
// +kubebuilder:printcolumn:name="Limit",type=number,JSONPath=`.spec.limits.cpus`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type Quota struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what the group may use.
	// +required
	Spec QuotaSpec `json:"spec,omitzero"`
	// status is what the group uses, and what waits.
	// +kubebuilder:default={pods: 0, waitingPods: 0, conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status QuotaStatus `json:"status,omitzero"`
}

// QuotaList is a list of Quotas.
//
// +kubebuilder:object:root=true
type QuotaList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Quota `json:"items"`
}
