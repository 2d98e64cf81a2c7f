// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// visibleDevices says to the runtime of NVIDIA which GPUs a container is shown,
// and noDevices that it is as if there were none.
const (
	visibleDevices = "NVIDIA_VISIBLE_DEVICES"
	noDevices      = "void"
)

// acceptsGPUNodes says that the pod of an app may run on nodes with GPUs.
func acceptsGPUNodes(spec *v1alpha1.AppSpec) bool {
	return gpus(spec) > 0 || spec.Labels[gpuSchedulingLabel] == gpuUnrestricted
}

// meetsGPUs says that the pod may ever be on such a node: where its volume is, it
// returns, though the node be kept for others by now.
func meetsGPUs(spec *v1alpha1.AppSpec) bool {
	return acceptsGPUNodes(spec) || len(PersistentVolumes(spec)) > 0
}

// hideGPUs keeps GPUs from a container on such a node that asked for none, as the
// isolation of Mesos did. Images say that they want to see all, and so would
// whoever wants to use what is not his: it is not the app's to decide.
func (t *task) hideGPUs(env []*corev1ac.EnvVarApplyConfiguration) []*corev1ac.EnvVarApplyConfiguration {
	pod := t.app
	if t.of != nil {
		pod = t.of
	}
	if gpus(&t.app.Spec) > 0 || !meetsGPUs(&pod.Spec) {
		return env
	}
	env = slices.DeleteFunc(env, func(v *corev1ac.EnvVarApplyConfiguration) bool { return *v.Name == visibleDevices })
	return append(env, corev1ac.EnvVar().WithName(visibleDevices).WithValue(noDevices))
}
