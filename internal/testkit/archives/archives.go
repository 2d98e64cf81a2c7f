// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package archives makes archives for tests of what fetches them: good ones of
// each kind, and such as do harm to who believes them.
package archives

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ulikunitz/xz"
)

// Kinds are names of archives, one of each kind that Mesos' fetcher extracted.
var Kinds = []string{"a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tbz2", "a.tar.xz", "a.txz", "a.zip"}

// Hello is an archive that holds dir/hello.txt, mode 0755, with the content
// "hello"; of the kind that its name says. A name that ends in .gz alone is of
// the compressed content.
func Hello(name string) ([]byte, error) {
	content, err := Tar(&tar.Header{Name: "dir/hello.txt", Mode: 0o755, Typeflag: tar.TypeReg})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	var w io.WriteCloser
	switch {
	case strings.HasSuffix(name, ".tar"):
		return content, nil
	case strings.HasSuffix(name, ".tar.bz2"), strings.HasSuffix(name, ".tbz2"):
		// Go writes no bzip2: made by tar cj of dir/hello.txt.
		return base64.StdEncoding.DecodeString(helloBzip2)
	case strings.HasSuffix(name, ".zip"):
		return helloZip()
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		w = gzip.NewWriter(&out)
	case strings.HasSuffix(name, ".tar.xz"), strings.HasSuffix(name, ".txz"):
		if w, err = xz.NewWriter(&out); err != nil {
			return nil, err
		}
	case strings.HasSuffix(name, ".gz"):
		w, content = gzip.NewWriter(&out), []byte("hello")
	default:
		return nil, fmt.Errorf("%s is no kind of archive", name)
	}
	_, err = w.Write(content)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

func helloZip() ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: "dir/hello.txt", Method: zip.Deflate}
	header.SetMode(0o755)
	f, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	_, err = f.Write([]byte("hello"))
	err = errors.Join(err, z.Close())
	return out.Bytes(), err
}

// Tar is an archive with such entries; the content of files is "hello".
func Tar(headers ...*tar.Header) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "hello"
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// Attack is an archive that does harm.
type Attack struct {
	// Name says its kind.
	Name string
	// Refused is part of the error that it should lead to; nothing, where it may
	// as well come to nothing.
	Refused string
	Content []byte
}

// Attacks are made for who allows so many files and bytes.
func Attacks(files, size int) ([]Attack, error) {
	regular := func(name string) *tar.Header { return &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg} }
	link := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	const outside = "out of the sandbox"
	var many []*tar.Header
	for i := range files + 1 {
		many = append(many, regular(fmt.Sprint(i)))
	}
	var all []Attack
	for _, a := range []struct {
		name, refused string
		entries       []*tar.Header
	}{
		{"up.tar", outside, []*tar.Header{regular("../evil")}},
		{"deep.tar", outside, []*tar.Header{regular("a/../../evil")}},
		{"absolute.tar", outside, []*tar.Header{regular("/etc/evil")}},
		{"link.tar", outside, []*tar.Header{link("l", "/etc")}},
		{"link-up.tar", outside, []*tar.Header{link("l", "../..")}},
		{"hard-link.tar", outside, []*tar.Header{{Name: "l", Linkname: "../../etc/passwd", Typeflag: tar.TypeLink}}},
		{"device.tar", "neither a file", []*tar.Header{{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}},
		// Each link stays inside by itself; together they would lead out.
		{"chain.tar", "", []*tar.Header{link("a/b/c", "."), link("d", "a/b/c/../../.."), regular("d/../evil")}},
		{"many.tar", fmt.Sprintf("more than the %d files", files), many},
	} {
		content, err := Tar(a.entries...)
		if err != nil {
			return nil, err
		}
		all = append(all, Attack{Name: a.name, Refused: a.refused, Content: content})
	}
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := w.Write(make([]byte, size+1))
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return append(all,
		Attack{Name: "bomb.gz", Refused: fmt.Sprintf("more than the %d bytes", size), Content: bomb.Bytes()},
		Attack{Name: "broken.tgz", Refused: "gzip", Content: []byte("this is no archive")},
		Attack{Name: "broken.zip", Refused: "zip", Content: []byte("this is no archive")},
		Attack{Name: "broken.txz", Refused: "xz", Content: []byte("this is no archive")},
	), nil
}

const helloBzip2 = "QlpoOTFBWSZTWZXyQUIAAHP7hMkAAEJAAfqACABmZJ5AAACACCAAdQ0SehGhoeoMmm1BJEQBoAGgT+a1nQg6iAkRxpJPCJcySB0w83qeGdAJYEqOQjWT5POaRg5IlPegbqlRYBRyPbaVu9ja7aVpIPxdyRThQkJXyQUI"
