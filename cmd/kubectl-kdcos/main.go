// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package main is kubectl kdcos, a plugin of kubectl: it turns Marathon JSON
// into Apps, applies Apps, starts and stops runs of Jobs, and tells what runs,
// what waits and why. It has the rights of its caller and no others, writes
// nothing but Apps, runs of Jobs, Quotas, the maintenance of nodes and, where it
// is asked to, namespaces, deletes what it is told to wipe, and needs no cluster to
// convert.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	_ "time/tzdata" // zones of schedules, where the system has none

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// completer is the name under which kubectl runs what completes the arguments
// of this plugin.
const completer = "kubectl_complete-kdcos"

func main() {
	os.Exit(run(os.Args, newPlugin(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})))
}

// run executes a command line and returns the exit code.
func run(args []string, p *plugin) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, args, p)
}

// execute executes a command line until the context ends.
func execute(ctx context.Context, args []string, p *plugin) int {
	root := newRootCommand(p)
	root.SetArgs(arguments(args))
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return 130 // as a shell says it of a program that was interrupted
	case errors.As(err, &exit):
		return int(exit)
	}
	report(p.ErrOut, err)
	return 1
}

// arguments are those of the command line. Under the completer's name they are
// a question of kubectl, which expects what cobra answers to its own.
func arguments(args []string) []string {
	if strings.TrimSuffix(filepath.Base(args[0]), ".exe") == completer {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}
