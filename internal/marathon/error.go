// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"encoding/json"
	"slices"
	"strings"
)

// The HTTP statuses of Error.
const (
	statusBadRequest    = 400
	statusUnprocessable = 422
)

// The messages of Error, as Marathon has them.
const (
	messageInvalidJSON   = "Invalid JSON"
	messageInvalidObject = "Object is not valid"
)

// Error is why a definition is refused, as Marathon tells its clients: encoded
// as JSON it is the body of the answer.
type Error struct {
	// Status is the HTTP status of the answer: 400 for what is no JSON at all,
	// 422 for everything else.
	Status int
	// Message is "Invalid JSON" for what is no JSON or has a value of a wrong
	// type, "Object is not valid" for what breaks a rule.
	Message string
	// Details say what is wrong where. There is at least one.
	Details []Detail
}

// Detail is what is wrong at one place.
type Detail struct {
	// Path is the place, such as /healthChecks(0)/port, or / for the whole.
	Path string `json:"path"`
	// Errors are the messages.
	Errors []string `json:"errors"`
}

// Error returns everything there is to say, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Message != "" {
		b.WriteString(strings.ToLower(e.Message[:1]) + e.Message[1:])
	}
	for i, d := range e.Details {
		b.WriteString(map[bool]string{true: ": ", false: "; "}[i == 0])
		b.WriteString(d.Path + ": " + strings.Join(d.Errors, ", "))
	}
	return b.String()
}

// MarshalJSON encodes the error as the body of Marathon's answer. Where there
// was no JSON to speak of, the details are a text.
func (e *Error) MarshalJSON() ([]byte, error) {
	body := struct {
		Message string `json:"message"`
		Details any    `json:"details"`
	}{e.Message, e.Details}
	if e.Status == statusBadRequest && len(e.Details) > 0 {
		body.Details = strings.Join(e.Details[0].Errors, ", ")
	}
	return json.Marshal(body)
}

// Within returns the error with its paths below another, such as /apps(0): what
// an item's error is in the document it came from.
func (e *Error) Within(path string) *Error {
	out := *e
	out.Details = slices.Clone(e.Details)
	for i, d := range out.Details {
		if d.Path == "/" && path != "" {
			d.Path = ""
		}
		out.Details[i].Path = path + d.Path
	}
	return &out
}

// problems collects what is wrong, by path, in the order it is found.
type problems struct {
	details []Detail
	at      map[string]int
}

func (p *problems) add(path, message string) {
	if path == "" {
		path = "/"
	}
	i, ok := p.at[path]
	if !ok {
		if p.at == nil {
			p.at = map[string]int{}
		}
		i = len(p.details)
		p.at[path] = i
		p.details = append(p.details, Detail{Path: path})
	}
	if !slices.Contains(p.details[i].Errors, message) {
		p.details[i].Errors = append(p.details[i].Errors, message)
	}
}

// check adds the message unless ok.
func (p *problems) check(ok bool, path, message string) {
	if !ok {
		p.add(path, message)
	}
}

func (p *problems) merge(other *problems) {
	for _, d := range other.details {
		for _, message := range d.Errors {
			p.add(d.Path, message)
		}
	}
}

func (p *problems) none() bool { return len(p.details) == 0 }

// err returns what was collected as an error, nil if that is nothing.
func (p *problems) err(message string) error {
	if p.none() {
		return nil
	}
	return &Error{Status: statusUnprocessable, Message: message, Details: p.details}
}

// invalid is an error with one detail.
func invalid(path, message string) error {
	p := &problems{}
	p.add(path, message)
	return p.err(messageInvalidObject)
}
