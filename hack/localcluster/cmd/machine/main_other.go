// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

// Command machine is the init process of one machine of a local cluster; machines exist on Linux only.
package main

import "log"

func main() { log.Fatal("machines exist on Linux only") }
