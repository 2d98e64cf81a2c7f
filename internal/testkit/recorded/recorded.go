// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package recorded finds the recorded data that tests are held against: real
// definitions of Marathon and real packages, which are no part of the project.
// It is a room of its own, so that a word's tests can use it without the
// control plane of testkit. It never reads or changes the data.
package recorded

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Variable names the environment variable with the directory of the data.
const Variable = "KDCOS_DATA"

// Data returns the directory of the recorded data: what KDCOS_DATA names, or
// ../shared/data beside the project. Without it the test is skipped; with a
// KDCOS_DATA that is not there it fails.
func Data(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv(Variable); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("%s: %v", Variable, err)
		}
		return dir
	}
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..", "..", "..", "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recorded data: set %s to the directory that has it", Variable)
	}
	return dir
}
