// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	oursCorefile = ".:%d {\n errors\n prometheus 127.0.0.1:0\n dcos {\n kubeconfig %s\n }\n}\n"
	twinCorefile = ".:%d {\n errors\n prometheus 127.0.0.1:0\n kubernetes cluster.local {\n kubeconfig %s\n }\n loadbalance\n}\n"
)

// server is a DNS server that runs.
type server struct {
	command *exec.Cmd
	address string
}

// mix is what both are asked.
type mix struct {
	name       string
	ours, twin func(i int) *dns.Msg
}

func mixes(apps int) []mix {
	ask := func(format string, qtype uint16) func(int) *dns.Msg {
		return func(i int) *dns.Msg {
			return new(dns.Msg).SetQuestion(fmt.Sprintf(format, i%apps), qtype).SetEdns0(1232, false)
		}
	}
	return []mix{
		{"A", ask("app-%d-bench.marathon.mesos.", dns.TypeA), ask("app-%d.bench.svc.cluster.local.", dns.TypeA)},
		{"SRV", ask("_http._app-%d-bench._tcp.marathon.mesos.", dns.TypeSRV), ask("_http._tcp.app-%d.bench.svc.cluster.local.", dns.TypeSRV)},
		{"miss", ask("none-%d.marathon.mesos.", dns.TypeA), ask("none-%d.bench.svc.cluster.local.", dns.TypeA)},
	}
}

// start starts a server and waits until it knows the last App.
func start(w *world, program, corefile string) (*server, error) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.LocalAddr().(*net.UDPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	file := filepath.Join(w.dir, fmt.Sprintf("Corefile.%d", port))
	if err := os.WriteFile(file, fmt.Appendf(nil, corefile, port, w.kubeconfig), 0o600); err != nil {
		return nil, err
	}
	s := &server{command: exec.Command(program, "-conf", file), address: fmt.Sprintf("127.0.0.1:%d", port)} //nolint:gosec // a flag names it
	s.command.Stderr = os.Stderr
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	began := time.Now()
	for _, m := range mixes(w.apps)[:1] {
		question := m.ours(w.apps - 1)
		if strings.Contains(corefile, "cluster.local") {
			question = m.twin(w.apps - 1)
		}
		for time.Since(began) < 2*time.Minute {
			if answer, err := dns.Exchange(question, s.address); err == nil && len(answer.Answer) == 3 {
				fmt.Printf("%s answers after %s\n", filepath.Base(program), time.Since(began).Round(time.Millisecond))
				return s, nil
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not know all Apps after two minutes", program)
}

func (s *server) stop() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// measure asks so many questions, and returns the CPU time of the server for
// one of them in microseconds.
func (s *server) measure(question func(i int) *dns.Msg, queries int) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	const clients = 16
	var asking sync.WaitGroup
	lost := make([]error, clients)
	for c := range clients {
		asking.Go(func() { lost[c] = s.ask(question, queries/clients) })
	}
	asking.Wait()
	after, err := s.cpu()
	if err != nil {
		return 0, err
	}
	return float64((after - before).Microseconds()) / float64(queries), errors.Join(lost...)
}

// ask asks one after the other over one socket.
func (s *server) ask(question func(i int) *dns.Msg, queries int) error {
	connection, err := net.Dial("udp", s.address)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // all was read
	// A set of questions is packed beforehand.
	questions := make([][]byte, 512)
	for i := range questions {
		if questions[i], err = question(rand.IntN(1 << 30)).Pack(); err != nil { //nolint:gosec // any names
			return err
		}
	}
	answer := make([]byte, 4096)
	for i := range queries {
		if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := connection.Write(questions[i%len(questions)]); err != nil {
			return err
		}
		if _, err := connection.Read(answer); err != nil {
			return fmt.Errorf("query %d: %w", i, err)
		}
	}
	return nil
}

// ticks is how long a clock tick of /proc is, on Linux.
const ticks = 10 * time.Millisecond

func (s *server) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * ticks, err
}

func (s *server) rss() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	return float64(kib) / 1024, err
}
