// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	drainLong = templates.LongDesc(`
		Take all work off nodes, as "dcos node drain" does.

		A node takes no new work from then on. Its pods are stopped as their disruption budgets
		allow: an instance of an App that may not be missing has its successor elsewhere first.
		Instances with persistent volumes are stopped last, and wait for the node. Pods of
		DaemonSets stay. The node is used again after "kubectl kdcos reactivate".

		What is not said here is as in the NodePool of the node.`)

	drainExample = templates.Examples(`
		# Drain a node, and wait until it is empty
		kubectl kdcos drain worker-3 --wait

		# No pod has more than two minutes to end, and what is left after half an hour is stopped
		kubectl kdcos drain worker-3 --max-grace-period 2m --force-after 30m

		# As on DC/OS: at once, whatever budgets say
		kubectl kdcos drain worker-3 --force`)

	decommissionLong = templates.LongDesc(`
		Drain nodes and give them up, as "dcos node decommission" does.

		What Apps have stored on a node is lost: their instances start elsewhere, with empty
		volumes. Its Node object is deleted. A node that does not answer is taken for dead. If the
		machine registers again it is kept out, until somebody says "reactivate --force".`)

	decommissionExample = templates.Examples(`
		# Give up a node that broke down, and wait until all is elsewhere
		kubectl kdcos decommission worker-3 --wait`)

	deactivateLong = templates.LongDesc(`
		Let nodes take no new work, as "dcos node deactivate" does. What runs there runs on.`)

	deactivateExample = templates.Examples(`
		# Keep new work off a node
		kubectl kdcos deactivate worker-3`)

	reactivateLong = templates.LongDesc(`
		Use nodes again that were deactivated or drained, as "dcos node reactivate" does.

		As there, a drain is waited for and not broken off, and a node that is decommissioned does
		not come back, but with --force. Nodes that somebody had made unschedulable before stay so.`)

	reactivateExample = templates.Examples(`
		# Use a node again
		kubectl kdcos reactivate worker-3`)
)

// draining are the flags of what takes nodes out of use.
type draining struct {
	*plugin
	action       v1alpha1.MaintenanceAction
	decommission bool
	maxGrace     time.Duration
	forceAfter   time.Duration
	force        bool
	reason       string
	doing, done  string
	wait         waiting
	dryRun       cmdutil.DryRunStrategy
}

func newDrainCommand(p *plugin) *cobra.Command {
	d := &draining{plugin: p, action: v1alpha1.MaintenanceDrain}
	cmd := d.complete(&cobra.Command{Use: "drain NODE ...", Short: "Take all work off nodes", Long: drainLong, Example: drainExample})
	cmd.Flags().BoolVar(&d.decommission, "decommission", false, "If true, give the nodes up when they are empty.")
	d.addDrainFlags(cmd)
	return cmd
}

func newDecommissionCommand(p *plugin) *cobra.Command {
	d := &draining{plugin: p, action: v1alpha1.MaintenanceGone}
	cmd := d.complete(&cobra.Command{Use: "decommission NODE ...", Short: "Give nodes up, with what is stored there", Long: decommissionLong, Example: decommissionExample})
	d.addDrainFlags(cmd)
	return cmd
}

func newDeactivateCommand(p *plugin) *cobra.Command {
	d := &draining{plugin: p, action: v1alpha1.MaintenanceDeactivate}
	return d.complete(&cobra.Command{Use: "deactivate NODE ...", Short: "Let nodes take no new work", Long: deactivateLong, Example: deactivateExample})
}

func (d *draining) addDrainFlags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&d.maxGrace, "max-grace-period", 0, "No pod has longer than this to end. Zero leaves each its own time.")
	cmd.Flags().DurationVar(&d.forceAfter, "force-after", 0, "Stop what is left after this length of time, whatever disruption budgets say. Zero is never.")
	cmd.Flags().BoolVar(&d.force, "force", false, "If true, stop all pods at once, whatever disruption budgets say.")
}

// complete adds what the commands have in common.
func (d *draining) complete(cmd *cobra.Command) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.ValidArgsFunction = d.completeNodes
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmdutil.UsageErrorf(cmd, "need a NODE: kubectl get nodes lists them")
		}
		var err error
		if d.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
			return err
		}
		return d.run(cmd.Context(), args)
	}
	cmd.Flags().StringVar(&d.reason, "reason", "", "Why, for those who look.")
	cmd.Flags().BoolVar(&d.wait.enabled, "wait", false, "If true, wait until it is done.")
	cmd.Flags().DurationVar(&d.wait.timeout, "timeout", 0, "The length of time to wait before giving up. Zero means no limit.")
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

// spec is what a NodeMaintenance is asked for.
func (d *draining) spec() (map[string]any, error) {
	if d.decommission {
		d.action = v1alpha1.MaintenanceGone
	}
	words := map[v1alpha1.MaintenanceAction][]string{
		v1alpha1.MaintenanceDeactivate: {"deactivating", "deactivated"}, v1alpha1.MaintenanceDrain: {"draining", "drained"},
		v1alpha1.MaintenanceGone: {"decommissioning", "decommissioned"},
	}[d.action]
	d.doing, d.done = words[0], words[1]
	spec := map[string]any{"action": string(d.action)}
	if d.reason != "" {
		spec["reason"] = d.reason
	}
	if d.force && d.forceAfter != 0 {
		return nil, errors.New("--force stops all pods at once: --force-after says nothing beside it")
	}
	drain := map[string]any{}
	if d.force {
		drain["mode"] = string(v1alpha1.DrainModeDelete)
	}
	for flag, field := range map[string]struct {
		value time.Duration
		name  string
	}{"--max-grace-period": {d.maxGrace, "podGraceCapSeconds"}, "--force-after": {d.forceAfter, "timeoutSeconds"}} {
		if field.value < 0 {
			return nil, fmt.Errorf("%s: %s is less than nothing", flag, field.value)
		}
		if field.value > 0 {
			drain[field.name] = int64(math.Ceil(field.value.Seconds()))
		}
	}
	if d.forceAfter > 0 {
		drain["onTimeout"] = string(v1alpha1.DrainTimeoutForce)
	}
	if len(drain) > 0 {
		spec["drain"] = drain
	}
	return spec, nil
}

func (d *draining) run(ctx context.Context, args []string) error {
	spec, err := d.spec()
	if err != nil {
		return err
	}
	c, err := d.cluster()
	if err != nil {
		return err
	}
	failed := false
	var goals []*goal
	for _, arg := range args {
		m, err := d.begin(ctx, c, arg, spec)
		if err != nil {
			report(d.ErrOut, err)
			failed = true
			continue
		}
		fmt.Fprintf(d.Out, "node/%s %s%s\n", m.Name, d.doing, dryRunSuffix(d.dryRun))
		goals = append(goals, &goal{kind: maintenanceKind.Kind, key: types.NamespacedName{Name: m.Name}, generation: m.Generation, done: d.done})
	}
	waited := !d.wait.enabled || d.dryRun != cmdutil.DryRunNone || d.await(ctx, c, d.wait, newOutput(""), goals)
	if failed || !waited {
		return errReported
	}
	return nil
}

func (d *draining) begin(ctx context.Context, c *cluster, arg string, spec map[string]any) (*maintained, error) {
	name, err := nodeName(arg)
	if err != nil {
		return nil, err
	}
	return c.maintain(ctx, name, spec, d.dryRun)
}

func newReactivateCommand(p *plugin) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:                   "reactivate NODE ...",
		DisableFlagsInUseLine: true,
		Short:                 "Use nodes again",
		Long:                  reactivateLong,
		Example:               reactivateExample,
		ValidArgsFunction:     p.completeMaintained,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf(cmd, "need a NODE: kubectl get nodemaintenances lists those that are out of use")
			}
			dryRun, err := cmdutil.GetDryRunStrategy(cmd)
			if err != nil {
				return err
			}
			return p.reactivateAll(cmd.Context(), args, force, dryRun)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "If true, break off a drain, or let in a node that is decommissioned.")
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (p *plugin) reactivateAll(ctx context.Context, args []string, force bool, dryRun cmdutil.DryRunStrategy) error {
	c, err := p.cluster()
	if err != nil {
		return err
	}
	failed := false
	for _, arg := range args {
		name, err := c.reactivate(ctx, arg, force, dryRun)
		if err != nil {
			report(p.ErrOut, err)
			failed = true
			continue
		}
		fmt.Fprintf(p.Out, "node/%s reactivated%s\n", name, dryRunSuffix(dryRun))
	}
	if failed {
		return errReported
	}
	return nil
}

func (c *cluster) reactivate(ctx context.Context, arg string, force bool, dryRun cmdutil.DryRunStrategy) (string, error) {
	name, err := nodeName(arg)
	if err != nil {
		return "", err
	}
	m, err := c.maintenance(ctx, name)
	if err != nil {
		return "", err
	}
	if m == nil {
		return "", fmt.Errorf("node %s is not deactivated: it has no NodeMaintenance", name)
	}
	if err := mayReturn(m, force); err != nil || dryRun == cmdutil.DryRunClient {
		return name, err
	}
	uid, version := m.UID, m.ResourceVersion
	options := []client.DeleteOption{client.Preconditions{UID: &uid, ResourceVersion: &version}}
	if force {
		options = []client.DeleteOption{client.Preconditions{UID: &uid}}
	}
	if dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	return name, c.client.Delete(ctx, m.raw, options...)
}
