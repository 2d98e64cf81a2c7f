// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/lockfile"
)

// withProvider calls do for the cluster there is, while no other command changes it.
func (p *program) withProvider(ctx context.Context, do func(cluster.Provider) error) error {
	return p.locked(ctx, func(state cluster.State) error {
		record, err := state.Load()
		if err != nil {
			return err
		}
		if record == nil {
			return fmt.Errorf("no cluster in %s: run up first", state.Dir)
		}
		provider, err := p.provider(record.Provider, state)
		if err != nil {
			return err
		}
		return do(provider)
	})
}

func (p *program) locked(ctx context.Context, do func(cluster.State) error) error {
	state, err := p.state()
	if err != nil {
		return err
	}
	release, err := lockfile.Acquire(ctx, state.Lock(), func() { p.say("waiting for another command on %s", state.Dir) })
	if err != nil {
		return err
	}
	defer release()
	return do(state)
}

func (p *program) upCommand() *cobra.Command {
	var name string
	var private, public int
	var measuring bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, or repair it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.locked(cmd.Context(), func(state cluster.State) error {
				record, err := state.Load()
				if err != nil {
					return err
				}
				if record != nil {
					if !cmd.Flags().Changed("private-nodes") {
						private = count(record.Nodes, cluster.Private)
					}
					if !cmd.Flags().Changed("public-nodes") {
						public = count(record.Nodes, cluster.Public)
					}
				}
				return p.up(cmd, state, record, name, private, public, measuring)
			})
		},
	}
	preset := os.Getenv("PROVIDER")
	if preset == "" {
		preset = cluster.Auto
	}
	cmd.Flags().StringVar(&name, "provider", preset, "auto, real, kind or kwok; PROVIDER sets the default")
	cmd.Flags().IntVar(&private, "private-nodes", 2, "number of private nodes")
	cmd.Flags().IntVar(&public, "public-nodes", 1, "number of public nodes")
	cmd.Flags().BoolVar(&measuring, "measuring", false, "lift the limits that components set themselves, to take figures; kwok only")
	return cmd
}

func count(nodes []cluster.Node, pool string) int {
	n := 0
	for _, node := range nodes {
		if node.Pool == pool {
			n++
		}
	}
	return n
}

func (p *program) up(cmd *cobra.Command, state cluster.State, record *cluster.Record, name string, private, public int, measuring bool) error {
	var have []cluster.Node
	switch {
	case record == nil:
		var reason string
		name, reason = choose(cmd.Context(), name)
		p.say("provider %s: %s", name, reason)
	case name == cluster.Auto || name == record.Provider:
		name, have = record.Provider, record.Nodes
	default:
		return fmt.Errorf("the cluster in %s is of provider %s: run down before up with %s", state.Dir, record.Provider, name)
	}
	nodes, err := cluster.Grow(have, private, public)
	if err != nil {
		return err
	}
	provider, err := p.provider(name, state)
	if err != nil {
		return err
	}
	if measuring {
		if record != nil && !record.Measuring {
			return fmt.Errorf("the cluster in %s was not started with --measuring: run down first", state.Dir)
		}
		if err := measure(provider); err != nil {
			return err
		}
	}
	if err := provider.Up(cmd.Context(), nodes); err != nil {
		return err
	}
	status, err := provider.Status(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := status.WriteNodes(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s after %s; export KUBECONFIG=%s\n", status.Health,
		time.Since(p.start).Round(100*time.Millisecond), status.Kubeconfig)
	return err
}

func (p *program) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster and all its traces",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.locked(cmd.Context(), func(state cluster.State) error {
				record, err := state.Load()
				if err != nil {
					p.say("%v", err)
				}
				for _, name := range sweepers(record) {
					provider, err := p.provider(name, state)
					if err != nil {
						return err
					}
					if err := provider.Down(cmd.Context()); err != nil {
						return err
					}
				}
				p.say("no cluster is left in %s", state.Dir)
				return nil
			})
		},
	}
}

// sweepers are the providers that may have left something: the one on record, or else all that work without a record.
func sweepers(record *cluster.Record) []string {
	if record != nil {
		return []string{record.Provider}
	}
	return recordless
}

func (p *program) statusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster",
		Long:  "Show the cluster. The exit code is 0 if it is healthy, 1 if it is degraded and 3 if there is none.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := p.status(cmd.Context())
			if err != nil {
				return err
			}
			switch output {
			case "json":
				err = status.WriteJSON(cmd.OutOrStdout())
			case "table":
				err = status.WriteTable(cmd.OutOrStdout())
			default:
				return fmt.Errorf("unknown output %q", output)
			}
			if err != nil {
				return err
			}
			switch status.Health {
			case cluster.Degraded:
				return exitError(exitDegraded)
			case cluster.None:
				return exitError(exitNone)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func (p *program) status(ctx context.Context) (*cluster.Status, error) {
	state, err := p.state()
	if err != nil {
		return nil, err
	}
	record, err := state.Load()
	if err != nil {
		return nil, err
	}
	if record == nil {
		return &cluster.Status{Health: cluster.None, State: state.Dir, Identity: state.Identity()}, nil
	}
	provider, err := p.provider(record.Provider, state)
	if err != nil {
		return nil, err
	}
	return provider.Status(ctx)
}

func (p *program) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Stop, start, cut off or heal one node"}
	for _, action := range []struct {
		name, short string
		do          func(cluster.Provider, context.Context, string) error
	}{
		{"stop", "End a node at once, as a loss of power would", cluster.Provider.StopNode},
		{"start", "Boot a stopped node and wait until it is ready", cluster.Provider.StartNode},
		{"cut", "Take a running node off the network", cluster.Provider.CutNode},
		{"heal", "Put a node back on the network and wait until it is ready", cluster.Provider.HealNode},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   action.name + " NAME",
			Short: action.short,
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return p.withProvider(cmd.Context(), func(provider cluster.Provider) error {
					return action.do(provider, cmd.Context(), args[0])
				})
			},
		})
	}
	return cmd
}

func (p *program) loadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "load ARCHIVE...",
		Short: "Load docker or OCI archives into all nodes",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withProvider(cmd.Context(), func(provider cluster.Provider) error {
				return provider.Load(cmd.Context(), args)
			})
		},
	}
}
