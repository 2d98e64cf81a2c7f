// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	podresource "k8s.io/component-helpers/resource"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	nodesLong = templates.LongDesc(`
		List nodes, as dcos node list did: what they are for, what they are up to, and how
		much of them is in use.

		CPUS, MEM (in MiB) and GPUS are what pods on the node ask for, and what pods may use.
		A node is Active; Deactivated: it takes no new work; Draining or Drained; or NotReady.`)

	nodesExample = templates.Examples(`
		# List the nodes
		kubectl kdcos nodes

		# With their addresses, attributes and what ails them
		kubectl kdcos nodes -o wide`)
)

// nodeListing is one run of nodes.
type nodeListing struct {
	*plugin
	out       *output
	noHeaders bool
}

// seenNode is a node with what is on it.
type seenNode struct {
	corev1.Node
	maintenance *v1alpha1.NodeMaintenance
	// used is what the pods there ask for.
	used map[corev1.ResourceName]*apiresource.Quantity
}

func newNodesCommand(p *plugin) *cobra.Command {
	l := &nodeListing{plugin: p, out: newOutput("", "wide")}
	cmd := &cobra.Command{
		Use:                   "nodes",
		DisableFlagsInUseLine: true,
		Short:                 "List nodes, what they are for and how full they are",
		Long:                  nodesLong,
		Example:               nodesExample,
		ValidArgsFunction:     cobra.NoFileCompletions,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !l.out.isOwn() {
				if _, err := l.out.printer(); err != nil {
					return err
				}
			}
			return l.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&l.noHeaders, "no-headers", false, "If true, print the table without its header.")
	l.out.addFlags(cmd)
	return cmd
}

func (l *nodeListing) run(ctx context.Context) error {
	c, err := l.cluster()
	if err != nil {
		return err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NodeList"))
	if err := c.client.List(ctx, list); err != nil {
		return err
	}
	if !l.out.isOwn() {
		var raw []*unstructured.Unstructured
		for i := range list.Items {
			raw = append(raw, &list.Items[i])
		}
		return l.out.printList(l.Out, raw)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(l.ErrOut, "No resources found")
		return nil
	}
	nodes, err := c.look(ctx, list)
	if err != nil {
		return err
	}
	gpus, err := c.gpuResources(ctx, nodes)
	if err != nil {
		return err
	}
	return l.print(l.Out, nodes, gpus)
}

// look finds what is on nodes and what is done with them.
func (c *cluster) look(ctx context.Context, list *unstructured.UnstructuredList) ([]*seenNode, error) {
	byName := map[string]*seenNode{}
	var nodes []*seenNode
	for i := range list.Items {
		n := &seenNode{used: map[corev1.ResourceName]*apiresource.Quantity{}}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &n.Node); err != nil {
			return nil, fmt.Errorf("read node %s: %w", list.Items[i].GetName(), err)
		}
		nodes, byName[n.Name] = append(nodes, n), n
	}
	slices.SortFunc(nodes, func(a, b *seenNode) int { return cmp.Compare(a.Name, b.Name) })
	maintenances := &unstructured.UnstructuredList{}
	maintenances.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("NodeMaintenanceList"))
	if err := c.client.List(ctx, maintenances); err != nil {
		return nil, err
	}
	for i := range maintenances.Items {
		m := &v1alpha1.NodeMaintenance{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(maintenances.Items[i].Object, m); err != nil {
			return nil, fmt.Errorf("read NodeMaintenance %s: %w", maintenances.Items[i].GetName(), err)
		}
		if n := byName[m.Name]; n != nil {
			n.maintenance = m
		}
	}
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		n := byName[pod.Spec.NodeName]
		if n == nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for name, asked := range podresource.PodRequests(pod, podresource.PodResourcesOptions{}) {
			if n.used[name] == nil {
				n.used[name] = &apiresource.Quantity{}
			}
			n.used[name].Add(asked)
		}
	}
	return nodes, nil
}

// gpuResources are the resources that count GPUs: those that NodePools name, and
// those whose names say so.
func (c *cluster) gpuResources(ctx context.Context, nodes []*seenNode) (map[corev1.ResourceName]bool, error) {
	pools := &unstructured.UnstructuredList{}
	pools.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("NodePoolList"))
	if err := c.client.List(ctx, pools); err != nil {
		return nil, err
	}
	all := map[corev1.ResourceName]bool{}
	for i := range pools.Items {
		pool := &v1alpha1.NodePool{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(pools.Items[i].Object, pool); err != nil {
			return nil, fmt.Errorf("read NodePool %s: %w", pools.Items[i].GetName(), err)
		}
		if pool.Spec.GPU != nil {
			for _, r := range pool.Spec.GPU.Resources {
				all[corev1.ResourceName(r.Name)] = true
			}
		}
	}
	for _, n := range nodes {
		for name := range n.Status.Allocatable {
			if _, kind, extended := strings.Cut(string(name), "/"); extended && (strings.HasPrefix(kind, "gpu") || strings.HasPrefix(kind, "mig-")) {
				all[name] = true
			}
		}
	}
	return all, nil
}

func (l *nodeListing) print(w io.Writer, nodes []*seenNode, gpus map[corev1.ResourceName]bool) error {
	headers := []string{"NAME", "TYPE", "POOL", "REGION", "ZONE", "STATE", "CPUS", "MEM", "GPUS", "AGE"}
	wide := *l.out.OutputFormat == "wide"
	if wide {
		headers = append(headers, "ADDRESS", "ROLE", "ATTRIBUTES", "MESSAGE")
	}
	t := newTable(w, l.noHeaders, headers...)
	for _, n := range nodes {
		cells := []string{
			n.Name, n.kind(), orNone(n.Labels[v1alpha1.NodePoolLabel]),
			orNone(n.Labels[corev1.LabelTopologyRegion]), orNone(n.Labels[corev1.LabelTopologyZone]),
			string(v1alpha1.StateOf(&n.Node, n.maintenance)),
			n.share(func(q *apiresource.Quantity) float64 { return float64(q.MilliValue()) / 1000 }, corev1.ResourceCPU),
			n.share(func(q *apiresource.Quantity) float64 { return float64(q.Value() >> 20) }, corev1.ResourceMemory),
			n.gpus(gpus), age(n.CreationTimestamp.Time, l.now()),
		}
		if wide {
			cells = append(cells, orNone(n.address()), cmp.Or(n.Labels[v1alpha1.NodeRoleLabel], v1alpha1.RoleUnreserved), orNone(n.attributes()), orNone(n.message()))
		}
		t.row(cells...)
	}
	return t.flush()
}

// kind is what dcos node list called the node.
func (n *seenNode) kind() string {
	_, master := n.Labels["node-role.kubernetes.io/control-plane"]
	switch {
	case master:
		return "master"
	case n.Labels[v1alpha1.NodeRoleLabel] == v1alpha1.RolePublic || n.Labels[v1alpha1.NodeAttributePrefix+"public_ip"] == "true":
		return "agent (public)"
	}
	return "agent"
}

// share is how much of some resources is in use, and how much there is.
func (n *seenNode) share(unit func(*apiresource.Quantity) float64, names ...corev1.ResourceName) string {
	var used, has apiresource.Quantity
	for _, name := range names {
		if q := n.used[name]; q != nil {
			used.Add(*q)
		}
		has.Add(n.Status.Allocatable[name])
	}
	write := func(q *apiresource.Quantity) string { return strconv.FormatFloat(unit(q), 'f', -1, 64) }
	return write(&used) + "/" + write(&has)
}

func (n *seenNode) gpus(names map[corev1.ResourceName]bool) string {
	var there []corev1.ResourceName
	for name := range n.Status.Allocatable {
		if names[name] {
			there = append(there, name)
		}
	}
	if len(there) == 0 {
		return none
	}
	return n.share(func(q *apiresource.Quantity) float64 { return float64(q.Value()) }, there...)
}

func (n *seenNode) address() string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// attributes are written as in MESOS_ATTRIBUTES.
func (n *seenNode) attributes() string {
	var all []string
	for key, value := range n.Labels {
		if name, is := strings.CutPrefix(key, v1alpha1.NodeAttributePrefix); is {
			all = append(all, name+":"+value)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ";")
}

// message says why the node is not Active.
func (n *seenNode) message() string {
	if m := n.maintenance; m != nil {
		text := fmt.Sprintf("NodeMaintenance: %s", m.Spec.Action)
		if m.Status.PodsRemaining > 0 {
			text += fmt.Sprintf(", %d of %d pods are left", m.Status.PodsRemaining, m.Status.PodsTotal)
		}
		if m.Spec.Reason != "" {
			text += ": " + m.Spec.Reason
		}
		return text
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return c.Message
		}
	}
	if n.Spec.Unschedulable {
		return "cordoned by hand"
	}
	return ""
}
