// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/pathid"
)

// definition is an App of the input, or why it is none.
type definition struct {
	// where names the file, and the place in it.
	where string
	// object is what to apply: apiVersion, kind, metadata and spec.
	object *unstructured.Unstructured
	err    error
}

// translation is how the input is read: Marathon's forms become Apps, Apps
// stay what they are.
type translation struct {
	options marathon.Options
	// seen has the names that were met, and where.
	seen map[types.NamespacedName]string
}

func (t *translation) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.options.Base, "base", pathid.Root, "The group that ids without a leading slash are in.")
	cmd.Flags().StringVar(&t.options.DefaultNetwork, "default-network", "dcos",
		"The network of apps that ask for one of mode container and name none.")
}

func (t *translation) validate(cmd *cobra.Command) error {
	if !strings.HasPrefix(t.options.Base, pathid.Root) {
		return cmdutil.UsageErrorf(cmd, "--base must be the id of a group, which starts with a slash, not %q", t.options.Base)
	}
	return nil
}

// translate turns documents into definitions, those that fail among them.
func (t *translation) translate(documents []document) []definition {
	t.seen = map[types.NamespacedName]string{}
	var all []definition
	for _, d := range documents {
		found := t.read(d)
		for i := range found {
			t.refuseSecond(&found[i])
		}
		all = append(all, found...)
	}
	return all
}

func (t *translation) read(d document) []definition {
	if d.err != nil {
		return []definition{{where: d.where(), err: d.err}}
	}
	var kind metav1.TypeMeta
	// What is no JSON object has no kind; why it is none, Decode says better.
	if err := json.Unmarshal(d.json, &kind); err == nil && kind.Kind != "" && kind.APIVersion != "" {
		return readObject(d.where(), d.json)
	}
	items, err := marathon.Decode(d.json)
	if err != nil {
		return []definition{{where: d.where(), err: err}}
	}
	all := make([]definition, 0, len(items))
	for _, item := range items {
		definition := definition{where: place(d.where(), item)}
		app, err := item.ToApp(t.options)
		if err == nil {
			definition.object, err = brief(app)
		}
		definition.err = err
		all = append(all, definition)
	}
	return all
}

// place says where in a document an item is.
func place(document string, item marathon.Item) string {
	where := document
	if item.Path != "" {
		where += ": " + item.Path
	}
	if item.ID != "" {
		if item.Path == "" {
			where += ":"
		}
		where += fmt.Sprintf(" (id %s)", item.ID)
	}
	return where
}

// readObject reads an App, or a list of them.
func readObject(where string, data []byte) []definition {
	object := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &object.Object); err != nil {
		return []definition{{where: where, err: err}}
	}
	if !object.IsList() {
		return []definition{asApp(where, object)}
	}
	var all []definition
	err := object.EachListItem(func(item runtime.Object) error {
		where := fmt.Sprintf("%s: items[%d]", where, len(all))
		part, ok := item.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("items[%d] is not an object", len(all))
		}
		all = append(all, asApp(where, part))
		return nil
	})
	if err != nil {
		all = append(all, definition{where: where, err: err})
	}
	return all
}

// asApp checks that an object is an App, and takes from it what the API server adds.
func asApp(where string, object *unstructured.Unstructured) definition {
	name := object.GetName()
	if name != "" {
		where += fmt.Sprintf(" (%s %s)", object.GetKind(), name)
	}
	switch {
	case object.GroupVersionKind() != appKind:
		return definition{where: where, err: fmt.Errorf("%s of %s is not an App: use kubectl apply for it", object.GetKind(), object.GetAPIVersion())}
	case name == "":
		return definition{where: where, err: errors.New("metadata.name: must be set")}
	}
	trim(object)
	return definition{where: where, object: object}
}

// brief is an App as a user would write it.
func brief(app *v1alpha1.App) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(app)
	if err != nil {
		return nil, fmt.Errorf("encode App: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(raw, &object.Object); err != nil {
		return nil, fmt.Errorf("encode App: %w", err)
	}
	object.SetGroupVersionKind(appKind)
	trim(object)
	return object, nil
}

// trim takes from an object what only the API server writes.
func trim(object *unstructured.Unstructured) {
	delete(object.Object, "status")
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
}

// refuseSecond refuses a name that came before: of two definitions of one App
// the last would win in silence. Marathon refuses such a group, too.
func (t *translation) refuseSecond(d *definition) {
	if d.err != nil {
		return
	}
	key := types.NamespacedName{Namespace: d.object.GetNamespace(), Name: d.object.GetName()}
	if first, ok := t.seen[key]; ok {
		d.object, d.err = nil, fmt.Errorf("is the App %s again, which came first in %s", strings.TrimPrefix(key.String(), "/"), first)
		return
	}
	t.seen[key] = d.where
}
