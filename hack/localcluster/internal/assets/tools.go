// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// toolsModule is the module that the embedded sources import themselves by.
const toolsModule = "module github.com/kdcos/kdcos/hack/localcluster\n\ngo 1.26.0\n"

// Tools returns the directory that holds the small programs of this module that run in clusters: machine and pause. The
// directory's name changes with their source.
func (c Cache) Tools(ctx context.Context) (string, error) {
	key, err := c.sourceKey()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(c.Dir, "tools-"+key)
	if exists(dir) {
		return dir, nil
	}
	return dir, c.locked(ctx, dir, func() error {
		if exists(dir) {
			return nil
		}
		return c.buildTools(ctx, dir)
	})
}

func (c Cache) sourceKey() (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.GOOS, runtime.GOARCH)
	err := fs.WalkDir(c.Sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(c.Sources, path)
		fmt.Fprintln(hash, path, len(data))
		hash.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read embedded source: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func (c Cache) buildTools(ctx context.Context, dir string) error {
	c.Say("building machine and pause")
	half, log := dir+".half", dir+".log"
	src := filepath.Join(half, "src")
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("build tools: %w", err)
	}
	if err := os.CopyFS(src, c.Sources); err != nil {
		return fmt.Errorf("build tools: %w", err)
	}
	if err := os.WriteFile(filepath.Join(src, "go.mod"), []byte(toolsModule), 0o644); err != nil {
		return fmt.Errorf("build tools: %w", err)
	}
	if err := goCommand(ctx, src, log, "build", "-trimpath", "-ldflags", "-s -w", "-o", half+"/", "./cmd/..."); err != nil {
		return fmt.Errorf("build tools: %w; see %s", err, log)
	}
	if err := os.RemoveAll(src); err != nil {
		return fmt.Errorf("build tools: %w", err)
	}
	return os.Rename(half, dir)
}
