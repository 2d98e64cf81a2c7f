// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Discovery is how a task is found: what DC/OS knew of it as its Mesos
// DiscoveryInfo. It is written on the task's pod, as JSON under
// DiscoveryAnnotation, so that DNS needs nothing but pods.
//
// +kubebuilder:object:generate=false
type Discovery struct {
	// Name of the task: the segments of its app's id in reverse order, joined
	// by dots, such as web.shop.
	Name string `json:"name"`
	// Framework that the task is of, such as marathon.
	Framework string `json:"framework"`
	// TaskID is the Marathon id of the task at its first start, without the
	// pod's UID: the UID stands where it holds "%s". In a pod with several
	// containers each is a task, and its name stands where it holds "%c".
	TaskID string `json:"taskId"`
	// Containers of a pod that has several, by name.
	Containers []string `json:"containers,omitempty"`
	// Ports of the task, in the order of the app.
	Ports []DiscoveryPort `json:"ports,omitempty"`
}

// DiscoveryPort is a port of a task for one protocol.
//
// +kubebuilder:object:generate=false
type DiscoveryPort struct {
	// Name of the port, as the app has it; empty where it has none.
	Name string `json:"name,omitempty"`
	// Number is the port on the task's address.
	Number int32 `json:"number"`
	// Protocol is tcp or udp.
	Protocol TransportProtocol `json:"protocol"`
	// HostPort is the port on the node where there is one, and 0 elsewhere.
	HostPort int32 `json:"hostPort,omitempty"`
	// Container that listens, in a pod with several.
	Container string `json:"container,omitempty"`
}

// FrameworkMarathon is the framework that the tasks of Apps are of.
const FrameworkMarathon = "marathon"

// TaskContainer is the name of the container of a task that has one.
const TaskContainer = "app"
