// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestModuleFile(t *testing.T) {
	got := moduleFile(component{module: kubernetesModule, version: "v1.36.3"}, []string{"k8s.io/api", "k8s.io/kms"})
	want := `module localcluster.build

go 1.26.0

require k8s.io/kubernetes v1.36.3

replace k8s.io/api => k8s.io/api v0.36.3

replace k8s.io/kms => k8s.io/kms v0.36.3
`
	if got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestParseStaging(t *testing.T) {
	module := `module k8s.io/kubernetes

require k8s.io/api v0.0.0

replace k8s.io/api => ./staging/src/k8s.io/api

replace (
	k8s.io/apimachinery => ./staging/src/k8s.io/apimachinery
	github.com/other/thing => github.com/fork/thing v1.0.0
)
`
	want := []string{"k8s.io/api", "k8s.io/apimachinery"}
	if got := parseStaging(module); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLinkerFlagsCarryTheVersion(t *testing.T) {
	got := linkerFlags(component{module: kubernetesModule, version: "v1.36.3"})
	for _, want := range []string{"version.gitVersion=v1.36.3", "version.gitMajor=1", "version.gitMinor=36"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
}

func TestSourceKeyFollowsTheSource(t *testing.T) {
	key := func(content string) string {
		t.Helper()
		k, err := Cache{Sources: fstest.MapFS{"cmd/a/main.go": {Data: []byte(content)}}}.sourceKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if first, again := key("one"), key("one"); first != again || first == key("two") {
		t.Error("the key does not stand for the source")
	}
}

// place makes empty executables.
func place(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLook(t *testing.T) {
	system, unpacked := t.TempDir(), filepath.Join(t.TempDir(), "packages")
	place(t, system+"/runc", system+"/iptables")
	_, lacking := look([]string{system}, nil, unpacked)
	if want := []string{"containerd", "containernetworking-plugins", "nftables"}; !slices.Equal(lacking, want) {
		t.Fatalf("lacking %v, want %v", lacking, want)
	}

	place(t, unpacked+"/usr/bin/containerd", unpacked+"/usr/bin/containerd-shim-runc-v2", unpacked+"/usr/bin/ctr",
		unpacked+"/usr/sbin/nft", unpacked+"/usr/sbin/runc")
	for _, plugin := range plugins {
		place(t, filepath.Join(unpacked, "usr/lib/cni", plugin))
	}
	box, lacking := look([]string{system}, nil, unpacked)
	if len(lacking) > 0 {
		t.Fatalf("lacking %v", lacking)
	}
	if got := box.Programs["runc"]; got != system+"/runc" {
		t.Errorf("runc is %s: the system's own comes first", got)
	}
	moved := box.Under("/run/packages")
	if got := moved.Programs["nft"]; got != "/run/packages/usr/sbin/nft" {
		t.Errorf("nft is %s", got)
	}
	if got := moved.Programs["runc"]; got != system+"/runc" {
		t.Errorf("runc is %s", got)
	}
	if moved.Plugins != "/run/packages/usr/lib/cni" {
		t.Errorf("plugins are in %s", moved.Plugins)
	}
	env := strings.Join(moved.Env(), " ")
	if !strings.Contains(env, "LD_LIBRARY_PATH=/run/packages/usr/lib/") || strings.Contains(env, "XTABLES_LIBDIR") {
		t.Errorf("environment %s", env)
	}
}

func TestOSRelease(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	if err := os.WriteFile(file, []byte("NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := osRelease(file)
	if err != nil || !strings.HasPrefix(got, "debian-12-") {
		t.Errorf("got %q, %v", got, err)
	}
}
