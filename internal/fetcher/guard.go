// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// maxRedirects is how often an answer may send elsewhere.
const maxRedirects = 5

// Guard says which addresses may be asked. The check is made on the address a
// connection is about to be made to, after all names were resolved and for
// every redirect anew, so that no name can say one thing and lead to another.
type Guard struct {
	// Allowed are networks that may be asked although Forbidden or this
	// package would refuse them.
	Allowed []netip.Prefix
	// Forbidden are networks of the cluster, such as those of nodes, pods and Services.
	Forbidden []netip.Prefix
}

// never are networks that no file comes from: this host, link-local ones (where
// clouds answer with credentials), multicast and what is reserved.
var never = func() []netip.Prefix {
	var all []netip.Prefix
	for _, p := range []string{
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/128", "::1/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "fe80::/10", "ff00::/8",
	} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// ErrForbidden is wrapped by errors about addresses that may not be asked.
var ErrForbidden = errors.New("files are not fetched from this network")

// Check says whether a connection to the address may be made.
func (g *Guard) Check(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	for _, p := range g.Allowed {
		if p.Contains(address) {
			return nil
		}
	}
	for _, list := range [][]netip.Prefix{never, g.Forbidden} {
		for _, p := range list {
			if p.Contains(address) {
				return fmt.Errorf("%s is in %s: %w", address, p, ErrForbidden)
			}
		}
	}
	return nil
}

// Client makes connections only where the guard lets it. It uses no proxy of the
// environment, keeps no cookies, and follows no redirect from https to http.
func (g *Guard) Client() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%s is no address", address)
		}
		return g.Check(to.Addr())
	}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
			DisableCompression:     true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("more than %d redirects", maxRedirects)
			case req.URL.Scheme != "http" && req.URL.Scheme != "https":
				return fmt.Errorf("a redirect to scheme %q", req.URL.Scheme)
			case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http":
				return errors.New("a redirect from https to http")
			}
			// Where it leads to is not told where it comes from.
			req.Header.Del("Referer")
			return nil
		},
	}
}
