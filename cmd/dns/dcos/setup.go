// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dcos is a plugin of CoreDNS that answers for the zones of DC/OS from
// what the API server knows of pods, nodes and virtual IPs. It reads, and never
// writes. What names there are, internal/dnsnames knows.
package dcos

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// Name of the plugin.
const Name = "dcos"

// syncWait is how long a new configuration waits for its first look at the
// cluster, while the old one answers.
const syncWait = 30 * time.Second

func init() { plugin.Register(Name, setup) }

// Options are what a Corefile says.
type Options struct {
	// Kubeconfig names the cluster, "" is the one this runs in.
	Kubeconfig string
	// RootNamespace is where apps without a group are.
	RootNamespace string
	// TTL is that of records, NegativeTTL that of what is not there; in seconds.
	TTL, NegativeTTL uint32
	// ClusterID names the cluster in dcos.directory. "" makes one.
	ClusterID string
	// Services are those with a role, as namespace/name.
	Services map[dnsnames.Role]string
	// MesosDNS and Net are the addresses of the HTTP APIs, "" for none.
	MesosDNS, Net string
}

func setup(c *caddy.Controller) error {
	options, err := parse(c)
	if err != nil {
		return plugin.Error(Name, err)
	}
	config, err := restConfig(options)
	if err != nil {
		return plugin.Error(Name, err)
	}
	d := New(options)
	watch, err := newWatch(d, config)
	if err != nil {
		return plugin.Error(Name, err)
	}
	servers := newServers(d)
	c.OnStartup(func() error {
		watch.start()
		if caddy.Started() {
			watch.wait(syncWait)
		}
		return servers.listen()
	})
	c.OnRestartFailed(servers.listen)
	c.OnRestart(servers.close)
	c.OnFinalShutdown(servers.close)
	c.OnShutdown(func() error { watch.stop(); return nil })
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		d.Next = next
		return d
	})
	return nil
}

func restConfig(o *Options) (*rest.Config, error) {
	config, err := rest.InClusterConfig()
	if o.Kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.UserAgent = "kdcos-dns"
	return config, nil
}

func parse(c *caddy.Controller) (*Options, error) {
	o := &Options{RootNamespace: pathid.DefaultRootNamespace, TTL: 5, NegativeTTL: 3, Services: map[dnsnames.Role]string{}}
	seen := false
	for c.Next() {
		if seen {
			return nil, plugin.ErrOnce
		}
		seen = true
		if args := c.RemainingArgs(); len(args) > 0 {
			return nil, c.Errf("%q: %s takes no zones, it knows its own", args[0], Name)
		}
		for c.NextBlock() {
			property, args := c.Val(), c.RemainingArgs()
			if len(args) != 1 {
				return nil, c.Errf("%s takes one value, not %d", property, len(args))
			}
			if err := o.set(property, args[0]); err != nil {
				return nil, c.Err(err.Error())
			}
		}
	}
	return o, nil
}

func (o *Options) set(property, value string) (err error) {
	switch property {
	case "kubeconfig":
		o.Kubeconfig = value
	case "root-namespace":
		o.RootNamespace = value
	case "ttl":
		o.TTL, err = seconds(value, 0, 3600)
	case "negative-ttl":
		o.NegativeTTL, err = seconds(value, 1, 5)
	case "cluster-id":
		if o.ClusterID = value; v1alpha1.DNSLabel(value) != value {
			err = errors.New("is no DNS label in lower case")
		}
	case string(dnsnames.RoleGateway), string(dnsnames.RoleZooKeeper), string(dnsnames.RoleResolver):
		if namespace, name, ok := strings.Cut(value, "/"); !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			err = errors.New("is not namespace/name of a Service")
		}
		o.Services[dnsnames.Role(property)] = value
	case "mesos-dns":
		o.MesosDNS = value
	case "net":
		o.Net = value
	default:
		return fmt.Errorf("unknown property %q, there are: kubeconfig, root-namespace, ttl, negative-ttl, cluster-id, gateway, zookeeper, resolver, mesos-dns, net", property)
	}
	if err != nil {
		return fmt.Errorf("%s: %q %w", property, value, err)
	}
	return nil
}

func seconds(value string, least, most uint32) (uint32, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || uint32(n) < least || uint32(n) > most {
		return 0, fmt.Errorf("is not a number of seconds from %d to %d", least, most)
	}
	return uint32(n), nil
}
