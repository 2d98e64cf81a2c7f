// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package virtualips

import (
	"fmt"
	"net/netip"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/vip"
)

// setStatus folds what was seen into the status of a VirtualIP that has its
// address, and returns its state: nil, or what is missing.
func setStatus(v *v1alpha1.VirtualIP, seen *observed) error {
	s := &v.Status
	*s = v1alpha1.VirtualIPStatus{
		Conditions: s.Conditions, ObservedGeneration: s.ObservedGeneration,
		Apps: vip.AppNames(seen.apps),
	}
	if v.Spec.IP == "" {
		s.DNSName = seen.key + "." + v1alpha1.VIPZone
	}
	if seen.service == nil {
		s.Ports = vip.Backends(seen.ports, nil, "", nil)
		return seen.without("nothing is behind the address")
	}
	s.Service, s.Addresses = seen.service.Name, vip.Addresses(seen.service, v)
	// Of two families, one counts: the tasks are the same.
	family := discoveryv1.AddressTypeIPv4
	if len(s.Addresses) > 0 {
		if ip, err := netip.ParseAddr(s.Addresses[0]); err == nil && ip.Is6() {
			family = discoveryv1.AddressTypeIPv6
		}
	}
	s.Ports = vip.Backends(seen.ports, seen.slices, family, func(pod string) string { return seen.appOf[pod] })
	tasks := vip.Tasks(seen.slices, family)
	s.Ready = tasks.Ready
	switch {
	case len(s.Addresses) == 0:
		return seen.without("the address is being published")
	case tasks.Ready > 0:
		return nil
	}
	return seen.without(fmt.Sprintf("no task behind the address takes connections: %d not ready, %d being stopped", tasks.NotReady, tasks.Draining))
}

// without says that the address leads nowhere, and why.
func (o *observed) without(why string) error {
	if len(o.ports) == 0 {
		why = "no App of the namespace has a port with a VIP label that names it"
	}
	return &reconciler.NotReady{Reason: v1alpha1.ReasonNoBackends, Message: why}
}
