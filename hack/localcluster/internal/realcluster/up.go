// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/clusterdns"
	"github.com/kdcos/kdcos/hack/localcluster/internal/controlplane"
	"github.com/kdcos/kdcos/hack/localcluster/internal/image"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
	"github.com/kdcos/kdcos/hack/localcluster/internal/lockfile"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
	"github.com/kdcos/kdcos/hack/localcluster/internal/network"
	"github.com/kdcos/kdcos/hack/localcluster/internal/node"
	"github.com/kdcos/kdcos/hack/localcluster/internal/provisioner"
	"github.com/kdcos/kdcos/hack/localcluster/internal/spec"
)

// Up makes everything as it has to be, step by step; a step that finds its work done does nothing.
func (p *Provider) Up(ctx context.Context, nodes []cluster.Node) error {
	if os.Geteuid() != 0 {
		return errors.New("real nodes need root; --provider kwok does without")
	}
	if len(nodes) > network.MaxNodes {
		return fmt.Errorf("a cluster has at most %d nodes", network.MaxNodes)
	}
	programs, err := p.programs(ctx)
	if err != nil {
		return err
	}
	s, controlPlane, err := p.foundation(ctx, nodes, programs)
	if err != nil {
		return err
	}
	ctx, watch := newWatch(ctx)
	defer watch.stop()
	watch.add(s.machine(controlPlaneName), controlPlane)

	archives, err := s.archives(programs)
	if err != nil {
		return err
	}
	// The API server and the nodes start side by side: what a node needs of it, it waits for.
	running := make([]machine.Running, len(nodes))
	for i, n := range nodes {
		if running[i], err = s.bootNode(n, programs, controlPlane); err != nil {
			return err
		}
		watch.add(s.machine(n.Name), running[i])
	}
	if err := s.routeToServices(controlPlane); err != nil {
		return err
	}
	client, err := s.waitForAPI(ctx)
	if err != nil {
		return err
	}
	if err := provisioner.EnsureClass(ctx, client); err != nil {
		return err
	}
	var group errgroup.Group
	for i, n := range nodes {
		group.Go(func() error { return s.furnish(ctx, client, n, running[i], programs, archives) })
	}
	if err := group.Wait(); err != nil {
		return watch.explain(err)
	}
	if err := s.waitForNodes(ctx, client, nodes); err != nil {
		return watch.explain(err)
	}
	// Now that all nodes are there, its pods spread over them.
	return clusterdns.Ensure(ctx, s.State.Kubeconfig(), s.plan.ClusterDNS())
}

// foundation decides on addresses, starts the control plane and connects the host to it.
func (p *Provider) foundation(ctx context.Context, nodes []cluster.Node, programs programs) (*session, machine.Running, error) {
	// Two clusters that start at once must not choose the same addresses: they are taken once the host's link has
	// them.
	release, err := lockfile.Acquire(ctx, filepath.Join(p.Cache.Dir, "network.lock"), func() {
		p.Say("waiting for another cluster to choose its addresses")
	})
	if err != nil {
		return nil, machine.Running{}, err
	}
	defer release()
	s, err := p.decide(ctx, nodes)
	if err != nil {
		return nil, machine.Running{}, err
	}
	controlPlane, err := s.startControlPlane(programs)
	if err != nil {
		return nil, machine.Running{}, err
	}
	if err := s.fabric(controlPlane).Connect(); err != nil {
		return nil, machine.Running{}, fmt.Errorf("connect the host: %w", err)
	}
	return s, controlPlane, nil
}

// decide records which nodes and addresses the cluster has. Addresses stay what they are once they are chosen: etcd
// knows them.
func (p *Provider) decide(ctx context.Context, nodes []cluster.Node) (*session, error) {
	record, err := p.State.Load()
	if err != nil {
		return nil, err
	}
	occupied, err := network.Occupied(p.link())
	if err != nil {
		return nil, err
	}
	if record == nil || record.Plan == nil {
		// Somebody may have removed the state directory below a running cluster.
		if err := p.sweep(ctx); err != nil {
			return nil, fmt.Errorf("remove the rest of an older cluster: %w", err)
		}
		plan, err := network.Choose(occupied, p.State.Seed())
		if err != nil {
			return nil, err
		}
		p.Say("cluster %s gets the addresses %s", p.State.Identity(), plan.Block)
		record = &cluster.Record{Provider: cluster.Real, Plan: &plan}
	} else if err := p.stillFree(*record.Plan, occupied); err != nil {
		return nil, err
	}
	record.Nodes = nodes
	if err := p.State.Save(record); err != nil {
		return nil, err
	}
	return p.session(record)
}

