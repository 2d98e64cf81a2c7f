// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// ControllerManager runs some of Kubernetes' own controllers until the context
// ends, such as job-controller: an API server alone carries out no Job.
func (p *ControlPlane) ControllerManager(ctx context.Context, controllers ...string) (stop func(), err error) {
	user, err := p.environment.AddUser(envtest.User{Name: "controllers", Groups: []string{"system:masters"}}, &rest.Config{QPS: -1})
	if err != nil {
		return nil, fmt.Errorf("add user: %w", err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	dir, err := os.MkdirTemp("", "controllers")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager"), //nolint:gosec // of this project
		"--kubeconfig="+file, "--authentication-kubeconfig="+file, "--authorization-kubeconfig="+file, "--authorization-always-allow-paths=/healthz",
		"--controllers="+strings.Join(controllers, ","), "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=500", "--flex-volume-plugin-dir="+dir)
	command.Stdout, command.Stderr = nil, nil
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start kube-controller-manager: %w", err)
	}
	return func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}
