// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var quotaSetLong = templates.LongDesc(`
	Set what a group may use at most.

	As dcos quota update did, it sets all limits: a resource that is not given is not
	limited. What is over a limit is not stopped; limits below what is used need --force.`)

// quotaChange is one run of quota set.
type quotaChange struct {
	*plugin
	cpu, mem, disk, gpu string
	force               bool
}

func newQuotaSetCommand(p *plugin) *cobra.Command {
	q := &quotaChange{plugin: p}
	cmd := &cobra.Command{
		Use:                   "set GROUP [--cpu=N] [--mem=MIB] [--disk=MIB] [--gpu=N]",
		DisableFlagsInUseLine: true,
		Short:                 "Set the limits of a group",
		Long:                  quotaSetLong,
		ValidArgsFunction:     p.completeQuotas(),
		Args:                  oneGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := q.limits(cmd)
			if err != nil {
				return err
			}
			return q.run(cmd.Context(), args[0], limits)
		},
	}
	cmd.Flags().StringVar(&q.cpu, "cpu", "", "The number of CPU cores.")
	cmd.Flags().StringVar(&q.mem, "mem", "", "Memory in MiB.")
	cmd.Flags().StringVar(&q.disk, "disk", "", "Ephemeral storage and persistent volumes in MiB.")
	cmd.Flags().StringVar(&q.gpu, "gpu", "", "The number of GPUs.")
	cmd.Flags().BoolVar(&q.force, "force", false, "If true, limits may be below what is used. Nothing is stopped.")
	return cmd
}

func newQuotaDeleteCommand(p *plugin) *cobra.Command {
	return &cobra.Command{
		Use:                   "delete GROUP",
		DisableFlagsInUseLine: true,
		Short:                 "Delete the quota of a group, and let in what waits for it",
		Long:                  "Delete the quota of a group, and let in what waits for it.",
		ValidArgsFunction:     p.completeQuotas(),
		Args:                  oneGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.cluster()
			if err != nil {
				return err
			}
			raw, err := c.quota(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := c.client.Delete(cmd.Context(), raw); err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "quota.kdcos.io/%s deleted\n", raw.GetName())
			return nil
		},
	}
}

func oneGroup(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cmdutil.UsageErrorf(cmd, "need one GROUP: its Marathon id, such as /dev/web, or the name of its Quota")
	}
	return nil
}

// limits are those that the flags give.
func (q *quotaChange) limits(cmd *cobra.Command) (map[string]any, error) {
	limits := map[string]any{}
	for _, l := range []struct{ flag, value, field string }{
		{"cpu", q.cpu, "cpus"},
		{"mem", q.mem, "mem"},
		{"disk", q.disk, "disk"},
		{"gpu", q.gpu, "gpus"},
	} {
		if !cmd.Flags().Changed(l.flag) {
			continue
		}
		n, err := strconv.ParseFloat(l.value, 64)
		if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
			return nil, fmt.Errorf("--%s must be a number of 0 or more, not %q", l.flag, l.value)
		}
		limits[l.field] = n
	}
	if len(limits) == 0 {
		return nil, cmdutil.UsageErrorf(cmd, "need a limit: one of --cpu, --mem, --disk and --gpu")
	}
	return limits, nil
}

func (q *quotaChange) run(ctx context.Context, group string, limits map[string]any) error {
	c, err := q.cluster()
	if err != nil {
		return err
	}
	raw, err := c.quota(ctx, group)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return err
	}
	if missing {
		raw = &unstructured.Unstructured{}
		raw.SetGroupVersionKind(quotaKind)
		name, err := quotaName(group)
		if err != nil {
			return err
		}
		raw.SetName(name)
	}
	if err := unstructured.SetNestedMap(raw.Object, limits, "spec", "limits"); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	annotations := raw.GetAnnotations()
	delete(annotations, v1alpha1.ForceAnnotation)
	if q.force {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.ForceAnnotation] = "true"
	}
	raw.SetAnnotations(annotations)
	if missing {
		if err := c.client.Create(ctx, raw); err != nil {
			return err
		}
		fmt.Fprintf(q.Out, "quota.kdcos.io/%s created\n", raw.GetName())
		return nil
	}
	if err := c.client.Update(ctx, raw); err != nil {
		return err
	}
	fmt.Fprintf(q.Out, "quota.kdcos.io/%s configured\n", raw.GetName())
	return nil
}
