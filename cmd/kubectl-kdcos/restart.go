// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	restartLong = templates.LongDesc(`
		Replace all tasks of Apps, as POST of /v2/apps/{id}/restart does.

		New tasks take over from old ones by the upgradeStrategy of the App.`)

	restartExample = templates.Examples(`
		# Restart an App of the current namespace
		kubectl kdcos restart web.api

		# Restart a Marathon app, and wait until all its tasks are new
		kubectl kdcos restart /prod/web/api --wait`)
)

// restarting is one run of restart.
type restarting struct {
	*plugin
	dryRun  cmdutil.DryRunStrategy
	out     *output
	wait    waiting
	cluster *cluster
}

func newRestartCommand(p *plugin) *cobra.Command {
	r := &restarting{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "restart APP ...",
		DisableFlagsInUseLine: true,
		Short:                 "Replace all tasks of Apps",
		Long:                  restartLong,
		Example:               restartExample,
		ValidArgsFunction:     p.completeApps(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf(cmd, "need an APP: a name, or a Marathon id such as /prod/web/api")
			}
			var err error
			if r.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context(), args)
		},
	}
	r.wait.addFlags(cmd, "If true, wait until all tasks are new and run, or the App is stuck.")
	r.out.addFlags(cmd)
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (r *restarting) run(ctx context.Context, args []string) error {
	cluster, err := r.plugin.cluster()
	if err != nil {
		return err
	}
	r.cluster = cluster
	var objects []*unstructured.Unstructured
	var goals []*goal
	var failures []error
	for _, arg := range args {
		app, err := r.restart(ctx, arg)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		id := cluster.id(app)
		if r.out.isOwn() {
			subject, suffix := labelled(app.Name, id)
			fmt.Fprintf(r.Out, "%s restarted%s%s\n", subject, dryRunSuffix(r.dryRun), suffix)
		}
		objects = append(objects, app.raw)
		// What the answer says of the status is from before the restart.
		goals = append(goals, &goal{key: keyOf(app.raw), id: id, generation: app.Generation, restart: true, oldConfig: app.Status.ConfigHash})
	}
	if !r.out.isOwn() && len(objects) > 0 {
		if err := r.out.print(r.Out, objects); err != nil {
			return err
		}
	}
	for _, err := range failures {
		report(r.ErrOut, err)
	}
	waited := !r.wait.enabled || r.dryRun != cmdutil.DryRunNone || r.await(ctx, cluster, r.wait, r.out, goals)
	if len(failures) > 0 || !waited {
		return errReported
	}
	return nil
}

// restart asks for new tasks of an App, by a new value of an annotation.
func (r *restarting) restart(ctx context.Context, arg string) (*observed, error) {
	return r.cluster.stamp(ctx, arg, v1alpha1.RestartedAtAnnotation, r.now(), fieldManagerRestart, r.dryRun)
}

// stamp writes a time into an annotation of an App, which asks for something to be done.
func (c *cluster) stamp(ctx context.Context, arg, annotation string, at time.Time, manager string, dryRun cmdutil.DryRunStrategy) (*observed, error) {
	return c.change(ctx, arg, map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		annotation: at.UTC().Format(time.RFC3339Nano),
	}}}, manager, dryRun)
}

// change merges what is given into an App.
func (c *cluster) change(ctx context.Context, arg string, merge map[string]any, manager string, dryRun cmdutil.DryRunStrategy) (*observed, error) {
	key, err := c.find(arg)
	if err != nil {
		return nil, err
	}
	if dryRun == cmdutil.DryRunClient {
		return c.app(ctx, key)
	}
	patch, err := json.Marshal(merge)
	if err != nil {
		return nil, fmt.Errorf("encode patch: %w", err)
	}
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(appKind)
	raw.SetNamespace(key.Namespace)
	raw.SetName(key.Name)
	options := []client.PatchOption{client.FieldOwner(manager)}
	if dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	if err := c.client.Patch(ctx, raw, client.RawPatch(types.MergePatchType, patch), options...); err != nil {
		return nil, err
	}
	return observe(raw)
}
