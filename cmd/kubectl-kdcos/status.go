// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
)

var (
	statusLong = templates.LongDesc(`
		Show what runs, what waits and why.

		Without an APP, list the Apps of the namespace. With one, show its conditions, the
		progress of an upgrade, the launch delay, its last failure and its tasks. Each task
		that does not run says what it waits for.

		With a JOB, show its schedule, its conditions, and its runs that are not over. Where
		an App has the same name, write job/NAME.`)

	statusExample = templates.Examples(`
		# List the Apps of all namespaces
		kubectl kdcos status -A

		# Show one App of the current namespace
		kubectl kdcos status web.api

		# Show a Marathon app
		kubectl kdcos status /prod/web/api

		# Show a Job of the current namespace
		kubectl kdcos status job/etl`)
)

// showing is one run of status.
type showing struct {
	*plugin
	out       *output
	everyone  bool
	selector  string
	noHeaders bool
	cluster   *cluster
}

func newStatusCommand(p *plugin) *cobra.Command {
	s := &showing{plugin: p, out: newOutput("", "wide")}
	cmd := &cobra.Command{
		Use:                   "status [APP | JOB]",
		DisableFlagsInUseLine: true,
		Short:                 "Show what runs, what waits and why",
		Long:                  statusLong,
		Example:               statusExample,
		ValidArgsFunction:     p.completeApps(false),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cmdutil.UsageErrorf(cmd, "takes one APP or JOB at most")
			}
			if len(args) == 1 && (s.everyone || s.selector != "") {
				return cmdutil.UsageErrorf(cmd, "an APP goes with neither --all-namespaces nor --selector")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !s.out.isOwn() {
				if _, err := s.out.printer(); err != nil {
					return err
				}
			}
			var err error
			if s.cluster, err = p.cluster(); err != nil {
				return err
			}
			if len(args) == 1 {
				return s.one(cmd.Context(), args[0])
			}
			return s.list(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&s.everyone, "all-namespaces", "A", false, "If true, list the Apps of all namespaces.")
	cmd.Flags().BoolVar(&s.noHeaders, "no-headers", false, "If true, print the table without its header.")
	cmdutil.AddLabelSelectorFlagVar(cmd, &s.selector)
	s.out.addFlags(cmd)
	return cmd
}

func (s *showing) list(ctx context.Context) error {
	selector, err := labels.Parse(s.selector)
	if err != nil {
		return fmt.Errorf("--selector: %w", err)
	}
	namespace := s.cluster.namespace
	if s.everyone {
		namespace = metav1.NamespaceAll
	}
	apps, err := s.cluster.apps(ctx, namespace, selector)
	if err != nil {
		return err
	}
	if !s.out.isOwn() {
		return s.out.printList(s.Out, rawOf(apps))
	}
	if len(apps) == 0 {
		if s.everyone {
			fmt.Fprintln(s.ErrOut, "No resources found")
		} else {
			fmt.Fprintf(s.ErrOut, "No resources found in %s namespace.\n", namespace)
		}
		return nil
	}
	form := overview{everyone: s.everyone, wide: *s.out.OutputFormat == "wide", noHeaders: s.noHeaders, mapping: s.cluster.mapping, now: s.now()}
	return form.print(s.Out, apps)
}

func (s *showing) one(ctx context.Context, arg string) error {
	if _, isJob := jobNoun.strip(arg); isJob {
		return s.job(ctx, arg)
	}
	key, err := s.cluster.find(arg)
	if err != nil {
		return err
	}
	app, err := s.cluster.app(ctx, key)
	if apierrors.IsNotFound(err) {
		if asJob := s.job(ctx, arg); asJob == nil || !apierrors.IsNotFound(asJob) && !apierrors.IsForbidden(asJob) {
			return asJob
		}
	}
	if err != nil {
		return err
	}
	if !s.out.isOwn() {
		return s.out.print(s.Out, []*unstructured.Unstructured{app.raw})
	}
	view := page{app: &app.App, id: s.cluster.id(app), now: s.now(), wide: *s.out.OutputFormat == "wide"}
	view.pods, err = s.cluster.pods(ctx, app)
	if apierrors.IsForbidden(err) {
		// Who may see Apps and no pods still learns what the App says.
		view.pods, view.hidden = []corev1.Pod{}, reasons(err)[0]
	} else if err != nil {
		return err
	}
	return view.print(s.Out)
}

func rawOf(apps []*observed) []*unstructured.Unstructured {
	all := make([]*unstructured.Unstructured, 0, len(apps))
	for _, app := range apps {
		all = append(all, app.raw)
	}
	return all
}
