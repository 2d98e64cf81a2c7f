// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the DNS server beside CoreDNS with its plugin
// kubernetes, in one run: both watch the same API server, one has tasks, the
// other headless Services of as many endpoints. Nothing else is simulated. Its
// last line is the result as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// The gates: what an answer may cost beside the twin's, and how late names may be.
const (
	maxCost        = 1.0
	maxPropagation = 250 * time.Millisecond
)

// result is the last line.
type result struct {
	Tasks int             `json:"tasks"`
	Mixes map[string]cost `json:"mixes"`
	// RSS of each, in MiB.
	OursMiB float64 `json:"oursMiB"`
	TwinMiB float64 `json:"twinMiB"`
	// How long names took under changes, from the answer of the API server on.
	Changes          int     `json:"changesPerSecond"`
	PropagationP50Ms float64 `json:"propagationP50Ms"`
	PropagationP99Ms float64 `json:"propagationP99Ms"`
	OK               bool    `json:"ok"`
}

// cost is the CPU time of one query in microseconds, the median of all rounds.
type cost struct {
	Ours  float64 `json:"oursUs"`
	Twin  float64 `json:"twinUs"`
	Ratio float64 `json:"ratio"`
}

func main() {
	tasks := flag.Int("tasks", 30000, "tasks, three to an App")
	queries := flag.Int("queries", 100000, "queries of a round")
	rounds := flag.Int("rounds", 3, "rounds of each mix, in turns")
	changes := flag.Int("changes", 500, "changes of pods a second")
	ours := flag.String("dns", ".local/bin/dns", "the DNS server")
	twin := flag.String("twin", ".local/bin/twin", "its twin")
	flag.Parse()
	if err := run(context.Background(), *tasks, *queries, *rounds, *changes, *ours, *twin); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, tasks, queries, rounds, changes int, ours, twin string) error {
	world, err := newWorld(ctx, tasks)
	if err != nil {
		return err
	}
	defer world.stop()
	a, err := start(world, ours, oursCorefile)
	if err != nil {
		return err
	}
	defer a.stop()
	b, err := start(world, twin, twinCorefile)
	if err != nil {
		return err
	}
	defer b.stop()
	r := result{Tasks: tasks, Mixes: map[string]cost{}, Changes: changes}
	for _, mix := range mixes {
		var own, other []float64
		for range rounds {
			x, err := a.measure(world.dir, mix.ours, mix.qtype, world.apps, queries)
			if err != nil {
				return fmt.Errorf("%s: %w", mix.name, err)
			}
			y, err := b.measure(world.dir, mix.twin, mix.qtype, world.apps, queries)
			if err != nil {
				return fmt.Errorf("%s of the twin: %w", mix.name, err)
			}
			own, other = append(own, x), append(other, y)
		}
		c := cost{Ours: median(own), Twin: median(other)}
		c.Ratio = c.Ours / c.Twin
		r.Mixes[mix.name] = c
		fmt.Printf("%-5s %6.1f µs a query, the twin %6.1f µs: %.2f\n", mix.name, c.Ours, c.Twin, c.Ratio)
	}
	if r.OursMiB, err = a.rss(); err != nil {
		return err
	}
	if r.TwinMiB, err = b.rss(); err != nil {
		return err
	}
	// Its part is done: what follows is ours alone.
	b.stop()
	delays, err := world.churn(ctx, a.address, changes, 10*time.Second)
	if err != nil {
		return err
	}
	r.PropagationP50Ms, r.PropagationP99Ms = milliseconds(delays, .5), milliseconds(delays, .99)
	return r.print()
}

func (r *result) print() error {
	var wrong []error
	for name, c := range r.Mixes {
		if c.Ratio > maxCost {
			wrong = append(wrong, fmt.Errorf("%s costs %.2f of the twin's, more than %.2f", name, c.Ratio, maxCost))
		}
	}
	if r.PropagationP99Ms > float64(maxPropagation.Milliseconds()) {
		wrong = append(wrong, fmt.Errorf("names are there after %.0f ms, more than %s", r.PropagationP99Ms, maxPropagation))
	}
	r.OK = len(wrong) == 0
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return errors.Join(wrong...)
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func milliseconds(all []time.Duration, quantile float64) float64 {
	slices.Sort(all)
	return float64(all[min(len(all)-1, int(float64(len(all))*quantile))].Microseconds()) / 1000
}
