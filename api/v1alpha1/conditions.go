// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types, after kstatus: Ready is there from the first pass on,
// Reconciling and Stalled are there only while they are true.
const (
	// ConditionReady says whether the object does what it is there for.
	ConditionReady = "Ready"
	// ConditionReconciling says that work is under way that ends by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled says that nothing moves until somebody changes something.
	ConditionStalled = "Stalled"
	// ConditionDiscoveryIncomplete says that the tasks of an App, which run, can't
	// be found by all the names and addresses it asks for. It is there only while
	// it is true.
	ConditionDiscoveryIncomplete = "DiscoveryIncomplete"
)

// Conditions of Jobs. They are there only while they are true.
const (
	// ConditionCronQuirk says that Metronome reads the expression of a schedule
	// otherwise than its author will have meant. It is followed all the same.
	ConditionCronQuirk = "CronQuirk"
	// ConditionScheduleExhausted says that a schedule has no tick any more.
	ConditionScheduleExhausted = "ScheduleExhausted"
)

// Conditions of Quotas. They are there only while they are true.
const (
	// ConditionQuotaExceeded says that more is used than a limit allows, as when
	// it was lowered. Nothing is stopped.
	ConditionQuotaExceeded = "QuotaExceeded"
	// ConditionQuotaUnsatisfiable says that pods wait which alone need more than a
	// limit.
	ConditionQuotaUnsatisfiable = "QuotaUnsatisfiable"
	// ConditionQuotaBypassed says that pods run which were not let in.
	ConditionQuotaBypassed = "QuotaBypassed"
)

// Conditions of NodePools. They are there only while they are true.
const (
	// ConditionNodesOverlap says that older pools hold nodes that this one asks for.
	ConditionNodesOverlap = "NodesOverlap"
	// ConditionCapacityExhausted says that pods wait for which no node of the pool
	// has room.
	ConditionCapacityExhausted = "CapacityExhausted"
)

// Conditions that the manager writes on pods: the results of the checks it
// makes. They change when the outcome does.
const (
	// PodConditionHealthCheckPrefix and the index of a health check are the
	// type of its condition, which is also a readiness gate of the pod.
	PodConditionHealthCheckPrefix = "kdcos.io/health-check-"
	// PodConditionReadinessCheck says whether the task was once ready.
	PodConditionReadinessCheck = "kdcos.io/readiness-check"
	// PodConditionCheck is the answer to spec.check.
	PodConditionCheck = "kdcos.io/check"
)

// Reasons of those conditions.
const (
	// PodReasonFirstSuccess: the task passed the check for the first time, and did not fail since.
	PodReasonFirstSuccess = "FirstSuccess"
	// PodReasonRecovered: the task passes the check, which it failed before.
	PodReasonRecovered = "Recovered"
	// PodReasonFailing: the task fails the check.
	PodReasonFailing = "Failing"
	// PodReasonGracePeriod: the task fails the check, which does not count yet.
	PodReasonGracePeriod = "GracePeriod"
	// PodReasonRestarted: the task was started anew, and nothing is known of it.
	PodReasonRestarted = "Restarted"
)

