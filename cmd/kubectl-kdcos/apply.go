// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
)

var (
	applyLong = templates.LongDesc(`
		Apply definitions of Marathon and Metronome, Apps and Jobs to the cluster, by
		server-side apply.

		Files may hold what kubectl kdcos convert takes, and Apps and Jobs. An App or a Job
		without a namespace goes to the current one; a Marathon app or a Metronome job to that
		of its id. A namespace that does not exist is an error, unless --create-namespaces
		says otherwise.

		Each error is told, and the others are applied all the same.`)

	applyExample = templates.Examples(`
		# Apply a Marathon app
		kubectl kdcos apply -f app.json

		# Apply a group with all its apps, and wait until all run
		kubectl kdcos apply -f group.json --create-namespaces --wait

		# Let the server check a directory of definitions, without changing anything
		kubectl kdcos apply -R -f marathon/ --dry-run=server`)
)

// applying is one run of apply.
type applying struct {
	*plugin
	in          input
	translation translation
	out         *output
	wait        waiting
	target      applier
}

func newApplyCommand(p *plugin) *cobra.Command {
	a := &applying{plugin: p, out: newOutput(""), target: applier{created: sets.New[string]()}}
	cmd := &cobra.Command{
		Use:                   "apply -f FILENAME",
		DisableFlagsInUseLine: true,
		Short:                 "Apply Marathon and Metronome JSON, Apps and Jobs to the cluster",
		Long:                  applyLong,
		Example:               applyExample,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.in.validate(cmd); err != nil {
				return err
			}
			if err := a.translation.validate(cmd); err != nil {
				return err
			}
			var err error
			if a.target.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			return a.run(cmd.Context())
		},
	}
	a.in.addFlags(cmd, "The files and directories that contain the definitions, Apps and Jobs to apply. - is standard input.")
	a.translation.addFlags(cmd)
	a.wait.addFlags(cmd, "If true, wait until each App runs and each Job is scheduled as applied, or is stuck.")
	a.out.addFlags(cmd)
	cmdutil.AddDryRunFlag(cmd)
	cmdutil.AddFieldManagerFlagVar(cmd, &a.target.manager, fieldManager)
	cmd.Flags().BoolVar(&a.target.force, "force-conflicts", false, "If true, take over fields that others have set.")
	cmd.Flags().BoolVar(&a.target.createNamespaces, "create-namespaces", false, "If true, create namespaces that do not exist.")
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (a *applying) run(ctx context.Context) error {
	if !a.out.isOwn() {
		if _, err := a.out.printer(); err != nil {
			return err
		}
	}
	cluster, err := a.cluster()
	if err != nil {
		return err
	}
	a.target.cluster = cluster
	a.translation.options.RootNamespace = a.rootNamespace
	var objects []*unstructured.Unstructured
	var applied []*goal
	var failed bool
	for _, d := range a.translation.translate(a.in.documents(a.In)) {
		note(a.ErrOut, d.where, d.notes)
		object, err := a.one(ctx, d)
		if err != nil {
			complain(a.ErrOut, d.where, err)
			failed = true
			continue
		}
		objects = append(objects, object)
		applied = append(applied, &goal{kind: object.GetKind(), key: keyOf(object), generation: object.GetGeneration(), id: cluster.id(object)})
	}
	if !a.out.isOwn() && len(objects) > 0 {
		if err := a.out.print(a.Out, objects); err != nil {
			return err
		}
	}
	if a.wait.enabled && a.target.dryRun == cmdutil.DryRunNone {
		failed = !a.await(ctx, cluster, a.wait, a.out, applied) || failed
	}
	if failed {
		return errReported
	}
	return nil
}

// one applies a definition and says what became of it.
func (a *applying) one(ctx context.Context, d definition) (*unstructured.Unstructured, error) {
	if d.err != nil {
		return nil, d.err
	}
	result, err := a.target.apply(ctx, d.object)
	if a.out.isOwn() && result.namespaceCreated {
		fmt.Fprintf(a.Out, "namespace/%s created%s\n", d.object.GetNamespace(), dryRunSuffix(a.target.dryRun))
	}
	if err != nil {
		return nil, err
	}
	if result.unchecked {
		fmt.Fprintf(a.ErrOut, "Warning: %s: not checked by the server, since its namespace does not exist yet\n", d.where)
	}
	if a.out.isOwn() {
		subject, suffix := labelledKind(result.object.GetKind(), result.object.GetName(), a.target.cluster.id(result.object))
		fmt.Fprintf(a.Out, "%s %s%s%s\n", subject, result.operation, dryRunSuffix(a.target.dryRun), suffix)
	}
	return result.object, nil
}

// dryRunSuffix is what kubectl adds to a line about something it did not do.
func dryRunSuffix(strategy cmdutil.DryRunStrategy) string {
	switch strategy {
	case cmdutil.DryRunClient:
		return " (dry run)"
	case cmdutil.DryRunServer:
		return " (server dry run)"
	case cmdutil.DryRunNone:
	}
	return ""
}
