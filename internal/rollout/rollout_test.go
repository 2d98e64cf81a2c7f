// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden stories")

func strategy(n int, health, over float64) Target {
	return Target{Instances: n, MinimumHealthCapacity: health, MaximumOverCapacity: over}
}

func TestStories(t *testing.T) {
	stories := []struct {
		name, title string
		world       *world
	}{
		{"deploy", "a new app of three instances", newWorld(strategy(3, 1, 1))},
		{"scale-up", "from two to five: none restarts", newWorld(strategy(5, 1, 1)).running(2)},
		{"scale-down", "from five to two: the youngest go", newWorld(strategy(2, 1, 1)).running(5)},
		{"scale-to-zero", "from three to none", newWorld(strategy(0, 1, 1)).running(3)},
		{"upgrade-1-1", "the default upgrade: a second set, then one old for one new", newWorld(strategy(4, 1, 1)).running(4).upgrade()},
		{"upgrade-0.5-0.25", "half the capacity stays, a quarter is added", newWorld(strategy(4, 0.5, 0.25)).running(4).upgrade()},
		{"upgrade-0-0", "all old ones stop first", newWorld(strategy(4, 0, 0)).running(4).upgrade()},
		{"upgrade-1-0", "no room above, no loss below: one instance more is allowed", newWorld(strategy(4, 1, 0)).running(4).upgrade()},
		{"upgrade-single-0-0", "a single instance never overlaps with its successor", newWorld(strategy(1, 0, 0)).running(1).upgrade()},
		{"upgrade-resident", "residents can't run beside their successors: one goes first", resident(newWorld(strategy(3, 1, 0)).running(3).upgrade())},
		{"upgrade-and-scale-down", "an upgrade that also asks for fewer", newWorld(strategy(2, 1, 1)).running(5).upgrade()},
		{"upgrade-and-scale-up", "an upgrade that also asks for more", newWorld(strategy(5, 1, 0)).running(2).upgrade()},
		{"upgrade-of-the-broken", "no old instance is healthy, and there is no room: Marathon would wait for ever", unhealthy(newWorld(strategy(3, 1, 0)).running(3).upgrade(), 3)},
		{"upgrade-one-unhealthy", "the unhealthy one goes first", unhealthy(newWorld(strategy(4, 0.5, 0)).running(4).upgrade(), 1)},
		{"upgrade-to-the-broken", "the new configuration crashes: the old keeps its minimum, launches are delayed more and more", crashing(newWorld(strategy(2, 1, 0.5)).running(2).upgrade(), "b")},
		{"node-lost", "a node does not answer: its task keeps its place for a while, then it is replaced", newWorld(strategy(3, 1, 1)).running(3).at(1, lose(1))},
		{"node-returns", "a node returns in time: nothing happens", newWorld(strategy(3, 1, 1)).running(3).at(1, lose(1)).at(3, heal(1))},
		{"node-returns-late", "a node returns after its task was replaced: the youngest of too many goes", newWorld(strategy(3, 1, 1)).running(3).at(1, lose(1)).at(7, heal(1))},
		{"drain-1-0", "a node with two of four is drained: each has its successor first", newWorld(strategy(4, 1, 0)).running(4).at(1, drain(0))},
		{"drain-0.5-0", "half may be missing: no successor comes first", newWorld(strategy(4, 0.5, 0)).running(4).at(1, drain(0))},
		{"drain-single-1-0", "a single instance that may not be missing has its successor first, too", newWorld(strategy(1, 1, 0)).running(1).at(1, drain(0))},
		{"upgrade-with-lost-node", "a node is lost in the middle of an upgrade", newWorld(strategy(3, 1, 0.34)).running(3).upgrade().at(2, lose(1))},
		{"canary", "two new ones of five, until somebody says more", newWorld(strategy(5, 1, 1)).running(5).upgrade().hold(2).at(6, func(w *world) { w.hold(4) }).at(12, promote)},
		{"canary-1-0", "a canary where there is no room above", newWorld(strategy(3, 1, 0)).running(3).upgrade().hold(1)},
		{"canary-0-0", "a canary that may leave a gap", newWorld(strategy(4, 0, 0)).running(4).upgrade().hold(1)},
		{"canary-taken-back", "the canary does not sing: none of the new is to be", newWorld(strategy(3, 1, 1)).running(3).upgrade().hold(1).at(5, func(w *world) { w.hold(0) })},
		{"canary-old-dies", "an old one ends while the canary waits: it is restored", newWorld(strategy(3, 1, 1)).running(3).upgrade().hold(1).at(5, end("a1"))},
		{"canary-scaled", "scaling while the canary waits is scaling of the old", newWorld(strategy(3, 1, 1)).running(3).upgrade().hold(1).at(5, scale(5)).at(9, scale(2))},
		{"canary-broken", "the canary crashes: the old ones stay", crashing(newWorld(strategy(3, 1, 1)).running(3).upgrade().hold(1), "b")},
		{"quota", "a quota of three: two wait at a time, and get in when it grows", newWorld(strategy(6, 1, 1)).limit(3, 2).at(6, func(w *world) { w.quota = 6 })},
		{"quota-scale-down", "those that wait go first", newWorld(strategy(5, 1, 1)).limit(3, 10).at(4, scale(3))},
		{"quota-upgrade-blocked", "an upgrade at the limit waits, until there is more", newWorld(strategy(3, 1, 1)).running(3).limit(3, 10).upgrade().at(6, func(w *world) { w.quota = 4 })},
		{"quota-upgrade-0.5-0", "an upgrade at the limit that may leave a gap", newWorld(strategy(4, 0.5, 0)).running(4).limit(4, 10).upgrade()},
		{"quota-upgrade-yields", "an upgrade at the limit that makes room for itself", yielding(newWorld(strategy(3, 1, 1)).running(3).limit(3, 10).upgrade())},
		{"crash", "a task that ends at once is relaunched, later and later", crashing(newWorld(strategy(1, 1, 1)), "a")},
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			got := s.world.tell(s.title, 25)
			file := filepath.Join("testdata", s.name+".story")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("story changed (-want +got):\n%s", diff)
			}
		})
	}
}

