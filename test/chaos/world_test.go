// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
)

// world is what all runs share: one control plane, one kubelet, one recorder.
type world struct {
	// admin may do everything.
	admin client.WithWatch
	// config is the client configuration of managers, under the generated role.
	config *rest.Config
	// mapper knows all kinds, so that managers need not ask for them.
	mapper meta.RESTMapper
	// kinds are the namespaced kinds that the manager may make.
	kinds []schema.GroupVersionKind
	// recorder follows Apps and pods.
	recorder *recorder
}

// planeVariable names a directory with kubeconfigs of a control plane that runs
// already: the seeded bugs share one.
const planeVariable = "KDCOS_CHAOS_PLANE"

// newWorld starts the world, and what ends it.
func newWorld(ctx context.Context) (w *world, stop func(), err error) {
	w = &world{}
	stop = func() {}
	var admin *rest.Config
	if dir := os.Getenv(planeVariable); dir != "" {
		if admin, err = clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "admin")); err != nil {
			return nil, nil, err
		}
		if w.config, err = clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "manager")); err != nil {
			return nil, nil, err
		}
	} else {
		plane, err := testkit.Start(ctx)
		if err != nil {
			return nil, nil, err
		}
		stop = func() { _ = plane.Stop() }
		admin, w.config = plane.Admin, plane.Config
	}
	admin.QPS, w.config.QPS = -1, -1
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, nil, err
	}
	if w.admin, err = client.NewWithWatch(admin, client.Options{Scheme: scheme}); err != nil {
		return nil, nil, err
	}
	httpClient, err := rest.HTTPClientFor(admin)
	if err != nil {
		return nil, nil, err
	}
	if w.mapper, err = apiutil.NewDynamicRESTMapper(admin, httpClient); err != nil {
		return nil, nil, err
	}
	if w.kinds, err = w.children(); err != nil {
		return nil, nil, err
	}
	w.recorder, err = record(ctx, w.admin)
	return w, stop, err
}

// children are the namespaced kinds that the generated role lets the manager
// make. A kind that is added to the role is watched over without further work.
func (w *world) children() ([]schema.GroupVersionKind, error) {
	raw, err := os.ReadFile(filepath.Join(testkit.Root(), "config", "rbac", "role.yaml"))
	if err != nil {
		return nil, err
	}
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal(raw, &role); err != nil {
		return nil, err
	}
	var kinds []schema.GroupVersionKind
	for _, rule := range role.Rules {
		if !slices.Contains(rule.Verbs, "create") {
			continue
		}
		for _, resource := range rule.Resources {
			if resource == "events" {
				continue
			}
			gvk, err := w.mapper.KindFor(schema.GroupVersionResource{Group: rule.APIGroups[0], Resource: resource})
			if err != nil {
				// A subresource, or nothing that is stored.
				continue
			}
			mapping, err := w.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
			if err == nil && mapping.Scope.Name() == meta.RESTScopeNameNamespace {
				kinds = append(kinds, gvk)
			}
		}
	}
	return kinds, nil
}

// kubelets is how many there are: one serves its pods one after the other.
const kubelets = 4

// lives runs the kubelets until the context ends.
func (w *world) lives(ctx context.Context) {
	for i := range uint32(kubelets) {
		kubelet := &testkit.Kubelet{Client: &share{WithWatch: w.admin, number: i}, Fate: fateOf, Linger: 15 * time.Millisecond, Address: "127.0.0.1", Node: func(pod *corev1.Pod) string { return nodeOf(pod.Namespace) }}
		go func() {
			if err := kubelet.Run(ctx); err != nil && ctx.Err() == nil {
				panic(fmt.Errorf("kubelet: %w", err))
			}
		}()
	}
}

// nodeOf is the node that the pods of a namespace run on, whether there is such
// an object or not.
func nodeOf(namespace string) string { return "node-" + namespace }

// share is a client that watches some of the namespaces.
type share struct {
	client.WithWatch
	number uint32
}

// Watch leaves out what is in the namespaces of others.
func (s *share) Watch(ctx context.Context, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	events, err := s.WithWatch.Watch(ctx, list, options...)
	if err != nil {
		return nil, err
	}
	return watch.Filter(events, func(e watch.Event) (watch.Event, bool) {
		obj, ok := e.Object.(client.Object)
		hash := fnv.New32()
		if ok {
			_, _ = hash.Write([]byte(obj.GetNamespace()))
		}
		return e, ok && hash.Sum32()%kubelets == s.number
	}), nil
}

// fateOf decides about pods by a variable in their environment.
func fateOf(pod *corev1.Pod) testkit.Fate {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "FATE" {
			return map[string]testkit.Fate{
				"crash": testkit.Crashes, "unready": testkit.RunsUnready,
				"unpullable": testkit.Unpullable, "unplaceable": testkit.Unplaceable,
			}[v.Value]
		}
	}
	return testkit.Runs
}
