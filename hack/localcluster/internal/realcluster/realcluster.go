// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package realcluster runs a cluster of real nodes on one Linux machine, without images, registries or Docker. Each
// machine of the cluster, the control plane and every node, is an init process in namespaces of its own: to end it is
// to end all of its processes, mounts and links. What remains for the host to hold is one link, its routes, a cgroup
// and the state directory.
package realcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/assets"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cgroup"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/controlplane"
	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
	"github.com/kdcos/kdcos/hack/localcluster/internal/network"
	"github.com/kdcos/kdcos/hack/localcluster/internal/node"
	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

const (
	controlPlaneName = "control-plane"
	// pauseImage is never pulled: it is built here and loaded into every node.
	pauseImage = "localcluster.kdcos.io/pause:1"
)

// How long things may take on a slow machine.
const (
	apiPatience  = 90 * time.Second
	nodePatience = 120 * time.Second
	downPatience = 30 * time.Second
)

// Provider runs one real cluster.
type Provider struct {
	State cluster.State
	Cache assets.Cache
	Say   cluster.Say
}

var _ cluster.Provider = (*Provider)(nil)

// session is what every command on an existing cluster needs to know.
type session struct {
	*Provider
	record  *cluster.Record
	plan    network.Plan
	cgroups cgroup.Host
}

func (p *Provider) open() (*session, error) {
	record, err := p.State.Load()
	if err != nil {
		return nil, err
	}
	if record == nil || record.Plan == nil {
		return nil, errors.New("there is no cluster: run up first")
	}
	return p.session(record)
}

func (p *Provider) session(record *cluster.Record) (*session, error) {
	cgroups, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	return &session{Provider: p, record: record, plan: *record.Plan, cgroups: cgroups}, nil
}

// programs are the paths of all that runs in machines.
type programs struct {
	bin, tools string
	box        assets.Toolbox
}

func (p *Provider) programs(ctx context.Context) (programs, error) {
	bin, err := p.Cache.Kubernetes(ctx)
	if err != nil {
		return programs{}, err
	}
	tools, err := p.Cache.Tools(ctx)
	if err != nil {
		return programs{}, err
	}
	box, err := p.Cache.Packages(ctx)
	if err != nil {
		return programs{}, err
	}
	return programs{bin: bin, tools: tools, box: box}, nil
}

func (p programs) init() string { return filepath.Join(p.tools, machine.Program) }

// link is the name of the host's link to the cluster.
func (p *Provider) link() string { return network.LinkName(p.State.Identity()) }

// group is the cgroup that holds all machines.
func (p *Provider) group() string { return "/kdcos-" + p.State.Identity() }

func (p *Provider) machine(name string) machine.Machine {
	return machine.Machine{
		Name: name,
		Dir:  filepath.Join(p.State.Cluster(), "machines", name),
		Log:  filepath.Join(p.State.Logs(), "machine-"+name+".log"),
	}
}

func (s *session) controlPlane(bin string) *controlplane.ControlPlane {
	return &controlplane.ControlPlane{
		Dir:               s.machine(controlPlaneName).Dir,
		LogDir:            s.State.Logs(),
		Bin:               bin,
		Address:           s.plan.ControlPlane(),
		Ports:             controlplane.DefaultPorts,
		Services:          s.plan.Services(),
		Pods:              s.plan.Pods(),
		KubernetesService: s.plan.KubernetesService(),
		User:              s.controlPlaneUser(),
	}
}

// controlPlaneUser is a user of the cluster's own, far from those that anybody has. The API server takes a lot of
// inotify instances, of which root has few: nodes need them.
func (s *session) controlPlaneUser() uint32 { return 1<<30 + s.State.Seed()>>8 }

func (s *session) node(n cluster.Node, programs programs) node.Node {
	group := s.group() + "/" + n.Name
	return node.Node{
		Name:        n.Name,
		Dir:         s.machine(n.Name).Dir,
		LogDir:      s.State.Logs(),
		Bin:         programs.bin,
		Tools:       programs.box,
		Address:     s.plan.Node(n.Number),
		Pods:        s.plan.PodsOf(n.Number),
		AllPods:     s.plan.Pods(),
		ClusterDNS:  s.plan.ClusterDNS(),
		Resolver:    s.plan.ControlPlane(),
		APIServer:   s.controlPlane("").APIServerAddress(),
		Cgroup:      group,
		CgroupProcs: s.cgroups.Procs(group + "/system"),
		PauseImage:  pauseImage,
		Taint:       n.Taint(),
	}
}

// fabric is the network of a cluster whose control plane runs.
func (s *session) fabric(controlPlane machine.Running) network.Fabric {
	return network.Fabric{Link: s.link(), Plan: s.plan, ControlPlane: controlPlane.NetworkNamespace()}
}

func (s *session) networkNodes() []network.Node {
	var all []network.Node
	for _, n := range s.record.Nodes {
		all = append(all, networkNode(n))
	}
	return all
}

func networkNode(n cluster.Node) network.Node { return network.Node{Name: n.Name, Number: n.Number} }

// runtime is the container runtime of a running node.
func (s *session) runtime(running machine.Running, box assets.Toolbox) image.Runtime {
	return image.Runtime{Socket: running.Path(node.Socket), CTR: box.Programs["ctr"], Env: box.Env()}
}

func (s *session) client() (*kube.Client, error) { return kube.New(s.State.Kubeconfig()) }

// boot starts the machine unless it runs.
func (s *session) boot(name string, programs programs, description spec.Machine) (machine.Running, error) {
	m := s.machine(name)
	running, ok, err := m.Find()
	if err != nil || ok {
		return running, err
	}
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return machine.Running{}, fmt.Errorf("start %s: %w", name, err)
	}
	return m.Start(programs.init(), description)
}

// logHint tells where to look when something fails.
func (s *session) logHint(err error, logs ...string) error {
	if err == nil {
		return nil
	}
	for _, log := range logs {
		err = fmt.Errorf("%w; see %s", err, filepath.Join(s.State.Logs(), log))
	}
	return err
}
