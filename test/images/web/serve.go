// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "", "addresses to listen on, separated by commas")
	secure := flags.Bool("tls", false, "serve HTTPS, with a certificate of its own making")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := sleep(ctx, duration("START_DELAY", 0)); err != nil {
		return err
	}
	a := newApp(time.Now())
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	if *secure {
		config, err := selfSigned()
		if err != nil {
			return err
		}
		server.TLSConfig = config
	}
	failed := make(chan error, 1)
	addresses, spare := addresses(*listen, os.Getenv("PORTS"))
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil && address == spare {
			fmt.Println("not listening on", spare, "as well:", err)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.Addr())
		go echo(address)
		a.listens(listener)
		if *secure {
			listener = tls.NewListener(listener, server.TLSConfig)
		}
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				failed <- err
			}
		}()
	}
	select {
	case err := <-failed:
		return err
	case <-a.lifetime():
		os.Exit(int(duration("EXIT_CODE", 0) / time.Second))
	case <-ctx.Done():
	}
	return drain(server)
}

// echo sends packets back as long as the process lives. Who needs none does
// not mind that the port is taken.
func echo(address string) {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		fmt.Println("not listening on UDP as well:", err)
		return
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	buffer := make([]byte, 1500)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		if _, err := packets.WriteTo([]byte(host+": "+string(buffer[:n])), from); err != nil {
			fmt.Fprintln(os.Stderr, "web: answer packet:", err)
		}
	}
}

// drain goes on serving until everybody has heard that this task goes away,
// and ends when the requests under way are answered.
func (a *app) listens(listener net.Listener) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if address, is := listener.Addr().(*net.TCPAddr); is {
		a.listeners[strconv.Itoa(address.Port)] = listener
	}
}

func drain(server *http.Server) error {
	fmt.Println("draining")
	time.Sleep(duration("DRAIN_SECONDS", time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return server.Shutdown(ctx)
}

// addresses to listen on: those asked for, else the ports Marathon gave and 80,
// which it need not get beside others: on the network of a node it may be taken.
func addresses(listen, ports string) (all []string, spare string) {
	if listen != "" {
		return strings.Split(listen, ","), ""
	}
	for port := range strings.SplitSeq(ports, ",") {
		if port != "" && port != "80" {
			all = append(all, ":"+port)
		}
	}
	if len(all) > 0 {
		spare = ":80"
	}
	return append(all, ":80"), spare
}

// duration reads a variable: 5s, or 5 for as many seconds.
func duration(name string, otherwise time.Duration) time.Duration {
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return time.Duration(seconds * float64(time.Second))
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		fmt.Fprintf(os.Stderr, "web: %s=%s is not a time: %v\n", name, value, err)
		return otherwise
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
		DNSNames:     []string{"localhost"},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
	}, nil
}
