// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"github.com/vishvananda/netlink"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cgroup"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/process"
)

// traces describes what a cluster could leave on the host: links, routes, named network namespaces, mounts, processes,
// cgroups and changed system controls. Other clusters, which may run beside, are left out.
func (b *bench) traces() string {
	b.Helper()
	state, err := cluster.NewState(b.state)
	if err != nil {
		b.Fatal(err)
	}
	var lines []string
	add := func(kind string, items []string, err error) {
		b.Helper()
		if err != nil {
			b.Fatalf("look for %s: %v", kind, err)
		}
		slices.Sort(items)
		for _, item := range items {
			lines = append(lines, kind+" "+item)
		}
	}
	names, items, err := links(state.Identity())
	add("link", items, err)
	items, err = routes(names)
	add("route", items, err)
	items, err = namespaces()
	add("namespace", items, err)
	items, err = mounts()
	add("mount", items, err)
	items, err = processes(state)
	add("process", items, err)
	items, err = systemControls()
	add("control", items, err)
	items, err = filepath.Glob("/sys/fs/cgroup/*" + state.Identity() + "*")
	add("cgroup", items, err)
	items, err = filepath.Glob("/sys/fs/cgroup/*/*" + state.Identity() + "*")
	add("cgroup", items, err)
	return strings.Join(lines, "\n")
}

func links(identity string) (names map[int]string, items []string, err error) {
	list, err := netlink.LinkList()
	if err != nil {
		return nil, nil, err
	}
	names = map[int]string{}
	for _, link := range list {
		name := link.Attrs().Name
		if strings.HasPrefix(name, "kdcos-") && !strings.HasSuffix(name, identity) {
			continue
		}
		names[link.Attrs().Index] = name
		items = append(items, fmt.Sprintf("%s %s", name, link.Attrs().Flags))
	}
	return names, items, nil
}

func routes(names map[int]string) ([]string, error) {
	list, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, err
	}
	var items []string
	for _, route := range list {
		if name, ok := names[route.LinkIndex]; ok {
			items = append(items, fmt.Sprintf("%s %s", name, route))
		}
	}
	return items, nil
}

func namespaces() ([]string, error) {
	entries, err := os.ReadDir("/run/netns")
	var items []string
	for _, entry := range entries {
		items = append(items, entry.Name())
	}
	if os.IsNotExist(err) {
		return nil, nil
	}
	return items, err
}

func mounts() ([]string, error) {
	list, err := mountinfo.GetMounts(nil)
	var items []string
	for _, mount := range list {
		items = append(items, mount.Mountpoint+" "+mount.FSType)
	}
	return items, err
}

// processes are those of the cluster's cgroups, and all that name its files.
func processes(state cluster.State) ([]string, error) {
	host, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	members, err := host.Processes("/kdcos-" + state.Identity())
	if err != nil {
		return nil, err
	}
	all, err := process.List()
	if err != nil {
		return nil, err
	}
	var items []string
	for _, p := range slices.Concat(members, slices.DeleteFunc(all, func(p process.Process) bool { return !p.Mentions(state.Cluster()) })) {
		items = append(items, strings.Join(p.Args, " "))
	}
	return items, nil
}

// systemControls are those that Kubernetes likes to change.
func systemControls() ([]string, error) {
	var items []string
	for _, pattern := range []string{
		"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/*", "/proc/sys/net/bridge/*",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic*",
		"/proc/sys/kernel/keys/*", "/proc/sys/net/netfilter/nf_conntrack_max",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			value, err := fs.ReadFile(os.DirFS("/"), strings.TrimPrefix(file, "/"))
			if err != nil {
				continue
			}
			items = append(items, file+" = "+strings.TrimSpace(string(value)))
		}
	}
	return items, nil
}
