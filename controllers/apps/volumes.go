// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// observeClaims reads the claims that an App owns, if it has any.
func (r *Reconciler) observeClaims(ctx context.Context, seen *observed) error {
	seen.persistent = workload.PersistentVolumes(&seen.app.Spec)
	if len(seen.persistent) == 0 {
		return nil
	}
	var list corev1.PersistentVolumeClaimList
	if err := r.Client.List(ctx, &list, client.InNamespace(seen.app.Namespace), index.ControlledBy(seen.app), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	seen.claims = make(map[string]*corev1.PersistentVolumeClaim, len(list.Items))
	for i := range list.Items {
		seen.claims[list.Items[i].Name] = &list.Items[i]
	}
	return nil
}

func slotOf(pod *corev1.Pod) int {
	slot, _ := strconv.Atoi(pod.Labels[v1alpha1.SlotLabel])
	return slot
}

// kept are the slots that have volumes, those that are being wiped left out.
func (o *observed) kept() []int {
	var slots []int
	for _, claim := range o.claims {
		if slot, err := strconv.Atoi(claim.Labels[v1alpha1.SlotLabel]); err == nil && claim.DeletionTimestamp == nil {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// returns says that an instance has its persistent volumes on a node already.
func (o *observed) returns(slot int) bool {
	return slices.ContainsFunc(o.persistent, func(v workload.Persistent) bool {
		claim := o.claims[workload.ClaimName(o.app, v.Name, slot)]
		return claim != nil && claim.DeletionTimestamp == nil && claim.Status.Phase == corev1.ClaimBound
	})
}

// unclaimed are the slots of tasks that miss the claim of a volume, which was
// wiped when they were launched already, and of those that wait for a node, of
// whose external volumes nobody else says that they are gone.
func (o *observed) unclaimed() []int {
	var slots []int
	for i := range o.pods {
		pod := &o.pods[i]
		misses := func(v workload.Persistent) bool {
			return o.claims[workload.ClaimName(o.app, v.Name, slotOf(pod))] == nil
		}
		if pod.DeletionTimestamp == nil && (pod.Spec.NodeName == "" || slices.ContainsFunc(o.persistent, misses)) {
			slots = append(slots, slotOf(pod))
		}
	}
	return slots
}

// claim makes what tasks need of volumes before they are launched, and what those
// that are launched miss.
func (r *Reconciler) claim(ctx context.Context, seen *observed, launch []int) error {
	slots := append(seen.unclaimed(), launch...)
	if len(slots) == 0 {
		return nil
	}
	if err := r.claimExternal(ctx, seen); err != nil || len(seen.persistent) == 0 {
		return err
	}
	return apply.Each(len(slots), func(i int) error {
		for _, claim := range workload.Claims(seen.app, r.Settings, seen.persistent, slots[i]) {
			if seen.claims[*claim.Name] != nil {
				continue
			}
			if err := r.Apply.Create(ctx, seen.app, claim); err != nil {
				return reconciler.Refusal(err, "create claim")
			}
		}
		return nil
	})
}

// ripe are those slots that can be launched, and why the others can't be yet:
// their old volumes are not gone.
func (o *observed) ripe(slots []int) (ripe []int, waits error) {
	for _, slot := range slots {
		if wiped := o.volume(slot, func(c *corev1.PersistentVolumeClaim) bool { return c.DeletionTimestamp != nil }); wiped != "" {
			waits = &reconciler.NotReady{
				Reason: v1alpha1.ReasonWaiting, Message: fmt.Sprintf("instance %d waits for its volume %s, which was wiped, to be gone", slot, wiped),
			}
			continue
		}
		ripe = append(ripe, slot)
	}
	return ripe, waits
}

// claimExternal makes the claims of external volumes that are missing, unless
// another App has the volume to itself.
func (r *Reconciler) claimExternal(ctx context.Context, seen *observed) error {
	for _, volume := range workload.ExternalVolumes(&seen.app.Spec) {
		holder, err := r.holder(ctx, seen.app, volume)
		if err != nil {
			return err
		}
		if holder != "" {
			return &reconciler.NotReady{
				Reason: v1alpha1.ReasonNameConflict, After: reconciler.RefusedRetry,
				Message: fmt.Sprintf("the external volume %s is used by the App %s, and not shared by both", volume, holder),
			}
		}
	}
	for _, claim := range workload.ExternalClaims(seen.app, r.Settings) {
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: seen.app.Namespace, Name: *claim.Name}, &corev1.PersistentVolumeClaim{})
		if err == nil {
			continue
		}
		// The cache has none but ours.
		if err := r.Apply.CreateKept(ctx, claim); err != nil {
			return reconciler.Refusal(err, "create claim")
		}
	}
	return nil
}

// holder is an App that has an external volume which one of both wants for
// itself, "" if there is none.
func (r *Reconciler) holder(ctx context.Context, app *v1alpha1.App, volume string) (string, error) {
	var others v1alpha1.AppList
	if err := r.Client.List(ctx, &others, client.InNamespace(app.Namespace), index.WithExternalVolume(volume), client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("list apps by external volume: %w", err)
	}
	sole := slices.Contains(workload.SoleVolumes(&app.Spec), volume)
	for i := range others.Items {
		other := &others.Items[i]
		if other.UID == app.UID || !sole && !slices.Contains(workload.SoleVolumes(&other.Spec), volume) {
			continue
		}
		if precedes(other, app) {
			return other.Name, nil
		}
	}
	return "", nil
}

// precedes says that an App has what another wants, too: who runs does, and
// where neither or both do, the older.
func precedes(a, b *v1alpha1.App) bool {
	if runs := a.Status.Instances > 0; runs != (b.Status.Instances > 0) {
		return runs
	}
	age := a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	return age < 0 || age == 0 && a.UID < b.UID
}

// grow asks for more where a volume is to be larger than its claim says. Nothing
// can be asked of a claim before it has a volume.
func (r *Reconciler) grow(ctx context.Context, seen *observed) error {
	var errs []error
	for _, v := range seen.persistent {
		size := workload.Size(v.PersistentVolume)
		for _, claim := range seen.claims {
			has := claim.Spec.Resources.Requests[corev1.ResourceStorage]
			if claim.Annotations[v1alpha1.VolumeAnnotation] != v.Name || claim.Status.Phase != corev1.ClaimBound || claim.DeletionTimestamp != nil || has.Cmp(size) >= 0 {
				continue
			}
			larger := claim.DeepCopy()
			larger.Spec.Resources.Requests[corev1.ResourceStorage] = size
			if err := r.Apply.Update(ctx, claim, larger); err != nil {
				errs = append(errs, reconciler.Refusal(err, "patch claim"))
			}
		}
	}
	return errors.Join(errs...)
}

// unprovided is the volume that a task waits for, "" if there is none: nothing
// has made it yet, which the scheduler says after ten minutes only.
func (o *observed) unprovided(slot int) string {
	return o.volume(slot, func(c *corev1.PersistentVolumeClaim) bool { return c.Status.Phase == corev1.ClaimPending })
}

// volume is the first volume of a slot of whose claim something is true, "" if
// there is none.
func (o *observed) volume(slot int, is func(*corev1.PersistentVolumeClaim) bool) string {
	for _, v := range o.persistent {
		if claim := o.claims[workload.ClaimName(o.app, v.Name, slot)]; claim != nil && is(claim) {
			return v.Name
		}
	}
	return ""
}
