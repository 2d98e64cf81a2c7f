// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	robfig "github.com/robfig/cron/v3"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestEngine holds the dialect of Metronome to answers of its engine that were
// recorded for expressions made by chance, odd ones among them.
func TestEngine(t *testing.T) {
	data, err := os.ReadFile("testdata/metronome.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		location, err := time.LoadLocation(cells[0])
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.ParseInLocation("2006-01-02T15:04", cells[1], location)
		if err != nil {
			t.Fatal(err)
		}
		a := answer{Cron: cells[2], Normalised: cells[3], Rejected: cells[3] == "REJECT"}
		for _, cell := range cells[4:] {
			if a.Exhausted = cell == "END"; !a.Exhausted {
				seconds, err := strconv.ParseInt(cell, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				a.Next = append(a.Next, time.Unix(seconds, 0).In(location).Format(time.RFC3339))
			}
		}
		e, err := Parse(a.Cron, v1alpha1.CronMetronome)
		checkAnswer(t, a, e, err, from, time.RFC3339)
	}
}

// TestRefusals holds what is refused, and that the reason names the field.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		expression string
		dialect    v1alpha1.CronDialect
		want       string
	}{
		{"", "", "the expression is empty"},
		{" \t", "standard", "the expression is empty"},
		{strings.Repeat("1", 1025), "", "has 1025 characters, and may have 1024"},
		{"* * * * *", "quartz", `unknown dialect "quartz": there are metronome and standard`},
		{"* * * *", "", "has 4 fields, expected 5"},
		{"@daily", "", "Metronome has no macros"},
		{"60 * * * *", "", "minute: 60 is not between 0 and 59"},
		{"*/60 * * * *", "", "minute: the step 60 is not between 1 and 59"},
		{"0 0 ? * *", "", "day of month: ?: Metronome has no ?: write *"},
		{"0 0 1, * *", "", "day of month: 1, ends in a comma"},
		{"0 0 LW * *", "", "day of month: LW: Metronome has no LW"},
		{"0 0 * * 5L", "", "day of week: 5L: Metronome does not take L at the end"},
		{"0 0 * * XYZ", "", `day of week: "XYZ" is neither a number nor one of MON, TUE`},
		{"0 0 31 2 *", "", "Day of the month must exist in the provided month (e.g. February"},
		{"0 0 31 2-3 *", "", "Day of the month must exist"},
		{"0 0 31W * *", "", "day of month: Metronome takes 31W and fails"},
		{"0 0 1-L * *", "", "day of month: 1-L: Metronome takes this and fails"},
		{"0 L * * *", "", `hour: L: L is for days only`},
		{"0 0 * * FRI-MON/2", "", "day of week: FRI-MON/2: Metronome takes a range backwards with a step"},
		{"0 22-2,23-1 * * *", "", "hour: in a list Metronome takes no value of a range backwards"},
		{"0|30 1|2|3 * * *", "", "0|30 has 2 of the 3 values"},
		{"99999999999 * * * *", "", "minute"},
		{"* * * * * *", "standard", "has 6 fields, expected 5"},
		{"* * * * 7", "standard", "day of week: 7 is not between 0 and 6"},
		{"0 22-2 * * *", "standard", "hour: the range 22-2 goes backwards"},
		{"*/0 * * * *", "standard", `minute: the step "0" is no number above 0`},
		{"@every 5m", "standard", "write */5 * * * *"},
		{"@reboot", "standard", "unknown macro @reboot: there are @hourly"},
		{"TZ=UTC 0 0 * * *", "standard", "the time zone has a field of its own"},
	} {
		e, err := Parse(c.expression, c.dialect)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, %v, want %s", c.expression, c.dialect, e, err, c.want)
		}
	}
}

