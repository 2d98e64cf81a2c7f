// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// NoAddress is the cause of a check without an address.
const NoAddress = "no address"

// asker makes single checks.
type asker struct {
	dialer    *net.Dialer
	transport *http.Transport
}

func newAsker() asker {
	dialer := &net.Dialer{KeepAlive: -1, FallbackDelay: -1}
	return asker{dialer: dialer, transport: &http.Transport{
		DialContext: dialer.DialContext,
		// Each check opens a connection of its own: that it can is part of it.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // health checks never looked at certificates
	}}
}

func (a asker) ask(ctx context.Context, c *Check) Result {
	if !c.Address.IsValid() {
		return Result{Time: time.Now(), Cause: NoAddress}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var r Result
	var err error
	if c.Protocol == TCP {
		err = a.connect(ctx, c)
	} else {
		r, err = a.get(ctx, c)
	}
	if err != nil {
		r.Cause = cause(err, c.Timeout)
	}
	r.Time = time.Now()
	return r
}

func (a asker) connect(ctx context.Context, c *Check) error {
	connection, err := a.dialer.DialContext(ctx, "tcp", c.Address.String())
	if err != nil {
		return err
	}
	// That it was made is all there is to know.
	_ = connection.Close()
	return nil
}

// get asks for the page, once: the transport follows no redirect.
func (a asker) get(ctx context.Context, c *Check) (Result, error) {
	request := &http.Request{
		Method: http.MethodGet, URL: page(c), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"kdcos"}, "Accept": {"*/*"}},
	}
	response, err := a.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return Result{}, err
	}
	r := Result{Code: response.StatusCode}
	if c.Body > 0 && response.StatusCode >= http.StatusOK {
		// An answer without an end still has its beginning.
		beginning, _ := io.ReadAll(io.LimitReader(response.Body, c.Body))
		r.Body = strings.ToValidUTF8(string(beginning), "")
	}
	_ = response.Body.Close()
	return r, nil
}

// page is the URL of a check. Whatever its path says, the host is the address.
func page(c *Check) *url.URL {
	u, err := url.Parse(c.Path)
	if err != nil {
		u = &url.URL{Path: c.Path}
	}
	return &url.URL{Scheme: strings.ToLower(string(c.Protocol)), Host: c.Address.String(), Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
}

// cause says why there was no answer, in words that are the same each time:
// the innermost error has no ports of ours.
func cause(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", timeout)
	}
	if errors.Is(err, io.EOF) {
		return "the connection was closed without an answer"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	const limit = 200
	text := strings.ToValidUTF8(err.Error(), "")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
