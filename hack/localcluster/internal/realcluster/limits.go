// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// How many inotify instances the machines of a cluster take, as counted on one.
const (
	inotifyOfControlPlane = 11
	inotifyOfNode         = 8
)

// inotifyShortage tells, in words, that the kernel allows root too few inotify instances to start that many nodes, or
// nothing. Kubelets end at once when they get none. The setting belongs to the host and is left alone.
func inotifyShortage(nodes int) string {
	const setting = "/proc/sys/fs/inotify/max_user_instances"
	data, err := os.ReadFile(setting)
	if err != nil {
		return ""
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return ""
	}
	used, need := inotifyInstances(), inotifyOfControlPlane+nodes*inotifyOfNode
	if used+need <= limit {
		return ""
	}
	return fmt.Sprintf("%d of %d inotify instances of root are in use and a cluster of this size takes about %d: stop another "+
		"cluster, or raise fs.inotify.max_user_instances", used, limit, need)
}

// inotifyInstances counts those of all processes that can be looked at.
func inotifyInstances() int {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0
	}
	count := 0
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && target == "anon_inode:inotify" {
			count++
		}
	}
	return count
}
