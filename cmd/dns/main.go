// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// The DNS server of kdcos: CoreDNS, with a plugin that knows the names of DC/OS
// and few of the others. It is a module of its own, so that CoreDNS stays out of
// the other programs.
package main

import (
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/multisocket"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"

	"github.com/kdcos/kdcos/cmd/dns/dcos"
)

func init() {
	// What is not ours is for what follows.
	forward := slices.Index(dnsserver.Directives, "forward")
	dnsserver.Directives = slices.Insert(dnsserver.Directives, forward, dcos.Name)
}

func main() {
	coremain.Run()
}
