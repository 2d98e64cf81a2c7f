// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// Threshold bounds one figure of a result. Mean and Stddev are those of the runs
// that it was set after, as in Kueue's rangespec.
type Threshold struct {
	// Scenario and Figure name the figure by its path in the line of JSON, such as vip.writes.ratio.
	Scenario string `json:"scenario"`
	Figure   string `json:"figure"`
	// N limits it to runs of that size; 0 is any.
	N      int     `json:"size,omitempty"`
	Mean   float64 `json:"mean,omitempty"`
	Stddev float64 `json:"stddev,omitempty"`
	// Gate is what the figure must not exceed, Record what we are out for.
	Gate   float64  `json:"gate"`
	Record *float64 `json:"record,omitempty"`
}

func loadThresholds(root string) ([]Threshold, error) {
	raw, err := os.ReadFile(filepath.Join(root, "test", "scale", "thresholds.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read thresholds: %w", err)
	}
	var all struct {
		Thresholds []Threshold `json:"thresholds"`
	}
	if err := yaml.UnmarshalStrict(raw, &all); err != nil {
		return nil, fmt.Errorf("thresholds.yaml: %w", err)
	}
	return all.Thresholds, nil
}

// check compares the result with its thresholds, and says how far it got. Wall
// and CPU of a busy machine are shown, and fail nothing.
func check(out io.Writer, all []Threshold, r *Result) (ok bool, err error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return false, err
	}
	ok = true
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, t := range all {
		if t.Scenario != r.Scenario || t.N != 0 && t.N != r.N {
			continue
		}
		value, found := lookUp(values, t.Figure)
		verdict := t.judge(value)
		if !found {
			verdict = "FAIL: there is no such figure"
		}
		if strings.HasPrefix(verdict, "FAIL") {
			if r.LoadWarning && found && t.noisy() {
				verdict = "not judged: the machine is busy"
			} else {
				ok = false
			}
		}
		fmt.Fprintf(table, "%s %d\t%s\t%.6g\tgate %.6g\t%s\n", r.Scenario, r.N, t.Figure, value, t.Gate, verdict)
	}
	return ok, table.Flush()
}

func (t *Threshold) judge(value float64) string {
	switch {
	case value > t.Gate:
		return "FAIL"
	case t.Record != nil && value <= *t.Record:
		return "record"
	}
	return "ok"
}

// noisy figures depend on what else the machine does.
func (t *Threshold) noisy() bool {
	return strings.Contains(t.Figure, "wallS") || strings.Contains(t.Figure, "pu") || strings.Contains(t.Figure, "delayS")
}

// lookUp finds a number by its path.
func lookUp(values map[string]any, path string) (float64, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	switch v := values[name].(type) {
	case float64:
		return v, !deeper
	case map[string]any:
		return lookUp(v, rest)
	}
	return 0, false
}
