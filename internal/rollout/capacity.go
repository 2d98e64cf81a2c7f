// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"math"
	"slices"
)

// capacity returns the number of healthy instances an upgrade keeps and the
// number of instances it may have at once, with Marathon's rounding.
func (t Target) capacity() (minHealthy, maxCapacity int) {
	n := float64(t.Instances)
	return int(math.Ceil(n * t.MinimumHealthCapacity)), int(math.Floor(n * (1 + t.MaximumOverCapacity)))
}

// room is how many healthy instances may go now, and how many instances there may be.
func (t Target) room(c *census) (killNow, maxCapacity int) {
	minHealthy, maxCapacity := t.capacity()
	killNow = c.healthy - minHealthy
	if minHealthy == maxCapacity && maxCapacity <= c.healthy {
		if t.Resident {
			killNow++
		} else {
			maxCapacity++
		}
	}
	return killNow, maxCapacity
}

// spares is how many instances there are to be beyond those asked for: where
// none may be missing, one that leaves with its node needs its successor first. A
// single one does so where whoever empties the node is known to wait.
func (t Target) spares(c *census) int {
	minHealthy, _ := t.capacity()
	if t.Resident || t.PerNode || t.Instances < 1 || minHealthy < t.Instances {
		return 0
	}
	for _, i := range c.current {
		if i.Draining || i.Leaving && t.Instances > 1 {
			return 1
		}
	}
	return 0
}

// inLine are the launches of so many that may wait for a quota now.
func (t Target) inLine(seen []Instance, launch, restore int) (launches, restores int) {
	if t.MostGated == 0 {
		return launch, restore
	}
	room := t.MostGated
	for _, i := range seen {
		if i.Gated && i.Condition == Staging {
			room--
		}
	}
	room = max(room, 0)
	launches = min(launch, room)
	return launches, min(restore, room-launches)
}

// unhealthyFirst sorts instances, those to give up first: the unhealthy, then as in killOrder.
func (t Target) unhealthyFirst(instances []Instance) []Instance {
	return slices.SortedStableFunc(slices.Values(instances), func(a, b Instance) int {
		if a.Healthy != b.Healthy {
			return less(!a.Healthy)
		}
		return t.killOrder(a, b)
	})
}

// killOrder sorts instances, those to give up first: the less far, those that wait
// for a quota, those whose node is being emptied, then by killSelection. Health plays no part, as in Marathon.
func (t Target) killOrder(a, b Instance) int {
	if a.Condition != b.Condition {
		return cmp.Compare(a.Condition, b.Condition)
	}
	if a.Gated != b.Gated {
		return less(a.Gated)
	}
	if a.Leaving != b.Leaving {
		return less(a.Leaving)
	}
	age := cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Slot, b.Slot))
	if t.OldestFirst {
		return age
	}
	return -age
}

// census counts instances.
type census struct {
	// current and old hold the instances that are there to stay.
	current, old []Instance
	// failing are those of both that are held back, ended those with nothing
	// to wait for, expunged those nobody will hear of again.
	failing, ended, expunged []Instance
	// currentStopping and oldStopping are the numbers of those on their way out.
	currentStopping, oldStopping int
	// healthy counts current and old ones, currentHealthy current ones only.
	healthy, currentHealthy int
	// hadCurrent says that there is any instance of the current configuration.
	hadCurrent bool
}

func count(seen []Instance) census {
	var c census
	for _, i := range seen {
		c.hadCurrent = c.hadCurrent || i.Current
		switch i.Condition {
		case Lost:
			// Nothing to do about it but to replace it, and in the end to forget it.
			if i.Overdue {
				c.expunged = append(c.expunged, i)
			}
		case Ended:
			// It keeps its place until it is gone: were its successor to get
			// another slot, a pass that does not see that yet would launch one
			// more into this.
			c.ended = append(c.ended, i)
			c.leave(i)
		case Stopping:
			c.leave(i)
		case Unreachable, Staging, Failing, Running:
			c.add(i)
		}
	}
	return c
}