func (p *Provider) stillFree(plan network.Plan, occupied []netip.Prefix) error {
	if prefix, overlaps := plan.Overlap(occupied); overlaps {
		return fmt.Errorf("the addresses %s of the cluster now meet %s of this machine: run down, then up again", plan.Block, prefix)
	}
	return nil
}

func (s *session) startControlPlane(programs programs) (machine.Running, error) {
	cp := s.controlPlane(node.InsideBin)
	if err := cp.Prepare(); err != nil {
		return machine.Running{}, err
	}
	if err := cp.WriteKubeconfig(s.State.Kubeconfig(), controlplane.Admin); err != nil {
		return machine.Running{}, err
	}
	group := s.group() + "/" + controlPlaneName
	if err := s.cgroups.Create(group); err != nil {
		return machine.Running{}, err
	}
	volumes, err := s.provisioner(cp)
	if err != nil {
		return machine.Running{}, err
	}
	if _, ok, err := s.machine(controlPlaneName).Find(); err == nil && !ok {
		if shortage := InotifyShortage(len(s.record.Nodes)); shortage != "" {
			s.Say("this may fail: %s", shortage)
		}
		s.Say("starting the control plane")
	}
	return s.boot(controlPlaneName, programs, spec.Machine{
		Hostname:    controlPlaneName,
		Isolated:    true,
		CgroupProcs: s.cgroups.Procs(group),
		// The user of the services may not reach the cache, which can lie in root's home.
		Mounts: []spec.Mount{
			{Type: "tmpfs", Target: "/run", Data: "mode=755"},
			{Type: "bind", Source: programs.bin, Target: node.InsideBin},
		},
		Interface: network.SwitchLink,
		Services:  append(cp.ServiceList(), volumes),
	})
}

// provisioner is the service that makes volumes: this very program, by a copy that stays as it is.
func (s *session) provisioner(cp *controlplane.ControlPlane) (spec.Service, error) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return spec.Service{}, fmt.Errorf("copy this program: %w", err)
	}
	dir := s.machine(controlPlaneName).Dir
	if err := atomicfile.Write(filepath.Join(dir, provisioner.Program), program, 0o755); err != nil {
		return spec.Service{}, fmt.Errorf("copy this program: %w", err)
	}
	return spec.Service{
		Name:    provisioner.Program,
		Args:    []string{filepath.Join(dir, provisioner.Program), provisioner.Command, "--kubeconfig=" + s.State.Kubeconfig(), "--machines=" + filepath.Dir(dir)},
		Env:     []string{"HOME=" + dir, "TMPDIR=" + dir},
		Log:     filepath.Join(s.State.Logs(), provisioner.Program+".log"),
		WaitFor: cp.URL() + "/readyz",
	}, nil
}

// bootNode starts the node's machine and wires it.
func (s *session) bootNode(n cluster.Node, programs programs, controlPlane machine.Running) (machine.Running, error) {
	config := s.node(n, programs)
	if err := s.cgroups.Create(config.Cgroup + "/system"); err != nil {
		return machine.Running{}, err
	}
	if err := s.credentials(n, config); err != nil {
		return machine.Running{}, err
	}
	if err := config.Prepare(); err != nil {
		return machine.Running{}, err
	}
	if _, ok, err := s.machine(n.Name).Find(); err == nil && !ok {
		s.Say("starting node %s", n.Name)
	}
	running, err := s.boot(n.Name, programs, config.Machine())
	if err != nil {
		return machine.Running{}, err
	}
	err = s.fabric(controlPlane).Attach(networkNode(n), running.NetworkNamespace(), s.networkNodes())
	return running, s.logHint(err, "machine-"+n.Name+".log")
}

// credentials gives the node what it needs to speak with the API server and to be spoken to.
func (s *session) credentials(n cluster.Node, config node.Node) error {
	cp := s.controlPlane("")
	if err := cp.Prepare(); err != nil {
		return err
	}
	etc := config.Etc()
	if err := cp.CopyCertificateAuthority(filepath.Join(etc, node.CAFile)); err != nil {
		return err
	}
	kubelet := controlplane.Identity{Name: "system:node:" + n.Name, Organizations: []string{"system:nodes"}}
	if err := cp.WriteKubeconfig(filepath.Join(etc, node.KubeletKubeconfig), kubelet); err != nil {
		return err
	}
	proxy := controlplane.Identity{Name: "system:kube-proxy"}
	if err := cp.WriteKubeconfig(filepath.Join(etc, node.KubeProxyKubeconfig), proxy); err != nil {
		return err
	}
	serving := controlplane.Identity{
		Name: "system:node:" + n.Name, Organizations: []string{"system:nodes"},
		DNSNames: []string{n.Name}, Addresses: []netip.Addr{config.Address},
	}
	return cp.Certificate(etc, node.ServingCertificate, serving)
}

