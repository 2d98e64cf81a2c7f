// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

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

// Error is why a job is refused, as Metronome tells its clients: encoded as JSON
// it is the body of the answer.
type Error struct {
	// Status is the HTTP status of the answer: 400 for what is no JSON at all,
	// 422 for everything else.
	Status int
	// Message is "Object is not valid", or why there is no object.
	Message string
	// Details say what is wrong where, of an object.
	Details []Detail
}

// Detail is what is wrong at one place.
type Detail struct {
	// Path is the place, such as /run/volumes(0)/mode, or / for the whole.
	Path string `json:"path"`
	// Errors are the messages.
	Errors []string `json:"errors"`
}

// Error returns everything there is to say, in one line.
func (e *Error) Error() string {
	text := strings.ToLower(e.Message[:min(len(e.Message), 1)]) + e.Message[min(len(e.Message), 1):]
	for i, d := range e.Details {
		text += map[bool]string{true: ": ", false: "; "}[i == 0] + d.Path + ": " + strings.Join(d.Errors, ", ")
	}
	return text
}

// MarshalJSON encodes the error as the body of Metronome's answer.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Message string   `json:"message"`
		Details []Detail `json:"details,omitempty"`
	}{e.Message, e.Details})
}

// problems collects what is wrong, by path, in the order it is found.
type problems struct{ details []Detail }

func (p *problems) add(path, message string) {
	if path == "" {
		path = "/"
	}
	i := slices.IndexFunc(p.details, func(d Detail) bool { return d.Path == path })
	if i < 0 {
		i = len(p.details)
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

// err returns what was collected as an error, nil if that is nothing.
func (p *problems) err() error {
	if len(p.details) == 0 {
		return nil
	}
	return &Error{Status: statusUnprocessable, Message: "Object is not valid", Details: p.details}
}
