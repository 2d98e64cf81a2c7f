// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fetcher fills the sandbox of a task before it starts, as Mesos' fetcher
// did: it downloads what the App's fetch names, and extracts archives. Whoever
// wrote the App also chose what is fetched, so nothing of it is believed: not
// where an address leads, not how much comes, not what an archive says its
// files are called. It runs in the pod of the task and never sees Kubernetes.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// Item is one entry of an App's fetch.
type Item struct {
	// URI is http or https.
	URI string `json:"uri"`
	// DestPath is where the file goes, relative to the sandbox; without it, it is
	// called as the last segment of the URI's path.
	DestPath string `json:"destPath,omitempty"`
	// Extract says that archives are extracted where they land.
	Extract bool `json:"extract,omitempty"`
	// Executable says that the file may be executed; it is not extracted then.
	Executable bool `json:"executable,omitempty"`
	// Cache keeps the archive itself out of the sandbox, as Mesos did for what it
	// fetched from its cache.
	Cache bool `json:"cache,omitempty"`
}

// Limits bound what a fetch may cost.
type Limits struct {
	// Download is the most that one file may have, in bytes.
	Download int64
	// Extracted is the most that the files of one archive may have together, in bytes.
	Extracted int64
	// Files is the most files, directories and links that an archive may have.
	Files int
	// Timeout is when a download is given up, Stall when one that brings nothing is.
	Timeout, Stall time.Duration
}

// DefaultLimits are generous for what people deploy and finite for what they don't.
func DefaultLimits() Limits {
	return Limits{Download: 4 << 30, Extracted: 16 << 30, Files: 500_000, Timeout: 30 * time.Minute, Stall: time.Minute}
}

// Fetcher fetches into one sandbox.
type Fetcher struct {
	// Sandbox is the directory that files go to, and never leave.
	Sandbox *os.Root
	// Client asks for files; that of Guard.Client in the field.
	Client *http.Client
	// Limits bound what it may cost.
	Limits Limits
	// Log is told of what is done, a line each.
	Log io.Writer
}

// Fetch fetches one after the other, as Mesos' fetcher did, until one fails.
func (f *Fetcher) Fetch(ctx context.Context, items []Item) error {
	for _, item := range items {
		if err := f.one(ctx, item); err != nil {
			return fmt.Errorf("fetch %s: %w", shown(item.URI), err)
		}
	}
	return nil
}

// shown is an address without what may be secret in it: user, password and query.
func shown(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "an address that is none"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func (f *Fetcher) one(ctx context.Context, item Item) error {
	name, err := target(item)
	if err != nil {
		return err
	}
	if dir := path.Dir(name); dir != "." {
		if err := f.Sandbox.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	size, err := f.download(ctx, item.URI, name)
	if err != nil {
		return err
	}
	f.say("fetched %s into %s, %d bytes", shown(item.URI), name, size)
	switch {
	case item.Executable:
		return f.Sandbox.Chmod(name, 0o755)
	case !item.Extract:
		return nil
	}
	kind := archiveKind(name)
	if kind == nil {
		f.say("%s is no archive by its name, and not extracted", name)
		return nil
	}
	e := extraction{root: f.Sandbox, into: path.Dir(name), limits: f.Limits}
	if err := kind(&e, name); err != nil {
		return fmt.Errorf("extract %s: %w", name, err)
	}
	f.say("extracted %s: %d files, %d bytes", name, e.files, e.bytes)
	if item.Cache {
		return f.Sandbox.Remove(name)
	}
	return nil
}

func (f *Fetcher) say(format string, args ...any) {
	_, _ = fmt.Fprintf(f.Log, format+"\n", args...)
}

// target is the name of the file in the sandbox.
func target(item Item) (string, error) {
	u, err := url.Parse(item.URI)
	if err != nil {
		return "", errors.New("the URI can't be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("scheme %q is not fetched: use http or https", u.Scheme)
	}
	name := item.DestPath
	if name == "" {
		name = path.Base(u.Path)
		if name == "/" || name == "." || name == ".." {
			return "", errors.New("the URI names no file: give a destPath")
		}
	}
	return inside(name)
}

// inside is a path in the sandbox, cleaned; one that leads out of it is an error.
func inside(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(clean) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("%q leads out of the sandbox", name)
	}
	return clean, nil
}

// download writes what an address answers to a new file, which is there only
// when it is whole. It returns its size.
func (f *Fetcher) download(ctx context.Context, uri, name string) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.Limits.Timeout, fmt.Errorf("it took longer than %s", f.Limits.Timeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stalled := time.AfterFunc(f.Limits.Stall, func() { stop(fmt.Errorf("nothing came for %s", f.Limits.Stall)) })
	defer stalled.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return 0, errors.New("the URI can't be asked for")
	}
	req.Header.Set("User-Agent", "kdcos-fetcher")
	// What is stored compressed stays so: the name says how to read it.
	req.Header.Set("Accept-Encoding", "identity")
	res, err := f.Client.Do(req)
	if err != nil {
		return 0, f.why(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s", res.Status)
	}
	if res.ContentLength > f.Limits.Download {
		return 0, fmt.Errorf("it has %d bytes, %d are allowed", res.ContentLength, f.Limits.Download)
	}
	part := name + ".part"
	file, err := f.Sandbox.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, fmt.Errorf("make file: %w", err)
	}
	body := &alive{r: io.LimitReader(res.Body, f.Limits.Download+1), tick: func() { stalled.Reset(f.Limits.Stall) }}
	size, err := io.Copy(file, body)
	err = errors.Join(err, file.Close())
	if err == nil && size > f.Limits.Download {
		err = fmt.Errorf("it has more than the %d bytes that are allowed", f.Limits.Download)
	}
	if err == nil && res.ContentLength >= 0 && size != res.ContentLength {
		err = fmt.Errorf("it ended after %d of %d bytes", size, res.ContentLength)
	}
	if err != nil {
		return 0, errors.Join(f.why(ctx, err), f.Sandbox.Remove(part))
	}
	return size, f.Sandbox.Rename(part, name)
}

// why is the error without the address, which may hold secrets, or what ended
// the request, where that was us.
func (f *Fetcher) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return asked.Err
	}
	return err
}

// alive tells whenever something comes.
type alive struct {
	r    io.Reader
	tick func()
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.tick()
	}
	return n, err
}
