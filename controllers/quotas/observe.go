// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/workload"
)

// What a Quota that does not say has.
const (
	headOfLineTimeout = 300
	releaseTimeout    = 600
)

// quotasOf are the Quotas of a namespace. What is returned is shared.
func (r *Reconciler) quotasOf(ctx context.Context, namespace string) ([]*v1alpha1.Quota, error) {
	var all v1alpha1.QuotaList
	if err := r.Client.List(ctx, &all, index.QuotasIn(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list quotas: %w", err)
	}
	var of []*v1alpha1.Quota
	for i := range all.Items {
		of = append(of, &all.Items[i])
	}
	return of, nil
}

// look reads what there is of a namespace, and brings its book up to date, which
// is locked.
func (r *Reconciler) look(ctx context.Context, namespace string, quotas []*v1alpha1.Quota, b *book) (*state, error) {
	// The newest first: what a pod asks for is known by the weights of now.
	var pools v1alpha1.NodePoolList
	if err := r.Client.List(ctx, &pools, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list node pools: %w", err)
	}
	var claims corev1.PersistentVolumeClaimList
	if err := r.Client.List(ctx, &claims, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	pods, err := r.Pods.List(ctx, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	s := &state{now: r.Clock.Now(), sentBack: b.sentBack, wants: map[types.UID]int{}}
	for _, q := range quotas {
		if q.DeletionTimestamp.IsZero() {
			s.quotas = append(s.quotas, read(q))
		}
	}
	s.pods = b.read(pods, weightsOf(r.GPUResource, pools.Items))
	b.reconcile(s.pods, s.now)
	s.credits = b.credits
	s.volumes = volumesOf(claims.Items, s.pods)
	return s, r.askApps(ctx, namespace, s)
}

func read(q *v1alpha1.Quota) *quota {
	_, prefix := v1alpha1.ScopeOfQuota(q.Name)
	seconds := func(n *int32, otherwise int32) time.Duration {
		return time.Duration(ptr.Deref(n, otherwise)) * time.Second
	}
	return &quota{
		name: q.Name, prefix: prefix, limits: limitsOf(q.Spec.Limits),
		strict: q.Spec.Queueing == v1alpha1.QueueingStrictFIFO, countJobs: ptr.Deref(q.Spec.CountJobs, true),
		headTimeout:    seconds(q.Spec.HeadOfLineTimeoutSeconds, headOfLineTimeout),
		releaseTimeout: seconds(q.Spec.ReleaseTimeoutSeconds, releaseTimeout),
		created:        q.CreationTimestamp.Time,
	}
}

// read reads pods, those that have changed.
func (b *book) read(all []corev1.Pod, w weights) []*pod {
	if !maps.Equal(w, b.weights) {
		clear(b.known)
		b.weights = w
	}
	pods := make([]pod, len(all))
	read := make([]*pod, len(all))
	for i := range all {
		p := &all[i]
		known, is := b.known[p.UID]
		if !is || known.version != p.ResourceVersion {
			known = reading{p.ResourceVersion, readPod(p, w)}
			b.known[p.UID] = known
		}
		pods[i] = known.pod
		read[i] = &pods[i]
	}
	return read
}

func readPod(p *corev1.Pod, w weights) pod {
	out := pod{
		member: memberOf(p), name: p.Name, slot: p.Labels[v1alpha1.SlotLabel], uid: p.UID, need: chargeOf(p, w), priority: ptr.Deref(p.Spec.Priority, 0),
		created: p.CreationTimestamp.Time, since: p.CreationTimestamp.Time,
		gated:       workload.Gated(p),
		terminating: !p.DeletionTimestamp.IsZero(),
		succeeded:   p.Status.Phase == corev1.PodSucceeded,
		released:    p.Annotations[v1alpha1.QuotaReleasedAtAnnotation] != "",
	}
	out.ended = out.succeeded || p.Status.Phase == corev1.PodFailed
	owner := metav1.GetControllerOfNoCopy(p)
	if owner != nil {
		out.ownerName = owner.Kind + "/" + owner.Name
	}
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
	out.exempt = mirror || owner != nil && owner.Kind == "DaemonSet"
	if at, err := time.Parse(time.RFC3339, p.Annotations[v1alpha1.QuotaQueuedAtAnnotation]); err == nil {
		out.since = at
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable && p.Spec.NodeName == "" {
			out.unplaced = c.LastTransitionTime.Time
			// The condition is False since the pod was made: it waited for us first.
			if at, err := time.Parse(time.RFC3339, p.Annotations[v1alpha1.QuotaReleasedAtAnnotation]); err == nil && at.After(out.unplaced) {
				out.unplaced = at
			}
		}
	}
	return out
}

// memberOf says what an object is of, as the policy that sets the gate does. Whoever
// forges a label gets into a quota more, or out of one that limits no Jobs, which
// he could as well start.
func memberOf(obj client.Object) member {
	var m member
	owner := metav1.GetControllerOfNoCopy(obj)
	if owner != nil {
		m.owner = owner.UID
	}
	switch job := obj.GetLabels()[v1alpha1.JobLabel]; {
	case owner != nil && owner.Kind == "App" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/"):
		m.object, m.isApp = owner.Name, true
	case job != "":
		// Of a name over 63 characters it is the first 52 and a hash.
		m.object, m.isJob = job, true
	}
	return m
}

// volumesOf are the persistent volumes that Apps have. One that is still to be made
// is part of what its pod needs, as long as that waits.
func volumesOf(claims []corev1.PersistentVolumeClaim, pods []*pod) []volume {
	type slot struct {
		owner  types.UID
		number string
	}
	inSlot := map[slot]*pod{}
	for _, p := range pods {
		if p.isApp && !p.ended {
			inSlot[slot{p.owner, p.slot}] = p
		}
	}
	var volumes []volume
	for i := range claims {
		c := &claims[i]
		if _, persistent := c.Annotations[v1alpha1.VolumeAnnotation]; !persistent {
			continue
		}
		v := volume{member: memberOf(c), size: bounded(c.Spec.Resources.Requests[corev1.ResourceStorage], 1)}
		pod := inSlot[slot{v.owner, c.Labels[v1alpha1.SlotLabel]}]
		switch {
		case c.Status.Phase == corev1.ClaimBound || pod != nil && pod.charged():
			volumes = append(volumes, v)
		case pod != nil:
			pod.need[disk] += v.size
		}
	}
	return volumes
}

// askApps finds how many pods Apps want beside those they have, of those whose
// pods went.
func (r *Reconciler) askApps(ctx context.Context, namespace string, s *state) error {
	for i := range s.credits {
		c := &s.credits[i]
		if _, asked := s.wants[c.owner]; asked || !c.isApp {
			continue
		}
		s.wants[c.owner] = 0
		var app v1alpha1.App
		switch err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: c.object}, &app); {
		case client.IgnoreNotFound(err) != nil:
			return fmt.Errorf("get app: %w", err)
		case err != nil || app.UID != c.owner || !app.DeletionTimestamp.IsZero():
			continue
		}
		wanted := int(app.Spec.Desired())
		if app.Spec.RunsPerNode() {
			wanted = int(app.Status.TargetInstances)
		}
		for _, p := range s.pods {
			if p.owner == c.owner && !p.ended && !p.terminating {
				wanted--
			}
		}
		s.wants[c.owner] = max(0, wanted)
	}
	return nil
}
