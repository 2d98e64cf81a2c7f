// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// state is what was seen of a namespace.
type state struct {
	// quotas that hold. Those that are being deleted hold no more.
	quotas  []*quota
	pods    []*pod
	volumes []volume
	credits []credit
	// wants is how many pods more an App wants than it has.
	wants map[types.UID]int
	// sentBack is when pods of an owner were last sent back into the line.
	sentBack map[types.UID]time.Time
	now      time.Time
}

// quota is a share of a group.
type quota struct {
	name string
	// prefix of the names of the objects that are in the group; all are if it is empty.
	prefix                      string
	limits                      limits
	strict, countJobs           bool
	headTimeout, releaseTimeout time.Duration
	created                     time.Time
}

// member is who may belong to a group.
type member struct {
	// owner is the controller that the pod is of.
	owner types.UID
	// object is the name of the App or Job that it is of; empty of what others made.
	object string
	// isApp and isJob say what it is of.
	isApp, isJob bool
}

// covers says whether something is in the group, and counts.
func (q *quota) covers(m *member) bool {
	in := q.prefix == "" || m.object == q.prefix || strings.HasPrefix(m.object, q.prefix+".")
	return in && (q.countJobs || !m.isJob)
}

// pod is what counts of a pod.
type pod struct {
	member
	name      string
	uid       types.UID
	ownerName string
	// slot is that of an instance of an App.
	slot string
	// gated pods wait. One that is paid was let in by us, and the cache does not
	// show it yet; or we don't know whether it was.
	gated, paid, unsure bool
	// ended pods use nothing, or were deleted before they ever did.
	ended, succeeded, terminating bool
	// released pods have a record that they were let in.
	released bool
	// exempt pods are never gated: those of a DaemonSet, and of a kubelet's own.
	exempt   bool
	need     amounts
	priority int32
	created  time.Time
	// since is when the pod's place in line counts from.
	since time.Time
	// unplaced is from when on no node took it; zero if one did.
	unplaced time.Time
}

func (p *pod) waits() bool   { return p.gated && !p.paid && !p.ended && !p.terminating }
func (p *pod) charged() bool { return (!p.gated || p.paid) && !p.ended }

// volume is a persistent one, which counts while it exists.
type volume struct {
	member
	size int64
}

// credit is the share of a pod that went, kept for the one that replaces it.
type credit struct {
	member
	amounts amounts
	until   time.Time
}

// plan is what is to be done about a namespace.
type plan struct {
	// release are the pods to let in, in order; sendBack those to be made anew,
	// behind the others.
	release, sendBack []*pod
	// lines are those of the quotas.
	lines []*line
	// credits are those that still hold.
	credits []credit
	// again is when to look again if nothing happens; zero is not needed.
	again time.Time
}

// planner makes a plan.
type planner struct {
	*state
	plan
	// kept are the credits that hold, by who they are for: a pod, or one to come.
	kept []*kept
}

type kept struct {
	credit
	lines []*line
	pod   *pod
	used  bool
}

// makePlan decides who is let in. It never lets in what breaks a limit, whatever
// was used before.
func makePlan(s *state) *plan {
	p := &planner{state: s}
	slices.SortFunc(s.quotas, func(a, b *quota) int { return strings.Compare(a.name, b.name) })
	for _, q := range s.quotas {
		p.lines = append(p.lines, &line{quota: q})
	}
	p.charge()
	waiting := p.queue()
	p.keepCredits(waiting)
	waiting = p.replace(waiting)
	p.serve(waiting)
	for _, k := range p.kept {
		if !k.used {
			p.plan.credits = append(p.plan.credits, k.credit)
			p.lookAgain(k.until)
		}
	}
	p.sendBackUnplaced()
	for _, l := range p.lines {
		l.finish()
	}
	return &p.plan
}

// above are the lines that a member stands in, that of the largest group first:
// names of groups in it begin with its name.
func (p *plan) above(m *member) []*line {
	var all []*line
	for _, l := range p.lines {
		if l.quota.covers(m) {
			all = append(all, l)
		}
	}
	return all
}

// charge counts what is used, and finds what uses it without having been let in.
func (p *planner) charge() {
	for _, pod := range p.pods {
		if !pod.charged() {
			continue
		}
		lines := p.above(&pod.member)
		for _, l := range lines {
			l.used = l.used.plus(pod.need)
			l.pods++
			if l.bypassedBy(pod) {
				l.bypassed = append(l.bypassed, pod)
			}
		}
		if pod.unsure {
			p.release = append(p.release, pod)
		}
	}
	for i := range p.volumes {
		for _, l := range p.above(&p.volumes[i].member) {
			l.used = l.used.plus(amounts{disk: p.volumes[i].size})
		}
	}
	for _, l := range p.lines {
		l.consumed = l.used
	}
}

