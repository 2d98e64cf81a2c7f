// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package node

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/hack/localcluster/internal/assets"
)

var update = flag.Bool("update", false, "rewrite golden files")

func testNode() Node {
	return Node{
		Name:   "public-1",
		Dir:    "/state/cluster/nodes/public-1",
		LogDir: "/state/cluster/logs",
		Bin:    "/cache/bin",
		Tools: assets.Toolbox{
			Unpacked: "/",
			Programs: map[string]string{"containerd": "/usr/bin/containerd", "runc": "/usr/sbin/runc"},
			Plugins:  "/usr/lib/cni",
		},
		Address:     netip.MustParseAddr("10.101.0.13"),
		Pods:        netip.MustParsePrefix("10.101.131.0/24"),
		AllPods:     netip.MustParsePrefix("10.101.128.0/17"),
		ClusterDNS:  netip.MustParseAddr("10.101.64.10"),
		Resolver:    netip.MustParseAddr("10.101.0.2"),
		APIServer:   "10.101.0.2:6443",
		Cgroup:      "/kdcos-0123abcd/public-1",
		CgroupProcs: []string{"/sys/fs/cgroup/kdcos-0123abcd/public-1/system/cgroup.procs"},
		PauseImage:  "localcluster.kdcos.io/pause:1",
		Taint:       &corev1.Taint{Key: "kdcos.io/role", Value: "slave_public", Effect: corev1.TaintEffectNoSchedule},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; run the test with -update and look at the difference\ngot:\n%s", file, got)
	}
}

func TestRender(t *testing.T) {
	files, err := testNode().render()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		golden(t, name, content)
	}
}

func TestMachine(t *testing.T) {
	got, err := json.MarshalIndent(testNode().Machine(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "machine.json", append(got, '\n'))
}

func TestPrepareTwice(t *testing.T) {
	n := testNode()
	n.Dir = t.TempDir()
	for range 2 {
		if err := n.Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(n.Dir, "tmp"))
	if err != nil || info.Mode()&os.ModeSticky == 0 || info.Mode().Perm() != 0o777 {
		t.Errorf("tmp is %v, %v", info.Mode(), err)
	}
	if target, err := os.Readlink(filepath.Join(n.Dir, "var/run")); err != nil || target != "/run" {
		t.Errorf("var/run leads to %q, %v", target, err)
	}
}