func lose(node int) func(*world) { return func(w *world) { w.loseNode(node) } }

func yielding(w *world) *world {
	w.target.Yields = true
	return w
}
func drain(node int) func(*world) { return func(w *world) { w.drain(node) } }

func promote(w *world) { w.target.Held = false }

func scale(n int) func(*world) { return func(w *world) { w.target.Instances = n } }

// end lets a task end for good, as one does that its node evicts.
func end(name string) func(*world) {
	return func(w *world) {
		for _, t := range w.tasks {
			if t.name() == name {
				t.condition, t.healthy = Ended, false
			}
		}
	}
}

func heal(node int) func(*world) { return func(w *world) { w.healNode(node) } }

func resident(w *world) *world { w.target.Resident = true; return w }

func unhealthy(w *world, n int) *world {
	for _, t := range w.tasks[:n] {
		t.healthy, t.age = false, -1000
	}
	return w
}

func crashing(w *world, config string) *world {
	w.crash = func(c string) bool { return c == config }
	return w
}

// TestCapacity holds Marathon's rounding, which is that of doubles.
func TestCapacity(t *testing.T) {
	for _, c := range []struct {
		n                       int
		health, over            float64
		minHealthy, maxCapacity int
	}{
		{1, 1, 1, 1, 2},
		{1, 0.5, 0.25, 1, 1},
		{4, 0.5, 0.25, 2, 5},
		{10, 0.7, 0, 7, 10},
		{3, 0.5, 0.5, 2, 4},
		{3, 0.34, 0.33, 2, 3},
		{100, 0.07, 0.1, 8, 110}, // 100 × 0.07 is a little over 7
		{0, 1, 1, 0, 0},
	} {
		minHealthy, maxCapacity := strategy(c.n, c.health, c.over).capacity()
		if minHealthy != c.minHealthy || maxCapacity != c.maxCapacity {
			t.Errorf("%d instances, {%g, %g}: got %d to %d, want %d to %d", c.n, c.health, c.over, minHealthy, maxCapacity, c.minHealthy, c.maxCapacity)
		}
	}
}

