// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

// checkServer asks a real API server to take the Apps, and the pods they become
// without the fields that are not supported yet.
func checkServer(t *testing.T, apps []candidate) {
	t.Helper()
	plane, err := testkit.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := plane.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod", Labels: allowed}}); err != nil {
		t.Fatal(err)
	}
	var pods, stripped, named atomic.Int64
	tries := &errgroup.Group{}
	tries.SetLimit(8)
	for _, c := range apps {
		tries.Go(func() error {
			if err := plane.Client.Create(t.Context(), c.app.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("seed %d: %v", c.seed, err)
				return nil
			}
			app, without := supported(t, c.app)
			if without {
				stripped.Add(1)
			}
			pod, why := podOf(t, app)
			switch {
			case why != nil && !fieldAndReason.MatchString(why.Error()):
				t.Errorf("seed %d: no pod, and no field that is why: %v", c.seed, why)
			case why != nil:
				named.Add(1)
			default:
				pods.Add(1)
				for _, object := range append([]client.Object{pod}, claimsOf(t, app)...) {
					if err := plane.Client.Create(t.Context(), object, client.DryRunAll); err != nil {
						t.Errorf("seed %d: %v", c.seed, err)
					}
				}
			}
			return nil
		})
	}
	if err := tries.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d pods accepted, %d of them without what is not supported; %d Apps name a field that no pod can have", pods.Load(), stripped.Load(), named.Load())
	if pods.Load() < int64(len(apps))*9/10 {
		t.Errorf("only %d of %d Apps became pods", pods.Load(), len(apps))
	}
}

// allowed is what the policy asks of a namespace whose Apps may do anything.
var allowed = map[string]string{
	"kdcos.io/allow-host-network": "true", "kdcos.io/allow-host-path": "true", "kdcos.io/allow-host-namespaces": "true",
	"kdcos.io/allow-privileged": "true", "kdcos.io/allow-capabilities": "true", "kdcos.io/allow-root": "true",
}

// fieldAndReason is what an App that can't be translated says.
var fieldAndReason = regexp.MustCompile(`^[a-zA-Z.]+(\[[^\]]*\][a-zA-Z.]*)*: .+`)

// supported is an App without the fields that this version does not support.
func supported(t *testing.T, app *v1alpha1.App) (_ *v1alpha1.App, without bool) {
	app = app.DeepCopy()
	app.UID = "11111111-2222-3333-4444-555555555555"
	app.Spec.Default()
	for range 10 {
		refused := workload.Unsupported(app, datacenter())
		if len(refused) == 0 {
			return app, without
		}
		without = true
		fields := map[string]bool{}
		for _, line := range refused {
			field, _, _ := strings.Cut(line, ": ")
			field, _, _ = strings.Cut(field, "[")
			fields[field] = true
		}
		for field := range fields {
			remove(t, app, field)
		}
		app.Spec.Default()
	}
	t.Errorf("still not supported: %q", workload.Unsupported(app, datacenter()))
	return app, without
}

// datacenter is one where apps may have all there is.
func datacenter() workload.Settings {
	settings := workload.DefaultSettings()
	settings.BaseImage, settings.FetcherImage = "busybox", "kdcos/kdcos"
	return settings
}

// remove takes a field out; what is missing then, it makes up.
func remove(t *testing.T, app *v1alpha1.App, field string) {
	switch field {
	case "spec.check.exec", "spec.check.http.portIndex", "spec.check.tcp.portIndex":
		field = "spec.check" // which is nothing without it
	case "spec.container.docker.image":
		app.Spec.Container = &v1alpha1.Container{Type: v1alpha1.EngineMesos, Docker: &v1alpha1.DockerContainer{Image: "nginx"}}
		return
	case "spec.secrets":
		for i := range app.Spec.Secrets {
			app.Spec.Secrets[i].Source = "everyones"
		}
		return
	case "spec.containers":
		for i := range app.Spec.Containers {
			c := &app.Spec.Containers[i]
			c.Check, c.Artifacts = nil, nil
			for j := range c.Endpoints {
				c.Endpoints[j].Labels = nil
			}
		}
		return
	case "spec.volumes":
		for i := range app.Spec.Volumes {
			if p := app.Spec.Volumes[i].Persistent; p != nil {
				p.Constraints, p.ProfileName = nil, nil
			}
		}
		return
	case "spec.networks":
		app.Spec.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}}
		app.Spec.PortDefinitions = nil
		return
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(app)
	if err != nil {
		t.Fatal(err)
	}
	unstructured.RemoveNestedField(content, strings.Split(field, ".")...)
	*app = v1alpha1.App{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, app); err != nil {
		t.Fatal(err)
	}
}

// podOf is the pod of an instance, as it would be sent.
func podOf(t *testing.T, app *v1alpha1.App) (*corev1.Pod, error) {
	made, err := workload.Pod(app, datacenter(), workload.Slot{Number: 3, Version: "2026-01-01T00:00:00.000Z"})
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	return pod, json.Unmarshal(raw, pod)
}

// claimsOf are the claims of an instance, as they would be sent.
func claimsOf(t *testing.T, app *v1alpha1.App) []client.Object {
	var all []client.Object
	for _, made := range append(workload.Claims(app, datacenter(), workload.PersistentVolumes(&app.Spec), 3), workload.ExternalClaims(app, datacenter())...) {
		raw, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		claim := &corev1.PersistentVolumeClaim{}
		if err := json.Unmarshal(raw, claim); err != nil {
			t.Fatal(err)
		}
		all = append(all, claim)
	}
	return all
}
