// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package cron

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kdcos/kdcos/internal/testkit/recorded"
)

// answer is what Metronome's engine said of an expression.
type answer struct {
	Cron       string
	Normalised string
	Next       []string
	Rejected   bool
	Exhausted  bool
}

// refusedDays are those of the recorded expressions that Metronome's own rule
// refuses, which the recorded engine does not have.
var refusedDays = []string{"0 0 31 2 *", "0 0 30-31 2 *", "25 12-19/2 31 4 *"}

// TestRecorded holds the dialect of Metronome to what its own engine answered.
func TestRecorded(t *testing.T) {
	var answers []answer
	read(t, filepath.Join(recorded.Data(t), "cron", "metronome-cron.json"), &answers)
	if len(answers) < 800 {
		t.Fatalf("%d answers", len(answers))
	}
	var refused []string
	for _, a := range answers {
		e, err := Parse(a.Cron, "")
		if err != nil && strings.HasPrefix(err.Error(), "Day of the month must exist") {
			refused = append(refused, a.Cron)
			e = withoutDayRule(t, a.Cron)
			err = nil
		}
		checkAnswer(t, a, e, err, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "2006-01-02T15:04Z07:00")
	}
	slices.Sort(refused)
	want := slices.Sorted(slices.Values(refusedDays))
	if !slices.Equal(refused, want) {
		t.Errorf("refused for their days: %q, want %q", refused, want)
	}
	t.Logf("%d expressions", len(answers))
}

// TestRecordedChanges holds it to the answers around changes of the clock.
func TestRecordedChanges(t *testing.T) {
	var places []struct {
		Timezone, From string
		Cases          []answer
	}
	read(t, filepath.Join(recorded.Data(t), "cron", "metronome-dst.json"), &places)
	count := 0
	for _, place := range places {
		location, err := time.LoadLocation(place.Timezone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.ParseInLocation("2006-01-02T15:04", place.From, location)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range place.Cases {
			count++
			e, err := Parse(a.Cron, "")
			t.Run(place.Timezone+" "+a.Cron, func(t *testing.T) {
				checkAnswer(t, a, e, err, from, "2006-01-02T15:04Z07:00")
			})
		}
	}
	if count == 0 {
		t.Fatal("no answers")
	}
}

func checkAnswer(t *testing.T, a answer, e *Expression, err error, from time.Time, layout string) {
	t.Helper()
	if a.Rejected != (err != nil) {
		t.Errorf("%s: %v, want it to be refused: %v", a.Cron, err, a.Rejected)
	}
	if err != nil || a.Rejected {
		return
	}
	if e.String() != a.Normalised {
		t.Errorf("%s is %s, want %s", a.Cron, e, a.Normalised)
	}
	for _, want := range a.Next {
		next, ok := e.Next(from)
		if got := next.Format(layout); !ok || got != want {
			t.Errorf("%s after %s: %s, %v, want %s", a.Cron, from, got, ok, want)
			return
		}
		from = next
	}
	if next, ok := e.Next(from); ok && a.Exhausted {
		t.Errorf("%s after %s: %s, want an end", a.Cron, from, next)
	}
}

// withoutDayRule reads an expression as the engine alone does.
func withoutDayRule(t *testing.T, text string) *Expression {
	t.Helper()
	x, err := readMetronome(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.plan()
	if err != nil {
		t.Fatal(err)
	}
	return &Expression{text: strings.Join(x.texts(), " "), plans: []plan{p}}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
