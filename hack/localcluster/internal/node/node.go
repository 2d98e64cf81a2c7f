// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package node turns what is known of one real node into the files and the machine description it boots from:
// containerd, kubelet and kube-proxy, in a file system view of their own. It starts nothing itself.
package node

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"text/template"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/hack/localcluster/internal/assets"
	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*"))

// Where a node sees its files. They lie in /run, which is the node's own.
const (
	insidePackages = "/run/kdcos/packages"
	insideEtc      = "/run/kdcos/etc"
	// InsideBin is where a machine sees the Kubernetes programs.
	InsideBin = "/run/kdcos/bin"
	// Socket is containerd's. It is not at the usual place, so that nobody ever means a node and reaches the host.
	Socket = "/run/kdcos/containerd.sock"
)

// Node describes one real node.
type Node struct {
	Name string
	// Dir holds all of the node: configuration in etc, its disk in var and tmp.
	Dir, LogDir string
	// Bin holds the Kubernetes programs.
	Bin   string
	Tools assets.Toolbox
	// Address is the node's, Pods the range of its pods and AllPods that of all nodes.
	Address       netip.Addr
	Pods, AllPods netip.Prefix
	ClusterDNS    netip.Addr
	// Resolver is the name server that pods are given who do not use the cluster's.
	Resolver netip.Addr
	// APIServer is its address, as host:port.
	APIServer string
	// Cgroup is the group that holds the node, CgroupProcs the files through which its own services join a group
	// below it.
	Cgroup      string
	CgroupProcs []string
	PauseImage  string
	// Taint keeps pods away from the first moment on.
	Taint *corev1.Taint
}

// view is what templates see: paths as they are inside the node.
type view struct {
	Node
	Etc, Socket, Snapshotter string
	Tools                    assets.Toolbox
}

// Etc is the directory of the node's configuration, where certificates are expected as well.
func (n Node) Etc() string { return filepath.Join(n.Dir, "etc") }

// Files are the paths that the caller has to fill in Etc.
const (
	CAFile              = "ca.crt"
	KubeletKubeconfig   = "kubelet.kubeconfig"
	KubeProxyKubeconfig = "kube-proxy.kubeconfig"
	// ServingCertificate is the base name of certificate and key.
	ServingCertificate = "kubelet"
)

// Prepare writes the node's configuration and lays out its disk.
func (n Node) Prepare() error {
	if err := n.layOutDisk(); err != nil {
		return fmt.Errorf("prepare %s: %w", n.Name, err)
	}
	files, err := n.render()
	if err != nil {
		return fmt.Errorf("prepare %s: %w", n.Name, err)
	}
	for name, content := range files {
		if err := atomicfile.Write(filepath.Join(n.Etc(), name), content, 0o644); err != nil {
			return fmt.Errorf("prepare %s: %w", n.Name, err)
		}
	}
	return nil
}

// render returns the files of the node's configuration.
func (n Node) render() (map[string][]byte, error) {
	data := view{Node: n, Etc: insideEtc, Socket: Socket, Snapshotter: snapshotter(n.Dir), Tools: n.Tools.Under(insidePackages)}
	files := map[string][]byte{
		// Nothing listens there: a name that is not the cluster's own is refused at once, instead of timing out.
		"resolv.conf": fmt.Appendf(nil, "nameserver %s\n", n.Resolver),
	}
	for file, name := range map[string]string{
		"containerd.toml":    "containerd.toml",
		"cni/kdcos.conflist": "cni.conflist",
		"kubelet.yaml":       "kubelet.yaml",
	} {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, data); err != nil {
			return nil, err
		}
		files[file] = b.Bytes()
	}
	for name, value := range kernelTunables {
		files[tunableFile(name)] = []byte(value + "\n")
	}
	return files, nil
}

