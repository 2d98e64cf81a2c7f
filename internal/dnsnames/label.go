// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dnsnames turns tasks, nodes, virtual IPs and the few services that a
// DC/OS has into every DNS name that DC/OS promised for them. It knows names,
// addresses and ports; it never sees a DNS message, and it talks to nobody.
package dnsnames

import (
	"crypto/sha1" //nolint:gosec // the hash is a part of Mesos-DNS' names
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
)

// What DNS allows: RFC 1035, section 2.3.4. maxName is without the last dot.
const (
	maxLabel = 63
	maxName  = 253
)

// zBase32 is the alphabet for hashes that people read.
var zBase32 = base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").WithPadding(base32.NoPadding)

// hash tells the tasks of a name apart: five characters, as in Mesos-DNS.
func hash(taskID string) string {
	sum := sha1.Sum([]byte(taskID)) //nolint:gosec // the hash is a part of Mesos-DNS' names
	return zBase32.EncodeToString(sum[:5])[:5]
}

// Agent is the part of names that a node gives, s and a number, for Mesos
// agents had ids such as 3f4e…-S12. It is a function of the node's name. Two
// nodes may share one: what tells tasks apart is their hash.
func Agent(node string) string {
	sum := sha256.Sum256([]byte(node))
	return fmt.Sprintf("s%d", binary.BigEndian.Uint32(sum[:4])%1_000_000)
}

// ClusterID is the identity of a cluster as DC/OS wrote it, a public key in
// z-base-32, made of something that only this cluster has.
func ClusterID(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return zBase32.EncodeToString(sum[:])
}

// canonical is the name of one task among those that share a name: the last
// label of that, a hash and the agent, never longer than a label may be.
func canonical(name, taskHash, agent string) string {
	suffix := "-" + taskHash
	if agent != "" {
		suffix += "-" + agent
	}
	parents, last := "", name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		parents, last = name[:dot+1], name[dot+1:]
	}
	if room := maxLabel - len(suffix); len(last) > room {
		last = strings.TrimRight(last[:max(0, room)], "-")
	}
	return parents + last + suffix
}

// legal says whether a name can be asked for: lower-case labels of letters,
// digits, dashes and underscores, none of them empty or too long.
func legal(name string) bool {
	if len(name) > maxName {
		return false
	}
	length := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			if length++; length > maxLabel {
				return false
			}
		case c == '.' && length > 0:
			length = 0
		default:
			return false
		}
	}
	return length > 0
}