// TestFirstStep holds the kills and launches of the first step of an upgrade,
// where all instances are healthy.
func TestFirstStep(t *testing.T) {
	for _, c := range []struct {
		name         string
		n, running   int
		health, over float64
		kills, start int
	}{
		{"{1,1} doubles", 10, 10, 1, 1, 0, 10},
		{"{0.5,0} halves", 10, 10, 0.5, 0, 5, 0},
		{"{0.5,0.1}", 10, 10, 0.5, 0.1, 5, 1},
		{"{1,0} gets one more", 10, 10, 1, 0, 0, 1},
		{"{0,0} stops all", 10, 10, 0, 0, 10, 0},
		{"{0,1} stops all and starts all", 10, 10, 0, 1, 10, 10},
		{"surplus goes at once", 5, 8, 1, 0, 3, 0},
		{"scaling up uses the new number", 8, 5, 1, 0, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(strategy(c.n, c.health, c.over)).running(c.running).upgrade()
			p := w.plan()
			if len(p.Kill) != c.kills || len(p.Launch) != c.start {
				t.Errorf("got %d kills and %d launches, want %d and %d", len(p.Kill), len(p.Launch), c.kills, c.start)
			}
		})
	}
}

func TestKillOrder(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	seen := []Instance{
		{Name: "old-running", Slot: 0, Current: true, Condition: Running, Healthy: true, Started: at(1)},
		{Name: "young-running", Slot: 1, Current: true, Condition: Running, Healthy: true, Started: at(3)},
		{Name: "unhealthy", Slot: 2, Current: true, Condition: Running, Started: at(2)},
		{Name: "staging", Slot: 3, Current: true, Condition: Staging, Started: at(0)},
	}
	for _, c := range []struct {
		oldestFirst bool
		want        []string
	}{
		{false, []string{"staging", "young-running", "unhealthy"}},
		{true, []string{"staging", "old-running", "unhealthy"}},
	} {
		p := Next(Target{Instances: 1, MinimumHealthCapacity: 1, OldestFirst: c.oldestFirst}, seen, at(10), time.Time{})
		if diff := cmp.Diff(c.want, killed(p)); diff != "" {
			t.Errorf("oldestFirst=%v (-want +got):\n%s", c.oldestFirst, diff)
		}
	}
}

func TestScaleDownKeepsGroupsEven(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var seen []Instance
	for i, group := range []string{"a", "a", "a", "b", "b", "c"} {
		seen = append(seen, Instance{
			Name: group + strconv.Itoa(i), Slot: i, Current: true, Condition: Running, Healthy: true, Group: group, Started: at(int64(i)),
		})
	}
	for _, c := range []struct {
		spread bool
		n      int
		want   []string
	}{
		{true, 3, []string{"a2", "b4", "a1"}},
		{true, 5, []string{"a2"}},
		{false, 3, []string{"c5", "b4", "b3"}},
	} {
		target := strategy(c.n, 1, 1)
		target.Spread = c.spread
		if diff := cmp.Diff(c.want, killed(Next(target, seen, at(10), time.Time{}))); diff != "" {
			t.Errorf("to %d, spread=%v (-want +got):\n%s", c.n, c.spread, diff)
		}
	}
}

