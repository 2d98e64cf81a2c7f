// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	"github.com/kdcos/kdcos/internal/metronome"
	"github.com/kdcos/kdcos/internal/pathid"
)

// definition is an App or a Job of the input, or why it is none.
type definition struct {
	// where names the file, and the place in it.
	where string
	// object is what to apply: apiVersion, kind, metadata and spec.
	object *unstructured.Unstructured
	// notes are what to know of it though it is good.
	notes []string
	err   error
}

// translation is how the input is read: Marathon's forms become Apps, those of
// Metronome Jobs; Apps and Jobs stay what they are.
type translation struct {
	options marathon.Options
	// seen has the names that were met, and where.
	seen map[string]string
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
	t.seen = map[string]string{}
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
	if metronome.IsJob(d.json) {
		return t.readJobs(d)
	}
	items, err := marathon.Decode(d.json)
	if err != nil {
		return []definition{{where: d.where(), err: err}}
	}
	all := make([]definition, 0, len(items))
	for _, item := range items {
		definition := definition{where: place(d.where(), item.Path, item.ID)}
		app, err := item.ToApp(t.options)
		if err == nil {
			definition.object, err = brief(app, "App")
		}
		definition.err = err
		all = append(all, definition)
	}
	return all
}

// place says where in a document an item is.
func place(document, path, id string) string {
	where := document
	if path != "" {
		where += ": " + path
	}
	if id != "" {
		if path == "" {
			where += ":"
		}
		where += fmt.Sprintf(" (id %s)", id)
	}
	return where
}

// readObject reads an App or a Job, or a list of them.
func readObject(where string, data []byte) []definition {
	object := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(data, &object.Object); err != nil {
		return []definition{{where: where, err: err}}
	}
	if !object.IsList() {
		return []definition{asDefined(where, object)}
	}
	var all []definition
	err := object.EachListItem(func(item runtime.Object) error {
		where := fmt.Sprintf("%s: items[%d]", where, len(all))
		part, ok := item.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("items[%d] is not an object", len(all))
		}
		all = append(all, asDefined(where, part))
		return nil
	})
	if err != nil {
		all = append(all, definition{where: where, err: err})
	}
	return all
}

// asDefined checks that an object is an App or a Job, and takes from it what the API server adds.
func asDefined(where string, object *unstructured.Unstructured) definition {
	name := object.GetName()
	if name != "" {
		where += fmt.Sprintf(" (%s %s)", object.GetKind(), name)
	}
	switch {
	case object.GetAPIVersion() != v1alpha1.GroupVersion.String() || !slices.Contains(definedKinds, object.GetKind()):
		return definition{where: where, err: fmt.Errorf("%s of %s is neither an App nor a Job: use kubectl apply for it", object.GetKind(), object.GetAPIVersion())}
	case name == "":
		return definition{where: where, err: errors.New("metadata.name: must be set")}
	}
	trim(object)
	return definition{where: where, object: object}
}

// brief is an App or a Job as a user would write it.
func brief(definition any, kind string) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(definition)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	object := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(raw, &object.Object); err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
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

// refuseSecond refuses a name that came before: of two definitions of one object
// the last would win in silence. Marathon refuses such a group, too.
func (t *translation) refuseSecond(d *definition) {
	if d.err != nil {
		return
	}
	key := types.NamespacedName{Namespace: d.object.GetNamespace(), Name: d.object.GetName()}
	name := d.object.GetKind() + " " + strings.TrimPrefix(key.String(), "/")
	if first, ok := t.seen[name]; ok {
		d.object, d.err = nil, fmt.Errorf("is the %s again, which came first in %s", name, first)
		return
	}
	t.seen[name] = d.where
}
