// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "strings"

// maxDNSLabel is what DNS allows: RFC 1035, section 2.3.4.
const maxDNSLabel = 63

// DNSLabel makes a DNS label of a name as Mesos-DNS and dcos-net did: lower case,
// dots and underscores become dashes, other characters go, and so do dashes at
// both ends. It is empty where nothing is left.
func DNSLabel(name string) string { return DNSLabelWithin(name, maxDNSLabel) }

// DNSLabelWithin makes one of at most limit characters, up to 63.
func DNSLabelWithin(name string, limit int) string {
	mapped := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == '-', r == '.', r == '_':
			return '-'
		}
		return -1
	}, name), "-")
	if len(mapped) <= limit {
		return mapped
	}
	// Where the cut leaves dashes at the end, they go and what comes behind
	// them fills the room, as in Mesos-DNS.
	head, tail := strings.TrimRight(mapped[:limit], "-"), strings.TrimLeft(mapped[limit:], "-")
	return strings.TrimRight(head+tail[:min(len(tail), limit-len(head))], "-")
}

// DNSFragment makes a part of a DNS name of a name as dcos-net did for VIPs and
// frameworks: its dots stay, between what DNSLabel makes of the parts. Slashes
// vanish.
func DNSFragment(name string) string {
	var labels []string
	for part := range strings.SplitSeq(name, ".") {
		if label := DNSLabel(part); label != "" {
			labels = append(labels, label)
		}
	}
	return strings.Join(labels, ".")
}
