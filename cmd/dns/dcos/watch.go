// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// flushAfter is how long changes are gathered, from the first of them on.
const flushAfter = 20 * time.Millisecond

// watch follows the cluster, and tells the names what changed.
type watch struct {
	d           *DCOS
	core        rest.Interface
	controllers []cache.Controller
	cancel      context.CancelFunc
	done        sync.WaitGroup

	mu      sync.Mutex
	changed map[string]change
	// wake tells that there is a change.
	wake chan struct{}
}

// change is what became of an object.
type change struct {
	// now is nil where it is gone.
	now item
	// heard is when the first change was, that nobody was told of yet.
	heard time.Time
	// first says that it was there when we came.
	first bool
}

// source is one kind of objects.
type source struct {
	kind      string
	resource  string
	namespace string
	object    runtime.Object
	client    rest.Interface
	narrow    func(*metav1.ListOptions)
	role      dnsnames.Role
}

func newWatch(d *DCOS, config *rest.Config) (*watch, error) {
	w := &watch{d: d, changed: map[string]change{}, wake: make(chan struct{}, 1)}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("know the kinds: %w", err)
		}
	}
	clients := map[schema.GroupVersion]rest.Interface{}
	for _, version := range []schema.GroupVersion{corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion, v1alpha1.GroupVersion} {
		var err error
		if clients[version], err = restClient(config, scheme, version); err != nil {
			return nil, fmt.Errorf("make a client for %s: %w", version, err)
		}
	}
	w.core = clients[corev1.SchemeGroupVersion]
	sources := []source{
		{kind: "pod", resource: "pods", object: &corev1.Pod{}, client: w.core, narrow: labelled(v1alpha1.AppLabel)},
		{kind: "node", resource: "nodes", object: &corev1.Node{}, client: w.core, narrow: func(*metav1.ListOptions) {}},
		{kind: "vip", resource: "virtualips", object: &v1alpha1.VirtualIP{}, client: clients[v1alpha1.GroupVersion], narrow: func(*metav1.ListOptions) {}},
		{kind: "slice", resource: "endpointslices", object: &discoveryv1.EndpointSlice{}, client: clients[discoveryv1.SchemeGroupVersion], narrow: labelled(v1alpha1.VirtualIPLabel)},
	}
	for role, key := range d.options.Services {
		namespace, name, _ := strings.Cut(key, "/")
		sources = append(sources, source{
			kind: string(role), resource: "services", namespace: namespace, object: &corev1.Service{}, client: w.core, role: role,
			narrow: func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + name },
		})
	}
	for _, s := range sources {
		w.controllers = append(w.controllers, w.controller(s))
	}
	return w, nil
}

func restClient(config *rest.Config, scheme *runtime.Scheme, version schema.GroupVersion) (rest.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &version, "/apis"
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	if version.Group == "" {
		c.APIPath = "/api"
	}
	if version != v1alpha1.GroupVersion {
		c.ContentType = runtime.ContentTypeProtobuf
	}
	return rest.RESTClientFor(c)
}

func labelled(label string) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) { o.LabelSelector = label }
}

func (w *watch) controller(s source) cache.Controller {
	note := func(object any, gone, first bool) {
		if tomb, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tomb.Obj
		}
		if it, ok := object.(item); ok {
			w.note(s.kind+"/"+it.GetNamespace()+"/"+it.GetName(), it, gone, first)
		}
	}
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewFilteredListWatchFromClient(s.client, s.resource, s.namespace, s.narrow),
		ObjectType:    s.object,
		Transform:     trim(pathid.Mapping{RootNamespace: w.d.options.RootNamespace}, s.role),
		Handler: cache.ResourceEventHandlerDetailedFuncs{
			AddFunc:    func(object any, first bool) { note(object, false, first) },
			UpdateFunc: func(_, object any) { note(object, false, false) },
			DeleteFunc: func(object any) { note(object, true, false) },
		},
	})
	return controller
}

// note remembers that an object has changed.
func (w *watch) note(key string, it item, gone, first bool) {
	c := change{now: it, heard: time.Now(), first: first}
	if gone {
		c.now = nil
	}
	w.mu.Lock()
	if before, found := w.changed[key]; found {
		c.heard = before.heard
	}
	w.changed[key] = c
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for _, c := range w.controllers {
		w.done.Go(func() { c.RunWithContext(ctx) })
	}
	w.done.Go(func() { w.run(ctx) })
}

func (w *watch) stop() {
	if w.cancel != nil {
		w.cancel()
		w.done.Wait()
	}
}

// wait waits until all was seen once.
func (w *watch) wait(most time.Duration) {
	for end := time.Now().Add(most); !w.d.ready.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			log.Warningf("the cluster was not seen within %s; until it is, the zones are not served", most)
			return
		}
	}
}

// run turns changes into names. At first it waits until all was seen: an answer
// in between would say that names are not there that are.
func (w *watch) run(ctx context.Context) {
	synced := []cache.InformerSynced{func() bool { return w.identify(ctx) }}
	for _, c := range w.controllers {
		synced = append(synced, c.HasSynced)
	}
	began := time.Now()
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return
	}
	w.flush()
	w.d.ready.Store(true)
	stats := w.d.store.Stats()
	log.Infof("%d names with %d records, known after %s", stats.Names, stats.Records, time.Since(began).Round(time.Millisecond))
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		time.Sleep(flushAfter)
		w.flush()
	}
}

// identify gives the cluster a name in dcos.directory, if it has none: one made
// of what lives as long as the cluster.
func (w *watch) identify(ctx context.Context) bool {
	if w.d.clusterID() != "" {
		return true
	}
	system := &corev1.Namespace{}
	err := w.core.Get().Resource("namespaces").Name(metav1.NamespaceSystem).Do(ctx).Into(system)
	if apierrors.IsForbidden(err) {
		log.Warningf("no names in dcos.directory: %s", err)
		return true
	}
	if err != nil {
		return false
	}
	w.d.identified(dnsnames.ClusterID(string(system.UID)))
	return true
}

// flush makes the names of what changed since the last time.
func (w *watch) flush() {
	w.mu.Lock()
	changed := w.changed
	w.changed = map[string]change{}
	w.mu.Unlock()
	var shown []change
	for key, c := range changed {
		if w.d.replace(key, c.now) {
			shown = append(shown, c)
		}
	}
	if len(shown) == 0 {
		return
	}
	rebuilt := w.d.store.Commit()
	now := time.Now()
	w.d.serial.Store(max(uint32(now.Unix()), w.d.serial.Load()+1)) //nolint:gosec // serials wrap around
	observe(w.d.store.Stats(), rebuilt, shown, now)
}
