// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dnsclient asks a DNS server one question over a connection that its
// caller made, and tells the answer whole, as resolvers do not: with the names
// that services lead to, what came along, and whether it was cut.
package dnsclient

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Types are those that can be asked for.
var Types = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "SRV": dnsmessage.TypeSRV,
	"SOA": dnsmessage.TypeSOA, "NS": dnsmessage.TypeNS, "TXT": dnsmessage.TypeTXT,
}

// Answer is what a server says.
type Answer struct {
	// Status is NOERROR, NXDOMAIN and so on.
	Status                         string
	Truncated                      bool
	Answers, Authority, Additional []Record
}

// Record is a record of an answer. Names are without the last dot.
type Record struct {
	Name, Type, Value string
	TTL               uint32
	// Address of an A or AAAA, Target and Port of a SRV.
	Address netip.Addr
	Target  string
	Port    uint16
}

var statuses = map[dnsmessage.RCode]string{
	dnsmessage.RCodeSuccess: "NOERROR", dnsmessage.RCodeNameError: "NXDOMAIN", dnsmessage.RCodeServerFailure: "SERVFAIL",
	dnsmessage.RCodeRefused: "REFUSED", dnsmessage.RCodeFormatError: "FORMERR", dnsmessage.RCodeNotImplemented: "NOTIMP",
}

// Ask asks over a connection: a stream, if it carries no packets. size is what
// packets may have, 0 for the 512 bytes of who does not say.
func Ask(connection io.ReadWriter, stream bool, name, qtype string, size uint16) (*Answer, error) {
	id := uint16(rand.UintN(1 << 16)) //nolint:gosec // the connection is the caller's own
	question, err := question(id, name, qtype, size)
	if err != nil {
		return nil, err
	}
	if stream {
		question = append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...) //nolint:gosec // a question is short
	}
	if _, err := connection.Write(question); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", name, err)
	}
	raw, err := read(connection, stream)
	if err != nil {
		return nil, fmt.Errorf("read the answer for %s: %w", name, err)
	}
	return parse(id, raw)
}

func question(id uint16, name, qtype string, size uint16) ([]byte, error) {
	kind, known := Types[strings.ToUpper(qtype)]
	if !known {
		return nil, fmt.Errorf("no type %q: there are A, AAAA, SRV, SOA, NS and TXT", qtype)
	}
	full, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("name %q: longer than 254 characters", name)
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(dnsmessage.Question{Name: full, Type: kind, Class: dnsmessage.ClassINET}); err != nil {
		return nil, fmt.Errorf("name %q: its parts between the dots have 1 to 63 characters", name)
	}
	if size > 0 {
		var header dnsmessage.ResourceHeader
		if err := b.StartAdditionals(); err != nil {
			return nil, err
		}
		if err := header.SetEDNS0(int(size), dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		if err := b.OPTResource(header, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func read(connection io.Reader, stream bool) ([]byte, error) {
	raw := make([]byte, 1<<16)
	if !stream {
		n, err := connection.Read(raw)
		return raw[:n], err
	}
	if _, err := io.ReadFull(connection, raw[:2]); err != nil {
		return nil, err
	}
	raw = raw[:binary.BigEndian.Uint16(raw)]
	_, err := io.ReadFull(connection, raw)
	return raw, err
}

func parse(id uint16, raw []byte) (*Answer, error) {
	var m dnsmessage.Message
	if err := m.Unpack(raw); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if m.ID != id || !m.Response {
		return nil, fmt.Errorf("read the answer: it is to another question")
	}
	status, known := statuses[m.RCode]
	if !known {
		status = fmt.Sprintf("RCODE%d", m.RCode)
	}
	return &Answer{
		Status: status, Truncated: m.Truncated,
		Answers: records(m.Answers), Authority: records(m.Authorities), Additional: records(m.Additionals),
	}, nil
}

func records(all []dnsmessage.Resource) []Record {
	var out []Record
	for i := range all {
		h := &all[i].Header
		r := Record{Name: plain(h.Name), TTL: h.TTL, Type: strings.TrimPrefix(h.Type.String(), "Type")}
		switch body := all[i].Body.(type) {
		case *dnsmessage.AResource:
			r.Address = netip.AddrFrom4(body.A)
			r.Value = r.Address.String()
		case *dnsmessage.AAAAResource:
			r.Address = netip.AddrFrom16(body.AAAA)
			r.Value = r.Address.String()
		case *dnsmessage.SRVResource:
			r.Target, r.Port = plain(body.Target), body.Port
			r.Value = fmt.Sprintf("%d %d %d %s", body.Priority, body.Weight, body.Port, r.Target)
		case *dnsmessage.SOAResource:
			r.Value = fmt.Sprintf("%s %s %d %d %d %d %d", plain(body.NS), plain(body.MBox), body.Serial, body.Refresh, body.Retry, body.Expire, body.MinTTL)
		case *dnsmessage.NSResource:
			r.Value = plain(body.NS)
		case *dnsmessage.TXTResource:
			r.Value = strings.Join(body.TXT, " ")
		case *dnsmessage.OPTResource:
			continue
		}
		out = append(out, r)
	}
	return out
}

func plain(name dnsmessage.Name) string { return strings.TrimSuffix(name.String(), ".") }
