// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package machine starts, finds and ends machines: each is one init process (cmd/machine) with what lives below it.
// A machine is known by the path of its description, the only argument of its init process, so that it is found again
// whoever started it and whatever records were lost.
package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/kdcos/kdcos/hack/localcluster/internal/process"
	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

// Program is the name of the init program.
const Program = "machine"

// maxLog is the size from which a log is set aside when its machine starts.
const maxLog = 32 << 20

// Machine is one machine of a cluster, running or not.
type Machine struct {
	// Name is unique within the cluster.
	Name string
	// Dir holds the description.
	Dir string
	// Log is the log of the init process itself.
	Log string
}

// Running is a machine whose init process lives.
type Running struct {
	process.Process
}

// Component is one service of a running machine.
type Component struct {
	Name string
	// Process is nil while the service waits to be started or started again.
	Process *process.Process
}

// PID is 0 while the service does not run.
func (c Component) PID() int {
	if c.Process == nil {
		return 0
	}
	return c.Process.PID
}

func (m Machine) description() string { return filepath.Join(m.Dir, "machine.json") }

// Find returns the running machine, if it runs.
func (m Machine) Find() (Running, bool, error) {
	processes, err := process.List()
	if err != nil {
		return Running{}, false, err
	}
	for _, p := range processes {
		if isInit(p) && p.Args[1] == m.description() {
			return Running{p}, true, nil
		}
	}
	return Running{}, false, nil
}

func isInit(p process.Process) bool { return p.Program() == Program && len(p.Args) == 2 }

// FindAll returns all running machines whose descriptions lie below the directory.
func FindAll(dir string) ([]process.Process, error) {
	processes, err := process.List()
	if err != nil {
		return nil, err
	}
	var found []process.Process
	for _, p := range processes {
		if isInit(p) && p.Mentions(dir) {
			found = append(found, p)
		}
	}
	return found, nil
}

// Start boots the machine from the description with the init program at the given path, detached from the caller.
func (m Machine) Start(program string, description spec.Machine) (Running, error) {
	if err := m.write(description); err != nil {
		return Running{}, err
	}
	for _, service := range description.Services {
		setAside(service.Log)
	}
	setAside(m.Log)
	log, err := os.OpenFile(m.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Running{}, fmt.Errorf("open log: %w", err)
	}
	defer log.Close() //nolint:errcheck // nothing was written

	cmd := exec.Command(program, m.description())
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if description.Isolated {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	}
	if err := cmd.Start(); err != nil {
		return Running{}, fmt.Errorf("start machine %s: %w", m.Name, err)
	}
	// Should it end while this program still runs, it must not stay a zombie.
	go func() { _ = cmd.Wait() }()
	p, err := process.Get(cmd.Process.Pid)
	if err != nil {
		return Running{}, fmt.Errorf("machine %s ended at once: see %s", m.Name, m.Log)
	}
	return Running{p}, nil
}

func (m Machine) write(description spec.Machine) error {
	data, err := json.MarshalIndent(description, "", "  ")
	if err != nil {
		return fmt.Errorf("write description: %w", err)
	}
	if err := os.WriteFile(m.description(), data, 0o600); err != nil {
		return fmt.Errorf("write description: %w", err)
	}
	return nil
}

// setAside keeps a log from growing without bound over restarts.
func setAside(log string) {
	if info, err := os.Stat(log); err == nil && info.Size() > maxLog {
		_ = os.Rename(log, log+".old")
	}
}

// Stop ends the machine at once, as a loss of power would. A machine that does not run is no error.
func (m Machine) Stop(ctx context.Context) error {
	running, ok, err := m.Find()
	if err != nil || !ok {
		return err
	}
	return running.Kill(ctx)
}

// NetworkNamespace is the file through which the machine's network namespace is entered.
func (r Running) NetworkNamespace() string { return r.proc("ns/net") }

// Path is where a file of the machine's own file system is seen from outside.
func (r Running) Path(inside string) string { return r.proc("root" + inside) }

func (r Running) proc(rest string) string {
	return filepath.Join("/proc", strconv.Itoa(r.PID), rest)
}

// Components returns the state of the machine's services, in the order of its description. Without a running machine
// none of them runs.
func (m Machine) Components(running Running) ([]Component, error) {
	names, err := m.services()
	if err != nil {
		return nil, err
	}
	processes, err := process.List()
	if err != nil {
		return nil, err
	}
	children := map[string]*process.Process{}
	for _, p := range processes {
		if running.PID != 0 && p.PPID == running.PID {
			children[p.Program()] = &p
		}
	}
	var components []Component
	for _, name := range names {
		components = append(components, Component{Name: name, Process: children[name]})
	}
	return components, nil
}

func (m Machine) services() ([]string, error) {
	data, err := os.ReadFile(m.description())
	if err != nil {
		return nil, fmt.Errorf("read description: %w", err)
	}
	var description spec.Machine
	if err := json.Unmarshal(data, &description); err != nil {
		return nil, fmt.Errorf("read description: %w", err)
	}
	var names []string
	for _, service := range description.Services {
		names = append(names, filepath.Base(service.Args[0]))
	}
	return names, nil
}
