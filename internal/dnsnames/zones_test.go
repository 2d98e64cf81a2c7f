// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestZones(t *testing.T) {
	z := NewZones("ABC")
	for in, want := range map[string]struct{ apex, name, renamed string }{
		"web.marathon.mesos":                     {"mesos", "web.marathon.mesos", "x.mesos"},
		"mesos":                                  {"mesos", "mesos", "x.mesos"},
		"web.marathon.mesos.thisdcos.directory":  {"thisdcos.directory", "web.marathon.mesos", "x.mesos.thisdcos.directory"},
		"mesos.thisdcos.directory":               {"thisdcos.directory", "mesos", "x.mesos.thisdcos.directory"},
		"x.marathon.l4lb.thisdcos.directory":     {"thisdcos.directory", "x.marathon.l4lb.thisdcos.directory", "x.mesos"},
		"x.marathon.dclb.thisdcos.directory":     {"thisdcos.directory", "x.marathon.l4lb.thisdcos.directory", "x.mesos"},
		"x.marathon.dclb.thisdcos.global":        {"thisdcos.global", "x.marathon.l4lb.thisdcos.directory", "x.mesos"},
		"x.marathon.l4lb.thisdcos.global":        {"thisdcos.global", "x.marathon.l4lb.thisdcos.directory", "x.mesos"},
		"x.marathon.autoip.dcos.thisdcos.global": {"thisdcos.global", "x.marathon.autoip.dcos.thisdcos.directory", "x.mesos"},
		"web.marathon.mesos.thisdcos.global":     {"thisdcos.global", "web.marathon.mesos", "x.mesos.thisdcos.global"},
		"web.marathon.mesos.abc.dcos.directory":  {"abc.dcos.directory", "web.marathon.mesos", "x.mesos.abc.dcos.directory"},
		"x.marathon.l4lb.abc.dcos.directory":     {"abc.dcos.directory", "x.marathon.l4lb.thisdcos.directory", "x.mesos"},
		"leader.dcos.abc.dcos.directory":         {"abc.dcos.directory", "leader.dcos.thisdcos.directory", "x.mesos"},
		"zk-1.zk":                                {"zk", "zk-1.zk", "x.mesos"},
		"ready.spartan":                          {"spartan", "ready.spartan", "x.mesos"},
		"x.other.dcos.directory":                 {},
		"notmesos":                               {},
		"thisdcos.directory.example":             {},
		"":                                       {},
	} {
		p, ours := z.Find(in)
		if ours != (want.apex != "") || p.Apex != want.apex || p.Name != want.name {
			t.Errorf("%q is %+v", in, p)
		}
		if got := p.Rename("x.mesos"); ours && got != want.renamed {
			t.Errorf("in %q, x.mesos becomes %q", in, got)
		}
	}
	for _, name := range append(z.Apexes(), "l4lb.thisdcos.directory", "dclb.thisdcos.global", "mesos.abc.dcos.directory") {
		if p, _ := z.Find(name); !p.Fixed {
			t.Errorf("%s is not always there", name)
		}
	}
}

func TestCluster(t *testing.T) {
	gateway := text(RoleGateway.Records(ips("10.1.0.1")))
	for _, name := range []string{"leader.mesos", "master.mesos", "master0.mesos", "marathon.mesos", "leader.dcos.thisdcos.directory", "master.dcos.thisdcos.directory"} {
		if len(gateway[name]) != 1 || gateway[name][0] != "10.1.0.1" {
			t.Errorf("%s is %v", name, gateway[name])
		}
	}
	if v := gateway["_leader._udp.mesos"]; len(v) != 1 || v[0] != "leader.mesos:5050" {
		t.Errorf("_leader._udp.mesos is %v", v)
	}
	if zk := RoleZooKeeper.Records(ips("10.1.0.2")); len(zk) != 5 || zk[4].Name != "zk-5.zk" {
		t.Errorf("ZooKeeper is %v", zk)
	}
	if none := RoleGateway.Records(nil); len(none) != 0 {
		t.Errorf("no gateway is %v", none)
	}
	node := NodeOf(&corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}, {Type: corev1.NodeExternalIP, Address: "1.2.3.4"}}}})
	if r := text(node.Records()); r["slave.mesos"][0] != "10.0.0.1" || r["_slave._tcp.mesos"][0] != "slave.mesos:5051" {
		t.Errorf("the agent is %v", r)
	}
	node = NodeOf(&corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane"}}}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}}})
	if r := node.Records(); len(r) != 0 {
		t.Errorf("the control plane is an agent: %v", r)
	}
	for name, count := range map[string]int{"shopweb.marathon.l4lb.thisdcos.directory": 2, "": 0, "leader.mesos": 0, "x y.l4lb.thisdcos.directory": 0} {
		v := VirtualIPOf(&v1alpha1.VirtualIP{Status: v1alpha1.VirtualIPStatus{DNSName: name, Addresses: []string{"10.1.0.9", "fd00::9"}}})
		if got := v.Records(); len(got) != count {
			t.Errorf("the VIP %q has %v", name, got)
		}
	}
}
