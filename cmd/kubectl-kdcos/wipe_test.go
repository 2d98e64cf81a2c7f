// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// database is an App with two instances that have volumes, of which the first
// runs, and a claim that only looks like one of its own.
func database(t *testing.T) []client.Object {
	t.Helper()
	raw := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "prod", "name": "db", "uid": "11111111-2222-3333-4444-555555555555"},
		"spec": map[string]any{"container": map[string]any{"volumes": []any{
			map[string]any{"containerPath": "data", "persistent": map[string]any{"size": int64(1)}},
		}}},
	}}
	raw.SetGroupVersionKind(appKind)
	app, err := observe(raw)
	must(t, err)
	named := func(name, slot, volume string) metav1.ObjectMeta {
		labels := workload.Labels(&app.App)
		labels[v1alpha1.SlotLabel] = slot
		return metav1.ObjectMeta{
			Namespace: "prod", Name: name, Labels: labels, Annotations: map[string]string{v1alpha1.VolumeAnnotation: volume},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(raw, appKind)},
		}
	}
	stranger := &corev1.PersistentVolumeClaim{ObjectMeta: named("stranger", "0", "data")}
	stranger.OwnerReferences = nil
	return []client.Object{
		raw, stranger,
		&corev1.Pod{ObjectMeta: named(workload.PodName(&app.App, "", 0), "0", "")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("db-data-0", "0", "data")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("db-log-0", "0", "log")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("db-data-10", "10", "data")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("db-data-2", "2", "data")},
	}
}

// TestWipe deletes what an instance has, and nothing of others.
func TestWipe(t *testing.T) {
	single := load(t, "testdata/versions/single.in.yaml")
	pod := database(t)[2].GetName()
	text := ""
	for _, args := range [][]string{
		{"/prod/db", "0"},
		{"/prod/db", pod, "2"},
		{"db", "-n", "prod", "--all"},
		{"/prod/db", "0", "--dry-run=server"},
		{"/prod/db", "0", "--dry-run=client"},
		{"/prod/db", "1"},
		{"/prod/db", "other-0"},
		{"/hello_world", "0"},
		{"/prod/db"},
		{"/prod/db", "0", "--all"},
		{},
	} {
		s := newSession(t, append(database(t), single.objects()...)...)
		text += s.transcript(append([]string{"wipe"}, args...)...) + "left:" + s.left() + "\n\n"
	}
	golden(t, "wipe.txt", text)
}

// left names the pods and claims that there are.
func (s *session) left() string {
	s.t.Helper()
	var pods corev1.PodList
	must(s.t, s.client.List(s.t.Context(), &pods, client.InNamespace("prod")))
	var claims corev1.PersistentVolumeClaimList
	must(s.t, s.client.List(s.t.Context(), &claims, client.InNamespace("prod")))
	text := ""
	for i := range pods.Items {
		text += " pod/" + pods.Items[i].Name
	}
	for i := range claims.Items {
		text += " pvc/" + claims.Items[i].Name
	}
	return text
}