// leave counts an instance on its way out.
func (c *census) leave(i Instance) {
	if i.Current {
		c.currentStopping++
	} else {
		c.oldStopping++
	}
}

func (c *census) add(i Instance) {
	if i.Condition == Failing {
		c.failing = append(c.failing, i)
	}
	if i.Current {
		c.current = append(c.current, i)
	} else {
		c.old = append(c.old, i)
	}
	if i.Healthy {
		c.healthy++
		if i.Current {
			c.currentHealthy++
		}
	}
}

// stop counts the instances that are to stop as those that do.
func (c *census) stop(which func(Instance) bool) {
	before, beforeOld := len(c.current), len(c.old)
	c.current = slices.DeleteFunc(c.current, which)
	c.old = slices.DeleteFunc(c.old, which)
	c.currentStopping += before - len(c.current)
	c.oldStopping += beforeOld - len(c.old)
}

// evenly puts first, of instances in their kill order, the n that leave groups
// of even sizes: one of the largest group after the other, as Marathon keeps a
// GROUP_BY constraint when it scales down.
func evenly(order []Instance, n int) []Instance {
	var names []string
	groups := map[string][]Instance{}
	for _, i := range order {
		if groups[i.Group] == nil {
			names = append(names, i.Group)
		}
		groups[i.Group] = append(groups[i.Group], i)
	}
	victims := make([]Instance, 0, n)
	for range n {
		largest := names[0]
		for _, name := range names[1:] {
			if len(groups[name]) > len(groups[largest]) {
				largest = name
			}
		}
		victims = append(victims, groups[largest][0])
		groups[largest] = groups[largest][1:]
	}
	return victims
}

// all is the number of instances that use resources.
func (c *census) all() int {
	return len(c.current) + len(c.old) + c.currentStopping + c.oldStopping
}

// settled says that nothing is under way that would change the counts.
func (c *census) settled() bool {
	return c.oldStopping == 0 && c.currentStopping == 0 && c.currentHealthy == len(c.current) && len(c.old) > 0
}

// blocked says that an upgrade goes on as soon as a quota has room, and not before.
func (c *census) blocked() bool {
	gated := 0
	for _, i := range c.current {
		if i.Gated {
			gated++
		}
	}
	return gated > 0 && gated+c.currentHealthy == len(c.current) && c.currentStopping+c.oldStopping == 0
}

// freeSlots returns n slots that no instance of a configuration holds, be it on
// its way out or lost, and where slots have volumes none of any: those with
// volumes first, and then the lowest, in whichever group has the fewest
// instances that stay.
func (t Target) freeSlots(seen []Instance, of func(Instance) bool, staying []Instance, n int) []int {
	if n <= 0 {
		return nil
	}
	taken := make(map[int]bool, len(seen))
	for _, i := range seen {
		if of(i) || t.Resident {
			taken[i.Slot] = true
		}
	}
	groups := t.Groups
	if groups > len(seen)+n {
		// Each of the lowest slots is a group of its own.
		groups = 1
	}
	held, next := make([]int, max(groups, 1)), make([]int, max(groups, 1))
	for _, i := range staying {
		held[i.Slot%len(held)]++
	}
	free := make([]int, 0, n)
	for _, slot := range slices.Sorted(slices.Values(t.Kept)) {
		if len(free) < n && !taken[slot] {
			free = append(free, slot)
			taken[slot] = true
			held[slot%len(held)]++
		}
	}
	for group := range next {
		next[group] = group
	}
	for level := slices.Min(held); len(free) < n; level++ {
		for group := 0; group < len(held) && len(free) < n; group++ {
			if held[group] > level {
				continue
			}
			for taken[next[group]] {
				next[group] += len(held)
			}
			free = append(free, next[group])
			next[group] += len(held)
			held[group]++
		}
	}
	return slices.Clip(free)
}

func less(is bool) int {
	if is {
		return -1
	}
	return 1
}
