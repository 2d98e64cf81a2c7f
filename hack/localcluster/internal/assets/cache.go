// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
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

// versionKey names the cache of one set of versions.
func versionKey() string {
	trim := func(version string) string { return strings.TrimPrefix(version, "v") }
	return fmt.Sprintf("kubernetes-%s_etcd-%s_kwok-%s_metrics-%s_%s-%s",
		trim(kubernetesVersion), trim(etcdVersion), trim(kwokVersion), trim(metricsServerVersion), runtime.GOOS, runtime.GOARCH)
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
