// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package vip

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Claim is a VirtualIP that may have its address, if it is free.
type Claim struct {
	VirtualIP *v1alpha1.VirtualIP
	// Ports that it needs.
	Ports []Port
}

// Holder is who has what a VirtualIP claims, nil if it has it itself. All claims
// are for the same name or address. The oldest has a name, and each port of an
// address: namespaces may share one if they use different ports.
func Holder(claims []Claim, of *v1alpha1.VirtualIP) *v1alpha1.VirtualIP {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Claim) int {
		x, y := a.VirtualIP, b.VirtualIP
		return cmp.Or(x.CreationTimestamp.Compare(y.CreationTimestamp.Time), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	var holders []Claim
	for _, c := range claims {
		i := slices.IndexFunc(holders, func(h Claim) bool { return h.excludes(c) })
		switch {
		case i < 0:
			holders = append(holders, c)
		case c.VirtualIP.UID == of.UID:
			return holders[i].VirtualIP
		}
	}
	return nil
}

// excludes says that there can't be another claim beside the claim.
func (c Claim) excludes(other Claim) bool {
	if c.VirtualIP.Spec.IP == "" || c.VirtualIP.Namespace == other.VirtualIP.Namespace {
		// The pods behind one address of a namespace are those of one VirtualIP.
		return true
	}
	return slices.ContainsFunc(c.Ports, func(p Port) bool { return slices.ContainsFunc(other.Ports, p.same) })
}

// Networks are what a value of VirtualIPNetworksAnnotation allows.
func Networks(value string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, fmt.Errorf("%q is no network such as 198.51.100.0/24", word)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Range is a network that has a use already.
type Range struct {
	Prefix netip.Prefix
	// Of is what it is the network of.
	Of string
}

// noVIP are networks that no VIP is in, whatever a namespace is allowed.
var noVIP = []Range{
	{netip.MustParsePrefix("0.0.0.0/8"), "no host"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback interfaces"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local addresses, where clouds hand out credentials"},
	{netip.MustParsePrefix("168.63.129.16/32"), "a service that clouds have for their machines"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a service that clouds have for their machines"},
	{netip.MustParsePrefix("224.0.0.0/3"), "multicast and reserved addresses"},
	{netip.MustParsePrefix("::/127"), "loopback interfaces"},
	{netip.MustParsePrefix("fe80::/10"), "link-local addresses"},
	{netip.MustParsePrefix("fd00:ec2::/32"), "services that clouds have for their machines"},
	{netip.MustParsePrefix("ff00::/8"), "multicast addresses"},
}

// CheckAddress says why a namespace may not use an address: its annotation does
// not allow it, or it has another use already.
func CheckAddress(namespace, annotation, address string, used []Range) error {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("%q is no IPv4 or IPv6 address", address)
	}
	for _, r := range slices.Concat(noVIP, used) {
		if r.Prefix.Contains(ip) {
			return fmt.Errorf("%s can't be a virtual IP: it belongs to %s", ip, r.Of)
		}
	}
	allowed, err := Networks(annotation)
	if err != nil {
		return fmt.Errorf("the annotation %s of namespace %s: %w", v1alpha1.VirtualIPNetworksAnnotation, namespace, err)
	}
	if !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return fmt.Errorf("namespace %s may not use %s: an administrator allows networks by the namespace's annotation %s", namespace, ip, v1alpha1.VirtualIPNetworksAnnotation)
	}
	return nil
}
