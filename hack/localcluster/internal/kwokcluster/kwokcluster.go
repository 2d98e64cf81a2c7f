// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package kwokcluster runs a real control plane and simulated nodes. It needs neither root nor Docker: the services are
// ordinary processes of the user, and what they listen on is bound to the loopback.
package kwokcluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/assets"
	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/controlplane"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
	"github.com/kdcos/kdcos/hack/localcluster/internal/network"
	"github.com/kdcos/kdcos/hack/localcluster/internal/process"
	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

const (
	machineName  = "control-plane"
	apiPatience  = 90 * time.Second
	nodePatience = 60 * time.Second
	downPatience = 30 * time.Second
)

// plan is the same for all simulated clusters: no packet ever goes to these addresses.
var plan = network.Plan{Block: netip.MustParsePrefix("10.96.0.0/16")}

//go:embed stages.yaml
var stages []byte

//go:embed measuring.yaml
var measuring []byte

// Provider runs one simulated cluster.
type Provider struct {
	State cluster.State
	Cache assets.Cache
	Say   cluster.Say
	// Measuring starts a cluster for taking figures on; see controlplane.ControlPlane.
	Measuring bool
}

var _ cluster.Provider = (*Provider)(nil)

func (p *Provider) machine() machine.Machine {
	return machine.Machine{
		Name: machineName,
		Dir:  filepath.Join(p.State.Cluster(), "machines", machineName),
		Log:  filepath.Join(p.State.Logs(), "machine-"+machineName+".log"),
	}
}

func (p *Provider) controlPlane(ports controlplane.Ports, bin string) *controlplane.ControlPlane {
	return &controlplane.ControlPlane{
		Dir:               p.machine().Dir,
		LogDir:            p.State.Logs(),
		Bin:               bin,
		Address:           netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		Ports:             ports,
		Services:          plan.Services(),
		Pods:              plan.Pods(),
		KubernetesService: plan.KubernetesService(),
		Alone:             true,
		Measuring:         p.Measuring,
	}
}

// Up starts what does not run.
func (p *Provider) Up(ctx context.Context, nodes []cluster.Node) error {
	bin, err := p.Cache.Kubernetes(ctx)
	if err != nil {
		return err
	}
	tools, err := p.Cache.Tools(ctx)
	if err != nil {
		return err
	}
	running, up, err := p.machine().Find()
	if err != nil {
		return err
	}
	ports, err := p.decide(nodes, up)
	if err != nil {
		return err
	}
	if !up {
		p.Say("starting the control plane and kwok")
		if running, err = p.start(ports, bin, tools); err != nil {
			return err
		}
	}
	client, err := p.waitForAPI(ctx, running)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := ensureNode(ctx, client, n); err != nil {
			return err
		}
	}
	return p.waitForNodes(ctx, client, nodes)
}

// decide records nodes and ports. Ports that somebody took while the cluster was not running are replaced.
func (p *Provider) decide(nodes []cluster.Node, up bool) (controlplane.Ports, error) {
	record, err := p.State.Load()
	if err != nil {
		return controlplane.Ports{}, err
	}
	if record == nil {
		record = &cluster.Record{Provider: cluster.KWOK}
	}
	if record.Ports == nil || !up && !allFree(*record.Ports) {
		ports, err := freePorts()
		if err != nil {
			return controlplane.Ports{}, err
		}
		record.Ports = &ports
	}
	record.Nodes = nodes
	// A repair does not change what the cluster is for.
	p.Measuring = p.Measuring || record.Measuring
	record.Measuring = p.Measuring
	return *record.Ports, p.State.Save(record)
}

