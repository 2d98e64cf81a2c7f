// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// request is a line of the audit log of the API server, as far as it counts.
type request struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Object struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Status struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	// Answered is when the answer was sent.
	Answered time.Time `json:"stageTimestamp"`
}

// write names a kind of mutating request.
type write struct {
	actor, verb, resource string
	failed                bool
}

// write is what the request counts as; not ok if it changes nothing that
// counts: reads, renewals of leases, questions about tokens and rights.
func (r *request) write() (w write, ok bool) {
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
	default:
		return w, false
	}
	switch r.Object.Resource {
	case "leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "localsubjectaccessreviews":
		return w, false
	}
	w = write{actor: r.User.Username, verb: r.Verb, resource: r.Object.Resource, failed: r.Status.Code >= 400}
	if r.Object.Group != "" {
		w.resource += "." + r.Object.Group
	}
	if r.Object.Subresource != "" {
		w.resource += "/" + r.Object.Subresource
	}
	return w, true
}

// writes counts mutating requests.
type writes map[write]int

func (w writes) total() int {
	n := 0
	for _, count := range w {
		n += count
	}
	return n
}

// by is how many the actor made.
func (w writes) by(actor string) int {
	n := 0
	for key, count := range w {
		if key.actor == actor {
			n += count
		}
	}
	return n
}

// since is what was added to an earlier count.
func (w writes) since(earlier writes) writes {
	added := writes{}
	for key, count := range w {
		if count > earlier[key] {
			added[key] = count - earlier[key]
		}
	}
	return added
}

// auditor follows an audit log.
type auditor struct {
	mu    sync.Mutex
	count writes
	last  time.Time
	err   error
	// created is when objects were, of the resources that are in it.
	created map[string]map[types.NamespacedName]time.Time
}

const auditPoll = 50 * time.Millisecond

// follow starts to count the log; it ends with the context.
func follow(ctx context.Context, file string) (*auditor, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	a := &auditor{count: writes{}, last: time.Now()}
	go func() {
		defer f.Close() //nolint:errcheck // it was only read
		a.read(ctx, f)
	}()
	return a, nil
}

func (a *auditor) read(ctx context.Context, from io.Reader) {
	reader := bufio.NewReaderSize(from, 1<<20)
	var rest []byte
	for {
		line, err := reader.ReadBytes('\n')
		rest = append(rest, line...)
		if err == nil {
			a.add(rest)
			rest = rest[:0]
			continue
		}
		if !errors.Is(err, io.EOF) {
			a.fail(err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(auditPoll):
		}
	}
}

func (a *auditor) add(line []byte) {
	var r request
	if err := json.Unmarshal(bytes.TrimSpace(line), &r); err != nil {
		a.fail(err)
		return
	}
	if w, ok := r.write(); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.count[w]++
		a.last = time.Now()
		if times := a.created[w.resource]; times != nil && w.verb == "create" && !w.failed {
			times[types.NamespacedName{Namespace: r.Object.Namespace, Name: r.Object.Name}] = r.Answered
		}
	}
}

// note has the times kept from now on at which objects of a resource are created.
func (a *auditor) note(resource string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.created == nil {
		a.created = map[string]map[types.NamespacedName]time.Time{}
	}
	a.created[resource] = map[types.NamespacedName]time.Time{}
}

// noted are those times.
func (a *auditor) noted(resource string) map[types.NamespacedName]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.created[resource])
}

func (a *auditor) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = fmt.Errorf("read audit log: %w", err)
}

// seen is all that was counted so far, and when the last of it happened.
func (a *auditor) seen() (writes, time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	copied := make(writes, len(a.count))
	for key, count := range a.count {
		copied[key] = count
	}
	return copied, a.last, a.err
}

// quiet waits until nobody has written anything for a while, and returns when
// the last write was.
func (a *auditor) quiet(ctx context.Context) (time.Time, error) {
	for {
		_, last, err := a.seen()
		if err != nil {
			return last, err
		}
		wait := pause - time.Since(last)
		if wait <= 0 {
			return last, nil
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("wait until nothing is written: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}
