// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestChoose(t *testing.T) {
	tests := []struct {
		name     string
		occupied []netip.Prefix
		seed     uint32
		want     string
		wantErr  bool
	}{
		{name: "nothing occupied", want: "10.64.0.0/16"},
		{name: "the seed moves the choice", seed: 5, want: "10.69.0.0/16"},
		{name: "a large seed wraps", seed: 191*3 + 7, want: "10.71.0.0/16"},
		{name: "an address inside", occupied: prefixes("10.64.3.4/32"), want: "10.65.0.0/16"},
		{name: "a leftover of another cluster", occupied: prefixes("10.65.0.0/24", "10.65.129.0/24"), seed: 1, want: "10.66.0.0/16"},
		{name: "a wide route sends it to the next range", occupied: prefixes("10.0.0.0/8"), want: "172.16.0.0/16"},
		{name: "two wide routes", occupied: prefixes("10.0.0.0/8", "172.16.0.0/12"), want: "100.64.0.0/16"},
		{name: "the last range", occupied: prefixes("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10", "198.18.0.0/16"), want: "198.19.0.0/16"},
		{name: "all taken", occupied: prefixes("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10", "198.18.0.0/15"), wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(tt.occupied, tt.seed)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error %v, want error %v", err, tt.wantErr)
			}
			if err == nil && got.Block.String() != tt.want {
				t.Errorf("got %s, want %s", got.Block, tt.want)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	plan := Plan{Block: netip.MustParsePrefix("10.101.0.0/16")}
	for name, pair := range map[string][2]string{
		"machines":           {plan.Machines().String(), "10.101.0.0/24"},
		"host":               {plan.Host().String(), "10.101.0.1"},
		"control plane":      {plan.ControlPlane().String(), "10.101.0.2"},
		"first node":         {plan.Node(1).String(), "10.101.0.11"},
		"services":           {plan.Services().String(), "10.101.64.0/18"},
		"kubernetes Service": {plan.KubernetesService().String(), "10.101.64.1"},
		"cluster DNS":        {plan.ClusterDNS().String(), "10.101.64.10"},
		"pods":               {plan.Pods().String(), "10.101.128.0/17"},
		"pods of a node":     {plan.PodsOf(3).String(), "10.101.131.0/24"},
		"pods of the last":   {plan.PodsOf(MaxNodes).String(), "10.101.228.0/24"},
		"hardware address":   {hardwareAddress(plan.Node(1)).String(), "02:1c:0a:65:00:0b"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %s, want %s", name, pair[0], pair[1])
		}
	}
	if !plan.Machines().Contains(plan.Node(MaxNodes)) {
		t.Error("the last node is outside the network of machines")
	}
	if plan.Services().Overlaps(plan.Pods()) || plan.Services().Overlaps(plan.Machines()) {
		t.Error("ranges overlap")
	}
}

func TestLinkNameFitsTheKernel(t *testing.T) {
	if name := LinkName("0123abcd"); len(name) > 15 {
		t.Errorf("%q is too long", name)
	}
}
