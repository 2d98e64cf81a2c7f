// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"strings"
	"testing"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"web":                   "web",
		"web.shop":              "web-shop",
		"No_Disc.App":           "no-disc-app",
		"/dev/kafka":            "devkafka",
		"--a--":                 "a",
		"._.":                   "",
		"grün & blau":           "grnblau",
		"hello_world":           "hello-world",
		"a..b":                  "a--b",
		"日本":                    "",
		strings.Repeat("a", 64): strings.Repeat("a", 63),
		// What is cut off fills the room of dashes that would end the label.
		strings.Repeat("a", 60) + "---b":  strings.Repeat("a", 60) + "b",
		strings.Repeat("a", 61) + "--bcd": strings.Repeat("a", 61) + "bc",
		strings.Repeat("a", 61) + "--b-c": strings.Repeat("a", 61) + "b",
	} {
		if got := v1alpha1.DNSLabel(in); got != want {
			t.Errorf("DNSLabel(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDomainFragment(t *testing.T) {
	for in, want := range map[string]string{
		"marathon":        "marathon",
		"/dev/kafka.prod": "devkafka.prod",
		"..a..b..":        "a.b",
		"/":               "",
		"Chronos (1.0)":   "chronos1.0",
	} {
		if got := v1alpha1.DNSFragment(in); got != want {
			t.Errorf("DNSFragment(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHash holds the hash to one that Mesos-DNS is known to make: the names of
// tasks are in the configuration of users.
func TestHash(t *testing.T) {
	if got := hash("liquor-store.b8db9f73-562f-11e4-a088-c20493233aa5"); got != "4dfjd" {
		t.Errorf("hash %q, want 4dfjd", got)
	}
}

// TestAgent holds it: others write agents' ids by it, too.
func TestAgent(t *testing.T) {
	if got := Agent("private-1"); got != "s519553" {
		t.Errorf("agent %q", got)
	}
	if got := ClusterID("x"); len(got) != 52 || !legal(got) {
		t.Errorf("cluster id %q", got)
	}
}

func TestCanonical(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct{ name, agent, want string }{
		{"web-shop", "s0", "web-shop-bn5tr-s0"},
		{"web.shop", "s0", "web.shop-bn5tr-s0"},
		{"web", "", "web-bn5tr"},
		{long, "s999999", strings.Repeat("a", 49) + "-bn5tr-s999999"},
		{"x." + long, "s12", "x." + strings.Repeat("a", 53) + "-bn5tr-s12"},
		{strings.Repeat("a", 52) + "-" + "bcdefghijk", "s12", strings.Repeat("a", 52) + "-bn5tr-s12"},
	} {
		got := canonical(c.name, "bn5tr", c.agent)
		if got != c.want || !legal(got) {
			t.Errorf("canonical(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzLabel(f *testing.F) {
	for _, s := range []string{"", "web.shop", "-._-", strings.Repeat("a-", 60), strings.Repeat("a", 62) + "--b", "\xff\x00é"} {
		f.Add(s, uint8(63))
	}
	f.Fuzz(func(t *testing.T, in string, limit uint8) {
		size := 1 + int(limit)%maxLabel
		l := v1alpha1.DNSLabelWithin(in, size)
		if len(l) > size || l != "" && !legal(l) || strings.ContainsAny(l, "._") || strings.Trim(l, "-") != l {
			t.Errorf("DNSLabelWithin(%q, %d) = %q", in, size, l)
		}
		if again := v1alpha1.DNSLabelWithin(l, size); again != l {
			t.Errorf("DNSLabelWithin(%q) becomes %q", l, again)
		}
		for part := range strings.SplitSeq(v1alpha1.DNSFragment(in), ".") {
			if part != "" && !legal(part) {
				t.Errorf("DNSFragment(%q) has the part %q", in, part)
			}
		}
		task := Task{Name: in, Framework: "marathon", ID: in, Agent: Agent(in), Discovered: limit%2 == 0}
		for _, r := range task.Records() {
			if !legal(r.Name) || r.Target != "" && !legal(r.Target) {
				t.Errorf("%q has the record %v", in, r)
			}
		}
	})
}
