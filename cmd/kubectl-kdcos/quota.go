// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var quotaKind = v1alpha1.GroupVersion.WithKind("Quota")

var (
	quotaLong = templates.LongDesc(`
		Show what groups use of their quotas, and what waits.

		Without a GROUP, list the quotas. With one, show who waits for it, in order, and why.
		A GROUP is given by its Marathon id (/dev/web) or by the name of its Quota (dev.web).`)

	quotaExample = templates.Examples(`
		# List the quotas
		kubectl kdcos quota

		# Show who waits for the quota of a group
		kubectl kdcos quota /dev

		# Let a group use 4 CPUs and 8 GiB of memory
		kubectl kdcos quota set /dev --cpu 4 --mem 8192

		# Let it use all there is
		kubectl kdcos quota delete /dev`)
)

// quotaView is one run of quota.
type quotaView struct {
	*plugin
	out       *output
	noHeaders bool
}

func newQuotaCommand(p *plugin) *cobra.Command {
	v := &quotaView{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "quota [GROUP]",
		DisableFlagsInUseLine: true,
		Short:                 "Show and set the quotas of groups",
		Long:                  quotaLong,
		Example:               quotaExample,
		ValidArgsFunction:     p.completeQuotas(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cmdutil.UsageErrorf(cmd, "need one GROUP: its Marathon id, such as /dev/web, or the name of its Quota")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !v.out.isOwn() {
				if _, err := v.out.printer(); err != nil {
					return err
				}
			}
			if len(args) == 0 {
				return v.list(cmd.Context())
			}
			return v.show(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&v.noHeaders, "no-headers", false, "If true, print the table without its header.")
	v.out.addFlags(cmd)
	cmd.AddCommand(newQuotaSetCommand(p), newQuotaDeleteCommand(p))
	return cmd
}

// quotaName is the name of the Quota of a group.
func quotaName(group string) (string, error) {
	name := strings.ReplaceAll(strings.Trim(group, "/"), "/", ".")
	if len(validation.IsDNS1123Subdomain(name)) > 0 || !strings.HasPrefix(group, "/") && strings.Contains(group, "/") {
		return "", fmt.Errorf("%q is no group: give its Marathon id, such as /dev/web, or the name of its Quota, such as dev.web", group)
	}
	return name, nil
}

// groupID is the Marathon id of the group of a Quota.
func groupID(quota string) string { return "/" + strings.ReplaceAll(quota, ".", "/") }

func readQuota(raw *unstructured.Unstructured) (*v1alpha1.Quota, error) {
	q := &v1alpha1.Quota{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, q); err != nil {
		return nil, fmt.Errorf("read Quota %s: %w", raw.GetName(), err)
	}
	return q, nil
}

func (c *cluster) quotas(ctx context.Context) ([]*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("QuotaList"))
	if err := c.client.List(ctx, list); err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	slices.SortFunc(all, func(a, b *unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all, nil
}

// quota is the Quota of a group.
func (c *cluster) quota(ctx context.Context, group string) (*unstructured.Unstructured, error) {
	name, err := quotaName(group)
	if err != nil {
		return nil, err
	}
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(quotaKind)
	return raw, c.client.Get(ctx, client.ObjectKey{Name: name}, raw)
}

// completeQuotas completes a GROUP.
func (p *plugin) completeQuotas() completion {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		c, err := p.cluster()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		quotas, err := c.quotas(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var groups []string
		for _, q := range quotas {
			group := q.GetName()
			if strings.HasPrefix(toComplete, "/") {
				group = groupID(group)
			}
			groups = append(groups, group)
		}
		return groups, cobra.ShellCompDirectiveNoFileComp
	}
}
