// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

var (
	appKind  = v1alpha1.GroupVersion.WithKind("App")
	listKind = v1alpha1.GroupVersion.WithKind("AppList")
)

// cluster is the API server as the caller sees it.
type cluster struct {
	client client.Client
	// namespace is the one of the kubeconfig or of the flag; chosen tells the flag.
	namespace string
	chosen    bool
	mapping   pathid.Mapping
}

// observed is an App of the cluster: typed, to look into it, and as it came,
// so that fields this program does not know are shown and kept.
type observed struct {
	v1alpha1.App
	raw *unstructured.Unstructured
}

func (p *plugin) cluster() (*cluster, error) {
	namespace, chosen, err := p.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	c, err := p.connect()
	if err != nil {
		return nil, err
	}
	return &cluster{client: c, namespace: namespace, chosen: chosen, mapping: p.mapping()}, nil
}

// dial makes a client of the caller's kubeconfig.
func (p *plugin) dial() (client.Client, error) {
	config, err := p.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	// As kubectl has it: one caller, many small requests.
	config.QPS, config.Burst = 50, 300
	config.WarningHandlerWithContext = nil
	config.WarningHandler = rest.NewWarningWriter(p.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	return client.New(config, client.Options{Scheme: newScheme(), Mapper: newMapper()})
}

// newScheme has the kinds that are read typed. Apps are not among them.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	return scheme
}

// newMapper knows the few kinds there are to ask for, which spares each run
// the discovery of all others.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(appKind, meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("VirtualIP"), meta.RESTScopeNamespace)
	mapper.Add(quotaKind, meta.RESTScopeRoot)
	mapper.Add(jobKind, meta.RESTScopeNamespace)
	mapper.Add(jobRunKind, meta.RESTScopeNamespace)
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("ControllerRevision"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Node"), meta.RESTScopeRoot)
	mapper.Add(maintenanceKind, meta.RESTScopeRoot)
	mapper.Add(v1alpha1.GroupVersion.WithKind("NodePool"), meta.RESTScopeRoot)
	return mapper
}

// app is the App of a name.
func (c *cluster) app(ctx context.Context, key types.NamespacedName) (*observed, error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(appKind)
	if err := c.client.Get(ctx, key, raw); err != nil {
		return nil, err
	}
	return observe(raw)
}

// apps are the Apps of a namespace, or of all if it is "".
func (c *cluster) apps(ctx context.Context, namespace string, selector labels.Selector) ([]*observed, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(listKind)
	if err := c.client.List(ctx, list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	apps := make([]*observed, 0, len(list.Items))
	for i := range list.Items {
		app, err := observe(&list.Items[i])
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// pods are the pods an App owns.
func (c *cluster) pods(ctx context.Context, app *observed) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := c.listOwn(ctx, app, list); err != nil {
		return nil, err
	}
	return ownedBy(app, list.Items, func(p *corev1.Pod) metav1.Object { return p }), nil
}

// revisions are the records of the versions of an App that were replaced.
func (c *cluster) revisions(ctx context.Context, app *observed) ([]appsv1.ControllerRevision, error) {
	list := &appsv1.ControllerRevisionList{}
	if err := c.listOwn(ctx, app, list); err != nil {
		return nil, err
	}
	return ownedBy(app, list.Items, func(r *appsv1.ControllerRevision) metav1.Object { return r }), nil
}

func (c *cluster) listOwn(ctx context.Context, app *observed, list client.ObjectList) error {
	selector, err := labels.Parse(workload.Selector(&app.App))
	if err != nil {
		return fmt.Errorf("select what belongs to the App: %w", err)
	}
	return c.client.List(ctx, list, client.InNamespace(app.Namespace), client.MatchingLabelsSelector{Selector: selector})
}

// ownedBy leaves out what only looks as if it belonged to the App: labels are
// anybody's, and a name may have had an App before.
func ownedBy[T any](app *observed, items []T, object func(*T) metav1.Object) []T {
	var own []T
	for i := range items {
		if metav1.IsControlledBy(object(&items[i]), &app.App) {
			own = append(own, items[i])
		}
	}
	return own
}

func observe(raw *unstructured.Unstructured) (*observed, error) {
	app := &observed{raw: raw}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &app.App); err != nil {
		return nil, fmt.Errorf("read App %s/%s: %w", raw.GetNamespace(), raw.GetName(), err)
	}
	return app, nil
}

// id is the Marathon id of an App; "" if its name belongs to none.
func (c *cluster) id(app metav1.Object) string {
	return idOf(c.mapping, app)
}

func idOf(mapping pathid.Mapping, app metav1.Object) string {
	id, err := mapping.ID(app.GetNamespace(), app.GetName(), app.GetAnnotations()[v1alpha1.IDAnnotation])
	if err != nil {
		return ""
	}
	return id
}