// Reasons of an App's conditions.
const (
	// ReasonPending: no pass was made over the App yet. It is the default of the definition.
	ReasonPending = "Pending"
	// ReasonAvailable: all instances run, and are healthy where there are health checks.
	ReasonAvailable = "Available"
	// ReasonDeploying: instances are being started for the first time.
	ReasonDeploying = "Deploying"
	// ReasonScaling: the number of instances changes.
	ReasonScaling = "Scaling"
	// ReasonUpgrading: instances of an older configuration are being replaced.
	ReasonUpgrading = "Upgrading"
	// ReasonPaused: an upgrade is held where it is, by spec.rollout.
	ReasonPaused = "Paused"
	// ReasonProgressDeadlineExceeded: no task became ready for as long as spec.rollout allows.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonRolledBack: the upgrade failed, and the version before it runs.
	ReasonRolledBack = "RolledBack"
	// ReasonDependencies: what the App depends on is not ready, and it waits for that before it starts or upgrades.
	ReasonDependencies = "Dependencies"
	// ReasonDependencyCycle: the App depends on itself, over others.
	ReasonDependencyCycle = "DependencyCycle"
	// ReasonWaiting: an instance waits for the scheduler.
	ReasonWaiting = "Waiting"
	// ReasonQuota: an instance waits for the quota of its group.
	ReasonQuota = "WaitingForQuota"
	// ReasonBlockedByQuota: an upgrade goes no further, for it needs more than the quota of its group leaves.
	ReasonBlockedByQuota = "DeploymentBlockedByQuota"
	// ReasonImagePull: an image can't be pulled.
	ReasonImagePull = "ImagePull"
	// ReasonNotStarting: a node can't start a task, for what it needs is not there, such as a Secret.
	ReasonNotStarting = "NotStarting"
	// ReasonBackOff: tasks fail, and the next launch waits for the back-off delay.
	ReasonBackOff = "BackOff"
	// ReasonUnreachable: an instance is on a node that does not answer, and waits for it.
	ReasonUnreachable = "Unreachable"
	// ReasonUnhealthy: a running instance fails its health check.
	ReasonUnhealthy = "Unhealthy"
	// ReasonDegraded: fewer instances run than asked for.
	ReasonDegraded = "Degraded"
	// ReasonUnsupported: the App asks for something this version of kdcos does not do.
	ReasonUnsupported = "Unsupported"
	// ReasonInvalid: the App can't be translated; the message names the field.
	ReasonInvalid = "Invalid"
	// ReasonNameConflict: an object of somebody else has the name one of ours needs.
	ReasonNameConflict = "NameConflict"
	// ReasonRefused: the API server refuses an object made for the App.
	ReasonRefused = "Refused"
	// ReasonPortsExhausted: the App asks for a service port, and all are in use.
	ReasonPortsExhausted = "PortsExhausted"
	// ReasonInvalidVIP: a VIP label of the App can't be read.
	ReasonInvalidVIP = "InvalidVIP"
	// ReasonVIPConflict: a VirtualIP of another namespace, or an older one, has the name or the address.
	ReasonVIPConflict = "VIPConflict"
	// ReasonAddressNotAllowed: the namespace may not use the address of a VIP.
	ReasonAddressNotAllowed = "AddressNotAllowed"
	// ReasonNameShared: another App has the same DNS name.
	ReasonNameShared = "NameShared"
	// ReasonNameTooLong: the App's DNS name is not its whole id, which no label can hold.
	ReasonNameTooLong = "NameTooLong"
	// ReasonNoBackends: no task behind the address of a VirtualIP takes connections.
	ReasonNoBackends = "NoBackends"
	// ReasonScheduled: the Job waits for its next tick.
	ReasonScheduled = "Scheduled"
	// ReasonStarting: the task of a run is on a node that starts it.
	ReasonStarting = "Starting"
	// ReasonRunning: a task of the run runs.
	ReasonRunning = "Running"
	// ReasonRestarting: a task of the run has failed, and another one follows.
	ReasonRestarting = "Restarting"
	// ReasonStopping: the run was stopped, and its task ends.
	ReasonStopping = "Stopping"
	// ReasonSucceeded: the run has done its work.
	ReasonSucceeded = "Succeeded"
	// ReasonTaskFailed: a task of the run has failed, and no other one follows.
	ReasonTaskFailed = "TaskFailed"
	// ReasonStopped: the run was stopped by somebody.
	ReasonStopped = "Stopped"
	// ReasonStartingDeadline: no node was found for the run in the time that it had.
	ReasonStartingDeadline = "StartingDeadlineExceeded"
	// ReasonActiveDeadline: a task of the run has failed after the time in which another one would follow.
	ReasonActiveDeadline = "ActiveDeadlineExceeded"
	// ReasonLaunchTimeout: a task did not start in the time that it had.
	ReasonLaunchTimeout = "LaunchTimeout"
	// ReasonTaskLost: the node of the run's task does not answer any more.
	ReasonTaskLost = "TaskLost"
	// ReasonUnknownDependencies: what the Job depends on is not there.
	ReasonUnknownDependencies = "UnknownDependencies"
	// ReasonUnknownJob: the Job that the run is of is not there.
	ReasonUnknownJob = "UnknownJob"
	// ReasonEnforced: the Quota holds.
	ReasonEnforced = "Enforced"
	// ReasonCounting: not all pods are known yet, and none is let in.
	ReasonCounting = "Counting"
	// ReasonReleasing: the Quota was deleted, and what waited for it is let in.
	ReasonReleasing = "Releasing"
	// ReasonOverLimit: more is used than a limit of the Quota.
	ReasonOverLimit = "OverLimit"
	// ReasonMoreThanLimit: a pod alone needs more than a limit of the Quota.
	ReasonMoreThanLimit = "MoreThanLimit"
	// ReasonNotGated: pods run that did not wait for the Quota.
	ReasonNotGated = "NotGated"
	// ReasonNoNodes: the pool has no node yet.
	ReasonNoNodes = "NoNodes"
	// ReasonNodesNotReady: no node of the pool takes work.
	ReasonNodesNotReady = "NodesNotReady"
	// ReasonProvisioning: nodes of the pool are being made or removed.
	ReasonProvisioning = "Provisioning"
	// ReasonLabelling: nodes are still to get the labels and taints of the pool.
	ReasonLabelling = "Labelling"
	// ReasonProvisionerMissing: what is to make the nodes of a pool is not there.
	ReasonProvisionerMissing = "ProvisionerMissing"
	// ReasonProvisionerNotReady: what is to make the nodes of a pool can't.
	ReasonProvisionerNotReady = "ProvisionerNotReady"
	// ReasonNodesHeld: older pools have nodes that the pool asks for.
	ReasonNodesHeld = "NodesHeld"
	// ReasonInsufficientResources: a pod asks for more than any node has left.
	ReasonInsufficientResources = "InsufficientResources"
	// ReasonError: a request to the API server failed and is tried again.
	ReasonError = "Error"
)

