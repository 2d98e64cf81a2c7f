// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// maxMatches bounds the labels that a node gets: whoever may make Apps could
// otherwise fill nodes until they can't be written any more.
const maxMatches = 1024

// matches are the matches that Apps ask for, by the keys of their labels. Where
// there are too many, those of the oldest Apps count; left are the Apps that
// have one which does not.
func matches(objects []client.Object) (asked map[string]workload.Match, left []client.Object) {
	slices.SortFunc(objects, func(a, b client.Object) int {
		return cmp.Or(a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time),
			strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
	})
	asked = map[string]workload.Match{}
	for _, obj := range objects {
		all := true
		for _, m := range workload.MatchesOf(obj) {
			key := m.Label()
			if _, known := asked[key]; known {
				continue
			}
			if len(asked) < maxMatches {
				asked[key] = m
			} else {
				all = false
			}
		}
		if !all {
			left = append(left, obj)
		}
	}
	return asked, left
}

// labelsInUse are the keys of the labels that pods ask for. Their App may have
// moved on and ask for others, but a pod of an older configuration may still
// wait for a node, and a kubelet that restarts asks again whether one belongs there.
func labelsInUse(pods []corev1.Pod) map[string]bool {
	all := map[string]bool{}
	for i := range pods {
		for _, key := range workload.MatchLabels(pods[i].Spec.Affinity) {
			all[key] = true
		}
	}
	return all
}

// changes are the labels to write on a node, nil for those to remove.
func changes(node *corev1.Node, asked map[string]workload.Match, inUse map[string]bool) map[string]*string {
	all := map[string]*string{}
	for key, m := range asked {
		value, has := node.Labels[key]
		switch accepts := m.Accepts(node); {
		case accepts && value != "true":
			all[key] = ptr.To("true")
		case !accepts && has:
			all[key] = nil
		}
	}
	for key := range node.Labels {
		_, isAsked := asked[key]
		if strings.HasPrefix(key, v1alpha1.NodeMatchPrefix) && !isAsked && !inUse[key] {
			all[key] = nil
		}
	}
	return all
}
