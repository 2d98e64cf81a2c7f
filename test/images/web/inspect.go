// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// inspection is what a task sees of the place it runs in.
type inspection struct {
	Args     []string          `json:"args"`
	Env      map[string]string `json:"env"`
	Hostname string            `json:"hostname"`
	UID      int               `json:"uid"`
	GID      int               `json:"gid"`
	PID      int               `json:"pid"`
	Dir      string            `json:"dir"`
	// Stdin is what standard input leads to: a terminal has a name of its own.
	Stdin string `json:"stdin"`
	// Shm is the size of /dev/shm in bytes.
	Shm uint64 `json:"shm"`
	// Namespaces are those of the kernel, by kind.
	Namespaces map[string]string `json:"namespaces"`
	// Files are the contents of those that say more, by path.
	Files map[string]string `json:"files"`
	// Requests are those that came in so far, by path.
	Requests map[string]visits `json:"requests"`
}

// files are read as far as there are any.
var files = []string{
	"/etc/hosts", "/etc/resolv.conf",
	"/proc/self/limits", "/proc/self/mounts", "/proc/self/status",
	// Limits of version 1 and of version 2 of control groups.
	"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.shares",
	"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu.weight", "/sys/fs/cgroup/memory.max",
}

func (a *app) inspect() inspection {
	i := inspection{
		Args: os.Args, Env: environment(), Hostname: a.info().Host,
		UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid(),
		Namespaces: map[string]string{}, Files: map[string]string{}, Requests: a.requests.all(),
	}
	// What can't be seen is left out.
	i.Dir, _ = os.Getwd()
	i.Stdin, _ = os.Readlink("/proc/self/fd/0")
	var shm syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &shm) == nil {
		i.Shm = shm.Blocks * uint64(shm.Bsize) //nolint:gosec // sizes of blocks are not negative
	}
	kinds, _ := filepath.Glob("/proc/self/ns/*")
	for _, kind := range kinds {
		i.Namespaces[filepath.Base(kind)], _ = os.Readlink(kind)
	}
	for _, name := range files {
		if content, err := os.ReadFile(name); err == nil {
			i.Files[name] = string(content)
		}
	}
	return i
}

// visits are the requests for one path.
type visits struct {
	Count int `json:"count"`
	// First and Last are seconds since the start.
	First float64 `json:"first"`
	Last  float64 `json:"last"`
}

// requests counts those that come in.
type requests struct {
	started time.Time
	lock    sync.Mutex
	seen    map[string]*visits
}

// count is next, counted.
func (r *requests) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.add(request.URL.Path)
		next.ServeHTTP(w, request)
	})
}

func (r *requests) add(path string) {
	at := time.Since(r.started).Seconds()
	r.lock.Lock()
	defer r.lock.Unlock()
	v := r.seen[path]
	if v == nil && len(r.seen) >= 100 {
		return // whoever asks for anything shall not fill the memory
	}
	if v == nil {
		v = &visits{First: at}
		r.seen[path] = v
	}
	v.Count++
	v.Last = at
}

func (r *requests) all() map[string]visits {
	r.lock.Lock()
	defer r.lock.Unlock()
	all := map[string]visits{}
	for path, v := range r.seen {
		all[path] = *v
	}
	return all
}

// counts are how many there were, by path.
func (r *requests) counts() map[string]int {
	all := map[string]int{}
	for path, v := range r.all() {
		all[path] = v.Count
	}
	return all
}
