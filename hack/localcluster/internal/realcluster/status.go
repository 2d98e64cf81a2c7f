// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package realcluster

import (
	"context"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/machine"
)

// Status looks at processes, ports and the API server.
func (p *Provider) Status(ctx context.Context) (*cluster.Status, error) {
	s, err := p.open()
	if err != nil {
		return nil, err
	}
	status := &cluster.Status{
		Provider:   cluster.Real,
		State:      s.State.Dir,
		Identity:   s.State.Identity(),
		APIServer:  s.controlPlane("").URL(),
		Kubeconfig: s.State.Kubeconfig(),
	}
	ready := map[string]bool{}
	if client, err := s.client(); err == nil && client.Ready(ctx) == nil {
		status.APIReady = true
		if seen, err := client.ReadyNodes(ctx); err == nil {
			ready = seen
		}
	}
	controlPlane, up, err := s.machine(controlPlaneName).Find()
	if err != nil {
		return nil, err
	}
	if err := s.addComponents(status, controlPlaneName, "", controlPlane, up); err != nil {
		return nil, err
	}
	for _, n := range s.record.Nodes {
		running, ok, err := s.machine(n.Name).Find()
		if err != nil {
			return nil, err
		}
		if err := s.addComponents(status, n.Name, n.Name, running, ok); err != nil {
			return nil, err
		}
		state := cluster.Stopped
		if ok {
			state = cluster.Running
			// Without the control plane there is no switch, and so no node has a network.
			connected := false
			if up {
				if connected, err = s.fabric(controlPlane).Connected(n.Name); err != nil {
					return nil, err
				}
			}
			if !connected {
				state = cluster.Cut
			}
		}
		status.Nodes = append(status.Nodes, cluster.NodeStatus{
			Name: n.Name, Role: n.Pool, Zone: n.Zone(),
			IP: s.plan.Node(n.Number).String(), State: state, Ready: ready[n.Name], PID: running.PID,
		})
	}
	status.Judge()
	return status, nil
}

// addComponents lists the services of a machine, or those it would have.
func (s *session) addComponents(status *cluster.Status, machineName, nodeName string, running machine.Running, up bool) error {
	components, err := s.machine(machineName).Components(running)
	if err != nil {
		// A machine that never was started has no services yet.
		if !up {
			status.Components = append(status.Components,
				cluster.ComponentStatus{Name: "machine", Node: nodeName, State: cluster.Stopped})
			return nil
		}
		return err
	}
	for _, component := range components {
		state := cluster.Stopped
		if up && component.Process != nil {
			state = cluster.Running
		}
		status.Components = append(status.Components, cluster.ComponentStatus{
			Name: component.Name, Node: nodeName, PID: component.PID(), State: state,
		})
	}
	return nil
}
