// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package universe_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kdcos/kdcos/internal/testkit/recorded"
	"github.com/kdcos/kdcos/internal/universe"
)

// open unzips a file of the recorded data.
func open(t testing.TB, name string) io.Reader {
	t.Helper()
	file, err := os.Open(filepath.Join(recorded.Data(t), "universe", name))
	if err != nil {
		t.Skipf("no recorded packages: %v", err)
	}
	t.Cleanup(func() { _ = file.Close() })
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	return unzipped
}

var packagesOnce struct {
	sync.Mutex
	packages []*universe.Package
}

// recordedPackages returns every package of the recorded index. They are read
// once, and no test changes them.
func recordedPackages(t testing.TB) []*universe.Package {
	t.Helper()
	packagesOnce.Lock()
	defer packagesOnce.Unlock()
	if packagesOnce.packages == nil {
		packagesOnce.packages = readRecordedPackages(t)
	}
	return packagesOnce.packages
}

func readRecordedPackages(t testing.TB) []*universe.Package {
	t.Helper()
	data, err := io.ReadAll(open(t, "universe-dev.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := universe.DecodeIndex(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range index.Rejected {
		t.Error(refusal)
	}
	return index.Packages
}

// render is a line of the recorded renders.
type render struct {
	Package        string
	ReleaseVersion int64
	Variant        string
	Options        json.RawMessage
	Valid          bool
	Rendered       json.RawMessage
}

func (r render) String() string {
	return fmt.Sprintf("%s/%d/%s", r.Package, r.ReleaseVersion, r.Variant)
}

func recordedRenders(t testing.TB) []render {
	t.Helper()
	lines := bufio.NewReader(open(t, "renders-dev.jsonl.gz"))
	var out []render
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var r render
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("line %d: %v", len(out)+1, err)
			}
			out = append(out, r)
		}
		if errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordedRenders renders what Cosmos' template engine rendered: the same
// options give the same app, or no JSON here and there.
func TestRecordedRenders(t *testing.T) {
	packages := map[string]*universe.Package{}
	for _, p := range recordedPackages(t) {
		packages[fmt.Sprintf("%s/%d", p.Name, p.ReleaseVersion)] = p
	}
	equal := 0
	renders := recordedRenders(t)
	for _, r := range renders {
		p := packages[fmt.Sprintf("%s/%d", r.Package, r.ReleaseVersion)]
		if p == nil {
			t.Errorf("%s: no such package", r)
			continue
		}
		options, err := universe.ParseOptions(r.Options)
		if err != nil {
			t.Errorf("%s: %v", r, err)
			continue
		}
		app, err := p.Render(universe.Merge(p.Defaults(), options))
		if (err == nil) != r.Valid {
			t.Errorf("%s: valid is %v, here: %v", r, r.Valid, err)
			continue
		}
		if r.Valid {
			want := parse(t, r.Rendered)
			if place := difference("", app, want); place != "" {
				t.Errorf("%s: differs at %s", r, place)
				continue
			}
		}
		equal++
	}
	t.Logf("%d of %d renders are equal", equal, len(renders))
	if len(renders) == 0 {
		t.Error("no renders")
	}
}

func parse(t testing.TB, data []byte) any {
	t.Helper()
	value, err := universe.ParseOptions(data)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any(value)
}

// difference returns a place where two JSON values differ, "" if there is none.
func difference(path string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %v, want %v", path, got, want)
		}
		for k := range w {
			if d := difference(path+"/"+k, g[k], w[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %v, want %v", path, got, want)
		}
		for i := range w {
			if d := difference(fmt.Sprintf("%s/%d", path, i), g[i], w[i]); d != "" {
				return d
			}
		}
		return ""
	case json.Number:
		g, _ := got.(json.Number)
		a, ok := new(big.Rat).SetString(string(g))
		b, both := new(big.Rat).SetString(string(w))
		if !ok || !both || a.Cmp(b) != 0 {
			return fmt.Sprintf("%s: %v, want %v", path, got, want)
		}
		return ""
	}
	if got != want {
		return fmt.Sprintf("%s: %#v, want %#v", path, got, want)
	}
	return ""
}
