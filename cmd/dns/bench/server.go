// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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

// mix is what both are asked: names with a number in them, of a type.
type mix struct {
	name       string
	qtype      string
	ours, twin string
}

var mixes = []mix{
	{"A", "A", "app-%d-bench.marathon.mesos", "app-%d.bench.svc.cluster.local"},
	{"SRV", "SRV", "_http._app-%d-bench._tcp.marathon.mesos", "_http._tcp.app-%d.bench.svc.cluster.local"},
	{"miss", "A", "none-%d.marathon.mesos", "none-%d.bench.svc.cluster.local"},
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
	name := mixes[0].ours
	if strings.Contains(corefile, "cluster.local") {
		name = mixes[0].twin
	}
	question := new(dns.Msg).SetQuestion(fmt.Sprintf(name, w.apps-1)+".", dns.TypeA)
	for time.Since(began) < 2*time.Minute {
		if answer, err := dns.Exchange(question, s.address); err == nil && len(answer.Answer) == 3 {
			fmt.Printf("%s answers after %s\n", filepath.Base(program), time.Since(began).Round(time.Millisecond))
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not know all Apps after two minutes", program)
}

func (s *server) stop() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// measure has dnsperf ask for so many names, and returns the CPU time of the
// server for one of them in microseconds.
func (s *server) measure(dir, name, qtype string, apps, queries int) (float64, error) {
	var questions strings.Builder
	for range queries {
		fmt.Fprintf(&questions, name+" %s\n", rand.IntN(apps), qtype) //nolint:gosec // any names
	}
	file := filepath.Join(dir, "questions")
	if err := os.WriteFile(file, []byte(questions.String()), 0o600); err != nil {
		return 0, err
	}
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return 0, err
	}
	// One time through the file, by 16 clients, with EDNS.
	out, err := exec.Command("dnsperf", "-s", host, "-p", port, "-d", file, "-n", "1", "-c", "16", "-e").CombinedOutput() //nolint:gosec,noctx // a file of our own; it ends by itself
	if err != nil {
		return 0, fmt.Errorf("dnsperf: %w\n%s", err, out)
	}
	if lost := lostQueries.FindSubmatch(out); lost == nil || string(lost[1]) != "0" {
		return 0, fmt.Errorf("queries were lost:\n%s", out)
	}
	after, err := s.cpu()
	return float64((after - before).Microseconds()) / float64(queries), err
}

// lostQueries finds a line of what dnsperf prints.
var lostQueries = regexp.MustCompile(`Queries lost: +(\d+)`)

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
