// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsnames"
)

// instance is an instance of /shop/web, or of another app, on the host network.
func instance(app string, i int, ports ...v1alpha1.DiscoveryPort) *taskPod {
	ip := netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i%250 + 1)})
	return &taskPod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-%d", app, i)}, tasks: []dnsnames.Task{{
		Name: app, Framework: "marathon", Discovered: true, ID: fmt.Sprintf("%s.%d", app, i), Agent: fmt.Sprintf("s%d", i),
		Ports: ports, IPs: []netip.Addr{ip}, NodeIPs: []netip.Addr{ip},
	}}}
}

func shop(i int) *taskPod {
	port := int32(31000 + 10*i)
	return instance("web.shop", i,
		v1alpha1.DiscoveryPort{Name: "http", Number: port, HostPort: port, Protocol: "tcp"},
		v1alpha1.DiscoveryPort{Name: "admin", Number: port + 1, HostPort: port + 1, Protocol: "tcp"})
}

// serve serves the names over UDP and TCP, as CoreDNS does.
func serve(t *testing.T, d *DCOS) string {
	t.Helper()
	config := &dnsserver.Config{Zone: ".", ListenHosts: []string{""}, Port: "0"}
	config.AddPlugin(func(next plugin.Handler) plugin.Handler { d.Next = next; return d })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.NewServer("dns://"+listener.Addr().String(), []*dnsserver.Config{config})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	for _, run := range []func() error{func() error { return server.Serve(listener) }, func() error { return server.ServePacket(packets) }} {
		serving.Go(func() {
			if err := run(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return listener.Addr().String()
}

func newTest(items ...item) *DCOS {
	d := New(&Options{TTL: 5, NegativeTTL: 3, ClusterID: "abc"})
	for i, it := range items {
		d.replace(fmt.Sprint(i), it)
	}
	d.store.Commit()
	d.ready.Store(true)
	return d
}

type asker struct {
	t      *testing.T
	server string
	net    string
	edns   uint16
}

func (a asker) ask(name string, qtype uint16) *dns.Msg {
	a.t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	if a.edns > 0 {
		m.SetEdns0(a.edns, false)
	}
	answer, _, err := (&dns.Client{Net: a.net}).ExchangeContext(context.Background(), m, a.server)
	if err != nil {
		a.t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	return answer
}

func names(rrs []dns.RR) []string {
	var all []string
	for _, rr := range rrs {
		all = append(all, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(all)
	return all
}

// TestWire holds how questions are answered, where it differs from Mesos-DNS,
// too.
func TestWire(t *testing.T) {
	pods := []item{
		shop(0), shop(1), shop(12),
		&service{role: dnsnames.RoleGateway, ips: []netip.Addr{netip.MustParseAddr("10.1.0.1")}},
		&service{role: dnsnames.RoleResolver, ips: []netip.Addr{netip.MustParseAddr("10.1.0.2")}},
		&virtualIP{VirtualIP: dnsnames.VirtualIP{Name: "shopweb.marathon.l4lb.thisdcos.directory", IPs: []netip.Addr{netip.MustParseAddr("10.1.0.3"), netip.MustParseAddr("fd00::3")}}},
	}
	a := asker{t: t, server: serve(t, newTest(pods...)), net: "udp"}
	for _, c := range []struct {
		name   string
		qtype  uint16
		rcode  int
		answer []string
		soa    string
	}{
		{"web-shop.marathon.mesos.", dns.TypeA, dns.RcodeSuccess, []string{
			"web-shop.marathon.mesos. 5 IN A 10.0.0.1", "web-shop.marathon.mesos. 5 IN A 10.0.0.13", "web-shop.marathon.mesos. 5 IN A 10.0.0.2",
		}, ""},
		{"web.shop.marathon.mesos.", dns.TypeA, dns.RcodeSuccess, []string{
			"web.shop.marathon.mesos. 5 IN A 10.0.0.1", "web.shop.marathon.mesos. 5 IN A 10.0.0.13", "web.shop.marathon.mesos. 5 IN A 10.0.0.2",
		}, ""},
		{"web-shop.marathon.mesos.", dns.TypeAAAA, dns.RcodeSuccess, nil, "mesos."},
		{"leader.mesos.", dns.TypeAAAA, dns.RcodeSuccess, nil, "mesos."},
		{"WEB-shop.Marathon.mesos.", dns.TypeTXT, dns.RcodeSuccess, nil, "mesos."},
		{"wEb-ShOp.marathon.slave.MESOS.", dns.TypeA, dns.RcodeSuccess, []string{
			"wEb-ShOp.marathon.slave.MESOS. 5 IN A 10.0.0.1", "wEb-ShOp.marathon.slave.MESOS. 5 IN A 10.0.0.13", "wEb-ShOp.marathon.slave.MESOS. 5 IN A 10.0.0.2",
		}, ""},
		{"shop.marathon.mesos.", dns.TypeA, dns.RcodeSuccess, nil, "mesos."}, // a name above others
		{"nothing.marathon.mesos.", dns.TypeA, dns.RcodeNameError, nil, "mesos."},
		{"nothing.marathon.mEsOs.", dns.TypeA, dns.RcodeNameError, nil, "mEsOs."},
		{"_nothing._tcp.marathon.mesos.", dns.TypeSRV, dns.RcodeNameError, nil, "mesos."},
		{"_web-shop._udp.marathon.mesos.", dns.TypeSRV, dns.RcodeNameError, nil, "mesos."},
		{"mesos.", dns.TypeA, dns.RcodeSuccess, nil, "mesos."},
		{"mesos.", dns.TypeSOA, dns.RcodeSuccess, []string{"mesos. 5 IN SOA ns1.mesos. root.ns1.mesos. 0 60 600 86400 3"}, ""},
		{"mesos.", dns.TypeNS, dns.RcodeSuccess, []string{"mesos. 5 IN NS ns1.mesos."}, ""},
		{"mesos.", dns.TypeANY, dns.RcodeSuccess, []string{`mesos. 8482 IN HINFO "RFC8482" ""`}, ""},
		{"mesos.", dns.TypeAXFR, dns.RcodeRefused, nil, ""},
		{"example.com.", dns.TypeA, dns.RcodeRefused, nil, ""},
		{".", dns.TypeNS, dns.RcodeRefused, nil, ""},
		{"shopweb.marathon.l4lb.thisdcos.directory.", dns.TypeAAAA, dns.RcodeSuccess, []string{"shopweb.marathon.l4lb.thisdcos.directory. 5 IN AAAA fd00::3"}, ""},
		{"shopweb.marathon.dclb.thisdcos.global.", dns.TypeA, dns.RcodeSuccess, []string{"shopweb.marathon.dclb.thisdcos.global. 5 IN A 10.1.0.3"}, ""},
		{"shopweb.marathon.l4lb.ABC.dcos.directory.", dns.TypeA, dns.RcodeSuccess, []string{"shopweb.marathon.l4lb.ABC.dcos.directory. 5 IN A 10.1.0.3"}, ""},
		{"x.l4lb.other.dcos.directory.", dns.TypeA, dns.RcodeRefused, nil, ""},
		{"l4lb.thisdcos.directory.", dns.TypeA, dns.RcodeSuccess, nil, "thisdcos.directory."},
		{"nothing.l4lb.thisdcos.directory.", dns.TypeA, dns.RcodeNameError, nil, "thisdcos.directory."},
		{"ready.spartan.", dns.TypeA, dns.RcodeSuccess, []string{"ready.spartan. 5 IN A 127.0.0.1"}, ""},
		{"zk-1.zk.", dns.TypeA, dns.RcodeNameError, nil, "zk."},
	} {
		m := a.ask(c.name, c.qtype)
		what := c.name + " " + dns.TypeToString[c.qtype]
		if m.Rcode != c.rcode || !slices.Equal(names(m.Answer), c.answer) {
			t.Errorf("%s: %s\n%s", what, dns.RcodeToString[m.Rcode], strings.Join(names(m.Answer), "\n"))
		}
		if (c.soa != "") != (len(m.Ns) == 1) || c.soa != "" && (m.Ns[0].Header().Name != c.soa || m.Ns[0].(*dns.SOA).Minttl != 3 || m.Ns[0].Header().Ttl != 3) {
			t.Errorf("%s: authority %v, want the SOA of %s", what, m.Ns, c.soa)
		}
		if m.Rcode != dns.RcodeRefused && !m.Authoritative {
			t.Errorf("%s: no authority", what)
		}
		if m.Question[0].Name != c.name {
			t.Errorf("%s: the question was %q", what, m.Question[0].Name)
		}
	}
	if m := a.ask("mesos.", dns.TypeNS); len(m.Extra) != 1 || m.Extra[0].String() != "ns1.mesos.\t5\tIN\tA\t10.1.0.2" {
		t.Errorf("the name server has the addresses %v", m.Extra)
	}
}

// TestServices is the worked example on the wire: services, what they lead to
// and the addresses that come along, in all zones that have them.
func TestServices(t *testing.T) {
	a := asker{t: t, server: serve(t, newTest(shop(0), shop(1), shop(12))), net: "udp", edns: 4096}
	for _, c := range []struct {
		name     string
		targets  string
		priority uint16
		count    int
	}{
		{"_web-shop._tcp.marathon.mesos.", ".marathon.mesos.", 0, 6},
		{"_web.shop._tcp.marathon.mesos.", ".marathon.mesos.", 0, 6},
		{"_HTTP._web-shop._tcp.marathon.mesos.", ".marathon.mesos.", 0, 3},
		{"_web-shop._udp.marathon.slave.mesos.", ".marathon.slave.mesos.", 0, 6},
		{"_web-shop._tcp.marathon.mesos.thisdcos.directory.", ".marathon.mesos.thisdcos.directory.", 1, 6},
		{"_web-shop._tcp.marathon.mesos.abc.dcos.directory.", ".marathon.mesos.abc.dcos.directory.", 1, 6},
	} {
		m := a.ask(c.name, dns.TypeSRV)
		if m.IsEdns0() == nil {
			t.Errorf("%s: no OPT in the answer", c.name)
		}
		addresses := map[string]bool{}
		for _, rr := range m.Extra {
			if rr.Header().Rrtype == dns.TypeA {
				addresses[rr.Header().Name] = true
			}
		}
		if len(m.Answer) != c.count || len(addresses) != 3 || len(m.Extra) != 4 || m.Truncated {
			t.Errorf("%s: %v", c.name, m)
		}
		for _, rr := range m.Answer {
			s := rr.(*dns.SRV)
			if s.Hdr.Name != c.name || s.Priority != c.priority || s.Weight != 1 || !strings.HasSuffix(s.Target, c.targets) || !addresses[s.Target] {
				t.Errorf("%s: %v", c.name, rr)
			}
			if own := a.ask(s.Target, dns.TypeA); len(own.Answer) != 1 {
				t.Errorf("%s has the addresses %v", s.Target, own.Answer)
			}
		}
	}
	// A service comes first as often as any other.
	first := map[string]int{}
	for range 600 {
		first[a.ask("_web-shop._tcp.marathon.mesos.", dns.TypeSRV).Answer[0].String()]++
	}
	for rr, count := range first {
		if len(first) != 6 || count < 40 {
			t.Errorf("%d of 600 times first: %s", count, rr)
		}
	}
}

// TestTruncation holds that answers are cut to what the client takes, and say so.
func TestTruncation(t *testing.T) {
	var pods []item
	for i := range 6000 {
		pods = append(pods, instance("many", i, v1alpha1.DiscoveryPort{Number: 80, Protocol: "tcp"}))
	}
	pods = append(pods, shop(0), shop(1), shop(12))
	for i := range 12 {
		pods = append(pods, instance("checkout", i, v1alpha1.DiscoveryPort{Number: 80, Protocol: "tcp"}))
	}
	d := newTest(pods...)
	server := serve(t, d)
	udp, tcp := asker{t: t, server: server, net: "udp"}, asker{t: t, server: server, net: "tcp"}
	for _, c := range []struct {
		a         asker
		name      string
		qtype     uint16
		size      int
		truncated bool
	}{
		{udp, "web-shop.marathon.mesos.", dns.TypeA, 512, false},
		{udp, "_checkout._tcp.marathon.mesos.", dns.TypeSRV, 512, true},
		{asker{t: t, server: server, net: "udp", edns: 1232}, "_checkout._tcp.marathon.mesos.", dns.TypeSRV, 1232, false},
		{tcp, "_checkout._tcp.marathon.mesos.", dns.TypeSRV, dns.MaxMsgSize, false},
		{udp, "many.marathon.mesos.", dns.TypeA, 512, true},
		{asker{t: t, server: server, net: "udp", edns: 4096}, "_many._tcp.marathon.mesos.", dns.TypeSRV, 4096, true},
		{tcp, "many.marathon.mesos.", dns.TypeA, dns.MaxMsgSize, true},
		{tcp, "_many._tcp.marathon.mesos.", dns.TypeSRV, dns.MaxMsgSize, true},
	} {
		m := c.a.ask(c.name, c.qtype)
		m.Compress = true
		if m.Truncated != c.truncated || len(m.Answer) == 0 || m.Len() > c.size {
			t.Errorf("%s %s over %s: %d records, %d bytes, TC %t", c.name, dns.TypeToString[c.qtype], c.a.net, len(m.Answer), m.Len(), m.Truncated)
		}
	}
	// Every address has its turn, however many there are.
	seen := map[string]bool{}
	for range 3000 {
		for _, rr := range pick(d.get("many.marathon.mesos").a, 512) {
			seen[rr.String()] = true
		}
	}
	if len(seen) != 6000 {
		t.Errorf("%d of 6000 addresses were ever told", len(seen))
	}
}

func (d *DCOS) get(name string) *rrset {
	set, _ := d.store.Get(name)
	return set
}

// TestNotReady holds that nothing is said not to be there before all was seen.
func TestNotReady(t *testing.T) {
	d := newTest(shop(0))
	d.ready.Store(false)
	a := asker{t: t, server: serve(t, d), net: "udp"}
	for _, name := range []string{"web-shop.marathon.mesos.", "nothing.mesos."} {
		if m := a.ask(name, dns.TypeA); m.Rcode != dns.RcodeServerFailure || len(m.Answer) > 0 {
			t.Errorf("%s: %v", name, m)
		}
	}
	if d.Ready() {
		t.Error("it is ready")
	}
}

// FuzzMessage answers whatever a client sends.
func FuzzMessage(f *testing.F) {
	for _, name := range []string{"web-shop.marathon.mesos.", "_web.shop._tcp.marathon.mesos.thisdcos.directory.", `\000\..mesos.`} {
		raw, err := new(dns.Msg).SetQuestion(name, dns.TypeSRV).SetEdns0(1232, true).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	d := newTest(shop(0), shop(1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(dns.Msg)
		if m.Unpack(raw) != nil || len(m.Question) == 0 {
			return
		}
		place, ours := d.zones().Find(strings.TrimSuffix(strings.ToLower(m.Question[0].Name), "."))
		if !ours {
			return
		}
		answer := new(dns.Msg).SetReply(m)
		d.answer(answer, &place, 512)
		answer.Truncate(512)
		if packed, err := answer.Pack(); err != nil || len(packed) > 512 && len(answer.Answer) > 0 {
			t.Errorf("%q: %d bytes, %v", m.Question[0].Name, len(packed), err)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	d := newTest(shop(0), shop(1), shop(2))
	for name, qtype := range map[string]uint16{"web-shop.marathon.mesos.": dns.TypeA, "_web-shop._tcp.marathon.mesos.": dns.TypeSRV, "miss.marathon.mesos.": dns.TypeA} {
		b.Run(name, func(b *testing.B) {
			question := new(dns.Msg).SetQuestion(name, qtype)
			b.ReportAllocs()
			for range b.N {
				place, _ := d.zones().Find(strings.TrimSuffix(strings.ToLower(name), "."))
				d.answer(new(dns.Msg).SetReply(question), &place, 1232)
			}
		})
	}
}
