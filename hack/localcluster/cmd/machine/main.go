// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command machine is the init process of one machine of a local cluster. It turns a machine description (a JSON file,
// its only argument) into mounts and running services, restarts services that exit and reaps orphans. It never talks
// to Kubernetes and never cleans up: when it dies, the kernel ends its PID namespace and with it every process and
// mount of the machine, which is what makes a power loss, and makes `down` complete.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

func init() {
	// Children get a parent-death signal, which is bound to the thread that forked them: all forks must come from the
	// main thread, the only one that lives as long as the process.
	runtime.LockOSThread()
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s MACHINE.json", os.Args[0])
	}
	services, err := boot(os.Args[1])
	if err != nil {
		log.Fatalf("boot: %v", err)
	}
	log.Printf("starting %d services", len(services))
	supervise(services)
}

// boot makes the machine what its description says, up to the start of the services.
func boot(path string) ([]*service, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read description: %w", err)
	}
	var m spec.Machine
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("parse description: %w", err)
	}
	if err := joinCgroups(m.CgroupProcs); err != nil {
		return nil, err
	}
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	// Logs lie outside the machine's view of the file system: open them before the view changes.
	services, err := openLogs(m.Services)
	if err != nil {
		return nil, err
	}
	if m.Isolated {
		if err := isolate(m); err != nil {
			return nil, err
		}
	}
	if m.Interface != "" {
		log.Printf("waiting for an address on %s", m.Interface)
		waitForInterface(m.Interface, 20*time.Millisecond)
	}
	return services, nil
}
