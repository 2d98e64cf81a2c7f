// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command web is a web application to be run by kdcos in demos and tests: a
// page that tells which task served it, with switches for everything a task
// can do wrong. It is its own client, too, so that a test can ask from within a
// pod. One static binary: an image of it needs nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `web serves a page, or asks for one.

  web [serve] [-listen :80,:8080] [-tls]    serve (the default)
  web get URL [-timeout 5s]                 print a page; fails unless its status is 2xx or 3xx
  web load URL [-d 30s] [-c 4] [-rate 50]   ask for a page constantly, print a report as JSON
  web dig SERVER NAME [TYPE] [-tcp]         ask a DNS server, print the answer as JSON

Pages of the server:
  /                   an HTML page: host, task, app and version
  /info               the same as JSON
  /env                the environment, as JSON
  /inspect            what the task sees of where it runs, and of requests: JSON
  /health             200, or 503 while switched off
  /health/on, /off    switch it (POST)
  /delay?for=2s       answers after that time
  /exit?code=1        ends the process with that code
  /answer?code=404    answers with that status
  /requests           the number of requests by path, as JSON
  /close?port=81      stops listening on a port (POST)

Packets of UDP to the same ports come back, with the name of the host before them.

Environment of the server:
  PORTS          ports to listen on beside 80, separated by commas, where -listen is not given
  START_DELAY    time before it listens, such as 5s
  READY_AFTER    time before /health answers 200, where it is not switched on before
  EXIT_AFTER     time after which it ends by itself, with EXIT_CODE (0)
  DRAIN_SECONDS  time it goes on serving after SIGTERM, in seconds (1)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	command := "serve"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return serve(ctx, args)
	case "get":
		return get(ctx, args, out)
	case "load":
		return load(ctx, args, out)
	case "dig":
		return dig(ctx, args, out)
	default:
		_, err := io.WriteString(out, usage)
		if command != "help" {
			err = fmt.Errorf("unknown command %q", command)
		}
		return err
	}
}
