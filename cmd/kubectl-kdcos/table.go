// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
)

// none is how kubectl writes that there is nothing.
const none = "<none>"

// table aligns columns as kubectl does.
type table struct {
	w interface {
		io.Writer
		Flush() error
	}
	indent string
}

// newPart makes a table that is a part of a page.
func newPart(w io.Writer, headers ...string) *table {
	t := &table{w: printers.GetNewTabWriter(w), indent: "  "}
	t.row(headers...)
	return t
}

func newTable(w io.Writer, noHeaders bool, headers ...string) *table {
	t := &table{w: printers.GetNewTabWriter(w)}
	if !noHeaders {
		t.row(headers...)
	}
	return t
}

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		// A cell is one line: what others say in several is put together.
		cells[i] = strings.Join(strings.Fields(cell), " ")
	}
	fmt.Fprintln(t.w, t.indent+strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// age is how long ago something was, as kubectl writes it.
func age(at, now time.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(at))
}
