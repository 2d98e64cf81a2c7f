// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// daysOf are the most days of each month.
var daysOf = []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// checkDays is the rule that Metronome has beside its engine: a day that none of
// the months has is refused. It looks at single values and ranges only, and takes
// the end of a range for none of it: it refuses 31 2-3, and takes 31 4,6.
func (x *expression) checkDays() error {
	days, months := plainValues(x.fields[domField]), plainValues(x.fields[monthField])
	if len(days) == 0 || len(months) == 0 {
		return nil
	}
	for _, month := range months {
		for _, day := range days {
			if day <= daysOf[month-1] {
				return nil
			}
		}
	}
	return errors.New("Day of the month must exist in the provided month (e.g. February has only <= 29 days so running cron on Feb 30 is invalid)")
}

func plainValues(f *field) []int {
	i := f.items[0]
	switch {
	case len(f.items) > 1 || i.period > 0 || i.kind == always:
		return nil
	case i.kind == exact:
		return []int{i.value}
	}
	var values []int
	for v := i.from; v < i.to; v++ {
		values = append(values, v)
	}
	return values
}

// plan makes the sets that the expression is about.
func (x *expression) plan() (plan, error) {
	p := plan{
		minutes: x.fields[minuteField].values(0, 59),
		hours:   x.fields[hourField].values(0, 23),
		months:  x.fields[monthField].values(1, 12),
		years:   x.fields[yearField],
	}
	for i, set := range []uint64{minuteField: p.minutes, hourField: p.hours, monthField: p.months} {
		if set == 0 && i != domField {
			return p, fmt.Errorf("%s: in a list Metronome takes no value of a range backwards, so that there is none left", metronomeLimits[i].name)
		}
	}
	x.planWeek(&p.days)
	return p, x.planMonth(&p)
}

// planMonth makes the days that the field of days of the month is about. L, W
// and # mean something where they are alone only.
func (x *expression) planMonth(p *plan) error {
	f := x.fields[domField]
	i := f.items[0]
	for n := range p.days.ofMonth {
		length := 28 + n
		switch {
		case len(f.items) > 1 || i.special == 0:
			p.days.ofMonth[n] = f.values(1, length)
		case i.special == 'L':
			if day := length - max(i.nth, 0); day > 0 {
				p.days.ofMonth[n] = 1 << day
			}
		}
	}
	if len(f.items) > 1 || i.special != 'W' {
		return nil
	}
	p.days.nearest = i.value
	for month := range 12 {
		shortest := daysOf[month]
		if shortest == 29 {
			shortest = 28
		}
		if i.value > shortest && p.months&(2<<month) != 0 {
			return fmt.Errorf("%s: Metronome takes %dW and fails in a month without a day %d; a month that has less is among those of the expression", f.limits.name, i.value, i.value)
		}
	}
	return nil
}

// planWeek makes the days that the field of days of the week is about.
func (x *expression) planWeek(d *days) {
	for _, i := range x.fields[dowField].items {
		switch {
		case i.period > 0:
			// What a step counts from is forgotten.
			from, to := x.fields[dowField].bounds(i)
			for v := from; v <= to; v += i.period {
				d.week |= 1 << (v % 7)
			}
		case i.kind == always:
			d.week = 1<<7 - 1
		case i.kind == span:
			for v := i.from; v != i.to; v = (v + 1) % 8 {
				d.week |= 1 << (v % 7)
			}
			d.week |= 1 << (i.to % 7)
		case i.special == '#':
			if i.nth >= 1 && i.nth < len(d.nth) {
				d.nth[i.nth] |= 1 << i.value
			}
		case i.special == 'L' && i.value >= 0:
			d.last |= 1 << i.value
		case i.special == 'L':
			d.week |= 1 // Sunday, whatever the month
		case i.special == 0:
			d.week |= 1 << i.value
		}
	}
}

// texts are the fields as Metronome answers them.
func (x *expression) texts() []string {
	var texts []string
	for _, f := range x.fields {
		if f == nil {
			continue
		}
		items := make([]string, 0, len(f.items))
		for _, i := range f.items {
			items = append(items, i.String())
		}
		texts = append(texts, strings.Join(items, ","))
	}
	return texts
}

// String is the item as Metronome answers it.
func (i item) String() string {
	text := "*"
	switch i.kind {
	case span:
		text = fmt.Sprintf("%d-%d", i.from, i.to)
	case exact:
		text = i.exact()
	case always:
		if i.period == 1 {
			return text
		}
	}
	if i.period > 0 {
		text += "/" + strconv.Itoa(i.period)
	}
	return text
}

func (i item) exact() string {
	text := ""
	if i.value >= 0 {
		text = strconv.Itoa(i.value)
	}
	switch {
	case i.special == '#':
		text += "#" + strconv.Itoa(i.nth)
	case i.special != 0:
		text += string(i.special)
	}
	if i.special == 'L' && i.nth >= 0 {
		text += "-" + strconv.Itoa(i.nth)
	}
	return text
}
