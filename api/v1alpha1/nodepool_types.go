// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FaultDomain is where nodes are. What is not given stays as the node has it.
type FaultDomain struct {
	// region is the value of topology.kubernetes.io/region.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`
	// +optional
	Region string `json:"region,omitempty"`
	// zone is the value of topology.kubernetes.io/zone.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`
	// +optional
	Zone string `json:"zone,omitempty"`
}

// GPUScheduling says who may use nodes with GPUs.
// +kubebuilder:validation:Enum=Restricted;Unrestricted
type GPUScheduling string

// Who may use nodes with GPUs.
const (
	// GPUSchedulingRestricted keeps what asks for no GPU away, by a taint, as
	// Marathon's gpu_scheduling_behavior did.
	GPUSchedulingRestricted GPUScheduling = "Restricted"
	// GPUSchedulingUnrestricted lets anything run there.
	GPUSchedulingUnrestricted GPUScheduling = "Unrestricted"
)

// GPUResource is an extended resource that counts GPUs, or parts of them.
type GPUResource struct {
	// name of the resource, such as nvidia.com/gpu or nvidia.com/mig-1g.10gb.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
	// weight is for how many GPUs one of it counts in quotas, more than 0 and at
	// most 1000, to three decimals; 1 without it.
	// +kubebuilder:validation:Minimum=0.001
	// +kubebuilder:validation:XValidation:rule="self >= 0.001",message="weight must be at least 0.001"
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Weight *float64 `json:"weight,omitempty"`
}

// NodePoolGPU is about the GPUs of a pool.
type NodePoolGPU struct {
	// resources count the GPUs of the nodes. Without them, the one that the
	// operator names (manager.gpuResource).
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Resources []GPUResource `json:"resources,omitempty"`
	// scheduling says who may use the nodes. Without it, Restricted. Where it is
	// Unrestricted, any container may find the GPUs that its image asks to see, unless
	// the nodes hand out devices by volume mounts only.
	// +optional
	Scheduling GPUScheduling `json:"scheduling,omitempty"`
}

// DrainMode says how pods are taken off a node.
// +kubebuilder:validation:Enum=Evict;Delete
type DrainMode string

// How pods are taken off a node.
const (
	// DrainModeEvict asks for each pod, so that its disruption budget counts.
	DrainModeEvict DrainMode = "Evict"
	// DrainModeDelete takes all pods at once, whatever their budgets, as Mesos did.
	DrainModeDelete DrainMode = "Delete"
)

// DrainTimeoutAction says what becomes of a drain that takes too long.
// +kubebuilder:validation:Enum=Wait;Force
type DrainTimeoutAction string

// What becomes of a drain that takes too long.
const (
	// DrainTimeoutWait goes on, and says so.
	DrainTimeoutWait DrainTimeoutAction = "Wait"
	// DrainTimeoutForce deletes the pods that are left, whatever their budgets.
	DrainTimeoutForce DrainTimeoutAction = "Force"
)

// Drain is how nodes are emptied.
type Drain struct {
	// mode says how pods are taken off. Without it, Evict.
	// +optional
	Mode DrainMode `json:"mode,omitempty"`
	// podGraceCapSeconds bounds the time that each pod has to end, 0 to 86400 s:
	// Mesos' max_grace_period. Without it, each pod has its own.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	PodGraceCapSeconds *int32 `json:"podGraceCapSeconds,omitempty"`
	// timeoutSeconds is for how long a drain is waited for, 1 to 604800 s; 3600 s
	// without it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
	// onTimeout says what follows then. Without it, Wait.
	// +optional
	OnTimeout DrainTimeoutAction `json:"onTimeout,omitempty"`
}

// ProvisionerReference names the object of a provisioner.
type ProvisionerReference struct {
	// group of the kind, such as karpenter.k8s.aws.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Group string `json:"group,omitempty"`
	// kind of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Kind string `json:"kind,omitempty"`
	// name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
}

// KarpenterProvisioner makes nodes by a NodePool of karpenter.sh, of the same
// name, that is written for the pool.
type KarpenterProvisioner struct {
	// nodeClassRef is the class of Karpenter's nodes.
	// +required
	NodeClassRef ProvisionerReference `json:"nodeClassRef,omitzero"`
	// requirements are those of Karpenter's NodePool, beside the labels of this one.
	// +kubebuilder:validation:MaxItems=60
	// +listType=atomic
	// +optional
	Requirements []NodeRequirement `json:"requirements,omitempty"`
}

// NodeRequirement is what a label of nodes has to be, as Karpenter takes it.
type NodeRequirement struct {
	// key of the label.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +required
	Key string `json:"key,omitempty"`
	// operator on the values.
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist;Gt;Lt
	// +required
	Operator corev1.NodeSelectorOperator `json:"operator,omitempty"`
	// values of the label.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Values []NodeLabelValue `json:"values,omitempty"`
}

