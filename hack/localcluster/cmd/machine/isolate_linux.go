// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

// oPath is O_PATH, which package syscall does not name.
const oPath = 0x200000

func joinCgroups(procs []string) error {
	for _, file := range procs {
		// "0" means the writer, whatever its number in this PID namespace is.
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return nil
}

// raiseFileLimit lifts the soft limit of open files to the hard one, for the services and for containers.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("set limit of open files: %w", err)
	}
	return nil
}

func isolate(m spec.Machine) error {
	if err := syscall.Sethostname([]byte(m.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	// Nothing mounted from here on may reach the rest of the system.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	sources, err := openSources(m.Mounts)
	if err != nil {
		return err
	}
	defer func() {
		for _, file := range sources {
			_ = syscall.Close(file)
		}
	}()
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for i, mount := range m.Mounts {
		if err := makeMount(mount, sources[i]); err != nil {
			return fmt.Errorf("mount %s: %w", mount.Target, err)
		}
	}
	// Mounts are shared inside the machine, as on an ordinary host: pods may ask for mount propagation.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	for name, value := range m.Sysctls {
		file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

func openSources(mounts []spec.Mount) (map[int]int, error) {
	sources := map[int]int{}
	for i, mount := range mounts {
		if mount.Type != "bind" {
			continue
		}
		file, err := syscall.Open(mount.Source, oPath|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", mount.Source, err)
		}
		sources[i] = file
	}
	return sources, nil
}

func makeMount(mount spec.Mount, source int) error {
	if mount.Type != "bind" {
		if err := os.MkdirAll(mount.Target, 0o755); err != nil {
			return err
		}
		return syscall.Mount(mount.Type, mount.Target, mount.Type, syscall.MS_NOSUID|syscall.MS_NODEV, mount.Data)
	}
	if _, err := os.Stat(mount.Target); os.IsNotExist(err) {
		if err := os.MkdirAll(mount.Target, 0o755); err != nil {
			return err
		}
	}
	return syscall.Mount(fmt.Sprintf("/proc/self/fd/%d", source), mount.Target, "", syscall.MS_BIND|syscall.MS_REC, "")
}

// waitForInterface returns when the interface is up and has an IPv4 address. It waits for ever: whoever starts the
// machine also wires it, and does so again when it was interrupted.
func waitForInterface(name string, pause time.Duration) {
	for !interfaceReady(name) {
		time.Sleep(pause)
	}
}

func interfaceReady(name string) bool {
	link, err := net.InterfaceByName(name)
	if err != nil || link.Flags&net.FlagUp == 0 {
		return false
	}
	addresses, err := link.Addrs()
	if err != nil {
		return false
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.IP.To4() != nil {
			return true
		}
	}
	return false
}