// queue are the pods that wait, in order. Those that no quota is above any more
// go at once, and those that will never fit stand in no line.
func (p *planner) queue() []*pod {
	var waiting []*pod
	for _, pod := range p.pods {
		if !pod.waits() {
			continue
		}
		lines := p.above(&pod.member)
		if len(lines) == 0 {
			p.release = append(p.release, pod)
			continue
		}
		if l, resource, never := tooLarge(lines, pod.need); never {
			for _, other := range lines {
				other.add(&waiter{pod: pod, reason: v1alpha1.QuotaUnsatisfiable, blockedBy: l.quota.name, resource: resourceNames[resource]})
			}
			continue
		}
		waiting = append(waiting, pod)
	}
	slices.SortFunc(waiting, p.before)
	return waiting
}

// tooLarge is the line of a quota in which there would be too little for a need
// even if nobody else used anything.
func tooLarge(lines []*line, need amounts) (l *line, resource int, is bool) {
	for _, l := range lines {
		if r, lacks := l.quota.limits.lacks(amounts{}, need); lacks {
			return l, r, true
		}
	}
	return nil, 0, false
}

// before is the order of the line.
func (p *planner) before(a, b *pod) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), p.place(a).Compare(p.place(b)), strings.Compare(a.name, b.name))
}

// place is from when on a pod's place in line counts. Where another one of its
// owner held its share for nothing, those who waited then go first.
func (p *planner) place(one *pod) time.Time {
	if back := p.sentBack[one.owner]; one.since.Before(back) {
		return back
	}
	return one.since
}

// keepCredits finds for whom the shares of pods are kept that went: the pods of
// the same owner that wait, in order, or those that an App is about to make.
func (p *planner) keepCredits(waiting []*pod) {
	queued := map[types.UID][]*pod{}
	for _, pod := range waiting {
		if pod.owner != "" {
			queued[pod.owner] = append(queued[pod.owner], pod)
		}
	}
	coming := map[types.UID]int{}
	for i := range p.state.credits {
		c := p.state.credits[i]
		if !c.until.After(p.now) {
			continue
		}
		k := &kept{credit: c, lines: p.above(&c.member)}
		switch line := queued[c.owner]; {
		case len(line) > 0:
			k.pod, queued[c.owner] = line[0], line[1:]
		case c.isApp && coming[c.owner] < p.wants[c.owner]:
			coming[c.owner]++
		default:
			continue
		}
		for _, l := range k.lines {
			l.kept = l.kept.plus(c.amounts)
		}
		p.kept = append(p.kept, k)
	}
}

// replace lets in the pods that have the share of one that went, if it will do.
// They pass everybody: the share was never free.
func (p *planner) replace(waiting []*pod) (others []*pod) {
	in := map[*pod]bool{}
	for _, k := range p.kept {
		if k.pod != nil && p.fits(k.pod, p.above(&k.pod.member), k) {
			p.letIn(k.pod)
			p.use(k)
			in[k.pod] = true
		}
	}
	for _, pod := range waiting {
		if !in[pod] {
			others = append(others, pod)
		}
	}
	return others
}

// fits says whether a pod fits beside what is used and what is kept for others.
func (p *planner) fits(pod *pod, lines []*line, own *kept) bool {
	for _, l := range lines {
		if _, lacks := l.quota.limits.lacks(l.used.plus(l.keptFromOthers(own)), pod.need); lacks {
			return false
		}
	}
	return true
}

// use ends a credit.
func (p *planner) use(k *kept) {
	k.used = true
	for _, l := range k.lines {
		l.kept = l.kept.minus(k.amounts)
	}
}

// letIn has a pod released, and charges it.
func (p *planner) letIn(pod *pod) {
	p.release = append(p.release, pod)
	for _, l := range p.above(&pod.member) {
		l.used = l.used.plus(pod.need)
		// Until it is done, it waits.
		l.add(&waiter{pod: pod, reason: v1alpha1.QuotaWaits})
	}
}

func (p *planner) lookAgain(at time.Time) {
	if p.again.IsZero() || at.Before(p.again) {
		p.again = at
	}
}
