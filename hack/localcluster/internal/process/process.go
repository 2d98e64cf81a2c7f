// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package process finds processes by what they are (command line, cgroup) and ends them without ever hitting a
// stranger: a process is known by its number and its start time, and a signal goes through a pidfd that was opened
// before the start time was compared.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is one process as it was seen at one moment.
type Process struct {
	PID  int
	PPID int
	// StartTime is in clock ticks since boot; with the PID it identifies the process.
	StartTime uint64
	// Args is the command line; empty for kernel threads and zombies.
	Args []string
}

const procfs = "/proc"

// List returns all processes that can be read now, zombies left out.
func List() ([]Process, error) { return list(procfs) }

func list(root string) ([]Process, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process that ends while it is looked at is no error.
		if p, err := read(root, pid); err == nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// Get returns the living process of that number.
func Get(pid int) (Process, error) { return read(procfs, pid) }

func read(root string, pid int) (Process, error) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, err
	}
	p, err := parseStat(string(stat))
	if err != nil {
		return Process{}, err
	}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return Process{}, err
	}
	if text := strings.TrimSuffix(string(cmdline), "\x00"); text != "" {
		p.Args = strings.Split(text, "\x00")
	}
	return p, nil
}

var errZombie = errors.New("process has ended")

// parseStat reads /proc/PID/stat. The second field, the name, may hold blanks and parentheses.
func parseStat(stat string) (Process, error) {
	open, closing := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || closing < open {
		return Process{}, fmt.Errorf("parse stat %q", stat)
	}
	fields := strings.Fields(stat[closing+1:])
	const state, ppid, startTime = 0, 1, 19
	if len(fields) <= startTime {
		return Process{}, fmt.Errorf("parse stat %q", stat)
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return Process{}, errZombie
	}
	var p Process
	var err error
	if p.PID, err = strconv.Atoi(strings.TrimSpace(stat[:open])); err != nil {
		return Process{}, fmt.Errorf("parse stat: %w", err)
	}
	if p.PPID, err = strconv.Atoi(fields[ppid]); err != nil {
		return Process{}, fmt.Errorf("parse stat: %w", err)
	}
	if p.StartTime, err = strconv.ParseUint(fields[startTime], 10, 64); err != nil {
		return Process{}, fmt.Errorf("parse stat: %w", err)
	}
	return p, nil
}

// Program is the base name of the program the process runs, by its command line.
func (p Process) Program() string {
	if len(p.Args) == 0 {
		return ""
	}
	return filepath.Base(p.Args[0])
}

// Started is when the process started.
func (p Process) Started() (time.Time, error) {
	data, err := os.ReadFile(filepath.Join(procfs, "uptime"))
	if err != nil {
		return time.Time{}, fmt.Errorf("read uptime: %w", err)
	}
	up, _, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(up, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read uptime: %w", err)
	}
	// The kernel counts in hundredths of a second, whatever its own clock does.
	const ticks = 100
	ago := seconds - float64(p.StartTime)/ticks
	return time.Now().Add(-time.Duration(ago * float64(time.Second))), nil
}

// Mentions reports whether an argument of the process names the directory or something in it.
func (p Process) Mentions(dir string) bool {
	for _, arg := range p.Args {
		for rest := arg; ; {
			at := strings.Index(rest, dir)
			if at < 0 {
				break
			}
			rest = rest[at+len(dir):]
			if rest == "" || rest[0] == '/' || rest[0] == ',' {
				return true
			}
		}
	}
	return false
}

// Alive reports whether this very process still runs.
func (p Process) Alive() bool {
	now, err := Get(p.PID)
	return err == nil && now.StartTime == p.StartTime
}

// Kill ends the process and waits until it is gone. If it is the first process of a PID namespace, all processes of
// that namespace are gone as well. A process that has ended already is no error.
func (p Process) Kill(ctx context.Context) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if !p.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return waitGone(ctx, fd, p.PID)
}

func waitGone(ctx context.Context, fd, pid int) error {
	const slice = 100 * time.Millisecond
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
		n, err := unix.Poll(poll, int(slice.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if n > 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("process %d does not end: %w", pid, err)
		}
	}
}

// KillAll ends the processes side by side, so that none is left alive to restart another for long.
func KillAll(ctx context.Context, processes []Process) error {
	errs := make(chan error, len(processes))
	for _, p := range processes {
		go func() { errs <- p.Kill(ctx) }()
	}
	var all []error
	for range processes {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}
