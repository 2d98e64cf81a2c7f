// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/recorded"
)

// tally counts what became of definitions.
type tally struct {
	accepted int
	refused  map[string][]string // message → who
}

// take holds one document against the properties that hold for all: each app in
// it is accepted, admitted and a fixed point, or refused with a reason.
func (c *tally) take(t *testing.T, schema *admission.Schema, who string, document []byte) {
	t.Helper()
	items, err := marathon.Decode(document)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return
	}
	if len(items) == 0 {
		t.Errorf("%s: nothing in it", who)
	}
	for _, item := range items {
		app, err := item.ToApp(marathon.Options{})
		if err == nil {
			c.accepted++
			checkApp(t, schema, who, app)
			continue
		}
		for _, detail := range checkRefusal(t, who, err) {
			for _, message := range detail.Errors {
				key := detail.Path + ": " + message
				c.refused[key] = append(c.refused[key], who)
			}
		}
	}
}

// checkRefusal holds an error against what every refusal has.
func checkRefusal(t *testing.T, who string, err error) []marathon.Detail {
	t.Helper()
	var refusal *marathon.Error
	if !errors.As(err, &refusal) {
		t.Errorf("%s: %v is no *marathon.Error", who, err)
		return nil
	}
	if refusal.Status != 422 || refusal.Message == "" || len(refusal.Details) == 0 {
		t.Errorf("%s: refused without a reason: %#v", who, refusal)
	}
	for _, detail := range refusal.Details {
		if detail.Path == "" || len(detail.Errors) == 0 || slices.Contains(detail.Errors, "") {
			t.Errorf("%s: refused without a path or a message: %#v", who, refusal)
		}
	}
	return refusal.Details
}

func (c *tally) log(t *testing.T) {
	t.Logf("%d accepted", c.accepted)
	var lines []string
	for key, who := range c.refused {
		slices.Sort(who)
		who = slices.Compact(who)
		lines = append(lines, fmt.Sprintf("%5d refused: %s (%s)", len(c.refused[key]), key, strings.Join(who[:min(3, len(who))], ", ")))
	}
	slices.Sort(lines)
	for _, line := range lines {
		t.Log(line)
	}
}

func TestRecordedApps(t *testing.T) {
	data := recorded.Data(t)
	schema := admission.App(t)
	files, err := filepath.Glob(filepath.Join(data, "marathon", "apps", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("no definitions in %s", data)
	}
	c := &tally{refused: map[string][]string{}}
	for _, file := range append(files, filepath.Join(data, "marathon", "hello_world.json")) {
		document, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.take(t, schema, filepath.Base(file), document)
	}
	c.log(t)
}

func TestRecordedPods(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recorded.Data(t), "marathon", "pods", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("no pods")
	}
	schema := admission.App(t)
	c := &tally{refused: map[string][]string{}}
	for _, file := range files {
		document, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.take(t, schema, filepath.Base(file), document)
	}
	c.log(t)
	if c.accepted != len(files) {
		t.Errorf("%d of %d pods are accepted", c.accepted, len(files))
	}
}

func TestRecordedPackages(t *testing.T) {
	file, err := os.Open(filepath.Join(recorded.Data(t), "universe", "renders-dev.jsonl.gz"))
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	schema := admission.App(t)
	c := &tally{refused: map[string][]string{}}
	lines := bufio.NewReader(unzipped)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		} else if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		var render struct {
			Package, Variant string
			ReleaseVersion   json.Number
			Valid            bool
			Rendered         json.RawMessage
		}
		if err := json.Unmarshal(line, &render); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if render.Valid {
			c.take(t, schema, fmt.Sprintf("%s/%s/%s", render.Package, render.ReleaseVersion, render.Variant), render.Rendered)
		}
	}
	c.log(t)
}