// GetConditions returns the conditions of the App.
func (a *App) GetConditions() []metav1.Condition { return a.Status.Conditions }

// SetConditions replaces the conditions of the App.
func (a *App) SetConditions(conditions []metav1.Condition) { a.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (a *App) SetObservedGeneration(generation int64) { a.Status.ObservedGeneration = generation }

// TakeStatus takes over the status of an earlier look at the App.
func (a *App) TakeStatus(of *App) { a.Status = *of.Status.DeepCopy() }

// OnlyProgressed says that the status differs from an earlier one only in how
// far the App is, beside its conditions: in what the next pass finds again by
// looking. Of a new App whose deployment goes well, that is all of it.
func (a *App) OnlyProgressed(since *App) bool {
	was, is := since.Status, a.Status
	if was.ConfigHash == "" {
		c := meta.FindStatusCondition(is.Conditions, ConditionReconciling)
		return c != nil && c.Reason == ReasonDeploying && is.Backoff == nil && is.LastTaskFailure == nil
	}
	for _, s := range []*AppStatus{&was, &is} {
		s.Conditions, s.ObservedGeneration, s.Selector = nil, 0, ""
		s.Instances, s.InstancesUpToDate = 0, 0
		s.TasksStaged, s.TasksRunning, s.TasksHealthy, s.TasksUnhealthy = 0, 0, 0, 0
	}
	return equality.Semantic.DeepEqual(was, is)
}

// TakeStatus takes over the status of an earlier look at the VirtualIP.
func (v *VirtualIP) TakeStatus(of *VirtualIP) { v.Status = *of.Status.DeepCopy() }

// OnlyProgressed says that the status differs from an earlier one only in what
// is behind the address. Of a new VirtualIP, that is all of it.
func (v *VirtualIP) OnlyProgressed(since *VirtualIP) bool {
	if since.Status.ObservedGeneration == 0 {
		return true
	}
	was, is := since.Status, v.Status
	for _, s := range []*VirtualIPStatus{&was, &is} {
		s.Conditions, s.ObservedGeneration, s.Ports, s.Ready, s.Apps = nil, 0, nil, 0, nil
	}
	return equality.Semantic.DeepEqual(was, is)
}

// GetConditions returns the conditions of the VirtualIP.
func (v *VirtualIP) GetConditions() []metav1.Condition { return v.Status.Conditions }

// SetConditions replaces the conditions of the VirtualIP.
func (v *VirtualIP) SetConditions(conditions []metav1.Condition) { v.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (v *VirtualIP) SetObservedGeneration(generation int64) { v.Status.ObservedGeneration = generation }

// Reasons of a NodeMaintenance's conditions, beside Scheduled and Waiting.
const (
	// ReasonDeactivated: the node takes no new work.
	ReasonDeactivated = "Deactivated"
	// ReasonDraining: pods are being taken off the node.
	ReasonDraining = "Draining"
	// ReasonDrainTimeout: that takes longer than it may, and goes on.
	ReasonDrainTimeout = "DrainTimeout"
	// ReasonDrained: nothing runs on the node any more, but what belongs to it.
	ReasonDrained = "Drained"
	// ReasonGone: the node was given up.
	ReasonGone = "Gone"
	// ReasonWindowOver: the window has passed, and the node is used again.
	ReasonWindowOver = "WindowOver"
	// ReasonUnknownNode: there is no node of the name.
	ReasonUnknownNode = "UnknownNode"
)
