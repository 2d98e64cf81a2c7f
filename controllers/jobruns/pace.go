// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const (
	// crowd is how many runs may come at once without one waiting for another.
	crowd = 50
	// apart is what lies between the starts of further ones. At a full minute the
	// runs of all schedules are to be there first, and then what they lead to.
	apart = 2 * time.Millisecond
)

// paced takes runs up that ticks have started, those of a crowd one after the
// other.
type paced struct {
	handler.Funcs
	clock clock.PassiveClock

	mu    sync.Mutex
	queue int
	last  time.Time
}

// Create takes a run up.
func (p *paced) Create(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)}, p.delay())
}

// delay is how long the next run waits: nothing, but in a crowd.
func (p *paced) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	// Those before have left meanwhile.
	p.queue = max(0, p.queue-int(now.Sub(p.last)/apart)) + 1
	p.last = now
	return time.Duration(max(0, p.queue-crowd)) * apart
}

func bySchedule(obj client.Object) bool {
	run, is := obj.(*v1alpha1.JobRun)
	return is && run.Spec.Trigger.Type == v1alpha1.TriggerSchedule
}
