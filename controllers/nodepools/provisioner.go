// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// provisionerPause is how often a provisioner is looked at. It is not watched:
// where its kinds are not installed, a watch would fail for ever.
const provisionerPause = 30 * time.Second

// provisioner has the nodes of a pool made.
type provisioner interface {
	// provision asks for as many nodes as the pool wants, of the kind it wants.
	// What is in the way of that is NotReady or Terminal.
	provision(ctx context.Context, pool *v1alpha1.NodePool) error
}

// provisioners are those there are.
type provisioners struct {
	// live reads objects that are not cached.
	live   client.Reader
	apply  *apply.Applier
	mapper meta.RESTMapper
}

func (p *provisioners) of(pool *v1alpha1.NodePool) provisioner {
	if pool.Spec.Provisioner.Karpenter != nil {
		return &karpenter{p}
	}
	return &clusterAPI{p}
}

// get reads an object of a kind that may not be installed, in the version that the
// API server prefers where none is given.
func (p *provisioners) get(ctx context.Context, kind schema.GroupKind, version string, key client.ObjectKey) (*unstructured.Unstructured, error) {
	var versions []string
	if version != "" {
		versions = []string{version}
	}
	mapping, err := p.mapper.RESTMapping(kind, versions...)
	if meta.IsNoMatchError(err) {
		return nil, &reconciler.Terminal{
			Reason: v1alpha1.ReasonProvisionerMissing, Message: fmt.Sprintf("the cluster has no %s: install what spec.provisioner names", kind),
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", kind, err)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(mapping.GroupVersionKind)
	if err := p.live.Get(ctx, key, obj); err != nil {
		return obj, err
	}
	return obj, nil
}

// update writes what a pool wants of an object, unless it is so already.
func (p *provisioners) update(ctx context.Context, seen, wanted *unstructured.Unstructured) error {
	err := p.apply.Update(ctx, seen, wanted)
	if err == nil || apierrors.IsConflict(err) {
		return err
	}
	return reconciler.Refusal(err, "patch "+seen.GetKind())
}