// TestLostNodes: what does not answer keeps its place until it counts as lost,
// and goes first when there are too many.
func TestLostNodes(t *testing.T) {
	on := func(name string, slot int, c Condition, overdue bool) Instance {
		return Instance{Name: name, Slot: slot, Current: true, Condition: c, Healthy: c == Running, Overdue: overdue}
	}
	for name, c := range map[string]struct {
		seen   []Instance
		launch []int
		kill   []string
	}{
		"unreachable keeps its place":      {[]Instance{on("a", 0, Running, false), on("b", 1, Unreachable, false)}, nil, nil},
		"lost is replaced":                 {[]Instance{on("a", 0, Running, false), on("b", 1, Lost, false)}, []int{2}, nil},
		"expunged is replaced and removed": {[]Instance{on("a", 0, Running, false), on("b", 1, Lost, true)}, []int{2}, []string{"b"}},
		"the surplus that does not answer": {[]Instance{on("a", 0, Running, false), on("b", 1, Unreachable, false), on("c", 2, Running, false)}, nil, []string{"b"}},
		"a launch that takes too long":     {[]Instance{on("a", 0, Running, false), on("b", 1, Staging, true)}, nil, []string{"b"}},
	} {
		p := Next(strategy(2, 1, 1), c.seen, time.Unix(10, 0), time.Time{})
		if diff := cmp.Diff(c.launch, p.Launch); diff != "" {
			t.Errorf("%s: launches (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.kill, killed(p)); diff != "" {
			t.Errorf("%s: kills (-want +got):\n%s", name, diff)
		}
	}
}

func killed(p Plan) []string {
	var names []string
	for _, k := range p.Kill {
		names = append(names, k.Name)
	}
	return names
}

// TestSlots: a slot is free again only when its last holder is gone.
func TestSlots(t *testing.T) {
	seen := []Instance{
		{Name: "a", Slot: 0, Current: true, Condition: Running, Healthy: true},
		{Name: "b", Slot: 1, Current: true, Condition: Lost},
		{Name: "c", Slot: 2, Current: false, Condition: Lost},
	}
	p := Next(strategy(3, 1, 1), seen, time.Unix(0, 0), time.Time{})
	if diff := cmp.Diff([]int{2, 3}, p.Launch); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seen[1].Condition = Stopping
	p = Next(strategy(3, 1, 1), seen, time.Unix(0, 0), time.Time{})
	if diff := cmp.Diff([]int{2}, p.Launch); diff != "" {
		t.Errorf("a stopping instance keeps its place (-want +got):\n%s", diff)
	}
}

func TestBackoff(t *testing.T) {
	policy := DelayPolicy{Initial: time.Second, Factor: 2, Max: 10 * time.Second}
	start := time.Unix(1000, 0)
	var b Backoff
	if !b.NextLaunch(policy).IsZero() {
		t.Error("without failure there is a delay")
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		at := start.Add(time.Duration(i) * 11 * time.Second)
		b = b.Observe(policy, []time.Time{at, b.Last}, at)
		if got := b.NextLaunch(policy).Sub(at); got != want*time.Second {
			t.Errorf("failure %d: delay %s, want %s", i+1, got, want*time.Second)
		}
		if again := b.Observe(policy, []time.Time{at}, at); again != b {
			t.Errorf("the same failure counts twice: %+v", again)
		}
	}
	later := b.Last.Add(20*time.Second + time.Millisecond)
	if got := b.Observe(policy, []time.Time{b.Last}, later); got.Failures != 0 {
		t.Errorf("a delay long past is not forgotten: %+v", got)
	}
	huge := Backoff{Failures: 1 << 30, Last: start}
	if got := huge.NextLaunch(policy).Sub(start); got != policy.Max {
		t.Errorf("delay %s is not capped", got)
	}
	if got := (DelayPolicy{Factor: 1}).delay(3); got != 0 {
		t.Errorf("backoffSeconds 0 delays by %s", got)
	}
}

// TestProperties drives random apps through upgrades, scalings and crashes.
func TestProperties(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(strategy(r.IntN(9), float64(r.IntN(11))/10, float64(r.IntN(11))/10)).running(r.IntN(9))
		w.target.Resident = r.IntN(4) == 0
		w.healthAfter = r.IntN(3)
		w.target.OldestFirst = r.IntN(2) == 0
		if r.IntN(3) > 0 {
			w.upgrade()
		}
		if len(w.tasks) > 0 {
			for _, x := range w.tasks[:r.IntN(len(w.tasks)+1)] {
				x.healthy, x.age = false, -r.IntN(30)
			}
		}
		w.target.Spread = r.IntN(3) == 0
		w.patience = r.IntN(4)
		disturb(t, r, w, seed)
		for n := range nodes {
			w.healNode(n)
		}
		for i := 0; !w.done(); i++ {
			if i > 400 {
				t.Fatalf("seed %d does not end: %s, target %+v", seed, w.picture(), w.target)
			}
			step(t, w, seed)
		}
		if p := w.plan(); len(p.Kill)+len(p.Launch)+len(p.Restore) > 0 || p.After != 0 && w.backoff.Failures == 0 {
			t.Fatalf("seed %d: not at rest in the end: %+v", seed, p)
		}
	}
}

