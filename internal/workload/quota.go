// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Gated says that a pod waits for a quota.
func Gated(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.QuotaGate })
}

// Told are the pods of which a quota says something else than before about what
// they wait for, beside their position. before is nil for nothing.
func Told(before, after *v1alpha1.Quota) []v1alpha1.QuotaWaiting {
	said := map[string]v1alpha1.QuotaWaiting{}
	if before != nil {
		for _, w := range before.Status.Waiting {
			said[w.Pod] = w
		}
	}
	var told []v1alpha1.QuotaWaiting
	for _, w := range after.Status.Waiting {
		if was := said[w.Pod]; was.Reason != w.Reason || was.Resource != w.Resource || was.BlockedBy != w.BlockedBy {
			told = append(told, w)
		}
	}
	return told
}

// WhyGated is what a pod that waits for a quota waits for, as far as the quotas
// above it tell; "" of any other pod.
func WhyGated(pod *corev1.Pod, quotas []*v1alpha1.Quota) string {
	if !Gated(pod) {
		return ""
	}
	words := "waiting for a quota"
	for _, q := range quotas {
		words = "waiting for the quota of " + q.Group()
		i := slices.IndexFunc(q.Status.Waiting, func(w v1alpha1.QuotaWaiting) bool { return w.Pod == pod.Name })
		if i < 0 {
			continue
		}
		w := &q.Status.Waiting[i]
		if w.BlockedBy != "" {
			blocking := v1alpha1.Quota{}
			blocking.Name = w.BlockedBy
			words = "waiting for the quota of " + blocking.Group()
		}
		switch w.Reason {
		case v1alpha1.QuotaUnsatisfiable:
			return fmt.Sprintf("%s, which it never fits: it needs more %s than the limit", words, w.Resource)
		case v1alpha1.QuotaHeldBack:
			return fmt.Sprintf("%s: the %s that are left are kept for others", words, w.Resource)
		}
		if w.Resource != "" {
			return fmt.Sprintf("%s, which has too little left of %s", words, w.Resource)
		}
	}
	return words
}
