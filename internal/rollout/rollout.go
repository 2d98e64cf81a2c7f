// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rollout decides what to do next about the tasks of an app: which to
// launch, which to kill and why. It is Marathon's engine as a pure planner:
// what is there goes in, actions come out. It reads no clock, keeps no memory
// and never sees a Pod.
//
// Marathon's TaskReplaceActor counts kills while it lives; a newly elected
// leader starts it again from what it finds. This planner decides every time
// as such a new leader would, so being killed at any point changes nothing.
package rollout

import (
	"slices"
	"time"
)

// Condition is how far an instance has come. The order is the order in which
// Marathon gives instances up when it scales down.
type Condition int

// The conditions of an instance.
const (
	// Lost instances are on a node that has not answered for too long, or were
	// to be gone long ago: they are replaced.
	Lost Condition = iota
	// Ended instances have no running process and will not get one again.
	Ended
	// Stopping instances were told to stop and may still run.
	Stopping
	// Unreachable instances are on a node that does not answer, and may return
	// with it: they keep their place.
	Unreachable
	// Staging instances have no place or no started container yet.
	Staging
	// Failing instances ended and are held back from starting again.
	Failing
	// Running instances run.
	Running
)

// Instance is one task of an app.
type Instance struct {
	// Name identifies the instance in actions.
	Name string
	// Slot is its number within its configuration.
	Slot int
	// Current says that it runs the configuration the app has now.
	Current bool
	// Stable says that it runs the one that an upgrade leaves.
	Stable bool
	// Leaving says that its node is being emptied.
	Leaving bool
	// Gated says that it waits for a quota, and uses nothing.
	Gated bool
	// Draining says that it is by maintenance, which waits for the successor even
	// of a single instance.
	Draining bool
	// Condition is how far it has come.
	Condition Condition
	// Healthy says that it runs and passes its health checks, if there are any.
	Healthy bool
	// Overdue says that it should have started by now, or that a Lost one is
	// given up for good, even if its node returns.
	Overdue bool
	// Group is the value that a GROUP_BY constraint groups it under, if there is one.
	Group string
	// Started is when it was launched.
	Started time.Time
}

// Target is what an app asks for.
type Target struct {
	// Instances is the number of tasks to run.
	Instances int
	// MinimumHealthCapacity and MaximumOverCapacity are the upgradeStrategy, 0 to 1.
	MinimumHealthCapacity, MaximumOverCapacity float64
	// Resident says that tasks keep volumes, so that a replacement can't
	// start beside what it replaces, and no instance gets the slot of another.
	Resident bool
	// Kept are the slots that have volumes: they are taken before new ones.
	Kept []int
	// OldestFirst is the killSelection; otherwise the youngest go first.
	OldestFirst bool
	// Spread says that a GROUP_BY constraint is to be kept by scaling down.
	Spread bool
	// Groups is the number of groups that slots are dealt to in turn, and that
	// are kept even by the slots that are launched; 0 is one group.
	Groups int
	// PerNode says that each instance has a node of its own, and no other is for it.
	PerNode bool
	// MostGated is how many instances may wait for a quota at once; 0 is any
	// number. The others are not launched before.
	MostGated int
	// Yields says that an upgrade which waits for a quota stops an old instance
	// more than MinimumHealthCapacity allows, to make room.
	Yields bool
	// Held says that an upgrade waits once there are Canary instances of the
	// current configuration. The others stay, and are restored if they end.
	Held   bool
	Canary int
}

// Reason is why an action is taken.
type Reason string

// The reasons of actions.
const (
	Deploy  Reason = "deploy"
	Scale   Reason = "scale"
	Upgrade Reason = "upgrade"
	Recover Reason = "recover"
	// Timeout is that of a launch: the task did not start.
	Timeout Reason = "timeout"
	// Expunge gives up a task whose node does not answer.
	Expunge Reason = "expunge"
)

// Kill is an instance to stop.
type Kill struct {
	Name   string
	Reason Reason
}

// Plan is what to do now.
type Plan struct {
	// Launch are the slots of the current configuration to start.
	Launch []int
	// LaunchReason is why.
	LaunchReason Reason
	// Restore are the slots to start of the configuration that an upgrade leaves.
	Restore []int
	// Kill are the instances to stop.
	Kill []Kill
	// Spares is how many instances there are to be beyond those asked for.
	Spares int
	// After is when to look again, if nothing happens before; 0 is not needed.
	After time.Duration
}

