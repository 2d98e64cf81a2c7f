// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// answering is one end of a pipe that answers a question as reply says.
func answering(t *testing.T, reply func(m *dnsmessage.Message)) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		raw, err := read(there, true)
		var m dnsmessage.Message
		if err != nil || m.Unpack(raw) != nil {
			t.Errorf("no question: %v", err)
		}
		m.Response = true
		reply(&m)
		packed, err := m.AppendPack(make([]byte, 2))
		if err != nil {
			t.Error(err)
		}
		packed[0], packed[1] = byte((len(packed)-2)>>8), byte(len(packed)-2)
		_, _ = there.Write(packed)
	}()
	t.Cleanup(func() { _ = here.Close() })
	return here
}

func TestAsk(t *testing.T) {
	name := dnsmessage.MustNewName("_x._tcp.marathon.mesos.")
	target := dnsmessage.MustNewName("x-aaaaa-s1.marathon.mesos.")
	answer, err := Ask(answering(t, func(m *dnsmessage.Message) {
		m.Truncated = true
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.SRVResource{Weight: 1, Port: 80, Target: target}}}
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: target, Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.AResource{A: [4]byte{9, 0, 0, 1}}})
	}), true, "_x._tcp.marathon.mesos", "srv", 1232)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != "NOERROR" || !answer.Truncated || len(answer.Answers) != 1 || answer.Answers[0].Value != "0 1 80 x-aaaaa-s1.marathon.mesos" ||
		len(answer.Additional) != 1 || answer.Additional[0].Address.String() != "9.0.0.1" || answer.Answers[0].Type != "SRV" {
		t.Errorf("%+v", answer)
	}
	_, err = Ask(answering(t, func(m *dnsmessage.Message) { m.ID++ }), true, "x.mesos", "A", 0)
	if err == nil || !strings.Contains(err.Error(), "another question") {
		t.Errorf("an answer to another question: %v", err)
	}
	for _, c := range [][2]string{{"x", "LOC"}, {"a..b", "A"}, {strings.Repeat("a", 64), "A"}, {strings.Repeat("a.", 150), "A"}} {
		if _, err := Ask(nil, true, c[0], c[1], 0); err == nil {
			t.Errorf("%v is asked", c)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = parse(0, raw) })
}
