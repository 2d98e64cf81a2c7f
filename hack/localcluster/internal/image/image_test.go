// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// staticBinary builds a program that an image can hold.
func staticBinary(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, "../../cmd/pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return file
}

func testSpec(t *testing.T) Spec {
	extra := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(extra, []byte("hello"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Spec{
		References: []string{"example.test/echo:1", "example.test/echo"},
		Binaries:   []string{staticBinary(t, "echo")},
		Files:      []string{extra + ":/usr/bin/script"},
		User:       "65532:65532",
		Ports:      []int{8080},
		Env:        []string{"A=b"},
	}
}

func TestArchiveIsReproducible(t *testing.T) {
	s := testSpec(t)
	var first []byte
	for i := range 2 {
		file := filepath.Join(t.TempDir(), "echo.tar")
		if _, err := WriteArchive(file, s); err != nil {
			t.Fatal(err)
		}
		// Whoever touches a file does not change the image.
		if err := os.Chtimes(s.Binaries[0], time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && string(data) != string(first) {
			t.Error("two archives of the same content differ")
		}
		first = data
	}
}

func TestArchiveHoldsWhatWasAsked(t *testing.T) {
	s := testSpec(t)
	file := filepath.Join(t.TempDir(), "echo.tar")
	id, err := WriteArchive(file, s)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := Inspect(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(contents) != 1 || contents[0].ID != id.String() {
		t.Fatalf("contents %+v, want id %s", contents, id)
	}
	if want := []string{"example.test/echo:1", "example.test/echo:latest"}; !slices.Equal(contents[0].References, want) {
		t.Errorf("references %v", contents[0].References)
	}
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config; got.User != s.User || !slices.Equal(got.Entrypoint, []string{"/echo"}) ||
		!slices.Contains(got.Env, "A=b") || len(got.ExposedPorts) != 1 {
		t.Errorf("configuration %+v", got)
	}
	want := []string{
		"echo 755 0", "etc 755 0", "etc/group 644 0", "etc/passwd 644 0", "home 755 0", "home/nonroot 755 65532",
		"tmp 1777 0", "usr 755 0", "usr/bin 755 0", "usr/bin/script 755 0",
	}
	if got := layerFiles(t, img); !slices.Equal(got, want) {
		t.Errorf("files:\n%s", strings.Join(got, "\n"))
	}
}

func layerFiles(t *testing.T, img v1.Image) []string {
	t.Helper()
	stream := mutate.Extract(img)
	defer stream.Close() //nolint:errcheck // read only
	var files []string
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(created) {
			t.Errorf("%s has time %s", header.Name, header.ModTime)
		}
		files = append(files, fmt.Sprintf("%s %o %d", header.Name, header.Mode, header.Uid))
	}
}

func TestRefusals(t *testing.T) {
	dynamic := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(dynamic, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := staticBinary(t, "good")
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"no binary", Spec{References: []string{"a:1"}}, "needs a binary"},
		{"no name", Spec{Binaries: []string{good}}, "needs a name"},
		{"bad name", Spec{References: []string{"A B"}, Binaries: []string{good}}, "parse image name"},
		{"not a program", Spec{References: []string{"a:1"}, Binaries: []string{dynamic}}, "not a Linux program"},
		{"bad file", Spec{References: []string{"a:1"}, Binaries: []string{good}, Files: []string{good}}, "SRC:DST"},
		{"relative target", Spec{References: []string{"a:1"}, Binaries: []string{good}, Files: []string{good + ":bin"}}, "SRC:DST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := WriteArchive(filepath.Join(t.TempDir(), "a.tar"), tt.spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestInspectOCIArchive(t *testing.T) {
	img, err := Build(testSpec(t))
	if err != nil {
		t.Fatal(err)
	}
	id, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		annotations map[string]string
		want        string
	}{
		{"full name", map[string]string{fullNameAnnotation: "example.test/echo:1", nameAnnotation: "1"}, "example.test/echo:1"},
		{"name and tag", map[string]string{nameAnnotation: "example.test/echo:2"}, "example.test/echo:2"},
		{"only a tag", map[string]string{nameAnnotation: "latest"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			store, err := layout.Write(dir, empty.Index)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.AppendImage(img, layout.WithAnnotations(tt.annotations)); err != nil {
				t.Fatal(err)
			}
			contents, err := Inspect(pack(t, dir))
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %+v, want an error", contents)
				}
				return
			}
			if err != nil || len(contents) != 1 || contents[0].ID != id.String() || contents[0].References[0] != tt.want {
				t.Errorf("got %+v, %v", contents, err)
			}
		})
	}
}

// pack writes a directory as an archive.
func pack(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "oci.tar")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(out)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}
