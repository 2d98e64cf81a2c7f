// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// profileSeconds is how long CPU is profiled from the start of a phase.
const profileSeconds = 30

// profile takes CPU profiles of the manager and of the API server from the
// start of a phase; what it returns waits for them and takes one of the heap.
func (r *sideRun) profile(ctx context.Context, p *Phase) (done func()) {
	if r.profiles == "" || !r.ours {
		return func() {}
	}
	fetch := func(c *http.Client, address, name string) {
		ctx, cancel := context.WithTimeout(ctx, 2*profileSeconds*time.Second)
		defer cancel()
		if err := save(ctx, c, address, filepath.Join(r.profiles, p.As+name)); err != nil {
			warn("profile: %v", err)
		}
	}
	api, err := rest.HTTPClientFor(r.cluster.config)
	if err != nil {
		warn("profile: %v", err)
	}
	var wg sync.WaitGroup
	cpu := fmt.Sprintf("/debug/pprof/profile?seconds=%d", profileSeconds)
	wg.Go(func() { fetch(http.DefaultClient, "http://"+r.manager.pprof+cpu, "manager.cpu") })
	wg.Go(func() { fetch(api, r.cluster.config.Host+cpu, "apiserver.cpu") })
	return func() {
		wg.Wait()
		fetch(http.DefaultClient, "http://"+r.manager.pprof+"/debug/pprof/heap?gc=1", "manager.heap")
	}
}

func save(ctx context.Context, c *http.Client, address, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, res.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		return err
	}
	return out.Close()
}
