// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// world is a datacenter in a table: what the planner asks for happens, a second later.
type world struct {
	target  Target
	policy  DelayPolicy
	backoff Backoff
	config  string
	// stable is the configuration that an upgrade leaves.
	stable string
	now    time.Time
	tasks  []*task
	// healthAfter is how many seconds a task runs before it is healthy.
	healthAfter int
	// crash says which launches end at once; nil is none.
	crash func(config string) bool
	// lost are the nodes that do not answer, since when; patience is how many
	// seconds their tasks keep their places.
	lost     map[int]time.Time
	patience int
	// quota is how many tasks there may be, 0 for any number. Others wait for it.
	quota int
	// events happen at their second of a story.
	events map[int]func(*world)
}

// nodes is how many there are. A task runs on the node of its slot.
const nodes = 3

type task struct {
	config    string
	slot      int
	condition Condition
	healthy   bool
	age       int
	started   time.Time
	failedAt  time.Time
	// gated says that it waits for the quota.
	gated bool
	// told says that it is to stop as soon as its node answers.
	told bool
	// draining says that its node is being emptied.
	draining bool
}

func (t *task) node() int { return t.slot % nodes }

func newWorld(target Target) *world {
	return &world{
		lost: map[int]time.Time{}, patience: 2, events: map[int]func(*world){},
		target: target, config: "a", healthAfter: 1, now: time.Unix(0, 0),
		policy: DelayPolicy{Initial: time.Second, Factor: 1.15, Max: 300 * time.Second},
	}
}

func (t *task) name() string { return fmt.Sprintf("%s%d", t.config, t.slot) }

// running adds healthy tasks of the current configuration.
func (w *world) running(n int) *world {
	for i := range n {
		w.tasks = append(w.tasks, &task{config: w.config, slot: i, condition: Running, healthy: true, age: 100, started: w.now.Add(time.Duration(i-100) * time.Second)})
	}
	return w
}

// at lets something happen at a second of the story.
func (w *world) at(second int, event func(*world)) *world {
	w.events[second] = event
	return w
}

func (w *world) upgrade() *world {
	w.stable, w.config = w.config, string(w.config[0]+1)
	w.backoff = Backoff{}
	return w
}

func (w *world) instances() []Instance {
	seen := make([]Instance, 0, len(w.tasks))
	for _, t := range w.tasks {
		seen = append(seen, Instance{
			Name: t.name(), Slot: t.slot, Current: t.config == w.config, Stable: t.config == w.stable,
			Condition: t.condition, Healthy: t.healthy, Gated: t.gated, Started: t.started, Group: strconv.Itoa(t.node()),
			Leaving: t.draining, Draining: t.draining,
		})
	}
	return seen
}

func (w *world) plan() Plan {
	var failures []time.Time
	for _, t := range w.tasks {
		if t.config == w.config && !t.failedAt.IsZero() {
			failures = append(failures, t.failedAt)
		}
	}
	w.backoff = w.backoff.Observe(w.policy, failures, w.now)
	return Next(w.target, w.instances(), w.now, w.backoff.NextLaunch(w.policy))
}

func (w *world) act(p Plan) {
	for _, k := range p.Kill {
		gone := func(t *task) bool { return t.name() == k.Name && t.condition == Ended }
		w.tasks = slices.DeleteFunc(w.tasks, gone)
		for _, t := range w.tasks {
			if t.name() == k.Name {
				t.told = t.condition == Unreachable || t.condition == Lost
				if !t.told {
					t.condition, t.healthy = Stopping, false
				}
			}
		}
	}
	w.tasks = slices.DeleteFunc(w.tasks, func(t *task) bool { return t.told && t.condition == Lost })
	for _, slot := range p.Launch {
		w.tasks = append(w.tasks, &task{config: w.config, slot: slot, condition: Staging, started: w.now, gated: w.quota > 0})
	}
	for _, slot := range p.Restore {
		w.tasks = append(w.tasks, &task{config: w.stable, slot: slot, condition: Staging, started: w.now})
	}
}

// loseNode lets a node not answer any more.
func (w *world) loseNode(n int) {
	if _, is := w.lost[n]; !is {
		w.lost[n] = w.now
	}
}

// healNode brings a node back: its tasks run on, or are gone where they were
// told to stop.
func (w *world) healNode(n int) {
	delete(w.lost, n)
	w.tasks = slices.DeleteFunc(w.tasks, func(t *task) bool { return t.node() == n && t.told })
	for _, t := range w.tasks {
		if t.node() == n && (t.condition == Unreachable || t.condition == Lost) {
			t.condition, t.age = Running, 0
		}
	}
}

// letIn lets those in that the quota has room for.
func (w *world) letIn() {
	room := w.quota
	for _, t := range w.tasks {
		if !t.gated {
			room--
		}
	}
	for _, t := range w.tasks {
		if t.gated && room > 0 {
			t.gated = false
			room--
		}
	}
}

// drain lets a node be emptied: no new task goes there.
func (w *world) drain(n int) {
	for _, t := range w.tasks {
		t.draining = t.draining || t.node() == n
	}
}

// evict takes a task off a node that is being emptied, if its budget allows it.
func (w *world) evict() string {
	minHealthy, _ := w.target.capacity()
	if w.target.Resident {
		minHealthy = min(minHealthy, w.target.Instances-1)
	}
	for _, t := range w.tasks {
		if t.draining && t.condition == Running && (!t.healthy || w.healthy() > minHealthy) {
			t.condition, t.healthy = Stopping, false
			return "evicted: " + t.name()
		}
	}
	return ""
}

