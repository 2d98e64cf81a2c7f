// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels, annotations and taints of kdcos.
const (
	// AppLabel carries the name of the App a pod belongs to: the App's own
	// name, or a shortened form with a hash where that name is longer than a
	// label value may be. Pods without it are invisible to the App controller.
	AppLabel = "kdcos.io/app"
	// ConfigLabel carries the hash of the App configuration a pod runs. Scaling
	// does not change it; everything that restarts tasks in Marathon does.
	ConfigLabel = "kdcos.io/config"
	// SlotLabel carries the number of an instance within its configuration.
	SlotLabel = "kdcos.io/slot"
	// GroupLabel carries, on pods of Apps with a constraint GROUP_BY of a
	// number, which of so many groups of instances a pod belongs to.
	GroupLabel = "kdcos.io/group"
	// LaneLabelPrefix and a number k are the label that carries, on pods of
	// Apps with a constraint MAX_PER of k, which of k lanes a pod is in: one of
	// each may be where the field has the same value.
	LaneLabelPrefix = "kdcos.io/lane-of-"

	// IDAnnotation carries the full Marathon path id of an object whose
	// namespace and name cannot spell it, such as /hello_world.
	IDAnnotation = "kdcos.io/id"
	// VersionAnnotation carries the Marathon version of a pod or of a
	// ControllerRevision: an RFC 3339 time in UTC with milliseconds.
	VersionAnnotation = "kdcos.io/version"
	// SpecAnnotation carries, on the pods of an App's first slots, the App
	// configuration they were made from, so that a version can be recorded after
	// the App has moved on.
	SpecAnnotation = "kdcos.io/app-spec"
	// ChecksAnnotation carries, on a pod, the checks that the manager makes of
	// its task; pods whose checks are all the kubelet's have none.
	ChecksAnnotation = "kdcos.io/checks"
	// VolumeAnnotation carries, on the claim of a persistent volume, the
	// containerPath of the volume.
	VolumeAnnotation = "kdcos.io/volume"
	// ContainersAnnotation carries, on a pod of an App with several containers,
	// their names, separated by commas. Behind that of one with a health check
	// stands ":healthCheck": it is there to run, whatever it ends with.
	ContainersAnnotation = "kdcos.io/containers"
	// DiscoveryAnnotation carries, on a pod, how its task is found: a Discovery
	// as JSON.
	DiscoveryAnnotation = "kdcos.io/discovery"
	// JobLabel carries, on runs of a Job and on what they own, the name of the Job,
	// shortened with a hash where that is longer than a label value may be.
	JobLabel = "kdcos.io/job"
	// JobRunLabel carries, on what a run of a Job owns, the name of the JobRun.
	JobRunLabel = "kdcos.io/job-run"
	// AttemptLabel carries, on what an attempt of a run is made of, its number.
	AttemptLabel = "kdcos.io/attempt"
	// HistoryFinalizer keeps a run until it is in the counters of its Job.
	HistoryFinalizer = "kdcos.io/history"
	// VirtualIPLabel carries, on a Service and so on its EndpointSlices, the
	// name of the VirtualIP that it serves, shortened with a hash where that is
	// longer than a label value may be.
	VirtualIPLabel = "kdcos.io/virtual-ip"
	// VirtualIPPodPrefix and a hash are the label of the pods that are behind
	// one virtual IP of their namespace.
	VirtualIPPodPrefix = "vip.kdcos.io/"
	// VirtualIPNetworksAnnotation on a namespace holds the networks, as CIDRs
	// separated by commas, that its virtual IPs may take their addresses from.
	// Without it, they may only have names. Only administrators set it.
	VirtualIPNetworksAnnotation = "kdcos.io/virtual-ip-networks"
	// RestartedAtAnnotation on an App asks for a restart: a new value replaces
	// every task, by the App's upgradeStrategy, as POST /v2/apps/{id}/restart did.
	RestartedAtAnnotation = "kdcos.io/restartedAt"
	// LaunchDelayResetAtAnnotation on an App forgets the failures of its tasks
	// up to the time it holds, in RFC 3339, and with them the launch delay, as
	// DELETE /v2/queue/{id}/delay did.
	LaunchDelayResetAtAnnotation = "kdcos.io/launchDelayResetAt"

	// NodePoolLabel carries, on a node, the name of the NodePool it belongs to.
	// Only the manager sets it.
	NodePoolLabel = "kdcos.node-restriction.kubernetes.io/pool"
	// MaintenanceTaint, of the effect PreferNoSchedule, tells of a node how far its
	// NodeMaintenance is: its value is a MaintenanceState. What keeps pods away is
	// that the node is unschedulable.
	MaintenanceTaint = "kdcos.io/maintenance"
	// GoneTaint, of the effect NoExecute, keeps everything off a node that was given
	// up and registers again.
	GoneTaint = "kdcos.io/gone"
	// MaintenanceFinalizer keeps a NodeMaintenance until its node is put to use again.
	MaintenanceFinalizer = "kdcos.io/maintenance"
	// NodePoolAppliedAnnotation carries, on a node, what its NodePool has set there:
	// labels and taints, each with the value that it had before. Kubelets may write
	// annotations of their node, so it counts only where NodePoolAppliedLabel fits.
	NodePoolAppliedAnnotation = "kdcos.io/pool-applied"
	// NodePoolAppliedLabel carries, on a node, a hash of that annotation. Only the
	// manager sets it.
	NodePoolAppliedLabel = "kdcos.node-restriction.kubernetes.io/pool-applied"
	// KarpenterNodePoolLabel carries, on a node that Karpenter made, the name of
	// Karpenter's NodePool, which is that of ours.
	KarpenterNodePoolLabel = "karpenter.sh/nodepool"
	// ClusterAPINodePoolLabel carries, on machines of Cluster API and so on their
	// nodes, the name of the NodePool they are for.
	ClusterAPINodePoolLabel = "node.cluster.x-k8s.io/kdcos-pool"
	// QuotaGate is the scheduling gate of a pod that waits for a Quota. Only the
	// manager removes it.
	QuotaGate = "kdcos.io/quota"
	// QuotaReleasedAtAnnotation carries, on a pod that a Quota let in, when.
	QuotaReleasedAtAnnotation = "kdcos.io/quotaReleasedAt"
	// QuotaQueuedAtAnnotation carries, on a pod of an App, the time from which its
	// place in the line for a Quota counts, where that is not when the pod was made:
	// an instance that is started anew keeps its place.
	QuotaQueuedAtAnnotation = "kdcos.io/quotaQueuedAt"
	// QuotaFinalizer keeps a Quota that is deleted until nothing waits for it.
	QuotaFinalizer = "kdcos.io/quota"
	// ForceAnnotation on a Quota, where it is "true", allows limits below what is
	// used, as force did in UPDATE_QUOTA.
	ForceAnnotation = "kdcos.io/force"

	// NodeRoleLabel carries the DC/OS role of a node. Its prefix is one that
	// the NodeRestriction admission plugin keeps kubelets from setting.
	NodeRoleLabel = "kdcos.node-restriction.kubernetes.io/role"
	// NodeRoleTaint keeps pods that do not accept a node's role away from it.
	NodeRoleTaint = "kdcos.io/role"
	// NodeAttributePrefix and the name of a Mesos attribute are the label that
	// carries the attribute of a node. Kubelets can't set it either.
	NodeAttributePrefix = "attribute.kdcos.node-restriction.kubernetes.io/"
	// NodeMatchPrefix and a hash are the label of a node that satisfies a
	// constraint which no selector of Kubernetes can ask for, such as a regular
	// expression. Only the manager sets it.
	NodeMatchPrefix = "match.kdcos.node-restriction.kubernetes.io/"

	// RoleUnreserved is the role of an ordinary (private) agent.
	RoleUnreserved = "*"
	// RolePublic is the role of a public agent, and Marathon's default role on DC/OS.
	RolePublic = "slave_public"
)

