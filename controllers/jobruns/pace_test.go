// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"context"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestPace lets few runs through as they come; of the many of a full minute, those
// beyond wait until all are there, and then come one after the other.
func TestPace(t *testing.T) {
	clock := testingclock.NewFakeClock(noon)
	p, queue := &paced{clock: clock}, &delays{}
	come := func() { p.Create(context.Background(), event.CreateEvent{Object: &v1alpha1.JobRun{}}, queue) }
	for range 1000 {
		come()
		clock.Step(3 * time.Millisecond)
	}
	if got := queue.take(); len(got) != crowd {
		t.Fatalf("%d runs are let through while others come, want %d", len(got), crowd)
	}
	clock.Step(lull)
	got := queue.wait(t, 1000-crowd)
	for i, delay := range got {
		if want := time.Duration(i) * apart; delay != want {
			t.Fatalf("run %d of those that waited waits %s more, want %s", i, delay, want)
		}
	}
	clock.Step(time.Minute)
	come()
	if got := queue.take(); len(got) != 1 || got[0] != 0 {
		t.Errorf("a minute later a run waits: %v", got)
	}
}

// TestPaceEnds: that runs never stop to come holds nothing up for ever.
func TestPaceEnds(t *testing.T) {
	clock := testingclock.NewFakeClock(noon)
	p, queue := &paced{clock: clock}, &delays{}
	for clock.Since(noon) < longest+time.Second {
		p.Create(context.Background(), event.CreateEvent{Object: &v1alpha1.JobRun{}}, queue)
		clock.Step(lull / 2)
	}
	queue.wait(t, int(longest/(lull/2)))
}

// delays is a queue that remembers for how long it was told to wait.
type delays struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	mu  sync.Mutex
	all []time.Duration
}

func (d *delays) Add(r reconcile.Request) { d.AddAfter(r, 0) }

func (d *delays) AddAfter(_ reconcile.Request, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, after)
}

func (d *delays) take() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}

// wait returns what there is as soon as it is that many or more: timers run by
// themselves.
func (d *delays) wait(t *testing.T, n int) []time.Duration {
	t.Helper()
	var all []time.Duration
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if all = append(all, d.take()...); len(all) >= n {
			return all
		}
	}
	t.Fatalf("%d runs came through, want %d", len(all), n)
	return nil
}
