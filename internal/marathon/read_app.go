// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"math"
	"regexp"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	portName        = pattern(regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`))
	networkName     = pattern(regexp.MustCompile(`^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$`))
	executorPattern = pattern(regexp.MustCompile(`^(?:(//cmd)|(/?[^/]+(/[^/]+)*)|)$`))

	seconds  = int32s(0, math.MaxInt32)
	anyPort  = int32s(0, 65535)
	protocol = enum(v1alpha1.ProtocolTCP, v1alpha1.ProtocolUDP, v1alpha1.ProtocolUDPTCP)
	labels   = dictionary(text())
	filePath = text(notEmpty, maxLength(1024))
)

// readApp reads an app in every form there is, and says nothing about what does
// not go together. Members that are Marathon's to write, such as version, tasks
// or deployments, are ignored.
func readApp(n node) App {
	o := n.fields()
	app := App{
		ID:                         required(o, "id", text(notEmpty)),
		AcceptedResourceRoles:      either(o, "acceptedResourceRoles", set(text())),
		Args:                       either(o, "args", list(text())),
		BackoffFactor:              optional(o, "backoffFactor", number(1, math.MaxFloat64)),
		BackoffSeconds:             optional(o, "backoffSeconds", seconds),
		Cmd:                        optional(o, "cmd", text(notEmpty)),
		Constraints:                either(o, "constraints", tuples),
		Container:                  optional(o, "container", readContainer),
		Cpus:                       optional(o, "cpus", number(0.001, math.MaxFloat64)),
		Dependencies:               either(o, "dependencies", set(text())),
		Disk:                       optional(o, "disk", number(0, math.MaxFloat64)),
		Env:                        either(o, "env", dictionary(readEnvValue)),
		Executor:                   optional(o, "executor", text(executorPattern)),
		ExecutorResources:          optional(o, "executorResources", readExecutorResources),
		Fetch:                      either(o, "fetch", list(readArtifact)),
		HealthChecks:               either(o, "healthChecks", list(readHealthCheck)),
		Check:                      optional(o, "check", readCheck),
		Instances:                  optional(o, "instances", seconds),
		Labels:                     either(o, "labels", labels),
		MaxLaunchDelaySeconds:      optional(o, "maxLaunchDelaySeconds", seconds),
		Mem:                        optional(o, "mem", number(0, math.MaxFloat64)),
		Gpus:                       optional(o, "gpus", seconds),
		Networks:                   either(o, "networks", list(readNetwork)),
		PortDefinitions:            either(o, "portDefinitions", list(readPortDefinition)),
		ReadinessChecks:            either(o, "readinessChecks", list(readReadinessCheck)),
		Residency:                  optional(o, "residency", readResidency),
		ResourceLimits:             optional(o, "resourceLimits", readResourceLimits),
		RequirePorts:               optional(o, "requirePorts", boolean),
		Secrets:                    either(o, "secrets", dictionary(readSecretDef)),
		TaskKillGracePeriodSeconds: optional(o, "taskKillGracePeriodSeconds", seconds),
		UpgradeStrategy:            optional(o, "upgradeStrategy", readUpgradeStrategy),
		User:                       optional(o, "user", text()),
		KillSelection:              either(o, "killSelection", enum(v1alpha1.YoungestFirst, v1alpha1.OldestFirst)),
		UnreachableStrategy:        optional(o, "unreachableStrategy", readUnreachableStrategy),
		TTY:                        optional(o, "tty", boolean),
		DrainSeconds:               optional(o, "drainSeconds", seconds),
		PerNode:                    optional(o, "perNode", boolean),
		Rollout:                    optional(o, "rollout", readRollout),
		Suspend:                    optional(o, "suspend", boolean),
		Role:                       optional(o, "role", text(notEmpty)),
		IPAddress:                  optional(o, "ipAddress", readIPAddress),
		Ports:                      either(o, "ports", list(int32s(math.MinInt32, math.MaxInt32))),
		URIs:                       either(o, "uris", list(text())),
	}
	return app
}

func readEnvValue(n node) EnvValue {
	if s, ok := n.raw.(string); ok {
		return EnvValue{Value: s}
	}
	secret := expected(n.fields(), "secret", text())
	return EnvValue{Secret: &secret}
}

func readSecretDef(n node) SecretDef {
	return SecretDef{Source: required(n.fields(), "source", text(notEmpty))}
}

func readArtifact(n node) Artifact {
	o := n.fields()
	return Artifact{
		URI:        required(o, "uri", text(notEmpty, maxLength(1024))),
		Extract:    optional(o, "extract", boolean),
		Executable: optional(o, "executable", boolean),
		Cache:      optional(o, "cache", boolean),
		DestPath:   optional(o, "destPath", filePath),
	}
}

func readExecutorResources(n node) ExecutorResources {
	o := n.fields()
	return ExecutorResources{
		Cpus: optional(o, "cpus", number(0.1, math.MaxFloat64)),
		Mem:  optional(o, "mem", number(32, math.MaxFloat64)),
		Disk: optional(o, "disk", number(10, math.MaxFloat64)),
	}
}

func readResourceLimits(n node) ResourceLimits {
	o := n.fields()
	return ResourceLimits{
		Cpus: optional(o, "cpus", readResourceLimit),
		Mem:  optional(o, "mem", readResourceLimit),
	}
}

func readResourceLimit(n node) ResourceLimit {
	if s, ok := n.raw.(string); ok {
		return ResourceLimit{Text: &s}
	}
	return ResourceLimit{Number: number(-math.MaxFloat64, math.MaxFloat64)(n)}
}

func readResidency(n node) Residency {
	o := n.fields()
	return Residency{
		RelaunchEscalationTimeoutSeconds: optional(o, "relaunchEscalationTimeoutSeconds", natural),
		TaskLostBehavior:                 either(o, "taskLostBehavior", enum("WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT")),
	}
}

func readUpgradeStrategy(n node) UpgradeStrategy {
	o := n.fields()
	return UpgradeStrategy{
		MaximumOverCapacity:   required(o, "maximumOverCapacity", number(0, 1)),
		MinimumHealthCapacity: required(o, "minimumHealthCapacity", number(0, 1)),
	}
}

func readRollout(n node) v1alpha1.Rollout {
	o := n.fields()
	return v1alpha1.Rollout{
		Paused:                  optional(o, "paused", boolean),
		CanaryInstances:         optional(o, "canaryInstances", seconds),
		ProgressDeadlineSeconds: optional(o, "progressDeadlineSeconds", seconds),
		OnFailure:               optional(o, "onFailure", enum(v1alpha1.FailurePause, v1alpha1.FailureRollback)),
		InPlace:                 distinct(either(o, "inPlace", list(enum(v1alpha1.InPlaceFields()...)))),
	}
}

// readUnreachableStrategy takes any text for "disabled", as Marathon did.
func readUnreachableStrategy(n node) UnreachableStrategy {
	if _, ok := n.raw.(string); ok {
		return UnreachableStrategy{Disabled: true}
	}
	o := n.fields()
	return UnreachableStrategy{
		InactiveAfterSeconds: either(o, "inactiveAfterSeconds", natural),
		ExpungeAfterSeconds:  either(o, "expungeAfterSeconds", natural),
	}
}

func readNetwork(n node) Network {
	o := n.fields()
	return Network{
		Name:   optional(o, "name", text(notEmpty, maxLength(63), networkName)),
		Mode:   either(o, "mode", enum(v1alpha1.NetworkHost, v1alpha1.NetworkBridge, v1alpha1.NetworkContainer)),
		Labels: either(o, "labels", labels),
	}
}

func readPortDefinition(n node) PortDefinition {
	o := n.fields()
	return PortDefinition{
		Port:     optional(o, "port", anyPort),
		Labels:   either(o, "labels", labels),
		Name:     optional(o, "name", text(notEmpty, portName)),
		Protocol: either(o, "protocol", protocol),
	}
}

func readIPAddress(n node) IPAddress {
	o := n.fields()
	return IPAddress{
		Discovery:   optional(o, "discovery", readIPDiscovery),
		Groups:      either(o, "groups", set(text())),
		Labels:      either(o, "labels", labels),
		NetworkName: optional(o, "networkName", text(notEmpty)),
	}
}

func readIPDiscovery(n node) IPDiscovery {
	return IPDiscovery{Ports: either(n.fields(), "ports", list(readIPDiscoveryPort))}
}

func readIPDiscoveryPort(n node) IPDiscoveryPort {
	o := n.fields()
	return IPDiscoveryPort{
		Number:   optional(o, "number", anyPort),
		Name:     required(o, "name", text(notEmpty, portName)),
		Protocol: either(o, "protocol", protocol),
		Labels:   either(o, "labels", labels),
	}
}
