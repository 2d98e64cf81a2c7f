// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// finishContainer drops what Marathon accepts and then forgets, and says what
// follows from the rest.
func (a *App) finishContainer() {
	c := a.Container
	if c == nil {
		return
	}
	if c.Type == v1alpha1.EngineDocker {
		c.LinuxInfo = nil
	} else if c.Docker != nil {
		c.Docker.Privileged = ptr.To(false)
	}
	c.PortMappings = each(c.PortMappings, func(m *PortMapping) { m.NetworkNames = distinct(m.NetworkNames) })
	c.Volumes = each(c.Volumes, func(v *Volume) {
		if p := v.Persistent; p != nil && p.Type == "" {
			// A disk with a profile is one that was carved out for volumes.
			p.Type = v1alpha1.PersistentRoot
			if p.ProfileName != nil {
				p.Type = v1alpha1.PersistentMount
			}
		}
	})
}

// finishConstraints writes constraints in one way: operators in upper case,
// numbers without a sign, and IS with a value, since none is as good as "".
func (a *App) finishConstraints() {
	out := [][]string{}
	for _, c := range a.Constraints {
		c = slices.Clone(c)
		if len(c) > 1 {
			c[1] = string(operator(c[1]))
			switch c[1] {
			case string(v1alpha1.ConstraintGroupBy), string(v1alpha1.ConstraintMaxPer):
				for i := 2; i < len(c); i++ {
					c[i] = strings.TrimPrefix(c[i], "+")
				}
			case string(v1alpha1.ConstraintIs):
				if len(c) == 2 {
					c = append(c, "")
				}
			}
		}
		out = append(out, c)
	}
	a.Constraints = unlike(out)
}

// finishChecks does the same to checks: which members count follows from the
// protocol.
func (a *App) finishChecks() {
	a.HealthChecks = each(a.HealthChecks, func(h *HealthCheck) {
		switch h.Protocol {
		case v1alpha1.HealthCommand:
			h.PortIndex = nil
		case v1alpha1.HealthTCP, v1alpha1.HealthMesosTCP:
			h.Path = nil
		}
		if h.Port != nil {
			h.PortIndex = nil
		}
		switch h.Protocol {
		case v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS:
			orElse(&h.IgnoreHTTP1xx, false)
		default:
			h.IgnoreHTTP1xx = nil
		}
	})
	a.HealthChecks = unlike(a.HealthChecks)
	if c := a.Check; c != nil && c.HTTP != nil {
		settlePort(&c.HTTP.Port, &c.HTTP.PortIndex)
	}
	if c := a.Check; c != nil && c.TCP != nil {
		c.TCP = ptr.To(*c.TCP)
		settlePort(&c.TCP.Port, &c.TCP.PortIndex)
	}
}

// settlePort keeps the port of two ways to name one.
func settlePort(port, portIndex **int32) {
	if *port != nil && **port == 0 {
		*port = nil
	}
	if *port != nil {
		*portIndex = nil
	}
}

// distinct returns the members in their order, each once; nil if there are none.
func distinct[T comparable](items []T) []T {
	seen := make(map[T]bool, len(items))
	var out []T
	for _, item := range items {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}
