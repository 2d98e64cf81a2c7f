// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func newTestStore() *Store[[]Value] {
	return NewStore(func(_ string, values []Value) []Value { return slices.Clone(values) })
}

func testTask(app, instance int) Task {
	port := int32(80)
	t := Task{
		Name: fmt.Sprintf("web.app%d", app), Framework: "marathon", Discovered: true, ID: fmt.Sprintf("app%d.%d", app, instance),
		Agent: Agent(fmt.Sprint(instance % 5)), IPs: ips(fmt.Sprintf("9.%d.%d.1", app%200, instance)), NodeIPs: ips(fmt.Sprintf("10.0.0.%d", instance%5)),
		Ports: []v1alpha1.DiscoveryPort{{Name: "http", Number: port, Protocol: tcp}},
	}
	if app%2 == 1 {
		t.Ports[0].HostPort = 8080
	}
	return t
}

// all is what a store answers: every name, those without values too.
func all(s *Store[[]Value]) map[string][]Value {
	out := map[string][]Value{}
	for i := range s.shards {
		for name := range s.shards[i].entries {
			if values, found := s.Get(name); found {
				out[name] = append([]Value{}, values...)
			}
		}
	}
	return out
}

// TestStoreIsWhatARebuildIs adds and removes tasks by chance. What is there is
// always what a store filled from nothing has.
func TestStoreIsWhatARebuildIs(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		s, running := newTestStore(), map[[2]int]Task{}
		for step := range 60 {
			for range 1 + rnd.IntN(20) {
				key := [2]int{rnd.IntN(6), rnd.IntN(8)}
				old, was := running[key]
				var remove, add []Record
				if was {
					remove = old.Records()
					delete(running, key)
				}
				if !was || rnd.IntN(3) == 0 {
					task := testTask(key[0], key[1])
					if rnd.IntN(4) == 0 {
						task.IPs = ips(fmt.Sprintf("9.255.0.%d", rnd.IntN(3)))
					}
					running[key] = task
					add = task.Records()
				}
				s.Replace(remove, add)
			}
			s.Commit()
			fresh := newTestStore()
			for _, task := range running {
				fresh.Replace(nil, task.Records())
			}
			fresh.Commit()
			if diff := cmp.Diff(all(fresh), all(s), cmp.Comparer(func(a, b Value) bool { return a == b })); diff != "" {
				t.Fatalf("seed %d, step %d (-rebuilt +changed):\n%s", seed, step, diff)
			}
			if fresh.Stats() != s.Stats() {
				t.Fatalf("seed %d, step %d: %+v, rebuilt %+v", seed, step, s.Stats(), fresh.Stats())
			}
		}
		for _, task := range running {
			s.Replace(task.Records(), nil)
		}
		s.Commit()
		if left := all(s); len(left) != 0 || s.Stats() != (Stats{}) {
			t.Fatalf("left: %v, %+v", left, s.Stats())
		}
	}
}

// TestStoreRebuildsWhatChanged counts the names that are built anew: those of
// the one task that changed, however many others there are.
func TestStoreRebuildsWhatChanged(t *testing.T) {
	s := newTestStore()
	for app := range 200 {
		for i := range 3 {
			task := testTask(app, i)
			s.Replace(nil, task.Records())
		}
	}
	if built := s.Commit(); built < 3000 {
		t.Fatalf("only %d names", built)
	}
	before := testTask(4, 1)
	after := before
	after.IPs = ips("9.9.9.9")
	s.Replace(before.Records(), after.Records())
	// Both spellings of its name and of its own, and two of dcos-net.
	if built := s.Commit(); built != 6 {
		t.Errorf("another address: %d names were built", built)
	}
	s.Replace(after.Records(), after.Records())
	if built := s.Commit(); built != 0 {
		t.Errorf("no change: %d names were built", built)
	}
	if _, found := s.Get("app4.marathon.mesos"); !found {
		t.Error("a name above others is not there")
	}
}

// TestStoreAnswersWhileItChanges has a name that is always there, with one of
// two values.
func TestStoreAnswersWhileItChanges(t *testing.T) {
	s := newTestStore()
	tasks := [2]Task{testTask(1, 1), testTask(1, 1)}
	tasks[1].NodeIPs = ips("10.9.9.9")
	s.Replace(nil, tasks[0].Records())
	s.Commit()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if values, found := s.Get("web-app1.marathon.mesos"); !found || len(values) != 1 {
					t.Errorf("%v, %t", values, found)
					return
				}
			}
		})
	}
	for i := range 2000 {
		s.Replace(tasks[i%2].Records(), tasks[(i+1)%2].Records())
		s.Commit()
	}
	close(stop)
	readers.Wait()
}

// FuzzStore reads each byte as a change of a record.
func FuzzStore(f *testing.F) {
	f.Add("aAbB.x.")
	f.Fuzz(func(t *testing.T, script string) {
		s, counts := newTestStore(), map[Record]int{}
		for i := range len(script) {
			c := script[i]
			r := Record{Name: strings.Repeat("a.", int(c>>1)%4) + string('a'+rune(c>>3)%3), Value: Value{Target: "t", Port: uint16(c>>5)%2 + 1}}
			if c%2 == 0 {
				s.Replace(nil, []Record{r})
				counts[r]++
			} else {
				s.Replace([]Record{r}, nil)
				if counts[r]--; counts[r] <= 0 {
					delete(counts, r)
				}
			}
			if c%7 == 0 {
				s.Commit()
			}
		}
		s.Commit()
		fresh := newTestStore()
		for r, count := range counts {
			for range count {
				fresh.Replace(nil, []Record{r})
			}
		}
		fresh.Commit()
		if diff := cmp.Diff(all(fresh), all(s), cmp.Comparer(func(a, b Value) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	s := newTestStore()
	for app := range 10000 {
		for i := range 3 {
			task := testTask(app, i)
			s.Replace(nil, task.Records())
		}
	}
	s.Commit()
	one, two := testTask(3, 1), testTask(3, 1)
	two.IPs = ips("9.9.9.9")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%2 == 0 {
			s.Replace(one.Records(), two.Records())
		} else {
			s.Replace(two.Records(), one.Records())
		}
		s.Commit()
	}
}
