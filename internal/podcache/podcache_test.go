// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package podcache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/testkit"
)

// TestLazy: nothing is read until somebody asks, and then all pods are known,
// those that were there before and those of others.
func TestLazy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plane, err := testkit.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	}()
	mgr, err := ctrl.NewManager(plane.Config, ctrl.Options{Scheme: plane.Client.Scheme(), Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := podcache.New(mgr)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan string, 100)
	c, err := controller.New("test", mgr, controller.Options{Reconciler: reconcile.Func(func(_ context.Context, r reconcile.Request) (reconcile.Result, error) {
		woken <- r.Name
		return reconcile.Result{}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	watcher := pods.Watcher(c, handler.TypedFuncs[*corev1.Pod, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*corev1.Pod], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)})
		},
	})
	go func() {
		if err := mgr.Start(ctx); err != nil {
			t.Error(err)
		}
	}()
	<-mgr.Elected()

	create(t, plane.Client, "before", "node-1")
	select {
	case name := <-woken:
		t.Fatalf("woken by %s before anybody asked", name)
	case <-time.After(300 * time.Millisecond):
	}
	for range 2 {
		if err := watcher.Watch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if name := <-woken; name != "before" {
		t.Errorf("woken by %s, want before", name)
	}
	create(t, plane.Client, "after", "node-2")
	if name := <-woken; name != "after" {
		t.Errorf("woken by %s, want after", name)
	}
	for node, want := range map[string]string{"node-1": "before", "node-2": "after"} {
		found := list(t, pods, podcache.On(node))
		if len(found) != 1 || found[0].Name != want {
			t.Errorf("on %s are %d pods, want %s", node, len(found), want)
		}
	}
	if found := list(t, pods, client.InNamespace("default")); len(found) != 2 || found[0].Spec.Containers[0].Image != "" {
		t.Errorf("in default are %d pods, want 2 without their images", len(found))
	}
}

func list(t *testing.T, pods *podcache.Pods, options ...client.ListOption) []corev1.Pod {
	t.Helper()
	for {
		found, err := pods.List(t.Context(), options...)
		if errors.Is(err, podcache.ErrSyncing) {
			time.Sleep(podcache.RetryAfter)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
}

func create(t *testing.T, c client.Client, name, node string) {
	t.Helper()
	if err := c.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "web", Image: "example/web:1"}}},
	}); err != nil {
		t.Fatal(err)
	}
}
