// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kindcluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kwokcluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/realcluster"
)

// recordless are the providers that find what they left by the identity of the cluster alone.
var recordless = []string{cluster.KWOK, cluster.Real}

func (p *program) provider(name string, state cluster.State) (cluster.Provider, error) {
	cache, err := p.cache()
	if err != nil {
		return nil, err
	}
	switch name {
	case cluster.Real:
		return &realcluster.Provider{State: state, Cache: cache, Say: p.say}, nil
	case cluster.KWOK:
		return &kwokcluster.Provider{State: state, Cache: cache, Say: p.say}, nil
	case cluster.Kind:
		return &kindcluster.Provider{State: state, Say: p.say}, nil
	default:
		return nil, fmt.Errorf("unknown provider %q: it is auto, real, kind or kwok", name)
	}
}

// measure has the provider start a cluster for taking figures on.
func measure(provider cluster.Provider) error {
	simulated, ok := provider.(*kwokcluster.Provider)
	if !ok {
		return errors.New("--measuring needs the provider kwok")
	}
	simulated.Measuring = true
	return nil
}

// realAvailable tries what root in a container may not be allowed to do.
func realAvailable() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	cmd := exec.Command("/proc/self/exe", "--help")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("no namespaces: %w", err)
	}
	return nil
}
