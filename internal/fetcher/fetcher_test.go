// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kdcos/kdcos/internal/testkit/archives"
)

func hello(t testing.TB, name string) []byte {
	t.Helper()
	content, err := archives.Hello(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fetch serves files over HTTP and fetches items from there.
func fetch(t *testing.T, files map[string][]byte, limits Limits, items ...Item) (dir, log string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch content, ok := files[r.URL.Path]; {
		case r.URL.Path == "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case r.URL.Path == "/silent":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case r.URL.Path == "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		case r.URL.Path == "/away":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case r.URL.Path == "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case ok:
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			_, _ = w.Write(content)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	for i := range items {
		items[i].URI = strings.Replace(items[i].URI, "http://server", server.URL, 1)
	}
	var out strings.Builder
	guard := &Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	f := &Fetcher{Sandbox: root, Client: guard.Client(), Limits: limits, Log: &out}
	err = f.Fetch(t.Context(), items)
	return dir, out.String(), err
}

func small() Limits {
	return Limits{Download: 1 << 20, Extracted: 1 << 20, Files: 10, Timeout: 10 * time.Second, Stall: 300 * time.Millisecond}
}

func TestEachKindOfArchive(t *testing.T) {
	for _, name := range append(archives.Kinds, "A.TAR.GZ") {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{"/x/" + name: hello(t, strings.ToLower(name))}
			for _, cache := range []bool{false, true} {
				dir, log, err := fetch(t, files, small(), Item{URI: "http://server/x/" + name + "?q=1", Extract: true, Cache: cache})
				if err != nil {
					t.Fatal(err, log)
				}
				content, err := os.ReadFile(filepath.Join(dir, "dir", "hello.txt"))
				if err != nil || string(content) != "hello" {
					t.Errorf("%q, %v", content, err)
				}
				info, err := os.Stat(filepath.Join(dir, "dir", "hello.txt"))
				if err != nil || info.Mode().Perm() != 0o755 {
					t.Errorf("%v, %v", info, err)
				}
				if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) != cache {
					t.Errorf("with cache %t the archive: %v", cache, err)
				}
			}
		})
	}
}

func TestFilesAndNames(t *testing.T) {
	files := map[string][]byte{"/a.log.gz": hello(t, "a.log.gz"), "/run.sh": []byte("#!/bin/sh"), "/lib.jar": []byte("PK")}
	dir, log, err := fetch(t, files, small(),
		Item{URI: "http://server/a.log.gz", Extract: true},
		Item{URI: "http://server/run.sh", Executable: true, Extract: true, DestPath: "bin/start"},
		Item{URI: "http://server/lib.jar", Extract: true},
	)
	if err != nil {
		t.Fatal(err, log)
	}
	for name, want := range map[string]string{"a.log": "hello", "bin/start": "#!/bin/sh", "lib.jar": "PK"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "bin/start")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
}

// What does harm is refused, and the error says what it is.
func TestAttacks(t *testing.T) {
	files := map[string][]byte{"/big": make([]byte, 2<<20)}
	type attack struct{ uri, dest, want string }
	all, err := archives.Attacks(small().Files, int(small().Extracted))
	if err != nil {
		t.Fatal(err)
	}
	var attacks []attack
	for _, a := range all {
		files["/"+a.Name] = a.Content
		attacks = append(attacks, attack{uri: "http://server/" + a.Name, want: a.Refused})
	}
	for _, c := range append(attacks, []attack{
		{"http://server/big", "", "1048576 are allowed"},
		{"http://server/endless", "", "more than the 1048576 bytes"},
		{"http://server/silent", "", "nothing came for"},
		{"http://server/short", "", "EOF"},
		{"http://server/away", "", "169.254.0.0/16"},
		{"http://server/round", "", "redirects"},
		{"http://server/nothing", "", "404"},
		{"http://server/big", "../evil", "out of the sandbox"},
		{"http://server/big", "/etc/evil", "out of the sandbox"},
		{"http://server/", "", "names no file"},
		{"file:///etc/passwd", "", "scheme"},
		{"/etc/passwd", "", "scheme"},
		{"hdfs://x/y", "", "scheme"},
		{"http://user:secret@169.254.169.254/x?token=secret", "", "169.254.0.0/16"},
		{"http://[::1]:80/x", "", "::1/128"},
		{"http://[::ffff:169.254.169.254]/x", "", "169.254.0.0/16"},
		{"http://\x7f/x", "", "can't be read"},
	}...) {
		t.Run(c.uri+" "+c.dest, func(t *testing.T) {
			dir, log, err := fetch(t, files, small(), Item{URI: c.uri, DestPath: c.dest, Extract: true})
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error()+log, "secret") {
				t.Errorf("a secret is told: %v", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "..", "evil")); err == nil {
				t.Error("a file left the sandbox")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	g := &Guard{
		Allowed:   []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")},
		Forbidden: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
	}
	for address, want := range map[string]bool{
		"93.184.216.34": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "2606:2800:220:1::1": true, "192.168.1.1": true,
		"10.1.3.3": false, "127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "169.254.169.254": false, "fe80::1%eth0": false,
		"0.0.0.0": false, "::": false, "fd00::1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "224.0.0.1": false, "255.255.255.255": false,
	} {
		if err := g.Check(netip.MustParseAddr(address)); (err == nil) != want || err != nil && !errors.Is(err, ErrForbidden) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// No archive makes a file outside, or the fetcher panic.
func FuzzExtract(f *testing.F) {
	for _, name := range append(archives.Kinds, "a.b.gz") {
		f.Add(name, hello(f, name))
	}
	attacks, err := archives.Attacks(100, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range attacks {
		f.Add(a.Name, a.Content)
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		kind := archiveKind(name)
		if kind == nil || len(name) > 100 || strings.ContainsAny(name, "/\x00") {
			return
		}
		outer := t.TempDir()
		if err := os.MkdirAll(filepath.Join(outer, "a", "b"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outer, "a", "b", name), content, 0o600); err != nil {
			return
		}
		root, err := os.OpenRoot(filepath.Join(outer, "a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close() //nolint:errcheck // nothing was written through it
		_ = kind(&extraction{root: root, into: ".", limits: Limits{Extracted: 1 << 20, Files: 100}}, name)
		for dir, want := range map[string]string{outer: "a", filepath.Join(outer, "a"): "b"} {
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != want {
				t.Errorf("%s holds %v, %v", dir, entries, err)
			}
		}
	})
}
