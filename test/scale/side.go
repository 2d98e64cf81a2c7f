// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// runner runs sides of scenarios, one at a time.
type runner struct {
	// root is the directory of the project, dir where a run keeps its files.
	root, dir string
	// state is the directory of the cluster, manager the program.
	state, manager string
	// profiles is where profiles go, if any are wanted.
	profiles string
	log      *os.File
}

// pause is how long nothing must be written for work to be over.
const pause = 2 * time.Second

// measured is what one phase cost one side.
type measured struct {
	writes writes
	cpu    cpuTimes
	wall   time.Duration
	// fired is what schedules did, where there are any.
	fired *fired
}

// outcome is what a run of one side brought.
type outcome struct {
	phases []measured
	// memory of the manager when all was done, in bytes.
	memory int
	// resting are the writes at rest, restarted those after a restart of the
	// manager, resynced those after everything was looked at again.
	resting, restarted, resynced writes
}

// side runs all phases of one side on a fresh cluster.
func (r *runner) side(ctx context.Context, s *Scenario, v *Variant, ours, last bool) (*outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := r.up(ctx, s.Nodes)
	if err != nil {
		return nil, err
	}
	run := &sideRun{runner: r, scenario: s, cluster: c, ours: ours, kubeconfig: filepath.Join(r.dir, "manager.kubeconfig")}
	defer run.stop()
	if run.objects, err = s.manifests(v, ours, c.scheme); err != nil {
		return nil, err
	}
	if err := run.prepare(ctx); err != nil {
		return nil, err
	}
	result := &outcome{}
	for i := range s.Phases {
		phase := run.phase
		if s.ticks() {
			phase = run.tick
		}
		m, err := phase(ctx, i)
		if err != nil {
			return nil, err
		}
		result.phases = append(result.phases, *m)
	}
	if ours {
		if result.memory, err = memoryOf(run.manager.cmd.Process.Pid); err != nil {
			return nil, err
		}
		if last && s.Rest.Duration > 0 {
			err = run.rest(ctx, result)
		}
	}
	return result, err
}

// sideRun is one side on its cluster.
type sideRun struct {
	*runner
	scenario   *Scenario
	cluster    *cluster
	ours       bool
	objects    []made
	watcher    *watcher
	runs       *runs
	manager    *manager
	cpu        *sampler
	kubeconfig string
}

func (r *sideRun) stop() {
	if r.manager != nil {
		if err := r.manager.stop(); err != nil {
			warn("%v", err)
		}
	}
}

// prepare makes all that is there before the clock starts. The definitions are
// on both sides, the manager only on ours.
func (r *sideRun) prepare(ctx context.Context) error {
	if err := r.cluster.install(ctx, r.root, r.kubeconfig); err != nil {
		return err
	}
	if err := r.cluster.makeNamespaces(ctx, r.scenario.namespaces()); err != nil {
		return err
	}
	pids := r.cluster.pids
	if r.ours {
		var err error
		if r.manager, err = r.startManager(ctx, r.kubeconfig); err != nil {
			return err
		}
		pids["manager"] = r.manager.cmd.Process.Pid
	}
	r.cpu = sampleCPU(ctx, pids)
	var err error
	if r.scenario.ticks() {
		r.runs, err = r.cluster.watchRuns(ctx, r.ours)
	} else {
		r.watcher, err = r.cluster.watchFor(ctx, r.objects[0][0])
	}
	if err != nil {
		return err
	}
	_, err = r.cluster.audit.quiet(ctx)
	return err
}

// phase does a phase and measures it: wall time until the last object is as
// asked for, writes and CPU until nobody writes any more.
func (r *sideRun) phase(ctx context.Context, i int) (*measured, error) {
	p := &r.scenario.Phases[i]
	before, _, err := r.cluster.audit.seen()
	if err != nil {
		return nil, err
	}
	patch := p.Twin
	if r.ours {
		patch = p.Ours
	}
	r.watcher.expect(at(r.objects, int64(i+1)))
	profiled := r.profile(ctx, p)
	cpu, start := r.cpu.now(), time.Now()
	if patch == "" {
		err = r.cluster.create(ctx, r.objects)
	} else {
		err = r.cluster.change(ctx, r.objects, patch)
	}
	if err != nil {
		return nil, err
	}
	end, err := r.watcher.wait(ctx, p.patience())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name(), err)
	}
	profiled()
	over, err := r.cluster.audit.quiet(ctx)
	if err != nil {
		return nil, err
	}
	after, _, err := r.cluster.audit.seen()
	return &measured{writes: after.since(before), cpu: r.cpu.after(over).since(cpu), wall: end.Sub(start)}, err
}

func (r *sideRun) name() string {
	if r.ours {
		return "ours"
	}
	return "twin"
}

// rest looks for writes that should not be there: at rest, after a restart of
// the manager, and after everything was looked at again.
func (r *sideRun) rest(ctx context.Context, result *outcome) error {
	var err error
	wait := func() error { return sleep(ctx, r.scenario.Rest.Duration) }
	if result.resting, err = r.during(wait); err != nil {
		return err
	}
	if result.restarted, err = r.during(func() error {
		if err := r.manager.stop(); err != nil {
			return err
		}
		// A resync much later than the first passes.
		const resync = 20 * time.Second
		if r.manager, err = r.startManager(ctx, r.kubeconfig, "--sync-period="+resync.String()); err != nil {
			return err
		}
		if err := r.passes(ctx, r.scenario.objects()); err != nil {
			return err
		}
		_, err := r.cluster.audit.quiet(ctx)
		return err
	}); err != nil {
		return err
	}
	before, err := r.manager.passes(ctx)
	if err != nil {
		return err
	}
	result.resynced, err = r.during(func() error {
		if err := r.passes(ctx, before+r.scenario.objects()); err != nil {
			return err
		}
		_, err := r.cluster.audit.quiet(ctx)
		return err
	})
	return err
}

// passes waits for that many passes of the manager.
func (r *sideRun) passes(ctx context.Context, n int) error {
	return poll(ctx, managerPatience, fmt.Sprintf("%d passes are made", n), func() (bool, error) {
		passes, err := r.manager.passes(ctx)
		return passes >= n, err
	})
}

// during is what all actors wrote while something was done.
func (r *sideRun) during(do func() error) (writes, error) {
	before, _, err := r.cluster.audit.seen()
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	after, _, err := r.cluster.audit.seen()
	return after.since(before), err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
