// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/internal/dnsclient"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// answering answers as a DNS server of the cluster does, from its pods and
// virtual IPs.
func answering(pods []corev1.Pod) func(context.Context, *cluster, string, string, string) (*dnsclient.Answer, error) {
	store := dnsnames.NewStore(func(_ string, values []dnsnames.Value) []dnsnames.Value { return values })
	for i := range pods {
		tasks, _ := dnsnames.Tasks(&pods[i], pathid.Mapping{})
		for j := range tasks {
			store.Replace(nil, tasks[j].Records())
		}
	}
	store.Replace(nil, dnsnames.RoleGateway.Records([]netip.Addr{netip.MustParseAddr("10.96.0.1")}))
	store.Commit()
	return func(_ context.Context, _ *cluster, _, name, qtype string) (*dnsclient.Answer, error) {
		at, ours := zoneOf(name)
		values, found := store.Get(at.Name)
		switch {
		case !ours:
			return &dnsclient.Answer{Status: "REFUSED"}, nil
		case !found:
			return &dnsclient.Answer{Status: "NXDOMAIN"}, nil
		}
		answer := &dnsclient.Answer{Status: "NOERROR"}
		for _, v := range values {
			if v.Type() != qtype {
				continue
			}
			r := dnsclient.Record{Name: name, Type: qtype, TTL: 5, Value: v.Addr.String(), Address: v.Addr, Port: v.Port}
			if v.Target != "" {
				r.Target = at.Rename(v.Target)
				r.Value = fmt.Sprintf("0 1 %d %s", v.Port, r.Target)
				for _, a := range store.Values(v.Target) {
					answer.Additional = append(answer.Additional, dnsclient.Record{Name: r.Target, Type: a.Type(), TTL: 5, Value: a.Addr.String(), Address: a.Addr})
				}
			}
			answer.Answers = append(answer.Answers, r)
		}
		return answer, nil
	}
}

// TestDig shows what is told of names that are there, and of those that are not.
func TestDig(t *testing.T) {
	var pods []corev1.Pod
	var objects []client.Object
	for _, d := range (&input{files: []string{"testdata/dig/cluster.yaml"}}).documents(nil) {
		if d.err != nil {
			t.Fatal(d.err)
		}
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		if raw.GetKind() == "Pod" {
			var pod corev1.Pod
			must(t, yaml.UnmarshalStrict(d.json, &pod))
			pods, objects = append(pods, pod), append(objects, &pod)
			continue
		}
		objects = append(objects, raw)
	}
	s := newSession(t, objects...)
	s.ask = answering(pods)
	text := ""
	for _, args := range [][]string{
		{"web.shop.marathon.mesos"},
		{"WEB-shop.marathon.slave.mesos."},
		{"_http._web-shop._tcp.marathon.mesos.thisdcos.directory"},
		{"leader.mesos"},
		{"web.shop.marathon.mesos", "SRV"},
		{"wbe-shop.marathon.mesos"},
		{"shop-web.marathon.mesos"},
		{"web-shop.mesos"},
		{"api.bank.marathon.mesos"},
		{"shopapi.marathon.l4lb.thisdcos.directory"},
		{"web-shop.marathon.autoip.dcos.abc.dcos.directory"},
		{"nothing.like.it"},
		{"entirely-different.marathon.mesos"},
	} {
		text += s.transcript(slices.Concat([]string{"dig"}, args)...) + "\n"
	}
	golden(t, "dig/transcript.txt", text)
	if code := s.run("dig"); code == 0 || s.err == "" {
		t.Error("no name is a name")
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"web", "web", 0}, {"web", "wbe", 2}, {"web", "we", 1}, {"", "ab", 2}, {"abc", "xyz", 3}, {"a", "abcdefgh", 4}} {
		if got := distance(c.a, c.b, 4); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
