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

// The fields of an expression of Metronome.
const (
	minuteField = iota
	hourField
	domField
	monthField
	dowField
	yearField
)

var metronomeLimits = []*limits{&minuteLimits, &hourLimits, &domLimits, &monthLimits, &dowLimits, &yearLimits}

// expression is one expression, without |, as it was read.
type expression struct {
	fields [6]*field
	// droppedL says that there was an L after the name of a day of the week.
	droppedL bool
}

// parseMetronome reads an expression, of which | makes several that fire together.
func parseMetronome(text string) (*Expression, error) {
	parts, err := alternatives(text)
	if err != nil {
		return nil, err
	}
	e := &Expression{}
	var texts [][]string
	for _, part := range parts {
		x, err := readMetronome(part)
		if err != nil {
			return nil, err
		}
		if err := x.checkDays(); err != nil {
			return nil, err
		}
		plan, err := x.plan()
		if err != nil {
			return nil, err
		}
		e.plans = append(e.plans, plan)
		texts = append(texts, x.texts())
		for _, quirk := range x.quirks() {
			if !slices.Contains(e.quirks, quirk) {
				e.quirks = append(e.quirks, quirk)
			}
		}
	}
	e.text, err = joined(texts)
	return e, err
}

// alternatives takes an expression with | apart: the first values of all fields
// make the first expression, and so on.
func alternatives(text string) ([]string, error) {
	if !strings.Contains(text, "|") {
		return []string{text}, nil
	}
	fields := strings.FieldsFunc(text, isSpace)
	count := 0
	for _, field := range fields {
		count = max(count, len(split(field, "|")))
	}
	if count == 0 {
		return nil, errors.New("| stands between two values")
	}
	parts := make([]string, count)
	for _, field := range fields {
		values := split(field, "|")
		if strings.Contains(field, "|") && len(values) < count {
			return nil, fmt.Errorf("%s has %d of the %d values that | separates: all fields with | have as many", field, len(values), count)
		}
		for i := range parts {
			value := field
			if strings.Contains(field, "|") {
				value = values[i]
			}
			parts[i] += value + " "
		}
	}
	return parts, nil
}

// joined is the inverse of alternatives.
func joined(texts [][]string) (string, error) {
	fields := slices.Clone(texts[0])
	for _, text := range texts[1:] {
		if len(text) < len(fields) {
			return "", errors.New("one of the expressions that | separates has no year, but the first has")
		}
	}
	for i := range fields {
		same := true
		for _, text := range texts[1:] {
			same = same && text[i] == fields[i]
		}
		for _, text := range texts[1:] {
			if !same {
				fields[i] += "|" + text[i]
			}
		}
	}
	return strings.Join(fields, " "), nil
}

func isSpace(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }

// split drops what is empty at the end, as the parser of Metronome does: 1-5-
// is 1-5.
func split(text, separator string) []string {
	parts := strings.Split(text, separator)
	for len(parts) > 0 && parts[len(parts)-1] == "" && text != "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func readMetronome(text string) (*expression, error) {
	parts := strings.FieldsFunc(strings.ToUpper(text), isSpace)
	if strings.HasPrefix(text, "@") {
		return nil, fmt.Errorf("%s: Metronome has no macros; the dialect standard does", strings.TrimSpace(text))
	}
	if len(parts) != 5 && len(parts) != 6 {
		return nil, fmt.Errorf("the expression has %d fields, expected 5 (minute, hour, day of month, month, day of week) or 6 (and the year)", len(parts))
	}
	x := &expression{}
	for i, part := range parts {
		if strings.HasSuffix(part, ",") {
			return nil, fmt.Errorf("%s: %s ends in a comma", metronomeLimits[i].name, part)
		}
		r := reader{limits: metronomeLimits[i], days: i == domField || i == dowField}
		items, err := r.field(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", metronomeLimits[i].name, err)
		}
		x.fields[i] = &field{limits: metronomeLimits[i], items: items}
		x.droppedL = x.droppedL || i == dowField && len(part) > 1 && strings.HasSuffix(part, "L")
	}
	return x, nil
}

// reader reads the items of a field.
type reader struct {
	limits *limits
	days   bool // whether L, W and # are there
}