// tick lets a second pass.
func (w *world) tick() {
	w.now = w.now.Add(time.Second)
	w.tasks = slices.DeleteFunc(w.tasks, func(t *task) bool { return t.condition == Stopping })
	w.letIn()
	for _, t := range w.tasks {
		t.age++
		if since, is := w.lost[t.node()]; is && t.condition != Stopping {
			t.condition, t.healthy = Unreachable, false
			if w.now.Sub(since) > time.Duration(w.patience)*time.Second {
				t.condition = Lost
			}
			continue
		}
		switch {
		case t.gated:
		case t.condition == Staging && w.crash != nil && w.crash(t.config):
			t.condition, t.failedAt = Failing, w.now
		case t.condition == Staging:
			t.condition, t.age = Running, 0
			t.healthy = w.healthAfter == 0
		case t.condition == Running && t.age >= w.healthAfter:
			t.healthy = true
		}
	}
}

func (w *world) healthy() int {
	n := 0
	for _, t := range w.tasks {
		if t.healthy {
			n++
		}
	}
	return n
}

// there is how many tasks there are, the lost left out.
func (w *world) there() int {
	n := 0
	for _, t := range w.tasks {
		if t.condition != Lost {
			n++
		}
	}
	return n
}

// current is how many tasks of the current configuration there are, the lost left out.
func (w *world) current() int {
	n := 0
	for _, t := range w.tasks {
		if t.config == w.config && t.condition != Lost {
			n++
		}
	}
	return n
}

// limit gives the app a quota of so many tasks, of which as many as that may wait.
func (w *world) limit(quota, waiting int) *world {
	w.quota, w.target.MostGated = quota, waiting
	return w
}

// hold lets an upgrade wait at so many tasks of the new configuration.
func (w *world) hold(canary int) *world {
	w.target.Held, w.target.Canary = true, canary
	return w
}

// done says that the app is as asked for.
func (w *world) done() bool {
	if w.target.Held {
		return w.current() == min(w.target.Canary, w.target.Instances) && w.there() == w.target.Instances && w.healthy() == w.target.Instances
	}
	for _, t := range w.tasks {
		if t.condition != Lost && (t.config != w.config || !t.healthy) {
			return false
		}
	}
	return w.there() == w.target.Instances
}

// tell runs the world until it is done and writes down what happens.
func (w *world) tell(title string, seconds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", title)
	minHealthy, maxCapacity := w.target.capacity()
	fmt.Fprintf(&b, "# %d instances, {minimumHealthCapacity: %g, maximumOverCapacity: %g}: at least %d healthy, at most %d at once\n",
		w.target.Instances, w.target.MinimumHealthCapacity, w.target.MaximumOverCapacity, minHealthy, maxCapacity)
	fmt.Fprintf(&b, "# s staging, r running, H healthy, f failing, x stopping, u unreachable, l lost\n")
	if w.quota > 0 {
		fmt.Fprintf(&b, "# q waits for a quota of %d tasks\n", w.quota)
	}
	fmt.Fprintln(&b)
	last := slices.Max(append(slices.Collect(maps.Keys(w.events)), 0))
	for second := range seconds {
		if event := w.events[second]; event != nil {
			event(w)
		}
		p := w.plan()
		fmt.Fprintf(&b, "%4ds  %-24s %s\n", second, w.picture(), describe(p, w.config, w.stable))
		w.act(p)
		if evicted := w.evict(); evicted != "" {
			fmt.Fprintf(&b, "%4ds  %-24s %s\n", second, w.picture(), evicted)
		}
		if w.done() && (second > last || len(w.events) == 0) {
			break
		}
		w.tick()
	}
	fmt.Fprintf(&b, "\nin the end: %s\n", w.picture())
	return b.String()
}

func (w *world) picture() string {
	groups := map[string]string{}
	var configs []string
	for _, t := range w.tasks {
		if groups[t.config] == "" {
			configs = append(configs, t.config)
		}
		letter := map[Condition]string{Staging: "s", Running: "r", Failing: "f", Stopping: "x", Lost: "l", Ended: "e", Unreachable: "u"}[t.condition]
		if t.healthy {
			letter = "H"
		}
		if t.gated {
			letter = "q"
		}
		groups[t.config] += letter
	}
	slices.Sort(configs)
	for i, c := range configs {
		configs[i] = c + ":" + groups[c]
	}
	return strings.Join(configs, " ")
}

func describe(p Plan, config, stable string) string {
	var parts []string
	for _, why := range []Reason{Recover, Timeout, Expunge, Scale, Upgrade} {
		var names []string
		for _, k := range p.Kill {
			if k.Reason == why {
				names = append(names, k.Name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%s: kill %s", why, strings.Join(names, " ")))
		}
	}
	if len(p.Launch) > 0 {
		parts = append(parts, fmt.Sprintf("%s: launch %s", p.LaunchReason, named(config, p.Launch)))
	}
	if len(p.Restore) > 0 {
		parts = append(parts, "restore "+named(stable, p.Restore))
	}
	if p.After > 0 {
		parts = append(parts, fmt.Sprintf("wait %s", p.After.Round(10*time.Millisecond)))
	}
	return strings.Join(parts, "; ")
}

func named(config string, slots []int) string {
	var names []string
	for _, slot := range slots {
		names = append(names, fmt.Sprintf("%s%d", config, slot))
	}
	return strings.Join(names, " ")
}
