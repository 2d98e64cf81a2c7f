// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// What Mesos and Marathon listened on.
const (
	portMaster   = 5050
	portAgent    = 5051
	portMarathon = 8080
)

// Node is an agent.
type Node struct {
	Name    string
	IPs     []netip.Addr
	Public  []netip.Addr
	Control bool
}

// controlPlaneTaint keeps tasks away from the nodes of the control plane.
const controlPlaneTaint = "node-role.kubernetes.io/control-plane"

// NodeOf is what names need of a node. One that tasks are kept away from is no
// agent, but runs the control plane.
func NodeOf(node *corev1.Node) Node {
	n := Node{Name: node.Name}
	var internal, external []string
	for _, a := range node.Status.Addresses {
		switch a.Type {
		case corev1.NodeInternalIP:
			internal = append(internal, a.Address)
		case corev1.NodeExternalIP:
			external = append(external, a.Address)
		case corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS:
		}
	}
	n.IPs, n.Public = addresses(internal), addresses(external)
	n.Control = slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == controlPlaneTaint })
	return n
}

// Records are those that the agent has with all others.
func (n *Node) Records() []Record {
	var out records
	if n.Control {
		return nil
	}
	out.addresses("slave.mesos", n.IPs)
	if len(n.IPs) > 0 {
		out.service("_slave._tcp.mesos", "slave.mesos", portAgent)
	}
	return out
}

// VirtualIP is a named VIP that is served.
type VirtualIP struct {
	Name string
	IPs  []netip.Addr
}

// VirtualIPOf is what names need of a VirtualIP. It has no name where somebody
// else holds that, or where it has none.
func VirtualIPOf(v *v1alpha1.VirtualIP) VirtualIP {
	name := strings.ToLower(strings.TrimSuffix(v.Status.DNSName, "."))
	if !strings.HasSuffix(name, zoneL4LB) || !legal(name) {
		return VirtualIP{}
	}
	return VirtualIP{Name: name, IPs: addresses(v.Status.Addresses)}
}

// Records are those of its name.
func (v *VirtualIP) Records() []Record {
	var out records
	if v.Name != "" {
		out.addresses(v.Name, v.IPs)
	}
	return out
}

// Role is what a service is for the cluster.
type Role string

// The roles.
const (
	// RoleGateway answers as the masters of DC/OS did.
	RoleGateway Role = "gateway"
	// RoleZooKeeper is the ZooKeeper of the cluster.
	RoleZooKeeper Role = "zookeeper"
	// RoleResolver is this DNS.
	RoleResolver Role = "resolver"
)

// ServiceIPs are the addresses of a service: none where it has none of its own.
func ServiceIPs(service *corev1.Service) []netip.Addr {
	return addresses(service.Spec.ClusterIPs)
}

// Records are the names that the role has at these addresses.
func (r Role) Records(ips []netip.Addr) []Record {
	var out records
	if len(ips) == 0 {
		return nil
	}
	switch r {
	case RoleGateway:
		for _, name := range []string{"leader.mesos", "master.mesos", "master0.mesos", "leader" + zoneDCOS, "master" + zoneDCOS} {
			out.addresses(name, ips)
		}
		out.service("_leader._tcp.mesos", "leader.mesos", portMaster)
		out.service("_leader._udp.mesos", "leader.mesos", portMaster)
		out.addresses("marathon.mesos", ips)
		out.service("_framework._tcp.marathon.mesos", "marathon.mesos", portMarathon)
	case RoleZooKeeper:
		for i := 1; i <= 5; i++ {
			out.addresses(fmt.Sprintf("zk-%d.zk", i), ips)
		}
	case RoleResolver:
		out.addresses("ns1.mesos", ips)
		out.addresses("ns.spartan", ips)
	}
	return out
}

// Fixed are the records that are always there.
func Fixed() []Record {
	loopback, loopback6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	return []Record{
		{Name: "ready.spartan", Value: Value{Addr: loopback}},
		{Name: "localhost", Value: Value{Addr: loopback}},
		{Name: "localhost", Value: Value{Addr: loopback6}},
	}
}