// ClusterAPIProvisioner makes nodes by a MachineDeployment that is there, whose
// number of replicas is set.
type ClusterAPIProvisioner struct {
	// namespace of the MachineDeployment.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Namespace string `json:"namespace,omitempty"`
	// machineDeployment is its name. Its machines must give their nodes the
	// label node.cluster.x-k8s.io/kdcos-pool with the name of the pool.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	MachineDeployment string `json:"machineDeployment,omitempty"`
}

// Provisioner makes the nodes of a pool.
//
// +kubebuilder:validation:XValidation:rule="has(self.karpenter) != has(self.clusterAPI)",message="give one provisioner: karpenter or clusterAPI"
// +kubebuilder:validation:XValidation:rule="has(self.karpenter) == has(oldSelf.karpenter)",message="the provisioner of a pool can't be replaced by another: make another pool"
type Provisioner struct {
	// karpenter makes nodes as pods need them.
	// +optional
	Karpenter *KarpenterProvisioner `json:"karpenter,omitempty"`
	// clusterAPI makes as many nodes as scaling says.
	// +optional
	ClusterAPI *ClusterAPIProvisioner `json:"clusterAPI,omitempty"`
}

// Scaling is how many nodes a provisioner makes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || (!has(self.min) && !has(self.max))",message="give replicas, or min and max"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="min may not be more than max"
type Scaling struct {
	// replicas is the number of nodes.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=15000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// min is the least number of nodes that an autoscaler keeps.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=15000
	// +optional
	Min *int32 `json:"min,omitempty"`
	// max is the highest number of nodes that an autoscaler makes.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=15000
	// +optional
	Max *int32 `json:"max,omitempty"`
	// limits bound the capacity of all nodes together, such as cpu and memory.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Limits map[corev1.ResourceName]resource.Quantity `json:"limits,omitempty"`
}

// NodePoolSpec is a set of nodes that are used in the same way: agents of one
// role, with their attributes, fault domain and GPUs.
//
// +kubebuilder:validation:XValidation:rule="has(self.selector) != has(self.provisioner)",message="a pool has a selector, of nodes that are there, or a provisioner that makes them"
// +kubebuilder:validation:XValidation:rule="has(self.provisioner) == has(oldSelf.provisioner)",message="a pool can't change between a selector and a provisioner: make another pool"
// +kubebuilder:validation:XValidation:rule="!has(self.scaling) || has(self.provisioner)",message="scaling needs a provisioner: nodes that a selector adopts are made by others"
// +kubebuilder:validation:XValidation:rule="!has(self.provisioner) || !has(self.provisioner.clusterAPI) || has(self.scaling)",message="the provisioner clusterAPI needs scaling"
// +kubebuilder:validation:XValidation:rule="!has(self.provisioner) || !has(self.provisioner.clusterAPI) || !has(self.scaling) || has(self.scaling.replicas) || (has(self.scaling.min) && has(self.scaling.max))",message="the provisioner clusterAPI needs scaling.replicas, or both scaling.min and scaling.max, as the cluster autoscaler does"
// +kubebuilder:validation:XValidation:rule="!has(self.provisioner) || !has(self.provisioner.clusterAPI) || !has(self.scaling) || !has(self.scaling.limits)",message="scaling.limits is for the provisioner karpenter"
// +kubebuilder:validation:XValidation:rule="!has(self.provisioner) || !has(self.provisioner.karpenter) || !has(self.scaling) || (!has(self.scaling.min) && !has(self.scaling.max))",message="scaling.min and scaling.max are for the provisioner clusterAPI"
type NodePoolSpec struct {
	// role of the nodes: "*" of private agents, slave_public of public ones, or a
	// role of one's own. Without it, "*". A taint keeps what does not accept another
	// role than "*" away.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^(\*|[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)$`
	// +optional
	Role string `json:"role,omitempty"`
	// selector chooses nodes that are there, by their labels.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Selector map[string]NodeLabelValue `json:"selector,omitempty"`
	// provisioner makes the nodes.
	// +optional
	Provisioner *Provisioner `json:"provisioner,omitempty"`
	// scaling is how many nodes the provisioner makes.
	// +optional
	Scaling *Scaling `json:"scaling,omitempty"`
	// attributes are those of MESOS_ATTRIBUTES, for constraints.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$'))",message="names and values of attributes have at most 63 letters, digits, dots, dashes and underscores"
	// +mapType=granular
	// +optional
	Attributes map[string]NodeLabelValue `json:"attributes,omitempty"`
	// labels of the nodes. Those of Kubernetes and of kdcos can't be given: role,
	// attributes and faultDomain set them.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('(^|[./])(kubernetes[.]io|k8s[.]io|kdcos[.]io)/'))",message="labels of Kubernetes and of kdcos can't be given: role, attributes and faultDomain set them"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$'))",message="labels have keys and values of Kubernetes"
	// +mapType=granular
	// +optional
	Labels map[string]NodeLabelValue `json:"labels,omitempty"`
	// taints of the nodes, beside those of the role and of GPUs.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(t, !t.key.matches('(^|[./])(kubernetes[.]io|k8s[.]io|kdcos[.]io)/'))",message="taints of Kubernetes and of kdcos can't be given"
	// +listType=map
	// +listMapKey=key
	// +listMapKey=effect
	// +optional
	Taints []NodePoolTaint `json:"taints,omitempty"`
	// faultDomain is where the nodes are.
	// +optional
	FaultDomain *FaultDomain `json:"faultDomain,omitempty"`
	// gpu is about the GPUs of the nodes.
	// +optional
	GPU *NodePoolGPU `json:"gpu,omitempty"`
	// drain is how the nodes are emptied.
	// +optional
	Drain *Drain `json:"drain,omitempty"`
	// maxUnavailable is how many nodes of the pool may be drained at once, as a
	// number; 1 without it. Others wait for their turn.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=15000
	// +optional
	MaxUnavailable *int32 `json:"maxUnavailable,omitempty"`
}

