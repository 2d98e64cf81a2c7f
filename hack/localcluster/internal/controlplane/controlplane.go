// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane turns a few addresses and ports into the services of a Kubernetes control plane: certificates,
// client configurations, audit policy and the command lines of etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler. It starts nothing itself.
package controlplane

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	clientcmd "k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
)

// Ports are the listeners of the control plane.
type Ports struct {
	APIServer         int `json:"apiServer"`
	EtcdClient        int `json:"etcdClient"`
	EtcdPeer          int `json:"etcdPeer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

// DefaultPorts are the usual ones, for a control plane that has a network of its own.
var DefaultPorts = Ports{APIServer: 6443, EtcdClient: 2379, EtcdPeer: 2380, ControllerManager: 10257, Scheduler: 10259}

// ControlPlane describes one control plane.
type ControlPlane struct {
	// Dir holds certificates, configurations and etcd's data; LogDir the logs; Bin the programs.
	Dir, LogDir, Bin string
	// Address is where the API server listens, for the host and for nodes.
	Address netip.Addr
	Ports   Ports
	// Services and Pods are the address ranges; KubernetesService is the first address of Services.
	Services, Pods    netip.Prefix
	KubernetesService netip.Addr
	// User is the user that the services run as, if not the one who starts them.
	User uint32
	// Alone says that nothing but this machine ever reaches the API server, which then has no address to publish as
	// the Service "kubernetes".
	Alone bool
	// Measuring takes away what would be measured instead of the work: limits that components set themselves, losses of
	// nodes by late leases. It keeps what an installation has, such as syncs of etcd to disk.
	Measuring bool

	cluster, frontProxy, etcd *authority
}

// URL is the address of the API server.
func (c *ControlPlane) URL() string {
	return "https://" + c.APIServerAddress()
}

func (c *ControlPlane) pki(name string) string    { return filepath.Join(c.Dir, "pki", name) }
func (c *ControlPlane) config(name string) string { return filepath.Join(c.Dir, "config", name) }

// CopyCertificateAuthority writes the certificate that clients, kubelets and the API server are signed by.
func (c *ControlPlane) CopyCertificateAuthority(file string) error {
	data, err := os.ReadFile(c.cluster.file)
	if err != nil {
		return fmt.Errorf("copy certificate authority: %w", err)
	}
	return atomicfile.Write(file, data, 0o644)
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Prepare writes all files the control plane needs. What is there and right is kept.
func (c *ControlPlane) Prepare() error {
	// Keys lie below.
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for name, target := range map[string]**authority{
		"ca": &c.cluster, "front-proxy-ca": &c.frontProxy, "etcd-ca": &c.etcd,
	} {
		made, err := ensureAuthority(c.pki(""), name)
		if err != nil {
			return fmt.Errorf("make certificate authority %s: %w", name, err)
		}
		*target = made
	}
	if _, _, err := ensureSigningKey(c.pki("")); err != nil {
		return err
	}
	serving := Identity{
		Name: "kube-apiserver",
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local",
		},
		Addresses: []netip.Addr{c.Address, loopback, c.KubernetesService},
	}
	for _, leaf := range []struct {
		by       *authority
		name     string
		identity Identity
	}{
		{c.cluster, "apiserver", serving},
		{c.cluster, "apiserver-kubelet-client", Identity{Name: "kube-apiserver-kubelet-client", Organizations: []string{"system:masters"}}},
		{c.frontProxy, "front-proxy-client", Identity{Name: "front-proxy-client"}},
		{c.etcd, "etcd", Identity{Name: "etcd", DNSNames: []string{"localhost"}, Addresses: []netip.Addr{loopback}}},
		{c.etcd, "apiserver-etcd-client", Identity{Name: "kube-apiserver-etcd-client"}},
	} {
		if _, _, err := leaf.by.ensure(c.pki(""), leaf.name, leaf.identity); err != nil {
			return fmt.Errorf("make certificate %s: %w", leaf.name, err)
		}
	}
	for file, user := range map[string]string{
		"controller-manager.kubeconfig": "system:kube-controller-manager",
		"scheduler.kubeconfig":          "system:kube-scheduler",
	} {
		if err := c.WriteKubeconfig(c.config(file), Identity{Name: user}); err != nil {
			return err
		}
	}
	return atomicfile.Write(c.config("audit-policy.yaml"), []byte(auditPolicy), 0o644)
}

// Certificate makes a certificate of the cluster's authority in the directory.
func (c *ControlPlane) Certificate(dir, name string, identity Identity) error {
	_, _, err := c.cluster.ensure(dir, name, identity)
	return err
}

// WriteKubeconfig writes a client configuration that carries all it needs.
func (c *ControlPlane) WriteKubeconfig(file string, identity Identity) error {
	certFile, keyFile, err := c.cluster.ensure(c.pki("clients"), filepath.Base(identity.Name), identity)
	if err != nil {
		return fmt.Errorf("make client %s: %w", identity.Name, err)
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return fmt.Errorf("make client %s: %w", identity.Name, err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("make client %s: %w", identity.Name, err)
	}
	authorities, err := os.ReadFile(c.cluster.file)
	if err != nil {
		return fmt.Errorf("make client %s: %w", identity.Name, err)
	}
	const name = "kdcos-local"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.URL(), CertificateAuthorityData: authorities}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return atomicfile.Write(file, data, 0o600)
}

// Admin is who the user of the cluster is.
var Admin = Identity{Name: "kdcos-admin", Organizations: []string{"system:masters"}}

func port(number int) string { return strconv.Itoa(number) }
