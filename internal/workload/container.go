// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// executorOverhead is what a Mesos agent allowed a task over its mem, in MiB,
// for the executor that ran it. Apps sized on DC/OS count on it.
const executorOverhead = 32

const mebi = 1 << 20

// defaultGracePeriod is that of Mesos agents, in seconds.
const defaultGracePeriod = 3

func (t *task) container(settings Settings, slot Slot) (*corev1ac.ContainerApplyConfiguration, error) {
	spec, ports, flags := &t.app.Spec, t.ports, t.flags
	env, err := t.environment(slot)
	if err != nil {
		return nil, err
	}
	limits, requests, err := resources(spec, settings)
	if err != nil {
		return nil, err
	}
	c := corev1ac.Container().
		WithName(t.name).
		WithImage(image(spec, settings)).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithEnv(t.hideGPUs(env)...).
		WithPorts(containerPorts(ports, spec.OnHostNetwork())...).
		WithResources(corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits))
	if hasImage(spec) && ptr.Deref(spec.Container.Docker.ForcePullImage, false) {
		c.WithImagePullPolicy(corev1.PullAlways)
	}
	if drain := ptr.Deref(spec.DrainSeconds, 0); drain > 0 {
		c.WithLifecycle(corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().WithSleep(corev1ac.SleepAction().WithSeconds(int64(drain)))))
	}
	process(c, spec)
	if err := flags.toContainer(c, spec); err != nil {
		return nil, err
	}
	if i := kubeletCheck(spec); i >= 0 {
		withProbes(c, &spec.HealthChecks[i], ports)
		t.runAsGiven(c)
	}
	return c, nil
}

// hasImage says that the app runs on an image of its own.
func hasImage(spec *v1alpha1.AppSpec) bool {
	return spec.Container != nil && spec.Container.Docker != nil
}

// image is what the app runs on.
func image(spec *v1alpha1.AppSpec, settings Settings) string {
	if hasImage(spec) {
		return spec.Container.Docker.Image
	}
	return settings.BaseImage
}

// process is what runs in the container, and where: an app without an image in
// its sandbox, one of the Mesos engine too, unless its image says otherwise.
func process(c *corev1ac.ContainerApplyConfiguration, spec *v1alpha1.AppSpec) {
	if !hasImage(spec) {
		c.WithWorkingDir(sandboxPath)
	}
	switch {
	case spec.Cmd != nil && hasImage(spec) && spec.Container.Type == v1alpha1.EngineMesos:
		c.WithCommand("/bin/sh", "-c", inSandbox, escape(*spec.Cmd))
	case spec.Cmd != nil:
		c.WithCommand("/bin/sh", "-c", escape(*spec.Cmd))
	case hasImage(spec):
		for _, a := range spec.Args {
			c.WithArgs(escape(a))
		}
	default:
		// The first of them is the program.
		for _, a := range spec.Args {
			c.WithCommand(escape(a))
		}
	}
}

// escape keeps Kubernetes from expanding $(NAME) and from halving $$: in
// Marathon only the shell sees them.
func escape(s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '$' && i+1 < len(s) && (s[i+1] == '(' || s[i+1] == '$') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

func resources(spec *v1alpha1.AppSpec, settings Settings) (limits, requests corev1.ResourceList, err error) {
	cpus, mem, disk := *spec.Cpus, *spec.Mem, *spec.Disk
	var executor v1alpha1.ExecutorResources
	if spec.ExecutorResources != nil {
		executor = *spec.ExecutorResources
		cpus, mem, disk = cpus+*executor.Cpus, mem+*executor.Mem, disk+*executor.Disk
	}
	requests = corev1.ResourceList{corev1.ResourceCPU: cores(cpus)}
	limits = corev1.ResourceList{corev1.ResourceCPU: cores(cpus)}
	if mem > 0 {
		requests[corev1.ResourceMemory] = mebibytes(mem)
		limits[corev1.ResourceMemory] = mebibytes(mem + executorOverhead)
	}
	if disk > 0 {
		requests[corev1.ResourceEphemeralStorage] = mebibytes(disk)
	}
	if n := gpus(spec); n > 0 {
		limits[settings.gpuResource()] = *resource.NewQuantity(n, resource.DecimalSI)
		requests[settings.gpuResource()] = *resource.NewQuantity(n, resource.DecimalSI)
	}
	if l := spec.ResourceLimits; l != nil {
		// They are the task's: what is for its executor comes on top.
		if err := limit(limits, corev1.ResourceCPU, l.Cpus, func(n float64) resource.Quantity { return cores(n + ptr.Deref(executor.Cpus, 0)) }); err != nil {
			return nil, nil, fmt.Errorf("resourceLimits.cpus: %w", err)
		}
		if err := limit(limits, corev1.ResourceMemory, l.Mem, func(n float64) resource.Quantity { return mebibytes(n + ptr.Deref(executor.Mem, 0)) }); err != nil {
			return nil, nil, fmt.Errorf("resourceLimits.mem: %w", err)
		}
	}
	return limits, requests, nil
}

// limit replaces a limit by a number, or removes it where it is unlimited.
func limit(limits corev1.ResourceList, name corev1.ResourceName, value *intstr.IntOrString, quantity func(float64) resource.Quantity) error {
	switch {
	case value == nil:
	case value.Type == intstr.Int:
		limits[name] = quantity(float64(value.IntVal))
	case value.StrVal == v1alpha1.Unlimited:
		delete(limits, name)
	default:
		number, err := strconv.ParseFloat(value.StrVal, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return fmt.Errorf("%q is neither a number nor %q", value.StrVal, v1alpha1.Unlimited)
		}
		limits[name] = quantity(number)
	}
	return nil
}

func gpus(spec *v1alpha1.AppSpec) int64 {
	all := int64(ptr.Deref(spec.Gpus, 0))
	for i := range spec.Containers {
		all += int64(*spec.Containers[i].Resources.Gpus)
	}
	return all
}

func cores(n float64) resource.Quantity {
	return *resource.NewMilliQuantity(int64(math.Ceil(n*1000-1e-6)), resource.DecimalSI)
}

func mebibytes(n float64) resource.Quantity {
	return *resource.NewQuantity(int64(math.Ceil(n*mebi)), resource.BinarySI)
}