func freePorts() (controlplane.Ports, error) {
	var ports controlplane.Ports
	// All are held until the last is found, so that they differ.
	for _, port := range []*int{&ports.APIServer, &ports.EtcdClient, &ports.EtcdPeer, &ports.ControllerManager, &ports.Scheduler} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // it never accepts
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func allFree(ports controlplane.Ports) bool {
	for _, port := range []int{ports.APIServer, ports.EtcdClient, ports.EtcdPeer, ports.ControllerManager, ports.Scheduler} {
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}

func (p *Provider) start(ports controlplane.Ports, bin, tools string) (machine.Running, error) {
	cp := p.controlPlane(ports, bin)
	if err := cp.Prepare(); err != nil {
		return machine.Running{}, err
	}
	if err := cp.WriteKubeconfig(p.State.Kubeconfig(), controlplane.Admin); err != nil {
		return machine.Running{}, err
	}
	kubeconfig := filepath.Join(cp.Dir, "config", "kwok.kubeconfig")
	if err := cp.WriteKubeconfig(kubeconfig, controlplane.Identity{Name: "kwok", Organizations: []string{"system:masters"}}); err != nil {
		return machine.Running{}, err
	}
	stagesFile := filepath.Join(cp.Dir, "config", "stages.yaml")
	config, lease := stages, "16"
	if p.Measuring {
		// The nodes must keep up with the control plane; kubelets renew leases of this length.
		config, lease = slices.Concat(measuring, stages), "40"
	}
	if err := atomicfile.Write(stagesFile, config, 0o644); err != nil {
		return machine.Running{}, err
	}
	services := append(cp.ServiceList(), cp.Service("kwok", cp.URL()+"/readyz",
		"--kubeconfig="+kubeconfig,
		"--config="+stagesFile,
		"--manage-nodes-with-label-selector="+stateLabel+"="+cluster.Running,
		"--node-lease-duration-seconds="+lease,
		"--node-port=0",
		"--server-address="))
	return p.machine().Start(filepath.Join(tools, machine.Program), spec.Machine{Services: services})
}

func (p *Provider) waitForAPI(ctx context.Context, running machine.Running) (*kube.Client, error) {
	client, err := kube.New(p.State.Kubeconfig())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	if err := client.WaitReady(ctx); err != nil {
		if !running.Alive() {
			return nil, fmt.Errorf("the control plane ended; see %s", p.machine().Log)
		}
		return nil, fmt.Errorf("the API server does not get ready: %w; see %s", err, filepath.Join(p.State.Logs(), "kube-apiserver.log"))
	}
	return client, nil
}

func (p *Provider) waitForNodes(ctx context.Context, client *kube.Client, nodes []cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	if err := client.WaitNodes(ctx, names); err != nil {
		return fmt.Errorf("wait for nodes: %w; see %s", err, filepath.Join(p.State.Logs(), "kwok.log"))
	}
	return nil
}

// Down ends the machine and whatever of its services should be left.
func (p *Provider) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	machines, err := machine.FindAll(p.State.Cluster())
	if err != nil {
		return err
	}
	if err := process.KillAll(ctx, machines); err != nil {
		return fmt.Errorf("take the cluster down: %w", err)
	}
	services, err := p.services()
	if err != nil {
		return err
	}
	if err := process.KillAll(ctx, services); err != nil {
		return fmt.Errorf("take the cluster down: %w", err)
	}
	return p.State.Remove()
}

// services are the processes that run a program of the cache on this cluster's files. Others that mention these files,
// such as an editor, are none of ours.
func (p *Provider) services() ([]process.Process, error) {
	all, err := process.List()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(one process.Process) bool {
		return len(one.Args) == 0 || !strings.HasPrefix(one.Args[0], p.Cache.Dir+"/") || !one.Mentions(p.State.Cluster())
	}), nil
}

// Load has nothing to do: simulated nodes run no images.
func (p *Provider) Load(_ context.Context, archives []string) error {
	for _, archive := range archives {
		if _, err := os.Stat(archive); err != nil {
			return err
		}
	}
	p.Say("the nodes are simulated and run no images: nothing is loaded")
	return nil
}

// Status asks the API server, since simulated nodes exist nowhere else.
func (p *Provider) Status(ctx context.Context) (*cluster.Status, error) {
	record, err := p.State.Load()
	if err != nil {
		return nil, err
	}
	if record == nil || record.Ports == nil {
		return nil, errors.New("there is no cluster: run up first")
	}
	status := &cluster.Status{
		Provider:   cluster.KWOK,
		State:      p.State.Dir,
		Identity:   p.State.Identity(),
		APIServer:  p.controlPlane(*record.Ports, "").URL(),
		Kubeconfig: p.State.Kubeconfig(),
	}
	seen := map[string]nodeState{}
	if client, err := kube.New(p.State.Kubeconfig()); err == nil && client.Ready(ctx) == nil {
		status.APIReady = true
		if seen, err = nodeStates(ctx, client); err != nil {
			return nil, err
		}
	}
	running, up, err := p.machine().Find()
	if err != nil {
		return nil, err
	}
	components, err := p.machine().Components(running)
	if err != nil && up {
		return nil, err
	}
	for _, component := range components {
		state := cluster.Stopped
		if component.Process != nil {
			state = cluster.Running
		}
		status.Components = append(status.Components, cluster.ComponentStatus{Name: component.Name, PID: component.PID(), State: state})
	}
	for _, n := range record.Nodes {
		state := seen[n.Name]
		if state.state == "" {
			state.state = cluster.Stopped
		}
		status.Nodes = append(status.Nodes, cluster.NodeStatus{
			Name: n.Name, Role: n.Pool, Zone: n.Zone(), IP: plan.Node(n.Number).String(), State: state.state, Ready: state.ready,
		})
	}
	status.Judge()
	return status, nil
}
