// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// firstCheckWithin is how soon Marathon makes the first health check of a
// task, in seconds, however long the interval.
const firstCheckWithin = 5

// withProbes says a health check as probes. The grace period of Marathon ends
// with the first success: that is a startup probe, not an initial delay. The
// readiness probe tells whether the task is healthy now: one failure is enough
// not to be. The liveness probe ends the task.
func withProbes(c *corev1ac.ContainerApplyConfiguration, h *v1alpha1.HealthCheck, ports []port) {
	interval := max(*h.IntervalSeconds, 1)
	failures, kills := killAfter(h)
	startup := probe(h, ports).WithPeriodSeconds(min(interval, firstCheckWithin))
	if kills {
		patience := int64(*h.GracePeriodSeconds) + int64(failures)*int64(interval)
		period := int64(*startup.PeriodSeconds)
		startup.WithFailureThreshold(int32(min((patience+period-1)/period, math.MaxInt32))) //nolint:gosec // capped
		c.WithLivenessProbe(probe(h, ports).WithPeriodSeconds(interval).WithFailureThreshold(failures))
	} else {
		// It never kills: without end, it still finds the first success soon.
		startup.WithFailureThreshold(math.MaxInt32)
	}
	if atTask(h) && *h.DelaySeconds > 0 {
		startup.WithInitialDelaySeconds(*h.DelaySeconds)
	}
	c.WithStartupProbe(startup)
	c.WithReadinessProbe(probe(h, ports).WithPeriodSeconds(interval).WithFailureThreshold(1))
}

// killAfter is the number of failures in a row that ends a task. Marathon's own
// checks kill at one more than maxConsecutiveFailures and never at 0, those
// made at the task at just that number, and at the first at 0.
func killAfter(h *v1alpha1.HealthCheck) (failures int32, kills bool) {
	if atTask(h) {
		return max(*h.MaxConsecutiveFailures, 1), true
	}
	return *h.MaxConsecutiveFailures + 1, *h.MaxConsecutiveFailures > 0
}

// atTask says that Mesos made the check beside the task, not Marathon from afar.
func atTask(h *v1alpha1.HealthCheck) bool {
	switch h.Protocol {
	case v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, v1alpha1.HealthTCP:
		return false
	case v1alpha1.HealthCommand, v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS, v1alpha1.HealthMesosTCP:
	}
	return true
}

func probe(h *v1alpha1.HealthCheck, ports []port) *corev1ac.ProbeApplyConfiguration {
	p := corev1ac.Probe().WithTimeoutSeconds(max(*h.TimeoutSeconds, 1))
	switch h.Protocol {
	case v1alpha1.HealthCommand:
		return p.WithExec(corev1ac.ExecAction().WithCommand("/bin/sh", "-c", escape(h.Command.Value)))
	case v1alpha1.HealthTCP, v1alpha1.HealthMesosTCP:
		return p.WithTCPSocket(corev1ac.TCPSocketAction().WithPort(intstr.FromInt32(checkedPort(h.Port, h.PortIndex, ports))))
	case v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS:
	}
	get := corev1ac.HTTPGetAction().WithPort(intstr.FromInt32(checkedPort(h.Port, h.PortIndex, ports))).WithScheme(corev1.URISchemeHTTP).
		WithPath(checkedPath(h.Path))
	if h.Protocol == v1alpha1.HealthHTTPS || h.Protocol == v1alpha1.HealthMesosHTTPS {
		get.WithScheme(corev1.URISchemeHTTPS)
	}
	return p.WithHTTPGet(get)
}
