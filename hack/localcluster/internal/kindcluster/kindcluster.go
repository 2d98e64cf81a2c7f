// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kindcluster runs the cluster with kind, as containers of Docker. It is the way for machines where Docker works
// and root is not at hand. What the other providers offer beyond Kubernetes itself, the audit log, is not there.
package kindcluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	kind "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
)

const patience = 3 * time.Minute

// Provider runs one cluster with kind.
type Provider struct {
	State cluster.State
	Say   cluster.Say
}

var _ cluster.Provider = (*Provider)(nil)

// Available reports whether a Docker daemon answers.
func Available(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return docker(ctx, "info")
}

func docker(ctx context.Context, args ...string) error {
	output, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		// Docker says the most important thing last.
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("docker %s: %w: %s", args[0], err, lines[len(lines)-1])
	}
	return nil
}

func (p *Provider) kind() *kind.Provider {
	return kind.NewProvider(kind.ProviderWithDocker(), kind.ProviderWithLogger(progress{p.Say}))
}

func (p *Provider) name() string { return "kdcos-" + p.State.Identity() }

// complete is the mark that kind finished making the cluster.
func (p *Provider) complete() string { return filepath.Join(p.State.Cluster(), "kind-complete") }

// Up makes the cluster, or brings containers that stopped or were cut off back.
func (p *Provider) Up(ctx context.Context, all []cluster.Node) error {
	if err := Available(ctx); err != nil {
		return err
	}
	record, err := p.State.Load()
	if err != nil {
		return err
	}
	if record != nil && len(record.Nodes) != len(all) {
		return errors.New("kind cannot add nodes to a cluster: run down, then up again")
	}
	if err := p.State.Save(&cluster.Record{Provider: cluster.Kind, Nodes: all}); err != nil {
		return err
	}
	existing, err := p.kind().List()
	if err != nil {
		return fmt.Errorf("list kind clusters: %w", err)
	}
	_, err = os.Stat(p.complete())
	if !slices.Contains(existing, p.name()) || err != nil {
		if err := p.create(all); err != nil {
			return err
		}
	} else if err := p.repair(ctx, all); err != nil {
		return err
	}
	return p.finish(ctx, all)
}

func (p *Provider) create(all []cluster.Node) error {
	// Half a cluster of an interrupted attempt is of no use.
	if err := p.kind().Delete(p.name(), p.State.Kubeconfig()); err != nil {
		return fmt.Errorf("remove the rest of a kind cluster: %w", err)
	}
	description, err := config(p.name(), all)
	if err != nil {
		return err
	}
	err = p.kind().Create(p.name(),
		kind.CreateWithV1Alpha4Config(description),
		kind.CreateWithKubeconfigPath(p.State.Kubeconfig()),
		kind.CreateWithDisplayUsage(false),
		kind.CreateWithDisplaySalutation(false))
	if err != nil {
		return fmt.Errorf("make the kind cluster: %w", err)
	}
	return atomicfile.Write(p.complete(), nil, 0o644)
}

func (p *Provider) repair(ctx context.Context, all []cluster.Node) error {
	containers := []string{p.name() + "-control-plane"}
	for _, n := range all {
		containers = append(containers, containerName(p.name(), n.Number))
	}
	for _, container := range containers {
		if err := docker(ctx, "start", container); err != nil {
			return err
		}
		if err := heal(ctx, container); err != nil {
			return err
		}
	}
	return p.kind().ExportKubeConfig(p.name(), p.State.Kubeconfig(), false)
}

// finish waits for the nodes and sets their labels again.
func (p *Provider) finish(ctx context.Context, all []cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := kube.New(p.State.Kubeconfig())
	if err != nil {
		return err
	}
	if err := client.WaitReady(ctx); err != nil {
		return fmt.Errorf("the API server does not get ready: %w; see kind export logs --name %s", err, p.name())
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
		// kind's own controller manager hands out the ranges of pods.
		if err := client.Describe(ctx, n, ""); err != nil {
			return err
		}
	}
	if err := client.WaitNodes(ctx, names); err != nil {
		return fmt.Errorf("wait for nodes: %w; see kind export logs --name %s", err, p.name())
	}
	return nil
}

// Down deletes the containers.
func (p *Provider) Down(context.Context) error {
	if err := p.kind().Delete(p.name(), p.State.Kubeconfig()); err != nil {
		return fmt.Errorf("take the cluster down: %w", err)
	}
	return p.State.Remove()
}

// Load brings images into all nodes.
func (p *Provider) Load(_ context.Context, archives []string) error {
	all, err := p.kind().ListInternalNodes(p.name())
	if err != nil {
		return fmt.Errorf("list kind nodes: %w", err)
	}
	for _, archive := range archives {
		contents, err := image.Inspect(archive)
		if err != nil {
			return err
		}
		for _, n := range all {
			if hasAll(n, contents) {
				p.Say("%s has %s already", n, image.References(contents))
				continue
			}
			if err := load(n, archive); err != nil {
				return err
			}
			p.Say("%s loaded %s", n, image.References(contents))
		}
	}
	return nil
}

func hasAll(n nodes.Node, contents []image.Content) bool {
	for _, content := range contents {
		for _, reference := range content.References {
			if id, err := nodeutils.ImageID(n, reference); err != nil || id != content.ID {
				return false
			}
		}
	}
	return true
}

func load(n nodes.Node, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only
	if err := nodeutils.LoadImageArchive(n, file); err != nil {
		return fmt.Errorf("load %s into %s: %w", archive, n, err)
	}
	return nil
}

// server reads the address of the API server from the kubeconfig that kind wrote.
func (p *Provider) server() string {
	config, err := clientcmd.LoadFromFile(p.State.Kubeconfig())
	if err != nil {
		return ""
	}
	for _, c := range config.Clusters {
		if u, err := url.Parse(c.Server); err == nil {
			return u.String()
		}
	}
	return ""
}

// progress passes on what kind says at its lowest level.
type progress struct{ say cluster.Say }

func (p progress) Warn(message string)               { p.say("%s", message) }
func (p progress) Warnf(format string, args ...any)  { p.say(format, args...) }
func (p progress) Error(message string)              { p.say("%s", message) }
func (p progress) Errorf(format string, args ...any) { p.say(format, args...) }
func (p progress) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return info(p)
}

type info struct{ say cluster.Say }

func (i info) Info(message string)              { i.say("%s", message) }
func (i info) Infof(format string, args ...any) { i.say(format, args...) }
func (i info) Enabled() bool                    { return true }
