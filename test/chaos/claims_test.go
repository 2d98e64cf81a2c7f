// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// growing is a storage class whose volumes may get larger.
const growing = "grows"

// claimsOf are the claims that an App controls.
func (r *run) claimsOf(ctx context.Context, app *v1alpha1.App) ([]corev1.PersistentVolumeClaim, error) {
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
		return nil, err
	}
	var claims corev1.PersistentVolumeClaimList
	err := r.world.admin.List(ctx, &claims, client.InNamespace(r.namespace), client.MatchingLabels(workload.Labels(app)))
	return claims.Items, err
}

// bindClaims gives claims their volumes, as the controller of such does.
func (r *run) bindClaims(ctx context.Context, app *v1alpha1.App) error {
	c := r.world.admin
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: growing}, Provisioner: "example.com/p", AllowVolumeExpansion: ptr.To(true)}
	if err := client.IgnoreAlreadyExists(c.Create(ctx, class)); err != nil {
		return err
	}
	claims, err := r.claimsOf(ctx, app)
	if err != nil {
		return err
	}
	for i := range claims {
		claim := &claims[i]
		before := client.MergeFrom(claim.DeepCopy())
		claim.Spec.VolumeName = fmt.Sprint("volume-", claim.Labels[v1alpha1.SlotLabel])
		if err := c.Patch(ctx, claim, before); err != nil {
			return err
		}
		before = client.MergeFrom(claim.DeepCopy())
		claim.Status.Phase = corev1.ClaimBound
		claim.Status.Capacity = claim.Spec.Resources.Requests
		if err := c.Status().Patch(ctx, claim, before); err != nil {
			return err
		}
	}
	return nil
}

// ungrown says which claim is smaller than the App asks for.
func (r *run) ungrown(ctx context.Context, app *v1alpha1.App) (string, error) {
	claims, err := r.claimsOf(ctx, app)
	for _, v := range workload.PersistentVolumes(&app.Spec) {
		size := workload.Size(v.PersistentVolume)
		for i := range claims {
			if has := claims[i].Spec.Resources.Requests.Storage(); has.Cmp(size) < 0 {
				return claims[i].Name + " is too small", err
			}
		}
	}
	return "", err
}

// wipe deletes the claims and the pod in a slot, as kubectl kdcos wipe does.
func (r *run) wipe(ctx context.Context, app *v1alpha1.App, s step) error {
	claims, err := r.claimsOf(ctx, app)
	if err != nil {
		return err
	}
	for i := range claims {
		if claims[i].Labels[v1alpha1.SlotLabel] != fmt.Sprint(s.Slot) {
			continue
		}
		if err := r.world.admin.Delete(ctx, &claims[i]); err != nil {
			return err
		}
	}
	if err := r.harm(ctx, app, s); err != nil {
		return err
	}
	return r.release(ctx, claims)
}

// release lets go of claims, as the controller does that keeps those in use.
func (r *run) release(ctx context.Context, claims []corev1.PersistentVolumeClaim) error {
	for i := range claims {
		claim := &claims[i]
		err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(claim), claim)
		if err == nil && claim.DeletionTimestamp != nil {
			err = r.world.admin.Patch(ctx, claim, client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"finalizers": null}}`)))
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
