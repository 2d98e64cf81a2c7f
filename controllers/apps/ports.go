// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// servicePorts gives out service ports. What is in use is what the statuses of
// all Apps say; here is only what was given out and does not show there yet, so
// that losing it loses nothing.
type servicePorts struct {
	lock sync.Mutex
	// last is the port that was given out last: the search goes on after it.
	last int32
	// given are the ports given out, grants what each App was given.
	given  map[int32]types.UID
	grants map[types.UID]grant
}

// grant are the service ports of an App, and until when they show in its
// status, if they ever will.
type grant struct {
	ports []int32
	shown time.Time
}

// showWithin is how soon a status shows what was decided.
const showWithin = 10 * time.Minute

// assignServicePorts are the service ports of an App: those it has, and new ones
// for ports that have none.
func (r *Reconciler) assignServicePorts(ctx context.Context, seen *observed) ([]int32, error) {
	s, app := &r.servicePorts, seen.app
	s.lock.Lock()
	defer s.lock.Unlock()
	had := app.Status.ServicePorts
	if g, is := s.grants[app.UID]; is && !slices.Equal(g.ports, had) {
		had = g.ports
	} else {
		s.forget(app.UID)
	}
	var failed error
	ports, err := workload.ServicePorts(&app.Spec, had, r.Settings.ServicePorts, func() (port int32, found bool) {
		if port, found, failed = s.next(ctx, r.Client, r.Settings.ServicePorts, seen.now); found {
			s.give(app.UID, append(slices.Clone(s.grants[app.UID].ports), port), seen.now)
		}
		return port, found
	})
	switch {
	case failed != nil:
		s.forget(app.UID)
		return nil, failed
	case err != nil:
		s.forget(app.UID)
		return nil, &reconciler.NotReady{
			Reason: v1alpha1.ReasonPortsExhausted, Message: err.Error(), Serving: len(seen.pods) > 0, After: reconciler.RefusedRetry,
		}
	case !slices.Equal(ports, app.Status.ServicePorts):
		s.give(app.UID, ports, seen.now)
	}
	return ports, nil
}

func (s *servicePorts) give(app types.UID, ports []int32, now time.Time) {
	if s.given == nil {
		s.given, s.grants = map[int32]types.UID{}, map[types.UID]grant{}
	}
	s.grants[app] = grant{ports: ports, shown: now.Add(showWithin)}
	for _, p := range ports {
		s.given[p] = app
	}
}

func (s *servicePorts) forget(app types.UID) {
	for _, p := range s.grants[app].ports {
		if s.given[p] == app {
			delete(s.given, p)
		}
	}
	delete(s.grants, app)
}

// next is a port that no App has.
func (s *servicePorts) next(ctx context.Context, apps client.Reader, ports workload.PortRange, now time.Time) (port int32, found bool, err error) {
	if s.last == 0 {
		s.last = ports.Last
	}
	for range ports.Size() {
		s.last++
		if s.last > ports.Last || s.last < ports.First {
			s.last = ports.First
		}
		if holder, is := s.given[s.last]; is {
			if now.Before(s.grants[holder].shown) {
				continue
			}
			s.forget(holder)
		}
		var holders v1alpha1.AppList
		if err := apps.List(ctx, &holders, index.WithServicePort(s.last), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
			return 0, false, fmt.Errorf("list Apps by service port: %w", err)
		}
		if len(holders.Items) == 0 {
			return s.last, true, nil
		}
	}
	return 0, false, nil
}
