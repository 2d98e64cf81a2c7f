// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// The resources that a quota is about.
const (
	cpus = iota
	mem
	disk
	gpus
	resources
)

// resourceNames are those of Mesos.
var resourceNames = [resources]string{"cpus", "mem", "disk", "gpus"}

// amounts are thousandths of CPUs and GPUs, and bytes: nothing is lost by adding
// up, as it would be in fractions.
type amounts [resources]int64

// most bounds what one pod is taken to ask for, so that a sum of many fits.
const most = math.MaxInt64 / 1_000_000

func (a amounts) plus(b amounts) amounts {
	for r := range a {
		a[r] = min(a[r]+b[r], math.MaxInt64/2)
	}
	return a
}

func (a amounts) minus(b amounts) amounts {
	for r := range a {
		a[r] -= b[r]
	}
	return a
}

// limits are those of a quota; a resource without one has noLimit.
type limits amounts

const noLimit = -1

// lacks is the first resource of which there is too little for a need on top of
// what is used. What a pod does not ask for never keeps it out.
func (l limits) lacks(used, need amounts) (resource int, lacks bool) {
	for r := range l {
		if l[r] != noLimit && need[r] > 0 && (used[r] > l[r] || need[r] > l[r]-used[r]) {
			return r, true
		}
	}
	return 0, false
}

// over are the resources of which more is used than allowed.
func (l limits) over(used amounts) []string {
	var all []string
	for r := range l {
		if l[r] != noLimit && used[r] > l[r] {
			all = append(all, resourceNames[r])
		}
	}
	return all
}

const mebi = 1 << 20

// unit is how much of the inner amount is 1 outside.
func unit(r int) float64 {
	if r == mem || r == disk {
		return mebi
	}
	return 1000
}

// largest are the greatest figures that a Quota can hold.
var largest = [resources]float64{1e12, 1 << 40, 1 << 40, 1e12}

func figures(q *v1alpha1.QuotaResources) [resources]**float64 {
	return [resources]**float64{&q.Cpus, &q.Mem, &q.Disk, &q.Gpus}
}

func limitsOf(q *v1alpha1.QuotaResources) limits {
	all := limits{noLimit, noLimit, noLimit, noLimit}
	if q == nil {
		return all
	}
	for r, figure := range figures(q) {
		if *figure != nil {
			all[r] = int64(math.Floor(math.Round(**figure*1000) * (unit(r) / 1000)))
		}
	}
	return all
}

// outside are the amounts as a Quota says them, without those that are 0.
func (a amounts) outside() v1alpha1.QuotaResources {
	var q v1alpha1.QuotaResources
	for r, figure := range figures(&q) {
		if a[r] > 0 {
			*figure = ptr.To(a.figure(r))
		}
	}
	return q
}

func (a amounts) figure(r int) float64 {
	// Up, so that what is there is never 0.
	return min(math.Ceil(float64(a[r])*1000/unit(r))/1000, largest[r])
}

// String is how Mesos wrote resources: cpus:1; mem:32.
func (a amounts) String() string {
	var all []string
	for r := range a {
		if a[r] > 0 {
			all = append(all, resourceNames[r]+":"+number(a.figure(r)))
		}
	}
	return strings.Join(all, "; ")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// ofLimit says how much of each limited resource is used.
func (a amounts) ofLimit(l limits) string {
	var all []string
	for r := range l {
		if l[r] != noLimit {
			all = append(all, fmt.Sprintf("%s %s of %s", resourceNames[r], number(a.figure(r)), number(amounts(l).figure(r))))
		}
	}
	return strings.Join(all, ", ")
}

// weights are for how many thousandths of a GPU one of a resource counts.
type weights map[corev1.ResourceName]int64

// weightsOf are those that NodePools give, and 1 for the operator's own resource.
// Where two pools disagree, the greater counts: less could break a limit.
func weightsOf(own string, pools []v1alpha1.NodePool) weights {
	all := weights{}
	for i := range pools {
		if pools[i].Spec.GPU == nil {
			continue
		}
		for _, r := range pools[i].Spec.GPU.Resources {
			name := corev1.ResourceName(r.Name)
			all[name] = max(all[name], int64(math.Round(ptr.Deref(r.Weight, 1)*1000)))
		}
	}
	if own == "" {
		own = "nvidia.com/gpu"
	}
	if _, given := all[corev1.ResourceName(own)]; !given {
		all[corev1.ResourceName(own)] = 1000
	}
	return all
}

// chargeOf is what a pod counts for: its requests with its overhead, as the
// scheduler sees them.
func chargeOf(p *corev1.Pod, w weights) amounts {
	asked := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{})
	a := amounts{
		cpus: bounded(asked[corev1.ResourceCPU], 1000),
		mem:  bounded(asked[corev1.ResourceMemory], 1),
		disk: bounded(asked[corev1.ResourceEphemeralStorage], 1),
	}
	for name, weight := range w {
		if q, has := asked[name]; has {
			a[gpus] = min(a[gpus]+bounded(q, weight), most)
		}
	}
	return a
}

// bounded is a quantity in parts of so many to one.
func bounded(q resource.Quantity, parts int64) int64 {
	if q.CmpInt64(most/parts) > 0 {
		return most
	}
	if q.Sign() < 0 {
		return 0
	}
	if parts == 1000 {
		return q.MilliValue()
	}
	return q.Value() * parts
}
