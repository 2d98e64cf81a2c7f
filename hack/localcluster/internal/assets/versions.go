// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package assets provides the programs a local cluster runs. It turns pinned Go modules into binaries, and packages of
// the distribution into an unpacked tree, all in a cache of its own: nothing is ever installed into the system.
package assets

// The versions of everything that is built. Changing one starts a new cache.
const (
	kubernetesVersion    = "v1.36.3"
	etcdVersion          = "v3.6.16"
	kwokVersion          = "v0.8.0"
	metricsServerVersion = "v0.9.0"
	coreDNSVersion       = "v1.15.0"
)

const (
	kubernetesModule    = "k8s.io/kubernetes"
	etcdModule          = "go.etcd.io/etcd/server/v3"
	kwokModule          = "sigs.k8s.io/kwok"
	metricsServerModule = "sigs.k8s.io/metrics-server"
	coreDNSModule       = "github.com/coredns/coredns"
)

// component is one binary to build: the package, or the source where there is one.
type component struct {
	name    string
	module  string
	pkg     string
	version string
	source  string
}

// coreDNSMain is CoreDNS with the plugins that clusters configure. All that it has in its own main take five minutes to
// compile, with the clients of three clouds.
const coreDNSMain = `package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() { coremain.Run() }
`

// components are in the order of building: what fills Go's build cache for the others comes first.
var components = []component{
	{"kube-apiserver", kubernetesModule, kubernetesModule + "/cmd/kube-apiserver", kubernetesVersion, ""},
	{"kube-controller-manager", kubernetesModule, kubernetesModule + "/cmd/kube-controller-manager", kubernetesVersion, ""},
	{"kube-scheduler", kubernetesModule, kubernetesModule + "/cmd/kube-scheduler", kubernetesVersion, ""},
	{"kubelet", kubernetesModule, kubernetesModule + "/cmd/kubelet", kubernetesVersion, ""},
	{"kube-proxy", kubernetesModule, kubernetesModule + "/cmd/kube-proxy", kubernetesVersion, ""},
	{"kubectl", kubernetesModule, kubernetesModule + "/cmd/kubectl", kubernetesVersion, ""},
	{"etcd", etcdModule, etcdModule, etcdVersion, ""},
	{"kwok", kwokModule, kwokModule + "/cmd/kwok", kwokVersion, ""},
	{"metrics-server", metricsServerModule, metricsServerModule + "/cmd/metrics-server", metricsServerVersion, ""},
	{"coredns", coreDNSModule, ".", coreDNSVersion, coreDNSMain},
}
