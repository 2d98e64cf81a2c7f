// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/testkit/hostaccess"
)

// TestOnAnAPIServer asks a real API server, by every verb there is.
func TestOnAnAPIServer(t *testing.T) {
	ctx := context.Background()
	plane, err := testkit.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plane.Stop() }()
	k8s := plane.Client
	newNamespace(t, k8s, namespace)
	for _, label := range v1alpha1.AllowLabels() {
		newNamespace(t, k8s, allowed(label), label)
	}

	t.Run("create", func(t *testing.T) {
		for _, dangerous := range hostaccess.Apps() {
			refused(t, dangerous.Name, dangerous.Label, k8s.Create(ctx, object(t, dangerous, namespace), client.DryRunAll))
			if err := k8s.Create(ctx, object(t, dangerous, allowed(dangerous.Label)), client.DryRunAll); err != nil {
				t.Errorf("%s: not allowed by its label: %v", dangerous.Name, err)
			}
		}
	})
	t.Run("create Jobs and runs", func(t *testing.T) {
		for _, dangerous := range hostaccess.Runs() {
			for _, object := range []client.Object{jobOf(t, dangerous, namespace), jobRunOf(t, dangerous, namespace)} {
				refused(t, dangerous.Name, dangerous.Label, k8s.Create(ctx, object, client.DryRunAll))
			}
			for _, object := range []client.Object{jobOf(t, dangerous, allowed(dangerous.Label)), jobRunOf(t, dangerous, allowed(dangerous.Label))} {
				if err := k8s.Create(ctx, object, client.DryRunAll); err != nil {
					t.Errorf("%s: not allowed by its label: %v", dangerous.Name, err)
				}
			}
		}
	})
	exploit := hostaccess.Apps()[0]
	t.Run("update, patch and apply", func(t *testing.T) {
		app := bridged(namespace, "harmless")
		if err := k8s.Create(ctx, app); err != nil {
			t.Fatal(err)
		}
		bad := app.DeepCopy()
		bad.Spec = object(t, exploit, namespace).Spec
		refused(t, "update", exploit.Label, k8s.Update(ctx, bad.DeepCopy()))
		refused(t, "merge patch", exploit.Label, k8s.Patch(ctx, bad.DeepCopy(), client.MergeFrom(app)))
		refused(t, "JSON patch", exploit.Label, k8s.Patch(ctx, app.DeepCopy(), client.RawPatch("application/json-patch+json",
			[]byte(`[{"op": "add", "path": "/spec/container/volumes", "value": [{"containerPath": "/tmp", "hostPath": "/"}]}]`))))
		applied := []byte(`{"apiVersion": "kdcos.io/v1alpha1", "kind": "App", "metadata": {"name": "harmless", "namespace": "` + namespace + `"},
			"spec": {"container": {"volumes": [{"containerPath": "/tmp", "hostPath": "/"}]}}}`)
		refused(t, "apply", exploit.Label, k8s.Patch(ctx, app.DeepCopy(), client.RawPatch("application/apply-patch+yaml", applied), client.FieldOwner("test")))
		// The status is no way around.
		bad.Status.TargetInstances = 1
		if err := k8s.Status().Update(ctx, bad); err != nil {
			t.Fatal(err)
		}
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil || len(app.Spec.Container.Volumes) > 0 {
			t.Errorf("the status brought in %v (%v)", app.Spec.Container.Volumes, err)
		}
	})
	t.Run("scale and finalizers of one that is no longer allowed", func(t *testing.T) { outlived(t, k8s, exploit) })
	t.Run("stop of a run that is no longer allowed", func(t *testing.T) { outlivedRun(t, k8s) })
}

// outlivedRun is a run whose label went: it may be stopped, and no other one
// started.
func outlivedRun(t *testing.T, k8s client.Client) {
	network := hostaccess.Run{Spec: "docker: {image: busybox}\nnetworks: [{mode: host}]"}
	run := jobRunOf(t, network, allowed(v1alpha1.AllowHostNetworkLabel))
	must(t, k8s.Create(t.Context(), run))
	withdraw(t, k8s, run.Namespace, v1alpha1.AllowHostNetworkLabel, func() client.Object { return jobOf(t, network, run.Namespace) })
	refused(t, "another run", v1alpha1.AllowHostNetworkLabel, k8s.Create(t.Context(), jobRunOf(t, network, run.Namespace), client.DryRunAll))
	run.Spec.Stop = ptr.To(true)
	if err := k8s.Update(t.Context(), run); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// withdraw takes a label from a namespace, and waits until the API server, which
// sees namespaces by a watch, refuses what it allowed.
func withdraw(t *testing.T, k8s client.Client, namespace, label string, probe func() client.Object) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	must(t, k8s.Patch(t.Context(), ns, client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"labels": {"`+label+`": null}}}`))))
	must(t, wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return k8s.Create(ctx, probe(), client.DryRunAll) != nil, nil
	}))
}

func jobOf(t *testing.T, dangerous hostaccess.Run, namespace string) *v1alpha1.Job {
	t.Helper()
	job, err := dangerous.Job(namespace, "x")
	must(t, err)
	return job
}

func jobRunOf(t *testing.T, dangerous hostaccess.Run, namespace string) *v1alpha1.JobRun {
	t.Helper()
	run, err := dangerous.JobRun(namespace, "x")
	must(t, err)
	return run
}

// outlived is an App whose label went: it may be scaled and deleted, not changed.
func outlived(t *testing.T, k8s client.Client, exploit hostaccess.App) {
	ctx := t.Context()
	app := object(t, exploit, allowed(exploit.Label))
	app.Finalizers = []string{"example.com/wait"}
	if err := k8s.Create(ctx, app); err != nil {
		t.Fatal(err)
	}
	withdraw(t, k8s, app.Namespace, exploit.Label, func() client.Object { return object(t, exploit, app.Namespace, "probe") })
	if err := k8s.SubResource("scale").Update(ctx, app, client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}})); err != nil {
		t.Errorf("scale: %v", err)
	}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil || *app.Spec.Instances != 3 {
		t.Errorf("%d instances, %v", *app.Spec.Instances, err)
	}
	changed := app.DeepCopy()
	changed.Spec.Cmd = ptr.To("echo y")
	refused(t, "change", exploit.Label, k8s.Update(ctx, changed))
	if err := k8s.Delete(ctx, app); err != nil {
		t.Error(err)
	}
	if err := k8s.Patch(ctx, app, client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"finalizers": null}}`))); err != nil {
		t.Errorf("it can't be deleted: %v", err)
	}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func refused(t *testing.T, what, label string, err error) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), hostaccess.PolicyName) || !strings.Contains(err.Error(), label) {
		t.Errorf("%s: answered by %v", what, err)
	}
}

func allowed(label string) string { return strings.TrimPrefix(label, "kdcos.io/") }

func newNamespace(t *testing.T, k8s client.Client, name string, labels ...string) {
	t.Helper()
	if err := k8s.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: allow(labels...)}}); err != nil {
		t.Fatal(err)
	}
}

func object(t *testing.T, dangerous hostaccess.App, namespace string, name ...string) *v1alpha1.App {
	t.Helper()
	app, err := dangerous.Object(namespace, strings.Join(append(name, "x"), "-"))
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func bridged(namespace, name string) *v1alpha1.App {
	return &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AppSpec{
			Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
			Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "busybox"}},
		},
	}
}