// layOutDisk makes the directories that every Linux has in /var.
func (n Node) layOutDisk() error {
	for _, dir := range []string{"var/lib", "var/log", "var/tmp", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(n.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"var/tmp", "tmp"} {
		if err := os.Chmod(filepath.Join(n.Dir, dir), 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"run": "/run", "lock": "/run/lock"} {
		if err := os.Symlink(target, filepath.Join(n.Dir, "var", link)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// snapshotter picks plain copies where layers cannot be stacked, as in a container of a developer.
func snapshotter(dir string) string {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err == nil && stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}

// Machine returns the description that the node boots from.
func (n Node) Machine() spec.Machine {
	mounts := []spec.Mount{
		{Type: "tmpfs", Target: "/run", Data: "mode=755"},
		{Type: "bind", Source: n.Bin, Target: InsideBin},
		{Type: "bind", Source: n.Etc(), Target: insideEtc},
	}
	if _, err := os.Stat(n.Tools.Unpacked); err == nil {
		mounts = append(mounts, spec.Mount{Type: "bind", Source: n.Tools.Unpacked, Target: insidePackages})
	}
	mounts = append(mounts,
		spec.Mount{Type: "bind", Source: filepath.Join(n.Dir, "var"), Target: "/var"},
		spec.Mount{Type: "bind", Source: filepath.Join(n.Dir, "tmp"), Target: "/tmp"})
	for _, name := range tunableNames() {
		mounts = append(mounts, spec.Mount{
			Type: "bind", Source: filepath.Join(n.Etc(), tunableFile(name)), Target: "/proc/sys/" + name,
		})
	}
	return spec.Machine{
		Hostname:    n.Name,
		Isolated:    true,
		CgroupProcs: n.CgroupProcs,
		Mounts:      mounts,
		Sysctls:     sysctls,
		Interface:   "eth0",
		Services:    n.services(),
	}
}

// sysctls are those of the node's own network namespace. Redirects would teach neighbours a way around the node that
// translates their packets.
var sysctls = map[string]string{
	"net.ipv4.ip_forward":                  "1",
	"net.ipv4.conf.all.rp_filter":          "0",
	"net.ipv4.conf.default.rp_filter":      "0",
	"net.ipv4.conf.all.send_redirects":     "0",
	"net.ipv4.conf.default.send_redirects": "0",
}

// kernelTunables are settings of the whole kernel that the kubelet insists on and otherwise changes. The node is shown
// files with the values it wants to see, and the host keeps its own.
var kernelTunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

func tunableNames() []string {
	var names []string
	for name := range kernelTunables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func tunableFile(name string) string { return filepath.Join("tunables", filepath.Base(name)) }

func (n Node) services() []spec.Service {
	env := append(n.Tools.Under(insidePackages).Env(), "HOME=/var/lib", "TMPDIR=/var/tmp")
	service := func(name, waitFor, program string, args ...string) spec.Service {
		return spec.Service{
			Name:    name,
			Args:    append([]string{program}, args...),
			Env:     env,
			Log:     filepath.Join(n.LogDir, name+"-"+n.Name+".log"),
			WaitFor: waitFor,
		}
	}
	return []spec.Service{
		service("containerd", "", n.Tools.Under(insidePackages).Programs["containerd"],
			"--config="+insideEtc+"/containerd.toml"),
		service("kubelet", n.APIServer, InsideBin+"/kubelet",
			"--config="+insideEtc+"/kubelet.yaml",
			"--kubeconfig="+insideEtc+"/"+KubeletKubeconfig,
			"--hostname-override="+n.Name,
			"--node-ip="+n.Address.String()),
		// Flags instead of a file: kube-proxy would watch the file, and root has few inotify instances.
		service("kube-proxy", n.APIServer, InsideBin+"/kube-proxy",
			"--kubeconfig="+insideEtc+"/"+KubeProxyKubeconfig,
			"--proxy-mode=nftables",
			"--hostname-override="+n.Name,
			"--bind-address="+n.Address.String(),
			"--detect-local-mode=ClusterCIDR",
			"--cluster-cidr="+n.AllPods.String(),
			"--healthz-bind-address=127.0.0.1:10256",
			"--metrics-bind-address=127.0.0.1:10249",
			// The limits of connection tracking belong to the host.
			"--conntrack-max-per-core=0",
			"--conntrack-min=0",
			"--conntrack-tcp-timeout-established=0",
			"--conntrack-tcp-timeout-close-wait=0"),
	}
}
