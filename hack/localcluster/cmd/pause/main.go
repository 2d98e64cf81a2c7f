// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause is the sandbox process of every pod on a real node: it holds the pod's namespaces and does nothing
// until it is told to stop.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
