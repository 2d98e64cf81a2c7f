// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// resource is how kubectl writes the kind in front of a name.
const resource = "app." + v1alpha1.GroupName

// typeNames are the words that may stand before a name, as in app/web.api.
var typeNames = []string{"app", "apps", "dapp", resource, "apps." + v1alpha1.GroupName, "app.v1alpha1." + v1alpha1.GroupName, "apps.v1alpha1." + v1alpha1.GroupName}

// find says which App an argument means.
func (c *cluster) find(arg string) (types.NamespacedName, error) {
	if strings.HasPrefix(arg, "/") {
		return c.findID(arg, "Marathon")
	}
	name := arg
	if kind, rest, ok := strings.Cut(arg, "/"); ok {
		if !slices.Contains(typeNames, kind) {
			return types.NamespacedName{}, fmt.Errorf("%q is neither the name of an App nor a Marathon id: ids start with a slash, as in /%s", arg, arg)
		}
		name = rest
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		hint := ""
		if pathid.Validate("/"+name) == nil {
			hint = fmt.Sprintf(": for the Marathon id, write /%s", name)
		}
		return types.NamespacedName{}, fmt.Errorf("%q is not the name of an App%s", name, hint)
	}
	return types.NamespacedName{Namespace: c.namespace, Name: name}, nil
}

// findID is for the ids that an API of DC/OS has. They say the namespace, too.
func (c *cluster) findID(arg, api string) (types.NamespacedName, error) {
	id, err := pathid.Canonical(pathid.Root, arg)
	if err != nil {
		return types.NamespacedName{}, fmt.Errorf("%q is no %s id: %w", arg, api, err)
	}
	namespace, name, _, err := c.mapping.Name(id)
	if err != nil {
		return types.NamespacedName{}, fmt.Errorf("%q is no %s id: %w", arg, api, err)
	}
	if c.chosen && namespace != c.namespace {
		return types.NamespacedName{}, fmt.Errorf("%s is in namespace %q, not in %q: leave --namespace away, or give the name", id, namespace, c.namespace)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// labelled is an App as lines about it name it.
func labelled(name, id string) (subject, suffix string) {
	if id != "" {
		suffix = fmt.Sprintf(" (Marathon id %s)", id)
	}
	return resource + "/" + name, suffix
}

// labelledKind is labelled for an App or a Job.
func labelledKind(kind, name, id string) (subject, suffix string) {
	if kind == maintenanceKind.Kind {
		return "node/" + name, ""
	}
	if kind != "Job" {
		return labelled(name, id)
	}
	return jobNoun.resource() + "/" + name, metronomeSuffix(strings.Join(pathid.Segments(id), "."))
}
