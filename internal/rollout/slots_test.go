// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"testing"
	"time"
)

// Slots are dealt to groups in turn. What is launched keeps them even, whatever
// slots those that are lost, ended or being stopped still hold.
func TestLaunchesKeepGroupsEven(t *testing.T) {
	at := func(slot int, condition Condition) Instance {
		return Instance{Slot: slot, Current: true, Condition: condition, Healthy: condition == Running}
	}
	for name, c := range map[string]struct {
		seen   []Instance
		groups int
		want   []int
	}{
		"one group, the lowest":           {[]Instance{at(0, Running), at(2, Running)}, 0, []int{1, 3}},
		"from nothing":                    {nil, 2, []int{0, 1, 2, 3}},
		"a lost one keeps its slot":       {[]Instance{at(0, Running), at(1, Lost), at(2, Running), at(3, Running)}, 2, []int{5}},
		"an ended one keeps its place":    {[]Instance{at(0, Ended), at(1, Running), at(2, Running), at(3, Running)}, 2, nil},
		"one group lost whole":            {[]Instance{at(0, Lost), at(1, Running), at(2, Lost), at(3, Running)}, 2, []int{4, 6}},
		"what is left after scaling down": {[]Instance{at(0, Running), at(3, Running)}, 3, []int{1, 2}},
	} {
		target := Target{Instances: 4, MinimumHealthCapacity: 1, MaximumOverCapacity: 1, Groups: c.groups}
		if got := Next(target, c.seen, time.Time{}, time.Time{}).Launch; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Volumes that were left by scaling down are taken up again, and a slot that has
// one is nobody else's while any instance holds it.
func TestSlotsWithVolumes(t *testing.T) {
	at := func(slot int, current bool, condition Condition) Instance {
		return Instance{Slot: slot, Current: current, Condition: condition, Healthy: condition == Running}
	}
	for name, c := range map[string]struct {
		seen   []Instance
		kept   []int
		groups int
		want   []int
	}{
		"the first time":             {nil, nil, 0, []int{0, 1, 2}},
		"the oldest were killed":     {[]Instance{at(2, true, Running)}, []int{0, 1, 2}, 0, []int{0, 1}},
		"the gap has no volume":      {[]Instance{at(0, true, Running)}, []int{0, 4, 3}, 0, []int{3, 4}},
		"one that stops holds its":   {[]Instance{at(0, true, Stopping), at(1, true, Running)}, []int{0, 1, 2}, 0, []int{2}},
		"one of before, too":         {[]Instance{at(0, false, Stopping), at(1, true, Running), at(2, true, Running)}, []int{0, 1, 2}, 0, nil},
		"what one of before left":    {[]Instance{at(0, false, Running), at(2, false, Running)}, []int{0, 1, 2}, 0, []int{1}},
		"volumes go before the even": {[]Instance{at(0, true, Running)}, []int{0, 2}, 2, []int{2, 1}},
	} {
		target := Target{Instances: 3, MinimumHealthCapacity: 0.5, Resident: true, Kept: c.kept, Groups: c.groups}
		if got := Next(target, c.seen, time.Time{}, time.Time{}).Launch; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
