// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pages is a server that does whatever a task may do.
func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine "+r.URL.RawQuery) })
	mux.HandleFunc("/sick", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sick", http.StatusServiceUnavailable) })
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/sick", http.StatusFound) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { time.Sleep(50 * time.Millisecond) })
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/switch", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) })
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<16); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/huge-header", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	mux.HandleFunc("/hangup", func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux
}

func address(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func listen(t *testing.T, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Skipf("no listener at %s: %v", at, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestAsk(t *testing.T) {
	plain := httptest.NewServer(pages())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(pages())
	t.Cleanup(secure.Close)
	silent := listen(t, "127.0.0.1:0")
	gone := listen(t, "127.0.0.1:0")
	refused := gone.Addr().String()
	_ = gone.Close()
	http1, https, mute := plain.Listener.Addr().String(), secure.Listener.Addr().String(), silent.Addr().String()
	for name, c := range map[string]struct {
		protocol      Protocol
		address, path string
		code          int
		body, cause   string
		// contains says that the cause goes on.
		contains bool
	}{
		"a page":                       {protocol: HTTP, address: http1, path: "/ok?deep=1", code: 200, body: "fine deep=1"},
		"a page by HTTPS":              {protocol: HTTPS, address: https, path: "/ok", code: 200, body: "fine "},
		"a page of an error":           {protocol: HTTP, address: http1, path: "/sick", code: 503, body: "sick\n"},
		"a redirect is not followed":   {protocol: HTTP, address: http1, path: "/elsewhere", code: 302},
		"a path without sense":         {protocol: HTTP, address: http1, path: "/%zz", code: 404},
		"a path that names a host":     {protocol: HTTP, address: http1, path: "//192.0.2.1/ok", code: 200, body: "fine "},
		"slow":                         {protocol: HTTP, address: http1, path: "/slow", code: 200},
		"hanging":                      {protocol: HTTP, address: http1, path: "/hang", cause: "no answer within 300ms"},
		"hanging by TLS":               {protocol: HTTPS, address: mute, path: "/", cause: "no answer within 300ms"},
		"switching protocols":          {protocol: HTTP, address: http1, path: "/switch", code: 101},
		"early hints, then the answer": {protocol: HTTP, address: http1, path: "/early", code: 204},
		"a body without end":           {protocol: HTTP, address: http1, path: "/huge", code: 200, body: strings.Repeat("\x00", 64)},
		"a body that stops":            {protocol: HTTP, address: http1, path: "/half", code: 200, body: "half"},
		"a header without end":         {protocol: HTTP, address: http1, path: "/huge-header", cause: "server response headers exceeded", contains: true},
		"hanging up":                   {protocol: HTTP, address: http1, path: "/hangup", cause: "the connection was closed without an answer"},
		"HTTPS where HTTP is":          {protocol: HTTPS, address: http1, path: "/", cause: "tls: first record does not look like a TLS handshake"},
		"nobody there":                 {protocol: HTTP, address: refused, path: "/", cause: "connection refused"},
		"a port":                       {protocol: TCP, address: mute},
		"no port":                      {protocol: TCP, address: refused, cause: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAsker()
			r := a.ask(t.Context(), &Check{Protocol: c.protocol, Address: address(t, c.address), Path: c.path, Timeout: 300 * time.Millisecond, Body: 64})
			if r.Code != c.code {
				t.Errorf("code %d, want %d", r.Code, c.code)
			}
			if c.body != "" && r.Body != c.body {
				t.Errorf("body %q, want %q", r.Body, c.body)
			}
			if c.contains && !strings.Contains(r.Cause, c.cause) || !c.contains && r.Cause != c.cause {
				t.Errorf("cause %q, want %q", r.Cause, c.cause)
			}
			if r.Time.IsZero() {
				t.Error("no time")
			}
		})
	}
}

func TestAskIPv6(t *testing.T) {
	l := listen(t, "[::1]:0")
	server := &http.Server{Handler: pages(), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	for _, protocol := range []Protocol{HTTP, TCP} {
		r := newAsker().ask(t.Context(), &Check{Protocol: protocol, Address: address(t, l.Addr().String()), Path: "/ok", Timeout: time.Second})
		if r.Cause != "" {
			t.Errorf("%s: %+v", protocol, r)
		}
	}
}

// recorder keeps results.
type recorder struct {
	lock sync.Mutex
	all  map[Key][]Result
}

func (r *recorder) report(key Key, result Result) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.all == nil {
		r.all = map[Key][]Result{}
	}
	r.all[key] = append(r.all[key], result)
}

func (r *recorder) count(key Key) int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return len(r.all[key])
}

// run starts a prober that ends with the test.
func run(t testing.TB, report func(Key, Result)) *Prober {
	t.Helper()
	p := New(report)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		p.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

func TestChecksAreMadeAgainAndAgain(t *testing.T) {
	server := httptest.NewServer(pages())
	defer server.Close()
	var r recorder
	p := run(t, r.report)
	check := Check{Protocol: HTTP, Address: address(t, server.Listener.Addr().String()), Path: "/ok", Interval: 20 * time.Millisecond, Timeout: time.Second}
	often, later, removed := Key{"t", "often"}, Key{"t", "later"}, Key{"t", "removed"}
	check.First = time.Now()
	p.Set(often, check)
	p.Set(removed, check)
	check.First = time.Now().Add(time.Hour)
	p.Set(later, check)
	p.Set(removed, check)
	time.Sleep(300 * time.Millisecond)
	p.Remove(often)
	p.Remove(Key{"nobody", "knows"})
	n := r.count(often)
	if n < 8 || n > 16 {
		t.Errorf("%d results in 300 ms", n)
	}
	if r.count(later) > 0 || r.count(removed) > 1 {
		t.Errorf("results: %d before the first time, %d after a change", r.count(later), r.count(removed))
	}
	time.Sleep(60 * time.Millisecond)
	if more := r.count(often); more > n+1 {
		t.Errorf("%d results after its end", more-n)
	}
	if p.Len() != 2 {
		t.Errorf("%d checks left", p.Len())
	}
}

// A check that ends itself with its first result, as a readiness check does.
func TestReportMayRemove(t *testing.T) {
	server := httptest.NewServer(pages())
	defer server.Close()
	var p *Prober
	var results atomic.Int32
	ready := make(chan struct{})
	p = run(t, func(k Key, _ Result) {
		<-ready
		results.Add(1)
		p.Remove(k)
	})
	close(ready)
	p.Set(Key{"t", "once"}, Check{Protocol: HTTP, Address: address(t, server.Listener.Addr().String()), Path: "/ok", Interval: time.Millisecond, Timeout: time.Second})
	time.Sleep(100 * time.Millisecond)
	if results.Load() != 1 {
		t.Errorf("%d results", results.Load())
	}
}

// Many hanging tasks hold up neither the others nor memory.
func TestHangingTasksAreBounded(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	server := httptest.NewServer(pages())
	defer server.Close()
	var r recorder
	p := run(t, r.report)
	before := runtime.NumGoroutine()
	for i := range 2 * atOnce {
		p.Set(Key{"hanging", string(rune('a' + i))}, Check{Protocol: HTTP, Address: address(t, silent.Addr().String()), Path: "/", Interval: time.Second, Timeout: 500 * time.Millisecond})
	}
	fine := Key{"fine", ""}
	p.Set(fine, Check{Protocol: HTTP, Address: address(t, server.Listener.Addr().String()), Path: "/ok", First: time.Now(), Interval: 100 * time.Millisecond, Timeout: time.Second})
	time.Sleep(300 * time.Millisecond)
	// Each check under way has a goroutine, and its connection two.
	if now := runtime.NumGoroutine() - before; now > 4*atOnce {
		t.Errorf("%d goroutines for %d slots", now, atOnce)
	}
	deadline := time.Now().Add(5 * time.Second)
	for r.count(fine) == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if r.count(fine) == 0 {
		t.Error("the one that is fine never had its turn")
	}
}

func TestRunEnds(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	var r recorder
	p := New(r.report)
	p.Set(Key{"t", "hangs"}, Check{Protocol: HTTP, Address: address(t, silent.Addr().String()), Path: "/", Interval: time.Second, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		p.Run(ctx)
		close(done)
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("does not end")
	}
	if r.count(Key{"t", "hangs"}) > 0 {
		t.Error("being ended is no result")
	}
}
