// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ulikunitz/xz"
)

// archiveKind is how a file of that name is extracted, nil if it is no archive:
// Mesos' fetcher went by the name, too.
func archiveKind(name string) func(e *extraction, name string) error {
	lower := strings.ToLower(name)
	for _, kind := range []struct {
		suffix  string
		extract func(e *extraction, name string) error
	}{
		{".tar.gz", tarred(gunzip)},
		{".tgz", tarred(gunzip)},
		{".tar.bz2", tarred(bunzip2)},
		{".tbz2", tarred(bunzip2)},
		{".tar.xz", tarred(unxz)},
		{".txz", tarred(unxz)},
		{".tar", tarred(plain)},
		{".zip", zipped},
		{".gz", single},
	} {
		if strings.HasSuffix(lower, kind.suffix) && len(lower) > len(kind.suffix) {
			return kind.extract
		}
	}
	return nil
}

type decompressor func(r io.Reader) (io.Reader, error)

func plain(r io.Reader) (io.Reader, error)   { return r, nil }
func gunzip(r io.Reader) (io.Reader, error)  { return gzip.NewReader(r) }
func bunzip2(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }

// maxDictionary bounds what an xz file may make its reader allocate, in bytes:
// xz -9 needs 64 MiB.
const maxDictionary = 64 << 20

func unxz(r io.Reader) (io.Reader, error) {
	return xz.ReaderConfig{DictCap: maxDictionary}.NewReader(r)
}

// extraction is of one archive into one directory of the sandbox.
type extraction struct {
	root   *os.Root
	into   string
	limits Limits

	files int
	bytes int64
}

// tarred extracts a tar archive after decompressing it.
func tarred(decompress decompressor) func(e *extraction, name string) error {
	return func(e *extraction, name string) error {
		return e.read(name, decompress, func(r io.Reader) error {
			archive := tar.NewReader(r)
			for {
				header, err := archive.Next()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				if err := e.entry(header, archive); err != nil {
					return fmt.Errorf("%q: %w", header.Name, err)
				}
			}
		})
	}
}

func (e *extraction) read(name string, decompress decompressor, do func(r io.Reader) error) error {
	file, err := e.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	r, err := decompress(bufio.NewReader(file))
	if err != nil {
		return err
	}
	return do(r)
}

func (e *extraction) entry(header *tar.Header, content io.Reader) error {
	mode := fs.FileMode(header.Mode & 0o777)
	switch header.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeDir:
		return e.dir(header.Name)
	case tar.TypeReg:
		return e.file(header.Name, mode, content)
	case tar.TypeSymlink:
		return e.symlink(header.Name, header.Linkname)
	case tar.TypeLink:
		return e.link(header.Name, header.Linkname)
	}
	return errors.New("it is neither a file, a directory nor a link")
}

// zipped extracts a zip archive.
func zipped(e *extraction, name string) error {
	file, err := e.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(file, info.Size())
	if err != nil {
		return err
	}
	for _, f := range archive.File {
		if err := e.zipEntry(f); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
	}
	return nil
}

// maxLink is the longest target of a link, in bytes.
const maxLink = 4096

func (e *extraction) zipEntry(f *zip.File) error {
	mode := f.Mode()
	if mode.IsDir() {
		return e.dir(f.Name)
	}
	content, err := f.Open()
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // it was only read
	switch {
	case mode.IsRegular():
		return e.file(f.Name, mode.Perm(), content)
	case mode&fs.ModeSymlink != 0:
		to, err := io.ReadAll(io.LimitReader(content, maxLink))
		if err != nil {
			return err
		}
		return e.symlink(f.Name, string(to))
	}
	return errors.New("it is neither a file, a directory nor a link")
}

// single decompresses a file that is no archive: a.log.gz becomes a.log.
func single(e *extraction, name string) error {
	return e.read(name, gunzip, func(r io.Reader) error {
		return e.file(path.Base(name[:len(name)-len(".gz")]), 0o644, r)
	})
}

// place counts an entry and says where it goes; its directory is made.
func (e *extraction) place(name string) (string, error) {
	if e.files++; e.files > e.limits.Files {
		return "", fmt.Errorf("the archive has more than the %d files that are allowed", e.limits.Files)
	}
	clean, err := inside(path.Join("./", name))
	if path.IsAbs(name) || err != nil && path.Clean(name) != "." {
		return "", fmt.Errorf("%q leads out of the sandbox", name)
	}
	if err != nil {
		return e.into, nil
	}
	to := path.Join(e.into, clean)
	if dir := path.Dir(to); dir != "." {
		if err := e.root.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	return to, nil
}

func (e *extraction) dir(name string) error {
	to, err := e.place(name)
	if err != nil || to == "." {
		return err
	}
	return e.root.MkdirAll(to, 0o755)
}

// file writes a file; what was there of that name, a link for instance, goes
// first and is not written through.
func (e *extraction) file(name string, mode fs.FileMode, content io.Reader) error {
	to, err := e.fresh(name)
	if err != nil {
		return err
	}
	out, err := e.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode|0o600)
	if err != nil {
		return err
	}
	left := e.limits.Extracted - e.bytes
	n, err := io.Copy(out, io.LimitReader(content, left+1))
	e.bytes += n
	if n > left {
		err = fmt.Errorf("the archive has more than the %d bytes that are allowed", e.limits.Extracted)
	}
	return errors.Join(err, out.Close())
}

// symlink makes a link that stays in the sandbox.
func (e *extraction) symlink(name, to string) error {
	at, err := e.fresh(name)
	if err != nil {
		return err
	}
	if _, err := inside(path.Join(path.Dir(at), to)); path.IsAbs(to) || err != nil && path.Join(path.Dir(at), to) != "." {
		return fmt.Errorf("the link leads to %q, out of the sandbox", to)
	}
	return e.root.Symlink(to, at)
}

// link makes a second name of a file of the archive.
func (e *extraction) link(name, of string) error {
	at, err := e.fresh(name)
	if err != nil {
		return err
	}
	from, err := inside(of)
	if err != nil {
		return fmt.Errorf("the link leads to %q, out of the sandbox", of)
	}
	return e.root.Link(path.Join(e.into, from), at)
}

// fresh is the place of an entry, where nothing but a directory may be any more.
func (e *extraction) fresh(name string) (string, error) {
	to, err := e.place(name)
	if err != nil {
		return "", err
	}
	if to == e.into || to == "." {
		return "", errors.New("it has no name")
	}
	if err := e.root.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return to, nil
}