// routeToServices leads the host and the control plane to Services through a node that is up. Without one it leaves
// things as they are.
func (s *session) routeToServices(controlPlane machine.Running) error {
	fabric := s.fabric(controlPlane)
	for _, n := range s.record.Nodes {
		_, running, err := s.machine(n.Name).Find()
		if err != nil {
			return err
		}
		connected, err := fabric.Connected(n.Name)
		if err != nil {
			return err
		}
		if running && connected {
			return fabric.Route(s.networkNodes(), networkNode(n))
		}
	}
	return nil
}

func (s *session) waitForAPI(ctx context.Context) (*kube.Client, error) {
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	if client.Ready(ctx) == nil {
		return client, nil
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	if err := client.WaitReady(ctx); err != nil {
		err = fmt.Errorf("the API server does not get ready: %w", causeOf(ctx, err))
		return nil, s.logHint(err, "kube-apiserver.log", "etcd.log")
	}
	s.Say("the API server is ready after %s", time.Since(start).Round(100*time.Millisecond))
	return client, nil
}

// furnish brings a booted node the images that all have, its labels and its taint.
func (s *session) furnish(ctx context.Context, client *kube.Client, n cluster.Node, running machine.Running, programs programs, archives []string) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	runtime := s.runtime(running, programs.box)
	if err := runtime.WaitReady(ctx); err != nil {
		return s.logHint(fmt.Errorf("%s: %w", n.Name, err), "containerd-"+n.Name+".log")
	}
	for _, archive := range archives {
		contents, err := image.Inspect(archive)
		if err != nil {
			return err
		}
		if _, err := runtime.Load(ctx, archive, contents); err != nil {
			return s.logHint(fmt.Errorf("%s: %w", n.Name, err), "containerd-"+n.Name+".log")
		}
	}
	err := client.Describe(ctx, n, s.plan.PodsOf(n.Number).String())
	return s.logHint(err, "kubelet-"+n.Name+".log")
}

// waitForNodes waits until all services run and all nodes are ready. That a node was ready before its kubelet started
// says nothing: it counts when the kubelet has reported.
func (s *session) waitForNodes(ctx context.Context, client *kube.Client, nodes []cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	said := time.AfterFunc(time.Second, func() { s.Say("waiting for the nodes to become ready") })
	defer said.Stop()
	if _, err := s.waitForServices(ctx, controlPlaneName, ""); err != nil {
		return err
	}
	for _, n := range nodes {
		started, err := s.waitForServices(ctx, n.Name, "kubelet")
		if err != nil {
			return err
		}
		if err := client.WaitBack(ctx, n.Name, started); err != nil {
			return s.logHint(hintOfShortage(fmt.Errorf("wait for nodes: %w", causeOf(ctx, err))), "kubelet-"+n.Name+".log")
		}
	}
	return nil
}

// hintOfShortage adds the reason why kubelets end most often, if it may be the one.
func hintOfShortage(err error) error {
	if shortage := inotifyShortage(inotifyOfNode); shortage != "" {
		return fmt.Errorf("%w; perhaps because %s", err, shortage)
	}
	return err
}

// waitForServices waits until all services of the machine run, and returns when the named one started.
func (s *session) waitForServices(ctx context.Context, name, service string) (started time.Time, err error) {
	m := s.machine(name)
	for {
		running, _, err := m.Find()
		if err != nil {
			return time.Time{}, err
		}
		components, err := m.Components(running)
		if err != nil {
			return time.Time{}, err
		}
		missing := ""
		for _, component := range components {
			switch {
			case component.Process == nil:
				missing = component.Name
			case component.Name == service:
				if started, err = component.Process.Started(); err != nil {
					return time.Time{}, err
				}
			}
		}
		if missing == "" {
			return started, nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, hintOfShortage(causeOf(ctx, fmt.Errorf("%s of %s does not run; see %s", missing, name, m.Log)))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// archives are the images that every node has, built anew: pause and the cluster's DNS.
func (s *session) archives(programs programs) ([]string, error) {
	pause, dns := filepath.Join(s.State.Cluster(), "pause.tar"), filepath.Join(s.State.Cluster(), "coredns.tar")
	_, err := image.WriteArchive(pause, image.Spec{
		References: []string{pauseImage},
		Binaries:   []string{filepath.Join(programs.tools, "pause")},
		User:       "65535:65535",
	})
	if err != nil {
		return nil, fmt.Errorf("make the pause image: %w", err)
	}
	return []string{pause, dns}, clusterdns.Archive(dns, programs.bin)
}

// causeOf prefers the reason why the context ended, such as a machine that died, over the mere fact.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
