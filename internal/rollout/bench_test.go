// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkNext is a decision about thousands of instances: at rest, and in the
// middle of an upgrade.
func BenchmarkNext(b *testing.B) {
	now := time.Unix(1700000000, 0)
	for _, n := range []int{1, 5000} {
		for _, old := range []int{0, n / 2} {
			seen := make([]Instance, n)
			for i := range seen {
				seen[i] = Instance{
					Name: fmt.Sprintf("web-0123456789-%d", i), Slot: i, Current: i >= old,
					Condition: Running, Healthy: true, Started: now.Add(time.Duration(i) * time.Millisecond),
				}
			}
			b.Run(fmt.Sprintf("%d instances, %d old", n, old), func(b *testing.B) {
				for b.Loop() {
					Next(strategy(n, 0.75, 0.25), seen, now, time.Time{})
				}
			})
		}
	}
}
