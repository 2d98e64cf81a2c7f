// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestParseVIP(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct{ value, key, form, refusal string }{
		{"/shop/web:80", "shopweb.marathon", "/shop/web:80", ""},
		{"shop/web:80", "shopweb.marathon", "shop/web:80", ""},
		{"/api./dev/kafka:80", "api.devkafka.marathon", "/api./dev/kafka:80", ""},
		{"/Web_1.Shop:65535", "web-1.shop.marathon", "/Web_1.Shop:65535", ""},
		{"/-x-:1", "x.marathon", "/-x-:1", ""},
		{"a:b:1", "ab.marathon", "a:b:1", ""},
		{"/" + long + "b:1", long + ".marathon", "/" + long + "b:1", ""},
		{"198.51.100.7:80", "198.51.100.7", "198.51.100.7:80", ""},
		{"[fd01:c::1]:80", "fd01:c::1", "[fd01:c::1]:80", ""},
		{"fd01:c::1:80", "fd01:c::1", "[fd01:c::1]:80", ""},
		{"[::ffff:198.51.100.7]:80", "198.51.100.7", "198.51.100.7:80", ""},
		{"/198.51.100.7:80", "198.51.100.7.marathon", "/198.51.100.7:80", ""},
		{"1.2.3.999:80", "1.2.3.999.marathon", "1.2.3.999:80", ""},
		{"/web", "", "", `"/web" has no port: a VIP is a name or an address, a colon and a port, such as /shop/web:80`},
		{"", "", "", "has no port"},
		{"/web:0", "", "", `the port of "/web:0" must be a number from 1 to 65535`},
		{"/web:65536", "", "", "must be a number from 1 to 65535"},
		{"/web:http", "", "", "must be a number from 1 to 65535"},
		{"/web:+80", "", "", "must be a number from 1 to 65535"},
		{"/web:", "", "", "must be a number from 1 to 65535"},
		{"/:80", "", "", "no DNS name can be made of it: a name needs a letter or a digit"},
		{":80", "", "", "no DNS name can be made of it"},
		{"[fe80::1%eth0]:80", "", "", "must have no zone"},
		{strings.Repeat(long+".", 4) + ":80", "", "", "the name is too long"},
		{strings.Repeat("/", 254) + "x:80", "", "", "the name is too long"},
	} {
		v, err := v1alpha1.ParseVIP(c.value)
		switch {
		case c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)):
			t.Errorf("ParseVIP(%q) = %v, %v; want %s", c.value, v, err, c.refusal)
		case c.refusal == "" && (err != nil || v.Key != c.key || v.String() != c.form):
			t.Errorf("ParseVIP(%q) = %s %s, %v; want %s %s", c.value, v.Key, v, err, c.key, c.form)
		}
	}
}

func FuzzParseVIP(f *testing.F) {
	for _, v := range []string{"/shop/web:80", "198.51.100.7:80", "[fd01:c::1]:80", "fd01:c::1:80", "/:1", "::", "%:1", "[:1", "\xff:1"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v, err := v1alpha1.ParseVIP(value)
		if err != nil {
			return
		}
		if v.Port < 1 || v.Port > 65535 || (v.Name == "") == (v.IP == "") {
			t.Fatalf("ParseVIP(%q) = %+v", value, v)
		}
		if errs := validation.IsDNS1123Subdomain(v.Key + "." + v1alpha1.VIPZone); v.IP == "" && errs != nil {
			t.Fatalf("ParseVIP(%q) has the DNS name %s: %v", value, v.Key, errs)
		}
		if errs := append(validation.IsValidPortName(v.PortName()), validation.IsQualifiedName(v1alpha1.VIPPodLabel(v.Key))...); len(errs) > 0 {
			t.Fatalf("ParseVIP(%q): %v", value, errs)
		}
		again, err := v1alpha1.ParseVIP(v.String())
		if err != nil || again != v {
			t.Fatalf("ParseVIP(%q) = %+v, whose form %s is %+v, %v", value, v, v, again, err)
		}
		key, err := (&v1alpha1.VirtualIPSpec{Name: v.Name, IP: v.IP}).Key()
		if err != nil || key != v.Key {
			t.Fatalf("the VirtualIP of %q has the key %q, %v; want %q", value, key, err, v.Key)
		}
	})
}

