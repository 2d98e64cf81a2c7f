// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "embed"

// sources holds the programs that run in clusters, so that a built binary needs no checkout to build them.
//
//go:embed cmd internal/spec
var sources embed.FS
