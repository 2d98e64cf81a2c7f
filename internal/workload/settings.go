// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import corev1 "k8s.io/api/core/v1"

// Settings are what the operator of a datacenter decides for all Apps.
type Settings struct {
	// RootNamespace is the namespace of apps without a group.
	RootNamespace string
	// HostPorts are the ports given to apps on the host network that ask for any.
	HostPorts PortRange
	// ContainerNetworks are the names of networks of mode container that mean
	// the cluster's pod network.
	ContainerNetworks []string
	// GPUResource is the extended resource that counts GPUs; nvidia.com/gpu if empty.
	GPUResource string
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
	}
}

func (r PortRange) size() int { return int(r.Last-r.First) + 1 }

func (s Settings) gpuResource() corev1.ResourceName {
	if s.GPUResource == "" {
		return "nvidia.com/gpu"
	}
	return corev1.ResourceName(s.GPUResource)
}
