// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kube asks the API server of a local cluster what the providers need to know, and tells it what only they
// know: which pool and zone a node is in.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
)

// Client talks to one API server.
type Client struct {
	kubernetes.Interface
}

// New connects with the configuration in the file.
func New(kubeconfig string) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	config.Timeout = 10 * time.Second
	config.QPS, config.Burst = 100, 200
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	return &Client{clientset}, nil
}

const pollPause = 100 * time.Millisecond

// poll calls check until it is done. The error of the last check that was not cut short tells why it never was.
func poll(ctx context.Context, check func(ctx context.Context) error) error {
	var reason error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		select {
		case <-ctx.Done():
			return reason
		case <-time.After(pollPause):
		}
	}
}

// Ready reports whether the API server answers and is ready.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := c.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// WaitReady waits until the API server is ready.
func (c *Client) WaitReady(ctx context.Context) error { return poll(ctx, c.Ready) }

// ReadyNodes returns the names of all registered nodes and whether they are ready.
func (c *Client) ReadyNodes(ctx context.Context) (map[string]bool, error) {
	list, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	ready := map[string]bool{}
	for _, node := range list.Items {
		ready[node.Name] = isReady(&node)
	}
	return ready, nil
}

func isReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Describe gives a node that has registered, or once it does, its labels, its taint and its range of pod addresses.
func (c *Client) Describe(ctx context.Context, node cluster.Node, pods string) error {
	err := poll(ctx, func(ctx context.Context) error {
		current, err := c.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return errors.New("the node does not register")
		}
		if err != nil {
			return err
		}
		patch := describe(current, node, pods)
		if patch == nil {
			return nil
		}
		data, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		_, err = c.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, data, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("describe node %s: %w", node.Name, err)
	}
	return nil
}

// describe returns the merge patch that the node wants, or nil. Taints are replaced as a whole, hence the resource
// version: somebody else's new taint must not get lost.
func describe(current *corev1.Node, node cluster.Node, pods string) map[string]any {
	patch, spec := map[string]any{}, map[string]any{}
	labels := map[string]string{}
	for key, value := range node.Labels() {
		if current.Labels[key] != value {
			labels[key] = value
		}
	}
	metadata := map[string]any{}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	if taint := node.Taint(); taint != nil && !hasTaint(current, taint) {
		spec["taints"] = append(slices.Clone(current.Spec.Taints), *taint)
		metadata["resourceVersion"] = current.ResourceVersion
	}
	if pods != "" && current.Spec.PodCIDR == "" {
		spec["podCIDR"], spec["podCIDRs"] = pods, []string{pods}
	}
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	if len(patch) == 0 {
		return nil
	}
	return patch
}

func hasTaint(node *corev1.Node, taint *corev1.Taint) bool {
	for i := range node.Spec.Taints {
		if node.Spec.Taints[i].MatchTaint(taint) && node.Spec.Taints[i].Value == taint.Value {
			return true
		}
	}
	return false
}

// WaitNodes waits until all the nodes are ready.
func (c *Client) WaitNodes(ctx context.Context, names []string) error {
	return poll(ctx, func(ctx context.Context) error {
		ready, err := c.ReadyNodes(ctx)
		if err != nil {
			return err
		}
		waiting := map[string]bool{}
		for _, name := range names {
			if !ready[name] {
				waiting[name] = true
			}
		}
		if len(waiting) > 0 {
			return fmt.Errorf("not ready: %s", strings.Join(slices.Sorted(maps.Keys(waiting)), ", "))
		}
		return nil
	})
}

// WaitBack waits until the node has reported since the given time and is ready: before, the API server may only not
// have noticed that it was away.
func (c *Client) WaitBack(ctx context.Context, name string, since time.Time) error {
	return poll(ctx, func(ctx context.Context) error {
		lease, err := c.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(since) {
			return fmt.Errorf("%s does not report", name)
		}
		ready, err := c.ReadyNodes(ctx)
		if err != nil {
			return err
		}
		if !ready[name] {
			return fmt.Errorf("%s is not ready", name)
		}
		return nil
	})
}
