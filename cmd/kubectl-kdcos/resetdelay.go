// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	resetDelayLong = templates.LongDesc(`
		Forget the failures of Apps, and with them their launch delay, as DELETE of
		/v2/queue/{id}/delay does.

		Tasks that wait for the delay are launched at once.`)

	resetDelayExample = templates.Examples(`
		# Launch again at once what failed for want of a database that is back
		kubectl kdcos reset-delay /prod/web/api`)
)

func newResetDelayCommand(p *plugin) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "reset-delay APP ...",
		DisableFlagsInUseLine: true,
		Short:                 "Forget the failures and the launch delay of Apps",
		Long:                  resetDelayLong,
		Example:               resetDelayExample,
		ValidArgsFunction:     p.completeApps(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf(cmd, "need an APP: a name, or a Marathon id such as /prod/web/api")
			}
			dryRun, err := cmdutil.GetDryRunStrategy(cmd)
			if err != nil {
				return err
			}
			return p.resetDelays(cmd.Context(), args, dryRun)
		},
	}
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (p *plugin) resetDelays(ctx context.Context, args []string, dryRun cmdutil.DryRunStrategy) error {
	cluster, err := p.cluster()
	if err != nil {
		return err
	}
	failed := false
	for _, arg := range args {
		app, err := cluster.stamp(ctx, arg, v1alpha1.LaunchDelayResetAtAnnotation, p.now(), fieldManagerResetDelay, dryRun)
		if err != nil {
			report(p.ErrOut, err)
			failed = true
			continue
		}
		subject, suffix := labelled(app.Name, cluster.id(app))
		fmt.Fprintf(p.Out, "%s launch delay reset%s%s\n", subject, dryRunSuffix(dryRun), suffix)
	}
	if failed {
		return errReported
	}
	return nil
}
