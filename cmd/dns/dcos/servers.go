// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coredns/coredns/plugin/pkg/reuseport"
)

// servers serve the HTTP APIs.
type servers struct {
	d       *DCOS
	mu      sync.Mutex
	running []*http.Server
}

func newServers(d *DCOS) *servers { return &servers{d: d} }

// listen serves at the addresses that were asked for. The server of the next
// configuration may be there already.
func (s *servers) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, handler := range map[string]http.Handler{s.d.options.MesosDNS: s.d.mesosDNS(), s.d.options.Net: s.d.net()} {
		if address == "" {
			continue
		}
		listener, err := reuseport.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		server := &http.Server{Handler: s.d.whenReady(handler), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
		s.running = append(s.running, server)
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Errorf("serve HTTP at %s: %s", address, err)
			}
		}()
	}
	return nil
}

func (s *servers) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, server := range s.running {
		if err := server.Shutdown(ctx); err != nil {
			log.Warningf("stop HTTP: %s", err)
		}
	}
	s.running = nil
	return nil
}

// whenReady keeps back answers that would say that there is nothing.
func (d *DCOS) whenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.ready.Load() {
			http.Error(w, "the cluster was not seen yet", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
