// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// goCommand runs the go command in a throw-away module, with its output in the log.
func goCommand(ctx context.Context, dir, log string, args ...string) error {
	return goCommandTo(ctx, dir, log, "", args...)
}

// goCommandTo writes standard output to a file of its own if one is named.
func goCommandTo(ctx context.Context, dir, log, output string, args ...string) error {
	program, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("a Go toolchain is needed to build: %w", err)
	}
	logFile, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer logFile.Close() //nolint:errcheck // a lost log line is no failure
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// The caller's settings for its own module do not hold for this one.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off", "GO111MODULE=on",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "PWD="+dir)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if output != "" {
		file, err := os.Create(output)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // read back and parsed by the caller
		cmd.Stdout = file
	}
	return runTied(cmd)
}
