// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cron reads expressions of cron in the dialects of Metronome and of
// CronJob, and finds the times that they fire at. It answers as Metronome's own
// engine did, mistakes included, and says where those are. It never looks at a
// clock, and knows neither jobs nor runs.
package cron

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// horizon is how many years ahead a firing is looked for, as Metronome's engine
// did: what does not fire in these does not fire any more.
const horizon = 100

// maxLength keeps what an expression costs within bounds; the schema has the same.
const maxLength = 1024

// Expression is an expression of cron that was read.
type Expression struct {
	text   string
	plans  []plan
	quirks []string
}

// Parse reads an expression. "" is the dialect of Metronome.
func Parse(expression string, dialect v1alpha1.CronDialect) (*Expression, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, fmt.Errorf("the expression is empty: it has five fields, minute, hour, day of month, month and day of week")
	}
	if len(expression) > maxLength {
		return nil, fmt.Errorf("the expression has %d characters, and may have %d", len(expression), maxLength)
	}
	switch dialect {
	case "", v1alpha1.CronMetronome:
		return parseMetronome(expression)
	case v1alpha1.CronStandard:
		return parseStandard(expression)
	}
	return nil, fmt.Errorf("unknown dialect %q: there are %s and %s", dialect, v1alpha1.CronMetronome, v1alpha1.CronStandard)
}

// String returns the expression as Metronome answers it, with names as numbers;
// of the standard dialect as it was written.
func (e *Expression) String() string { return e.text }

// Quirks are sentences about what is likely to be meant otherwise than it is
// read.
func (e *Expression) Quirks() []string { return e.quirks }

// Next returns the first firing after a time, in its location: false if there
// is none in a hundred years. A time that the clocks of the location skip does
// not fire, one that they show twice fires twice.
func (e *Expression) Next(after time.Time) (time.Time, bool) {
	last := after.Year() + horizon
	t, known := after, int64(math.MinInt64)
	// In a time without a change of offset local time runs on evenly, so that it
	// can be searched by the calendar alone. Then comes the next such time.
	from := func(local int64) int64 { return floor(local, 60) + 1 }
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if !end.IsZero() && !end.After(t) {
			end = t.Add(time.Hour) // so it is told on the last day of a leap year, from 2038 on
		}
		minute, ok := e.next(max(known, from(t.Unix()+int64(offset))), last)
		if !ok {
			return time.Time{}, false
		}
		found := minute*60 - int64(offset)
		if end.IsZero() || found < end.Unix() {
			return time.Unix(found, 0).In(after.Location()), true
		}
		from = func(local int64) int64 { return -floor(-local, 60) }
		// Right after a change of offset local times come again, or come early. Far
		// from it they do not: nothing fires before the minute that was found.
		known = math.MinInt64
		if far := found - 2*day; end.Unix()-t.Unix() > 2*day && far > end.Unix() {
			end, known = time.Unix(far, 0), minute
		}
		t = end.In(after.Location())
	}
}

const day = 24 * 60 * 60

// next is the first of what the plans have, as a count of local minutes.
func (e *Expression) next(minute int64, last int) (first int64, ok bool) {
	for i := range e.plans {
		if found, there := e.plans[i].next(minute, last); there && (!ok || found < first) {
			first, ok = found, true
		}
	}
	return first, ok
}

// floor divides and rounds down, below zero too.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
