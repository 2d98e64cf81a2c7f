// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func healthSpec(checks []HealthCheck) []v1alpha1.HealthCheck {
	var out []v1alpha1.HealthCheck
	for _, h := range checks {
		check := v1alpha1.HealthCheck{
			Protocol:               saidValue(h.Protocol, v1alpha1.HealthHTTP),
			Port:                   h.Port,
			PortIndex:              h.PortIndex,
			Path:                   h.Path,
			GracePeriodSeconds:     said(h.GracePeriodSeconds, 300),
			IntervalSeconds:        said(h.IntervalSeconds, 60),
			TimeoutSeconds:         said(h.TimeoutSeconds, 20),
			DelaySeconds:           said(h.DelaySeconds, 15),
			MaxConsecutiveFailures: said(h.MaxConsecutiveFailures, 3),
			IgnoreHTTP1xx:          said(h.IgnoreHTTP1xx, false),
			IPProtocol:             saidValue(h.IPProtocol, "IPv4"),
		}
		if h.Command != nil {
			check.Command = &v1alpha1.HealthCommandValue{Value: h.Command.Value}
		}
		out = append(out, check)
	}
	return out
}

func (c *Check) spec() *v1alpha1.Check {
	if c == nil {
		return nil
	}
	out := &v1alpha1.Check{
		IntervalSeconds: said(c.IntervalSeconds, 60),
		TimeoutSeconds:  said(c.TimeoutSeconds, 20),
		DelaySeconds:    said(c.DelaySeconds, 15),
	}
	switch {
	case c.HTTP != nil:
		out.HTTP = &v1alpha1.HTTPCheck{
			Port:      c.HTTP.Port,
			PortIndex: c.HTTP.PortIndex,
			Path:      c.HTTP.Path,
			Scheme:    said(&c.HTTP.Scheme, "HTTP"),
		}
	case c.TCP != nil:
		out.TCP = &v1alpha1.TCPCheck{Port: c.TCP.Port, PortIndex: c.TCP.PortIndex}
	case c.Exec != nil:
		out.Exec = &v1alpha1.ExecCheck{Command: v1alpha1.ShellOrArgv{Shell: c.Exec.Command.Shell, Argv: c.Exec.Command.Argv}}
	}
	return out
}

func readinessSpec(checks []ReadinessCheck) []v1alpha1.ReadinessCheck {
	var out []v1alpha1.ReadinessCheck
	for _, r := range checks {
		check := v1alpha1.ReadinessCheck{
			Name:                    saidValue(*r.Name, "readinessCheck"),
			Protocol:                saidValue(r.Protocol, "HTTP"),
			Path:                    saidValue(*r.Path, "/"),
			PortName:                saidValue(*r.PortName, "http-api"),
			IntervalSeconds:         said(r.IntervalSeconds, 30),
			TimeoutSeconds:          said(r.TimeoutSeconds, 10),
			HTTPStatusCodesForReady: r.HTTPStatusCodesForReady,
			PreserveLastResponse:    said(r.PreserveLastResponse, false),
		}
		if slices.Equal(r.HTTPStatusCodesForReady, []int32{200}) {
			check.HTTPStatusCodesForReady = nil
		}
		out = append(out, check)
	}
	return out
}
