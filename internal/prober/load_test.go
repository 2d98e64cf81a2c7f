// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLoad makes 2,500 HTTP checks at an interval of a second, and tells
// how late they are and what they cost. The server's part of the cost is in
// the figure, too: it is in the same process.
func BenchmarkLoad(b *testing.B) {
	const checks, interval = 2500, time.Second
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	for b.Loop() {
		var lock sync.Mutex
		last := map[Key]time.Time{}
		var late []time.Duration
		failed := 0
		p := run(b, func(key Key, r Result) {
			lock.Lock()
			defer lock.Unlock()
			if r.Code != http.StatusOK {
				failed++
			}
			if before, is := last[key]; is {
				late = append(late, (r.Time.Sub(before) - interval).Abs())
			}
			last[key] = r.Time
		})
		started := time.Now()
		for i := range checks {
			p.Set(Key{Task: fmt.Sprint(i)}, Check{
				Protocol: HTTP, Address: netip.MustParseAddrPort(server.Listener.Addr().String()), Path: "/health",
				First: started.Add(time.Duration(i) * interval / checks), Interval: interval, Timeout: time.Second,
			})
		}
		before := cpu()
		time.Sleep(10 * time.Second)
		used := cpu() - before
		lock.Lock()
		slices.Sort(late)
		b.ReportMetric(float64(len(late))/10, "checks/s")
		b.ReportMetric(float64(late[len(late)*95/100].Microseconds())/1000, "p95-ms")
		b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(used.Seconds()/10, "cores")
		b.ReportMetric(float64(failed), "failed")
		lock.Unlock()
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