// NodeLabelValue is the value of a label of a node.
// +kubebuilder:validation:MaxLength=63
type NodeLabelValue string

// NodePoolTaint is a taint of the nodes of a pool.
type NodePoolTaint struct {
	// key of the taint.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`
	// +required
	Key string `json:"key,omitempty"`
	// value of the taint.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$`
	// +optional
	Value string `json:"value,omitempty"`
	// effect of the taint.
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	// +required
	Effect corev1.TaintEffect `json:"effect,omitempty"`
}

// NodePoolNodes are the nodes of a pool by what they are up to. A node that is
// drained counts there only.
type NodePoolNodes struct {
	// total is the number of nodes.
	// +kubebuilder:default=0
	// +required
	Total int32 `json:"total"`
	// ready nodes take work.
	// +kubebuilder:default=0
	// +required
	Ready int32 `json:"ready"`
	// notReady nodes do not answer.
	// +optional
	NotReady int32 `json:"notReady,omitempty"`
	// deactivated nodes take no new work.
	// +optional
	Deactivated int32 `json:"deactivated,omitempty"`
	// draining nodes are being emptied.
	// +optional
	Draining int32 `json:"draining,omitempty"`
	// drained nodes are empty.
	// +optional
	Drained int32 `json:"drained,omitempty"`
}

// NodePoolResource is how much of a resource the nodes of a pool have. Amounts of
// 0 are written, which omitzero would leave out.
type NodePoolResource struct {
	// name of the resource, as Kubernetes has it: cpu, memory,
	// ephemeral-storage, pods, or an extended one.
	// +kubebuilder:validation:MaxLength=317
	// +required
	Name string `json:"name,omitempty"`
	// capacity is what pods may use on all nodes.
	// +required
	Capacity resource.Quantity `json:"capacity"`
	// allocated is what pods on the nodes ask for.
	// +required
	Allocated resource.Quantity `json:"allocated"`
	// free is what is left on nodes that take new work.
	// +required
	Free resource.Quantity `json:"free"`
	// largestFree is what is left on the node with the largest free slot, which
	// is the biggest pod that fits.
	// +required
	LargestFree resource.Quantity `json:"largestFree"`
}

// NodePoolStatus is what was seen of a NodePool.
type NodePoolStatus struct {
	// observedGeneration is the generation of the spec the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, and while they are true Reconciling, Stalled,
	// NodesOverlap and CapacityExhausted.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// nodes of the pool.
	// +optional
	Nodes NodePoolNodes `json:"nodes,omitzero"`
	// resources of the nodes.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Resources []NodePoolResource `json:"resources,omitempty"`
	// zones are the zones of the nodes, sorted.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Zones []NodeLabelValue `json:"zones,omitempty"`
	// pendingPods is the number of pods that find no node and accept those of this
	// pool. Pods that accept several pools count in each.
	// +optional
	PendingPods int32 `json:"pendingPods,omitempty"`
}

// GetConditions returns the conditions of the NodePool.
func (p *NodePool) GetConditions() []metav1.Condition { return p.Status.Conditions }

// SetConditions replaces the conditions of the NodePool.
func (p *NodePool) SetConditions(conditions []metav1.Condition) { p.Status.Conditions = conditions }

// SetObservedGeneration says which generation of the spec the status speaks of.
func (p *NodePool) SetObservedGeneration(generation int64) { p.Status.ObservedGeneration = generation }

// NodePool is a set of nodes that are used in the same way. Karpenter has a kind
// of this name too: dpool, or nodepools.kdcos.io, is this one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dpool,categories=kdcos
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name of a pool is the value of a label of its nodes, and has at most 63 characters"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.total`
// +kubebuilder:printcolumn:name="Usable",type=integer,JSONPath=`.status.nodes.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type NodePool struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is which nodes are in the pool, and what they are for.
	// +required
	Spec NodePoolSpec `json:"spec,omitzero"`
	// status is what was seen of the nodes.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status NodePoolStatus `json:"status,omitzero"`
}

// NodePoolList is a list of NodePools.
//
// +kubebuilder:object:root=true
type NodePoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []NodePool `json:"items"`
}
