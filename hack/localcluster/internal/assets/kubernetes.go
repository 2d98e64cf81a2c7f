// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// buildable leaves out what exists on Linux only.
func buildable() []component {
	var all []component
	for _, c := range components {
		if runtime.GOOS == "linux" || c.name != "kubelet" && c.name != "kube-proxy" {
			all = append(all, c)
		}
	}
	return all
}

// Kubernetes returns the directory that holds the Kubernetes programs, etcd, kwok and what else clusters run, and builds
// what is missing.
func (c Cache) Kubernetes(ctx context.Context) (string, error) {
	bin := filepath.Join(c.Dir, versionKey())
	if len(missing(bin)) == 0 {
		return bin, nil
	}
	programs := filepath.Join(c.Dir, "programs")
	for _, dir := range []string{bin, programs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("make the cache: %w", err)
		}
	}
	// Sets of components share what is the same in them.
	return bin, c.locked(ctx, programs, func() error {
		todo := missing(bin)
		for i, component := range todo {
			if err := c.build(ctx, programs, component, fmt.Sprintf("%s (%d of %d)", component.name, i+1, len(todo))); err != nil {
				return err
			}
			if err := os.Link(filepath.Join(programs, component.file()), filepath.Join(bin, component.name)); err != nil {
				return fmt.Errorf("build %s: %w", component.name, err)
			}
		}
		return nil
	})
}

func missing(bin string) []component {
	var todo []component
	for _, component := range buildable() {
		if !exists(filepath.Join(bin, component.name)) {
			todo = append(todo, component)
		}
	}
	return todo
}

// build makes the program of a component in the directory, unless it is there.
func (c Cache) build(ctx context.Context, programs string, what component, title string) error {
	out := filepath.Join(programs, what.file())
	if exists(out) {
		return nil
	}
	src := filepath.Join(c.Dir, "src", filepath.Base(filepath.Dir(what.module))+"-"+filepath.Base(what.module))
	log := filepath.Join(c.Dir, "logs", what.name+".log")
	for _, dir := range []string{src, filepath.Dir(log)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("build %s: %w", what.name, err)
		}
	}
	if err := os.RemoveAll(log); err != nil {
		return fmt.Errorf("build %s: %w", what.name, err)
	}
	start := time.Now()
	stop := c.every(15*time.Second, func() {
		c.Say("building %s, %s, log %s", title, time.Since(start).Round(time.Second), log)
	})
	defer stop()
	c.Say("building %s into %s, once; log %s", title, programs, log)
	if err := writeModule(ctx, src, log, what); err != nil {
		return fmt.Errorf("build %s: %w; see %s", what.name, err, log)
	}
	half := out + ".half"
	if err := goCommand(ctx, src, log, "build", "-trimpath", "-ldflags", linkerFlags(what), "-o", half, what.pkg); err != nil {
		return fmt.Errorf("build %s: %w; see %s", what.name, err, log)
	}
	if err := os.Rename(half, out); err != nil {
		return fmt.Errorf("build %s: %w", what.name, err)
	}
	c.Say("built %s in %s", title, time.Since(start).Round(time.Second))
	return nil
}

// every calls do again and again until the returned function is called.
func (c Cache) every(period time.Duration, do func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				do()
			}
		}
	}()
	return func() { close(done) }
}

func linkerFlags(what component) string {
	flags := "-s -w"
	if what.module == kubernetesModule {
		version := strings.Split(strings.TrimPrefix(what.version, "v"), ".")
		const pkg = "k8s.io/component-base/version"
		flags += fmt.Sprintf(" -X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s",
			pkg, what.version, pkg, version[0], pkg, version[1])
	}
	return flags
}

// writeModule makes the throw-away module that the component is built from. It is rewritten only when it differs, so
// that checksums which were fetched once are kept.
func writeModule(ctx context.Context, src, log string, what component) error {
	if what.source != "" {
		if err := os.WriteFile(filepath.Join(src, "main.go"), []byte(what.source), 0o644); err != nil {
			return err
		}
	}
	file := filepath.Join(src, "go.mod")
	content := moduleFile(what, nil)
	marker := filepath.Join(src, "version")
	if old, err := os.ReadFile(marker); err == nil && string(old) == what.version {
		return nil
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		return err
	}
	if what.module == kubernetesModule {
		staging, err := stagingModules(ctx, src, log, what)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(moduleFile(what, staging)), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(marker, []byte(what.version), 0o644)
}

// stagingModules lists the modules that Kubernetes takes from its own tree, which a module outside has to replace.
func stagingModules(ctx context.Context, src, log string, what component) ([]string, error) {
	output := filepath.Join(src, "download.json")
	if err := goCommandTo(ctx, src, log, output, "mod", "download", "-json", what.module+"@"+what.version); err != nil {
		return nil, fmt.Errorf("download %s: %w", what.module, err)
	}
	data, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	var download struct{ GoMod, Error string }
	if err := json.Unmarshal(data, &download); err != nil {
		return nil, fmt.Errorf("parse download of %s: %w", what.module, err)
	}
	if download.Error != "" {
		return nil, errors.New(download.Error)
	}
	module, err := os.ReadFile(download.GoMod)
	if err != nil {
		return nil, err
	}
	return parseStaging(string(module)), nil
}

func parseStaging(module string) []string {
	var names []string
	for line := range strings.Lines(module) {
		name, target, found := strings.Cut(strings.TrimSpace(line), " => ")
		if found && strings.HasPrefix(target, "./staging/") {
			names = append(names, strings.TrimPrefix(name, "replace "))
		}
	}
	return names
}

// moduleFile requires the component's module. Kubernetes publishes its staging modules as v0 with its own minor and
// patch version.
func moduleFile(what component, staging []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module localcluster.build\n\ngo 1.26.0\n\nrequire %s %s\n", what.module, what.version)
	for _, name := range staging {
		fmt.Fprintf(&b, "\nreplace %s => %s v0%s\n", name, name, strings.TrimPrefix(what.version, "v1"))
	}
	return b.String()
}
