// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaintenanceAction is what is done with a node.
// +kubebuilder:validation:Enum=Deactivate;Drain;Gone
type MaintenanceAction string

// What is done with a node.
const (
	// MaintenanceDeactivate lets it take no new work: DEACTIVATE_AGENT.
	MaintenanceDeactivate MaintenanceAction = "Deactivate"
	// MaintenanceDrain also empties it: DRAIN_AGENT.
	MaintenanceDrain MaintenanceAction = "Drain"
	// MaintenanceGone also gives it up, with all that is stored on it, so that
	// Apps with volumes there start elsewhere: MARK_AGENT_GONE, and decommission.
	// The node is not let in again.
	MaintenanceGone MaintenanceAction = "Gone"
)

// MaintenanceWindow is when a node will not be there.
type MaintenanceWindow struct {
	// start of the window. Before it, the node is to be used as little as can be;
	// then the action begins.
	// +required
	Start metav1.Time `json:"start,omitzero"`
	// durationSeconds of the window, 1 to 31536000 s. When it is over the node is
	// used again. Without it, it is not.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	DurationSeconds *int32 `json:"durationSeconds,omitempty"`
}

// NodeMaintenanceSpec takes a node out of use. Its name is that of the node;
// deleting it puts the node to use again.
//
// +kubebuilder:validation:XValidation:rule="oldSelf.action != 'Gone' || self.action == 'Gone'",message="a node that is gone can't come back: MARK_AGENT_GONE is final"
// +kubebuilder:validation:XValidation:rule="!has(self.window) || self.action != 'Gone'",message="a node that is gone does not come back: it has no window"
type NodeMaintenanceSpec struct {
	// action is what is done with the node.
	// +required
	Action MaintenanceAction `json:"action,omitempty"`
	// drain is how the node is emptied. What is not given is as in its NodePool.
	// +optional
	Drain *Drain `json:"drain,omitempty"`
	// window is when it is done. Without it, at once and until this object goes.
	// +optional
	Window *MaintenanceWindow `json:"window,omitempty"`
	// reason is for those who look.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`
}

// MaintenanceState is how far it is.
// +kubebuilder:validation:Enum=Scheduled;Waiting;Deactivated;Draining;Drained;Gone;Over
type MaintenanceState string

// How far maintenance of a node is. DRAINING and DRAINED are what Mesos called them.
const (
	// MaintenanceScheduled: its window is still to come.
	MaintenanceScheduled MaintenanceState = "Scheduled"
	// MaintenanceWaiting: other nodes of the pool come first.
	MaintenanceWaiting MaintenanceState = "Waiting"
	// MaintenanceDeactivated: the node takes no new work.
	MaintenanceDeactivated MaintenanceState = "Deactivated"
	// MaintenanceDraining: the node is being emptied.
	MaintenanceDraining MaintenanceState = "Draining"
	// MaintenanceDrained: nothing runs on the node any more, but what belongs to it.
	MaintenanceDrained MaintenanceState = "Drained"
	// MaintenanceGoneState: the node was given up.
	MaintenanceGoneState MaintenanceState = "Gone"
	// MaintenanceOver: its window has passed, and the node is used again.
	MaintenanceOver MaintenanceState = "Over"
)

// RemainingPod is a pod that is still on the node.
type RemainingPod struct {
	// namespace of the pod.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Namespace string `json:"namespace,omitempty"`
	// name of the pod.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// blockedBy is why it is still there: a disruption budget, a finalizer, or
	// the time it has to end.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	BlockedBy string `json:"blockedBy,omitempty"`
}

// NodeMaintenanceStatus is what was seen of a NodeMaintenance.
type NodeMaintenanceStatus struct {
	// observedGeneration is the generation of the spec the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, which is true when the action is done, and while
	// they are true Reconciling and Stalled.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// state is how far it is.
	// +optional
	State MaintenanceState `json:"state,omitempty"`
	// systemUUID is that of the machine, by which a node that registers anew is
	// known again. It is left out where other nodes have the same.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SystemUUID string `json:"systemUUID,omitempty"`
	// nodeUID is that of the node.
	// +kubebuilder:validation:MaxLength=36
	// +optional
	NodeUID string `json:"nodeUID,omitempty"`
	// cordoned says that the node was made unschedulable here, and not by somebody else.
	// +optional
	Cordoned bool `json:"cordoned,omitempty"`
	// startedAt is when the action began.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// completedAt is when it was done.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`
	// podsTotal is the number of pods that had to go when the action began.
	// +kubebuilder:default=0
	// +required
	PodsTotal int32 `json:"podsTotal"`
	// podsRemaining is the number of those that are still there.
	// +kubebuilder:default=0
	// +required
	PodsRemaining int32 `json:"podsRemaining"`
	// volumesAttached is the number of volumes that are attached to the node.
	// +optional
	VolumesAttached int32 `json:"volumesAttached,omitempty"`
	// remaining are the first 50 of the pods that are still there.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +optional
	Remaining []RemainingPod `json:"remaining,omitempty"`
}

// GetConditions returns the conditions of the NodeMaintenance.
func (m *NodeMaintenance) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions of the NodeMaintenance.
func (m *NodeMaintenance) SetConditions(conditions []metav1.Condition) {
	m.Status.Conditions = conditions
}

// SetObservedGeneration says which generation of the spec the status speaks of.
func (m *NodeMaintenance) SetObservedGeneration(generation int64) {
	m.Status.ObservedGeneration = generation
}

// NodeMaintenance takes the node of its name out of use.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dmaint,categories=kdcos
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.podsTotal`
// +kubebuilder:printcolumn:name="Remaining",type=integer,JSONPath=`.status.podsRemaining`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type NodeMaintenance struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is done with the node.
	// +required
	Spec NodeMaintenanceSpec `json:"spec,omitzero"`
	// status is how far it is.
	// +kubebuilder:default={podsTotal: 0, podsRemaining: 0, conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status NodeMaintenanceStatus `json:"status,omitzero"`
}

// NodeMaintenanceList is a list of NodeMaintenances.
//
// +kubebuilder:object:root=true
type NodeMaintenanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []NodeMaintenance `json:"items"`
}