// Next decides what to do now about the instances of an app. Launches, and
// kills of failing instances that make room for one, wait for nextLaunch.
func Next(t Target, seen []Instance, now, nextLaunch time.Time) Plan {
	c := count(seen)
	p := Plan{LaunchReason: Deploy}
	p.cleanUp(&c, now, nextLaunch)
	var launch, restore int
	switch {
	case t.Instances > 0 && t.Held:
		p.LaunchReason = Upgrade
		launch, restore = p.hold(t, &c)
	case t.Instances > 0 && (len(c.old) > 0 || c.oldStopping > 0):
		p.LaunchReason = Upgrade
		launch = p.upgrade(t, &c)
	default:
		launch = p.scale(t, &c)
	}
	if launch+restore > 0 && now.Before(nextLaunch) {
		p.wait(nextLaunch.Sub(now))
		launch, restore = 0, 0
	}
	launch, restore = t.inLine(seen, launch, restore)
	p.Launch = t.freeSlots(seen, func(i Instance) bool { return i.Current }, c.current, launch)
	seen = slices.Clip(seen)
	for _, slot := range p.Launch {
		seen = append(seen, Instance{Slot: slot, Current: true})
	}
	p.Restore = t.freeSlots(seen, func(i Instance) bool { return i.Stable }, c.old, restore)
	return p
}

// scale brings the instances to the number asked for. An instance that is
// being stopped keeps its place until it is gone: a single instance never
// overlaps with its successor.
func (p *Plan) scale(t Target, c *census) int {
	if c.hadCurrent {
		p.LaunchReason = Scale
	}
	p.killAll(c.old, Scale)
	p.Spares = t.spares(c)
	p.killSurplus(t, c, t.Instances+p.Spares)
	return t.Instances + p.Spares - len(c.current) - c.currentStopping
}

// upgrade replaces instances of older configurations by Marathon's arithmetic.
func (p *Plan) upgrade(t Target, c *census) int {
	killNow, maxCapacity := t.room(c)
	// Each new healthy instance makes one old one superfluous, healthy or not.
	killNow = max(killNow, len(c.old)+c.currentHealthy-t.Instances)
	p.killSurplus(t, c, t.Instances)
	victims := t.unhealthyFirst(c.old)
	p.killAll(victims[:min(max(killNow, 0), len(victims))], Upgrade)

	launch := min(t.Instances-len(c.current), maxCapacity-c.all())
	if launch <= 0 && len(p.Kill) == 0 && c.settled() && !victims[0].Healthy {
		// No room, nothing under way, and an old instance that serves nobody:
		// Marathon would wait for ever for it to die.
		p.killAll(victims[:1], Upgrade)
	}
	if t.Yields && len(p.Kill) == 0 && len(victims) > 0 && c.blocked() {
		p.killAll(victims[:1], Upgrade)
	}
	return launch
}

// hold takes an upgrade as far as it may go, or back to there: so many instances
// of the current configuration, the others of the one it leaves.
func (p *Plan) hold(t Target, c *census) (launch, restore int) {
	wanted := min(t.Canary, t.Instances)
	others := t.Instances - wanted
	killNow, maxCapacity := t.room(c)
	surplus := slices.Concat(
		t.unhealthyFirst(c.current)[:max(len(c.current)-wanted, 0)],
		t.unhealthyFirst(c.old)[:max(len(c.old)-others, 0)])
	for _, i := range surplus {
		if i.Healthy {
			killNow--
		}
		if !i.Healthy || killNow >= 0 {
			p.killAll([]Instance{i}, Upgrade)
		}
	}
	room := max(maxCapacity-c.all(), 0)
	launch = min(max(wanted-len(c.current)-c.currentStopping, 0), room)
	return launch, min(max(others-len(c.old)-c.oldStopping, 0), room-launch)
}

// cleanUp removes what has ended, and what fails once its successor may start.
func (p *Plan) cleanUp(c *census, now, nextLaunch time.Time) {
	p.killAll(c.ended, Recover)
	p.killAll(c.expunged, Expunge)
	p.relaunch(c)
	if len(c.failing) == 0 {
		return
	}
	if now.Before(nextLaunch) {
		// A failing instance stays until its successor may start: its
		// output can be read, and the kubelet may yet revive it.
		p.wait(nextLaunch.Sub(now))
		return
	}
	p.killAll(c.failing, Recover)
	c.stop(func(i Instance) bool { return i.Condition == Failing })
}

// relaunch stops what did not start in time: elsewhere it may. As in Marathon,
// this is a kill, and no launch waits for it.
func (p *Plan) relaunch(c *census) {
	overdue := func(i Instance) bool { return i.Condition == Staging && i.Overdue }
	p.killAll(slices.DeleteFunc(slices.Concat(c.current, c.old), func(i Instance) bool { return !overdue(i) }), Timeout)
	c.stop(overdue)
}

// killSurplus stops instances of the current configuration over the number wanted.
func (p *Plan) killSurplus(t Target, c *census, wanted int) {
	surplus := len(c.current) - wanted
	if surplus <= 0 {
		return
	}
	victims := slices.Clone(c.current)
	slices.SortStableFunc(victims, t.killOrder)
	if t.Spread {
		victims = evenly(victims, surplus)
	}
	p.killAll(victims[:surplus], Scale)
}

func (p *Plan) killAll(instances []Instance, why Reason) {
	for _, i := range instances {
		p.Kill = append(p.Kill, Kill{Name: i.Name, Reason: why})
	}
}

func (p *Plan) wait(d time.Duration) {
	if p.After == 0 || d < p.After {
		p.After = d
	}
}
