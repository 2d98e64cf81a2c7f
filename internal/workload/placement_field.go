// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// field is what a constraint speaks of.
type field struct {
	// key of the node label that holds it.
	key string
	// attribute says that its values may be numbers, as those of Mesos' attributes.
	attribute bool
}

// fieldOf finds a field by the name it has in a constraint.
func fieldOf(name string) (field, error) {
	switch name {
	case "hostname", "@hostname":
		return field{key: corev1.LabelHostname}, nil
	case "@region":
		return field{key: corev1.LabelTopologyRegion}, nil
	case "@zone":
		return field{key: corev1.LabelTopologyZone}, nil
	}
	if strings.HasPrefix(name, "@") {
		return field{}, fmt.Errorf("field: there is no %q: there are @hostname, @region, @zone and the names of attributes", name)
	}
	key := name
	if !strings.Contains(name, "/") {
		key = v1alpha1.NodeAttributePrefix + name
	}
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return field{}, fmt.Errorf("field: %q is neither the name of an attribute nor the key of a node label: %s", name, strings.Join(problems, "; "))
	}
	return field{key: key, attribute: true}, nil
}

// values are the values that the field has on a node: none, one, or, of
// hostname, all names that the node goes by. In DC/OS it was the node's address.
func (f field) values(node *corev1.Node) []string {
	var all []string
	if value, there := node.Labels[f.key]; there {
		all = append(all, f.canonical(value))
	}
	if f.key != corev1.LabelHostname {
		return all
	}
	all = append(all, node.Name)
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			all = append(all, address.Address)
		}
	}
	return all
}

// canonical is how Marathon wrote a value: Mesos took attributes that look like
// numbers for numbers, and Marathon rounded these to three decimals, half to even.
func (f field) canonical(value string) string {
	if !f.attribute || !number.MatchString(value) {
		return value
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(n, 0) {
		return value
	}
	text := strconv.FormatFloat(n, 'f', 3, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return text
}

var number = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// selectable says that a label selector finds the nodes with this value.
func (f field) selectable(value string) bool {
	isNumber := f.attribute && number.MatchString(value)
	return f.key != corev1.LabelHostname && !isNumber && len(validation.IsValidLabelValue(value)) == 0
}
