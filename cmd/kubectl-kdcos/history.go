// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// version is one version of an App.
type version struct {
	// stamp names the version; "" as long as the current one has no name yet.
	stamp   string
	current bool
	// spec is the definition, as it is in the cluster: fields that this
	// program does not know are not lost in a rollback.
	spec map[string]any
	// changed are the fields that differ from the version before.
	changed []string
	// first says that no version before is known.
	first bool
}

// history lists the versions of an App, the newest first: the current one is
// the App itself, the others are recorded.
func history(app *observed, revisions []appsv1.ControllerRevision) ([]version, error) {
	spec, _, err := unstructured.NestedMap(app.raw.Object, "spec")
	if err != nil {
		return nil, fmt.Errorf("read spec of App: %w", err)
	}
	current := version{stamp: app.Status.Version, current: true, spec: spec}
	if app.Status.ObservedGeneration < app.Generation {
		current.stamp = "" // the status speaks of a version before
	}
	var all []version
	for i := range revisions {
		r := &revisions[i]
		v := version{stamp: r.Annotations[v1alpha1.VersionAnnotation]}
		if v.stamp == "" || v.stamp == current.stamp {
			continue
		}
		var data map[string]any
		if err := utiljson.Unmarshal(r.Data.Raw, &data); err != nil {
			return nil, fmt.Errorf("read version %s: %w", v.stamp, err)
		}
		if v.spec, _, err = unstructured.NestedMap(data, "spec"); err != nil {
			return nil, fmt.Errorf("read version %s: %w", v.stamp, err)
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b version) int { return b.time().Compare(a.time()) })
	all = append([]version{current}, all...)
	for i := range all {
		if i+1 == len(all) {
			all[i].first = true
			continue
		}
		all[i].changed = changedFields(all[i+1].spec, all[i].spec)
	}
	return all, nil
}

// time is when the version was made.
func (v version) time() time.Time {
	at, err := time.Parse(time.RFC3339, v.stamp)
	if err != nil {
		return time.Time{}
	}
	return at
}

// is says whether a user means this version.
func (v version) is(wanted string) bool {
	if v.stamp == wanted {
		return v.stamp != ""
	}
	at, err := time.Parse(time.RFC3339, wanted)
	return err == nil && at.Equal(v.time())
}

// find returns the version a user means.
func find(versions []version, wanted string) (version, error) {
	var known []string
	for _, v := range versions {
		if v.is(wanted) {
			return v, nil
		}
		if v.stamp != "" {
			known = append(known, v.stamp)
		}
	}
	if len(known) == 0 {
		return version{}, fmt.Errorf("there is no version %s, and none that is known yet", wanted)
	}
	return version{}, fmt.Errorf("there is no version %s; known are %s", wanted, strings.Join(known, ", "))
}

// previous returns the version before the current one.
func previous(versions []version) (version, error) {
	if len(versions) < 2 {
		return version{}, fmt.Errorf("there is no earlier version")
	}
	return versions[1], nil
}

// object is an App of that version: what the App was then, under its name.
func (v version) object(app *observed) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": v.spec}}
	object.SetGroupVersionKind(appKind)
	object.SetNamespace(app.Namespace)
	object.SetName(app.Name)
	if id := app.Annotations[v1alpha1.IDAnnotation]; id != "" {
		object.SetAnnotations(map[string]string{v1alpha1.IDAnnotation: id})
	}
	if v.stamp != "" {
		object.Object["status"] = map[string]any{"version": v.stamp}
	}
	return object
}

// changedFields are the fields of a spec that differ. What is said and what is
// meant by default is the same: records have the defaults filled in.
func changedFields(before, after map[string]any) []string {
	before, after = meant(before), meant(after)
	var changed []string
	for field, value := range after {
		if !reflect.DeepEqual(before[field], value) {
			changed = append(changed, field)
		}
	}
	for field := range before {
		if _, ok := after[field]; !ok {
			changed = append(changed, field)
		}
	}
	slices.Sort(changed)
	return changed
}

// meant fills in defaults, and keeps the fields that this program does not know.
func meant(spec map[string]any) map[string]any {
	var typed v1alpha1.AppSpec
	var full, known map[string]any
	if recode(spec, &full) != nil || recode(spec, &typed) != nil {
		return spec
	}
	typed.Default()
	if recode(&typed, &known) != nil {
		return spec
	}
	maps.Copy(full, known)
	return full
}

// recode writes one value as JSON and reads it into another, which makes all
// numbers of one type: 1 and 1.0 are the same.
func recode(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}
