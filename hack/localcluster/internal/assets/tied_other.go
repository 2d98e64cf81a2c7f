// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package assets

import "os/exec"

func runTied(cmd *exec.Cmd) error { return cmd.Run() }
