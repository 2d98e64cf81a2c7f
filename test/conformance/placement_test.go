// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var placement = section{title: "Placement", rows: []row{
	kept("acceptedResourceRoles", "`*` are private nodes, and so is nothing; the app's own role are the nodes of that role. No other roles, as in 1.11").
		by("acceptedResourceRoles say which nodes", "acceptedResourceRoles are `*` and the own role"),
	kept("role", "DC/OS' default role `slave_public`, or the app's top-level group").by("acceptedResourceRoles say which nodes", "a role is the default one or the group's"),
	notYet("constraints", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: UNIQUE", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: CLUSTER", "").by("constraints are stalled"),
	notYet("constraints: GROUP_BY", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: MAX_PER", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: LIKE", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: UNLIKE", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
	notYet("constraints: IS", "").by("constraints are stalled", "constraints are held to Marathon's rules"),
}}

// nodes of the only tasks of an app, by name.
func (a *app) nodes() []*corev1.Node {
	a.w.t.Helper()
	var all []*corev1.Node
	for _, p := range a.pods() {
		n := &corev1.Node{}
		a.w.Expect(a.w.Get(a.w.t.Context(), client.ObjectKey{Name: p.Spec.NodeName}, n)).To(Succeed())
		all = append(all, n)
	}
	return all
}

var (
	_ = behaviour("acceptedResourceRoles say which nodes", func(w *watcher) {
		for name, c := range map[string]struct{ members, role string }{
			"unset": {"", ""}, "private": {`, "acceptedResourceRoles": ["*"]`, ""}, "public": {`, "acceptedResourceRoles": ["slave_public"]`, v1alpha1.RolePublic},
		} {
			a := w.run(`"id": "role-` + name + `", "instances": 3` + c.members)
			for _, n := range a.nodes() {
				w.Expect(n.Labels[v1alpha1.NodeRoleLabel]).To(Equal(c.role), name)
			}
		}
	})
	_ = behaviour("acceptedResourceRoles are `*` and the own role", func(w *watcher) {
		w.refuses(`"id": "x", "acceptedResourceRoles": []`, "/acceptedResourceRoles", "must not be empty")
		w.refuses(`"id": "x", "acceptedResourceRoles": ["*", "other"]`, "/acceptedResourceRoles", "acceptedResourceRoles can only contain * and slave_public")
	})
	_ = behaviour("a role is the default one or the group's", func(w *watcher) {
		w.refuses(`"id": "x", "role": "other"`, "/role", "expected one of: [slave_public, "+w.namespace+"]")
		a := w.start(`"id": "group-role", "role": "` + w.namespace + `", "acceptedResourceRoles": ["` + w.namespace + `"]`)
		a.says(v1alpha1.ReasonWaiting, "node affinity")
	})
	_ = behaviour("constraints are stalled", func(w *watcher) {
		for id, constraint := range map[string]string{
			"unique": `"hostname", "UNIQUE"`, "cluster": `"@zone", "CLUSTER"`, "group-by": `"@zone", "GROUP_BY", "2"`, "max-per": `"hostname", "MAX_PER", "2"`,
			"like": `"rack", "LIKE", "a.*"`, "unlike": `"rack", "UNLIKE", "a.*"`, "is": `"rack", "IS", "a"`,
		} {
			w.stalls(`"id": "`+id+`", "constraints": [[`+constraint+`]]`, "spec.constraints")
		}
	})
	_ = behaviour("constraints are held to Marathon's rules", func(w *watcher) {
		for constraint, message := range map[string]string{
			`"hostname"`: "Each constraint must have either 2 or 3 fields", `"a", "EQ", "b"`: "operator must be one of the following",
			`"a", "UNIQUE", "b"`: "UNIQUE does not accept a value", `"a", "GROUP_BY", "b"`: "GROUP BY must define an integer value",
			`"a", "MAX_PER"`: "MAX_PER requires an integer value", `"a", "LIKE"`: "LIKE and UNLIKE require a non-empty, regular expression value",
			`"a", "UNLIKE", "*"`: "is not a valid regular expression", `"a", "IS", "[1-2]"`: "IS only supports Mesos text and float values",
		} {
			w.refuses(`"id": "x", "constraints": [[`+constraint+`]]`, "/constraints(0)", message)
		}
	})
)
