// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"math"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var podName = text(notEmpty, maxLength(63), portName)

// readPod reads a pod. Members that are Marathon's to write, such as version,
// are ignored, and so is legacySharedCgroups: each container has limits of its own.
func readPod(n node) Pod {
	o := n.fields()
	return Pod{
		ID:                required(o, "id", text(notEmpty)),
		Labels:            either(o, "labels", labels),
		User:              optional(o, "user", text()),
		Environment:       either(o, "environment", dictionary(readEnvValue)),
		Containers:        required(o, "containers", list(readPodContainer)),
		Secrets:           either(o, "secrets", dictionary(readSecretDef)),
		Volumes:           either(o, "volumes", list(readPodVolume)),
		Networks:          either(o, "networks", list(readNetwork)),
		Scaling:           optional(o, "scaling", readPodScaling),
		Scheduling:        optional(o, "scheduling", readPodScheduling),
		ExecutorResources: optional(o, "executorResources", readExecutorResources),
		Role:              optional(o, "role", text(notEmpty)),
		LinuxInfo:         optional(o, "linuxInfo", readLinuxInfo),
		Dependencies:      either(o, "dependencies", set(text())),
		DrainSeconds:      optional(o, "drainSeconds", seconds),
		PerNode:           optional(o, "perNode", boolean),
		Rollout:           optional(o, "rollout", readRollout),
		Suspend:           optional(o, "suspend", boolean),
	}
}

func readPodScaling(n node) PodScaling {
	o := n.fields()
	return PodScaling{
		Kind:      either(o, "kind", enum("fixed")),
		Instances: optional(o, "instances", seconds),
	}
}

// wholeSeconds reads a time that Marathon takes a fraction for, rounded up.
func wholeSeconds(n node) int32 {
	return narrow(int64(math.Ceil(number(0, math.MaxInt32)(n))))
}

func readPodScheduling(n node) PodScheduling {
	o := n.fields()
	return PodScheduling{
		Backoff:             optional(o, "backoff", readPodBackoff),
		Upgrade:             optional(o, "upgrade", readPodUpgrade),
		Placement:           optional(o, "placement", readPodPlacement),
		KillSelection:       either(o, "killSelection", enum(v1alpha1.YoungestFirst, v1alpha1.OldestFirst)),
		UnreachableStrategy: optional(o, "unreachableStrategy", readUnreachableStrategy),
	}
}

func readPodBackoff(n node) PodBackoff {
	o := n.fields()
	return PodBackoff{
		Backoff:        optional(o, "backoff", wholeSeconds),
		BackoffFactor:  optional(o, "backoffFactor", number(1, math.MaxFloat64)),
		MaxLaunchDelay: optional(o, "maxLaunchDelay", wholeSeconds),
	}
}

// readPodUpgrade takes 1 for what is left out.
func readPodUpgrade(n node) UpgradeStrategy {
	o := n.fields()
	share := func(name string) float64 {
		if v := optional(o, name, number(0, 1)); v != nil {
			return *v
		}
		return 1
	}
	return UpgradeStrategy{MaximumOverCapacity: share("maximumOverCapacity"), MinimumHealthCapacity: share("minimumHealthCapacity")}
}

func readPodPlacement(n node) PodPlacement {
	o := n.fields()
	return PodPlacement{
		Constraints:           either(o, "constraints", list(readPodConstraint)),
		AcceptedResourceRoles: either(o, "acceptedResourceRoles", set(text())),
	}
}

func readPodConstraint(n node) PodConstraint {
	o := n.fields()
	return PodConstraint{
		FieldName: required(o, "fieldName", text(notEmpty)),
		Operator:  required(o, "operator", text(notEmpty)),
		Value:     optional(o, "value", text()),
	}
}

func readPodContainer(n node) PodContainer {
	o := n.fields()
	return PodContainer{
		Name:           required(o, "name", readContainerName),
		Exec:           optional(o, "exec", readPodExec),
		Resources:      either(o, "resources", readPodResources),
		ResourceLimits: optional(o, "resourceLimits", readResourceLimits),
		Endpoints:      either(o, "endpoints", list(readEndpoint)),
		Image:          optional(o, "image", readPodImage),
		Environment:    either(o, "environment", dictionary(readEnvValue)),
		User:           optional(o, "user", text()),
		HealthCheck:    optional(o, "healthCheck", readPodHealthCheck),
		Check:          optional(o, "check", readPodCheck),
		VolumeMounts:   either(o, "volumeMounts", list(readVolumeMount)),
		Artifacts:      either(o, "artifacts", list(readArtifact)),
		Labels:         either(o, "labels", labels),
		Lifecycle:      optional(o, "lifecycle", readPodLifecycle),
		TTY:            optional(o, "tty", boolean),
		LinuxInfo:      optional(o, "linuxInfo", readLinuxInfo),
	}
}

