// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var placement = section{title: "Placement", rows: []row{
	kept("acceptedResourceRoles", "`*` are private nodes, and so is nothing; the app's own role are the nodes of that role. No other roles, as in 1.11").
		by("acceptedResourceRoles say which nodes", "acceptedResourceRoles are `*` and the own role"),
	kept("role", "DC/OS' default role `slave_public`, or the app's top-level group").by("acceptedResourceRoles say which nodes", "a role is the default one or the group's"),
	kept("constraints", "all of them hold, when a task is placed. Only tasks of the current configuration count").
		by("only tasks of the current configuration count", "constraints are held to Marathon's rules", "several constraints all hold"),
	kept("constraints: `hostname` and `@hostname`", "the node: its name, or its address, which was the host name in DC/OS").by("UNIQUE keeps tasks apart", "fields of constraints are those of nodes"),
	kept("constraints: `@zone` and `@region`", "the labels `topology.kubernetes.io/zone` and `…/region`").by("fields of constraints are those of nodes"),
	kept("constraints: attributes", "labels of nodes, `attribute.kdcos.node-restriction.kubernetes.io/…`. Numbers are compared as numbers").
		by("fields of constraints are those of nodes", "LIKE and UNLIKE match whole values", "IS compares texts and numbers", "nodes may come later"),
	kept("constraints: a node without the attribute", "satisfies `UNLIKE` only").by("a node without the attribute satisfies UNLIKE only"),
	kept("constraints: UNIQUE", "").by("UNIQUE keeps tasks apart", "constraints are held to Marathon's rules"),
	kept("constraints: CLUSTER", "without a value the one that the first task found").by("CLUSTER keeps tasks together"),
	kept("constraints: GROUP_BY with a number", "at so many values at most, ⌈n/number⌉ at each").by("GROUP_BY spreads over so many", "constraints are held to Marathon's rules"),
	differs("constraints: GROUP_BY", "without a number spreads evenly, which is what was meant by it: Marathon 1.11 failed").by("GROUP_BY without a number spreads evenly"),
	kept("constraints: GROUP_BY, when there are fewer", "the spread stays even").by("GROUP_BY stays even when there are fewer"),
	kept("constraints: MAX_PER", "").by("MAX_PER limits how many", "constraints are held to Marathon's rules"),
	differs("constraints: LIKE", "of the whole value, in RE2's regular expressions. What only Java's have is refused, with the construct's name").
		by("LIKE and UNLIKE match whole values", "what only Java's regular expressions have is refused", "constraints are held to Marathon's rules"),
	differs("constraints: UNLIKE", "the same").
		by("LIKE and UNLIKE match whole values", "what only Java's regular expressions have is refused", "constraints are held to Marathon's rules"),
	kept("constraints: IS", "the text, or the number to three decimals").by("IS compares texts and numbers", "constraints are held to Marathon's rules"),
	kept("a change of constraints", "replaces tasks").by("every change replaces tasks"),
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
	_ = behaviour("UNIQUE keeps tasks apart", func(w *watcher) {
		a := w.start(`"id": "unique", "instances": 3, "constraints": [["hostname", "UNIQUE"]]`)
		a.says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
		w.Eventually(func() []int { return a.spread() }).Should(Equal([]int{1, 1}), "there are two private nodes")
	})
	_ = timed("only tasks of the current configuration count", func(w *watcher) {
		members := func(release string) string {
			return healthy("unique-upgrade", 2, "1,1", `, "RELEASE": "`+release+`"`) + `, "constraints": [["hostname", "UNIQUE"]]`
		}
		a := w.run(members("1"))
		before, count := a.incarnations(), a.follow(nil)
		a.put(members("2"))
		a.replaced(before)
		w.Expect(count.result()).To(Equal([]int{4, 2}), "two on a node in between")
		w.Expect(a.spread()).To(Equal([]int{1, 1}))
	})
	_ = behaviour("several constraints all hold", func(w *watcher) {
		two := w.attributes()[1]
		a := w.run(`"id": "several-constraints", "instances": 2, "constraints": [["rack", "LIKE", "rack-.*"], ["hostname", "CLUSTER"], ["@zone", "IS", "` + two.Labels[corev1.LabelTopologyZone] + `"]]`)
		w.Expect(a.only()).To(Equal(two.Name))
	})
	_ = behaviour("CLUSTER keeps tasks together", func(w *watcher) {
		two := w.attributes()[1]
		w.Expect(w.run(`"id": "cluster", "instances": 3, "constraints": [["hostname", "CLUSTER"]]`).spread()).To(Equal([]int{3}))
		w.Expect(w.run(`"id": "cluster-value", "instances": 2, "constraints": [["rack", "CLUSTER", "rack-2"]]`).only()).To(Equal(two.Name))
	})
	_ = behaviour("GROUP_BY spreads over so many", func(w *watcher) {
		w.Expect(w.run(`"id": "group-by", "instances": 4, "constraints": [["hostname", "GROUP_BY", "2"]]`).spread()).To(Equal([]int{2, 2}))
		w.Expect(w.run(`"id": "group-by-1", "instances": 2, "constraints": [["hostname", "GROUP_BY", "1"]]`).spread()).To(Equal([]int{2}))
	})
	_ = behaviour("GROUP_BY without a number spreads evenly", func(w *watcher) {
		w.Expect(w.run(`"id": "group-by-any", "instances": 4, "constraints": [["hostname", "GROUP_BY"]]`).spread()).To(Equal([]int{2, 2}))
	})
	_ = behaviour("GROUP_BY stays even when there are fewer", func(w *watcher) {
		a := w.run(`"id": "group-by-fewer", "instances": 6, "constraints": [["hostname", "GROUP_BY", "2"]]`)
		w.Expect(a.spread()).To(Equal([]int{3, 3}))
		a.put(`"id": "group-by-fewer", "instances": 2, "constraints": [["hostname", "GROUP_BY", "2"]]`)
		w.Eventually(a.pods).Should(HaveLen(2))
		w.Expect(a.spread()).To(Equal([]int{1, 1}))
	})
	_ = behaviour("MAX_PER limits how many", func(w *watcher) {
		a := w.start(`"id": "max-per", "instances": 5, "constraints": [["hostname", "MAX_PER", "2"]]`)
		a.says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
		w.Eventually(func() []int { return a.spread() }).Should(Equal([]int{2, 2}))
	})
	_ = behaviour("LIKE and UNLIKE match whole values", func(w *watcher) {
		nodes := w.attributes()
		w.Expect(w.run(`"id": "like", "constraints": [["rack", "LIKE", "r.*-2"]]`).only()).To(Equal(nodes[1].Name))
		w.Expect(w.run(`"id": "unlike", "constraints": [["rack", "UNLIKE", ".*2"]]`).only()).To(Equal(nodes[0].Name))
		w.start(`"id": "like-part", "constraints": [["rack", "LIKE", "rack"]]`).says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
	})
	_ = behaviour("IS compares texts and numbers", func(w *watcher) {
		nodes := w.attributes()
		w.Expect(w.run(`"id": "is", "constraints": [["rack", "IS", "rack-2"]]`).only()).To(Equal(nodes[1].Name))
		w.Expect(w.run(`"id": "is-number", "constraints": [["speed", "IS", "8.0004"]]`).only()).To(Equal(nodes[0].Name))
	})
	_ = behaviour("a node without the attribute satisfies UNLIKE only", func(w *watcher) {
		nodes := w.attributes()
		w.Expect(w.run(`"id": "unlike-absent", "constraints": [["speed", "UNLIKE", ".*"]]`).only()).To(Equal(nodes[1].Name))
		w.Expect(w.run(`"id": "like-any", "instances": 2, "constraints": [["speed", "LIKE", ".*"]]`).only()).To(Equal(nodes[0].Name))
		w.Expect(w.run(`"id": "cluster-absent", "instances": 2, "constraints": [["speed", "CLUSTER"]]`).only()).To(Equal(nodes[0].Name))
		w.start(`"id": "unique-absent", "instances": 2, "constraints": [["speed", "UNIQUE"]]`).says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
	})
	_ = behaviour("fields of constraints are those of nodes", func(w *watcher) {
		nodes := w.attributes()
		ip := ""
		for _, address := range nodes[1].Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				ip = address.Address
			}
		}
		for id, constraint := range map[string]string{
			"name": `"hostname", "CLUSTER", "` + nodes[1].Name + `"`, "at-name": `"@hostname", "IS", "` + nodes[1].Name + `"`, "address": `"hostname", "LIKE", "` + ip + `"`,
			"zone": `"@zone", "IS", "` + nodes[1].Labels[corev1.LabelTopologyZone] + `"`, "attribute": `"rack", "IS", "rack-2"`,
		} {
			w.Expect(w.run(`"id": "field-`+id+`", "constraints": [[`+constraint+`]]`).only()).To(Equal(nodes[1].Name), id)
		}
		w.start(`"id": "field-region", "constraints": [["@region", "IS", "elsewhere"]]`).says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
	})
	_ = behaviour("nodes may come later", func(w *watcher) {
		one := w.attributes()[0]
		a := w.start(`"id": "later", "constraints": [["colour", "LIKE", "b.*"]]`)
		a.says(v1alpha1.ReasonWaiting, "UnfulfilledConstraint")
		w.label(one.Name, attribute+"colour", "blue")
		a.ready()
		w.Expect(a.only()).To(Equal(one.Name))
	})
	_ = behaviour("what only Java's regular expressions have is refused", func(w *watcher) {
		app, err := w.read(`"id": "java", "constraints": [["rack", "LIKE", "(?=rack).*"]]`)
		if err == nil {
			err = w.Create(w.t.Context(), app)
		}
		w.Expect(err).To(MatchError(And(ContainSubstring("constraints"), ContainSubstring("regular expression"))))
		w.start(`"id": "java-other", "constraints": [["rack", "UNLIKE", "a&&b[a&&b]"]]`).says(v1alpha1.ReasonInvalid, "constraints")
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

// attribute is the prefix of labels that are attributes of nodes.
const attribute = "attribute.kdcos.node-restriction.kubernetes.io/"

// attributes gives the two private nodes the racks rack-1 and rack-2, and the
// first a speed.
func (w *watcher) attributes() []corev1.Node {
	w.t.Helper()
	private := w.privateNodes()
	w.Expect(private).To(HaveLen(2), "the behaviours of constraints are those of two private nodes")
	w.cluster.attributes.Do(func() {
		w.label(private[0].Name, attribute+"rack", "rack-1")
		w.label(private[0].Name, attribute+"speed", "8.0")
		w.label(private[1].Name, attribute+"rack", "rack-2")
	})
	return private
}

// privateNodes are those without a role, by their names.
func (w *watcher) privateNodes() []corev1.Node {
	w.t.Helper()
	var all corev1.NodeList
	w.Expect(w.List(w.t.Context(), &all)).To(Succeed())
	private := slices.DeleteFunc(all.Items, func(n corev1.Node) bool { return n.Labels[v1alpha1.NodeRoleLabel] != "" })
	slices.SortFunc(private, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return private
}

// label sets a label of a node until the suite ends.
func (w *watcher) label(node, name, value string) {
	w.t.Helper()
	set := func(value string) error {
		patch := fmt.Sprintf(`{"metadata": {"labels": {%q: %s}}}`, name, value)
		return w.Patch(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
	w.Expect(set(fmt.Sprintf("%q", value))).To(Succeed())
	w.suite.Cleanup(func() {
		if err := set("null"); err != nil {
			w.suite.Error(err)
		}
	})
}

// spread is how many tasks each node has, of those that were placed.
func (a *app) spread() []int {
	a.w.t.Helper()
	by := map[string]int{}
	for _, p := range a.pods() {
		if p.Spec.NodeName != "" {
			by[p.Spec.NodeName]++
		}
	}
	return slices.Sorted(maps.Values(by))
}

// only is the name of the node that has all tasks.
func (a *app) only() string {
	a.w.t.Helper()
	nodes := a.nodes()
	for _, n := range nodes {
		a.w.Expect(n.Name).To(Equal(nodes[0].Name), a.name)
	}
	return nodes[0].Name
}
