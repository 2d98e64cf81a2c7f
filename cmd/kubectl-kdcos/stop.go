// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	stopLong = templates.LongDesc(`
		Stop runs of Jobs, as POST of /v1/jobs/{id}/runs/{run}/actions/stop does.

		The task of a run gets SIGTERM, and after its taskKillGracePeriodSeconds SIGKILL. The run
		has failed then, and counts as one that did. No other task follows, whatever the
		restart policy is.

		A RUN is given by the name of its JobRun, or by the path of its Job and the id of the
		run, such as /data/extract/20260301120000ab3x9.`)

	stopExample = templates.Examples(`
		# Stop a run
		kubectl kdcos stop etl-20260301120000ab3x9`)
)

func newStopCommand(p *plugin) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "stop RUN ...",
		DisableFlagsInUseLine: true,
		Short:                 "Stop runs of Jobs",
		Long:                  stopLong,
		Example:               stopExample,
		ValidArgsFunction:     p.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf(cmd, "need a RUN: the name of a JobRun, as kubectl kdcos runs lists them")
			}
			dryRun, err := cmdutil.GetDryRunStrategy(cmd)
			if err != nil {
				return err
			}
			return p.stopAll(cmd.Context(), args, dryRun)
		},
	}
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (p *plugin) stopAll(ctx context.Context, args []string, dryRun cmdutil.DryRunStrategy) error {
	c, err := p.cluster()
	if err != nil {
		return err
	}
	failed := false
	for _, arg := range args {
		name, err := c.stop(ctx, arg, dryRun)
		if err != nil {
			report(p.ErrOut, err)
			failed = true
			continue
		}
		fmt.Fprintf(p.Out, "%s stopped%s\n", subject(jobRunNoun, name), dryRunSuffix(dryRun))
	}
	if failed {
		return errReported
	}
	return nil
}

func (c *cluster) stop(ctx context.Context, arg string, dryRun cmdutil.DryRunStrategy) (string, error) {
	key, err := c.findRun(arg)
	if err != nil {
		return "", err
	}
	run, err := c.jobRun(ctx, key)
	if err != nil {
		return "", err
	}
	if run.typed.Status.Finished() {
		return "", fmt.Errorf("%s is over: %s", subject(jobRunNoun, key.Name), run.typed.Status.State)
	}
	if dryRun == cmdutil.DryRunClient {
		return key.Name, nil
	}
	options := []client.PatchOption{client.FieldOwner(fieldManagerStop)}
	if dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	return key.Name, c.client.Patch(ctx, run.raw, client.RawPatch(types.MergePatchType, []byte(`{"spec": {"stop": true}}`)), options...)
}

// exitCode is the one that a run ends with: that of its last task, or 1 if it
// failed for another reason.
func exitCode(r *v1alpha1.JobRun) int {
	if r.Status.State == v1alpha1.RunSuccess {
		return 0
	}
	if n := len(r.Status.Attempts); n > 0 {
		if code := r.Status.Attempts[n-1].ExitCode; code != nil && *code != 0 {
			return int(*code)
		}
	}
	return 1
}
