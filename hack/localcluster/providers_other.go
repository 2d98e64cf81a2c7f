// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"fmt"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kindcluster"
)

// recordless are the providers that find what they left by the identity of the cluster alone.
var recordless []string

func (p *program) provider(name string, state cluster.State) (cluster.Provider, error) {
	if name == cluster.Kind {
		return &kindcluster.Provider{State: state, Say: p.say}, nil
	}
	return nil, fmt.Errorf("provider %s runs on Linux only; kind needs Docker", name)
}

func measure(cluster.Provider) error { return errors.New("--measuring needs the provider kwok") }

func realAvailable() error { return errors.New("not Linux") }
