// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// world is what really is, and a manager that sees it late, loses its memory and
// does not always learn what became of its requests.
type world struct {
	*testing.T
	rand   *rand.Rand
	now    time.Time
	quotas []*quota
	// pods are the true ones, seen those that the manager's cache holds.
	pods, seen map[types.UID]pod
	book       *book
	n          int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		T: t, rand: rand.New(rand.NewPCG(seed, 1)), now: noon, book: newBook(),
		pods: map[types.UID]pod{}, seen: map[types.UID]pod{},
	}
	for _, name := range []string{"dev", "dev.web", "dev.web.api"} {
		if name == "dev" || w.rand.IntN(2) == 0 {
			q := ofCPUs(name, 1000*(1+w.rand.Int64N(8)), func(q *quota) { q.strict = w.rand.IntN(3) == 0 })
			q.headTimeout = time.Duration(w.rand.IntN(60)) * time.Second
			if w.rand.IntN(2) == 0 {
				q.limits[mem] = (1 + w.rand.Int64N(8)) * mebi
			}
			w.quotas = append(w.quotas, q)
		}
	}
	return w
}

func (w *world) create() {
	w.n++
	uid := types.UID(fmt.Sprintf("p%05d", w.n))
	p := pod{
		name: string(uid), uid: uid, gated: true, created: w.now, since: w.now, priority: w.rand.Int32N(2) * w.rand.Int32N(2),
		need: amounts{cpus: w.rand.Int64N(5) * 500, mem: w.rand.Int64N(4) * mebi / 2},
	}
	object := []string{"web.api.v1", "web", "db", "other"}[w.rand.IntN(4)]
	switch w.rand.IntN(3) {
	case 0:
		ofApp(object)(&p)
	case 1:
		p.isJob, p.object = true, object
	}
	w.pods[uid] = p
}

// any is a pod by chance that fits a condition.
func (w *world) any(is func(p *pod) bool) (types.UID, bool) {
	var fit []types.UID
	for uid, p := range w.pods {
		if is(&p) {
			fit = append(fit, uid)
		}
	}
	slices.Sort(fit)
	if len(fit) == 0 {
		return "", false
	}
	return fit[w.rand.IntN(len(fit))], true
}

func runs(p *pod) bool { return !p.gated && !p.ended }

// happen has something happen.
func (w *world) happen() {
	switch w.rand.IntN(10) {
	case 0, 1, 2:
		w.create()
	case 3, 4:
		if uid, is := w.any(runs); is {
			delete(w.pods, uid)
		}
	case 5:
		if uid, is := w.any(runs); is {
			p := w.pods[uid]
			p.ended, p.succeeded = true, w.rand.IntN(2) == 0
			w.pods[uid] = p
		}
	case 6:
		if uid, is := w.any(runs); is {
			p := w.pods[uid]
			p.unplaced = w.now
			w.pods[uid] = p
		}
	case 7:
		q := w.quotas[w.rand.IntN(len(w.quotas))]
		q.limits[cpus] = w.rand.Int64N(9) * 1000
	case 8:
		if w.rand.IntN(10) == 0 {
			// Another manager, which lists what is there.
			w.book, w.seen = newBook(), map[types.UID]pod{}
			for uid, p := range w.pods {
				w.seen[uid] = p
			}
		}
	case 9:
		w.now = w.now.Add(time.Duration(w.rand.IntN(40)) * time.Second)
	}
}

// catchUp has the cache see some of what has happened.
func (w *world) catchUp(all bool) {
	for uid := range w.seen {
		if _, is := w.pods[uid]; !is && (all || w.rand.IntN(3) > 0) {
			delete(w.seen, uid)
		}
	}
	for uid, p := range w.pods {
		if all || w.rand.IntN(3) > 0 {
			w.seen[uid] = p
		}
	}
}

// pass makes a pass of the manager, and judges it.
func (w *world) pass() {
	s := &state{quotas: w.quotas, now: w.now, wants: map[types.UID]int{}}
	for _, p := range w.seen {
		one := p
		s.pods = append(s.pods, &one)
	}
	slices.SortFunc(s.pods, func(a, b *pod) int { return w.rand.IntN(3) - 1 })
	w.book.reconcile(s.pods, w.now)
	s.credits, s.sentBack = w.book.credits, w.book.sentBack
	for _, c := range s.credits {
		s.wants[c.owner] = w.rand.IntN(2)
	}
	p := makePlan(s)
	w.book.credits = p.credits
	w.judge(p)
	for _, one := range p.release {
		truth, is := w.pods[one.uid]
		unknown := w.rand.IntN(8) == 0
		if is && (!unknown || w.rand.IntN(2) == 0) {
			truth.gated, truth.released = false, true
			w.pods[one.uid] = truth
		}
		if is || unknown {
			w.book.admit(one, !unknown)
		} else {
			delete(w.book.let, one.uid)
		}
		w.withinLimits(one)
	}
	for _, one := range p.sendBack {
		w.book.removed[one.uid], w.book.sentBack[one.owner] = true, w.now
		delete(w.pods, one.uid)
	}
}

