// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// quirks are what Metronome reads in another way than people who wrote the
// expression, or who know CronJob, may think.
func (x *expression) quirks() []string {
	var all []string
	if x.fields[yearField] != nil {
		all = append(all, "the sixth field is the year: there are no seconds")
		if i := x.fields[yearField].items[0]; len(x.fields[yearField].items) == 1 && i.period > 0 && x.fields[yearField].offset(i) > 0 {
			all = append(all, fmt.Sprintf("year %s: it fires in all years before %d, too", i, x.fields[yearField].offset(i)))
		}
	}
	if !x.fields[domField].all() && !x.fields[dowField].all() {
		all = append(all, "day of month and day of week are both given: it fires on days that match both, where a CronJob fires on days that match either")
	}
	for _, n := range []int{minuteField, hourField, domField, monthField} {
		all = append(all, x.fields[n].backwards()...)
		all = append(all, x.fields[n].early()...)
	}
	all = append(all, x.monthQuirks()...)
	return append(all, x.weekQuirks()...)
}

// backwards tells of ranges whose end comes before their beginning.
func (f *field) backwards() []string {
	var all []string
	for _, i := range f.items {
		if i.kind != span || i.from <= i.to {
			continue
		}
		is := fmt.Sprintf("it is %d and nothing else", i.from)
		if len(f.items) > 1 {
			is = "in a list Metronome takes no more than its first value, and mostly not even that"
		}
		all = append(all, fmt.Sprintf("%s %s goes backwards: %s; write %d-%d,%d-%d for what it seems to be",
			f.limits.name, i, is, i.from, f.limits.max, f.limits.min, i.to))
	}
	return all
}

// early tells of steps that have values before the one that they count from.
func (f *field) early() []string {
	for _, i := range f.items {
		alone := field{limits: f.limits, items: []item{i}}
		if i.kind != exact || i.period == 0 || alone.values(f.limits.min, f.limits.max)&(1<<i.value-1) == 0 {
			continue
		}
		return []string{fmt.Sprintf("%s %s: values before %d are in it, too, so that the field is %s; write %d-%d/%d for what it seems to be",
			f.limits.name, i, i.value, listed(f.values(f.limits.min, f.limits.max)), i.value, f.limits.max, i.period)}
	}
	return nil
}

func listed(set uint64) string {
	var values []string
	for ; set != 0; set &= set - 1 {
		values = append(values, strconv.Itoa(bits.TrailingZeros64(set)))
	}
	return strings.Join(values, ",")
}

func (x *expression) monthQuirks() []string {
	f := x.fields[domField]
	var all []string
	for _, i := range f.items {
		alone, text := len(f.items) == 1, "day of month "+i.String()
		switch {
		case i.special == 'L' && !alone:
			all = append(all, text+": L counts where it is alone only, in a list it is no day")
		case i.special == 'L' && i.value >= 0:
			all = append(all, text+" is the last day of the month, whatever the number")
		case i.special == 'W' && !alone:
			all = append(all, fmt.Sprintf("%s: W counts where it is alone only, in a list it is day %d", text, i.value))
		case i.special == '#' && !alone:
			all = append(all, fmt.Sprintf("%s: # is for days of the week, in a list of days of the month it is day %d", text, i.value))
		case i.special == '#':
			all = append(all, text+": # is for days of the week, it never fires")
		case alone && i.period > 0 && f.offset(i) > 28:
			all = append(all, fmt.Sprintf("%s: Metronome failed in months without a day %d, here they are skipped", text, f.offset(i)))
		}
	}
	return all
}

func (x *expression) weekQuirks() []string {
	var all []string
	if x.droppedL {
		all = append(all, fmt.Sprintf("day of week: the L after a name is dropped, so that it is each day %s, not the last of the month", x.fields[dowField].items[0]))
	}
	for _, i := range x.fields[dowField].items {
		text := "day of week " + i.String()
		switch {
		case i.special == 'L' && i.value < 0:
			all = append(all, text+" is every Sunday")
		case i.special == 'W':
			all = append(all, text+": W is for days of the month, it is no day")
		case i.special == '#' && (i.nth < 1 || i.nth > 5):
			all = append(all, fmt.Sprintf("%s: no month has a day of the week for the %d. time", text, i.nth))
		case i.kind == exact && i.period > 0:
			all = append(all, fmt.Sprintf("%s: the step counts from Sunday, whatever the number, as */%d does", text, i.period))
		}
	}
	return all
}
