// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Pair is a figure of both sides: medians, and how far the ratios of single
// rounds lie apart.
type Pair struct {
	Ours   float64    `json:"ours"`
	Twin   float64    `json:"twin"`
	Ratio  float64    `json:"ratio"`
	Spread [2]float64 `json:"spread"`
}

// Block are the figures of one phase of one variant.
type Block struct {
	// Writes are the mutating requests of all actors for one object or instance,
	// those that failed or changed nothing included.
	Writes Pair `json:"writes"`
	// CPUMs are the milliseconds of CPU of the control plane and the manager for one.
	CPUMs Pair `json:"cpuMs"`
	// WallS is the time until all are as asked for, in seconds.
	WallS Pair `json:"wallS,omitzero"`
	// ManagerWrites are those of Writes that the manager makes.
	ManagerWrites float64 `json:"managerWrites"`
	// ManagerCPUMs is the part of CPUMs that the manager uses.
	ManagerCPUMs float64 `json:"managerCpuMs"`
	// Ticks is what schedules did; all else is for one tick then.
	Ticks *Ticks `json:"ticks,omitempty"`
}

// round is one run of each side.
type round struct{ ours, twin *outcome }

// block folds the rounds of a phase into figures.
func block(rounds []round, phase, n int) Block {
	pair := func(of func(m *measured) float64) Pair {
		var ours, twins, ratios []float64
		for _, r := range rounds {
			o, t := of(&r.ours.phases[phase]), of(&r.twin.phases[phase])
			ours, twins, ratios = append(ours, o), append(twins, t), append(ratios, o/t)
		}
		p := Pair{Ours: median(ours), Twin: median(twins), Spread: [2]float64{slices.Min(ratios), slices.Max(ratios)}}
		p.Ratio = p.Ours / p.Twin
		return p.rounded()
	}
	per := float64(n)
	var requests, cpu []float64
	for _, r := range rounds {
		m := &r.ours.phases[phase]
		requests = append(requests, float64(m.writes.by(managerUser))/per)
		cpu = append(cpu, float64(m.cpu["manager"])/per)
	}
	b := Block{
		Writes:        pair(func(m *measured) float64 { return float64(m.writes.total()) / per }),
		CPUMs:         pair(func(m *measured) float64 { return float64(m.cpu.total()) / per }),
		ManagerWrites: thousandths(median(requests)),
		ManagerCPUMs:  thousandths(median(cpu)),
	}
	if b.Ticks = ticksOf(rounds, phase); b.Ticks == nil {
		b.WallS = pair(func(m *measured) float64 { return m.wall.Seconds() })
	}
	return b
}

func (p Pair) rounded() Pair {
	return Pair{
		Ours: thousandths(p.Ours), Twin: thousandths(p.Twin), Ratio: thousandths(p.Ratio),
		Spread: [2]float64{thousandths(p.Spread[0]), thousandths(p.Spread[1])},
	}
}

func thousandths(f float64) float64 { return math.Round(f*1000) / 1000 }

// median is the middle of the values, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Result is what a scenario brought, as the last line of output tells it.
type Result struct {
	Scenario string
	N        int
	// Blocks are by their names; that of the empty name is at the top.
	Blocks map[string]Block
	// ManagerRSS is the memory of the manager at the end, in bytes.
	ManagerRSS int
	// WritesAtRest, AfterRestart and AfterResync are writes that should not be there; -1 was not looked for.
	WritesAtRest, AfterRestart, AfterResync int
	// LoadWarning says that the machine was busy: CPU and wall are noise.
	LoadWarning bool
	Rounds      int
	// Quota is what the scenario of that name brought, which has no blocks.
	Quota *Quota
}

// MarshalJSON writes the block without a name at the top and the others under theirs.
func (r *Result) MarshalJSON() ([]byte, error) {
	all := map[string]any{
		"scenario": r.Scenario, "n": r.N, "rounds": r.Rounds, "managerRSS": r.ManagerRSS,
		"writesAtRest": r.WritesAtRest, "writesAfterRestart": r.AfterRestart, "writesAfterResync": r.AfterResync,
	}
	if r.Quota != nil {
		all["quota"] = r.Quota
	}
	if r.LoadWarning {
		all["loadWarning"] = true
	}
	for name, b := range r.Blocks {
		if name != "" {
			all[name] = b
			continue
		}
		raw, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		top := map[string]json.RawMessage{}
		if err := json.Unmarshal(raw, &top); err != nil {
			return nil, err
		}
		for k, v := range top {
			all[k] = v
		}
	}
	return json.Marshal(all)
}

// explain shows who wrote what on each side, and who used the CPU.
func explain(out io.Writer, rounds []round, phase, n int) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	last := rounds[len(rounds)-1]
	for _, side := range []struct {
		name string
		m    *measured
	}{{"ours", &last.ours.phases[phase]}, {"twin", &last.twin.phases[phase]}} {
		fmt.Fprintf(table, "%s: %.2f writes, %.2f ms CPU for each of %d\n", side.name,
			float64(side.m.writes.total())/float64(n), float64(side.m.cpu.total())/float64(n), n)
		keys := slices.SortedFunc(maps.Keys(side.m.writes), func(a, b write) int { return side.m.writes[b] - side.m.writes[a] })
		for _, key := range keys {
			failed := ""
			if key.failed {
				failed = "failed"
			}
			fmt.Fprintf(table, "  %.3f\t%s\t%s\t%s\t%s\n", float64(side.m.writes[key])/float64(n), key.verb, key.resource, short(key.actor), failed)
		}
		for _, name := range slices.Sorted(maps.Keys(side.m.cpu)) {
			fmt.Fprintf(table, "  %.3f ms\t%s\n", float64(side.m.cpu[name])/float64(n), name)
		}
	}
	return table.Flush()
}

func short(actor string) string { return strings.TrimPrefix(actor, "system:serviceaccount:") }
