// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// VirtualIPSpec is an address of the datacenter that stands for tasks, wherever
// they run: a VIP of DC/OS' layer 4 load balancer. Apps ask for one by a label
// VIP_0 of a port; one that nobody wrote is made then, and goes with the last
// App that asks for it.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.ip)",message="give either name, of a named VIP, or ip, the address itself"
// +kubebuilder:validation:XValidation:rule="!has(self.ip) || !has(self.framework)",message="framework is a part of the DNS name, which only a named VIP has"
// +kubebuilder:validation:XValidation:rule="has(self.selector) == has(self.ports)",message="selector and ports belong together: pods that are not chosen by a VIP label of their App are chosen by both"
// +kubebuilder:validation:XValidation:rule="!has(self.sessionAffinityTimeoutSeconds) || (has(self.sessionAffinity) && self.sessionAffinity == 'ClientIP')",message="sessionAffinityTimeoutSeconds needs the sessionAffinity ClientIP"
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name) && has(self.framework) == has(oldSelf.framework) && (!has(self.framework) || self.framework == oldSelf.framework) && has(self.ip) == has(oldSelf.ip) && (!has(self.ip) || self.ip == oldSelf.ip)",message="name, framework and ip can't be changed: make a new VirtualIP"
type VirtualIPSpec struct {
	// name of a named VIP, as VIP labels give it, such as /shop/web. Its
	// DNS name is the name without slashes, framework, and
	// l4lb.thisdcos.directory: shopweb.marathon.l4lb.thisdcos.directory.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('[A-Za-z0-9]')",message="name needs a letter or a digit"
	// +optional
	Name string `json:"name,omitempty"`
	// framework is whose tasks the VIP is of, and a part of its DNS name.
	// Without one it is marathon.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('[A-Za-z0-9]')",message="framework needs a letter or a digit"
	// +optional
	Framework string `json:"framework,omitempty"`
	// ip is the address, IPv4 or IPv6, of one that has no name. The namespace
	// must be allowed to use it.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="ip must be an IPv4 or IPv6 address"
	// +optional
	IP string `json:"ip,omitempty"`
	// selector chooses the pods behind the address by their labels, in place
	// of VIP labels of Apps.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=64
	// +mapType=granular
	// +optional
	Selector map[string]LabelValue `json:"selector,omitempty"`
	// ports of the address, for pods that selector chooses. Those that Apps
	// ask for stand in the status.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=port
	// +listMapKey=protocol
	// +optional
	Ports []VirtualIPPort `json:"ports,omitempty"`
	// sessionAffinity sends a client to the same task again where it is
	// ClientIP. DC/OS had no such thing, and None is what there is without it.
	// +optional
	SessionAffinity SessionAffinity `json:"sessionAffinity,omitempty"`
	// sessionAffinityTimeoutSeconds is for how long a client is remembered
	// after its last connection, 1 to 86400 s; 10800 s without it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +optional
	SessionAffinityTimeoutSeconds *int32 `json:"sessionAffinityTimeoutSeconds,omitempty"`
}

// SessionAffinity says whether a client stays with a task.
// +kubebuilder:validation:Enum=None;ClientIP
type SessionAffinity string

// The kinds of affinity.
const (
	SessionAffinityNone     SessionAffinity = "None"
	SessionAffinityClientIP SessionAffinity = "ClientIP"
)

// TransportProtocol is a transport of a port of a VirtualIP.
// +kubebuilder:validation:Enum=tcp;udp
type TransportProtocol string

// The transports of a VirtualIP.
const (
	TransportTCP TransportProtocol = "tcp"
	TransportUDP TransportProtocol = "udp"
)

// VirtualIPPort is a port of an address and the port of the pods behind it.
type VirtualIPPort struct {
	// port of the address.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port,omitempty"`
	// protocol of the port.
	// +kubebuilder:default=tcp
	// +optional
	Protocol TransportProtocol `json:"protocol,omitempty"`
	// targetPort is the number or the name of the pods' port. Without it, port.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : size(self) >= 1 && size(self) <= 15",message="targetPort is a port, 1 to 65535, or the name of one"
	// +optional
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`
}

// VirtualIPBackends are the tasks of an App behind a port.
type VirtualIPBackends struct {
	// app is the name of the App, empty for pods of none.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	App string `json:"app,omitempty"`
	// ready tasks get new connections.
	// +optional
	Ready int32 `json:"ready,omitempty"`
	// notReady tasks run, and do not get any: they are unhealthy, or nothing is known of them yet.
	// +optional
	NotReady int32 `json:"notReady,omitempty"`
	// draining tasks are being stopped, and keep the connections they have.
	// +optional
	Draining int32 `json:"draining,omitempty"`
}

// VirtualIPPortStatus is a port of the address as it is served.
type VirtualIPPortStatus struct {
	// port of the address.
	// +required
	Port int32 `json:"port,omitempty"`
	// protocol of the port.
	// +required
	Protocol TransportProtocol `json:"protocol,omitempty"`
	// backends of the port, by App.
	// +kubebuilder:validation:MaxItems=512
	// +listType=atomic
	// +optional
	Backends []VirtualIPBackends `json:"backends,omitempty"`
}

// VirtualIPStatus is what was seen of a VirtualIP.
type VirtualIPStatus struct {
	// conditions say how the VirtualIP is: Ready from the first pass on,
	// Reconciling and Stalled only while they are true.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// addresses that the VIP is served at, one for each IP family. DNS
	// answers with them; it has none where somebody else holds the name.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=45
	// +listType=atomic
	// +optional
	Addresses []string `json:"addresses,omitempty"`
	// dnsName of a named VIP.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	DNSName string `json:"dnsName,omitempty"`
	// service is the name of the Service that carries the address.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Service string `json:"service,omitempty"`
	// ports of the address.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=port
	// +listMapKey=protocol
	// +optional
	Ports []VirtualIPPortStatus `json:"ports,omitempty"`
	// ready is the number of tasks that get new connections, over all ports.
	// +optional
	Ready int32 `json:"ready,omitempty"`
	// apps that ask for the address, by name, sorted.
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	Apps []string `json:"apps,omitempty"`
}

// VirtualIP is an address that stands for tasks wherever they run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=vip,categories=kdcos
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.addresses[0]`
// +kubebuilder:printcolumn:name="DNS",type=string,JSONPath=`.status.dnsName`
// +kubebuilder:printcolumn:name="Backends",type=integer,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type VirtualIP struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is the address.
	// +required
	Spec VirtualIPSpec `json:"spec,omitzero"`
	// status is what was seen of it.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status VirtualIPStatus `json:"status,omitzero"`
}

// VirtualIPList is a list of VirtualIPs.
//
// +kubebuilder:object:root=true
type VirtualIPList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []VirtualIP `json:"items"`
}
