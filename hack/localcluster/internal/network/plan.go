// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package network lays out and wires the network of a real cluster. All machines hang on one switch, a bridge in the
// control plane's own network namespace, so that neither the firewall nor the bridge settings of the host apply to
// traffic among them; the host itself is one more port of that switch, and its link is all that the host sees.
package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Plan is the address plan of a cluster: one /16, cut into the network of the machines, the Services and a /24 of pod
// addresses for each node.
type Plan struct {
	Block netip.Prefix `json:"block"`
}

// MaxNodes is how many nodes a plan has room for.
const MaxNodes = 100

const (
	blockBits   = 16
	machineBits = 24
	serviceBits = 18
	podBits     = 24

	hostNumber         = 1
	controlPlaneNumber = 2
	firstNodeNumber    = 10

	serviceOffset = 64 << 8
	podOffset     = 128 << 8
)

// candidates are the private, shared and benchmarking address ranges, in the order of preference.
var candidates = []struct {
	first  netip.Addr
	blocks uint32
}{
	{netip.MustParseAddr("10.64.0.0"), 191},
	{netip.MustParseAddr("172.16.0.0"), 16},
	{netip.MustParseAddr("100.64.0.0"), 64},
	{netip.MustParseAddr("198.18.0.0"), 2},
}

// Choose picks a block that meets none of the occupied networks. The seed spreads the choice of clusters that do not
// see each other.
func Choose(occupied []netip.Prefix, seed uint32) (Plan, error) {
	for _, c := range candidates {
		for i := range c.blocks {
			number := (seed + i) % c.blocks
			block := netip.PrefixFrom(add(c.first, number<<blockBits), blockBits)
			if !overlapsAny(block, occupied) {
				return Plan{Block: block}, nil
			}
		}
	}
	return Plan{}, errors.New("no private address range is free: all are covered by addresses or routes of this machine")
}

// Overlap returns an occupied network that the plan's block meets, if there is one.
func (p Plan) Overlap(occupied []netip.Prefix) (netip.Prefix, bool) {
	for _, prefix := range occupied {
		if prefix.Overlaps(p.Block) {
			return prefix, true
		}
	}
	return netip.Prefix{}, false
}

func overlapsAny(block netip.Prefix, occupied []netip.Prefix) bool {
	_, overlaps := Plan{Block: block}.Overlap(occupied)
	return overlaps
}

func add(address netip.Addr, offset uint32) netip.Addr {
	bytes := address.As4()
	binary.BigEndian.PutUint32(bytes[:], binary.BigEndian.Uint32(bytes[:])+offset)
	return netip.AddrFrom4(bytes)
}

func (p Plan) at(offset int) netip.Addr {
	return add(p.Block.Addr(), uint32(offset)) //nolint:gosec // it is within the block
}

// Machines is the network that the host, the control plane and the nodes are in.
func (p Plan) Machines() netip.Prefix { return netip.PrefixFrom(p.at(0), machineBits) }

// Host is the address of the host.
func (p Plan) Host() netip.Addr { return p.at(hostNumber) }

// ControlPlane is the address of the API server.
func (p Plan) ControlPlane() netip.Addr { return p.at(controlPlaneNumber) }

// Node is the address of the node of that number, from 1 to MaxNodes.
func (p Plan) Node(number int) netip.Addr { return p.at(firstNodeNumber + number) }

// Services is the range of the Services' cluster addresses.
func (p Plan) Services() netip.Prefix { return netip.PrefixFrom(p.at(serviceOffset), serviceBits) }

// KubernetesService is the address of the Service "kubernetes".
func (p Plan) KubernetesService() netip.Addr { return p.at(serviceOffset + 1) }

// ClusterDNS is the address that pods are told to ask, whether a DNS server is there or not.
func (p Plan) ClusterDNS() netip.Addr { return p.at(serviceOffset + 10) }

// Pods is the range of all pods' addresses.
func (p Plan) Pods() netip.Prefix { return netip.PrefixFrom(p.at(podOffset), blockBits+1) }

// PodsOf is the range of the pods of one node.
func (p Plan) PodsOf(number int) netip.Prefix {
	return netip.PrefixFrom(p.at(podOffset+number<<8), podBits)
}

// hardwareAddress derives a link's address from its IP address: a machine that boots again keeps it, and its
// neighbours' caches stay right.
func hardwareAddress(address netip.Addr) net.HardwareAddr {
	ip := address.As4()
	return net.HardwareAddr{0x02, 0x1c, ip[0], ip[1], ip[2], ip[3]}
}

// LinkName is the name of the host's link to the cluster of that identity.
func LinkName(identity string) string { return fmt.Sprintf("kdcos-%s", identity) }
