// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package stubdomains leads the names of DC/OS from a cluster's own DNS to that
// of kdcos: it puts a server block into the configuration of CoreDNS, and takes
// it out again. It never changes what it did not write, and where it can't do
// its work without, it says so and does nothing.
package stubdomains

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

// Zones are the domains of DC/OS: of Mesos-DNS, of dcos-net with their older
// names and those seen from outside, and of ZooKeeper.
var Zones = []string{"mesos", "thisdcos.directory", "thisdcos.global", "dcos.directory", "zk", "spartan"}

// The lines around what is ours. A checksum of what is between them follows the
// second.
const (
	begin = "# BEGIN kdcos: names of DC/OS. To take it out: kubectl kdcos stub-domains remove"
	end   = "# END kdcos "
)

// ErrChanged says that somebody changed what kdcos wrote.
var ErrChanged = errors.New("somebody changed the lines between BEGIN kdcos and END kdcos: take them out, or put back what they were")

// ConflictError says that zones are served already.
type ConflictError struct {
	// Zones are those of Zones that are served by a block that is not ours.
	Zones []string
}

// Error names the zones.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("a server block that kdcos did not write serves %s already: CoreDNS would not start with another one", strings.Join(e.Zones, ", "))
}

// Add returns the Corefile with a block that forwards Zones to the servers,
// which are addresses or address:port. Like the block of the root zone it
// listens at its port and binds to its addresses. A Corefile that has the block
// already comes back as it is.
func Add(corefile string, servers []string) (string, error) {
	rest, _, err := Remove(corefile)
	if err != nil {
		return "", err
	}
	blocks, err := parse(rest)
	if err != nil {
		return "", err
	}
	port, bind := root(blocks)
	if taken := conflicts(blocks, port); len(taken) > 0 {
		return "", &ConflictError{Zones: taken}
	}
	if rest != "" && !strings.HasSuffix(rest, "\n") {
		rest += "\n"
	}
	return rest + section(block(port, bind, servers)), nil
}

// Remove returns the Corefile without the block, and whether it had one.
func Remove(corefile string) (rest string, had bool, err error) {
	before, after, had := strings.Cut(corefile, begin+"\n")
	if !had {
		return corefile, false, nil
	}
	ours, after, ok := strings.Cut(after, end)
	sum, after, _ := strings.Cut(after, "\n")
	if !ok || strings.TrimSpace(sum) != checksum(ours) || strings.Contains(after, begin) {
		return "", true, ErrChanged
	}
	return before + after, true, nil
}

func section(content string) string {
	return begin + "\n" + content + end + checksum(content) + "\n"
}

func checksum(content string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))[:12]
}

func block(port string, bind, servers []string) string {
	var b strings.Builder
	for i, zone := range Zones {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(zone + ":" + port)
	}
	b.WriteString(" {\n    errors\n")
	if len(bind) > 0 {
		b.WriteString("    bind " + strings.Join(bind, " ") + "\n")
	}
	// Names of tasks change: nobody is to remember one for long.
	b.WriteString("    cache 5\n    forward . " + strings.Join(servers, " ") + "\n}\n")
	return b.String()
}

// parse reads a Corefile by CoreDNS' own parser. What it imports from files is
// left out: they are not here.
func parse(corefile string) ([]caddyfile.ServerBlock, error) {
	blocks, err := caddyfile.Parse("Corefile", strings.NewReader(withoutImports(corefile)), nil)
	if err != nil {
		return nil, fmt.Errorf("read the Corefile: %w", err)
	}
	return blocks, nil
}

// withoutImports leaves out the lines that import anything but a snippet of the
// same file.
func withoutImports(corefile string) string {
	var lines []string
	for line := range strings.Lines(corefile) {
		if name, ok := imported(line); !ok || strings.Contains(corefile, "("+name+")") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// imported is what a line imports.
func imported(line string) (string, bool) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "import" {
		return "", false
	}
	return words[1], true
}

// root is the port of the block of the root zone and what it binds to.
func root(blocks []caddyfile.ServerBlock) (port string, bind []string) {
	for _, b := range blocks {
		for _, key := range b.Keys {
			zone, port := address(key)
			if zone != "." {
				continue
			}
			for _, token := range b.Tokens["bind"] {
				if token.Text != "bind" && !slices.Contains(bind, token.Text) {
					bind = append(bind, token.Text)
				}
			}
			return port, bind
		}
	}
	return "53", nil
}

// conflicts are the zones that blocks serve at the port already.
func conflicts(blocks []caddyfile.ServerBlock, at string) []string {
	var taken []string
	for _, b := range blocks {
		for _, key := range b.Keys {
			zone, port := address(key)
			if port == at && slices.Contains(Zones, zone) {
				taken = append(taken, zone)
			}
		}
	}
	slices.Sort(taken)
	return slices.Compact(taken)
}

// address is the zone and the port of the key of a server block. Blocks of other
// transports than DNS are at ports of their own.
func address(key string) (zone, port string) {
	key = strings.ToLower(strings.TrimSuffix(key, ","))
	transport, rest, found := strings.Cut(key, "://")
	if !found {
		transport, rest = "dns", key
	}
	zone, port, err := net.SplitHostPort(rest)
	if err != nil {
		zone, port = rest, "53"
		if transport != "dns" {
			port = transport
		}
	}
	if zone != "." {
		zone = strings.TrimSuffix(zone, ".")
	}
	return zone, port
}
