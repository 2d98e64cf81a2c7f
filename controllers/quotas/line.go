// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"slices"
	"strings"
	"time"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// line is a quota with who uses it and who waits for it.
type line struct {
	quota *quota
	// consumed is what was used when we looked; used is that with what is let in.
	consumed, used amounts
	// kept is for those whose pods went, held for the first in line.
	kept, held amounts
	// head is the first pod that does not fit here.
	head *pod
	// closed says that nobody may pass the head.
	closed   bool
	pods     int
	waiting  []*waiter
	bypassed []*pod
	// wanted is what all who wait need.
	wanted amounts
}

// waiter is a pod in line.
type waiter struct {
	pod *pod
	// position is 0 of a pod that no position helps.
	position int
	reason   string
	// blockedBy is the quota in which the pod does not fit, for the resource.
	blockedBy, resource string
}

// propagation is for how long an API server may not know of a change of a quota.
const propagation = 5 * time.Second

// bypassedBy says whether a pod ought to have waited, and did not. What was there
// before the quota could not; runs of Jobs have no way round the gate, and may
// have started while they did not count.
func (l *line) bypassedBy(p *pod) bool {
	return !p.gated && !p.released && !p.exempt && !p.isJob && p.created.After(l.quota.created.Add(propagation))
}

func (l *line) add(w *waiter) {
	one := *w
	l.waiting = append(l.waiting, &one)
	l.wanted = l.wanted.plus(w.pod.need)
}

// keptFromOthers is what is kept for anybody but the owner of a credit.
func (l *line) keptFromOthers(own *kept) amounts {
	if own == nil || !slices.Contains(own.lines, l) {
		return l.kept
	}
	return l.kept.minus(own.amounts)
}

// serve goes along the line and lets in what fits.
func (p *planner) serve(waiting []*pod) {
	credits := map[*pod]*kept{}
	for _, k := range p.kept {
		if k.pod != nil && !k.used {
			credits[k.pod] = k
		}
	}
	for _, pod := range waiting {
		lines := p.above(&pod.member)
		first, w := blocked(pod, lines, credits[pod])
		if w == nil {
			if own := credits[pod]; own != nil {
				p.use(own)
			}
			p.letIn(pod)
			continue
		}
		for _, l := range lines {
			l.add(w)
		}
		p.holdUp(pod, lines[first:])
	}
}

// blocked says what keeps a pod out, nil for nothing, and the first of its lines
// that does: that of the largest group.
func blocked(pod *pod, lines []*line, own *kept) (first int, w *waiter) {
	first = -1
	for i, l := range lines {
		w2 := &waiter{pod: pod, reason: v1alpha1.QuotaWaits}
		if r, lacks := l.quota.limits.lacks(l.used, pod.need); lacks {
			w2.blockedBy, w2.resource = l.quota.name, resourceNames[r]
		} else if r, lacks := l.quota.limits.lacks(l.used.plus(l.keptFromOthers(own)).plus(l.held), pod.need); lacks {
			w2.reason, w2.blockedBy, w2.resource = v1alpha1.QuotaHeldBack, l.quota.name, resourceNames[r]
		} else if !l.closed {
			continue
		}
		if first < 0 {
			first = i
		}
		// What there is too little of says more than that it is not one's turn.
		if w == nil || weight(w2) > weight(w) {
			w = w2
		}
	}
	return first, w
}

func weight(w *waiter) int {
	switch {
	case w.blockedBy == "":
		return 0
	case w.reason == v1alpha1.QuotaHeldBack:
		return 1
	}
	return 2
}

// holdUp has a pod that must wait hold up those behind it, if it is the first that
// does: in the line where it does not fit, and in those of the groups within,
// whose pods stand in that line, too. Held there, the share it has come by is not
// taken while it waits for the other one.
func (p *planner) holdUp(pod *pod, lines []*line) {
	for _, l := range lines {
		if l.head != nil {
			continue
		}
		l.head = pod
		if l.quota.strict {
			l.closed = true
			continue
		}
		if ripe := p.place(pod).Add(l.quota.headTimeout); ripe.After(p.now) {
			p.lookAgain(ripe)
		} else {
			l.held = l.held.plus(pod.need)
		}
	}
}

// sendBackUnplaced finds pods of Apps that hold a share while no node takes them
// and others wait.
func (p *planner) sendBackUnplaced() {
	for _, pod := range p.pods {
		if !pod.charged() || pod.paid || !pod.isApp || !pod.released || pod.unplaced.IsZero() || pod.terminating {
			continue
		}
		for _, l := range p.above(&pod.member) {
			if !l.keepsOut(pod) {
				continue
			}
			if due := pod.unplaced.Add(l.quota.releaseTimeout); due.After(p.now) {
				p.lookAgain(due)
			} else {
				p.sendBack = append(p.sendBack, pod)
				break
			}
		}
	}
}

// keepsOut says whether somebody else waits here who could use the share.
func (l *line) keepsOut(holder *pod) bool {
	return slices.ContainsFunc(l.waiting, func(w *waiter) bool {
		return w.blockedBy == l.quota.name && w.reason != v1alpha1.QuotaUnsatisfiable && w.pod.owner != holder.owner
	})
}

// finish puts who waits into order: who was let in first of all, then the line,
// then those whom it does not help.
func (l *line) finish() {
	never := func(w *waiter) bool { return w.reason == v1alpha1.QuotaUnsatisfiable }
	slices.SortStableFunc(l.waiting, func(a, b *waiter) int {
		switch {
		case never(a) == never(b):
			return 0
		case never(a):
			return 1
		}
		return -1
	})
	for i, w := range l.waiting {
		if !never(w) {
			w.position = i + 1
		}
	}
	slices.SortFunc(l.bypassed, func(a, b *pod) int {
		if c := a.created.Compare(b.created); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
}
