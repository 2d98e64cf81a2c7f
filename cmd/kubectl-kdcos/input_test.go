// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSplit finds the documents of a file.
func TestSplit(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want []string
	}{
		"json":              {data: ` {"id": "x"}`, want: []string{`F:  {"id": "x"}`}},
		"array":             {data: "\n[1]", want: []string{"F: \n[1]"}},
		"byte order mark":   {data: "\xef\xbb\xbf{}", want: []string{"F: {}"}},
		"json cut off":      {data: `{"id`, want: []string{`F: {"id`}},
		"yaml":              {data: "id: x", want: []string{`F: {"id":"x"}`}},
		"several":           {data: "---\n# first\nid: x\n---\nid: z\n---\n", want: []string{`F: document 1: {"id":"x"}`, `F: document 2: {"id":"z"}`}},
		"windows":           {data: "id: x\r\n---\r\nid: z\r\n", want: []string{`F: document 1: {"id":"x"}`, `F: document 2: {"id":"z"}`}},
		"member twice":      {data: "id: x\nid: y", want: []string{"F: error"}},
		"empty":             {data: " \n", want: []string{"F: error"}},
		"nothing but words": {data: "# id: x\n---\n", want: []string{"F: error"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range split("F", []byte(test.data)) {
				text := string(d.json)
				if d.err != nil {
					text = "error"
				}
				got = append(got, d.where()+": "+text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzConvert reads anything without falling over, and what it makes of it has
// a name.
func FuzzConvert(f *testing.F) {
	paths, err := filepath.Glob("testdata/convert/in/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(paths, "testdata/convert/in/nested/mixed.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range (&translation{}).translate(split("F", data)) {
			if (d.object == nil) == (d.err == nil) {
				t.Fatalf("%s: %v and %v", d.where, d.object, d.err)
			}
			if d.object != nil && d.object.GetName() == "" {
				t.Fatalf("%s: an App without a name", d.where)
			}
		}
	})
}
