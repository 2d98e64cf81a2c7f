// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Value is what a name has: an address or, with a target, a service.
type Value struct {
	Addr   netip.Addr
	Target string
	Port   uint16
}

// Compare orders values.
func (v Value) Compare(other Value) int {
	return cmp.Or(v.Addr.Compare(other.Addr), strings.Compare(v.Target, other.Target), cmp.Compare(v.Port, other.Port))
}

// Type is the type of the record of the value: A, AAAA or SRV.
func (v Value) Type() string {
	switch {
	case v.Target != "":
		return "SRV"
	case v.Addr.Is4():
		return "A"
	}
	return "AAAA"
}

// Record is one value of a name. Names are in lower case, without the last dot.
type Record struct {
	Name string
	Value
}

// The zones that records are made in.
const (
	zoneMesos       = ".mesos"
	zoneSlave       = ".slave.mesos"
	zoneAgentIP     = ".agentip.dcos.thisdcos.directory"
	zoneContainerIP = ".containerip.dcos.thisdcos.directory"
	zoneAutoIP      = ".autoip.dcos.thisdcos.directory"
	zoneL4LB        = ".l4lb.thisdcos.directory"
	zoneDCOS        = ".dcos.thisdcos.directory"
)

// records collects records of legal names; others could not be asked for, and a
// target that is none would spoil the whole answer.
type records []Record

func (r *records) addresses(name string, addresses []netip.Addr) {
	if !legal(name) {
		return
	}
	for _, a := range addresses {
		*r = append(*r, Record{Name: name, Value: Value{Addr: a}})
	}
}

func (r *records) service(name, target string, port int32) {
	if port <= 0 || port > 65535 || !legal(name) || !legal(target) {
		return
	}
	*r = append(*r, Record{Name: name, Value: Value{Target: target, Port: uint16(port)}})
}

// spelling is one of the ways to write the name of a task.
type spelling struct {
	// name, that of the task among those that share it, and what stands in
	// names of services.
	name, canonical, service string
}

// spellings are the sanitised one and, of what has a discovery, the raw one,
// which users and packages rely on (mesos-dns issue 552).
func (t *Task) spellings() []spelling {
	l, h := v1alpha1.DNSLabel(t.Name), hash(t.ID)
	if l == "" {
		return nil
	}
	// A label with an underscore in front has room for one less.
	all := []spelling{{l, canonical(l, h, t.Agent), "_" + v1alpha1.DNSLabelWithin(t.Name, maxLabel-1)}}
	if raw := strings.ToLower(t.Name); t.Discovered && raw != l && legal(raw) {
		all = append(all, spelling{raw, canonical(raw, h, t.Agent), "_" + raw})
	}
	return all
}

// Records are all those of the task, in no order. Some may be there twice.
func (t *Task) Records() []Record {
	framework := v1alpha1.DNSFragment(t.Framework)
	if framework == "" {
		return nil
	}
	out := records(make([]Record, 0, 32))
	reached := t.Addresses()
	for _, s := range t.spellings() {
		own := s.canonical + "." + framework
		out.addresses(s.name+"."+framework+zoneMesos, reached)
		out.addresses(own+zoneMesos, reached)
		out.addresses(s.name+"."+framework+zoneSlave, t.NodeIPs)
		out.addresses(own+zoneSlave, t.NodeIPs)
		t.resources(&out, s, framework)
		if t.Discovered {
			t.discovered(&out, s, framework)
		}
	}
	t.directory(&out)
	return out
}

// resources are the services that Mesos-DNS made of the ports that a task holds
// on its agent, for both transports whatever they speak.
func (t *Task) resources(out *records, s spelling, framework string) {
	target := s.canonical + "." + framework + zoneSlave
	seen := map[int32]bool{}
	for _, p := range t.Ports {
		if p.HostPort == 0 || seen[p.HostPort] {
			continue
		}
		seen[p.HostPort] = true
		for _, transport := range []string{"._tcp.", "._udp."} {
			out.service(s.service+transport+framework+zoneSlave, target, p.HostPort)
			if !t.Discovered {
				out.service(s.service+transport+framework+zoneMesos, target, p.HostPort)
			}
		}
	}
}

// discovered are the services of the ports of a discovery. Each leads to an
// address that the port is open at: the node's, where it has a port there.
func (t *Task) discovered(out *records, s spelling, framework string) {
	onNode := t.onNode()
	for _, p := range t.Ports {
		target, number := s.canonical+"."+framework+zoneMesos, p.Number
		if p.HostPort != 0 {
			number = p.HostPort
		} else if onNode {
			target = t.atContainer()
		}
		transports := []v1alpha1.TransportProtocol{p.Protocol}
		if p.Protocol == "" {
			transports = []v1alpha1.TransportProtocol{v1alpha1.TransportTCP, v1alpha1.TransportUDP}
		}
		for _, transport := range transports {
			name := s.service + "._" + string(transport) + "." + framework + zoneMesos
			out.service(name, target, number)
			if l := v1alpha1.DNSLabelWithin(p.Name, maxLabel-1); l != "" {
				out.service("_"+l+"."+name, target, number)
			}
		}
	}
}

// atContainer is the name of the task's own address, where its others are the
// node's. DC/OS had none for one task.
func (t *Task) atContainer() string {
	return canonical(v1alpha1.DNSLabel(t.Name), hash(t.ID), t.Agent) + "." + v1alpha1.DNSLabel(t.Framework) + zoneContainerIP
}

// directory are the names that dcos-net gave.
func (t *Task) directory(out *records) {
	task, framework := v1alpha1.DNSLabel(t.Name), v1alpha1.DNSLabel(t.Framework)
	if task == "" || framework == "" {
		return
	}
	own := t.IPs
	if len(own) == 0 {
		own = t.NodeIPs
	}
	name := task + "." + framework
	out.addresses(name+zoneAgentIP, t.NodeIPs)
	out.addresses(name+zoneContainerIP, own)
	out.addresses(name+zoneAutoIP, t.Addresses())
	if t.onNode() && slices.ContainsFunc(t.Ports, func(p v1alpha1.DiscoveryPort) bool { return p.HostPort == 0 }) {
		out.addresses(t.atContainer(), own)
	}
}

// Names are those that the task shares with others of its kind, whether it runs
// or not.
func (t *Task) Names() []string {
	shared := *t
	shared.NodeIPs = []netip.Addr{netip.IPv4Unspecified()}
	shared.IPs = shared.NodeIPs
	own := "-" + hash(t.ID)
	var all []string
	for _, r := range shared.Records() {
		if !strings.Contains(r.Name, own) && !slices.Contains(all, r.Name) {
			all = append(all, r.Name)
		}
	}
	return all
}
