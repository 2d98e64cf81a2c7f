// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxDepth is how deeply a document may be nested.
const maxDepth = 64

// Item is one job of a document, or why it can't be read.
type Item struct {
	// Path is the place in the document: (2) in an array, "" for the document itself.
	Path string
	// ID is the id as the document has it, "" if it has none.
	ID string
	// Job is the job.
	Job *Job
	// Notes say what of the document was left out, since it is no setting.
	Notes []string
	// Err is why there is no job: an *Error with paths relative to the item.
	Err error
}

// Decode reads a document: one job, or an array of them. It may be what POST of
// /v1/jobs or /v0/scheduled-jobs takes or what GET answers. What is wrong with
// one job does not stop the others. The error is an *Error with status 400, for
// what is no JSON.
func Decode(data []byte) ([]Item, error) {
	document, err := parse(data)
	if err != nil {
		return nil, &Error{Status: statusBadRequest, Message: "Invalid JSON: " + err.Error()}
	}
	array, ok := document.([]any)
	if !ok {
		return []Item{decode("", document)}, nil
	}
	items := make([]Item, 0, len(array))
	for i, raw := range array {
		items = append(items, decode(index("", i), raw))
	}
	return items, nil
}

func decode(path string, raw any) Item {
	members, _ := raw.(map[string]any)
	id, _ := members["id"].(string)
	item := Item{Path: path, ID: id}
	p := &problems{}
	job, notes := readJob(node{raw: raw, out: p})
	if item.Err = p.err(); item.Err == nil {
		item.Job, item.Notes = &job, notes
	}
	return item
}

// IsJob says whether a document is about jobs of Metronome: an object with a
// run, or an array that begins with one. An app or a pod of Marathon has none.
func IsJob(data []byte) bool {
	document, err := parse(data)
	if err != nil {
		return false
	}
	if array, ok := document.([]any); ok && len(array) > 0 {
		document = array[0]
	}
	members, _ := document.(map[string]any)
	_, ok := members["run"].(map[string]any)
	return ok && members["container"] == nil && members["containers"] == nil && members["cmd"] == nil
}

func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("there is nothing")
		}
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the end of the value")
	}
	if deeper(document, maxDepth) {
		return nil, errors.New("values are nested too deeply")
	}
	return document, nil
}

func deeper(value any, than int) bool {
	if than < 0 {
		return true
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if deeper(item, than-1) {
				return true
			}
		}
	case map[string]any:
		for _, member := range v {
			if deeper(member, than-1) {
				return true
			}
		}
	}
	return false
}
