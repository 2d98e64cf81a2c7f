// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var maintenanceKind = v1alpha1.GroupVersion.WithKind("NodeMaintenance")

// maintained is a NodeMaintenance of the cluster: typed, and as it came.
type maintained struct {
	v1alpha1.NodeMaintenance
	raw *unstructured.Unstructured
}

// nodeName says which node an argument means.
func nodeName(arg string) (string, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "nodes/"), "node/")
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", fmt.Errorf("%q is not the name of a node: kubectl get nodes lists them", arg)
	}
	return name, nil
}

// maintenance is the NodeMaintenance of a node, nil if there is none.
func (c *cluster) maintenance(ctx context.Context, node string) (*maintained, error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(maintenanceKind)
	if err := c.client.Get(ctx, types.NamespacedName{Name: node}, raw); err != nil {
		// That the kind is missing is not found, too.
		if apierrors.IsNotFound(err) && !isKindMissing(err) {
			return nil, nil
		}
		return nil, err
	}
	return readMaintenance(raw)
}

func readMaintenance(raw *unstructured.Unstructured) (*maintained, error) {
	m := &maintained{raw: raw}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &m.NodeMaintenance); err != nil {
		return nil, fmt.Errorf("read NodeMaintenance %s: %w", raw.GetName(), err)
	}
	return m, nil
}

// knownNode says that there is such a node, where the caller may know.
func (c *cluster) knownNode(ctx context.Context, name string) error {
	err := c.client.Get(ctx, types.NamespacedName{Name: name}, &corev1.Node{})
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// maintain asks for an action, by a NodeMaintenance that is there or a new one.
func (c *cluster) maintain(ctx context.Context, node string, spec map[string]any, dryRun cmdutil.DryRunStrategy) (*maintained, error) {
	there, err := c.maintenance(ctx, node)
	if err != nil {
		return nil, err
	}
	action := v1alpha1.MaintenanceAction(fmt.Sprint(spec["action"]))
	if there == nil {
		if err := c.knownNode(ctx, node); err != nil {
			return nil, err
		}
	} else if err := mayBecome(there, action); err != nil {
		return nil, err
	}
	raw := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	raw.SetGroupVersionKind(maintenanceKind)
	raw.SetName(node)
	switch {
	case dryRun == cmdutil.DryRunClient:
		return readMaintenance(raw)
	case there == nil:
		options := []client.CreateOption{client.FieldOwner(fieldManagerMaintenance)}
		if dryRun == cmdutil.DryRunServer {
			options = append(options, client.DryRunAll)
		}
		err = c.client.Create(ctx, raw, options...)
	default:
		options := []client.PatchOption{client.FieldOwner(fieldManagerMaintenance)}
		if dryRun == cmdutil.DryRunServer {
			options = append(options, client.DryRunAll)
		}
		patch, failed := json.Marshal(map[string]any{"spec": spec})
		if failed != nil {
			return nil, fmt.Errorf("encode patch: %w", failed)
		}
		raw = there.raw.DeepCopy()
		err = c.client.Patch(ctx, raw, client.RawPatch(types.MergePatchType, patch), options...)
	}
	if err != nil {
		return nil, err
	}
	return readMaintenance(raw)
}

// mayBecome says why what is done with a node can't be something else now.
func mayBecome(m *maintained, action v1alpha1.MaintenanceAction) error {
	switch {
	case m.DeletionTimestamp != nil:
		return fmt.Errorf("node %s is being reactivated: try again in a moment", m.Name)
	case m.Spec.Action == v1alpha1.MaintenanceGone && action != v1alpha1.MaintenanceGone:
		return fmt.Errorf("node %s is decommissioned, which is final", m.Name)
	case m.Spec.Action == v1alpha1.MaintenanceDrain && action == v1alpha1.MaintenanceDeactivate:
		return fmt.Errorf("node %s is already deactivated: it was told to drain", m.Name)
	}
	return nil
}

// mayReturn says why a node can't be used again yet. As on DC/OS, a drain is not
// broken off; --force does it all the same.
func mayReturn(m *maintained, force bool) error {
	switch {
	case force:
		return nil
	case m.Status.State == v1alpha1.MaintenanceDraining:
		return fmt.Errorf("node %s: Agent is still in the DRAINING state: wait until it is drained, or break that off with --force", m.Name)
	case m.Spec.Action == v1alpha1.MaintenanceGone:
		return fmt.Errorf("node %s is decommissioned: to let it in again all the same, say --force", m.Name)
	}
	return nil
}

// askMaintenance judges how far a node is, and lists what is left on it.
func (g *goal) askMaintenance(ctx context.Context, c *cluster) (outcome, string, error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(maintenanceKind)
	if err := c.client.Get(ctx, g.key, raw); err != nil {
		return underWay, "", err
	}
	m, err := readMaintenance(raw)
	if err != nil {
		return underWay, "", err
	}
	state, text := g.judgeConditions(m.Status.ObservedGeneration, m.Status.Conditions)
	const enough = 10
	for i, p := range m.Status.Remaining {
		if i == enough {
			return state, text + fmt.Sprintf("\n  and %d more", len(m.Status.Remaining)-enough), nil
		}
		if p.BlockedBy != "" && state == underWay {
			text += fmt.Sprintf("\n  %s/%s: %s", p.Namespace, p.Name, p.BlockedBy)
		}
	}
	return state, text, nil
}

// completeNodes completes a NODE, completeMaintained one that is out of use.
func (p *plugin) completeNodes(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return p.completeNames(cmd, args, toComplete, corev1.SchemeGroupVersion.WithKind("Node"))
}

func (p *plugin) completeMaintained(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return p.completeNames(cmd, args, toComplete, maintenanceKind)
}
