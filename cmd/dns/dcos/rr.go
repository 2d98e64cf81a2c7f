// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"math/rand/v2"

	"github.com/miekg/dns"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

// This file alone makes records of DNS.

// The numbers that services have in the zone of Mesos-DNS, and their priority
// in dcos-net's copy of it.
const (
	priority       = 0
	copiedPriority = 1
	weight         = 1
)

// smallest is the least room that a record takes in a message: a pointer to its
// name, type, class, TTL, length and an IPv4 address.
const smallest = 16

// rrset is all that a name has. It never changes, and is shared by all answers.
type rrset struct {
	a, aaaa, srv []dns.RR
}

// newRRset makes what a name has.
func newRRset(ttl uint32) func(name string, values []dnsnames.Value) *rrset {
	return func(name string, values []dnsnames.Value) *rrset {
		set, owner := &rrset{}, name+"."
		for _, v := range values {
			switch header := (dns.RR_Header{Name: owner, Class: dns.ClassINET, Ttl: ttl}); {
			case v.Target != "":
				header.Rrtype = dns.TypeSRV
				set.srv = append(set.srv, &dns.SRV{Hdr: header, Priority: priority, Weight: weight, Port: v.Port, Target: v.Target + "."})
			case v.Addr.Is4():
				header.Rrtype = dns.TypeA
				set.a = append(set.a, &dns.A{Hdr: header, A: v.Addr.AsSlice()})
			default:
				header.Rrtype = dns.TypeAAAA
				set.aaaa = append(set.aaaa, &dns.AAAA{Hdr: header, AAAA: v.Addr.AsSlice()})
			}
		}
		return set
	}
}

func (s *rrset) of(qtype uint16) []dns.RR {
	switch qtype {
	case dns.TypeA:
		return s.a
	case dns.TypeAAAA:
		return s.aaaa
	case dns.TypeSRV:
		return s.srv
	}
	return nil
}

// pick returns records in a random order, and not more of them than would tell
// that there are too many for a message of the size: answers take no more time
// than they have room.
func pick(all []dns.RR, size int) []dns.RR {
	limit := min(len(all), size/smallest+1)
	if limit == 0 {
		return nil
	}
	picked, start := make([]dns.RR, limit), 0
	if limit < len(all) {
		start = rand.IntN(len(all)) //nolint:gosec // balances load
	}
	for i := range picked {
		picked[i] = all[(start+i)%len(all)]
	}
	rand.Shuffle(limit, func(i, j int) { picked[i], picked[j] = picked[j], picked[i] }) //nolint:gosec // balances load
	return picked
}

// asAsked gives records the name that was asked for, in the case it was, and
// leads services to names of the zone it was asked in.
func asAsked(rrs []dns.RR, name string, place *dnsnames.Place) {
	for i, rr := range rrs {
		if rr.Header().Name == name && !place.Renamed() {
			continue
		}
		rr = dns.Copy(rr)
		rr.Header().Name = name
		if srv, ok := rr.(*dns.SRV); ok && place.Renamed() {
			srv.Target = place.Rename(srv.Target[:len(srv.Target)-1]) + "."
			if place.Copied {
				srv.Priority = copiedPriority
			}
		}
		rrs[i] = rr
	}
}

// additional are the addresses of what services lead to, of each once.
func (d *DCOS) additional(services []dns.RR, place *dnsnames.Place, size int) []dns.RR {
	var extra []dns.RR
	seen := make(map[string]bool, len(services))
	for _, rr := range services {
		service, ok := rr.(*dns.SRV)
		if !ok || seen[service.Target] || len(extra) > size/smallest {
			continue
		}
		target := service.Target
		seen[target] = true
		name := target[:len(target)-1]
		if place.Renamed() {
			found, _ := d.zones().Find(name)
			name = found.Name
		}
		set, found := d.store.Get(name)
		if !found {
			continue
		}
		for _, all := range [][]dns.RR{set.a, set.aaaa} {
			from := len(extra)
			extra = append(extra, pick(all, size)...)
			if place.Renamed() {
				asAsked(extra[from:], target, place)
			}
		}
	}
	return extra
}

// nameServer is the name of the server of a zone.
func nameServer(apex string) string {
	if apex == "mesos" {
		return "ns1.mesos."
	}
	return "ns.spartan."
}

// mailbox is whom to write about a zone, as Mesos-DNS made it of its server.
func mailbox(apex string) string {
	if apex == "mesos" {
		return "root.ns1.mesos."
	}
	return "root.ns.spartan."
}

func (d *DCOS) soa(apex, owner string, ttl uint32) dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  nameServer(apex), Mbox: mailbox(apex),
		Serial: d.serial.Load(), Refresh: 60, Retry: 600, Expire: 86400, Minttl: d.options.NegativeTTL,
	}
}

func (d *DCOS) ns(apex, owner string) dns.RR {
	return &dns.NS{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: d.options.TTL}, Ns: nameServer(apex)}
}

// anything is the answer to a question for everything, by RFC 8482.
func anything(owner string) dns.RR {
	return &dns.HINFO{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: 8482}, Cpu: "RFC8482"}
}
