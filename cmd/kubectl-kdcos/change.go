// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// change is what a command does to each of the Apps it is given.
type change struct {
	// done says what was done.
	done string
	// do changes an App and returns it.
	do func(ctx context.Context, c *cluster, app string, dryRun cmdutil.DryRunStrategy) (*observed, error)
	// wait is nil for what there is nothing to wait for.
	wait *waiting
}

// newChangeCommand completes a command that changes Apps one by one: that one
// can't be changed keeps none of the others.
func newChangeCommand(p *plugin, c *change, cmd *cobra.Command) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.ValidArgsFunction = p.completeApps(true)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmdutil.UsageErrorf(cmd, "need an APP: a name, or a Marathon id such as /prod/web/api")
		}
		dryRun, err := cmdutil.GetDryRunStrategy(cmd)
		if err != nil {
			return err
		}
		return p.changeAll(cmd.Context(), c, args, dryRun)
	}
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (p *plugin) changeAll(ctx context.Context, c *change, args []string, dryRun cmdutil.DryRunStrategy) error {
	cluster, err := p.cluster()
	if err != nil {
		return err
	}
	failed := false
	var goals []*goal
	for _, arg := range args {
		app, err := c.do(ctx, cluster, arg, dryRun)
		if err != nil {
			report(p.ErrOut, err)
			failed = true
			continue
		}
		id := cluster.id(app)
		subject, suffix := labelled(app.Name, id)
		fmt.Fprintf(p.Out, "%s %s%s%s\n", subject, c.done, dryRunSuffix(dryRun), suffix)
		goals = append(goals, &goal{key: keyOf(app.raw), id: id, generation: app.Generation})
	}
	if c.wait != nil && c.wait.enabled && dryRun == cmdutil.DryRunNone && !p.await(ctx, cluster, *c.wait, newOutput(""), goals) {
		failed = true
	}
	if failed {
		return errReported
	}
	return nil
}
