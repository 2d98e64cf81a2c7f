// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The faults of what the manager sees, of one kind each.
const (
	// hold lets the manager see nothing new of a kind for a while.
	hold fault = "hold"
	// skip is hold, and of what happened meanwhile only the last state is seen:
	// intermediate ones are dropped.
	skip fault = "skip"
	// relist breaks the watch off; the list that follows is an old one, and
	// time stands still for a while.
	relist fault = "relist"
	// travel kills the manager; the new one sees an old list.
	travel fault = "travel"
)

// ofTheCache are the faults that the sweep tries for every kind the manager watches.
var ofTheCache = []fault{hold, skip, relist, travel}

// holdFor is how long the manager is left in the past.
const holdFor = 600 * time.Millisecond

// backBy is how many writes an old list is old.
const backBy = 3

// stale is what the manager does not see of a kind.
type stale struct {
	mu sync.Mutex
	// since is closed when it begins, until when it ends.
	until chan struct{}
	// list is the revision of the lists it gets meanwhile, 0 for true ones.
	list uint64
	// cut is closed to break off the watches that run.
	cut chan struct{}
}

func newStale() *stale { return &stale{cut: make(chan struct{})} }

// begin stops time; the lists are of the revision, if there is one.
func (s *stale) begin(list uint64, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until != nil {
		return
	}
	s.until, s.list = make(chan struct{}), list
	if cut {
		close(s.cut)
		s.cut = make(chan struct{})
	}
}

// end lets time pass again.
func (s *stale) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until != nil {
		close(s.until)
		s.until, s.list = nil, 0
	}
}

func (s *stale) state() (until, cut chan struct{}, list uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until, s.cut, s.list
}

// read sends a read, or what becomes of it when the kind is stale.
func (t *faultTransport) read(req *http.Request, r request) (*http.Response, error) {
	p := t.run.point
	if r.watch {
		t.run.watches(r.resource)
	}
	if p.resource == "" || p.resource != r.resource || r.name != "" {
		return t.base.RoundTrip(req)
	}
	_, _, list := t.run.stale.state()
	req = req.Clone(req.Context())
	if !r.watch {
		query := req.URL.Query()
		// Reads that bypass the cache ask for the newest: they do not say resourceVersion.
		if list > 0 && query.Has("resourceVersion") {
			query.Set("resourceVersion", strconv.FormatUint(list, 10))
			query.Set("resourceVersionMatch", "Exact")
			req.URL.RawQuery = query.Encode()
		}
		return t.base.RoundTrip(req)
	}
	// The frames of a watch are easily told apart in JSON only.
	req.Header.Set("Accept", "application/json")
	resp, err := t.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	reader, writer := io.Pipe()
	f := &frames{from: json.NewDecoder(resp.Body), to: writer, stale: t.run.stale, skip: p.fault == skip}
	go f.copy(resp.Body)
	resp.Body = reader
	return resp, nil
}

// frames copies the events of a watch, but for what the manager is not to see.
type frames struct {
	from  *json.Decoder
	to    *io.PipeWriter
	stale *stale
	skip  bool
}

func (f *frames) copy(body io.Closer) {
	defer func() { _ = body.Close() }()
	_, cut, _ := f.stale.state()
	events := make(chan json.RawMessage)
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		defer close(events)
		for {
			var e json.RawMessage
			if f.from.Decode(&e) != nil {
				return
			}
			select {
			case events <- e:
			case <-gone:
				return
			}
		}
	}()
	var held []json.RawMessage
	for {
		until, _, _ := f.stale.state()
		select {
		case <-cut:
			// What a server says that has forgotten the revision.
			_, _ = f.to.Write([]byte(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"injected"}}`))
			_ = f.to.Close()
			return
		case e, ok := <-events:
			if !ok {
				_ = f.to.CloseWithError(io.EOF)
				return
			}
			held = append(held, e)
		case <-until:
		}
		if until, _, _ := f.stale.state(); until != nil {
			continue
		}
		if f.skip {
			held = latest(held)
		}
		for _, e := range held {
			if _, err := f.to.Write(append(e, '\n')); errors.Is(err, io.ErrClosedPipe) {
				return
			}
		}
		held = nil
	}
}

// latest drops of each object's events those that others follow. Added then
// deleted is nothing; deleted then added is a change under a new uid, which is
// what a client sees that was looking elsewhere.
func latest(events []json.RawMessage) []json.RawMessage {
	type event struct {
		Type   string `json:"type"`
		Object struct {
			Metadata struct{ Namespace, Name string } `json:"metadata"`
		} `json:"object"`
	}
	last, first := map[string]int{}, map[string]string{}
	parsed := make([]event, len(events))
	key := func(e event) string { return e.Object.Metadata.Namespace + "/" + e.Object.Metadata.Name }
	for i, raw := range events {
		if json.Unmarshal(raw, &parsed[i]) != nil {
			return events
		}
		k := key(parsed[i])
		last[k] = i
		if first[k] == "" {
			first[k] = parsed[i].Type
		}
	}
	var kept []json.RawMessage
	for i, raw := range events {
		e := parsed[i]
		k := key(e)
		if e.Type == "BOOKMARK" || last[k] != i || e.Type == "DELETED" && first[k] == "ADDED" {
			continue
		}
		if e.Type == "ADDED" && first[k] != "ADDED" {
			raw = json.RawMessage(strings.Replace(string(raw), `"type":"ADDED"`, `"type":"MODIFIED"`, 1))
		}
		kept = append(kept, raw)
	}
	return kept
}
