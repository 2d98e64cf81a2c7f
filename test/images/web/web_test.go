// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPages(t *testing.T) {
	t.Setenv("MARATHON_APP_ID", "/hello_world")
	t.Setenv("MESOS_TASK_ID", "hello_world.instance-1._app.1")
	exit := make(chan int, 1)
	a := newApp(time.Now())
	a.exit = func(code int) { exit <- code }
	server := httptest.NewServer(a.handler())
	defer server.Close()

	steps := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/", 200, "Hello world!"},
		{"GET", "/", 200, "<b>/hello_world</b>"},
		{"GET", "/info", 200, `"taskId":"hello_world.instance-1._app.1"`},
		{"GET", "/env", 200, `"MARATHON_APP_ID":"/hello_world"`},
		{"GET", "/nowhere", 404, ""},
		{"GET", "/inspect", 200, `"/nowhere":{"count":1`},
		{"GET", "/inspect", 200, `"MARATHON_APP_ID":"/hello_world"`},
		{"GET", "/health", 200, "healthy"},
		{"POST", "/health/off", 200, "off"},
		{"GET", "/health", 503, "sick"},
		{"POST", "/health/on", 200, "on"},
		{"POST", "/health/maybe", 404, ""},
		{"GET", "/health", 200, "healthy"},
		{"GET", "/delay?for=1ms", 200, "1ms"},
		{"GET", "/delay?for=ever", 400, ""},
		{"GET", "/exit?code=x", 400, ""},
		{"GET", "/answer?code=418", 418, ""},
		{"GET", "/answer?code=x", 400, ""},
		{"GET", "/requests", 200, `"/delay":2`},
		{"POST", "/close?port=1", 404, ""},
		{"POST", "/exit?code=7", 200, "exit 7"},
	}
	for _, step := range steps {
		request, err := http.NewRequestWithContext(t.Context(), step.method, server.URL+step.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != step.status || !strings.Contains(string(body), step.contains) {
			t.Errorf("%s %s: %s %q, want %d and %q", step.method, step.path, response.Status, body, step.status, step.contains)
		}
	}
	select {
	case code := <-exit:
		if code != 7 {
			t.Errorf("exit code %d, want 7", code)
		}
	case <-time.After(5 * time.Second):
		t.Error("/exit did not exit")
	}
}

func TestReadyAfter(t *testing.T) {
	for started, want := range map[time.Duration]int{0: http.StatusServiceUnavailable, 2 * time.Hour: http.StatusOK} {
		t.Setenv("READY_AFTER", "1h")
		w := httptest.NewRecorder()
		newApp(time.Now().Add(-started)).health(w, nil)
		if w.Code != want {
			t.Errorf("health after %s: %d, want %d", started, w.Code, want)
		}
	}
	a := newApp(time.Now())
	a.switched.Store(true)
	w := httptest.NewRecorder()
	if a.health(w, nil); w.Code != http.StatusOK {
		t.Errorf("health once switched on: %d", w.Code)
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		listen, ports string
		want          []string
		spare         string
	}{
		{"", "", []string{":80"}, ""},
		{"", "80", []string{":80"}, ""},
		{"", "20001,20002", []string{":20001", ":20002", ":80"}, ":80"},
		{"127.0.0.1:1,:2", "20001", []string{"127.0.0.1:1", ":2"}, ""},
	} {
		if got, spare := addresses(c.listen, c.ports); !slices.Equal(got, c.want) || spare != c.spare {
			t.Errorf("addresses(%q, %q) = %q, %q, want %q, %q", c.listen, c.ports, got, spare, c.want, c.spare)
		}
	}
}

func TestDuration(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 9, "5s": 5 * time.Second, "2": 2 * time.Second, "0.5": 500 * time.Millisecond, "soon": 9,
	} {
		t.Setenv("START_DELAY", value)
		if got := duration("START_DELAY", 9); got != want {
			t.Errorf("START_DELAY=%s is %s, want %s", value, got, want)
		}
	}
}

// The server goes on serving for a while after it was told to end, answers
// what is under way, and no request of a constant load fails.
func TestDrain(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Setenv("DRAIN_SECONDS", "0.3")
			address := freeAddress(t)
			url := scheme + "://" + address
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			args := []string{"-listen", address}
			if scheme == "https" {
				args = append(args, "-tls")
			}
			go func() { ended <- run(ctx, args, io.Discard) }()
			eventually(t, func() bool { return run(t.Context(), []string{"get", url + "/health"}, io.Discard) == nil })

			slow := make(chan error, 1)
			go func() { slow <- run(t.Context(), []string{"get", url + "/delay?for=500ms"}, io.Discard) }()
			time.Sleep(50 * time.Millisecond)
			stop()
			var out strings.Builder
			if err := run(t.Context(), []string{"load", url + "/info", "-d", "100ms", "-c", "2", "-rate", "100"}, &out); err != nil {
				t.Fatal(err)
			}
			var got report
			if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
				t.Fatal(err)
			}
			if got.Requests == 0 || got.Failed != 0 || len(got.Answers) != 1 {
				t.Errorf("load while draining: %s", out.String())
			}
			if err := <-slow; err != nil {
				t.Errorf("request under way: %v", err)
			}
			if err := <-ended; err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
}

func TestEcho(t *testing.T) {
	address := freeAddress(t)
	go echo(address)
	eventually(t, func() bool {
		connection, err := net.Dial("udp", address)
		if err != nil {
			return false
		}
		defer func() { _ = connection.Close() }()
		if _, err := connection.Write([]byte("hello")); err != nil {
			return false
		}
		if err := connection.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return false
		}
		answer := make([]byte, 100)
		n, err := connection.Read(answer)
		return err == nil && strings.HasSuffix(string(answer[:n]), ": hello")
	})
}

func TestLoadCountsFailures(t *testing.T) {
	var out strings.Builder
	args := []string{"load", "-rate", "100", "http://" + freeAddress(t), "-d", "60ms"}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Requests == 0 || got.Failed != got.Requests || got.Errors["connection refused"] != got.Failed {
		t.Errorf("load on nothing: %s", out.String())
	}
}

func TestMistakes(t *testing.T) {
	for _, args := range [][]string{
		{"dance"}, {"get"}, {"get", "a", "b"}, {"get", "-nope"}, {"load", "x", "-c", "0"}, {"-nope"}, {"get", "http://" + freeAddress(t)},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("web %s: no error", strings.Join(args, " "))
		}
	}
	if err := run(t.Context(), []string{"help"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for range 100 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("never happened")
}

func TestClosePort(t *testing.T) {
	t.Setenv("DRAIN_SECONDS", "0")
	stays, goes := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", stays + "," + goes}, io.Discard) }()
	eventually(t, func() bool { return run(t.Context(), []string{"get", "http://" + goes + "/"}, io.Discard) == nil })
	_, port, _ := net.SplitHostPort(goes)
	response, err := http.Post("http://"+stays+"/close?port="+port, "", nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	if connection, err := net.Dial("tcp", goes); err == nil {
		_ = connection.Close()
		t.Error("still listening")
	}
	if err := run(t.Context(), []string{"get", "http://" + stays + "/"}, io.Discard); err != nil {
		t.Errorf("the other port: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
