// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

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
	return newChangeCommand(p, &change{done: "launch delay reset", do: func(ctx context.Context, c *cluster, app string, dryRun cmdutil.DryRunStrategy) (*observed, error) {
		return c.stamp(ctx, app, v1alpha1.LaunchDelayResetAtAnnotation, p.now(), fieldManagerResetDelay, dryRun)
	}}, &cobra.Command{
		Use:     "reset-delay APP ...",
		Short:   "Forget the failures and the launch delay of Apps",
		Long:    resetDelayLong,
		Example: resetDelayExample,
	})
}
