// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

const (
	firstRestartDelay = time.Second
	lastRestartDelay  = 8 * time.Second
	// steadyAfter is how long a service must have run for its restart delay to start anew.
	steadyAfter = 20 * time.Second
	waitPause   = 50 * time.Millisecond
)

// capDACOverride is CAP_DAC_OVERRIDE, which package syscall does not name.
const capDACOverride = 1

// service is one supervised program.
type service struct {
	spec.Service
	log     *os.File
	pid     int
	started time.Time
	delay   time.Duration
}

func openLogs(specs []spec.Service) ([]*service, error) {
	var services []*service
	for _, s := range specs {
		file, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
		services = append(services, &service{Service: s, log: file, delay: firstRestartDelay})
	}
	return services, nil
}

// supervise starts the services, reaps every child and restarts services that exit. It never returns.
func supervise(services []*service) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	due := make(chan *service)
	byPID := map[int]*service{}
	for _, s := range services {
		go whenDue(s, 0, due)
	}
	for {
		select {
		case s := <-due:
			pid, err := s.start()
			if err != nil {
				log.Printf("%s: %v", s.Name, err)
				go whenDue(s, s.nextDelay(), due)
				continue
			}
			s.pid, s.started = pid, time.Now()
			byPID[pid] = s
			log.Printf("%s: started, pid %d", s.Name, pid)
		case <-children:
			reap(byPID, due)
		}
	}
}

func reap(byPID map[int]*service, due chan<- *service) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		s, ok := byPID[pid]
		if !ok {
			continue
		}
		delete(byPID, pid)
		delay := s.nextDelay()
		log.Printf("%s: exited (code %d, signal %d), restart in %s", s.Name, status.ExitStatus(), status.Signal(), delay)
		go whenDue(s, delay, due)
	}
}

// whenDue hands the service over to the main thread once its delay is over and what it waits for is there.
func whenDue(s *service, delay time.Duration, due chan<- *service) {
	time.Sleep(delay)
	for !isThere(s.WaitFor) {
		time.Sleep(waitPause)
	}
	due <- s
}

var client = &http.Client{
	Timeout: 2 * time.Second,
	Transport: &http.Transport{
		// Nothing is said and nothing is believed: this only asks whether somebody is there.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,
	},
}

func isThere(what string) bool {
	if what == "" {
		return true
	}
	if strings.HasPrefix(what, "https://") {
		response, err := client.Get(what)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	conn, err := net.DialTimeout("tcp", what, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (s *service) nextDelay() time.Duration {
	if time.Since(s.started) > steadyAfter {
		s.delay = firstRestartDelay
	}
	delay := s.delay
	s.delay = min(2*s.delay, lastRestartDelay)
	return delay
}

// start runs the program. It is not os/exec, which would want to wait for the child itself.
func (s *service) start() (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close() //nolint:errcheck // read only
	attributes := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if s.User != 0 {
		attributes.Credential = &syscall.Credential{Uid: s.User, Gid: s.User}
		attributes.AmbientCaps = []uintptr{capDACOverride}
	}
	return syscall.ForkExec(s.Args[0], s.Args, &syscall.ProcAttr{
		Env:   s.Env,
		Dir:   "/",
		Files: []uintptr{null.Fd(), s.log.Fd(), s.log.Fd()},
		Sys:   attributes,
	})
}