func TestVIPs(t *testing.T) {
	for name, c := range map[string]struct {
		spec         string
		asked, wrong []string
	}{
		"host":    {`{portDefinitions: [{}, {labels: {VIP_0: "/a:1", vip_b: "/b:2", other: x}}]}`, []string{"1 /a:1 tcp", "1 /b:2 tcp"}, nil},
		"both":    {`{portDefinitions: [{protocol: "udp,tcp", labels: {VIP_0: "/a:1"}}]}`, []string{"0 /a:1 udp", "0 /a:1 tcp"}, nil},
		"twice":   {`{portDefinitions: [{labels: {VIP_0: "/a:1", VIP_1: "a:1"}}]}`, []string{"0 /a:1 tcp"}, nil},
		"several": {`{networks: [{mode: container/bridge}], containers: [{name: c, endpoints: [{name: x}]}, {name: d, endpoints: [{name: y, protocol: [http, udp], labels: {VIP_0: "/a:1"}}]}]}`, []string{"1 /a:1 udp", "1 /a:1 tcp"}, nil},
		"legacy":  {`{labels: {vip_port0: "udp://198.51.100.7:53", VIP_0: "/not-of-a-port"}}`, []string{"0 198.51.100.7:53 udp"}, nil},
		"legacy wrong": {`{labels: {vip_port0: "/a:1", vip_port1: "tcp://a:1", vip_portx: "tcp://a:1"}}`, nil, []string{
			`spec.labels[vip_port0]: "/a:1" must be tcp:// or udp://, then an address and a port, such as tcp://198.51.100.7:80`,
			`spec.labels[vip_port1]: the app has no port "1": it has 1, counted from 0`,
			`spec.labels[vip_portx]: the app has no port "x": it has 1, counted from 0`,
		}},
		"wrong": {`{networks: [{mode: container/bridge}], container: {portMappings: [{labels: {VIP_0: "/a:1"}}, {labels: {VIP: x, VIP_0: "a:1", VIP_1: "b:1"}}]}}`, []string{"0 /a:1 tcp", "1 b:1 tcp"}, []string{
			`spec.container.portMappings[1].labels[VIP]: "x" has no port: a VIP is a name or an address, a colon and a port, such as /shop/web:80`,
			`spec.container.portMappings[1].labels[VIP_0]: a:1 stands for another port of the app already, by spec.container.portMappings[0].labels[VIP_0]: a task can have one port behind a VIP`,
		}},
	} {
		spec := &v1alpha1.AppSpec{}
		if err := yaml.Unmarshal([]byte(c.spec), spec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		asked, wrong := spec.VIPs()
		var got []string
		for _, v := range asked {
			got = append(got, fmt.Sprintf("%d %s %s", v.PortIndex, v.VIP, v.Protocol))
		}
		if !slices.Equal(got, c.asked) || !slices.Equal(wrong, c.wrong) {
			t.Errorf("%s: VIPs() = %q, %q; want %q, %q", name, got, wrong, c.asked, c.wrong)
		}
	}
}

func TestDNSLabel(t *testing.T) {
	long := strings.Repeat("a", 62)
	for name, want := range map[string]string{
		"web.shop": "web-shop", "x-y": "x-y", "Hello_World": "hello-world", "--a--": "a", "ä/b": "b", "": "", "...": "",
		long + ".b": long, long + "bc": long + "b",
	} {
		if got := v1alpha1.DNSLabel(name); got != want {
			t.Errorf("DNSLabel(%q) = %q, want %q", name, got, want)
		}
	}
}
