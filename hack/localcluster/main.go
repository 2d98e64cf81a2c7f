// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command localcluster runs a Kubernetes cluster for development and tests on one machine: real nodes from Linux
// namespaces as root, kind where Docker runs, or simulated nodes by kwok. It also makes and loads container images,
// without a container engine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kdcos/kdcos/hack/localcluster/internal/assets"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
)

// Exit codes of status.
const (
	exitDegraded = 1
	exitNone     = 3
)

// exitError ends the program with a code and without a message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	var code exitError
	if errors.As(err, &code) {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		os.Exit(1)
	}
}

// program is what the commands share.
type program struct {
	stateDir string
	start    time.Time
}

func rootCommand() *cobra.Command {
	p := &program{start: time.Now()}
	cmd := &cobra.Command{
		Use:           "localcluster",
		Short:         "Run a Kubernetes cluster on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.PersistentFlags().StringVar(&p.stateDir, "state", "", "directory of the cluster (default: .local in the repository)")
	cmd.AddCommand(p.upCommand(), p.downCommand(), p.statusCommand(), p.nodeCommand(), p.loadCommand(),
		p.assetsCommand(), imageCommand(), provisionCommand())
	return cmd
}

// say reports progress to standard error: standard output is for results.
func (p *program) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

func (p *program) state() (cluster.State, error) {
	if p.stateDir != "" {
		return cluster.NewState(p.stateDir)
	}
	root, err := repositoryRoot()
	if err != nil {
		return cluster.State{}, err
	}
	return cluster.NewState(filepath.Join(root, ".local"))
}

// repositoryRoot is the closest directory upwards that has this module in its place.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "localcluster", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not in the repository: name a directory with --state")
		}
		dir = parent
	}
}

func (p *program) cache() (assets.Cache, error) {
	dir, err := assets.DefaultDir()
	if err != nil {
		return assets.Cache{}, err
	}
	return assets.Cache{Dir: dir, Sources: sources, Say: p.say}, nil
}

func (p *program) assetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "assets",
		Short: "Print the directory of the Kubernetes programs, built if need be",
		Long: "Print the directory that holds kube-apiserver, etcd, kubectl and the other programs of a cluster, built if " +
			"need be. It serves as KUBEBUILDER_ASSETS. On Debian and Ubuntu it also holds busybox, for test images.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := p.cache()
			if err != nil {
				return err
			}
			dir, err := cache.Kubernetes(cmd.Context())
			if err != nil {
				return err
			}
			if err := cache.LinkBusybox(cmd.Context(), dir); err != nil {
				p.say("no busybox: %v", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), dir)
			return err
		},
	}
}
