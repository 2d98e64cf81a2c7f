// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command fetcher fills the sandbox of a task before it starts. The manager puts
// it into the pods of Apps that fetch files.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/kdcos/kdcos/internal/fetcher"
)

// terminationLog is where the kubelet takes the reason from into the status of the pod.
const terminationLog = "/dev/termination-log"

func main() {
	if err := run(os.Args[1:]); err != nil {
		message := err.Error()
		fmt.Fprintln(os.Stderr, message)
		if log, err := os.OpenFile(terminationLog, os.O_WRONLY, 0); err == nil {
			_, _ = log.WriteString(message)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("fetcher", flag.ContinueOnError)
	sandbox := flags.String("sandbox", "", "Directory that files go to.")
	guard := &fetcher.Guard{}
	network(flags, "allow", "Network (CIDR) that files may be fetched from although it would be refused; may be repeated.", &guard.Allowed)
	network(flags, "forbid", "Network (CIDR) that no file is fetched from; may be repeated.", &guard.Forbidden)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *sandbox == "" || flags.NArg() != 1 {
		return errors.New("usage: fetcher --sandbox DIR [--allow CIDR] [--forbid CIDR] ITEMS, a list of {uri, destPath, extract, executable, cache} as JSON")
	}
	var items []fetcher.Item
	if err := json.Unmarshal([]byte(flags.Arg(0)), &items); err != nil {
		return fmt.Errorf("read items: %w", err)
	}
	root, err := os.OpenRoot(*sandbox)
	if err != nil {
		return fmt.Errorf("open sandbox: %w", err)
	}
	defer root.Close() //nolint:errcheck // files in it were closed
	f := &fetcher.Fetcher{Sandbox: root, Client: guard.Client(), Limits: fetcher.DefaultLimits(), Log: os.Stdout}
	return f.Fetch(ctx, items)
}

func network(flags *flag.FlagSet, name, usage string, list *[]netip.Prefix) {
	flags.Func(name, usage, func(v string) error {
		p, err := netip.ParsePrefix(v)
		*list = append(*list, p)
		return err
	})
}
