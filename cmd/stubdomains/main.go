// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command stubdomains leads the names of DC/OS from the cluster's own DNS to
// that of kdcos, or no longer. The chart runs it as a job; kubectl kdcos
// stub-domains does the same with the rights of its caller.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kdcos/kdcos/internal/stubdomains"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stubdomains:", err)
		os.Exit(1)
	}
}

func run() error {
	service := flag.String("service", "", "Service of kdcos' DNS, as NAMESPACE/NAME.")
	remove := flag.Bool("remove", false, "Take out what was written before.")
	wait := flag.Duration("wait", 0, "How long to wait until the cluster's DNS answers for names of DC/OS.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	cluster := &stubdomains.Cluster{Client: client}
	var changes []stubdomains.Change
	if *remove {
		changes, err = cluster.Remove(ctx)
	} else {
		changes, err = add(ctx, cluster, *service)
	}
	for _, c := range changes {
		fmt.Println(c)
	}
	if err != nil || *remove || *wait <= 0 {
		return err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	if err := stubdomains.WaitUntilServed(ctx, net.DefaultResolver); err != nil {
		return err
	}
	fmt.Printf("the cluster's DNS answers for %s after %s\n", stubdomains.Probe, time.Since(start).Round(time.Second))
	return nil
}

func add(ctx context.Context, cluster *stubdomains.Cluster, service string) ([]stubdomains.Change, error) {
	namespace, name, ok := strings.Cut(service, "/")
	if !ok {
		return nil, fmt.Errorf("--service: %q is not NAMESPACE/NAME", service)
	}
	servers, err := cluster.Servers(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return cluster.Add(ctx, servers)
}
