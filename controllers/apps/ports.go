// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// servicePorts gives out service ports. What is in use is what the statuses of
// all Apps say; here is only what was given out and may not show there yet, so
// that losing it loses nothing.
type servicePorts struct {
	lock sync.Mutex
	// last is the port that was given out last: the search goes on after it.
	last int32
	// given are ports given out, and when.
	given map[int32]time.Time
}

// shownAfter is how long after it was given out a port surely shows in its
// App's status in the cache, if it ever will.
const shownAfter = 10 * time.Minute

// assignServicePorts are the service ports of an App: those it has, and new ones
// for ports that have none.
func (r *Reconciler) assignServicePorts(ctx context.Context, seen *observed) ([]int32, error) {
	var failed error
	ports, err := workload.ServicePorts(&seen.app.Spec, seen.app.Status.ServicePorts, r.Settings.ServicePorts, func() (int32, bool) {
		port, found, err := r.servicePorts.next(ctx, r.Client, r.Settings.ServicePorts, seen.now)
		failed = err
		return port, found
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, &reconciler.NotReady{
			Reason: v1alpha1.ReasonPortsExhausted, Message: err.Error(), Serving: len(seen.pods) > 0, After: refusedRetry,
		}
	}
	return ports, nil
}

// next is a port that no App has.
func (s *servicePorts) next(ctx context.Context, apps client.Reader, ports workload.PortRange, now time.Time) (port int32, found bool, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.given == nil {
		s.given, s.last = map[int32]time.Time{}, ports.Last
	}
	for range ports.Size() {
		s.last++
		if s.last > ports.Last || s.last < ports.First {
			s.last = ports.First
		}
		if at, is := s.given[s.last]; is && now.Sub(at) < shownAfter {
			continue
		}
		delete(s.given, s.last)
		var holders v1alpha1.AppList
		if err := apps.List(ctx, &holders, index.WithServicePort(s.last), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
			return 0, false, fmt.Errorf("list Apps by service port: %w", err)
		}
		if len(holders.Items) == 0 {
			s.given[s.last] = now
			return s.last, true, nil
		}
	}
	return 0, false, nil
}
