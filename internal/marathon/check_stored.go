// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"strconv"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// checkStored holds the rules that Marathon has for what it stores, over those
// of the API: these see defaults, too.
func checkStored(a *App, p *problems) {
	p.check(*a.Executor == "" || *a.Executor == "//cmd", "/executor", "custom executors are not supported: must be empty or //cmd")
	noImage := a.Container == nil || a.Container.Docker == nil
	p.check(a.Cmd != nil || len(a.Args) > 0 || !noImage, "", cmdOrContainer)
	for i, h := range a.HealthChecks {
		if strings.HasPrefix(string(h.Protocol), "MESOS_") {
			p.check(portReferenceOK(h.Port, h.PortIndex, a.portCount()), index("/healthChecks", i), healthPortIndex)
		}
	}
	checkUpgradeStrategy(a, *a.UpgradeStrategy, p)
	if s := a.UnreachableStrategy; !s.Disabled {
		p.check(!a.resident(), "", unreachableDisabled)
		p.check(s.InactiveAfterSeconds <= s.ExpungeAfterSeconds, "/unreachableStrategy/inactiveAfterSeconds",
			"inactiveAfterSeconds ("+strconv.FormatInt(s.InactiveAfterSeconds, 10)+") must be less or equal to expungeAfterSeconds, which is "+
				strconv.FormatInt(s.ExpungeAfterSeconds, 10))
	}
	checkCheck(a, p)
}

func checkCheck(a *App, p *problems) {
	c := a.Check
	if c == nil {
		return
	}
	docker := a.Container != nil && a.Container.Type == v1alpha1.EngineDocker
	p.check(!docker, "", "AppDefinition must not use 'checks' if using docker")
	kinds := 0
	for _, there := range []bool{c.HTTP != nil, c.TCP != nil, c.Exec != nil} {
		if there {
			kinds++
		}
	}
	p.check(kinds == 1, "/check", "expected one of http, tcp or exec checks")
	const message = "check port index must address an element of the ports array or container port mappings."
	if c.HTTP != nil {
		p.check(portReferenceOK(c.HTTP.Port, c.HTTP.PortIndex, a.portCount()), "/check", message)
	}
	if c.TCP != nil {
		p.check(portReferenceOK(c.TCP.Port, c.TCP.PortIndex, a.portCount()), "/check", message)
	}
}
