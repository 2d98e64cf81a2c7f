// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// creditTime is for how long the share of a pod that went is kept for the next one.
const creditTime = 30 * time.Second

// sentBackTime is for how long it is remembered that a pod was sent back.
const sentBackTime = time.Hour

// book is what is remembered of a namespace between passes. All of it can be lost:
// pods say who is let in, and a manager that starts anew has an empty one.
type book struct {
	// mu is held during a pass: nobody else lets pods of the namespace in.
	mu sync.Mutex
	// let are the pods that we let in and that the cache shows as waiting, and
	// whether we know that we did.
	let map[types.UID]bool
	// charged are the pods that used something when we looked last.
	charged map[types.UID]share
	credits []credit
	// sentBack is when pods of an owner were sent back into the line, removed are
	// those pods.
	sentBack map[types.UID]time.Time
	removed  map[types.UID]bool
	// known are pods as they were read, by their versions, under weights.
	known   map[types.UID]reading
	weights weights
	// told are the figures that were seen last.
	told map[string]figuresSeen
}

type share struct {
	member
	amounts amounts
}

type reading struct {
	version string
	pod     pod
}

func newBook() *book {
	return &book{
		let: map[types.UID]bool{}, charged: map[types.UID]share{}, known: map[types.UID]reading{},
		sentBack: map[types.UID]time.Time{}, removed: map[types.UID]bool{}, told: map[string]figuresSeen{},
	}
}

// reconcile brings what is remembered and the pods that are seen together.
func (b *book) reconcile(pods []*pod, now time.Time) {
	seen := make(map[types.UID]*pod, len(pods))
	waits := map[types.UID]bool{}
	for _, p := range pods {
		seen[p.uid] = p
		sure, let := b.let[p.uid]
		switch {
		case let && p.gated:
			p.paid, p.unsure = true, !sure
		case let:
			delete(b.let, p.uid)
		case p.gated:
			waits[p.owner] = true
		}
		if b.removed[p.uid] {
			p.terminating = true
		}
	}
	gone := func(uid types.UID) bool { return seen[uid] == nil }
	maps.DeleteFunc(b.let, func(uid types.UID, _ bool) bool { return gone(uid) })
	maps.DeleteFunc(b.known, func(uid types.UID, _ reading) bool { return gone(uid) })
	b.credit(seen, now)
	maps.DeleteFunc(b.removed, func(uid types.UID, _ bool) bool { return gone(uid) })
	maps.DeleteFunc(b.sentBack, func(owner types.UID, at time.Time) bool {
		return now.Sub(at) > sentBackTime && !waits[owner]
	})
}

// admit notes that a pod was let in, or may have been.
func (b *book) admit(p *pod, sure bool) {
	b.let[p.uid] = sure
	b.charged[p.uid] = share{p.member, p.need}
}

// credit notes the shares of pods that use nothing any more, but of those that
// have done their work, and of those that held theirs for nothing.
func (b *book) credit(seen map[types.UID]*pod, now time.Time) {
	for uid, s := range b.charged {
		p := seen[uid]
		if p != nil && p.charged() {
			continue
		}
		if s.owner == "" || b.removed[uid] || p != nil && p.succeeded {
			continue
		}
		b.credits = append(b.credits, credit{member: s.member, amounts: s.amounts, until: now.Add(creditTime)})
	}
	clear(b.charged)
	for uid, p := range seen {
		if p.charged() {
			b.charged[uid] = share{p.member, p.need}
		}
	}
}
