// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prober makes checks over the network, each again and again: checks
// go in, results come out. It judges nothing, keeps no history and knows
// neither Apps nor Pods. It dials the address of a check and no other: no
// name is resolved, no redirect followed, no proxy asked.
package prober

import (
	"cmp"
	"container/heap"
	"context"
	"net/netip"
	"sync"
	"time"
)

// Protocol is how a check is made.
type Protocol string

// The protocols of checks.
const (
	// HTTP and HTTPS ask for a page. Certificates are not looked at, as health
	// checks of Marathon and of the kubelet do not.
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
	// TCP opens a connection.
	TCP Protocol = "TCP"
)

// Check is what to ask, and when.
type Check struct {
	Protocol Protocol
	// Address is dialed; one that is not valid is a failure.
	Address netip.AddrPort
	// Path of a page, with its query.
	Path string
	// First is when the check is made first, Interval the time from one to the next.
	First    time.Time
	Interval time.Duration
	// Timeout is how long an answer may take.
	Timeout time.Duration
	// Body is how many bytes of an answer's body are kept.
	Body int64
}

// Key names a check: it is one of a task.
type Key struct{ Task, Check string }

// Result is what came of one check.
type Result struct {
	// Time is when the check was done.
	Time time.Time
	// Code is the status of an answer by HTTP, 0 without one.
	Code int
	// Body is the beginning of that answer.
	Body string
	// Cause is why there is no answer, "" if there is one or a connection was made.
	Cause string
}

// atOnce is how many checks are under way at a time: what a hanging task holds
// up is bounded by it, and so is the memory that checks use.
const atOnce = 512

// Prober makes checks.
type Prober struct {
	report  func(Key, Result)
	asker   asker
	slots   chan struct{}
	changed chan struct{}

	lock    sync.Mutex
	entries map[Key]*entry
	queue   queue
}

// New returns a Prober that tells results to report, from many goroutines at
// once; report may set and remove checks.
func New(report func(Key, Result)) *Prober {
	return &Prober{
		report: report, asker: newAsker(), slots: make(chan struct{}, atOnce),
		changed: make(chan struct{}, 1), entries: map[Key]*entry{},
	}
}

// entry is a check and when it is due.
type entry struct {
	key   Key
	check Check
	due   time.Time
	// place is that in the queue, -1 while the check is under way.
	place int
}

// Set makes a check from now on, in place of one of the same key.
func (p *Prober) Set(key Key, check Check) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.remove(key)
	e := &entry{key: key, check: check, due: check.First}
	p.entries[key] = e
	heap.Push(&p.queue, e)
	p.wake()
}

// Remove ends a check. Its result, if one is under way, is dropped.
func (p *Prober) Remove(key Key) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.remove(key)
}

func (p *Prober) remove(key Key) {
	e := p.entries[key]
	if e == nil {
		return
	}
	delete(p.entries, key)
	if e.place >= 0 {
		heap.Remove(&p.queue, e.place)
	}
}

// Len is the number of checks.
func (p *Prober) Len() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.entries)
}

func (p *Prober) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Run makes the checks until the context ends, and waits for those under way.
func (p *Prober) Run(ctx context.Context) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		e, wait := p.next(time.Now())
		if e == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
			case <-p.changed:
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case p.slots <- struct{}{}:
		}
		underWay.Go(func() {
			p.make(ctx, e)
			<-p.slots
		})
	}
}

// next takes the check that is due out of the queue, or says how long none is.
func (p *Prober) next(now time.Time) (*entry, time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.queue) == 0 {
		return nil, time.Hour
	}
	if wait := p.queue[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	e, _ := heap.Pop(&p.queue).(*entry)
	return e, 0
}

// make makes one check, tells the result and puts the check back.
func (p *Prober) make(ctx context.Context, e *entry) {
	result := p.asker.ask(ctx, &e.check)
	if ctx.Err() != nil || !p.current(e) {
		return // that we end is no result, and an old check has none
	}
	p.report(e.key, result)
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.entries[e.key] != e {
		return
	}
	// Late or slow, it does not catch up: one is enough.
	e.due = e.due.Add(e.check.Interval)
	if e.due.Before(result.Time) {
		e.due = result.Time
	}
	heap.Push(&p.queue, e)
	p.wake()
}

func (p *Prober) current(e *entry) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.entries[e.key] == e
}

// queue is a heap of checks, the next due first.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	return cmp.Compare(q[i].due.UnixNano(), q[j].due.UnixNano()) < 0
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push appends a check; part of heap.Interface.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

// Pop takes the last check; part of heap.Interface.
func (q *queue) Pop() any {
	all := *q
	e := all[len(all)-1]
	all[len(all)-1], e.place = nil, -1
	*q = all[:len(all)-1]
	return e
}