// TestQuirks holds what is warned of.
func TestQuirks(t *testing.T) {
	for expression, want := range map[string]string{
		"*/5 * * * *":        "",
		"0 0 L * *":          "",
		"0 0 * * 5-1":        "",
		"5/15 * * * *":       "",
		"0 0 1 1 * 2030":     "the sixth field is the year",
		"0 0 1 1 * 2030/2":   "year 2030/2: it fires in all years before 2030, too",
		"0 9 1-7 * 1":        "it fires on days that match both",
		"0 22-2 * * *":       "hour 22-2 goes backwards: it is 22 and nothing else; write 22-23,0-2",
		"0 1,22-2 * * *":     "in a list Metronome takes no more than its first value",
		"0 10/2 * * *":       "the field is 0,2,4,6,8,10,12,14,16,18,20,22; write 10-23/2",
		"5,10/20 * * * *":    "",
		"0 0 29/5 * *":       "Metronome failed in months without a day 29",
		"0 0 5L * *":         "day of month 5L is the last day of the month, whatever the number",
		"0 0 1,L * *":        "day of month L: L counts where it is alone only",
		"0 0 1,31W * *":      "in a list it is day 31",
		"0 0 3#2 * *":        "day of month 3#2: # is for days of the week, it never fires",
		"0 0 * * FRIL":       "it is each day 5, not the last of the month",
		"0 0 * * L":          "day of week L is every Sunday",
		"0 0 * * 3W":         "it is no day",
		"0 0 * * 1/2":        "the step counts from Sunday, whatever the number, as */2 does",
		"0 0 * * 1#6":        "for the 6. time",
		"0|30 10/2|11 * * *": "hour 10/2",
	} {
		e, err := Parse(expression, "")
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		got := strings.Join(e.Quirks(), "\n")
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	e, err := Parse("0 9 13 * 5", v1alpha1.CronStandard)
	if err != nil || len(e.Quirks()) != 1 {
		t.Errorf("%v, %v", e.Quirks(), err)
	}
}

// TestNever holds that what can't fire says so at once.
func TestNever(t *testing.T) {
	for _, location := range []string{"UTC", "America/New_York", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(location)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for expression, dialect := range map[string]v1alpha1.CronDialect{
			"0 0 31 4,6 *": "", "0 0 1 1 * 2020": "", "0 0 * * 1#6": "", "0 0 30 2 *": "standard", "0 0 , * *": "standard", ", * * * *": "standard",
		} {
			e, err := Parse(expression, dialect)
			if err != nil {
				t.Fatal(err)
			}
			if next, ok := e.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, zone)); ok {
				t.Errorf("%s fires at %s", expression, next)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: it took %s", location, took)
		}
	}
}

