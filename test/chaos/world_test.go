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

	"github.com/kdcos/kdcos/api/v1alpha1"
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
		plane, stopPlane, err := startPlane(ctx)
		if err != nil {
			return nil, nil, err
		}
		stop = stopPlane
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

// startPlane starts a control plane, with what makes the pods of Jobs and takes
// those things away whose owner is gone, and with the kinds of provisioners.
func startPlane(ctx context.Context) (plane *testkit.ControlPlane, stop func(), err error) {
	if plane, err = testkit.Start(ctx); err != nil {
		return nil, nil, err
	}
	if err := plane.Install(ctx, testkit.KarpenterNodePools, testkit.MachineDeployments); err != nil {
		_ = plane.Stop()
		return nil, nil, err
	}
	stopControllers, err := plane.ControllerManager(ctx, "job-controller", "garbage-collector-controller")
	if err != nil {
		_ = plane.Stop()
		return nil, nil, err
	}
	return plane, func() {
		stopControllers()
		_ = plane.Stop()
	}, nil
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
		kubelet := &testkit.Kubelet{Client: &share{WithWatch: w.admin, number: i}, Fate: w.fateOf, Linger: 15 * time.Millisecond, Address: "127.0.0.1", Node: w.place}
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

// spareOf is the node that they run on while that one takes none.
func spareOf(namespace string) string { return "spare-" + namespace }

// poolOf is the name of the NodePool of a life.
func poolOf(namespace string) string { return "pool-" + namespace }

// takes says that the node of a namespace takes pods. Where there never was an
// object of it, it does.
func (w *world) takes(namespace string) bool {
	if !w.recorder.knowsNode(nodeOf(namespace)) {
		return true
	}
	var node corev1.Node
	return w.admin.Get(context.Background(), client.ObjectKey{Name: nodeOf(namespace)}, &node) == nil && !node.Spec.Unschedulable
}

// place is the node for a pod, as a scheduler finds it.
func (w *world) place(pod *corev1.Pod) string {
	if w.takes(pod.Namespace) {
		return nodeOf(pod.Namespace)
	}
	return spareOf(pod.Namespace)
}

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

// fateOf decides about pods by a variable in their environment. Without it those of
// Apps run, and those of Jobs end well; "once" fails in the first attempt only.
func (w *world) fateOf(pod *corev1.Pod) testkit.Fate {
	fate := ""
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == "FATE" {
			fate = v.Value
		}
	}
	_, ofJob := pod.Labels[v1alpha1.JobLabel]
	switch {
	case fate == "" && ofJob, fate == "once" && pod.Labels[v1alpha1.AttemptLabel] != "1":
		return testkit.Ends
	case pod.Spec.NodeName == "" && w.bound(pod):
		return testkit.Unplaceable
	}
	return map[string]testkit.Fate{
		"crash": testkit.Crashes, "once": testkit.Crashes, "unready": testkit.RunsUnready,
		"unpullable": testkit.Unpullable, "unplaceable": testkit.Unplaceable,
	}[fate]
}