// Labels of a namespace that allow its Apps, where they are "true", what the
// policy kdcos-host-access refuses otherwise. Only administrators set them.
const (
	// AllowHostNetworkLabel allows networks of mode host.
	AllowHostNetworkLabel = "kdcos.io/allow-host-network"
	// AllowHostPathLabel allows volumes that are paths of the node.
	AllowHostPathLabel = "kdcos.io/allow-host-path"
	// AllowHostNamespacesLabel allows to see the processes and the shared
	// memory of the node.
	AllowHostNamespacesLabel = "kdcos.io/allow-host-namespaces"
	// AllowPrivilegedLabel allows privileged containers, and ones without a
	// filter of system calls.
	AllowPrivilegedLabel = "kdcos.io/allow-privileged"
	// AllowCapabilitiesLabel allows to add capabilities of the kernel.
	AllowCapabilitiesLabel = "kdcos.io/allow-capabilities"
	// AllowRootLabel allows to ask for the user root.
	AllowRootLabel = "kdcos.io/allow-root"
)

// AllowLabels are all labels by which a namespace allows its Apps something.
func AllowLabels() []string {
	return []string{
		AllowHostNetworkLabel, AllowHostPathLabel, AllowHostNamespacesLabel, AllowPrivilegedLabel, AllowCapabilitiesLabel, AllowRootLabel,
	}
}
