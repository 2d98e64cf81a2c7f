// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// settle is how long what an App depends on may take to change with it. One
// deployment of Marathon changed all of them at once; kubectl apply writes one
// after the other, in the order of files.
const settle = 3 * time.Second

// hold is what keeps an App from being started or upgraded: what it depends on
// is on its way. Once that was ready, it does not matter to this configuration any
// more, as in Marathon, where dependencies order one deployment.
func (r *Reconciler) hold(ctx context.Context, app *v1alpha1.App, seen *observed) error {
	s := &app.Status
	if len(app.Spec.Dependencies) == 0 || s.DependenciesMet == seen.config || seen.instances() == 0 {
		return nil
	}
	cycle, err := r.cycle(ctx, seen)
	if err != nil {
		return err
	}
	if cycle != nil {
		return &reconciler.Terminal{
			Reason: v1alpha1.ReasonDependencyCycle, Message: "dependencies form a cycle: " + strings.Join(cycle, " → "), Serving: len(seen.pods) > 0,
		}
	}
	var waits []string
	for _, path := range app.Spec.Dependencies {
		apps, err := r.appsAt(ctx, path)
		if err != nil {
			return err
		}
		if len(apps) == 0 || slices.ContainsFunc(apps, func(a v1alpha1.App) bool { return !done(&a) }) {
			waits = append(waits, path)
		}
	}
	if len(waits) > 0 {
		return &reconciler.NotReady{Reason: v1alpha1.ReasonDependencies, Message: "waits for what it depends on to be ready: " + strings.Join(waits, ", ")}
	}
	changed, err := time.Parse(versionFormat, s.VersionInfo.LastConfigChangeAt)
	if err != nil {
		return fmt.Errorf("read status.versionInfo.lastConfigChangeAt: %w", err)
	}
	if wait := changed.Add(settle).Sub(seen.now); wait > 0 {
		return &reconciler.NotReady{Reason: v1alpha1.ReasonDependencies, Message: "waits for what it depends on to change with it", After: wait}
	}
	s.DependenciesMet = seen.config
	return nil
}

// done says that an App is as its spec asks for.
func done(app *v1alpha1.App) bool {
	return app.Status.ObservedGeneration == app.Generation && meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) &&
		!meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReconciling) &&
		!meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionStalled)
}

// cycle is a way over dependencies from an App to itself, nil if there is none.
func (r *Reconciler) cycle(ctx context.Context, seen *observed) ([]string, error) {
	been := map[string]bool{}
	var walk func(id string, app *v1alpha1.App) ([]string, error)
	walk = func(id string, app *v1alpha1.App) ([]string, error) {
		for _, path := range app.Spec.Dependencies {
			apps, err := r.appsAt(ctx, path)
			if err != nil {
				return nil, err
			}
			for i := range apps {
				next, err := r.id(&apps[i])
				if err != nil {
					continue // it says so itself
				}
				if next == seen.id {
					return []string{id, next}, nil
				}
				if been[next] {
					continue
				}
				been[next] = true
				if way, err := walk(next, &apps[i]); way != nil || err != nil {
					return append([]string{id}, way...), err
				}
			}
		}
		return nil, nil
	}
	return walk(seen.id, seen.app)
}

func (r *Reconciler) id(app *v1alpha1.App) (string, error) {
	return pathid.Mapping{RootNamespace: r.Settings.RootNamespace}.ID(app.Namespace, app.Name, app.Annotations[v1alpha1.IDAnnotation])
}

// appsAt are the App at a path, or those of the group there. They belong to the
// cache.
func (r *Reconciler) appsAt(ctx context.Context, path string) ([]v1alpha1.App, error) {
	var list v1alpha1.AppList
	options := []client.ListOption{client.UnsafeDisableDeepCopy}
	if path != pathid.Root {
		// What is in a group is in the namespace that its first segment names;
		// an app of the root group is in that of the root.
		group, _, _, err := pathid.Mapping{RootNamespace: r.Settings.RootNamespace}.Name(path + "/app")
		if err != nil {
			return nil, nil // no app can have such an id
		}
		options = append(options, client.InNamespace(group))
		if pathid.Parent(path) == pathid.Root {
			root, name, _, err := pathid.Mapping{RootNamespace: r.Settings.RootNamespace}.Name(path)
			if err != nil {
				return nil, nil
			}
			var app v1alpha1.App
			err = r.Client.Get(ctx, client.ObjectKey{Namespace: root, Name: name}, &app)
			if err == nil {
				return []v1alpha1.App{app}, nil
			}
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("get app: %w", err)
			}
		}
	}
	if err := r.Client.List(ctx, &list, options...); err != nil {
		return nil, fmt.Errorf("list apps: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(list.Items), func(a v1alpha1.App) bool {
		id, err := r.id(&a)
		return err != nil || id != path && path != pathid.Root && !strings.HasPrefix(id, path+"/")
	}), nil
}

// dependents are the Apps that depend on one, or on a group it is in, and those
// that depend on them: it may close a cycle.
func (r *Reconciler) dependents(ctx context.Context, obj client.Object) []reconcile.Request {
	app, is := obj.(*v1alpha1.App)
	if !is {
		return nil
	}
	var requests []reconcile.Request
	been := map[client.ObjectKey]bool{client.ObjectKeyFromObject(app): true}
	for next := []v1alpha1.App{*app}; len(next) > 0; next = next[1:] {
		id, err := r.id(&next[0])
		if err != nil {
			continue
		}
		for path := id; ; path = pathid.Parent(path) {
			var apps v1alpha1.AppList
			if err := r.Client.List(ctx, &apps, index.DependingOn(path), client.UnsafeDisableDeepCopy); err != nil {
				return requests // the cache has ended
			}
			for i := range apps.Items {
				key := client.ObjectKeyFromObject(&apps.Items[i])
				if !been[key] {
					been[key] = true
					requests = append(requests, reconcile.Request{NamespacedName: key})
					next = append(next, apps.Items[i])
				}
			}
			if path == pathid.Root {
				break
			}
		}
	}
	return requests
}

// progress lets through what may end the wait of others.
func progress() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			old, is := e.ObjectOld.(*v1alpha1.App)
			now, isToo := e.ObjectNew.(*v1alpha1.App)
			return is && isToo && (done(old) != done(now) || !slices.Equal(old.Spec.Dependencies, now.Spec.Dependencies))
		},
	}
}
