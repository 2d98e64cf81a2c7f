// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kwokcluster

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
)

// stateLabel says what state a simulated node is meant to be in. kwok keeps only running ones alive, so that the others
// are lost to the control plane as real ones would be.
const stateLabel = "localcluster.kdcos.io/state"

// capacity is about that of a real node of DC/OS.
var capacity = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("4"),
	corev1.ResourceMemory:           resource.MustParse("16Gi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
	corev1.ResourcePods:             resource.MustParse("110"),
}

// ensureNode makes the node and has it run.
func ensureNode(ctx context.Context, client *kube.Client, n cluster.Node) error {
	_, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.CoreV1().Nodes().Create(ctx, nodeObject(n), metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("make node %s: %w", n.Name, err)
	}
	if err := client.Describe(ctx, n, plan.PodsOf(n.Number).String()); err != nil {
		return err
	}
	return setState(ctx, client, n.Name, cluster.Running)
}

func nodeObject(n cluster.Node) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname:   n.Name,
		corev1.LabelOSStable:   "linux",
		corev1.LabelArchStable: "amd64",
		stateLabel:             cluster.Running,
	}
	maps.Copy(labels, n.Labels())
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: labels},
		Spec: corev1.NodeSpec{
			PodCIDR:  plan.PodsOf(n.Number).String(),
			PodCIDRs: []string{plan.PodsOf(n.Number).String()},
		},
		Status: corev1.NodeStatus{
			Capacity:    capacity,
			Allocatable: capacity,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: plan.Node(n.Number).String()},
				{Type: corev1.NodeHostName, Address: n.Name},
			},
		},
	}
	if taint := n.Taint(); taint != nil {
		node.Spec.Taints = []corev1.Taint{*taint}
	}
	return node
}

func setState(ctx context.Context, client *kube.Client, name, state string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, stateLabel, state)
	if _, err := client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("set the state of node %s: %w", name, err)
	}
	return nil
}

type nodeState struct {
	state string
	ready bool
}

func nodeStates(ctx context.Context, client *kube.Client) (map[string]nodeState, error) {
	ready, err := client.ReadyNodes(ctx)
	if err != nil {
		return nil, err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: stateLabel})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	states := map[string]nodeState{}
	for _, node := range list.Items {
		states[node.Name] = nodeState{state: node.Labels[stateLabel], ready: ready[node.Name]}
	}
	return states, nil
}

// StopNode lets the node be lost. What ran on it is not there any more after it starts again, as far as the control
// plane can tell.
func (p *Provider) StopNode(ctx context.Context, name string) error {
	return p.lose(ctx, name, cluster.Stopped)
}

// CutNode lets the node be lost; for a simulated one that is the same as a stop.
func (p *Provider) CutNode(ctx context.Context, name string) error {
	return p.lose(ctx, name, cluster.Cut)
}

// StartNode brings the node back.
func (p *Provider) StartNode(ctx context.Context, name string) error { return p.bringBack(ctx, name) }

// HealNode brings the node back.
func (p *Provider) HealNode(ctx context.Context, name string) error { return p.bringBack(ctx, name) }

func (p *Provider) lose(ctx context.Context, name, state string) error {
	client, err := kube.New(p.State.Kubeconfig())
	if err != nil {
		return err
	}
	return setState(ctx, client, name, state)
}

func (p *Provider) bringBack(ctx context.Context, name string) error {
	client, err := kube.New(p.State.Kubeconfig())
	if err != nil {
		return err
	}
	start := time.Now()
	if err := setState(ctx, client, name, cluster.Running); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	if err := client.WaitBack(ctx, name, start); err != nil {
		return fmt.Errorf("wait for node: %w; see %s", err, filepath.Join(p.State.Logs(), "kwok.log"))
	}
	p.Say("node %s is ready after %s", name, time.Since(start).Round(100*time.Millisecond))
	return nil
}