// TestChanges has changes of the clock that are no whole hours, at midnight and
// of a whole day, and years that the database of zones has rules for only.
func TestChanges(t *testing.T) {
	for _, c := range []struct{ zone, expression, from, want string }{
		{"Australia/Lord_Howe", "15,45 2 * * *", "2026-10-03T12:00:00+10:30", "2026-10-04T02:45:00+11:00 2026-10-05T02:15:00+11:00"},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00+11:00", "2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30 2026-04-06T01:45:00+10:30"},
		{"America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00:00-03:00", "2018-11-05T00:00:00-02:00"},
		{"Pacific/Apia", "0 12 30 12 *", "2011-12-01T00:00:00-10:00", "2012-12-30T12:00:00+14:00"},
		{"America/New_York", "30 1 * 11 *", "2040-11-03T12:00:00-04:00", "2040-11-04T01:30:00-04:00 2040-11-04T01:30:00-05:00"},
		{"America/New_York", "9 8 30 12 */4", "2040-12-30T08:09:00-05:00", "2046-12-30T08:09:00-05:00"},
		{"America/New_York", "0 0 29 2 1", "2026-01-01T00:00:00-05:00", "2044-02-29T00:00:00-05:00"},
		{"UTC", "*/5 * * * *", "1969-12-31T23:58:30Z", "1970-01-01T00:00:00Z 1970-01-01T00:05:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.ParseInLocation(time.RFC3339, c.from, zone)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(c.expression, "")
		if err != nil {
			t.Fatal(err)
		}
		from = from.In(zone)
		for want := range strings.FieldsSeq(c.want) {
			next, ok := e.Next(from)
			if got := next.Format(time.RFC3339); !ok || got != want {
				t.Errorf("%s in %s after %s: %s, %v, want %s", c.expression, c.zone, from, got, ok, want)
			}
			from = next
		}
	}
}

// chance makes expressions of the dialect standard, good ones mostly.
func chance(random *rand.Rand) string {
	bounds := [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	names := map[int][]string{3: monthLimits.names, 4: standardLimits[4].names}
	number := func(f int) string {
		low, high := bounds[f][0], bounds[f][1]
		if n := names[f]; n != nil && random.IntN(4) == 0 {
			return n[random.IntN(len(n))]
		}
		if random.IntN(100) == 0 {
			return []string{"x", "", "-1", "+1", strconv.Itoa(high + 1)}[random.IntN(5)]
		}
		return strconv.Itoa(low + random.IntN(high-low+1))
	}
	item := func(f int) string {
		step := "/" + strconv.Itoa(1+random.IntN(20))
		return []string{"*", "?", "*" + step, number(f), number(f), number(f) + step, number(f) + "-" + number(f), number(f) + "-" + number(f) + step}[random.IntN(8)]
	}
	if random.IntN(20) == 0 {
		return []string{"@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually", "@midnight", "@Daily", "@"}[random.IntN(9)]
	}
	var fields []string
	for f := range bounds {
		text := "*"
		if random.IntN(3) > 0 {
			text = item(f)
		}
		for random.IntN(4) == 0 {
			text += "," + item(f)
		}
		fields = append(fields, text)
	}
	return strings.Join(fields, " ")
}

// TestStandard compares the dialect standard with the package that CronJob uses.
func TestStandard(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	var zones []*time.Location
	for _, name := range []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	accepted, instants := 0, 0
	for range 5000 {
		expression := chance(random)
		theirs, refusal := robfig.ParseStandard(expression)
		ours, err := Parse(expression, v1alpha1.CronStandard)
		if (err == nil) != (refusal == nil) {
			t.Errorf("%q: %v, CronJob: %v", expression, err, refusal)
		}
		if err != nil || refusal != nil {
			continue
		}
		accepted++
		for range 10 {
			from := time.Unix(1_500_000_000+random.Int64N(1_000_000_000), random.Int64N(2)).In(zones[random.IntN(len(zones))])
			if random.IntN(2) == 0 { // close to a change of the clock, if there is one
				if _, end := from.ZoneBounds(); !end.IsZero() {
					from = end.Add(-time.Duration(random.IntN(180)) * time.Minute).In(from.Location())
				}
			}
			for range 5 {
				want, spec := theirs.Next(from), theirs.(*robfig.SpecSchedule)
				spec.Location = time.Local // as a schedule without a zone of its own
				got, ok := ours.Next(from)
				if want.IsZero() {
					// It looks five years ahead.
					if ok && got.Year() <= from.Year()+5 {
						t.Errorf("%q after %s: %s, CronJob never", expression, from, got)
					}
					break
				}
				instants++
				if !ok || !got.Equal(want) {
					t.Errorf("%q after %s: %s, %v, CronJob %s", expression, from, got, ok, want)
				}
				from = want
			}
		}
	}
	t.Logf("%d expressions, %d instants", accepted, instants)
}

// FuzzParse reads whatever there is: nothing panics, what is refused has a
// reason, what is accepted has a form that reads the same, and fires soon, later
// than asked and on whole minutes, or says that it does not.
func FuzzParse(f *testing.F) {
	for _, expression := range []string{
		"* * * * *", "0 9 1-7 * 1 2030/2", "0|30 1|2 L-3 JAN-mar FRIL", "*/5,7-3/2 10/2 15W,3#2 2 5L,1#3,7-2", "@daily", "1-5/2/ /5 +5 */01 ?", "0 0 29 2 1",
	} {
		f.Add(expression, false, int64(1767225600))
		f.Add(expression, true, int64(-1))
	}
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, expression string, standard bool, from int64) {
		dialect := v1alpha1.CronMetronome
		if standard {
			dialect = v1alpha1.CronStandard
		}
		e, err := Parse(expression, dialect)
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a reason")
			}
			return
		}
		if fields := strings.Fields(strings.ReplaceAll(e.String(), "|", " ")); !standard && strings.Contains(strings.Join(fields[4:], " ")+" ", "L ") {
			return // Metronome writes 0L00 as 0L, and refuses that
		}
		again, err := Parse(e.String(), dialect)
		if err != nil || again.String() != e.String() {
			t.Fatalf("%q is %q, and that %v, %v", expression, e, again, err)
		}
		after := time.Unix(from%(1<<33), 0).In(zone)
		next, ok := e.Next(after)
		if ok && (!next.After(after) || next.Second() != 0 && after.Year() > 1900) {
			t.Errorf("%q after %s: %s", expression, after, next)
		}
		if nextAgain, okAgain := again.Next(after); ok != okAgain || !next.Equal(nextAgain) {
			t.Errorf("%q fires at %s, its form %q at %s", expression, next, e, nextAgain)
		}
	})
}

// common are expressions of both dialects that mean the same.
var common = []string{
	"* * * * *", "*/5 * * * *", "0 * * * *", "30 2 * * *", "0 9-17 * * 1-5", "15,45 */2 * * *", "0 0 1 * *", "0 0 1 1 *", "59 23 31 12 *", "0 0 29 2 *", "0 12 * 6-8 1",
}

func BenchmarkNext(b *testing.B) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 30, 0, zone)
	b.Run("kdcos", func(b *testing.B) {
		var all []*Expression
		for _, expression := range common {
			e, err := Parse(expression, v1alpha1.CronMetronome)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, e)
		}
		for b.Loop() {
			for _, e := range all {
				if _, ok := e.Next(from); !ok {
					b.Fatal(e)
				}
			}
		}
	})
	b.Run("robfig", func(b *testing.B) {
		var all []robfig.Schedule
		for _, expression := range common {
			s, err := robfig.ParseStandard(expression)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, s)
		}
		for b.Loop() {
			for _, s := range all {
				if s.Next(from).IsZero() {
					b.Fatal(s)
				}
			}
		}
	})
}
