// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Store holds names and, for each, something built of its values when it is
// first asked for: most names never are. Whoever looks a name up never waits for
// who changes it, and sees the values of one Commit, whole. Values are counted: a
// name that ten tasks share goes with the last.
type Store[T any] struct {
	build  func(name string, values []Value) T
	seed   maphash.Seed
	shards [64]shard[T]

	// mu is held by who changes values, or reads more than what was built.
	mu      sync.Mutex
	touched map[string]*entry[T]
	stats   Stats
}

// Stats is how much a store holds.
type Stats struct {
	Names, Records int
}

type shard[T any] struct {
	sync.RWMutex
	entries map[string]*entry[T]
}

type entry[T any] struct {
	// shown is what the last Commit left, nil before the first.
	shown atomic.Pointer[shown[T]]
	// values are shared with shown until they change.
	values []counted
	shared bool
	// children are the names right below. A name that has any is there, even
	// without values (RFC 8020).
	children int
}

// shown is what who looks a name up sees. Its values stay, only their counts
// change.
type shown[T any] struct {
	values []counted
	built  atomic.Pointer[T]
}

type counted struct {
	Value
	count int
}

// NewStore returns an empty store. build must not keep values.
func NewStore[T any](build func(name string, values []Value) T) *Store[T] {
	s := &Store[T]{build: build, seed: maphash.MakeSeed(), touched: map[string]*entry[T]{}}
	for i := range s.shards {
		s.shards[i].entries = map[string]*entry[T]{}
	}
	return s
}

func (s *Store[T]) shard(name string) *shard[T] {
	return &s.shards[maphash.String(s.seed, name)%uint64(len(s.shards))]
}

// Get returns what was built of a name, false if there is no such name.
func (s *Store[T]) Get(name string) (T, bool) {
	shard := s.shard(name)
	shard.RLock()
	e := shard.entries[name]
	shard.RUnlock()
	if e != nil {
		if now := e.shown.Load(); now != nil {
			return s.builtOf(name, now), true
		}
	}
	var none T
	return none, false
}

// builtOf builds what has not been built yet. Two that do so at once build the same.
func (s *Store[T]) builtOf(name string, now *shown[T]) T {
	if built := now.built.Load(); built != nil {
		return *built
	}
	built := s.build(name, list(now.values))
	now.built.Store(&built)
	return built
}

// Replace takes records away and adds others. It shows with the next Commit.
func (s *Store[T]) Replace(remove, add []Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Added first: a name that stays is not taken down in between.
	for _, r := range add {
		e := s.entry(r.Name)
		i, found := slices.BinarySearchFunc(e.values, r.Value, counted.compare)
		if found {
			e.values[i].count++
			continue
		}
		e.own()
		e.values = slices.Insert(e.values, i, counted{Value: r.Value, count: 1})
		s.touched[r.Name] = e
		s.stats.Records++
	}
	for _, r := range remove {
		e := s.shard(r.Name).entries[r.Name]
		if e == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(e.values, r.Value, counted.compare)
		if !found {
			continue
		}
		if e.values[i].count--; e.values[i].count == 0 {
			e.own()
			e.values = slices.Delete(e.values, i, i+1)
			s.touched[r.Name] = e
			s.stats.Records--
		}
	}
}

// own sees to it that nobody else sees the values.
func (e *entry[T]) own() {
	if e.shared {
		e.values, e.shared = slices.Clone(e.values), false
	}
}

func (c counted) compare(v Value) int { return c.Compare(v) }

// entry returns that of the name, a new one if need be, and sees to it that the
// names above are there, too.
func (s *Store[T]) entry(name string) *entry[T] {
	if e := s.shard(name).entries[name]; e != nil {
		return e
	}
	first := &entry[T]{}
	s.put(name, first)
	for {
		_, parent, more := strings.Cut(name, ".")
		if !more {
			return first
		}
		if e := s.shard(parent).entries[parent]; e != nil {
			e.children++
			return first
		}
		s.put(parent, &entry[T]{children: 1})
		name = parent
	}
}

func (s *Store[T]) put(name string, e *entry[T]) {
	shard := s.shard(name)
	shard.Lock()
	shard.entries[name] = e
	shard.Unlock()
	s.touched[name] = e
}

// Commit shows the names that changed, and touches no others. It returns how many
// they were.
func (s *Store[T]) Commit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := 0
	for name, e := range s.touched {
		if len(e.values) == 0 && e.children == 0 {
			s.remove(name)
			continue
		}
		if e.shown.Swap(&shown[T]{values: e.values}) == nil {
			s.stats.Names++
		}
		e.shared = true
		changed++
	}
	// A new map: the first one has had all names, and stays that large for ever.
	s.touched = map[string]*entry[T]{}
	return changed
}

// remove takes out a name, and those above that nothing is left of.
func (s *Store[T]) remove(name string) {
	for {
		shard := s.shard(name)
		e := shard.entries[name]
		if e == nil || len(e.values) > 0 || e.children > 0 {
			return
		}
		shard.Lock()
		delete(shard.entries, name)
		shard.Unlock()
		if e.shown.Swap(nil) != nil {
			s.stats.Names--
		}
		_, parent, more := strings.Cut(name, ".")
		if !more {
			return
		}
		if above := s.shard(parent).entries[parent]; above != nil {
			above.children--
		}
		name = parent
	}
}

func list(all []counted) []Value {
	values := make([]Value, len(all))
	for i := range all {
		values[i] = all[i].Value
	}
	return values
}

// Values are those of a name, in order.
func (s *Store[T]) Values(name string) []Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.shard(name).entries[name]
	if e == nil {
		return nil
	}
	return list(e.values)
}

// Each calls visit with the values of every name, until it says false. It does
// so a part of the names at a time, so that a slow visitor keeps nobody waiting.
func (s *Store[T]) Each(visit func(name string, values []Value) bool) {
	type named struct {
		name   string
		values []Value
	}
	for i := range s.shards {
		var part []named
		s.mu.Lock()
		for name, e := range s.shards[i].entries {
			if len(e.values) > 0 {
				part = append(part, named{name, list(e.values)})
			}
		}
		s.mu.Unlock()
		for _, n := range part {
			if !visit(n.name, n.values) {
				return
			}
		}
	}
}

// Stats tells how much there is.
func (s *Store[T]) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
