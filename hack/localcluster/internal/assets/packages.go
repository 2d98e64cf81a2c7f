// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Packages returns the programs of the distribution that real nodes need. What the system lacks is fetched from the
// distribution's packages and unpacked into the cache: installing containerd would start a service, bring a
// configuration to /etc, and drive Docker's own containerd package out.
func (c Cache) Packages(ctx context.Context) (Toolbox, error) {
	release, err := osRelease("/etc/os-release")
	if err != nil {
		return Toolbox{}, err
	}
	root := filepath.Join(c.Dir, "packages-"+release)
	box, lacking := look(systemDirs, systemPlugins, root)
	if len(lacking) == 0 {
		return box, nil
	}
	err = c.locked(ctx, root, func() error {
		if box, lacking = look(systemDirs, systemPlugins, root); len(lacking) == 0 {
			return nil
		}
		if err := c.unpack(ctx, root, lacking); err != nil {
			return fmt.Errorf("get %s from the distribution: %w", strings.Join(lacking, ", "), err)
		}
		if box, lacking = look(systemDirs, systemPlugins, root); len(lacking) > 0 {
			return fmt.Errorf("programs of %s are missing even after unpacking", strings.Join(lacking, ", "))
		}
		return nil
	})
	return box, err
}

// Busybox returns a static shell for test images, from the system or from the distribution's package. It needs no root.
func (c Cache) Busybox(ctx context.Context) (string, error) {
	dir := filepath.Join(c.Dir, "busybox-"+runtime.GOARCH)
	path := filepath.Join(dir, "bin/busybox")
	if exists(path) {
		return path, nil
	}
	return path, c.locked(ctx, dir, func() error {
		if exists(path) {
			return nil
		}
		log := dir + ".log"
		debs := dir + ".debs"
		if err := os.MkdirAll(debs, 0o755); err != nil {
			return err
		}
		if err := run(ctx, debs, log, "apt-get", "download", "busybox-static"); err != nil {
			return fmt.Errorf("get busybox-static: %w; see %s", err, log)
		}
		defer os.RemoveAll(debs) //nolint:errcheck // it is only a cache
		if err := unpackAll(ctx, debs, dir, log); err != nil {
			return err
		}
		// Merged and unmerged distributions keep it in different places.
		if merged := filepath.Join(dir, "usr/bin/busybox"); exists(merged) && !exists(path) {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			return os.Symlink("../usr/bin/busybox", path)
		}
		return nil
	})
}

// LinkBusybox makes busybox appear among the programs in the directory.
func (c Cache) LinkBusybox(ctx context.Context, dir string) error {
	path, err := c.Busybox(ctx)
	if err != nil {
		return err
	}
	link := filepath.Join(dir, "busybox")
	if target, err := os.Readlink(link); err == nil && target == path {
		return nil
	}
	if err := os.RemoveAll(link); err != nil {
		return err
	}
	return os.Symlink(path, link)
}

func (c Cache) unpack(ctx context.Context, root string, packages []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("this is neither Debian nor Ubuntu: install them by hand")
	}
	debs, log := root+".debs", root+".log"
	if err := os.MkdirAll(filepath.Join(debs, "partial"), 0o755); err != nil {
		return err
	}
	c.Say("fetching %s and what they depend on, log %s", strings.Join(packages, ", "), log)
	fetch := append([]string{
		"install", "--yes", "--no-install-recommends", "--download-only",
		"-o", "Dir::Cache::archives=" + debs, "-o", "DPkg::Lock::Timeout=120",
	}, packages...)
	if run(ctx, debs, log, "apt-get", fetch...) != nil {
		c.Say("updating the lists of packages")
		if err := run(ctx, debs, log, "apt-get", "update"); err != nil {
			return fmt.Errorf("update lists: %w; see %s", err, log)
		}
		if err := run(ctx, debs, log, "apt-get", fetch...); err != nil {
			return fmt.Errorf("download: %w; see %s", err, log)
		}
	}
	if err := unpackAll(ctx, debs, root, log); err != nil {
		return err
	}
	return os.RemoveAll(debs)
}

// unpackAll unpacks the packages into root, which appears only when it is complete.
func unpackAll(ctx context.Context, debs, root, log string) error {
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	half := root + ".half"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	for _, file := range files {
		if err := run(ctx, debs, log, "dpkg-deb", "--extract", file, half); err != nil {
			return fmt.Errorf("unpack %s: %w; see %s", filepath.Base(file), err, log)
		}
	}
	if err := linkAlternatives(half); err != nil {
		return err
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(half, root)
}

// linkAlternatives gives iptables its name, which is otherwise made when the package is installed.
func linkAlternatives(root string) error {
	if !exists(filepath.Join(root, "usr/sbin/xtables-nft-multi")) {
		return nil
	}
	links := filepath.Join(root, "links")
	if err := os.MkdirAll(links, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore"} {
		if err := os.Symlink("../usr/sbin/xtables-nft-multi", filepath.Join(links, name)); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, dir, log, name string, args ...string) error {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // a lost log line is no failure
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = file, file
	return runTied(cmd)
}

// osRelease names the distribution and its version: unpacked programs are linked against its libraries.
func osRelease(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the distribution's name: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return fmt.Sprintf("%s-%s-%s", values["ID"], values["VERSION_ID"], runtime.GOARCH), nil
}

// multiarch is Debian's name for the architecture in library paths.
func multiarch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64-linux-gnu"
	case "arm64":
		return "aarch64-linux-gnu"
	default:
		return runtime.GOARCH + "-linux-gnu"
	}
}
