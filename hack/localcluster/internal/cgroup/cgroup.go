// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package cgroup makes and removes the groups of a cluster's machines in whatever cgroup file systems the machine has:
// the single tree of version 2, or one tree for each controller of version 1. It never moves processes of others.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/kdcos/kdcos/hack/localcluster/internal/process"
)

// Host is the set of cgroup trees of this machine.
type Host struct {
	// Unified says that version 2 is in charge. With version 1, a version 2 tree may be mounted beside but holds no
	// controllers.
	Unified bool
	trees   []string
	// idle is the version 2 tree beside version 1, where runtimes make groups nevertheless.
	idle []string
}

// Detect finds the mounted trees.
func Detect() (Host, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return Host{}, fmt.Errorf("find cgroup mounts: %w", err)
	}
	host := hostOf(mounts)
	if len(host.trees) == 0 {
		return Host{}, errors.New("no cgroup file system is mounted")
	}
	return host, nil
}

// hostOf prefers version 1 where both are mounted: then the controllers are there, and container runtimes decide the
// same way.
func hostOf(mounts []*mountinfo.Info) Host {
	var v1, v2 []string
	for _, mount := range mounts {
		if mount.FSType == "cgroup2" {
			v2 = append(v2, mount.Mountpoint)
		} else {
			v1 = append(v1, mount.Mountpoint)
		}
	}
	slices.Sort(v1)
	if len(v1) > 0 {
		return Host{trees: slices.Compact(v1), idle: v2}
	}
	if len(v2) > 0 {
		return Host{Unified: true, trees: v2[:1]}
	}
	return Host{}
}

// Create makes the group in all trees, ready to hold groups and processes.
func (h Host) Create(group string) error {
	for _, tree := range h.trees {
		if err := h.create(tree, group); err != nil {
			return fmt.Errorf("create cgroup: %w", err)
		}
	}
	return nil
}

func (h Host) create(tree, group string) error {
	dir := tree
	for part := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
		parent := dir
		dir = filepath.Join(dir, part)
		if h.Unified {
			enableControllers(parent)
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := fillCpuset(parent, dir); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers hands all controllers of a version 2 group down to its children. A controller that cannot be
// delegated is left out: the kubelet says which one it misses.
func enableControllers(dir string) {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// fillCpuset copies CPUs and memory nodes from the parent, without which a version 1 cpuset group takes no processes.
func fillCpuset(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue
		}
		inherited, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil || strings.TrimSpace(string(inherited)) == "" {
			// Version 2 groups inherit by themselves.
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), inherited, 0); err != nil {
			return err
		}
	}
	return nil
}

// Procs returns the files through which a process joins the group.
func (h Host) Procs(group string) []string {
	var files []string
	for _, tree := range h.trees {
		files = append(files, filepath.Join(tree, group, "cgroup.procs"))
	}
	return files
}

// Processes returns the processes in the group and in all groups below it.
func (h Host) Processes(group string) ([]process.Process, error) {
	seen := map[int]bool{}
	var found []process.Process
	for _, tree := range slices.Concat(h.trees, h.idle) {
		err := eachGroup(filepath.Join(tree, group), func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				return ignoreMissing(err)
			}
			for _, field := range strings.Fields(string(data)) {
				pid, err := strconv.Atoi(field)
				if err != nil || seen[pid] {
					continue
				}
				seen[pid] = true
				if p, err := process.Get(pid); err == nil {
					found = append(found, p)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read cgroup: %w", err)
		}
	}
	return found, nil
}

// Remove deletes the group and all groups below it. Processes that are just ending keep a group busy for a moment.
func (h Host) Remove(ctx context.Context, group string) error {
	for _, tree := range slices.Concat(h.trees, h.idle) {
		err := removeTree(ctx, filepath.Join(tree, group))
		if err != nil {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	return nil
}

func removeTree(ctx context.Context, dir string) error {
	for {
		var groups []string
		err := eachGroup(dir, func(dir string) error {
			groups = append(groups, dir)
			return nil
		})
		if err != nil {
			return err
		}
		slices.Reverse(groups)
		busy := ""
		for _, group := range groups {
			if err := unix.Rmdir(group); err != nil && !errors.Is(err, unix.ENOENT) {
				busy = fmt.Sprintf("%s: %v", group, err)
			}
		}
		if busy == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New(busy)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// eachGroup visits the group and those below it, parents first.
func eachGroup(dir string, visit func(dir string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ignoreMissing(err)
		}
		if !entry.IsDir() {
			return nil
		}
		return visit(path)
	})
}

func ignoreMissing(err error) error {
	// ENODEV is what a group answers that was removed after its file was opened.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
