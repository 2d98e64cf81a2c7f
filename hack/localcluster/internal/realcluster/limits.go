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

	"golang.org/x/sys/unix"
)

// inotifyOfNode is how many inotify instances a node takes, as counted on one.
const inotifyOfNode = 7

// InotifyShortage tells, in words, that the kernel allows root too few inotify instances to start a cluster of that many
// nodes, or nothing. Kubelets end at once when they get none. The setting belongs to the host and is left alone.
func InotifyShortage(nodes int) string {
	return inotifyShortage(nodes * inotifyOfNode)
}

func inotifyShortage(need int) string {
	const setting = "/proc/sys/fs/inotify/max_user_instances"
	data, err := os.ReadFile(setting)
	if err != nil {
		return ""
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return ""
	}
	used := inotifyInstances()
	if used+need <= limit {
		return ""
	}
	return fmt.Sprintf("%d of %d inotify instances are in use and about %d more are needed: stop another cluster, or raise "+
		"fs.inotify.max_user_instances", used, limit, need)
}

// inotifyInstances counts those of root's processes.
func inotifyInstances() int {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	count := 0
	for _, process := range processes {
		var stat unix.Stat_t
		if unix.Stat(process, &stat) != nil || stat.Uid != 0 {
			continue
		}
		files, err := filepath.Glob(process + "/fd/*")
		if err != nil {
			return 0
		}
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && target == "anon_inode:inotify" {
				count++
			}
		}
	}
	return count
}
