// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/internal/testkit"
)

// seed is a bug that somebody might make, as a change of our source.
type seed struct {
	name string
	// Description says what the bug is.
	Description string `json:"description"`
	// Edits are the changes that make it.
	Edits []edit `json:"edits"`
	// Scenario and Faults are regular expressions for the part of the sweep that
	// has to catch it; a fault of the cache is told with its kind, hold pods.
	Scenario string `json:"scenario"`
	Faults   string `json:"faults"`
}

// edit replaces text that is found exactly once in a file.
type edit struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// TestSeeds: all seeded bugs can still be made; TestSeededBugs makes them.
func TestSeeds(t *testing.T) {
	all := seeds(t)
	if len(all) < 10 {
		t.Errorf("there are %d seeded bugs, ten or more are wanted", len(all))
	}
	for _, s := range all {
		if _, err := s.texts(); err != nil {
			t.Error(err)
		}
	}
}

// seeds reads all files.
func seeds(t *testing.T) []*seed {
	t.Helper()
	files, err := filepath.Glob("seeded/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*seed, 0, len(files))
	for _, file := range files {
		all = append(all, readSeed(t, file))
	}
	return all
}

func readSeed(t *testing.T, file string) *seed {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &seed{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
	if err := yaml.UnmarshalStrict(raw, s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if s.Description == "" || len(s.Edits) == 0 || s.Scenario == "" || s.Faults == "" {
		t.Fatalf("%s: a seeded bug needs a description, edits, a scenario and faults", file)
	}
	return s
}

// texts are the files of our source with the bug in them.
func (s *seed) texts() (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range s.Edits {
		path := filepath.Join(testkit.Root(), e.File)
		if texts[path] == "" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			texts[path] = string(raw)
		}
		if n := strings.Count(texts[path], e.Old); n != 1 {
			return nil, fmt.Errorf("%s: the text to replace is %d times in %s, it must be there once; the code has moved on:\n%s", s.name, n, e.File, e.Old)
		}
		texts[path] = strings.Replace(texts[path], e.Old, e.New, 1)
	}
	return texts, nil
}
