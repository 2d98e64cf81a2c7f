// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package kindcluster

import (
	"fmt"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
)

// config describes the cluster to kind: a control plane, which kind keeps pods off, and a worker for each node, with
// the node's own name and taint from the moment it joins. Its labels come after: kubelets may not set all of them.
func config(name string, nodes []cluster.Node) (*v1alpha4.Cluster, error) {
	c := &v1alpha4.Cluster{
		TypeMeta:             v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:                 name,
		Nodes:                []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}},
		KubeadmConfigPatches: []string{controllerManagerPatch, kubeletPatch},
	}
	for _, node := range nodes {
		patch, err := joinPatch(node)
		if err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, v1alpha4.Node{
			Role:                 v1alpha4.WorkerRole,
			KubeadmConfigPatches: []string{patch},
		})
	}
	return c, nil
}

// The loss of a node shows as quickly as on real nodes of localcluster.
const (
	controllerManagerPatch = `kind: ClusterConfiguration
controllerManager:
  extraArgs:
  - name: node-monitor-period
    value: 2s
  - name: node-monitor-grace-period
    value: 16s
  - name: kube-api-qps
    value: "200"
  - name: kube-api-burst
    value: "400"
`
	kubeletPatch = `kind: KubeletConfiguration
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 16
serializeImagePulls: false
`
)

// joinPatch names a node as localcluster does, and taints it. The empty list is no slip: without it kubeadm would pick
// taints of its own.
func joinPatch(node cluster.Node) (string, error) {
	taints := []map[string]string{}
	if taint := node.Taint(); taint != nil {
		taints = append(taints, map[string]string{"key": taint.Key, "value": taint.Value, "effect": string(taint.Effect)})
	}
	patch, err := yaml.Marshal(map[string]any{
		"kind":             "JoinConfiguration",
		"nodeRegistration": map[string]any{"name": node.Name, "taints": taints},
	})
	if err != nil {
		return "", fmt.Errorf("describe node %s: %w", node.Name, err)
	}
	return string(patch), nil
}

// containerName is the name that kind gives the container of a worker; it counts them from 1 and leaves the 1 out.
func containerName(clusterName string, position int) string {
	if position == 1 {
		return clusterName + "-worker"
	}
	return fmt.Sprintf("%s-worker%d", clusterName, position)
}