// disturb changes the app and its tasks for a while.
func disturb(t *testing.T, r *rand.Rand, w *world, seed uint64) {
	for range r.IntN(20) {
		switch r.IntN(11) {
		case 0:
			w.target.Instances = r.IntN(9)
		case 1:
			w.upgrade()
		case 2:
			for _, x := range w.tasks {
				if x.condition == Running && r.IntN(3) == 0 {
					x.condition, x.healthy, x.failedAt = Failing, false, w.now
				}
			}
		case 3:
			w.tasks = slices.DeleteFunc(w.tasks, func(*task) bool { return r.IntN(4) == 0 })
		case 4:
			for _, x := range w.tasks {
				if r.IntN(4) == 0 && x.condition == Running {
					x.condition, x.healthy = Ended, false
				}
			}
		case 5:
			w.loseNode(r.IntN(nodes))
		case 6:
			w.healNode(r.IntN(nodes))
		case 7:
			if w.stable != "" {
				w.hold(r.IntN(9))
			}
		case 8:
			promote(w)
		default:
		}
		step(t, w, seed)
	}
}

// step plans, checks what the plan may never do, acts and lets a second pass.
func step(t *testing.T, w *world, seed uint64) {
	before, total := w.healthy(), w.there()
	p := w.plan()
	for _, slots := range [][]int{p.Launch, p.Restore} {
		if len(slices.Compact(slices.Sorted(slices.Values(slots)))) != len(slots) {
			t.Fatalf("seed %d: a slot is launched twice: %v", seed, slots)
		}
	}
	if w.target.Held && len(p.Launch) > 0 && w.current()+len(p.Launch) > w.target.Canary {
		t.Fatalf("seed %d: %d tasks of the new configuration where %d may be", seed, w.current()+len(p.Launch), w.target.Canary)
	}
	neverTwoWriters(t, w, p, seed)
	surplus := scaledDown(w)
	killed := map[string]bool{}
	for _, k := range p.Kill {
		if killed[k.Name] {
			t.Fatalf("seed %d: %s is killed twice", seed, k.Name)
		}
		killed[k.Name] = true
	}
	w.act(p)
	minHealthy, maxCapacity := w.target.capacity()
	floor := min(before, minHealthy)
	if w.target.Resident {
		floor--
	}
	if !surplus && w.healthy() < floor {
		t.Fatalf("seed %d: %d healthy of %d, below the minimum of %d: %+v", seed, w.healthy(), before, minHealthy, p)
	}
	if len(p.Launch) > 0 && w.there() > max(maxCapacity+1, w.target.Instances, total+1) && p.LaunchReason == Upgrade {
		t.Fatalf("seed %d: %d tasks at once, over %d", seed, w.there(), maxCapacity)
	}
	w.tick()
}

// neverTwoWriters fails where a slot that keeps a volume is launched while any
// instance of whichever configuration holds it, or a new one while there is a
// volume that nobody uses.
func neverTwoWriters(t *testing.T, w *world, p Plan, seed uint64) {
	if !w.target.Resident {
		return
	}
	used := map[int]bool{}
	for _, x := range w.tasks {
		used[x.slot] = true
	}
	fresh := false
	for _, slot := range p.Launch {
		if used[slot] {
			t.Fatalf("seed %d: slot %d is launched and held: %s", seed, slot, w.picture())
		}
		used[slot] = true
		fresh = fresh || !slices.Contains(w.target.Kept, slot)
	}
	for _, slot := range w.target.Kept {
		if fresh && !used[slot] {
			t.Fatalf("seed %d: %v are launched, though %v have volumes", seed, p.Launch, w.target.Kept)
		}
	}
	for _, slot := range p.Launch {
		if !slices.Contains(w.target.Kept, slot) {
			w.target.Kept = append(w.target.Kept, slot)
		}
	}
}

// scaledDown says that more tasks of the current configuration run than asked
// for, whose end is no matter of the upgradeStrategy.
func scaledDown(w *world) bool {
	return w.current() > w.target.Instances || w.target.Instances == 0
}