// withinLimits: no limit is exceeded by a pod that was let in, in truth.
func (w *world) withinLimits(let *pod) {
	w.Helper()
	for _, q := range w.quotas {
		if !q.covers(&let.member) {
			continue
		}
		var used amounts
		for _, p := range w.pods {
			if runs(&p) && q.covers(&p.member) {
				used = used.plus(p.need)
			}
		}
		for r := range used {
			if q.limits[r] != noLimit && used[r] > q.limits[r] && let.need[r] > 0 && !w.pods[let.uid].gated && let.gated && !let.paid {
				w.Fatalf("%s is let in, and of %s %d are used, more than %d of %s", let.name, resourceNames[r], used[r], q.limits[r], q.name)
			}
		}
	}
}

// judge: in a strict line nobody passes who does not fit.
func (w *world) judge(p *plan) {
	w.Helper()
	released := map[types.UID]bool{}
	for _, one := range p.release {
		released[one.uid] = true
	}
	for _, l := range p.lines {
		var stopped *waiter
		for _, waiter := range l.waiting {
			switch {
			case !released[waiter.pod.uid] && waiter.blockedBy == l.quota.name && waiter.position > 0:
				stopped = waiter
			case released[waiter.pod.uid] && stopped != nil && l.quota.strict:
				w.Fatalf("%s passes %s in %s", waiter.pod.name, stopped.pod.name, l.quota.name)
			}
		}
	}
}

// TestRandomHistories: whatever happens, no limit is exceeded by a pod that is
// let in, a strict line keeps its order, and in the end all run that can.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(t, seed)
		for range 120 {
			w.happen()
			w.catchUp(false)
			w.pass()
		}
		w.drain(seed)
	}
}

// drain lets what runs end, until nothing waits.
func (w *world) drain(seed uint64) {
	for _, q := range w.quotas {
		q.limits = limits{8000, 8 * mebi, noLimit, noLimit}
	}
	for range 2 * len(w.pods) {
		w.now = w.now.Add(time.Minute)
		w.catchUp(true)
		w.pass()
		w.catchUp(true)
		if uid, is := w.any(runs); is {
			delete(w.pods, uid)
		}
	}
	if uid, is := w.any(func(p *pod) bool { return p.gated }); is {
		w.Fatalf("seed %d: %s waits for ever", seed, uid)
	}
}

// TestNobodyStarves: a large pod comes in among small ones that never cease, once
// it has waited for as long as it may be passed and those that were let in end.
func TestNobodyStarves(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, seed)
		w.quotas = []*quota{ofCPUs("dev", 4000), ofCPUs("dev.web", 3000)}
		ends := map[types.UID]time.Time{}
		large := pod{name: "large", uid: "large", gated: true, created: w.now, since: w.now, need: amounts{cpus: 3000}, member: member{object: "web", owner: "x"}}
		w.pods[large.uid] = large
		for range 400 {
			w.n++
			small := pod{
				name: fmt.Sprintf("s%04d", w.n), gated: true, created: w.now, since: w.now, need: amounts{cpus: 500},
				member: member{object: []string{"web", "db"}[w.rand.IntN(2)], owner: types.UID(fmt.Sprint("owner-", w.rand.IntN(500)))},
			}
			small.uid = types.UID(small.name)
			w.pods[small.uid] = small
			w.catchUp(true)
			w.pass()
			for uid, p := range w.pods {
				if runs(&p) && ends[uid].IsZero() {
					ends[uid] = w.now.Add(time.Duration(1+w.rand.IntN(60)) * time.Second)
				}
				if runs(&p) && !ends[uid].After(w.now) {
					delete(w.pods, uid)
				}
			}
			w.now = w.now.Add(2 * time.Second)
		}
		if _, waits := w.pods["large"]; waits {
			t.Fatalf("seed %d: the large pod still waits after %s", seed, w.now.Sub(noon))
		}
	}
}

// TestFits: what is not limited is never short, and a sum never wraps around.
func TestFits(t *testing.T) {
	l := limits{1000, noLimit, 0, noLimit}
	for _, c := range []struct {
		used, need amounts
		resource   string
	}{
		{need: amounts{cpus: 1000}},
		{need: amounts{cpus: 1001}, resource: "cpus"},
		{used: amounts{cpus: 1}, need: amounts{cpus: 1000}, resource: "cpus"},
		{used: amounts{cpus: 5000}, need: amounts{mem: most}},
		{need: amounts{disk: 1}, resource: "disk"},
		{used: amounts{mem: most, gpus: most}, need: amounts{mem: most, gpus: most}},
		{used: amounts{cpus: most}.plus(amounts{cpus: most}), need: amounts{cpus: most}, resource: "cpus"},
	} {
		r, lacks := l.lacks(c.used, c.need)
		if lacks != (c.resource != "") || lacks && resourceNames[r] != c.resource {
			t.Errorf("%v beside %v: lacks %s %v, want %q", c.need, c.used, resourceNames[r], lacks, c.resource)
		}
	}
}
