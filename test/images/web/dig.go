// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/kdcos/kdcos/internal/dnsclient"
)

// dig asks a DNS server, by packets of 512 bytes as old resolvers do or by TCP.
func dig(ctx context.Context, args []string, out io.Writer) error {
	network := "udp"
	if i := slices.Index(args, "-tcp"); i >= 0 {
		network, args = "tcp", slices.Delete(args, i, i+1)
	}
	if len(args) == 2 {
		args = append(args, "A")
	}
	if len(args) != 3 {
		return errors.New("which SERVER (host:port), NAME and TYPE?")
	}
	connection, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, args[0])
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // it was read
	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	answer, err := dnsclient.Ask(connection, network == "tcp", args[1], args[2], 0)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}
