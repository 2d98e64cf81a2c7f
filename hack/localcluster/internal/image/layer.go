// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

const (
	passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`
	group = `root:x:0:
nobody:x:65534:
nonroot:x:65532:
`
)

// entry is one file or directory of the layer.
type entry struct {
	path    string
	mode    int64
	owner   int
	content []byte
	dir     bool
}

// collect gathers the content of the image and finds the architecture of its programs.
func collect(s Spec) ([]entry, string, error) {
	if len(s.Binaries) == 0 {
		return nil, "", errors.New("an image needs a binary")
	}
	entries := []entry{
		{path: "/tmp", mode: 0o1777, dir: true},
		{path: "/home/nonroot", mode: 0o755, owner: 65532, dir: true},
		{path: "/etc/passwd", mode: 0o644, content: []byte(passwd)},
		{path: "/etc/group", mode: 0o644, content: []byte(group)},
	}
	architecture := ""
	for _, file := range s.Binaries {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, "", fmt.Errorf("read binary: %w", err)
		}
		found, err := inspectBinary(data)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", file, err)
		}
		if architecture != "" && found != architecture {
			return nil, "", fmt.Errorf("%s is for %s, other binaries for %s", file, found, architecture)
		}
		architecture = found
		entries = append(entries, entry{path: inRoot(file), mode: 0o755, content: data})
	}
	for _, pair := range s.Files {
		source, target, ok := strings.Cut(pair, ":")
		if !ok || !path.IsAbs(target) {
			return nil, "", fmt.Errorf("file %q is not SRC:DST with an absolute DST", pair)
		}
		data, err := os.ReadFile(source)
		if err != nil {
			return nil, "", fmt.Errorf("read file: %w", err)
		}
		info, err := os.Stat(source)
		if err != nil {
			return nil, "", fmt.Errorf("read file: %w", err)
		}
		// Only whether it can be run counts: other bits differ between checkouts.
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		entries = append(entries, entry{path: path.Clean(target), mode: mode, content: data})
	}
	return entries, architecture, nil
}

var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// inspectBinary returns the architecture of a static program and refuses what could not run in an empty image.
func inspectBinary(data []byte) (string, error) {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("not a Linux program: %w", err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", errors.New("is linked dynamically and would not start; build it with CGO_ENABLED=0")
		}
	}
	architecture, ok := architectures[file.Machine]
	if !ok {
		return "", fmt.Errorf("unknown architecture %s", file.Machine)
	}
	return architecture, nil
}

// archive writes the entries and the directories they lie in, in the order of their paths. Of two entries of one path
// the later holds.
func archive(entries []entry) ([]byte, error) {
	byPath := map[string]entry{}
	for _, e := range entries {
		for dir := path.Dir(e.path); dir != "/"; dir = path.Dir(dir) {
			if _, ok := byPath[dir]; !ok {
				byPath[dir] = entry{path: dir, mode: 0o755, dir: true}
			}
		}
		byPath[e.path] = e
	}
	var sorted []entry
	for _, e := range byPath {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return cmp.Compare(a.path, b.path) })

	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range sorted {
		header := &tar.Header{
			Name: strings.TrimPrefix(e.path, "/"), Mode: e.mode, Uid: e.owner, Gid: e.owner,
			Size: int64(len(e.content)), ModTime: created, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		}
		if e.dir {
			header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
