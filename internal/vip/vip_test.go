// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package vip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// claim is one of an age in seconds, for the ports given.
func claim(namespace string, age int, ip string, ports ...int32) Claim {
	v := &v1alpha1.VirtualIP{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "v", UID: types.UID(fmt.Sprint(namespace, age)),
		CreationTimestamp: metav1.NewTime(time.Unix(1000-int64(age), 0)),
	}}
	v.Spec.IP = ip
	c := Claim{VirtualIP: v}
	for _, p := range ports {
		c.Ports = append(c.Ports, Port{Port: p, Protocol: v1alpha1.TransportTCP})
	}
	return c
}

func TestHolder(t *testing.T) {
	const ip = "198.51.100.7"
	for name, c := range map[string]struct {
		claims []Claim
		// holders are who holds what each of them claims, itself if "".
		holders []string
	}{
		"one":                   {[]Claim{claim("a", 1, "")}, []string{""}},
		"the oldest has a name": {[]Claim{claim("a", 1, "", 80), claim("b", 3, "", 81), claim("c", 2, "")}, []string{"b", "", "b"}},
		"of an age, by name":    {[]Claim{claim("b", 1, ""), claim("a", 1, "")}, []string{"a", ""}},
		"an address is shared":  {[]Claim{claim("a", 2, ip, 80), claim("b", 1, ip, 81)}, []string{"", ""}},
		"a port is not":         {[]Claim{claim("a", 2, ip, 80), claim("b", 1, ip, 80, 81)}, []string{"", "a"}},
		"who has nothing takes nothing": {
			[]Claim{claim("a", 3, ip, 80), claim("b", 2, ip, 80, 81), claim("c", 1, ip, 81)},
			[]string{"", "a", ""},
		},
		"of one namespace there is one": {[]Claim{claim("a", 2, ip, 80), claim("a", 1, ip, 81)}, []string{"", "a"}},
	} {
		var got []string
		for _, one := range c.claims {
			holder := ""
			if h := Holder(c.claims, one.VirtualIP); h != nil {
				holder = h.Namespace
			}
			got = append(got, holder)
		}
		if !slices.Equal(got, c.holders) {
			t.Errorf("%s: held by %q, want %q", name, got, c.holders)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	used := []Range{}
	for of, network := range map[string]string{"pods": "10.244.0.0/16", "a node": "192.0.2.11/32"} {
		p, err := Networks(network)
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, Range{p[0], of})
	}
	for _, c := range []struct{ allowed, address, refusal string }{
		{"198.51.100.0/24", "198.51.100.7", ""},
		{" 203.0.113.0/24 , 198.51.100.0/24,", "198.51.100.7", ""},
		{"fd01:c::/64", "fd01:c::7", ""},
		{"0.0.0.0/0,::/0", "11.0.0.1", ""},
		{"", "198.51.100.7", "namespace n may not use 198.51.100.7: an administrator allows networks by the namespace's annotation kdcos.io/virtual-ip-networks"},
		{"198.51.100.0/25", "198.51.100.200", "may not use"},
		{"198.51.100.7", "198.51.100.7", `the annotation kdcos.io/virtual-ip-networks of namespace n: "198.51.100.7" is no network such as 198.51.100.0/24`},
		{"0.0.0.0/0", "10.244.3.4", "it belongs to pods"},
		{"0.0.0.0/0", "192.0.2.11", "it belongs to a node"},
		{"0.0.0.0/0", "127.0.0.1", "loopback"},
		{"0.0.0.0/0", "0.0.0.0", "no host"},
		{"0.0.0.0/0", "169.254.169.254", "link-local"},
		{"0.0.0.0/0", "168.63.129.16", "a service that clouds have"},
		{"0.0.0.0/0", "239.1.1.1", "multicast"},
		{"0.0.0.0/0", "255.255.255.255", "multicast"},
		{"::/0", "::1", "loopback"},
		{"::/0", "fe80::1", "link-local"},
		{"::/0", "fd00:ec2::254", "services that clouds have"},
		{"::/0", "ff02::1", "multicast"},
		{"0.0.0.0/0", "web", "no IPv4 or IPv6 address"},
	} {
		err := CheckAddress("n", c.allowed, c.address, used)
		if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
			t.Errorf("CheckAddress(%q, %s) = %v, want %q", c.allowed, c.address, err, c.refusal)
		}
	}
}

func TestNames(t *testing.T) {
	for key, want := range map[string]string{
		"shopweb.marathon": "shopweb.marathon", "198.51.100.7": "ip-198.51.100.7", "fd01:c::1": "ip-fd01-000c-0000-0000-0000-0000-0000-0001",
	} {
		names := Names(key)
		if names[0] != want || !strings.HasPrefix(names[1], want+"-") {
			t.Errorf("Names(%s) = %q", key, names)
		}
		for _, name := range append(names, strings.Repeat("a", 60)+".b."+strings.Repeat("c", 100)) {
			if errs := append(validation.IsDNS1123Subdomain(name), validation.IsDNS1035Label(ServiceName(name))...); len(errs) > 0 {
				t.Errorf("%s, %s: %v", name, ServiceName(name), errs)
			}
			if errs := validation.IsValidLabelValue(v1alpha1.VirtualIPLabelValue(name)); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs)
			}
		}
	}
}

func TestBackends(t *testing.T) {
	endpoint := func(name string, ready, terminating bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{"192.0.2.1"}, TargetRef: &corev1.ObjectReference{Name: name},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Terminating: &terminating},
		}
	}
	slice := func(family discoveryv1.AddressType, ports []string, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
		s := discoveryv1.EndpointSlice{AddressType: family, Endpoints: endpoints}
		for _, p := range ports {
			s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: ptr.To(p)})
		}
		return s
	}
	found := []discoveryv1.EndpointSlice{
		slice(discoveryv1.AddressTypeIPv4, []string{"tcp-80", "tcp-81"}, endpoint("a1", true, false), endpoint("a2", false, true)),
		slice(discoveryv1.AddressTypeIPv4, []string{"tcp-80"}, endpoint("b1", true, false), endpoint("b2", false, false), endpoint("c1", true, false)),
		slice(discoveryv1.AddressTypeIPv4, nil, endpoint("d1", true, false)),
		slice(discoveryv1.AddressTypeIPv6, []string{"tcp-80"}, endpoint("a1", true, false)),
	}
	appOf := func(pod string) string { return strings.Trim(pod, "c12") }
	ports := []Port{{Port: 80, Protocol: v1alpha1.TransportTCP}, {Port: 81, Protocol: v1alpha1.TransportTCP}, {Port: 82, Protocol: v1alpha1.TransportUDP}}
	want := []v1alpha1.VirtualIPPortStatus{
		{Port: 80, Protocol: "tcp", Backends: []v1alpha1.VirtualIPBackends{{App: "", Ready: 1}, {App: "a", Ready: 1, Draining: 1}, {App: "b", Ready: 1, NotReady: 1}}},
		{Port: 81, Protocol: "tcp", Backends: []v1alpha1.VirtualIPBackends{{App: "a", Ready: 1, Draining: 1}}},
		{Port: 82, Protocol: "udp"},
	}
	if diff := cmp.Diff(want, Backends(ports, found, discoveryv1.AddressTypeIPv4, appOf)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := Tasks(found, discoveryv1.AddressTypeIPv4), (v1alpha1.VirtualIPBackends{Ready: 3, NotReady: 1, Draining: 1}); got != want {
		t.Errorf("Tasks = %+v, want %+v", got, want)
	}
}
