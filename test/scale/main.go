// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command scale measures kdcos beside what Kubernetes has already: Apps beside
// Deployments, Jobs beside CronJobs, in the same run, each on fresh clusters with simulated nodes. It
// knows no scenario: those are files of the directory scenarios. The last line
// of its output is a line of JSON for the last scenario.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// busy is the load average over which figures are not to be recorded.
const busy = 1.0

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log.SetLogger(logr.Discard())
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func warn(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "scale: "+format+"\n", args...)
}

type options struct {
	n, rounds int
	minutes   int
	quick     bool
	check     bool
}

func run(ctx context.Context) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "test", "scale", "thresholds.yaml")); err != nil {
		return fmt.Errorf("run it from the root of the project: %w", err)
	}
	var o options
	var profiles string
	flag.IntVar(&o.n, "n", 0, "how many, in place of what the scenario says")
	flag.IntVar(&o.minutes, "minutes", 0, "how long schedules fire, in place of what the scenario says")
	flag.IntVar(&o.rounds, "rounds", 1, "rounds; each runs ours, twin, twin, ours")
	flag.BoolVar(&o.quick, "quick", false, "run ours and twin only once a round; figures are not to be recorded then")
	flag.BoolVar(&o.check, "check", false, "fail where a threshold is exceeded")
	flag.StringVar(&profiles, "profiles", "", "directory for profiles of our side; figures are not to be recorded then")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: scale [flags] SCENARIO...\nscenarios: %s\n", strings.Join(append(scenarioNames(root), quotaScenario), ", "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return errors.New("no scenario given")
	}
	r := &runner{root: root, dir: filepath.Join(root, ".local", "scale"), profiles: profiles}
	r.state, r.manager = filepath.Join(r.dir, "state"), filepath.Join(r.dir, "manager")
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if r.log, err = os.Create(filepath.Join(r.dir, "log")); err != nil {
		return err
	}
	defer r.log.Close() //nolint:errcheck // nothing is lost that matters
	if err := r.build(ctx); err != nil {
		return err
	}
	err = r.scenarios(ctx, flag.Args(), o)
	return errors.Join(err, r.down(ctx))
}

// scenarios runs one after the other.
func (r *runner) scenarios(ctx context.Context, names []string, o options) error {
	thresholds, err := loadThresholds(r.root)
	if err != nil {
		return err
	}
	var failed []string
	for _, name := range names {
		// A size of its own: app=5000.
		name, size, _ := strings.Cut(name, "=")
		one := o
		if size != "" {
			if _, err := fmt.Sscanf(size, "%d", &one.n); err != nil || one.n < 1 {
				return fmt.Errorf("%s=%s: the size is a number", name, size)
			}
		}
		result, err := r.measure(ctx, name, one)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", name, err)
		}
		ok, err := check(os.Stderr, thresholds, result)
		if err != nil {
			return err
		}
		verdict := "ok  "
		if !ok {
			verdict, failed = "FAIL", append(failed, name)
		}
		fmt.Fprintf(os.Stderr, "%s\tscale %s %d\n", verdict, name, result.N)
		line, err := json.Marshal(result)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	if o.check && len(failed) > 0 {
		return fmt.Errorf("thresholds are exceeded: %s", strings.Join(failed, ", "))
	}
	return nil
}

// measure runs one.
func (r *runner) measure(ctx context.Context, name string, o options) (*Result, error) {
	if name == quotaScenario {
		return r.quota(ctx, cmp.Or(o.n, 2000), cmp.Or(o.minutes, quotaMinutes))
	}
	s, err := loadScenario(r.root, name)
	if err != nil {
		return nil, err
	}
	s.N = cmp.Or(o.n, s.N)
	if o.minutes > 0 && s.ticks() {
		s.Phases[0].Minutes = o.minutes
	}
	return r.scenario(ctx, s, o)
}

// scenario runs both sides of all variants.
func (r *runner) scenario(ctx context.Context, s *Scenario, o options) (*Result, error) {
	load, err := loadAverage()
	if err != nil {
		return nil, err
	}
	result := &Result{
		Scenario: s.Name, N: s.N, Blocks: map[string]Block{}, Rounds: o.rounds,
		LoadWarning:  load > busy || o.quick || r.profiles != "",
		WritesAtRest: -1, AfterRestart: -1, AfterResync: -1,
	}
	warn("%s: %s; n=%d", s.Name, s.Title, s.N)
	if load > busy {
		warn("WARNING: the load average is %.1f: CPU and wall time are noise, and not to be recorded", load)
	}
	for i := range s.Variants {
		v := &s.Variants[i]
		all, err := r.variant(ctx, s, v, o, i == 0)
		if err != nil {
			return nil, err
		}
		for j := range s.Phases {
			name := key(v, &s.Phases[j])
			result.Blocks[name] = block(all, j, s.units(j))
			warn("%s %s", s.Name, name)
			if err := explain(os.Stderr, all, j, s.units(j)); err != nil {
				return nil, err
			}
		}
		if i == 0 {
			result.fill(all)
		}
	}
	return result, nil
}

// variant runs ours, twin, twin, ours as often as there are rounds, so that
// nothing that drifts favours a side.
func (r *runner) variant(ctx context.Context, s *Scenario, v *Variant, o options, rest bool) ([]round, error) {
	order := []bool{true, false, false, true}
	if o.quick {
		order = order[1:3:3]
		order[1] = true
	}
	var all []round
	for i := range o.rounds {
		var one round
		for turn, ours := range order {
			last := rest && i == o.rounds-1 && turn == len(order)-1
			side, err := r.side(ctx, s, v, ours, last)
			if err != nil {
				return nil, err
			}
			side.say(s, v, ours)
			if ours {
				one.ours = side
			} else {
				one.twin = side
			}
			if turn%2 == 1 {
				all, one = append(all, one), round{}
			}
		}
	}
	return all, nil
}

// say shows the figures of one run of a side.
func (o *outcome) say(s *Scenario, v *Variant, ours bool) {
	name := "twin"
	if ours {
		name = "ours"
	}
	for i, m := range o.phases {
		n := float64(s.units(i))
		warn("  %s %-8s %8.2f s %8.2f writes %8.2f ms CPU for each", name, key(v, &s.Phases[i]),
			m.wall.Seconds(), float64(m.writes.total())/n, float64(m.cpu.total())/n)
		if m.fired != nil {
			warn("  %s %s", name, m.fired)
		}
	}
}

// fill takes over what is measured once, from the last run of ours.
func (r *Result) fill(all []round) {
	last := all[len(all)-1].ours
	r.ManagerRSS = last.memory
	if last.resting != nil {
		r.WritesAtRest, r.AfterRestart, r.AfterResync = last.resting.total(), last.restarted.total(), last.resynced.total()
		for what, w := range map[string]writes{"at rest": last.resting, "after a restart": last.restarted, "after a resync": last.resynced} {
			for key, count := range w {
				warn("%s: %d %s %s by %s", what, count, key.verb, key.resource, key.actor)
			}
		}
	}
}
