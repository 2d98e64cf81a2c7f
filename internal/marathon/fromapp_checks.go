// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func fromHealthChecks(checks []v1alpha1.HealthCheck) []HealthCheck {
	var out []HealthCheck
	for _, h := range checks {
		check := HealthCheck{
			GracePeriodSeconds:     h.GracePeriodSeconds,
			IgnoreHTTP1xx:          h.IgnoreHTTP1xx,
			IntervalSeconds:        h.IntervalSeconds,
			MaxConsecutiveFailures: h.MaxConsecutiveFailures,
			Path:                   h.Path,
			Port:                   h.Port,
			PortIndex:              h.PortIndex,
			Protocol:               h.Protocol,
			IPProtocol:             h.IPProtocol,
			TimeoutSeconds:         h.TimeoutSeconds,
			DelaySeconds:           h.DelaySeconds,
		}
		if h.Command != nil {
			check.Command = &HealthCommand{Value: h.Command.Value}
		}
		out = append(out, check)
	}
	return out
}

func fromCheck(c *v1alpha1.Check) *Check {
	if c == nil {
		return nil
	}
	out := &Check{IntervalSeconds: c.IntervalSeconds, TimeoutSeconds: c.TimeoutSeconds, DelaySeconds: c.DelaySeconds}
	if h := c.HTTP; h != nil {
		out.HTTP = &HTTPCheck{PortIndex: h.PortIndex, Port: h.Port, Path: h.Path, Scheme: ptr.Deref(h.Scheme, "")}
	}
	if t := c.TCP; t != nil {
		out.TCP = &TCPCheck{PortIndex: t.PortIndex, Port: t.Port}
	}
	if e := c.Exec; e != nil {
		out.Exec = &ExecCheck{Command: ShellOrArgv{Shell: e.Command.Shell, Argv: e.Command.Argv}}
	}
	return out
}

func fromReadinessChecks(checks []v1alpha1.ReadinessCheck) []ReadinessCheck {
	var out []ReadinessCheck
	for _, r := range checks {
		out = append(out, ReadinessCheck{
			Name:                    ptr.To(r.Name),
			Protocol:                r.Protocol,
			Path:                    ptr.To(r.Path),
			PortName:                ptr.To(r.PortName),
			IntervalSeconds:         r.IntervalSeconds,
			TimeoutSeconds:          r.TimeoutSeconds,
			HTTPStatusCodesForReady: r.HTTPStatusCodesForReady,
			PreserveLastResponse:    r.PreserveLastResponse,
		})
	}
	return out
}
