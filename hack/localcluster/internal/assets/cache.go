// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/kdcos/kdcos/hack/localcluster/internal/lockfile"
)

// Cache is where programs are kept between clusters.
type Cache struct {
	// Dir is the root of the cache.
	Dir string
	// Sources holds the source of the programs of this module that run in clusters, under their paths in the module.
	Sources fs.FS
	// Say reports progress.
	Say func(format string, args ...any)
}

// DefaultDir is the cache in the user's cache directory.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	return filepath.Join(dir, "kdcos", "localcluster"), nil
}

// versionKey names the directory of one set of components.
func versionKey() string {
	hash := sha256.New()
	for _, c := range components {
		fmt.Fprintln(hash, c.file())
	}
	return fmt.Sprintf("kubernetes-%s_%x_%s-%s", strings.TrimPrefix(kubernetesVersion, "v"), hash.Sum(nil)[:5], runtime.GOOS, runtime.GOARCH)
}

// file is the name of the component in the cache: another one for another version.
func (c component) file() string {
	name := fmt.Sprintf("%s_%s_%s-%s", c.name, strings.TrimPrefix(c.version, "v"), runtime.GOOS, runtime.GOARCH)
	if c.source != "" {
		name += fmt.Sprintf("_%x", sha256.Sum256([]byte(c.source)))[:11]
	}
	return name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// locked calls do while no other program fills the same directory of the cache.
func (c Cache) locked(ctx context.Context, dir string, do func() error) error {
	release, err := lockfile.Acquire(ctx, dir+".lock", func() { c.Say("waiting for another build into %s", dir) })
	if err != nil {
		return err
	}
	defer release()
	return do()
}
