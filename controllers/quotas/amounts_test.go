// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func asks(requests map[corev1.ResourceName]string) corev1.Container {
	list := corev1.ResourceList{}
	for name, q := range requests {
		list[name] = resource.MustParse(q)
	}
	return corev1.Container{Resources: corev1.ResourceRequirements{Requests: list}}
}

// TestCharge: what a pod counts for is what the scheduler reserves for it, and GPUs
// by the weights that pools give them.
func TestCharge(t *testing.T) {
	pool := func(resources ...v1alpha1.GPUResource) v1alpha1.NodePool {
		return v1alpha1.NodePool{Spec: v1alpha1.NodePoolSpec{GPU: &v1alpha1.NodePoolGPU{Resources: resources}}}
	}
	pools := []v1alpha1.NodePool{
		{},
		pool(v1alpha1.GPUResource{Name: "nvidia.com/mig-1g.10gb", Weight: ptr.To(0.125)}, v1alpha1.GPUResource{Name: "amd.com/gpu"}),
		pool(v1alpha1.GPUResource{Name: "nvidia.com/mig-1g.10gb", Weight: ptr.To(0.143)}),
	}
	always := corev1.ContainerRestartPolicyAlways
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"nothing": {corev1.PodSpec{Containers: []corev1.Container{{}}}, ""},
		"containers together": {
			corev1.PodSpec{Containers: []corev1.Container{asks(map[corev1.ResourceName]string{"cpu": "250m", "memory": "64Mi"}), asks(map[corev1.ResourceName]string{"cpu": "1", "ephemeral-storage": "1Gi"})}},
			"cpus:1.25; mem:64; disk:1024",
		},
		"the larger of what comes first": {
			corev1.PodSpec{
				InitContainers: []corev1.Container{asks(map[corev1.ResourceName]string{"cpu": "2"})},
				Containers:     []corev1.Container{asks(map[corev1.ResourceName]string{"cpu": "500m"})},
			},
			"cpus:2",
		},
		"a sidecar and overhead": {
			corev1.PodSpec{
				InitContainers: []corev1.Container{func() corev1.Container {
					c := asks(map[corev1.ResourceName]string{"cpu": "100m"})
					c.RestartPolicy = &always
					return c
				}()},
				Containers: []corev1.Container{asks(map[corev1.ResourceName]string{"cpu": "500m"})},
				Overhead:   corev1.ResourceList{"memory": resource.MustParse("10Mi")},
			},
			"cpus:0.6; mem:10",
		},
		"whole GPUs": {corev1.PodSpec{Containers: []corev1.Container{asks(map[corev1.ResourceName]string{"nvidia.com/gpu": "2", "amd.com/gpu": "1"})}}, "gpus:3"},
		"parts of GPUs, by the greater of two weights": {
			corev1.PodSpec{Containers: []corev1.Container{asks(map[corev1.ResourceName]string{"nvidia.com/mig-1g.10gb": "3"})}}, "gpus:0.429",
		},
		"what nobody counts": {corev1.PodSpec{Containers: []corev1.Container{asks(map[corev1.ResourceName]string{"example.com/fpga": "1"})}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := chargeOf(&corev1.Pod{Spec: c.spec}, weightsOf("", pools)).String(); got != c.want {
				t.Errorf("counts for %q, want %q", got, c.want)
			}
		})
	}
}

// TestVolumes: a persistent volume counts while it exists, also of an instance that
// was scaled down; one that is not made yet is part of what its pod needs.
func TestVolumes(t *testing.T) {
	owner := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Name: "db", UID: "app", Controller: ptr.To(true)}
	claim := func(slot string, phase corev1.PersistentVolumeClaimPhase, annotations map[string]string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.SlotLabel: slot}, Annotations: annotations, OwnerReferences: []metav1.OwnerReference{owner}},
			Spec:       corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}}},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	persistent := map[string]string{v1alpha1.VolumeAnnotation: "data"}
	claims := []corev1.PersistentVolumeClaim{
		claim("0", corev1.ClaimBound, persistent),   // of an instance that is no more
		claim("1", corev1.ClaimPending, persistent), // of one that waits
		claim("2", corev1.ClaimBound, nil),          // an external one
		claim("3", corev1.ClaimPending, persistent), // of none yet
	}
	pods := []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{
		Name: "db-1", UID: "db-1", Labels: map[string]string{v1alpha1.SlotLabel: "1"}, OwnerReferences: []metav1.OwnerReference{owner},
	}, Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: v1alpha1.QuotaGate}}}}}
	read := newBook().read(pods, nil)
	volumes := volumesOf(claims, read)
	if len(volumes) != 1 || volumes[0].size != 1<<30 || !volumes[0].isApp || volumes[0].object != "db" {
		t.Errorf("the volumes that count are %+v, want that of slot 0", volumes)
	}
	if got := read[0].need.String(); got != "disk:1024" {
		t.Errorf("the pod that waits needs %q, want the volume it is about to get", got)
	}
}