// TestSpares: where none may be missing, an instance whose node is being
// emptied gets its successor first, and goes first when there are too many.
func TestSpares(t *testing.T) {
	on := func(name string, slot int, leaving bool) Instance {
		return Instance{Name: name, Slot: slot, Current: true, Condition: Running, Healthy: true, Leaving: leaving}
	}
	drained := func(i Instance) Instance {
		i.Draining = true
		return i
	}
	two := []Instance{on("a", 0, true), on("b", 1, true)}
	for name, c := range map[string]struct {
		target Target
		seen   []Instance
		launch []int
		kill   []string
	}{
		"one at a time":               {strategy(2, 1, 1), two, []int{2}, nil},
		"it is there":                 {strategy(2, 1, 1), append(two, on("c", 2, false)), nil, nil},
		"some may be missing":         {strategy(2, 0.5, 1), two, nil, nil},
		"one instance has no promise": {strategy(1, 1, 1), two[:1], nil, nil},
		"the node stays after all":    {strategy(2, 1, 1), []Instance{on("a", 0, false), on("b", 1, false), on("c", 2, false)}, nil, []string{"c"}},
		"one, and who empties waits":  {strategy(1, 1, 1), []Instance{drained(two[0])}, []int{1}, nil},
		"its successor is there":      {strategy(1, 1, 1), []Instance{drained(two[0]), on("c", 2, false)}, nil, nil},
		"drained, may be missing":     {strategy(1, 0, 1), []Instance{drained(two[0])}, nil, nil},
		"drained, asked for nothing":  {strategy(0, 1, 1), []Instance{drained(two[0])}, nil, []string{"a"}},
		"fewer asked for":             {strategy(2, 0.5, 1), append(two, on("c", 2, false)), nil, []string{"b"}},
	} {
		p := Next(c.target, c.seen, time.Unix(10, 0), time.Time{})
		if diff := cmp.Diff(c.launch, p.Launch); diff != "" {
			t.Errorf("%s: launches (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.kill, killed(p)); diff != "" {
			t.Errorf("%s: kills (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add(3, 1.0, 1.0, []byte{0x15, 0x25, 0x35})
	f.Add(0, 0.0, 0.0, []byte{})
	f.Add(100000, 0.5, 0.25, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, n int, health, over float64, raw []byte) {
		if n < 0 || n > 100000 || !(health >= 0 && health <= 1) || !(over >= 0 && over <= 1) {
			return
		}
		seen := make([]Instance, 0, len(raw))
		for i, b := range raw {
			seen = append(seen, Instance{Name: string(rune('a' + i)), Slot: int(b), Current: b&1 == 1, Stable: b&2 == 2, Leaving: b&4 == 4, Draining: b&12 == 12, Condition: Condition(b>>1) % (Running + 1), Healthy: b&64 != 0, Overdue: b&128 != 0, Group: string(rune('a' + i%3))})
		}
		target := strategy(n, health, over)
		target.Spread = n%2 == 1
		target.Held, target.Canary = n%3 == 0, n/2
		p := Next(target, seen, time.Unix(10, 0), time.Unix(int64(len(raw)), 0))
		if len(p.Launch)+len(p.Restore) > n+1 {
			t.Fatalf("%d launches for %d instances", len(p.Launch), n)
		}
	})
}

// An instance that ended keeps its slot until it is gone: a successor in
// another slot would be launched once more by a pass that does not see it yet.
func TestEndedKeepsItsPlace(t *testing.T) {
	now := time.Now()
	seen := []Instance{
		{Name: "a-0", Slot: 0, Current: true, Condition: Running, Healthy: true},
		{Name: "a-1", Slot: 1, Current: true, Condition: Ended},
	}
	p := Next(strategy(2, 1, 1), seen, now, time.Time{})
	if len(p.Kill) != 1 || p.Kill[0].Name != "a-1" || len(p.Launch) > 0 {
		t.Errorf("got %+v, want a-1 killed and nothing launched", p)
	}
	if p = Next(strategy(2, 1, 1), seen[:1], now, time.Time{}); !slices.Equal(p.Launch, []int{1}) {
		t.Errorf("got %+v, want slot 1 launched once a-1 is gone", p)
	}
}
