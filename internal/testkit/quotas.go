// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// guardQuotas installs the policies about Quotas, and waits until each of them
// works: a pod is gated, a record of a release is refused.
func (p *ControlPlane) guardQuotas(ctx context.Context) error {
	if err := p.install(ctx, filepath.Join(Root(), "config", "policy", "quota.yaml")); err != nil {
		return err
	}
	quota := &v1alpha1.Quota{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec:       v1alpha1.QuotaSpec{Limits: &v1alpha1.QuotaResources{Cpus: ptr.To(1.0)}},
	}
	if err := p.Client.Create(ctx, quota); err != nil {
		return fmt.Errorf("create quota: %w", err)
	}
	quota.Status.Consumed.Cpus = ptr.To(2.0)
	if err := p.Client.Status().Update(ctx, quota); err != nil {
		return fmt.Errorf("set status: %w", err)
	}
	probe := func(annotations map[string]string) (*corev1.Pod, error) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "probe-", Annotations: annotations},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "example/probe:1"}}},
		}
		return pod, p.Client.Create(ctx, pod, client.DryRunAll)
	}
	works := func(want bool) error {
		return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			// A policy whose parameters are not known yet refuses all.
			pod, err := probe(nil)
			_, forged := probe(map[string]string{v1alpha1.QuotaReleasedAtAnnotation: "now"})
			quota.Spec.Limits.Cpus = ptr.To(0.5)
			lowered := p.Client.Update(ctx, quota.DeepCopy(), client.DryRunAll)
			return err == nil && len(pod.Spec.SchedulingGates) > 0 == want && apierrors.IsForbidden(forged) && (apierrors.IsInvalid(lowered) || !want), nil
		})
	}
	if err := works(true); err != nil {
		return fmt.Errorf("policies about quotas: %w", err)
	}
	if err := p.Client.Delete(ctx, quota); err != nil {
		return fmt.Errorf("delete quota: %w", err)
	}
	return works(false)
}
