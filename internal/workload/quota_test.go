// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func TestWhyGated(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1"},
		Spec:       corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: v1alpha1.QuotaGate}}},
	}
	says := func(name string, w v1alpha1.QuotaWaiting) *v1alpha1.Quota {
		return &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.QuotaStatus{Waiting: []v1alpha1.QuotaWaiting{{Pod: "other"}, w}}}
	}
	for _, c := range []struct {
		quotas []*v1alpha1.Quota
		want   string
	}{
		{nil, "waiting for a quota"},
		{[]*v1alpha1.Quota{says("dev", v1alpha1.QuotaWaiting{Pod: "web-2", Resource: "mem"})}, "waiting for the quota of /dev"},
		{[]*v1alpha1.Quota{says("dev", v1alpha1.QuotaWaiting{Pod: "web-1"})}, "waiting for the quota of /dev"},
		{
			[]*v1alpha1.Quota{says("dev", v1alpha1.QuotaWaiting{Pod: "web-1", Reason: v1alpha1.QuotaWaits, Resource: "cpus", BlockedBy: "dev"})},
			"waiting for the quota of /dev, which has too little left of cpus",
		},
		{
			[]*v1alpha1.Quota{
				says("dev", v1alpha1.QuotaWaiting{Pod: "web-1", Reason: v1alpha1.QuotaWaits, Resource: "mem", BlockedBy: "dev.web"}),
				says("dev.web", v1alpha1.QuotaWaiting{Pod: "web-1", Reason: v1alpha1.QuotaWaits, Resource: "mem", BlockedBy: "dev.web"}),
			},
			"waiting for the quota of /dev/web, which has too little left of mem",
		},
		{
			[]*v1alpha1.Quota{says("dev", v1alpha1.QuotaWaiting{Pod: "web-1", Reason: v1alpha1.QuotaHeldBack, Resource: "gpus", BlockedBy: "dev"})},
			"waiting for the quota of /dev: the gpus that are left are kept for others",
		},
		{
			[]*v1alpha1.Quota{says("dev", v1alpha1.QuotaWaiting{Pod: "web-1", Reason: v1alpha1.QuotaUnsatisfiable, Resource: "cpus", BlockedBy: "dev"})},
			"waiting for the quota of /dev, which it never fits: it needs more cpus than the limit",
		},
	} {
		if got := WhyGated(pod, c.quotas); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	pod.Spec.SchedulingGates[0].Name = "somebody.else/gate"
	if got := WhyGated(pod, nil); got != "" {
		t.Errorf("a gate of somebody else is taken for ours: %q", got)
	}
}

func TestTold(t *testing.T) {
	waits := func(pod, resource string, position int32) v1alpha1.QuotaWaiting {
		return v1alpha1.QuotaWaiting{Pod: pod, Reason: v1alpha1.QuotaWaits, Resource: resource, Position: position}
	}
	before, after := &v1alpha1.Quota{}, &v1alpha1.Quota{}
	before.Status.Waiting = []v1alpha1.QuotaWaiting{waits("a", "cpus", 1), waits("b", "cpus", 2), waits("c", "mem", 3)}
	after.Status.Waiting = []v1alpha1.QuotaWaiting{waits("b", "cpus", 1), waits("c", "cpus", 2), waits("d", "cpus", 3)}
	var pods string
	for _, w := range Told(before, after) {
		pods += w.Pod
	}
	if pods != "cd" {
		t.Errorf("told of %q, want c, which waits for something else, and d, which is new", pods)
	}
}
