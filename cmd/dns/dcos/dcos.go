// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

var log = clog.NewWithPlugin(Name)

// DCOS answers for the zones of DC/OS.
type DCOS struct {
	// Next answers for all others.
	Next plugin.Handler

	options *Options
	store   *dnsnames.Store[*rrset]
	known   atomic.Pointer[dnsnames.Zones]
	// serial of the zones: when they changed last.
	serial atomic.Uint32
	// ready says that all was seen once.
	ready atomic.Bool
	// view is what the HTTP APIs tell of.
	view view
}

// New is one that knows nothing yet.
func New(o *Options) *DCOS {
	d := &DCOS{options: o, store: dnsnames.NewStore(newRRset(o.TTL))}
	d.identified(o.ClusterID)
	d.store.Replace(nil, dnsnames.Fixed())
	d.store.Commit()
	return d
}

// identified gives the cluster its name in dcos.directory, "" for none.
func (d *DCOS) identified(clusterID string) { d.known.Store(dnsnames.NewZones(clusterID)) }

func (d *DCOS) zones() *dnsnames.Zones { return d.known.Load() }

func (d *DCOS) clusterID() string { return d.zones().ClusterID }

// Name implements plugin.Handler.
func (d *DCOS) Name() string { return Name }

// Ready tells the plugin ready that all was seen once. What is not there then,
// is not there.
func (d *DCOS) Ready() bool { return d.ready.Load() }

// ServeDNS implements plugin.Handler.
func (d *DCOS) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	question := r.Question[0]
	place, ours := d.zones().Find(strings.TrimSuffix(strings.ToLower(question.Name), "."))
	switch {
	case !ours && d.Next == nil:
		return dns.RcodeRefused, nil
	case !ours:
		return plugin.NextOrFailure(Name, d.Next, ctx, w, r)
	case question.Qtype == dns.TypeAXFR || question.Qtype == dns.TypeIXFR:
		return dns.RcodeRefused, nil
	case !d.ready.Load():
		return dns.RcodeServerFailure, nil
	}
	state := request.Request{W: w, Req: r}
	m := new(dns.Msg)
	m.SetReply(r)
	m.Authoritative = true
	d.answer(m, &place, state.Size())
	return dns.RcodeSuccess, w.WriteMsg(m)
}

// answer adds to a message what there is.
func (d *DCOS) answer(m *dns.Msg, place *dnsnames.Place, size int) {
	question := m.Question[0]
	set, found := d.store.Get(place.Name)
	if !found && !place.Fixed {
		m.Rcode = dns.RcodeNameError
	} else if found {
		m.Answer = pick(set.of(question.Qtype), size)
		asAsked(m.Answer, question.Name, place)
	}
	if m.Rcode == dns.RcodeSuccess {
		d.special(m, place)
	}
	if len(m.Answer) == 0 {
		// The name that is answered for is the end of the one that was asked for.
		owner := question.Name[len(question.Name)-len(place.Apex)-1:]
		m.Ns = []dns.RR{d.soa(place.Apex, owner, d.options.NegativeTTL)}
	} else if question.Qtype == dns.TypeSRV {
		m.Extra = d.additional(m.Answer, place, size)
	}
}

// special answers questions for what zones themselves have, and for everything.
func (d *DCOS) special(m *dns.Msg, place *dnsnames.Place) {
	question := m.Question[0]
	atApex := len(question.Name) == len(place.Apex)+1
	switch {
	case question.Qtype == dns.TypeANY:
		m.Answer = []dns.RR{anything(question.Name)}
	case question.Qtype == dns.TypeSOA && atApex:
		m.Answer = []dns.RR{d.soa(place.Apex, question.Name, d.options.TTL)}
	case question.Qtype == dns.TypeNS && atApex:
		m.Answer = []dns.RR{d.ns(place.Apex, question.Name)}
		if set, found := d.store.Get(strings.TrimSuffix(nameServer(place.Apex), ".")); found {
			m.Extra = append(append(m.Extra, set.a...), set.aaaa...)
		}
	}
}
