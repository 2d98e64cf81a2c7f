// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"math"
	"time"
)

// DelayPolicy are an app's launch delay settings.
type DelayPolicy struct {
	// Initial is the delay after the first failure, Max the longest.
	Initial, Max time.Duration
	// Factor is what each further failure multiplies the delay with, 1 or more.
	Factor float64
}

// Backoff is the state of a launch delay. The zero value is no delay.
type Backoff struct {
	// Failures is how often tasks failed.
	Failures int
	// Last is when the last failure was.
	Last time.Time
}

// Observe returns the state after the given failures, those already counted
// left out, and forgets a delay that has long passed.
func (b Backoff) Observe(policy DelayPolicy, failures []time.Time, now time.Time) Backoff {
	last := b.Last
	for _, at := range failures {
		if at.After(b.Last) {
			if b.Failures < math.MaxInt32 {
				b.Failures++
			}
			if at.After(last) {
				last = at
			}
		}
	}
	b.Last = last
	if b.Failures > 0 && now.After(b.Forgotten(policy)) {
		return Backoff{Last: b.Last}
	}
	return b
}

// NextLaunch is the earliest time of the next launch; the zero time without delay.
func (b Backoff) NextLaunch(policy DelayPolicy) time.Time {
	if b.Failures == 0 {
		return time.Time{}
	}
	return b.Last.Add(policy.delay(b.Failures))
}

// Forgotten is when the delay no longer counts: when nothing failed for the
// longest delay after the next launch.
func (b Backoff) Forgotten(policy DelayPolicy) time.Time {
	return b.NextLaunch(policy).Add(policy.Max)
}

// delay is Marathon's: initial × factor^(failures-1), never over the maximum.
func (p DelayPolicy) delay(failures int) time.Duration {
	d := p.Initial.Seconds() * math.Pow(p.Factor, float64(failures-1))
	if limit := p.Max.Seconds(); d > limit || math.IsNaN(d) {
		d = limit
	}
	return time.Duration(d * float64(time.Second))
}
