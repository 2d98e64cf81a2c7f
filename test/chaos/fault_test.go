// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fault is what happens to a write of the manager.
type fault string

// The faults.
const (
	// before: the manager dies, and the write was never sent.
	before fault = "before"
	// after: the write is made, and the manager dies before it learns so.
	after fault = "after"
	// lost: the write is made, and the answer is lost; the manager lives.
	lost fault = "lost"
	// twice: the write is sent twice, as a proxy may; the second answer is seen.
	twice fault = "twice"
	// conflict, throttled, broken, unavailable and timeout are answers of an
	// API server that did nothing.
	conflict    fault = "409"
	throttled   fault = "429"
	broken      fault = "500"
	unavailable fault = "503"
	timeout     fault = "504"
	// conflicts is 409 five times.
	conflicts fault = "5x409"
	// half lets half of all writes fail, in all of these ways, from a seed.
	half fault = "half"
	// storm answers 429 to everything, reads too, for some seconds.
	storm fault = "storm"
)

// atEveryWrite are the faults that the sweep tries at every single write,
// onEveryWay those at the first write by each way through our code.
var (
	atEveryWrite = []fault{before, after, lost, conflict, throttled, broken}
	onEveryWay   = []fault{twice, unavailable, timeout, conflicts, storm}
)

// answers are the codes of the faults that are an answer of the API server.
var answers = map[fault]struct {
	code   int
	reason metav1.StatusReason
}{
	conflict:    {http.StatusConflict, metav1.StatusReasonConflict},
	conflicts:   {http.StatusConflict, metav1.StatusReasonConflict},
	throttled:   {http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests},
	storm:       {http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests},
	broken:      {http.StatusInternalServerError, metav1.StatusReasonInternalError},
	unavailable: {http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable},
	timeout:     {http.StatusGatewayTimeout, metav1.StatusReasonTimeout},
}

// errDead is what the requests of a manager get that was killed.
var errDead = errors.New("the manager is dead")

// faultTransport stands between a manager and the API server. It counts the
// writes of a run, over all its managers, and lets happen what the plan says.
type faultTransport struct {
	base http.RoundTripper
	run  *run
	// manager is the one whose requests these are.
	manager *manager
}

// RoundTrip sends a request, or lets it fail.
func (t *faultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.manager.dead.Load() {
		return nil, errDead
	}
	req = t.narrow(req)
	r := parseRequest(req)
	if !r.writes() || r.resource == "events" {
		if t.run.storming() {
			t.run.countStorm()
			return answer(req, storm), nil
		}
		return t.read(req, r)
	}
	w, f := t.run.admit(r)
	resp, err := t.write(req, f)
	t.run.finish(w, resp, err)
	return resp, err
}

// narrow has a manager that asks for all pods there are see those of its own
// namespace: the others are of other lives.
func (t *faultTransport) narrow(req *http.Request) *http.Request {
	if req.URL.Path != "/api/v1/pods" {
		return req
	}
	req = req.Clone(req.Context())
	req.URL.Path = "/api/v1/namespaces/" + t.run.namespace + "/pods"
	return req
}

func (t *faultTransport) write(req *http.Request, f fault) (*http.Response, error) {
	switch f {
	case "":
		return t.base.RoundTrip(req)
	case before:
		t.manager.kill()
		return nil, errDead
	case after:
		resp, err := t.base.RoundTrip(req)
		t.manager.kill()
		discard(resp)
		return nil, errors.Join(errDead, err)
	case lost:
		resp, err := t.base.RoundTrip(req)
		discard(resp)
		return nil, errors.Join(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, err)
	case hold, skip, relist:
		t.run.turnBack()
		return t.base.RoundTrip(req)
	case travel:
		resp, err := t.base.RoundTrip(req)
		t.run.turnBack()
		t.manager.kill()
		discard(resp)
		return nil, errors.Join(errDead, err)
	case twice:
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		first := req.Clone(req.Context())
		first.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := t.base.RoundTrip(first)
		if err != nil {
			return nil, err
		}
		discard(resp)
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
		return t.base.RoundTrip(req)
	default:
		return answer(req, f), nil
	}
}

// answer is what an API server would say that did nothing.
func answer(req *http.Request, f fault) *http.Response {
	a := answers[f]
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(a.code), Reason: a.reason, Message: "injected: " + string(a.reason),
	}
	if a.code == http.StatusTooManyRequests {
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	}
	body, err := json.Marshal(status)
	if err != nil {
		panic(err)
	}
	if req.Body != nil {
		_ = req.Body.Close()
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if a.code == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	return &http.Response{
		Status: http.StatusText(a.code), StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

func discard(resp *http.Response) {
	if resp != nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// request is what a request asks for.
type request struct {
	verb, resource, subresource, name string
	watch                             bool
}

var verbs = map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}

func (r request) writes() bool { return r.verb != "" }

// what names a write as RBAC does: create pods, patch apps/status.
func (r request) what() string {
	if r.subresource != "" {
		return r.verb + " " + r.resource + "/" + r.subresource
	}
	return r.verb + " " + r.resource
}

// parseRequest reads /api/v1/... and /apis/<group>/<version>/...
func parseRequest(req *http.Request) request {
	r := request{verb: verbs[req.Method], watch: req.URL.Query().Get("watch") != ""}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	skip := map[string]int{"api": 2, "apis": 3}[parts[0]]
	parts = parts[min(skip, len(parts)):]
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	for i, into := range []*string{&r.resource, &r.name, &r.subresource} {
		if i < len(parts) {
			*into = parts[i]
		}
	}
	return r
}

// write is one write of the manager, as it went.
type write struct {
	request
	// n is its number among those of the same verb and resource, from 1.
	n int
	// fault is what was done to it.
	fault fault
	// result is the status code, or the error.
	result string
	// stack is the way to it through our code, the writer first.
	stack []frame
	// rv is the last revision of the namespace known before it.
	rv uint64
	// at is the time since the start of the run.
	at string
}

func (w *write) String() string {
	s := fmt.Sprintf("%s #%d %s → %s", w.what(), w.n, w.name, w.result)
	if w.fault != "" {
		s += "   ⚡ " + string(w.fault)
	}
	return w.at + " " + s
}

// point is one fault at one place of one scenario.
type point struct {
	scenario string
	// write is the verb and resource of the write it happens at, n which of them.
	write string
	n     int
	fault fault
	// resource is the kind that a stale cache is stale about.
	resource string
	// seed is that of chance.
	seed uint64
}

// String names the point; -chaos.point takes it.
func (p point) String() string {
	parts := []string{p.scenario}
	if p.write != "" {
		parts = append(parts, fmt.Sprintf("%s #%d", p.write, p.n))
	}
	if p.fault != "" {
		parts = append(parts, string(p.fault))
	}
	if p.resource != "" {
		parts = append(parts, p.resource)
	}
	if p.seed != 0 {
		parts = append(parts, fmt.Sprint("seed ", p.seed))
	}
	return strings.Join(parts, " / ")
}

// with is the point with each of the faults.
func (p point) with(faults ...fault) []point {
	all := make([]point, 0, len(faults))
	for _, p.fault = range faults {
		all = append(all, p)
	}
	return all
}
