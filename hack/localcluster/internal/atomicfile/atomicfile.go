// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package atomicfile writes files that are either wholly there or not at all, whenever the writer is killed.
package atomicfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces the file's content and makes its directory. A file that is right already is left alone.
func Write(path string, content []byte, mode os.FileMode) error {
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, content) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// One name for all attempts: what a killed writer leaves behind is overwritten by the next.
	half := filepath.Join(dir, "."+filepath.Base(path)+".half")
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(half, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(half, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
