// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Settings are what the operator of a datacenter decides for all Apps.
type Settings struct {
	// RootNamespace is the namespace of apps without a group.
	RootNamespace string
	// HostPorts are the ports given to apps on the host network that ask for any.
	HostPorts PortRange
	// ContainerNetworks are the names of networks of mode container that mean
	// the cluster's pod network.
	ContainerNetworks []string
	// ServicePorts are given to ports whose app asks for any service port.
	ServicePorts PortRange
	// TaskLaunchTimeout is how long a task may fail to start, such as for an
	// image that can't be pulled, before it is launched anew.
	TaskLaunchTimeout time.Duration
	// RunLaunchTimeout is how long the task of a run may take to start on the node
	// that was found for it, before it has failed; 0 is for ever.
	RunLaunchTimeout time.Duration
	// GPUResource is the extended resource that counts GPUs; nvidia.com/gpu if empty.
	GPUResource string
	// BaseImage is what apps without an image run on; without it they are refused.
	BaseImage string
	// FetcherImage is the image with the program that fetches files: that of kdcos.
	// Without it, apps that fetch any are refused.
	FetcherImage string
	// FetchAllowed are networks (CIDRs) that files may be fetched from although the
	// fetcher or FetchForbidden would refuse them, FetchForbidden those that no file
	// is fetched from: of nodes, pods and Services.
	FetchAllowed, FetchForbidden []string
	// StorageClasses are the classes of persistent volumes by their type, where it
	// is not the cluster's default; DriverClasses those of external volumes by
	// their dvdi/driver.
	StorageClasses map[v1alpha1.PersistentVolumeType]string
	DriverClasses  map[string]string
	// DNSServers are the addresses, at most three, that tasks ask for names in
	// place of the cluster's DNS.
	DNSServers []string
	// DNSSearches are the domains, at most 29 beside the cluster's own, that names
	// are looked for in, where the flags of an app name none.
	DNSSearches []string
	// HomeRegion is the region of Apps whose constraints name no region and no
	// zone; empty lets them run in any.
	HomeRegion string
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last int32 }

// DefaultSettings are those of a datacenter nobody configured. The host ports
// keep out of the way of Marathon's service ports (10000 to 20000), of node
// ports (30000 to 32767) and of ephemeral ports (32768 and up).
func DefaultSettings() Settings {
	return Settings{
		RootNamespace:     "default",
		HostPorts:         PortRange{First: 20001, Last: 29999},
		ContainerNetworks: []string{"dcos"},
		GPUResource:       "nvidia.com/gpu",
		ServicePorts:      PortRange{First: 10000, Last: 20000},
		TaskLaunchTimeout: 5 * time.Minute,
		RunLaunchTimeout:  10 * time.Minute,
	}
}

// Size is the number of ports of the range.
func (r PortRange) Size() int { return int(r.Last-r.First) + 1 }

func (s Settings) gpuResource() corev1.ResourceName {
	if s.GPUResource == "" {
		return "nvidia.com/gpu"
	}
	return corev1.ResourceName(s.GPUResource)
}
