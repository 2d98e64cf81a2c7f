// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/kubectl/pkg/util/templates"
)

var (
	versionsLong = templates.LongDesc(`
		List the versions of an App, the newest first, as GET of /v2/apps/{id}/versions does.

		With -o yaml or json, print the definitions. The field status.version of each says
		which version it is.`)

	versionsExample = templates.Examples(`
		# List the versions of an App
		kubectl kdcos versions /prod/web/api

		# Print the definition of one version
		kubectl kdcos versions /prod/web/api --version 2026-03-01T10:00:00.000Z -o yaml`)
)

func newVersionsCommand(p *plugin) *cobra.Command {
	out := newOutput("")
	var wanted string
	var noHeaders bool
	cmd := &cobra.Command{
		Use:                   "versions APP",
		DisableFlagsInUseLine: true,
		Short:                 "List the versions of an App",
		Long:                  versionsLong,
		Example:               versionsExample,
		Args:                  oneApp,
		ValidArgsFunction:     p.completeApps(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			app, versions, err := p.versions(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if wanted != "" {
				v, err := find(versions, wanted)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				versions = []version{v}
			}
			if out.isOwn() {
				return printVersions(p.Out, versions, p.now(), noHeaders)
			}
			var objects []*unstructured.Unstructured
			for _, v := range versions {
				objects = append(objects, v.object(app))
			}
			return out.print(p.Out, objects)
		},
	}
	cmd.Flags().StringVar(&wanted, "version", "", "The version to show. Without it, all.")
	cmd.Flags().BoolVar(&noHeaders, "no-headers", false, "If true, print the table without its header.")
	out.addFlags(cmd)
	p.completeVersions(cmd, "version")
	return cmd
}

// versions are those of the App that an argument means.
func (p *plugin) versions(ctx context.Context, arg string) (*observed, []version, error) {
	cluster, err := p.cluster()
	if err != nil {
		return nil, nil, err
	}
	key, err := cluster.find(arg)
	if err != nil {
		return nil, nil, err
	}
	app, err := cluster.app(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	revisions, err := cluster.revisions(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	all, err := history(app, revisions)
	return app, all, err
}

// printVersions prints the table of versions.
func printVersions(w io.Writer, versions []version, now time.Time, noHeaders bool) error {
	t := newTable(w, noHeaders, "VERSION", "CURRENT", "INSTANCES", "IMAGE", "CHANGED", "AGE")
	for _, v := range versions {
		current, instances := "", "1"
		if v.current {
			current = "*"
		}
		if n, ok := v.spec["instances"]; ok {
			instances = fmt.Sprint(n)
		}
		image, _, _ := unstructured.NestedString(v.spec, "container", "docker", "image")
		changed := strings.Join(v.changed, ",")
		switch {
		case v.first:
			changed = none
		case changed == "":
			changed = "(restart)"
		}
		stamp := v.stamp
		if stamp == "" {
			stamp = "<pending>"
		}
		t.row(stamp, current, instances, orNone(image), changed, age(v.time(), now))
	}
	return t.flush()
}
