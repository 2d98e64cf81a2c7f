// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"math/bits"
	"time"
)

// plan is what an expression comes to: sets of minutes, hours and months as bits,
// and what makes the set of days of a month.
type plan struct {
	minutes, hours, months uint64
	days                   days
	// years is nil for every year.
	years *field
}

// days says which days of a month there are.
type days struct {
	// ofMonth are the days of months of 28 to 31 days.
	ofMonth [4]uint64
	// nearest is the day of month whose nearest weekday is meant in place of ofMonth; 0 if none is.
	nearest int
	// week are days of the week, Sunday first; last are those that are meant once,
	// the last of the month, and nth[n] those that are meant for the nth time.
	week, last uint64
	nth        [6]uint64
	// either takes days that are in one of both, ofMonth and week; without it they are in both.
	either bool
}

// next returns the first minute of the plan that is not before one, as counts
// of minutes since 1970, in a calendar without zones.
func (p *plan) next(minute int64, last int) (int64, bool) {
	start := time.Unix(minute*60, 0).UTC()
	year, month, from := start.Date()
	hour, minutes := start.Hour(), start.Minute()
	for {
		next, ok := p.year(year, last)
		if !ok {
			return 0, false
		}
		if next > year {
			year, month, from, hour, minutes = next, time.January, 1, 0, 0
		}
		for ; month <= time.December; month, from, hour, minutes = month+1, 1, 0, 0 {
			if p.months&(1<<month) == 0 {
				continue
			}
			first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
			for days := p.days.of(first) >> from << from; days != 0; days &= days - 1 {
				d := bits.TrailingZeros64(days)
				if d > from {
					hour, minutes = 0, 0
				}
				if h, m, ok := p.time(hour, minutes); ok {
					return first.Unix()/60 + int64((d-1)*24*60+h*60+m), true
				}
			}
		}
		year, month = year+1, time.January
	}
}

// time is the first time of a day not before one.
func (p *plan) time(hour, minute int) (h, m int, ok bool) {
	if p.hours&(1<<hour) != 0 {
		if rest := p.minutes >> minute << minute; rest != 0 {
			return hour, bits.TrailingZeros64(rest), true
		}
	}
	rest := p.hours >> (hour + 1) << (hour + 1)
	if rest == 0 || p.minutes == 0 {
		return 0, 0, false
	}
	return bits.TrailingZeros64(rest), bits.TrailingZeros64(p.minutes), true
}

// year is the first year not before one, and not after last, if there is any.
// Metronome goes to the year that it thinks is next if the first month there has
// a day to fire at, and otherwise tries one year after the other.
func (p *plan) year(year, last int) (int, bool) {
	for ; year <= last; year++ {
		if p.years == nil || p.years.isYear(year) {
			return year, true
		}
		next, ok := p.years.next(year)
		if !ok || next > last {
			return 0, false
		}
		if p.days.of(time.Date(next, time.Month(bits.TrailingZeros64(p.months)), 1, 0, 0, 0, 0, time.UTC)) != 0 {
			year = next - 1
		}
	}
	return 0, false
}

// of returns the days of the month that begins with a day, as bits from 1 on.
func (d *days) of(first time.Time) uint64 {
	length := 28
	for length < 31 && first.AddDate(0, 0, length).Day() != 1 {
		length++
	}
	return d.ofLength(int(first.Weekday()), length)
}

func (d *days) ofLength(weekday, length int) uint64 {
	all := uint64(1)<<(length+1) - 2
	month := d.ofMonth[length-28]
	if d.nearest > 0 {
		month = 1 << nearestWeekday(d.nearest, weekday, length)
	}
	var week uint64
	for dow := range 7 {
		day := 1 + (dow-weekday+7)%7 // the first of its kind in the month
		bit := uint64(1) << dow
		if d.week&bit != 0 {
			week |= 0x10204081 << day
		}
		for n := 1; n < len(d.nth); n++ {
			if d.nth[n]&bit != 0 {
				week |= 1 << (day + 7*(n-1))
			}
		}
		if d.last&bit != 0 {
			week |= 1 << (day + (length-day)/7*7)
		}
	}
	if d.either {
		return (month | week) & all
	}
	return month & week & all
}

// nearestWeekday moves a day that is on a weekend to the nearest weekday of the
// same month. A Sunday that is the last of its month stays where it is, as it did.
func nearestWeekday(day, weekday, length int) int {
	switch (weekday + day - 1) % 7 {
	case 6:
		if day == 1 {
			return 3
		}
		return day - 1
	case 0:
		if day < length {
			return day + 1
		}
	}
	return day
}
