// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
)

// openNode is open for a command on one node; the control plane has to run, since it holds the network.
func (p *Provider) openNode(name string) (*session, cluster.Node, machine.Running, error) {
	s, err := p.open()
	if err != nil {
		return nil, cluster.Node{}, machine.Running{}, err
	}
	n, err := cluster.Find(s.record.Nodes, name)
	if err != nil {
		return nil, cluster.Node{}, machine.Running{}, err
	}
	controlPlane, ok, err := s.machine(controlPlaneName).Find()
	if err == nil && !ok {
		err = errors.New("the control plane does not run: run up to repair the cluster")
	}
	return s, n, controlPlane, err
}

// StopNode ends all of the node's processes at once.
func (p *Provider) StopNode(ctx context.Context, name string) error {
	s, n, controlPlane, err := p.openNode(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	if err := s.machine(n.Name).Stop(ctx); err != nil {
		return err
	}
	if err := s.fabric(controlPlane).Unplug(n.Name); err != nil {
		return err
	}
	if err := s.cgroups.Remove(ctx, s.group()+"/"+n.Name); err != nil {
		return err
	}
	return s.routeToServices(controlPlane)
}

// StartNode boots the node and waits until it has reported to be ready.
func (p *Provider) StartNode(ctx context.Context, name string) error {
	s, n, controlPlane, err := p.openNode(name)
	if err != nil {
		return err
	}
	programs, err := p.programs(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	running, err := s.bootNode(n, programs, controlPlane)
	if err != nil {
		return err
	}
	if err := s.routeToServices(controlPlane); err != nil {
		return err
	}
	ctx, watch := newWatch(ctx)
	defer watch.stop()
	watch.add(s.machine(n.Name), running)
	return watch.explain(s.waitBack(ctx, n, start))
}

// CutNode takes the node's port down.
func (p *Provider) CutNode(_ context.Context, name string) error {
	s, n, controlPlane, err := p.openNode(name)
	if err != nil {
		return err
	}
	if _, ok, err := s.machine(n.Name).Find(); err != nil || !ok {
		return errors.Join(err, fmt.Errorf("%s does not run", n.Name))
	}
	if err := s.fabric(controlPlane).Cut(n.Name); err != nil {
		return err
	}
	return s.routeToServices(controlPlane)
}

// HealNode takes the node's port up and waits until it has reported to be ready.
func (p *Provider) HealNode(ctx context.Context, name string) error {
	s, n, controlPlane, err := p.openNode(name)
	if err != nil {
		return err
	}
	running, ok, err := s.machine(n.Name).Find()
	if err != nil || !ok {
		return errors.Join(err, fmt.Errorf("%s does not run", n.Name))
	}
	start := time.Now()
	if err := s.fabric(controlPlane).Attach(networkNode(n), running.NetworkNamespace(), s.networkNodes()); err != nil {
		return err
	}
	if err := s.routeToServices(controlPlane); err != nil {
		return err
	}
	return s.waitBack(ctx, n, start)
}

func (s *session) waitBack(ctx context.Context, n cluster.Node, since time.Time) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	if err := client.WaitBack(ctx, n.Name, since); err != nil {
		return s.logHint(fmt.Errorf("wait for node: %w", err), "kubelet-"+n.Name+".log")
	}
	s.Say("node %s is ready after %s", n.Name, time.Since(since).Round(100*time.Millisecond))
	return nil
}

// Load brings the images into all nodes that run, side by side.
func (p *Provider) Load(ctx context.Context, archives []string) error {
	s, err := p.open()
	if err != nil {
		return err
	}
	box, err := p.Cache.Packages(ctx)
	if err != nil {
		return err
	}
	contents := map[string][]image.Content{}
	for _, archive := range archives {
		if contents[archive], err = image.Inspect(archive); err != nil {
			return err
		}
	}
	var group errgroup.Group
	for _, n := range s.record.Nodes {
		running, ok, err := s.machine(n.Name).Find()
		if err != nil {
			return err
		}
		if !ok {
			s.Say("%s is stopped: nothing is loaded into it", n.Name)
			continue
		}
		runtime := s.runtime(running, box)
		group.Go(func() error {
			for _, archive := range archives {
				if err := s.load(ctx, runtime, n.Name, archive, contents[archive]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *session) load(ctx context.Context, runtime image.Runtime, name, archive string, contents []image.Content) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	skipped, err := runtime.Load(ctx, archive, contents)
	if err != nil {
		return s.logHint(fmt.Errorf("%s: %w", name, err), "containerd-"+name+".log")
	}
	if skipped {
		s.Say("%s has %s already", name, image.References(contents))
	} else {
		s.Say("%s loaded %s", name, image.References(contents))
	}
	return nil
}
