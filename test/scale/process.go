// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tick is how often CPU is read; also the unit of /proc, which counts hundredths.
const (
	tick      = 100 * time.Millisecond
	userHertz = 100
)

// cpuTimes are the milliseconds of CPU that programs have used, by name.
type cpuTimes map[string]int

// total leaves kwok out: it stands in for kubelets, which are no control plane.
func (c cpuTimes) total() int {
	n := 0
	for name, ms := range c {
		if name != "kwok" {
			n += ms
		}
	}
	return n
}

func (c cpuTimes) since(earlier cpuTimes) cpuTimes {
	used := cpuTimes{}
	for name, ms := range c {
		used[name] = ms - earlier[name]
	}
	return used
}

// cpuOf is the CPU that a process has used, user and system, in milliseconds.
func cpuOf(pid int) (int, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	// The name of the program, in parentheses, may hold anything.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0, fmt.Errorf("read CPU time: %d fields", len(fields))
	}
	sum := 0
	for _, field := range []string{fields[utime], fields[stime]} {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		sum += ticks
	}
	return sum * 1000 / userHertz, nil
}

// memoryOf is the resident memory of a process, in bytes.
func memoryOf(pid int) (int, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("read memory: process %d has none", pid)
}

// sampler reads the CPU of processes all the time, so that it can be told for
// moments that are known only later.
type sampler struct {
	mu      sync.Mutex
	pids    map[string]int
	samples []sample
}

type sample struct {
	at  time.Time
	cpu cpuTimes
}

func sampleCPU(ctx context.Context, pids map[string]int) *sampler {
	s := &sampler{pids: maps.Clone(pids)}
	s.take()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(tick):
				s.take()
			}
		}
	}()
	return s
}

// take reads all processes. One that has ended keeps its last figure.
func (s *sampler) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := sample{at: time.Now(), cpu: cpuTimes{}}
	if n := len(s.samples); n > 0 {
		maps.Copy(one.cpu, s.samples[n-1].cpu)
	}
	for name, pid := range s.pids {
		if ms, err := cpuOf(pid); err == nil {
			one.cpu[name] = ms
		}
	}
	s.samples = append(s.samples, one)
}

// after is what was used until shortly after the moment.
func (s *sampler) after(moment time.Time) cpuTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.samples {
		if one.at.After(moment) {
			return one.cpu
		}
	}
	return s.samples[len(s.samples)-1].cpu
}

// now is what was used until now.
func (s *sampler) now() cpuTimes {
	s.take()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.samples[len(s.samples)-1].cpu
}

// loadAverage is that of the last minute.
func loadAverage() (float64, error) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, fmt.Errorf("read load average: %w", err)
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return strconv.ParseFloat(first, 64)
}
