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
	// lull is how long no run comes before a crowd counts as complete, and longest
	// how long one is waited for.
	lull    = 100 * time.Millisecond
	longest = 10 * time.Second
	// apart is what lies between the starts of those of a crowd.
	apart = 5 * time.Millisecond
)

// paced takes runs up that ticks have started. Those of a crowd wait until all are
// there: at a full minute the runs of all schedules are to be made first, and then
// what they lead to, one after the other.
type paced struct {
	handler.Funcs
	clock clock.WithDelayedExecution

	mu sync.Mutex
	// began is when the first came of those that come now, last when the last did.
	began, last time.Time
	// came is how many did, waiting those of them that wait.
	came    int
	waiting []reconcile.Request
}

// Create takes a run up.
func (p *paced) Create(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if now.Sub(p.last) > lull && len(p.waiting) == 0 {
		p.began, p.came = now, 0
	}
	p.came++
	p.last = now
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)}
	if p.came <= crowd {
		queue.Add(request)
		return
	}
	if len(p.waiting) == 0 {
		p.clock.AfterFunc(lull, func() { go p.start(queue) })
	}
	p.waiting = append(p.waiting, request)
}

// start starts those that wait, if there are no others to come.
func (p *paced) start(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if rest := lull - now.Sub(p.last); rest > 0 && now.Sub(p.began) < longest {
		p.clock.AfterFunc(rest, func() { go p.start(queue) })
		return
	}
	for i, request := range p.waiting {
		queue.AddAfter(request, time.Duration(i)*apart)
	}
	p.began, p.came, p.waiting = now, 0, nil
}

func bySchedule(obj client.Object) bool {
	run, is := obj.(*v1alpha1.JobRun)
	return is && run.Spec.Trigger.Type == v1alpha1.TriggerSchedule
}
