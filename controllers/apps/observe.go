// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/workload"
)

// observed is everything that one pass knows.
type observed struct {
	// app is the App with its defaults filled in.
	app *v1alpha1.App
	// id is its Marathon path id.
	id string
	// specHash names the configuration that its spec asks for, config the one
	// that is to run: as a rule the same.
	specHash, config string
	// pods are the pods it owns. They belong to the cache: nobody changes them.
	pods []corev1.Pod
	// persistent are the volumes of each instance, claims what it has of them, by
	// their names. They belong to the cache, too.
	persistent []workload.Persistent
	claims     map[string]*corev1.PersistentVolumeClaim
	// unreachable are the nodes that do not answer, and since when.
	unreachable map[string]time.Time
	// leaving are the nodes that are being emptied.
	leaving map[string]leaving
	// places are the nodes that an App of one task per node may use, and whether
	// they take new pods; nil for other Apps.
	places map[string]bool
	// expires is when the deployment under way counts as failed, the zero time if
	// it does not, or another one is being entered.
	expires time.Time
	// spares is how many instances there are to be beyond those asked for.
	spares int32
	// quotas are those of its groups. They belong to the cache.
	quotas []*v1alpha1.Quota
	// groups are the values that nodes have of what the App is grouped by.
	groups map[string]string
	// settings are those of the datacenter.
	settings workload.Settings
	// health is what the manager's checks say of them.
	health map[types.UID]taskHealth
	// now is the time of the pass.
	now time.Time
}

// observe reads what a pass needs: pods, claims and nodes, from the cache, and what the
// checks of tasks say.
func (r *Reconciler) observe(ctx context.Context, app *v1alpha1.App) (*observed, error) {
	seen := &observed{app: app.DeepCopy(), settings: r.Settings, now: r.Clock.Now()}
	seen.app.Spec.Default()
	var err error
	if seen.id, err = r.id(app); err != nil {
		return nil, invalid(fmt.Sprintf("metadata.annotations[%s]: %s", v1alpha1.IDAnnotation, err))
	}
	if seen.specHash, _, err = workload.Config(seen.app); err != nil {
		return nil, err
	}
	seen.config = seen.specHash
	if s := &app.Status; s.SpecHash == seen.specHash {
		seen.config = s.ConfigHash
		if s.RolledBack != nil {
			if err := r.asRolledBack(ctx, seen.app); err != nil {
				return nil, err
			}
		}
	}
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(app.Namespace), index.ControlledBy(app), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	seen.pods = pods.Items
	if err := r.observeClaims(ctx, seen); err != nil {
		return nil, err
	}
	if seen.unreachable, err = r.unreachableNodes(ctx); err != nil {
		return nil, err
	}
	if seen.leaving, err = r.leavingNodes(ctx); err != nil {
		return nil, err
	}
	if seen.quotas, err = index.QuotasOf(ctx, r.Client, app.Namespace, app.Name); err != nil {
		return nil, err
	}
	if seen.app.Spec.RunsPerNode() {
		if seen.places, err = r.places(ctx, seen.app); err != nil {
			return nil, err
		}
	}
	if key, grouped := workload.GroupByField(&seen.app.Spec); grouped {
		if seen.groups, err = r.nodeValues(ctx, key); err != nil {
			return nil, err
		}
	}
	seen.health = r.probing.follow(ctx, client.ObjectKeyFromObject(app), seen.pods, seen.now)
	return seen, nil
}

// instances is the number of instances the App asks for now.
func (o *observed) instances() int32 {
	n := o.app.Spec.Desired()
	if o.places != nil && n > 0 {
		return o.perNode()
	}
	return n
}
