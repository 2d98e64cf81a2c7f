// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kdcos/kdcos/controllers"
)

const root = "../.."

func TestAuditCountsWrites(t *testing.T) {
	log := strings.Join([]string{
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"pods"},"responseStatus":{"code":201}}`,
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"pods"},"responseStatus":{"code":409}}`,
		`{"verb":"create","user":{"username":"it"},"objectRef":{"resource":"pods","subresource":"binding"},"responseStatus":{"code":201}}`,
		`{"verb":"list","user":{"username":"me"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
		`{"verb":"update","user":{"username":"me"},"objectRef":{"resource":"leases"},"responseStatus":{"code":200}}`,
		`{"verb":"create","user":{"username":"me"},"objectRef":{"resource":"tokenreviews"},"responseStatus":{"code":201}}`,
		`{"verb":"delete","user":{"username":"it"},"objectRef":{"resource":"pods"},"responseStatus":{"code":200}}`,
		``,
	}, "\n")
	synctest.Test(t, func(t *testing.T) {
		a := &auditor{count: writes{}, last: time.Now()}
		in, out := io.Pipe()
		go a.read(t.Context(), in)
		for _, part := range []string{log[:100], log[100:]} {
			if _, err := out.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		got, _, err := a.seen()
		want := writes{
			{"me", "create", "pods", false}: 1, {"me", "create", "pods", true}: 1,
			{"it", "create", "pods/binding", false}: 1, {"it", "delete", "pods", false}: 1,
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(write{})); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got.total() != 4 || got.by("me") != 2 {
			t.Errorf("%d in all, %d by me", got.total(), got.by("me"))
		}
		if more := got.since(writes{{"me", "create", "pods", false}: 1}); more.total() != 3 {
			t.Errorf("%d since", more.total())
		}
		start := time.Now()
		if _, err := a.quiet(t.Context()); err != nil || time.Since(start) != pause {
			t.Errorf("quiet after %s, %v", time.Since(start), err)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestScenariosAreComplete(t *testing.T) {
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	names := scenarioNames(root)
	if len(names) == 0 {
		t.Fatal("there are no scenarios")
	}
	for _, name := range names {
		s, err := loadScenario(root, name)
		if err != nil {
			t.Fatal(err)
		}
		s.N = 3
		for _, v := range s.Variants {
			for _, ours := range []bool{true, false} {
				all, err := s.manifests(&v, ours, scheme)
				if err != nil || len(all) != s.objects() {
					t.Fatalf("%s, ours %t: %d objects, %v", name, ours, len(all), err)
				}
				if settled(all[0][0]) {
					t.Errorf("%s, ours %t: a new %T is as asked for", name, ours, all[0][0])
				}
			}
		}
		if s.Phases[0].Ours != "" || s.Phases[0].Twin != "" {
			t.Errorf("%s: the first phase makes the objects", name)
		}
	}
}

func TestResultAndThresholds(t *testing.T) {
	run := func(wrote, cpu int, wall time.Duration) *outcome {
		return &outcome{memory: 7, phases: []measured{{
			writes: writes{{"a", "create", "pods", false}: wrote}, cpu: cpuTimes{"etcd": cpu, "kwok": 1000}, wall: wall,
		}}}
	}
	b := block([]round{{run(60, 100, time.Second), run(140, 200, 2*time.Second)}, {run(70, 120, time.Second), run(140, 200, 4*time.Second)}}, 0, 10)
	if diff := cmp.Diff(Pair{Ours: 6.5, Twin: 14, Ratio: 0.464, Spread: [2]float64{0.429, 0.5}}, b.Writes); diff != "" {
		t.Error(diff)
	}
	if b.CPUMs.Ours != 11 || b.CPUMs.Twin != 20 || b.WallS.Twin != 3 {
		t.Errorf("got %+v", b)
	}
	r := &Result{Scenario: "app", N: 10, Blocks: map[string]Block{"": b, "vip": b}, ManagerRSS: 7}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"n":10`, `"writes":{"ours":6.5,"twin":14,"ratio":0.464,`, `"vip":{"writes":`, `"managerRSS":7`, `"writesAtRest":0`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
	for _, c := range []struct {
		figure string
		gate   float64
		busy   bool
		want   bool
	}{
		{"writes.ratio", 0.5, false, true},
		{"writes.ratio", 0.4, false, false},
		{"writes.ratio", 0.4, true, false},
		{"vip.cpuMs.ratio", 0.4, false, false},
		{"vip.cpuMs.ratio", 0.4, true, true},
		{"wallS.ratio", 0.1, true, true},
		{"nothing.ratio", 1, false, false},
		{"writes", 1, false, false},
	} {
		r.LoadWarning = c.busy
		ok, err := check(io.Discard, []Threshold{{Scenario: "app", Figure: c.figure, Gate: c.gate}, {Scenario: "other", Figure: "none"}}, r)
		if err != nil || ok != c.want {
			t.Errorf("%s over %v: %v, %v", c.figure, c.gate, ok, err)
		}
	}
	all, err := loadThresholds(root)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d thresholds, %v", len(all), err)
	}
}
