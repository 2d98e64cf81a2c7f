// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWhyNotPulled: what the kubelet says by turns is said once, or a status would
// be written for each turn.
func TestWhyNotPulled(t *testing.T) {
	says := func(reason, message string) string {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: ContainerName, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
		kind, words := WhyNotStarting(pod, nil)
		return kind + ": " + words
	}
	const cause = `failed to pull image "web:9": not found`
	first, then := says("ErrImagePull", cause), says("ImagePullBackOff", `Back-off pulling image "web:9": ErrImagePull: `+cause)
	if want := "ImagePull: not starting: ErrImagePull: " + cause; first != want || then != want {
		t.Errorf("%q, then %q, want %q both times", first, then, want)
	}
	if got, want := says("ImagePullBackOff", "Back-off pulling image"), "ImagePull: not starting: ImagePullBackOff: Back-off pulling image"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
