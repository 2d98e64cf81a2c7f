// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
)

var (
	pauseLong = templates.LongDesc(`
		Hold the upgrade of Apps where it is.

		No more tasks of the new configuration are launched; those of both are kept
		up. Nothing is held while no upgrade is under way, and the next one is.`)

	pauseExample = templates.Examples(`
		# Stop the upgrade of a Marathon app to have a look
		kubectl kdcos pause /prod/web/api`)

	resumeLong = templates.LongDesc(`
		Let the upgrade of Apps go on: to its end, or to so many tasks of the new
		configuration.`)

	resumeExample = templates.Examples(`
		# Bring five canaries where there was one
		kubectl kdcos resume /prod/web/api --canary 5

		# The canaries sing: all the others
		kubectl kdcos resume /prod/web/api --wait`)
)

func newPauseCommand(p *plugin) *cobra.Command {
	return newChangeCommand(p, &change{done: "paused", do: func(ctx context.Context, c *cluster, app string, dryRun cmdutil.DryRunStrategy) (*observed, error) {
		return c.change(ctx, app, rolloutPatch(map[string]any{"paused": true}), fieldManagerRollout, dryRun)
	}}, &cobra.Command{
		Use:     "pause APP ...",
		Short:   "Hold the upgrade of Apps where it is",
		Long:    pauseLong,
		Example: pauseExample,
	})
}

func newResumeCommand(p *plugin) *cobra.Command {
	canary, wait := int32(-1), &waiting{}
	cmd := newChangeCommand(p, &change{done: "resumed", wait: wait, do: func(ctx context.Context, c *cluster, app string, dryRun cmdutil.DryRunStrategy) (*observed, error) {
		patch := map[string]any{"paused": nil, "canaryInstances": nil}
		if canary >= 0 {
			patch["canaryInstances"] = canary
		}
		return c.change(ctx, app, rolloutPatch(patch), fieldManagerRollout, dryRun)
	}}, &cobra.Command{
		Use:     "resume APP ...",
		Short:   "Let the upgrade of Apps go on",
		Long:    resumeLong,
		Example: resumeExample,
	})
	cmd.Flags().Int32Var(&canary, "canary", canary, "How many tasks of the new configuration to stop at; without it, all are replaced.")
	wait.addFlags(cmd, "If true, wait until the upgrade is over, or the App is stuck.")
	return cmd
}

func rolloutPatch(rollout map[string]any) map[string]any {
	return map[string]any{"spec": map[string]any{"rollout": rollout}}
}