// readContainerName takes capitals, which a container of Kubernetes has not, for
// small letters: definitions that Marathon's own tests kept have them.
func readContainerName(n node) string {
	if s, ok := n.raw.(string); ok {
		n.raw = strings.ToLower(s)
	}
	return podName(n)
}

func readPodExec(n node) PodExec {
	o := n.fields()
	return PodExec{
		Command:            required(o, "command", readShellOrArgv),
		OverrideEntrypoint: optional(o, "overrideEntrypoint", boolean),
	}
}

func readPodResources(n node) PodResources {
	o := n.fields()
	return PodResources{
		Cpus: optional(o, "cpus", number(0.001, math.MaxFloat64)),
		Mem:  optional(o, "mem", number(0, math.MaxFloat64)),
		Disk: optional(o, "disk", number(0, math.MaxFloat64)),
		Gpus: optional(o, "gpus", seconds),
	}
}

func readEndpoint(n node) Endpoint {
	o := n.fields()
	return Endpoint{
		Name:          required(o, "name", podName),
		ContainerPort: optional(o, "containerPort", anyPort),
		HostPort:      optional(o, "hostPort", anyPort),
		Protocol:      either(o, "protocol", set(readContainerName)),
		NetworkNames:  either(o, "networkNames", set(text())),
		Labels:        either(o, "labels", labels),
	}
}

func readPodImage(n node) PodImage {
	o := n.fields()
	return PodImage{
		Kind:       required(o, "kind", enum(imageDocker, imageAppc)),
		ID:         required(o, "id", text(notEmpty, maxLength(1024))),
		PullConfig: optional(o, "pullConfig", readPullConfig),
		ForcePull:  optional(o, "forcePull", boolean),
		Labels:     either(o, "labels", labels),
	}
}

func readPodHealthCheck(n node) PodHealthCheck {
	o := n.fields()
	return PodHealthCheck{
		HTTP:                   optional(o, "http", readEndpointHTTPCheck),
		TCP:                    optional(o, "tcp", readEndpointTCPCheck),
		Exec:                   optional(o, "exec", readExecCheck),
		GracePeriodSeconds:     optional(o, "gracePeriodSeconds", seconds),
		IntervalSeconds:        optional(o, "intervalSeconds", seconds),
		MaxConsecutiveFailures: optional(o, "maxConsecutiveFailures", seconds),
		TimeoutSeconds:         optional(o, "timeoutSeconds", seconds),
		DelaySeconds:           optional(o, "delaySeconds", seconds),
	}
}

func readPodCheck(n node) PodCheck {
	o := n.fields()
	return PodCheck{
		HTTP:            optional(o, "http", readEndpointHTTPCheck),
		TCP:             optional(o, "tcp", readEndpointTCPCheck),
		Exec:            optional(o, "exec", readExecCheck),
		IntervalSeconds: optional(o, "intervalSeconds", seconds),
		TimeoutSeconds:  optional(o, "timeoutSeconds", seconds),
		DelaySeconds:    optional(o, "delaySeconds", seconds),
	}
}

func readEndpointHTTPCheck(n node) EndpointHTTPCheck {
	o := n.fields()
	return EndpointHTTPCheck{
		Endpoint: required(o, "endpoint", podName),
		Path:     optional(o, "path", filePath),
		Scheme:   either(o, "scheme", scheme),
	}
}

func readEndpointTCPCheck(n node) EndpointTCPCheck {
	return EndpointTCPCheck{Endpoint: required(n.fields(), "endpoint", podName)}
}

func readVolumeMount(n node) VolumeMount {
	o := n.fields()
	return VolumeMount{
		Name:      required(o, "name", podName),
		MountPath: required(o, "mountPath", filePath),
		ReadOnly:  optional(o, "readOnly", boolean),
	}
}

func readPodLifecycle(n node) PodLifecycle {
	return PodLifecycle{KillGracePeriodSeconds: optional(n.fields(), "killGracePeriodSeconds", wholeSeconds)}
}

func readPodVolume(n node) PodVolume {
	o := n.fields()
	return PodVolume{
		Name:       required(o, "name", podName),
		Host:       optional(o, "host", filePath),
		Persistent: optional(o, "persistent", readPersistent),
		Secret:     optional(o, "secret", text(notEmpty)),
	}
}
