// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
)

func TestHostOf(t *testing.T) {
	v1 := func(name string) *mountinfo.Info {
		return &mountinfo.Info{FSType: "cgroup", Mountpoint: "/sys/fs/cgroup/" + name}
	}
	tests := []struct {
		name   string
		mounts []*mountinfo.Info
		want   Host
	}{
		{
			name: "version 2", mounts: []*mountinfo.Info{{FSType: "cgroup2", Mountpoint: "/sys/fs/cgroup"}},
			want: Host{Unified: true, trees: []string{"/sys/fs/cgroup"}},
		},
		{
			name:   "version 1 with an unused version 2 tree",
			mounts: []*mountinfo.Info{v1("pids"), v1("cpu"), {FSType: "cgroup2", Mountpoint: "/sys/fs/cgroup/unified"}},
			want: Host{
				trees: []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/pids"},
				idle:  []string{"/sys/fs/cgroup/unified"},
			},
		},
		{
			name: "mounted twice", mounts: []*mountinfo.Info{v1("cpu"), v1("cpu")},
			want: Host{trees: []string{"/sys/fs/cgroup/cpu"}},
		},
		{name: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := hostOf(tt.mounts)
			if got.Unified != tt.want.Unified || !slices.Equal(got.trees, tt.want.trees) || !slices.Equal(got.idle, tt.want.idle) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// writeFiles fills a directory as the kernel fills a new group.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCreateFillsCpusets(t *testing.T) {
	tree := t.TempDir()
	writeFiles(t, tree, map[string]string{"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n"})
	writeFiles(t, filepath.Join(tree, "kdcos", "node"), map[string]string{"cpuset.cpus": "\n", "cpuset.mems": "\n"})
	writeFiles(t, filepath.Join(tree, "kdcos"), map[string]string{"cpuset.cpus": "\n", "cpuset.mems": "\n"})
	if err := (Host{trees: []string{tree}}).Create("/kdcos/node"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, tree, "kdcos", "node", "cpuset.cpus"); got != "0-1\n" {
		t.Errorf("cpuset.cpus %q", got)
	}
	if got := readFile(t, tree, "kdcos", "node", "cpuset.mems"); got != "0\n" {
		t.Errorf("cpuset.mems %q", got)
	}
}

func TestCreateDelegatesControllers(t *testing.T) {
	tree := t.TempDir()
	writeFiles(t, tree, map[string]string{"cgroup.controllers": "memory\n", "cgroup.subtree_control": ""})
	host := Host{Unified: true, trees: []string{tree}}
	if err := host.Create("/kdcos/node"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, tree, "cgroup.subtree_control"); got != "+memory" {
		t.Errorf("subtree_control %q", got)
	}
	want := []string{filepath.Join(tree, "kdcos/node/cgroup.procs")}
	if got := host.Procs("/kdcos/node"); !slices.Equal(got, want) {
		t.Errorf("procs %v, want %v", got, want)
	}
}

func TestRemove(t *testing.T) {
	tree := t.TempDir()
	idle := t.TempDir()
	host := Host{trees: []string{tree}, idle: []string{idle}}
	// A runtime made this one.
	writeFiles(t, filepath.Join(idle, "kdcos/a"), nil)
	for _, group := range []string{"/kdcos/a/b/c", "/kdcos/d", "/other/e"} {
		if err := host.Create(group); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := host.Remove(ctx, "/kdcos"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{tree, idle} {
		if _, err := os.Stat(filepath.Join(dir, "kdcos")); !os.IsNotExist(err) {
			t.Errorf("group is still there: %v", err)
		}
	}
	if _, err := os.Stat(filepath.Join(tree, "other/e")); err != nil {
		t.Errorf("a foreign group was removed: %v", err)
	}
	if err := host.Remove(ctx, "/kdcos"); err != nil {
		t.Errorf("second remove: %v", err)
	}
}
