// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kdcos/kdcos/internal/testkit/archives"
)

// app is what the pages show.
type app struct {
	started time.Time
	sick    atomic.Bool
	// switched says that health was set, and READY_AFTER counts no longer.
	switched atomic.Bool
	exit     func(code int)

	// requests are those that came in so far.
	requests *requests

	lock sync.Mutex
	// listeners are by port.
	listeners map[string]io.Closer
}

func newApp(started time.Time) *app {
	return &app{started: started, exit: os.Exit, requests: &requests{started: started, seen: map[string]*visits{}}, listeners: map[string]io.Closer{}}
}

// lifetime fires when the app is to end by itself, if ever.
func (*app) lifetime() <-chan time.Time {
	if os.Getenv("EXIT_AFTER") == "" {
		return nil
	}
	return time.After(duration("EXIT_AFTER", 0))
}

// info says who answers.
type info struct {
	Host    string    `json:"host"`
	TaskID  string    `json:"taskId,omitempty"`
	AppID   string    `json:"appId,omitempty"`
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started"`
}

func (a *app) info() info {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return info{
		Host: host, TaskID: os.Getenv("MESOS_TASK_ID"), AppID: os.Getenv("MARATHON_APP_ID"),
		Version: os.Getenv("MARATHON_APP_VERSION"), Started: a.started.UTC(),
	}
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Hello world!</title></head>
<body style="font-family: sans-serif; text-align: center; padding: 5em; color: #333">
<h1>Hello world!</h1>
<p>My hostname is <b>{{.Host}}</b>.</p>
{{with .AppID}}<p>App <b>{{.}}</b>{{with $.Version}}, version {{.}}{{end}}</p>
{{end}}{{with .TaskID}}<p>Task {{.}}</p>
{{end}}</body>
</html>
`))

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := page.Execute(w, a.info()); err != nil {
			fmt.Fprintln(os.Stderr, "web: write page:", err)
		}
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.info()) })
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) { answer(w, environment()) })
	mux.HandleFunc("GET /inspect", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.inspect()) })
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("POST /health/{state}", a.setHealth)
	mux.HandleFunc("/delay", delay)
	mux.HandleFunc("/exit", a.end)
	mux.HandleFunc("/answer", answerCode)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.requests.counts()) })
	mux.HandleFunc("POST /close", a.closePort)
	mux.HandleFunc("GET /files/{name}", file)
	return a.requests.count(mux)
}

// attacks are made once: a task has little of a processor.
var attacks = sync.OnceValues(func() ([]archives.Attack, error) { return archives.Attacks(10, 1<<20) })

// file is an archive of the kind that its name says, a script, or an archive
// that does harm.
func file(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "run.sh" {
		_, _ = io.WriteString(w, "#!/bin/sh\nexit 0\n")
		return
	}
	harmful, err := attacks()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, a := range harmful {
		if a.Name == name {
			_, _ = w.Write(a.Content)
			return
		}
	}
	content, err := archives.Hello(name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	_, _ = w.Write(content)
}

// closePort stops listening on a port; connections there are stay.
func (a *app) closePort(w http.ResponseWriter, r *http.Request) {
	a.lock.Lock()
	defer a.lock.Unlock()
	port := r.FormValue("port")
	listener := a.listeners[port]
	if listener == nil {
		http.Error(w, "port is one that is listened on", http.StatusNotFound)
		return
	}
	delete(a.listeners, port)
	if err := listener.Close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "closed", port)
}

// answerCode answers with any status there is.
func answerCode(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.FormValue("code"))
	if err != nil || code < 101 || code > 599 {
		http.Error(w, "code is a status", http.StatusBadRequest)
		return
	}
	w.WriteHeader(code)
}

func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	if a.sick.Load() || !a.switched.Load() && time.Since(a.started) < duration("READY_AFTER", 0) {
		http.Error(w, "sick", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "healthy")
}

func (a *app) setHealth(w http.ResponseWriter, r *http.Request) {
	switch state := r.PathValue("state"); state {
	case "on", "off":
		a.sick.Store(state == "off")
		a.switched.Store(true)
		fmt.Fprintln(w, "health is", state)
	default:
		http.Error(w, "health is on or off", http.StatusNotFound)
	}
}

func delay(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("for"))
	if err != nil {
		http.Error(w, "for is a time such as 2s", http.StatusBadRequest)
		return
	}
	if sleep(r.Context(), d) == nil {
		fmt.Fprintln(w, "answered after", d)
	}
}

func (a *app) end(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.FormValue("code"))
	if err != nil && r.FormValue("code") != "" {
		http.Error(w, "code is a number", http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, "exit", code)
	time.AfterFunc(100*time.Millisecond, func() { a.exit(code) })
}

func environment() map[string]string {
	all := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		all[name] = value
	}
	return all
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, "web: write answer:", err)
	}
}
