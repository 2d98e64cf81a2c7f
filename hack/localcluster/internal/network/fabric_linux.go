// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	switchLink = "switch"
	hostPort   = "host"
	nodeLink   = "eth0"
	// voidLink is a bridge without ports in each node: the way to all that is not in the cluster, Services included.
	// A packet for a Service is looked up there before kube-proxy's rules turn it elsewhere, and without a rule it
	// never leaves the machine.
	voidLink = "void"
)

// SwitchLink is the link of the control plane that carries its address.
const SwitchLink = switchLink

// Node is what the network knows about a node.
type Node struct {
	Name   string
	Number int
}

// Occupied returns the networks that addresses and routes of the host cover; the default route and links of the given
// name do not count.
func Occupied(ownLink string) ([]netip.Prefix, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	own := -1
	for _, link := range links {
		if link.Attrs().Name == ownLink {
			own = link.Attrs().Index
		}
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var occupied []netip.Prefix
	for _, address := range addresses {
		if address.LinkIndex != own {
			occupied = append(occupied, prefixOf(address.IPNet))
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, route := range routes {
		if route.LinkIndex == own || route.Dst == nil {
			continue
		}
		if prefix := prefixOf(route.Dst); prefix.Bits() > 0 {
			occupied = append(occupied, prefix)
		}
	}
	return occupied, nil
}

func prefixOf(network *net.IPNet) netip.Prefix {
	address, _ := netip.AddrFromSlice(network.IP.To4())
	bits, _ := network.Mask.Size()
	return netip.PrefixFrom(address, bits).Masked()
}

// HasLink reports whether the host has a link of that name.
func HasLink(name string) (bool, error) {
	_, err := netlink.LinkByName(name)
	if isMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// RemoveLink takes the host's link and all routes over it away.
func RemoveLink(name string) error {
	if err := removeLink(&netlink.Handle{}, name); err != nil {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	return nil
}

// inNamespace calls do with a handle on the network namespace behind the file.
func inNamespace(file string, do func(h *netlink.Handle, ns netns.NsHandle) error) error {
	ns, err := netns.GetFromPath(file)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer ns.Close() //nolint:errcheck // nothing was written
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	return do(h, ns)
}

func isMissing(err error) bool {
	return errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV)
}

func removeLink(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := h.LinkDel(link); err != nil && !isMissing(err) {
		return err
	}
	return nil
}

// connect makes sure that a veth pair leads from one namespace into another. Half a pair is the rest of a machine that
// just died and is replaced.
func connect(from *netlink.Handle, name string, mac net.HardwareAddr, to *netlink.Handle, ns netns.NsHandle, peer string) error {
	_, err := from.LinkByName(name)
	_, peerErr := to.LinkByName(peer)
	if err == nil && peerErr == nil {
		return nil
	}
	const patience = 2 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err := removeLink(from, name); err != nil {
			return fmt.Errorf("remove half a link: %w", err)
		}
		if err := removeLink(to, peer); err != nil {
			return fmt.Errorf("remove half a link: %w", err)
		}
		err := from.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: name, HardwareAddr: mac},
			PeerName:      peer,
			PeerNamespace: netlink.NsFd(ns),
		})
		if err == nil {
			return nil
		}
		// The kernel takes a dead namespace's links down in its own time.
		if !errors.Is(err, unix.EEXIST) || time.Now().After(deadline) {
			return fmt.Errorf("add link %s: %w", name, err)
		}
	}
}

func ensureBridge(h *netlink.Handle, name string, mac net.HardwareAddr) (netlink.Link, error) {
	link, err := h.LinkByName(name)
	if isMissing(err) {
		err = h.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: mac}})
		if err == nil || errors.Is(err, unix.EEXIST) {
			link, err = h.LinkByName(name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("add bridge %s: %w", name, err)
	}
	return link, bringUp(h, link)
}

func bringUp(h *netlink.Handle, link netlink.Link) error {
	if link.Attrs().Flags&net.FlagUp != 0 {
		return nil
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", link.Attrs().Name, err)
	}
	return nil
}

func ensureAddress(h *netlink.Handle, link netlink.Link, address netip.Addr, bits int) error {
	network := ipNet(netip.PrefixFrom(address, bits))
	if err := h.AddrReplace(link, &netlink.Addr{IPNet: network}); err != nil {
		return fmt.Errorf("set address %s of %s: %w", network, link.Attrs().Name, err)
	}
	return nil
}

func ensureRoute(h *netlink.Handle, link netlink.Link, to netip.Prefix, via, source netip.Addr) error {
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(to)}
	if via.IsValid() {
		route.Gw = via.AsSlice()
	} else {
		route.Scope = netlink.SCOPE_LINK
	}
	if source.IsValid() {
		route.Src = source.AsSlice()
	}
	if err := h.RouteReplace(route); err != nil {
		return fmt.Errorf("set route to %s: %w", to, err)
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)}
}
