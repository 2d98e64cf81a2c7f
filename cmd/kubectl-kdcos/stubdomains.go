// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/internal/stubdomains"
)

var (
	stubDomainsLong = templates.LongDesc(`
		Lead the names of DC/OS from the cluster's own DNS to that of kdcos, or no longer.

		Pods ask the cluster's CoreDNS. A server block in its configuration, the stub
		domains, forwards mesos, thisdcos.directory, thisdcos.global, dcos.directory, zk and
		spartan. The block goes to the ConfigMap coredns of kube-system, or to coredns-custom
		where the Corefile imports that, and to node-local-dns where there is one. Nothing
		else in them is changed; where somebody serves one of the names already, or changed
		the block, nothing is written at all.

		It takes the rights to get and to update these ConfigMaps.`)

	stubDomainsExample = templates.Examples(`
		# What would be written
		kubectl kdcos stub-domains add --dry-run=client

		# Lead the names to the DNS of kdcos, and back
		kubectl kdcos stub-domains add
		kubectl kdcos stub-domains remove`)
)

// stubbing is one run of stub-domains.
type stubbing struct {
	*plugin
	service string
	dryRun  cmdutil.DryRunStrategy
}

func newStubDomainsCommand(p *plugin) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "stub-domains (add | remove)",
		DisableFlagsInUseLine: true,
		Short:                 "Lead names of DC/OS from the cluster's DNS to that of kdcos",
		Long:                  stubDomainsLong,
		Example:               stubDomainsExample,
		Run:                   func(cmd *cobra.Command, _ []string) { cmd.HelpFunc()(cmd, nil) },
		Args:                  noArguments,
	}
	add := &stubbing{plugin: p}
	adding := add.command("add", "Write the server block, or bring it up to date", func(ctx context.Context, c *stubdomains.Cluster) ([]stubdomains.Change, error) {
		namespace, name, ok := strings.Cut(add.service, "/")
		if !ok {
			return nil, fmt.Errorf("--service: %q is not NAMESPACE/NAME", add.service)
		}
		servers, err := c.Servers(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		return c.Add(ctx, servers)
	})
	adding.Flags().StringVar(&add.service, "service", "kdcos-system/kdcos-dns", "The Service of kdcos' DNS, as NAMESPACE/NAME.")
	remove := &stubbing{plugin: p}
	cmd.AddCommand(adding, remove.command("remove", "Take the server block out again", func(ctx context.Context, c *stubdomains.Cluster) ([]stubdomains.Change, error) {
		return c.Remove(ctx)
	}))
	return cmd
}

func (s *stubbing) command(use, short string, do func(context.Context, *stubdomains.Cluster) ([]stubdomains.Change, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cmdutil.UsageErrorf(cmd, "unexpected arguments: %v", args)
			}
			var err error
			if s.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			core, err := s.core()
			if err != nil {
				return err
			}
			changes, err := do(cmd.Context(), &stubdomains.Cluster{
				Client: core, ReadOnly: s.dryRun == cmdutil.DryRunClient, DryRun: s.dryRun == cmdutil.DryRunServer,
			})
			s.print(changes)
			return err
		},
	}
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

// print says what became of each ConfigMap; a dry run shows all of it.
func (s *stubbing) print(changes []stubdomains.Change) {
	note := ""
	if s.dryRun != cmdutil.DryRunNone {
		note = " (dry run)"
	}
	for _, c := range changes {
		fmt.Fprintf(s.Out, "%s%s\n", c, note)
		if note != "" && c.Was != c.Is {
			fmt.Fprintf(s.Out, "%s\n", c.Is)
		}
	}
}

// dialCore makes a client of the caller's kubeconfig for the kinds of the core.
func (p *plugin) dialCore() (corev1client.CoreV1Interface, error) {
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	return corev1client.NewForConfig(config)
}
