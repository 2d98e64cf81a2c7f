// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"path/filepath"

	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

// auditPolicy keeps who changed and listed what. Single reads and watches are left out: they are most of the traffic
// and tell the least.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  verbs: [get, watch]
- level: Metadata
`

// AuditLog is the file of the audit log.
func (c *ControlPlane) AuditLog() string { return filepath.Join(c.LogDir, "audit.log") }

// Service builds the service of one program of the control plane.
func (c *ControlPlane) Service(name, waitFor string, args ...string) spec.Service {
	return spec.Service{
		Name:    name,
		Args:    append([]string{filepath.Join(c.Bin, name)}, args...),
		Env:     []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.Dir, "TMPDIR=" + c.Dir},
		Log:     filepath.Join(c.LogDir, name+".log"),
		WaitFor: waitFor,
		User:    c.User,
	}
}

// APIServerAddress is where the API server listens, as host:port.
func (c *ControlPlane) APIServerAddress() string {
	return c.Address.String() + ":" + port(c.Ports.APIServer)
}

// ServiceList returns the four services.
func (c *ControlPlane) ServiceList() []spec.Service {
	etcdAddress, ready := "127.0.0.1:"+port(c.Ports.EtcdClient), c.URL()+"/readyz"
	apiServer := c.Service("kube-apiserver", etcdAddress, c.apiServerArgs(etcdAddress)...)
	if c.Measuring {
		// A tenth less of CPU, for memory that a measurement has.
		apiServer.Env = append(apiServer.Env, "GOGC=400")
	}
	return []spec.Service{
		c.Service("etcd", "", c.etcdArgs()...),
		apiServer,
		// Both give up when they come before the API server has set up its default roles.
		c.Service("kube-controller-manager", ready, c.controllerManagerArgs()...),
		c.Service("kube-scheduler", ready, c.schedulerArgs()...),
	}
}

func (c *ControlPlane) etcdArgs() []string {
	client := "https://127.0.0.1:" + port(c.Ports.EtcdClient)
	peer := "https://127.0.0.1:" + port(c.Ports.EtcdPeer)
	args := []string{
		"--name=default",
		"--data-dir=" + filepath.Join(c.Dir, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--cert-file=" + c.pki("etcd.crt"),
		"--key-file=" + c.pki("etcd.key"),
		"--client-cert-auth",
		"--trusted-ca-file=" + c.pki("etcd-ca.crt"),
		"--peer-cert-file=" + c.pki("etcd.crt"),
		"--peer-key-file=" + c.pki("etcd.key"),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file=" + c.pki("etcd-ca.crt"),
		"--log-level=warn",
	}
	if !c.Measuring {
		// What a test cluster holds need not survive the loss of power of its host.
		args = append(args, "--unsafe-no-fsync")
	}
	return args
}

func (c *ControlPlane) apiServerArgs(etcdAddress string) []string {
	args := []string{
		"--bind-address=" + c.Address.String(),
		"--advertise-address=" + c.Address.String(),
		"--secure-port=" + port(c.Ports.APIServer),
		"--tls-cert-file=" + c.pki("apiserver.crt"),
		"--tls-private-key-file=" + c.pki("apiserver.key"),
		"--client-ca-file=" + c.pki("ca.crt"),
		"--etcd-servers=https://" + etcdAddress,
		"--etcd-cafile=" + c.pki("etcd-ca.crt"),
		"--etcd-certfile=" + c.pki("apiserver-etcd-client.crt"),
		"--etcd-keyfile=" + c.pki("apiserver-etcd-client.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + c.Services.String(),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.pki("sa.pub"),
		"--service-account-signing-key-file=" + c.pki("sa.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + c.pki("ca.crt"),
		"--kubelet-client-certificate=" + c.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + c.pki("apiserver-kubelet-client.key"),
		"--requestheader-client-ca-file=" + c.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.pki("front-proxy-client.key"),
		// No kube-proxy runs beside the API server: it goes to the pods behind a Service itself.
		"--enable-aggregator-routing=true",
		"--audit-policy-file=" + c.config("audit-policy.yaml"),
		"--audit-log-path=" + c.AuditLog(),
	}
	if c.Measuring {
		// One file, which is counted.
		args = append(args, "--audit-log-maxsize=4096")
	} else {
		args = append(args, "--audit-log-maxsize=64", "--audit-log-maxbackup=2")
	}
	if c.Alone {
		args = append(args, "--endpoint-reconciler-type=none")
	}
	return args
}

func (c *ControlPlane) controllerManagerArgs() []string {
	kubeconfig := c.config("controller-manager.kubeconfig")
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + port(c.Ports.ControllerManager),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--root-ca-file=" + c.pki("ca.crt"),
		"--service-account-private-key-file=" + c.pki("sa.key"),
		"--cluster-signing-cert-file=" + c.pki("ca.crt"),
		"--cluster-signing-key-file=" + c.pki("ca.key"),
		"--cluster-cidr=" + c.Pods.String(),
		"--service-cluster-ip-range=" + c.Services.String(),
		// Pod ranges follow the routes between nodes, which are laid by number: localcluster assigns them.
		"--allocate-node-cidrs=false",
		// The default is a directory of the system, and is made.
		"--flex-volume-plugin-dir=" + filepath.Join(c.Dir, "volume-plugins"),
	}
	if c.Measuring {
		return append(args, "--kube-api-qps=1000", "--kube-api-burst=1500",
			"--concurrent-deployment-syncs=50", "--concurrent-replicaset-syncs=50",
			"--concurrent-endpoint-syncs=50", "--concurrent-service-endpoint-syncs=50",
			"--concurrent-cron-job-syncs=50", "--concurrent-job-syncs=50",
			"--node-monitor-grace-period=30m")
	}
	// The loss of a node shows quickly.
	return append(args, "--kube-api-qps=200", "--kube-api-burst=400", "--node-monitor-period=2s", "--node-monitor-grace-period=16s")
}

func (c *ControlPlane) schedulerArgs() []string {
	kubeconfig := c.config("scheduler.kubeconfig")
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + port(c.Ports.Scheduler),
		"--leader-elect=false",
	}
	if c.Measuring {
		return append(args, "--kube-api-qps=1000", "--kube-api-burst=1500")
	}
	return append(args, "--kube-api-qps=200", "--kube-api-burst=400")
}
