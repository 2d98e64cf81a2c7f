// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// machineDeploymentKind is taken in whichever version the cluster prefers: the
// fields that are touched are the same in all.
var machineDeploymentKind = schema.GroupKind{Group: "cluster.x-k8s.io", Kind: "MachineDeployment"}

// Annotations of a MachineDeployment that the cluster autoscaler goes by. Without
// both, it leaves the MachineDeployment alone.
const (
	autoscalerMin = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
	autoscalerMax = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
)

// clusterAPI makes nodes by a MachineDeployment that is there. It is not ours: when
// the pool goes it stays as it is.
type clusterAPI struct{ *provisioners }

func (c *clusterAPI) provision(ctx context.Context, pool *v1alpha1.NodePool) error {
	ref := pool.Spec.Provisioner.ClusterAPI
	name := ref.Namespace + "/" + ref.MachineDeployment
	seen, err := c.get(ctx, machineDeploymentKind, "", client.ObjectKey{Namespace: ref.Namespace, Name: ref.MachineDeployment})
	switch {
	case apierrors.IsNotFound(err):
		return &reconciler.Terminal{
			Reason: v1alpha1.ReasonProvisionerMissing, Message: fmt.Sprintf("there is no MachineDeployment %s, which spec.provisioner.clusterAPI names", name),
		}
	case err != nil:
		return err
	}
	labels, _, _ := unstructured.NestedStringMap(seen.Object, "spec", "template", "metadata", "labels")
	if labels[v1alpha1.ClusterAPINodePoolLabel] != pool.Name {
		return &reconciler.Terminal{
			Reason: v1alpha1.ReasonProvisionerNotReady,
			Message: fmt.Sprintf("the nodes of MachineDeployment %s would not be of this pool: its spec.template.metadata.labels need %s: %s",
				name, v1alpha1.ClusterAPINodePoolLabel, pool.Name),
		}
	}
	wanted := scaled(seen, pool.Spec.Scaling)
	if !equality.Semantic.DeepEqual(seen, wanted) {
		if err := c.update(ctx, seen, wanted); err != nil {
			return err
		}
	}
	if n, scaling := pool.Status.Nodes.Total, pool.Spec.Scaling; scaling.Replicas != nil && *scaling.Replicas != n {
		return &reconciler.NotReady{
			Reason:  v1alpha1.ReasonProvisioning,
			Message: fmt.Sprintf("%d nodes, and %d to be", n, *scaling.Replicas),
		}
	}
	return nil
}

// scaled is a MachineDeployment of as many machines as a pool asks for, or one that
// the cluster autoscaler keeps within its bounds.
func scaled(seen *unstructured.Unstructured, scaling *v1alpha1.Scaling) *unstructured.Unstructured {
	obj := seen.DeepCopy()
	annotations := obj.GetAnnotations()
	if scaling.Replicas != nil {
		// An autoscaler would change it again.
		delete(annotations, autoscalerMin)
		delete(annotations, autoscalerMax)
		obj.SetAnnotations(annotations)
		set(obj, int64(*scaling.Replicas), "spec", "replicas")
		return obj
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[autoscalerMin] = strconv.Itoa(int(ptr.Deref(scaling.Min, 0)))
	annotations[autoscalerMax] = strconv.Itoa(int(ptr.Deref(scaling.Max, 0)))
	obj.SetAnnotations(annotations)
	return obj
}

// wantsNone says that a pool asks for no nodes just now.
func wantsNone(pool *v1alpha1.NodePool) bool {
	s := pool.Spec.Scaling
	return s != nil && (s.Replicas != nil && *s.Replicas == 0 || s.Min != nil && *s.Min == 0)
}
