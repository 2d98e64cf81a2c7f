// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func testControlPlane(t *testing.T) *ControlPlane {
	t.Helper()
	return &ControlPlane{
		Dir: t.TempDir(), LogDir: "/state/cluster/logs", Bin: "/cache/bin",
		Address: netip.MustParseAddr("10.101.0.2"), Ports: DefaultPorts,
		Services: netip.MustParsePrefix("10.101.64.0/18"), Pods: netip.MustParsePrefix("10.101.128.0/17"),
		KubernetesService: netip.MustParseAddr("10.101.64.1"),
	}
}

// contents reads all files below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPrepareKeepsWhatIsGood(t *testing.T) {
	cp := testControlPlane(t)
	if err := cp.Prepare(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, cp.Dir)
	if err := cp.Prepare(); err != nil {
		t.Fatal(err)
	}
	for path, content := range contents(t, cp.Dir) {
		if before[path] != content {
			t.Errorf("%s changed", path)
		}
	}
}

func TestPrepareMendsWhatIsHalf(t *testing.T) {
	damages := map[string]func(file string) error{
		"missing": os.Remove,
		"empty":   func(file string) error { return os.WriteFile(file, nil, 0o600) },
	}
	for name, damage := range damages {
		for _, file := range []string{"pki/apiserver.key", "pki/apiserver.crt", "pki/sa.pub", "pki/etcd-ca.crt", "config/scheduler.kubeconfig"} {
			t.Run(name+" "+file, func(t *testing.T) {
				cp := testControlPlane(t)
				if err := cp.Prepare(); err != nil {
					t.Fatal(err)
				}
				if err := damage(filepath.Join(cp.Dir, file)); err != nil {
					t.Fatal(err)
				}
				if err := cp.Prepare(); err != nil {
					t.Fatal(err)
				}
				for _, leaf := range []string{"apiserver", "etcd", "apiserver-etcd-client"} {
					cert, _, err := loadPair(cp.pki(leaf+".crt"), cp.pki(leaf+".key"))
					if err != nil {
						t.Fatal(err)
					}
					authority := cp.cluster
					if leaf != "apiserver" {
						authority = cp.etcd
					}
					if err := cert.CheckSignatureFrom(authority.cert); err != nil {
						t.Errorf("%s: %v", leaf, err)
					}
				}
			})
		}
	}
}

func TestNewAddressNewCertificate(t *testing.T) {
	cp := testControlPlane(t)
	if err := cp.Prepare(); err != nil {
		t.Fatal(err)
	}
	cp.Address = netip.MustParseAddr("10.102.0.2")
	if err := cp.Prepare(); err != nil {
		t.Fatal(err)
	}
	cert, _, err := loadPair(cp.pki("apiserver.crt"), cp.pki("apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.VerifyHostname("10.102.0.2"); err != nil {
		t.Error(err)
	}
}

func TestKubeconfig(t *testing.T) {
	cp := testControlPlane(t)
	if err := cp.Prepare(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cp.WriteKubeconfig(file, Admin); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://10.101.0.2:6443" || len(config.CertData) == 0 || len(config.CAData) == 0 {
		t.Errorf("got %+v", config)
	}
}

func TestServices(t *testing.T) {
	cp := testControlPlane(t)
	services := cp.ServiceList()
	var names []string
	for _, service := range services {
		names = append(names, service.Name)
	}
	if want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}; !slices.Equal(names, want) {
		t.Fatalf("services are %v", names)
	}
	for i, wants := range [][]string{
		{"--unsafe-no-fsync", "--client-cert-auth"},
		{
			"--authorization-mode=Node,RBAC", "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP",
			"--audit-log-path=/state/cluster/logs/audit.log", "--audit-log-maxsize=64", "--service-cluster-ip-range=10.101.64.0/18",
		},
		{"--kube-api-qps=200", "--kube-api-burst=400", "--node-monitor-period=2s", "--node-monitor-grace-period=16s"},
		{"--kube-api-qps=200", "--kube-api-burst=400"},
	} {
		for _, want := range wants {
			if !slices.Contains(services[i].Args, want) {
				t.Errorf("%s lacks %s", services[i].Name, want)
			}
		}
	}
	if args := cp.apiServerArgs(""); slices.Contains(args, "--endpoint-reconciler-type=none") {
		t.Error("the API server of a real cluster publishes no address")
	}
	cp.Alone = true
	if args := cp.apiServerArgs(""); !slices.Contains(args, "--endpoint-reconciler-type=none") {
		t.Error("the API server of a simulated cluster publishes its loopback address")
	}
}
