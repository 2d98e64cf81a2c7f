// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresource "k8s.io/component-helpers/resource"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// resources are the resources every pool tells of, in this order.
var resources = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourcePods}

// requests are what a pod asks of its node.
func requests(pod *corev1.Pod) corev1.ResourceList {
	return podresource.PodRequests(pod, podresource.PodResourcesOptions{})
}

// amounts are how much there is of resources: cpu in thousandths, others in units.
type amounts map[corev1.ResourceName]int64

func (a amounts) add(list corev1.ResourceList) {
	for name, quantity := range list {
		if name == corev1.ResourceCPU {
			a[name] += quantity.MilliValue()
		} else {
			a[name] += quantity.Value()
		}
	}
}

// quantity is an amount of a resource as Kubernetes writes it.
func quantity(name corev1.ResourceName, n int64) resource.Quantity {
	switch name {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(n, resource.DecimalSI)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return *resource.NewQuantity(n, resource.BinarySI)
	}
	return *resource.NewQuantity(n, resource.DecimalSI)
}

// used is what pods take of their node.
func used(pods []corev1.Pod) amounts {
	all := amounts{}
	for i := range pods {
		if !over(&pods[i]) {
			all.add(requests(&pods[i]))
			all[corev1.ResourcePods]++
		}
	}
	return all
}

// capacity is what nodes have of each resource.
func capacity(nodes []seenNode, gpus []string) []v1alpha1.NodePoolResource {
	total, allocated, free, largest := amounts{}, amounts{}, amounts{}, amounts{}
	for _, n := range nodes {
		has := amounts{}
		has.add(n.node.Status.Allocatable)
		taken := used(n.pods)
		for name, amount := range has {
			total[name] += amount
			allocated[name] += taken[name]
			if left := amount - taken[name]; n.state == v1alpha1.NodeActive && left > 0 {
				free[name] += left
				largest[name] = max(largest[name], left)
			}
		}
	}
	names := slices.Clone(resources)
	for _, gpu := range gpus {
		if name := corev1.ResourceName(gpu); total[name] > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names[len(resources):], cmp.Compare[corev1.ResourceName])
	var all []v1alpha1.NodePoolResource
	for _, name := range names {
		all = append(all, v1alpha1.NodePoolResource{
			Name: string(name), Capacity: quantity(name, total[name]), Allocated: quantity(name, allocated[name]),
			Free: quantity(name, free[name]), LargestFree: quantity(name, largest[name]),
		})
	}
	return all
}
