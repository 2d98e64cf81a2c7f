// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

var update = flag.Bool("update", false, "write golden files")

// TestGolden shows what becomes of definitions: *.in.json is what a user has,
// *.out.yaml the App, and *.get.json what GET shows of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.in.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	schema := admission.App(t)
	for _, file := range files {
		base := strings.TrimSuffix(file, ".in.json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			items, err := marathon.Decode(document)
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			app, err := items[0].ToApp(marathon.Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkApp(t, schema, base, app)
			object, err := yaml.Marshal(app)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, base+".out.yaml", object)
			var wire any
			if marathon.IsPod(app) {
				wire, err = marathon.PodFromApp(app, marathon.Options{})
			} else {
				wire, err = marathon.FromApp(app, marathon.Options{})
			}
			if err != nil {
				t.Fatal(err)
			}
			var answer bytes.Buffer
			encoder := json.NewEncoder(&answer)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(wire); err != nil {
				t.Fatal(err)
			}
			golden(t, base+".get.json", answer.Bytes())
		})
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run go test with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
