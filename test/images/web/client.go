// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// client asks as a stranger would: a connection a request, so that each
// meets whatever endpoints there are by then.
func client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as health checks do
	}}
}

// parse reads flags before and after the one URL.
func parse(flags *flag.FlagSet, args []string) (string, error) {
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() == 0 {
		return "", errors.New("which URL?")
	}
	url := flags.Arg(0)
	if err := flags.Parse(flags.Args()[1:]); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("one URL, please, not %s as well", strings.Join(flags.Args(), " "))
	}
	return url, nil
}

func get(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	timeout := flags.Duration("timeout", 5*time.Second, "time to wait for the answer")
	url, err := parse(flags, args)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client(*timeout).Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return errors.New(response.Status)
	}
	return nil
}

// report is what load has seen.
type report struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// Errors counts the failures by what went wrong.
	Errors map[string]int `json:"errors,omitempty"`
	// Answers counts the hosts that answered, where the page is /info.
	Answers map[string]int `json:"answers,omitempty"`
	Seconds float64        `json:"seconds"`
}

func load(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	length := flags.Duration("d", 30*time.Second, "time to go on")
	workers := flags.Int("c", 4, "requests at once")
	rate := flags.Float64("rate", 50, "requests a second")
	timeout := flags.Duration("timeout", 5*time.Second, "time to wait for an answer")
	url, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *workers < 1 || *rate <= 0 {
		return errors.New("-c and -rate are more than 0")
	}
	started := time.Now()
	total := report{Errors: map[string]int{}, Answers: map[string]int{}}
	var lock sync.Mutex
	var group sync.WaitGroup
	turns := make(chan struct{})
	for range *workers {
		group.Go(func() {
			c := client(*timeout)
			for range turns {
				host, err := ask(c, url)
				lock.Lock()
				total.count(host, err)
				lock.Unlock()
			}
		})
	}
	pace(ctx, turns, *length, *rate)
	group.Wait()
	total.Seconds = time.Since(started).Seconds()
	return json.NewEncoder(out).Encode(total)
}

// pace hands out turns at a constant rate; those that find nobody free are dropped.
func pace(ctx context.Context, turns chan<- struct{}, length time.Duration, rate float64) {
	defer close(turns)
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case turns <- struct{}{}:
		default:
		}
	}
}

func (r *report) count(host string, err error) {
	r.Requests++
	if host != "" {
		r.Answers[host]++
	}
	if err != nil {
		r.Failed++
		r.Errors[err.Error()]++
	}
}

// ask for a page, and say which host answered if the page tells.
func ask(c *http.Client, url string) (string, error) {
	response, err := c.Get(url)
	if err != nil {
		return "", root(err)
	}
	var who info
	decoded := json.NewDecoder(response.Body).Decode(&who)
	_, err = io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return "", root(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return "", errors.New(response.Status)
	}
	if decoded != nil {
		return "", nil
	}
	return who.Host, nil
}

// root is what an error is at bottom, without addresses that differ each time.
func root(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
