// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// macros are the names that CronJob has for expressions.
var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// standardLimits are those of CronJob, whose week has no day 7.
var standardLimits = []*limits{
	&minuteLimits, &hourLimits, &domLimits, &monthLimits,
	{name: "day of week", max: 6, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// parseStandard reads what CronJob takes.
func parseStandard(text string) (*Expression, error) {
	text = strings.TrimSpace(text)
	e := &Expression{text: text}
	if strings.HasPrefix(text, "@") {
		expanded, ok := macros[text]
		switch {
		case strings.HasPrefix(text, "@every"):
			return nil, errors.New("@every counts from whenever somebody began to count, so that a restart would move it: write */5 * * * * for every five minutes")
		case !ok:
			return nil, fmt.Errorf("unknown macro %s: there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually", text)
		}
		text = expanded
	}
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") {
		return nil, errors.New("the time zone has a field of its own: timezone")
	}
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return nil, fmt.Errorf("the expression has %d fields, expected 5 (minute, hour, day of month, month, day of week)", len(fields))
	}
	var sets [5]uint64
	var open [5]bool
	for i, field := range fields {
		var err error
		if sets[i], open[i], err = standardField(field, standardLimits[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", standardLimits[i].name, err)
		}
	}
	p := plan{minutes: sets[minuteField], hours: sets[hourField], months: sets[monthField]}
	p.days.week = sets[dowField]
	for i := range p.days.ofMonth {
		p.days.ofMonth[i] = sets[domField]
	}
	p.days.either = !open[domField] && !open[dowField]
	if p.days.either {
		e.quirks = []string{"day of month and day of week are both given: in the dialect standard it fires on days that match either, in that of Metronome on days that match both"}
	}
	e.plans = []plan{p}
	return e, nil
}

// standardField reads a field: its values, and whether it is no condition.
func standardField(text string, l *limits) (set uint64, open bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue // that is what CronJob does
		}
		values, star, err := standardItem(part, l)
		if err != nil {
			return 0, false, err
		}
		set, open = set|values, open || star
	}
	return set, open, nil
}

func standardItem(text string, l *limits) (set uint64, star bool, err error) {
	head, tail, stepped := strings.Cut(text, "/")
	low, high, ranged := strings.Cut(head, "-")
	start, end := l.min, l.max
	if star = low == "*" || low == "?"; !star {
		if start, err = standardNumber(low, l); err != nil {
			return 0, false, err
		}
		end = start
		if ranged {
			if end, err = standardNumber(high, l); err != nil {
				return 0, false, err
			}
		}
	}
	step := 1
	if stepped {
		if step, err = strconv.Atoi(tail); err != nil || step < 1 {
			return 0, false, fmt.Errorf("the step %q is no number above 0", tail)
		}
		if !ranged {
			end = l.max // 5/10 is 5-59/10
		}
		star = star && step == 1
	}
	if start > end {
		return 0, false, fmt.Errorf("the range %s goes backwards: write two of them", text)
	}
	for v := start; v <= end; v += min(step, l.max+1) {
		set |= 1 << v
	}
	return set, star, nil
}

func standardNumber(text string, l *limits) (int, error) {
	if i := slices.Index(l.names, strings.ToUpper(text)); i >= 0 {
		return l.first + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil && l.names != nil {
		return 0, fmt.Errorf("%q is neither a number nor one of %s", text, strings.Join(l.names, ", "))
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	if !l.holds(n) {
		return 0, fmt.Errorf("%d is not between %d and %d", n, l.min, l.max)
	}
	return n, nil
}
