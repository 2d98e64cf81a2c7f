// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// FuzzDecode reads whatever there is: nothing panics, what is refused has a
// reason, and what is accepted is admitted and a fixed point.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.in.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		document, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	for _, document := range []string{
		`[{"id":"a","cmd":"sleep 9"},1]`, `{"id":"/prod","dependencies":["/x"],"apps":[{"id":"a","cmd":"sleep 9"}],"groups":[{"id":"b","pods":[{}]}]}`,
		`{"app":{"id":"a"}}`, `{"id":"/p","containers":[]}`, `{"id":"a","cpus":1e-400,"mem":-0,"instances":1e0}`, `{`, ``, "\x00", `{"id":"\ud800"}`,
	} {
		f.Add([]byte(document))
	}
	schema := admission.App(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		items, err := marathon.Decode(document)
		if err != nil {
			return
		}
		for _, item := range items[:min(len(items), 8)] {
			app, err := item.ToApp(marathon.Options{})
			if err != nil {
				checkRefusal(t, item.Path, err)
				continue
			}
			checkApp(t, schema, item.Path, app)
		}
	})
}
