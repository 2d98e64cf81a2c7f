// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
)

// watch ends a context when a machine ends: nobody shall wait minutes for what cannot come.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	machines map[string]watched
}

type watched struct {
	machine machine.Machine
	running machine.Running
}

func newWatch(parent context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watch{ctx: ctx, cancel: cancel, machines: map[string]watched{}}
	go w.run()
	return ctx, w
}

func (w *watch) stop() { w.cancel(context.Canceled) }

func (w *watch) add(m machine.Machine, running machine.Running) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines[m.Name] = watched{machine: m, running: running}
}

func (w *watch) run() {
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-time.After(250 * time.Millisecond):
		}
		w.mu.Lock()
		for name, watched := range w.machines {
			if !watched.running.Alive() {
				w.cancel(fmt.Errorf("machine %s ended; see %s", name, watched.machine.Log))
			}
		}
		w.mu.Unlock()
	}
}

// explain returns why things failed: that a machine ended, if one did.
func (w *watch) explain(err error) error {
	if err == nil {
		return nil
	}
	return causeOf(w.ctx, err)
}
