// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kindcluster"
)

// choose settles on a provider and says why.
func choose(ctx context.Context, name string) (provider, reason string) {
	if name != cluster.Auto {
		return name, "as asked"
	}
	realErr := realAvailable()
	if realErr == nil {
		return cluster.Real, "running as root on Linux"
	}
	kindErr := kindcluster.Available(ctx)
	if kindErr == nil {
		return cluster.Kind, fmt.Sprintf("Docker answers, and real nodes are not possible: %v", realErr)
	}
	return cluster.KWOK, fmt.Sprintf("simulated nodes, for real ones are not possible (%v) and neither are containers (%v)",
		realErr, kindErr)
}
