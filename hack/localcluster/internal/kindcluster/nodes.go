// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package kindcluster

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
)

// container is the container of a node of the cluster.
func (p *Provider) container(name string) (string, error) {
	record, err := p.State.Load()
	if err != nil {
		return "", err
	}
	if record == nil {
		return "", errors.New("there is no cluster: run up first")
	}
	n, err := cluster.Find(record.Nodes, name)
	if err != nil {
		return "", err
	}
	return containerName(p.name(), n.Number), nil
}

// StopNode kills the node's container.
func (p *Provider) StopNode(ctx context.Context, name string) error {
	container, err := p.container(name)
	if err != nil || containerState(ctx, container) != cluster.Running {
		return err
	}
	return docker(ctx, "kill", container)
}

// StartNode starts the node's container and waits until the node is ready.
func (p *Provider) StartNode(ctx context.Context, name string) error {
	return p.bringBack(ctx, name, func(container string) error { return docker(ctx, "start", container) })
}

// The rules that cut a node off. Pods and the container runtime of the node itself go on.
var cutRules = [][]string{
	{"INPUT", "-i", "eth0", "-j", "DROP"},
	{"OUTPUT", "-o", "eth0", "-j", "DROP"},
	{"FORWARD", "-i", "eth0", "-j", "DROP"},
	{"FORWARD", "-o", "eth0", "-j", "DROP"},
}

// CutNode drops all that comes and goes through the node's link.
func (p *Provider) CutNode(ctx context.Context, name string) error {
	container, err := p.container(name)
	if err != nil || isCut(ctx, container) {
		return err
	}
	for _, rule := range cutRules {
		if err := docker(ctx, append([]string{"exec", container, "iptables", "--wait", "--insert"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

// HealNode undoes the cut and waits until the node is ready.
func (p *Provider) HealNode(ctx context.Context, name string) error {
	return p.bringBack(ctx, name, func(container string) error { return heal(ctx, container) })
}

func heal(ctx context.Context, container string) error {
	for _, rule := range cutRules {
		for hasRule(ctx, container, rule) {
			if err := docker(ctx, append([]string{"exec", container, "iptables", "--wait", "--delete"}, rule...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasRule(ctx context.Context, container string, rule []string) bool {
	return docker(ctx, append([]string{"exec", container, "iptables", "--wait", "--check"}, rule...)...) == nil
}

func isCut(ctx context.Context, container string) bool { return hasRule(ctx, container, cutRules[0]) }

func (p *Provider) bringBack(ctx context.Context, name string, do func(container string) error) error {
	container, err := p.container(name)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := do(container); err != nil {
		return err
	}
	client, err := kube.New(p.State.Kubeconfig())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := client.WaitBack(ctx, name, start); err != nil {
		return err
	}
	p.Say("node %s is ready after %s", name, time.Since(start).Round(100*time.Millisecond))
	return nil
}

func containerState(ctx context.Context, container string) string {
	output, err := exec.CommandContext(ctx, "docker", "inspect", "--format", "{{.State.Running}}", container).Output()
	if err != nil || strings.TrimSpace(string(output)) != "true" {
		return cluster.Stopped
	}
	if isCut(ctx, container) {
		return cluster.Cut
	}
	return cluster.Running
}

// Status asks Docker and the API server.
func (p *Provider) Status(ctx context.Context) (*cluster.Status, error) {
	record, err := p.State.Load()
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, errors.New("there is no cluster: run up first")
	}
	status := &cluster.Status{
		Provider: cluster.Kind, State: p.State.Dir, Identity: p.State.Identity(),
		APIServer: p.server(), Kubeconfig: p.State.Kubeconfig(),
	}
	ready := map[string]bool{}
	if client, err := kube.New(p.State.Kubeconfig()); err == nil && client.Ready(ctx) == nil {
		status.APIReady = true
		if seen, err := client.ReadyNodes(ctx); err == nil {
			ready = seen
		}
	}
	controlPlane := p.name() + "-control-plane"
	status.Components = append(status.Components, cluster.ComponentStatus{
		Name: controlPlane, State: containerState(ctx, controlPlane),
	})
	for _, n := range record.Nodes {
		container := containerName(p.name(), n.Number)
		state := containerState(ctx, container)
		status.Components = append(status.Components, cluster.ComponentStatus{Name: container, Node: n.Name, State: state})
		status.Nodes = append(status.Nodes, cluster.NodeStatus{
			Name: n.Name, Role: n.Pool, Zone: n.Zone(), IP: address(ctx, container), State: state, Ready: ready[n.Name],
		})
	}
	status.Judge()
	return status, nil
}

func address(ctx context.Context, container string) string {
	const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
	output, err := exec.CommandContext(ctx, "docker", "inspect", "--format", format, container).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(output))
}
