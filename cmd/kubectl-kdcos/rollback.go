// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	rollbackLong = templates.LongDesc(`
		Make an App what it was in an earlier version, as PUT of /v2/apps/{id} with a version does.

		The whole definition goes back, the number of instances too, and becomes a new
		version. Without --to it is the version before the current one.`)

	rollbackExample = templates.Examples(`
		# Undo the last change of an App
		kubectl kdcos rollback /prod/web/api

		# Go back to a version, and wait until it runs
		kubectl kdcos rollback /prod/web/api --to 2026-03-01T10:00:00.000Z --wait`)
)

// rollbackAttempts is how often an update is tried again because the status
// of the App, which nobody here decides on, was written meanwhile.
const rollbackAttempts = 10

// rollingBack is one run of rollback.
type rollingBack struct {
	*plugin
	to      string
	dryRun  cmdutil.DryRunStrategy
	out     *output
	wait    waiting
	cluster *cluster
}

func newRollbackCommand(p *plugin) *cobra.Command {
	r := &rollingBack{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "rollback APP [--to VERSION]",
		DisableFlagsInUseLine: true,
		Short:                 "Go back to an earlier version of an App",
		Long:                  rollbackLong,
		Example:               rollbackExample,
		Args:                  oneApp,
		ValidArgsFunction:     p.completeApps(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().StringVar(&r.to, "to", "", "The version to go back to, as kubectl kdcos versions lists them.")
	r.wait.addFlags(cmd, "If true, wait until the version runs, or the App is stuck.")
	r.out.addFlags(cmd)
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	p.completeVersions(cmd, "to")
	return cmd
}

func (r *rollingBack) run(ctx context.Context, arg string) error {
	var err error
	if r.cluster, err = r.plugin.cluster(); err != nil {
		return err
	}
	app, versions, err := r.versions(ctx, arg)
	if err != nil {
		return err
	}
	target, err := r.choose(app, versions)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	subject, suffix := labelled(app.Name, r.cluster.id(app))
	after := app.raw
	if len(changedFields(versions[0].spec, target.spec)) > 0 {
		if after, err = r.update(ctx, app, target); err != nil {
			return err
		}
		if r.out.isOwn() {
			fmt.Fprintf(r.Out, "%s rolled back to %s%s%s\n", subject, target.stamp, dryRunSuffix(r.dryRun), suffix)
		}
	} else if r.out.isOwn() {
		fmt.Fprintf(r.Out, "%s skipped rollback (it is what it was in version %s)%s\n", subject, target.stamp, suffix)
	}
	if !r.out.isOwn() {
		if err := r.out.print(r.Out, []*unstructured.Unstructured{after}); err != nil {
			return err
		}
	}
	if !r.wait.enabled || r.dryRun != cmdutil.DryRunNone {
		return nil
	}
	goals := []*goal{{key: keyOf(after), id: r.cluster.id(app), generation: after.GetGeneration()}}
	if !r.await(ctx, r.cluster, r.wait, r.out, goals) {
		return errReported
	}
	return nil
}

// choose finds the version to go back to. Where the manager went back by itself,
// it is the one that runs, so that the definition says so, too.
func (r *rollingBack) choose(app *observed, versions []version) (version, error) {
	switch back := app.Status.RolledBack; {
	case r.to != "":
		return find(versions, r.to)
	case back != nil:
		return find(versions, back.To)
	}
	return previous(versions)
}

// update replaces the spec, of that very generation the caller has seen. That
// the status has changed since is no reason to give up.
func (r *rollingBack) update(ctx context.Context, app *observed, target version) (*unstructured.Unstructured, error) {
	options := []client.UpdateOption{client.FieldOwner(fieldManagerRollback)}
	if r.dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	generation := app.Generation
	for range rollbackAttempts {
		after := app.raw.DeepCopy()
		after.Object["spec"] = target.spec
		if r.dryRun == cmdutil.DryRunClient {
			return after, nil
		}
		err := r.cluster.client.Update(ctx, after, options...)
		if !apierrors.IsConflict(err) {
			return after, err
		}
		if app, err = r.cluster.app(ctx, keyOf(app.raw)); err != nil {
			return nil, err
		}
		if app.Generation != generation {
			break
		}
	}
	return nil, errors.New("the App was changed by somebody else at the same time: look at it, and try again")
}
