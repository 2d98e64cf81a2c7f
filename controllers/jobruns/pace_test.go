// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package jobruns

import (
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
)

// TestPace lets few runs through as they come, and the many of a full minute one
// after the other.
func TestPace(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(noon)
	p := &paced{clock: clock}
	for i := range 1000 {
		if got, want := p.delay(), time.Duration(max(0, i+1-crowd))*apart; got != want {
			t.Fatalf("run %d waits %s, want %s", i, got, want)
		}
	}
	clock.SetTime(noon.Add(time.Second))
	if got := p.delay(); got < 800*time.Millisecond || got > time.Second {
		t.Errorf("a second later, with a second's worth still to come, a run waits %s", got)
	}
	clock.SetTime(noon.Add(time.Minute))
	if got := p.delay(); got != 0 {
		t.Errorf("a minute later a run waits %s", got)
	}
}
