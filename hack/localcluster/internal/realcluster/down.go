// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cgroup"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
	"github.com/kdcos/kdcos/hack/localcluster/internal/network"
	"github.com/kdcos/kdcos/hack/localcluster/internal/process"
)

// Down goes by the identity of the cluster and by what is there, not by records: it works on half a cluster as well,
// and on one whose state directory is gone.
func (p *Provider) Down(ctx context.Context) error {
	if err := p.sweep(ctx); err != nil {
		return fmt.Errorf("take the cluster down: %w", err)
	}
	return p.State.Remove()
}

// sweep removes all of the cluster but its files.
func (p *Provider) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	// A step that fails does not keep the others from being done.
	return errors.Join(
		p.endMachines(ctx),
		network.RemoveLink(p.link()),
		p.removeCgroups(ctx),
		p.unmount(),
	)
}

func (p *Provider) endMachines(ctx context.Context) error {
	machines, err := machine.FindAll(p.State.Cluster())
	if err != nil {
		return err
	}
	return process.KillAll(ctx, machines)
}

func (p *Provider) removeCgroups(ctx context.Context) error {
	cgroups, err := cgroup.Detect()
	if err != nil {
		return err
	}
	// All processes ended with their machines, unless a machine was killed before it was in its namespaces.
	rest, err := cgroups.Processes(p.group())
	if err != nil {
		return err
	}
	return errors.Join(process.KillAll(ctx, rest), cgroups.Remove(ctx, p.group()))
}

// unmount makes sure that nothing is mounted where files are about to be removed. Machines mount in namespaces of their
// own, so there should be nothing.
func (p *Provider) unmount() error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(p.State.Cluster()))
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var errs []error
	for i := len(mounts) - 1; i >= 0; i-- {
		at := mounts[i].Mountpoint
		if !strings.HasPrefix(at, p.State.Cluster()) {
			continue
		}
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", at, err))
		}
	}
	return errors.Join(errs...)
}
