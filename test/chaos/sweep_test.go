// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chaos breaks what the manager stands on, at every write of scripted
// lives of Apps, and looks at what becomes of them: see docs/development.md.
package chaos

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

var (
	short     = flag.Bool("chaos.short", false, "only quick scenarios, and only deaths and lost answers at each place in our code that writes")
	every     = flag.Bool("chaos.every", false, "every fault at every write, also those that otherwise are tried at some only")
	only      = flag.String("chaos.scenario", "", "regular expression for the scenarios to run")
	pointIs   = flag.String("chaos.point", "", "only the points whose name contains this")
	faultsAre = flag.String("chaos.faults", "", "regular expression for the faults to try")
	parallel  = flag.Int("chaos.parallel", 16, "lives at once")
	patience  = flag.Duration("chaos.patience", time.Minute, "how long a step may take")
	stopAt    = flag.Int("chaos.failures", 10, "failures after which the sweep ends")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Old lists can be had in pages only, not as a stream.
	_ = os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// open starts the world, once.
func open(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, stop, err := newWorld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.lives(ctx)
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return w
}

// TestSweep runs every scenario without a fault, and then with every fault at
// every write.
func TestSweep(t *testing.T) {
	w := open(t)
	s := &sweep{t: t, world: w, ends: map[string]string{}, most: map[string]int{}, sites: map[frame]bool{}, tally: map[fault]*count{}}
	began := time.Now()
	s.references()
	if t.Failed() {
		return
	}
	references := time.Since(began)
	points := s.points()
	s.run(points)
	if !*short && *only == "" && *pointIs == "" {
		judgeSites(t, s.sites)
	}
	s.tell(references, time.Since(began))
}

// sweep is one sweep.
type sweep struct {
	t     *testing.T
	world *world

	mu        sync.Mutex
	scenarios []scenario
	// ends are the end states of the reference runs, most the most writes in one.
	ends map[string]string
	most map[string]int
	// traces are the reference runs with the most writes.
	traces []*run
	// sites are the places in our code that writes came by.
	sites map[frame]bool
	tally map[fault]*count
	// done and failed count points.
	done, failed int
}

// count counts the points of a fault.
type count struct {
	points, missed, failed int
	// further is the most writes over those of the reference run, furthest where.
	further  int
	furthest point
}

// twoRuns: without a fault each scenario is run twice, and must end alike.
const twoRuns = 2

// references runs each scenario without a fault.
func (s *sweep) references() {
	all, err := scenarios()
	if err != nil {
		s.t.Fatal(err)
	}
	wanted := regexp.MustCompile("^(" + *only + ")")
	for _, sc := range all {
		name, _, found := strings.Cut(*pointIs, " / ")
		if wanted.MatchString(sc.name) && (sc.Quick || !*short) && (!found || name == sc.name) {
			s.scenarios = append(s.scenarios, sc)
		}
	}
	s.each(twoRuns*len(s.scenarios), func(i int) {
		sc := &s.scenarios[i/twoRuns]
		r, end := s.world.live(s.t.Context(), sc, point{scenario: sc.name}, "")
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ends[sc.name] == "" {
			s.ends[sc.name] = end
		}
		switch {
		case len(r.failures) > 0:
			s.t.Errorf("without a fault: %s", r.report())
			fmt.Printf("chaos: %s fails at %s without a fault\n", r.failures[0].oracle, sc.name)
		case s.ends[sc.name] != end:
			fmt.Printf("chaos: O1 fails at %s without a fault\n", sc.name)
			s.t.Errorf("%s ends in different ways without a fault:\n%s%s", sc.name, difference(s.ends[sc.name], end), r.report())
		}
		if n := len(r.trace); n > s.most[sc.name] {
			// How often the status is written is a matter of timing.
			s.most[sc.name] = n
			s.traces = append(slices.DeleteFunc(s.traces, func(other *run) bool { return other.scenario == sc }), r)
		}
		s.see(r)
	})
}

// points are the faults at each write, further ones at the first write by each
// way through our code, and one of the cache at each write, another each time.
// The short form has deaths and lost answers at the first write by each way.
func (s *sweep) points() []point {
	var all []point
	for _, r := range s.traces {
		ways := map[string]bool{}
		for i, w := range r.trace {
			p := point{scenario: r.scenario.name, write: w.what(), n: w.n}
			first := !ways[fmt.Sprint(w.stack)]
			ways[fmt.Sprint(w.stack)] = true
			if *short || r.scenario.Slow {
				if first {
					all = append(all, p.with(before, after, lost)...)
				}
				continue
			}
			all = append(all, p.with(atEveryWrite...)...)
			if first || *every {
				all = append(all, p.with(onEveryWay...)...)
			}
			if r.scenario.Fresh {
				continue
			}
			cache := s.ofTheCache(r.scenario, p)
			if !*every {
				at := (i + len(p.scenario)) % len(cache)
				cache = cache[at : at+1]
			}
			all = append(all, cache...)
		}
		for seed := range uint64(3) {
			if !*short && !r.scenario.Slow {
				all = append(all, point{scenario: r.scenario.name, fault: half, seed: seed + 1})
			}
		}
	}
	faults := regexp.MustCompile("^(" + *faultsAre + ")")
	// In no order, so that what is common shows soon.
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return slices.DeleteFunc(all, func(p point) bool {
		return !faults.MatchString(strings.TrimSpace(string(p.fault)+" "+p.resource)) || !strings.Contains(p.String(), *pointIs)
	})
}

// made are the actions of which there comes something of a resource; one that is
// not here there may always be.
var made = map[string][]action{
	"apps": {create}, "controllerrevisions": {create}, "persistentvolumeclaims": {create}, "poddisruptionbudgets": {create},
	"services": {create}, "endpointslices": {create}, "virtualips": {create},
	"jobs": {createJob}, "jobruns": {createJob}, "quotas": {createQuota},
	"nodes": {addNode}, "nodemaintenances": {maintain}, "nodepools": {createPool},
}

// ofTheCache are the points where a kind is stale, for all that managers watch and
// there is.
func (s *sweep) ofTheCache(sc *scenario, p point) []point {
	var all []point
	for _, resource := range s.watched() {
		if makes := made[resource]; len(makes) > 0 && !sc.does(makes...) {
			continue // There are none.
		}
		p.resource = resource
		all = append(all, p.with(ofTheCache...)...)
	}
	return all
}

// see notes the places in our code that the writes of a run came by.
func (s *sweep) see(r *run) {
	for _, w := range r.trace {
		for _, f := range w.stack {
			s.sites[f] = true
		}
	}
}

// watched are the kinds that managers watch.
func (s *sweep) watched() []string {
	found := map[string]bool{}
	for _, r := range s.traces {
		maps.Copy(found, r.watched)
	}
	return slices.Sorted(maps.Keys(found))
}

// furtherWrites are the writes of a run over those of the reference run.
func (s *sweep) furtherWrites(r *run) int {
	return len(r.trace) - s.most[r.scenario.name]
}

// run tries points.
func (s *sweep) run(points []point) {
	began, ticker := time.Now(), time.NewTicker(30*time.Second)
	defer ticker.Stop()
	go func() {
		for range ticker.C {
			s.mu.Lock()
			fmt.Printf("chaos: %d of %d points, %d failed, after %s\n", s.done, len(points), s.failed, time.Since(began).Round(time.Second))
			s.mu.Unlock()
		}
	}()
	s.each(len(points), func(i int) {
		p := points[i]
		if s.enough() {
			return
		}
		sc := &s.scenarios[slices.IndexFunc(s.scenarios, func(x scenario) bool { return x.name == p.scenario })]
		r, _ := s.world.live(s.t.Context(), sc, p, s.ends[p.scenario])
		r.judgeWrites(s.most[p.scenario])
		s.mu.Lock()
		defer s.mu.Unlock()
		s.see(r)
		c := s.tally[p.fault]
		if c == nil {
			c = &count{}
			s.tally[p.fault] = c
		}
		c.points++
		s.done++
		if !r.reached() {
			c.missed++
		}
		if further := s.furtherWrites(r); further > c.further {
			c.further, c.furthest = further, p
		}
		if len(r.failures) > 0 {
			c.failed++
			s.failed++
			s.t.Errorf("%s", r.report())
			fmt.Printf("chaos: %s fails at %s\n", r.failures[0].oracle, p)
		}
	})
}

func (s *sweep) enough() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed >= *stopAt
}

// each does n things, some at once.
func (s *sweep) each(n int, do func(int)) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range *parallel {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// tell says what was done.
func (s *sweep) tell(references, all time.Duration) {
	points, missed := 0, 0
	var b strings.Builder
	for _, f := range slices.Sorted(maps.Keys(s.tally)) {
		c := s.tally[f]
		points += c.points
		missed += c.missed
		fmt.Fprintf(&b, "  %-7s %5d points, %d not reached, %d failed; at most %d writes more, at %s\n", f, c.points, c.missed, c.failed, c.further, c.furthest)
	}
	fmt.Printf("chaos: %d scenarios (%s for the reference runs), %d points, %d not reached, %d failed, in %s\n%s",
		len(s.scenarios), references.Round(time.Second), points, missed, s.failed, all.Round(time.Second), &b)
}
