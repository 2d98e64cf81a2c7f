// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package stubdomains

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Where clusters keep the configuration of their DNS.
const (
	namespace    = "kube-system"
	configMap    = "coredns"
	corefileKey  = "Corefile"
	custom       = "coredns-custom"
	customKey    = "kdcos.server"
	nodeLocalDNS = "node-local-dns"
)

// Cluster is the DNS of a cluster.
type Cluster struct {
	// Client acts with the rights of the caller: it reads and updates the
	// ConfigMaps coredns, coredns-custom and node-local-dns of kube-system.
	Client corev1client.CoreV1Interface
	// ReadOnly says what would be written, and writes nothing; DryRun has the
	// API server check it, and keep nothing.
	ReadOnly, DryRun bool
}

// Change is what became of the configuration in a ConfigMap.
type Change struct {
	// ConfigMap is its name in kube-system, Key that of the configuration.
	ConfigMap, Key string
	// Was and Is are the configuration before and after; they are the same
	// where nothing was to do.
	Was, Is string
}

// String says what became of it, in a line.
func (c Change) String() string {
	what := "changed"
	if c.Was == c.Is {
		what = "unchanged"
	}
	return fmt.Sprintf("ConfigMap %s/%s, %s: %s", namespace, c.ConfigMap, c.Key, what)
}

// target is a place where the block belongs.
type target struct {
	object *corev1.ConfigMap
	key    string
}

// Servers are the addresses that a Service of DNS is reached at.
func (c *Cluster) Servers(ctx context.Context, namespace, service string) ([]string, error) {
	s, err := c.Client.Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get the Service of kdcos' DNS: %w", err)
	}
	port := int32(53)
	for _, p := range s.Spec.Ports {
		if p.Protocol == corev1.ProtocolUDP {
			port = p.Port
		}
	}
	var servers []string
	for _, ip := range s.Spec.ClusterIPs {
		if ip == "" || ip == corev1.ClusterIPNone {
			continue
		}
		if port != 53 {
			ip = net.JoinHostPort(ip, strconv.Itoa(int(port)))
		}
		servers = append(servers, ip)
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("the Service %s/%s has no address in the cluster", namespace, service)
	}
	return servers, nil
}

// Add leads the names of DC/OS to the servers, wherever the cluster keeps the
// configuration of its DNS. Where one of the places does not allow it, none is
// changed.
func (c *Cluster) Add(ctx context.Context, servers []string) ([]Change, error) {
	return c.change(ctx, func(text string) (string, error) { return Add(text, servers) })
}

// Remove takes out what Add wrote.
func (c *Cluster) Remove(ctx context.Context) ([]Change, error) {
	return c.change(ctx, func(text string) (string, error) {
		rest, _, err := Remove(text)
		return rest, err
	})
}

func (c *Cluster) change(ctx context.Context, edit func(string) (string, error)) ([]Change, error) {
	targets, err := c.targets(ctx)
	if err != nil {
		return nil, err
	}
	var changes []Change
	var errs []error
	for _, t := range targets {
		was := t.object.Data[t.key]
		is, err := edit(was)
		if err != nil {
			errs = append(errs, fmt.Errorf("ConfigMap %s/%s, %s: %w", namespace, t.object.Name, t.key, err))
		}
		changes = append(changes, Change{ConfigMap: t.object.Name, Key: t.key, Was: was, Is: is})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	options := metav1.UpdateOptions{FieldManager: "kdcos"}
	if c.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	for i, t := range targets {
		if c.ReadOnly || changes[i].Was == changes[i].Is {
			continue
		}
		wanted := t.object.DeepCopy()
		if wanted.Data == nil {
			wanted.Data = map[string]string{}
		}
		wanted.Data[t.key] = changes[i].Is
		if changes[i].Is == "" {
			delete(wanted.Data, t.key)
		}
		// Somebody else's change meanwhile is a conflict, and lost by nobody.
		if _, err := c.Client.ConfigMaps(namespace).Update(ctx, wanted, options); err != nil {
			return changes[:i], fmt.Errorf("update ConfigMap %s/%s: %w", namespace, t.object.Name, err)
		}
	}
	return changes, nil
}

// targets are where the block belongs: in the file of our own that the Corefile
// imports, as those of AKS and k3s do, or in the Corefile; and in that of the
// DNS caches on nodes, which ask CoreDNS for names of the cluster alone.
func (c *Cluster) targets(ctx context.Context) ([]target, error) {
	main, err := c.get(ctx, configMap)
	if err != nil {
		return nil, err
	}
	if main == nil {
		return nil, fmt.Errorf("there is no ConfigMap %s/%s: this cluster's DNS is not CoreDNS, or is configured elsewhere", namespace, configMap)
	}
	corefile, has := main.Data[corefileKey]
	if !has {
		return nil, fmt.Errorf("ConfigMap %s/%s has no %s", namespace, configMap, corefileKey)
	}
	all := []target{{object: main, key: corefileKey}}
	if importsServers(corefile) {
		own, err := c.get(ctx, custom)
		if err != nil {
			return nil, err
		}
		if own == nil {
			return nil, fmt.Errorf("the Corefile imports server blocks of a ConfigMap that is not there: kubectl create configmap %s --namespace %s", custom, namespace)
		}
		all = []target{{object: own, key: customKey}}
	}
	caches, err := c.get(ctx, nodeLocalDNS)
	if err != nil {
		return nil, err
	}
	if caches != nil && caches.Data[corefileKey] != "" {
		all = append(all, target{object: caches, key: corefileKey})
	}
	return all, nil
}

// get is a ConfigMap, nil if there is none.
func (c *Cluster) get(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	object, err := c.Client.ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s/%s: %w", namespace, name, err)
	}
	return object, nil
}

// importsServers says that a Corefile imports server blocks, by whatever name
// their directory has.
func importsServers(corefile string) bool {
	return slices.ContainsFunc(strings.Split(corefile, "\n"), func(line string) bool {
		name, ok := imported(line)
		return ok && strings.HasSuffix(name, "*.server")
	})
}

// Probe is a name that kdcos' DNS always has.
const Probe = "ns1.mesos."

// WaitUntilServed waits until the DNS that this program asks knows the names of
// DC/OS. CoreDNS reads a changed Corefile within a minute, unless it lacks the
// plugin reload.
func WaitUntilServed(ctx context.Context, resolver *net.Resolver) error {
	var last error
	for {
		_, err := resolver.LookupHost(ctx, Probe)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster's DNS does not answer for %s yet: %w; where CoreDNS lacks the plugin reload, restart it", Probe, last)
		case <-time.After(time.Second):
		}
	}
}
