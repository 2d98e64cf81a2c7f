// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/controllers"
)

// cluster is a fresh cluster of simulated nodes.
type cluster struct {
	config *rest.Config
	client client.WithWatch
	scheme *runtime.Scheme
	audit  *auditor
	// pids are those of the control plane's programs and of kwok.
	pids map[string]int
}

const downPatience = time.Minute

// localcluster runs the tool; what it has to say goes to standard error.
func (r *runner) localcluster(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "localcluster", append([]string{"--state", r.state}, args...)...) //nolint:gosec // our own tool
	cmd.Stderr = r.log
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("localcluster %s: %w; see %s", args[0], err, r.log.Name())
	}
	return out, nil
}

// up starts a fresh cluster; whatever was left of an earlier one goes.
func (r *runner) up(ctx context.Context, nodes int) (*cluster, error) {
	if err := r.down(ctx); err != nil {
		return nil, err
	}
	if _, err := r.localcluster(ctx, "up", "--provider", "kwok", "--measuring",
		"--private-nodes", strconv.Itoa(nodes), "--public-nodes", "0"); err != nil {
		return nil, err
	}
	c := &cluster{pids: map[string]int{}}
	var status struct {
		Kubeconfig string `json:"kubeconfig"`
		Components []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"components"`
	}
	out, err := r.localcluster(ctx, "status", "--output", "json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return nil, fmt.Errorf("read status of the cluster: %w", err)
	}
	for _, component := range status.Components {
		c.pids[component.Name] = component.PID
	}
	if c.config, err = clientcmd.BuildConfigFromFlags("", status.Kubeconfig); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	// No limit but those of the API server.
	c.config.QPS = -1
	if c.scheme, err = controllers.Scheme(); err != nil {
		return nil, err
	}
	if c.client, err = client.NewWithWatch(c.config, client.Options{Scheme: c.scheme}); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	c.audit, err = follow(ctx, filepath.Join(r.state, "cluster", "logs", "audit.log"))
	return c, err
}

// down removes the cluster, also when the run was interrupted.
func (r *runner) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downPatience)
	defer cancel()
	_, err := r.localcluster(ctx, "down")
	return err
}

// build compiles the manager as an image of it would be.
func (r *runner) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", r.manager, "./cmd/manager") //nolint:gosec // our own program
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.root, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the manager: %w", err)
	}
	return nil
}
