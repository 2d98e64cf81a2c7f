// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import "math"

// limits are what a field may have.
type limits struct {
	// name of the field in messages.
	name     string
	min, max int
	names    []string
	first    int // the number of the first name
}

var (
	minuteLimits = limits{name: "minute", max: 59}
	hourLimits   = limits{name: "hour", max: 23}
	domLimits    = limits{name: "day of month", min: 1, max: 31}
	monthLimits  = limits{name: "month", min: 1, max: 12, first: 1, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	dowLimits    = limits{name: "day of week", max: 7, first: 1, names: []string{"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}}
	yearLimits   = limits{name: "year", max: math.MaxInt32}
)

func (l *limits) holds(n int) bool { return n >= l.min && n <= l.max }

// kind is the form of an item.
type kind int

const (
	always kind = iota // *
	exact              // 5, and with a special sign L, L-3, 15W, 5#2
	span               // 1-5
)

// item is one of what commas separate in a field.
type item struct {
	kind kind
	// value of an exact item, or where one with a period counts from; -1 without.
	value int
	// special is L, W or #, 0 for none, and nth is what follows it; -1 without.
	special byte
	nth     int
	// from and to are a span.
	from, to int
	// period is what follows a slash, 0 for none.
	period int
}

// field is one field of an expression. What follows are the rules of the engine
// of Metronome (cron-utils 9.0.0), which finds values one after the other: where
// these go wrong, a set made of the plain meaning would fire at other times.
type field struct {
	limits *limits
	items  []item
}

// all says that the field is no condition.
func (f *field) all() bool {
	return len(f.items) == 1 && f.items[0].kind == always && f.items[0].period == 0
}

// values returns the values between two as bits.
func (f *field) values(start, end int) uint64 {
	var set uint64
	add := func(v int) {
		if v >= start && v <= end {
			set |= 1 << v
		}
	}
	if len(f.items) == 1 && f.items[0].period > 0 {
		// What a step counts from counts, even if it is not reached.
		add(f.offset(f.items[0]))
	}
	if i := f.items[0]; len(f.items) == 1 && i.kind == span && i.period == 0 && i.from > i.to {
		add(i.from) // backwards, and alone: the first value is all there is
	}
	for v, ok := f.next(start); ok && v < end; v, ok = f.next(v) {
		add(v)
	}
	for _, v := range []int{start, end} {
		if f.matches(v) {
			add(v)
		}
	}
	return set
}

// next returns the value that follows a number, which need not be a value.
func (f *field) next(n int) (first int, ok bool) {
	for _, i := range f.items {
		if v, there := f.follow(i, n); there && v >= 0 && (!ok || v < first) {
			first, ok = v, true
		}
	}
	return first, ok
}

func (f *field) follow(i item, n int) (int, bool) {
	if i.period > 0 {
		return f.step(i, n)
	}
	switch i.kind {
	case exact:
		return i.value, i.value > n
	case span:
		v := max(n+1, i.from)
		return v, v <= i.to
	case always:
	}
	return n + 1, n < f.limits.max
}

// step follows an item with a period. Numbers before the one it counts from are
// in it, but for the last.
func (f *field) step(i item, n int) (int, bool) {
	from, to := f.bounds(i)
	if n >= to {
		return 0, false
	}
	v := n + i.period - (n-f.offset(i))%i.period
	if v < from {
		return from, true
	}
	return v, v <= to
}

// bounds are those within which an item with a period has values.
func (f *field) bounds(i item) (from, to int) {
	if i.kind == span {
		return max(f.limits.min, i.from), min(f.limits.max, i.to)
	}
	return f.limits.min, f.limits.max
}

// offset is what an item with a period counts from.
func (f *field) offset(i item) int {
	if i.kind == exact {
		return i.value
	}
	from, _ := f.bounds(i)
	return from
}

func (f *field) matches(n int) bool {
	for _, i := range f.items {
		from, to := f.bounds(i)
		switch {
		case i.period > 0:
			if (n-f.offset(i))%i.period == 0 && n >= from && n <= to {
				return true
			}
		case i.kind == always,
			i.kind == exact && i.value == n && (i.special == 0 || len(f.items) > 1),
			i.kind == span && i.from <= n && n <= i.to:
			return true
		}
	}
	return false
}

// isYear says whether the field of years has a year. One with a period alone
// has all years before the one that it counts from.
func (f *field) isYear(year int) bool {
	return f.matches(year) ||
		len(f.items) == 1 && f.items[0].period > 0 && f.offset(f.items[0]) > year
}