func (r reader) field(text string) ([]item, error) {
	if r.limits == &dowLimits && len(text) > 1 && strings.HasSuffix(text, "L") {
		// The L goes, and with a name that is all: FRIL is FRI. 5L is refused.
		name := strings.ReplaceAll(text, "L", "")
		if !slices.Contains(r.limits.names, name) {
			return nil, fmt.Errorf("%s: Metronome does not take L at the end of the field, but for L alone", text)
		}
		text = name
	}
	var items []item
	for _, part := range split(text, ",") {
		i, err := r.item(part)
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

func (r reader) item(text string) (item, error) {
	none := item{value: -1, nth: -1}
	if !strings.ContainsAny(text, "/-") {
		return r.exact(text)
	}
	parts := split(text, "-")
	switch {
	case strings.Contains(text, "-") && len(parts) != 2:
		return none, fmt.Errorf("%s is no range: that is 1-5", text)
	case len(parts) == 2 && parts[0] == "L":
		n, err := r.number(parts[1])
		if err == nil && !r.days {
			err = fmt.Errorf("%s: L is for days only", text)
		}
		if err == nil {
			err = r.check(n)
		}
		return item{kind: exact, value: -1, special: 'L', nth: r.plain(n)}, err
	case len(parts) == 2:
		return r.span(parts[0], parts[1])
	}
	parts = split(text, "/")
	if len(parts) != 2 {
		return none, fmt.Errorf("%s is no step: that is */5", text)
	}
	period, err := r.period(parts[1])
	if err != nil {
		return none, err
	}
	switch {
	case parts[0] == "*" && parts[1] == "1":
		return none, nil
	case parts[0] == "*" || parts[0] == "":
		return item{value: -1, nth: -1, period: period}, nil
	}
	start, err := integer(parts[0])
	if err != nil {
		return none, fmt.Errorf("%s: a step counts from * or from a number, or goes through a range", text)
	}
	return item{kind: exact, value: start, nth: -1, period: period}, r.check(start)
}

func (r reader) span(first, rest string) (item, error) {
	i := item{kind: span, value: -1, nth: -1}
	var err error
	parts := split(rest, "/")
	if strings.Contains(rest, "/") {
		if len(parts) < 2 {
			return i, fmt.Errorf("%s-%s has a slash and no step after it", first, rest)
		}
		if i.period, err = r.period(parts[1]); err != nil {
			return i, err
		}
		if r.plain(i.period) == 0 {
			return i, fmt.Errorf("%s-%s: the step of a range of days of the week is not between 1 and 6", first, rest)
		}
		rest = parts[0]
	}
	if r.days && rest == "L" {
		return i, fmt.Errorf("%s-L: Metronome takes this and fails to run it", first)
	}
	if i.from, err = r.number(first); err != nil {
		return i, err
	}
	if i.to, err = r.number(rest); err != nil {
		return i, err
	}
	if err := r.check(i.from); err != nil {
		return i, err
	}
	if r.limits == &dowLimits && i.period > 0 && i.from > i.to {
		return i, fmt.Errorf("%s-%s/%d: Metronome takes a range backwards with a step, and fails to run it", first, rest, i.period)
	}
	return i, r.check(i.to)
}

func (r reader) exact(text string) (item, error) {
	i := item{kind: exact, value: -1, nth: -1}
	if text == "*" {
		return item{value: -1, nth: -1}, nil
	}
	number := text
	switch {
	case strings.Contains(text, "?"):
		return i, fmt.Errorf("%s: Metronome has no ?: write *", text)
	case strings.Contains(text, "#"):
		parts := split(text, "#")
		if len(parts) < 2 {
			return i, fmt.Errorf("%s is no nth day of the week: that is 5#3", text)
		}
		n, err := r.number(parts[1])
		if err != nil {
			return i, err
		}
		i.special, i.nth, number = '#', r.plain(n), parts[0]
		if err := r.check(i.nth); err != nil {
			return i, err
		}
	case strings.Contains(text, "LW"):
		return i, fmt.Errorf("%s: Metronome has no LW", text)
	case text == "L" || hasDigitBefore(text, 'L'):
		i.special, number = 'L', strings.ReplaceAll(text, "L", "")
	case hasDigitBefore(text, 'W'):
		i.special, number = 'W', strings.ReplaceAll(text, "W", "")
	}
	if i.special != 0 && !r.days {
		return i, fmt.Errorf("%s: %c is for days only", text, i.special)
	}
	if i.special == 'L' && number == "" {
		return i, nil
	}
	n, err := r.number(number)
	if err != nil {
		return i, err
	}
	i.value = r.plain(n)
	return i, r.check(i.value)
}

func hasDigitBefore(text string, sign byte) bool {
	for i := 1; i < len(text); i++ {
		if text[i] == sign && text[i-1] >= '0' && text[i-1] <= '9' {
			return true
		}
	}
	return false
}

// number reads a number or a name.
func (r reader) number(text string) (int, error) {
	if i := slices.Index(r.limits.names, text); i >= 0 {
		return r.limits.first + i, nil
	}
	n, err := integer(text)
	if err == nil {
		return n, nil
	}
	if r.limits.names != nil {
		return 0, fmt.Errorf("%q is neither a number nor one of %s", text, strings.Join(r.limits.names, ", "))
	}
	return 0, fmt.Errorf("%q is no number", text)
}

func integer(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err
}

// plain makes the Sunday that is 7 one that is 0. Ranges and steps keep the 7.
func (r reader) plain(n int) int {
	if r.limits == &dowLimits && n == 7 {
		return 0
	}
	return n
}

func (r reader) check(n int) error {
	if r.limits.holds(n) {
		return nil
	}
	return fmt.Errorf("%d is not between %d and %d", n, r.limits.min, r.limits.max)
}

func (r reader) period(text string) (int, error) {
	n, err := integer(text)
	if err != nil {
		return 0, fmt.Errorf("the step %q is no number", text)
	}
	if most := r.limits.max - r.limits.min; n < 1 || n > most {
		return 0, fmt.Errorf("the step %d is not between 1 and %d", n, most)
	}
	return n, nil
}
