// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Constraints", Serial, func() {
	var namespace string
	// private are two private nodes, public is a public one.
	var private []string
	var public string

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx)
		private, public = nil, ""
		for name, n := range nodesByName(ctx) {
			if n.Labels[v1alpha1.NodeRoleLabel] == v1alpha1.RolePublic {
				public = name
			} else {
				private = append(private, name)
			}
		}
		slices.Sort(private)
		if len(private) != 2 || public == "" {
			Skip("the stories are told of two private nodes and a public one")
		}
		// Zones of one node each.
		labelNode(ctx, private[0], corev1.LabelTopologyZone, ptr.To("a"))
		labelNode(ctx, private[1], corev1.LabelTopologyZone, ptr.To("b"))
		labelNode(ctx, public, corev1.LabelTopologyZone, ptr.To("c"))
	})

	// run makes an App that accepts nodes of any role.
	run := func(ctx SpecContext, name string, instances int32, constraints ...v1alpha1.Constraint) *v1alpha1.App {
		GinkgoHelper()
		app := web(namespace, name, instances)
		app.Spec.Constraints = constraints
		app.Spec.AcceptedResourceRoles = []string{v1alpha1.RoleUnreserved, v1alpha1.RolePublic}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		return app
	}

	It("keep instances apart and together", func(ctx SpecContext) {
		unique := run(ctx, "unique", 4, constraint("hostname", "UNIQUE", ""))
		maxPer := run(ctx, "max-per", 7, constraint("@hostname", "MAX_PER", "2"))
		grouped := run(ctx, "grouped", 5, constraint("@zone", "GROUP_BY", "2"))
		even := run(ctx, "even", 3, constraint("@zone", "GROUP_BY", ""))
		cluster := run(ctx, "cluster", 3, constraint("hostname", "CLUSTER", ""))
		named := run(ctx, "named", 3, constraint("hostname", "CLUSTER", private[1]))
		both := run(ctx, "both", 4, constraint("@zone", "GROUP_BY", "2"), constraint("hostname", "MAX_PER", "2"))

		for app, want := range map[*v1alpha1.App][]int{
			grouped: {2, 3}, even: {1, 1, 1}, cluster: {3}, named: {3}, both: {2, 2},
		} {
			eventuallyReady(ctx, app)
			Expect(perNode(ctx, app)).To(Equal(want), app.Name)
		}
		Expect(pods(ctx, named)[0].Spec.NodeName).To(Equal(private[1]))

		By("waiting for a node where there are more instances than nodes, and saying so")
		for app, want := range map[*v1alpha1.App][]int{unique: {1, 1, 1}, maxPer: {2, 2, 2}} {
			Eventually(func(g Gomega) {
				ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
				g.Expect(ready).NotTo(BeNil())
				g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonWaiting))
				g.Expect(ready.Message).To(And(ContainSubstring("1 waiting for the scheduler"), ContainSubstring("anti-affinity")))
			}).WithTimeout(soon).Should(Succeed())
			Expect(perNode(ctx, app)).To(Equal(want), app.Name)
		}

		By("upgrading with old instances on every node")
		change(ctx, unique, func(s *v1alpha1.AppSpec) { s.Instances = ptr.To[int32](3) })
		change(ctx, maxPer, func(s *v1alpha1.AppSpec) { s.Instances = ptr.To[int32](6) })
		eventuallyReady(ctx, unique)
		eventuallyReady(ctx, maxPer)
		before := uids(ctx, unique)
		change(ctx, unique, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		change(ctx, grouped, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		change(ctx, cluster, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		for app, want := range map[*v1alpha1.App][]int{unique: {1, 1, 1}, grouped: {2, 3}, cluster: {3}} {
			eventuallyReady(ctx, app)
			Eventually(func() int { return len(pods(ctx, app)) }).WithTimeout(soon).Should(BeEquivalentTo(*app.Spec.Instances))
			Expect(perNode(ctx, app)).To(Equal(want), app.Name)
		}
		Expect(uids(ctx, unique)).NotTo(ContainElements(before))
	})

	It("choose nodes by their values, and find those that come later", func(ctx SpecContext) {
		rack := v1alpha1.NodeAttributePrefix + "rack"
		cores := v1alpha1.NodeAttributePrefix + "cores"
		publicIP := v1alpha1.NodeAttributePrefix + "public_ip"
		labelNode(ctx, private[0], rack, ptr.To("rack-1"))
		labelNode(ctx, private[1], cores, ptr.To("8.0004"))
		labelNode(ctx, public, publicIP, ptr.To("true"))
		address := ""
		for _, a := range nodesByName(ctx)[private[1]].Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				address = a.Address
			}
		}

		like := run(ctx, "like", 2, constraint("rack", "LIKE", "rack-[12]"), constraint("hostname", "UNIQUE", ""))
		plain := run(ctx, "plain", 1, constraint("rack", "IS", "rack-1"))
		unlike := run(ctx, "unlike", 2, constraint("public_ip", "UNLIKE", "true"), constraint("hostname", "UNIQUE", ""))
		number := run(ctx, "number", 1, constraint("cores", "IS", "8.00"))
		byAddress := run(ctx, "by-address", 1, constraint("hostname", "IS", address))
		nowhere := run(ctx, "nowhere", 1, constraint("rack", "LIKE", "rack-9.*"))
		for app, want := range map[*v1alpha1.App][]string{
			plain: {private[0]}, unlike: private, number: {private[1]}, byAddress: {private[1]},
		} {
			eventuallyReady(ctx, app)
			Expect(nodesOf(ctx, app)).To(Equal(want), app.Name)
		}

		By("giving a node its attribute later")
		Eventually(func() []string { return nodesOf(ctx, like) }).WithTimeout(soon).Should(Equal([]string{private[0]}))
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, nowhere), v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Message).To(And(ContainSubstring("1 waiting for the scheduler"), ContainSubstring("node affinity")))
		}).WithTimeout(soon).Should(Succeed())
		labelNode(ctx, public, rack, ptr.To("rack-2"))
		eventuallyReady(ctx, like)
		Expect(nodesOf(ctx, like)).To(Equal([]string{private[0], public}))

		By("taking labels back that nobody asks for any more")
		for _, app := range []*v1alpha1.App{like, plain, unlike, number, byAddress, nowhere} {
			Expect(k8s.Delete(ctx, app)).To(Succeed())
		}
		Eventually(func(g Gomega) {
			for name, n := range nodesByName(ctx) {
				for key := range n.Labels {
					g.Expect(key).NotTo(HavePrefix(v1alpha1.NodeMatchPrefix), name)
				}
			}
		}).WithTimeout(soon).Should(Succeed())
	})

	It("refuse what they can't promise, with the reason", func(ctx SpecContext) {
		app := run(ctx, "java", 1, constraint("rack", "LIKE", "[a-z&&[^b]]"))
		Eventually(func(g Gomega) {
			stalled := condition(get(ctx, g, app), v1alpha1.ConditionStalled)
			g.Expect(stalled).NotTo(BeNil())
			g.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonInvalid))
			g.Expect(stalled.Message).To(ContainSubstring(`spec.constraints[0].value: the regular expression has "&&": intersections of classes are Java-only`))
		}).WithTimeout(soon).Should(Succeed())
		Expect(pods(ctx, app)).To(BeEmpty())
		app = web(namespace, "look-ahead", 1)
		app.Spec.Constraints = []v1alpha1.Constraint{constraint("rack", "LIKE", "a(?!b)")}
		Expect(k8s.Create(ctx, app)).To(MatchError(And(ContainSubstring("(?!"), ContainSubstring("regular expression as RE2 has them"))))
	})

	It("are joined by roles and GPUs", func(ctx SpecContext) {
		taint := corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}
		taintNode(ctx, private[0], taint)
		roled := func(name string, behaviour string, roles ...string) *v1alpha1.App {
			app := web(namespace, name, 2)
			app.Spec.AcceptedResourceRoles = roles
			app.Spec.Constraints = []v1alpha1.Constraint{constraint("hostname", "MAX_PER", "1")}
			if roles == nil || len(roles) == 1 && behaviour == "" {
				app.Spec.Instances = ptr.To[int32](1)
			}
			if behaviour != "" {
				app.Spec.Labels = map[string]v1alpha1.LabelValue{"GPU_SCHEDULING_BEHAVIOR": v1alpha1.LabelValue(behaviour)}
			}
			Expect(k8s.Create(ctx, app)).To(Succeed())
			return app
		}
		for app, want := range map[*v1alpha1.App][]string{
			roled("unset", ""): {private[1]},
			roled("private", "", v1alpha1.RoleUnreserved):                            {private[1]},
			roled("public", "", v1alpha1.RolePublic):                                 {public},
			roled("any", "restricted", v1alpha1.RoleUnreserved, v1alpha1.RolePublic): {private[1], public},
			roled("unrestricted", "unrestricted", v1alpha1.RoleUnreserved):           private,
		} {
			eventuallyReady(ctx, app)
			Expect(nodesOf(ctx, app)).To(Equal(want), app.Name)
		}
	})
})

func constraint(field string, operator v1alpha1.ConstraintOperator, value string) v1alpha1.Constraint {
	c := v1alpha1.Constraint{Field: field, Operator: operator}
	if value != "" {
		c.Value = &value
	}
	return c
}

func nodesByName(ctx context.Context) map[string]*corev1.Node {
	GinkgoHelper()
	var list corev1.NodeList
	Expect(k8s.List(ctx, &list)).To(Succeed())
	all := map[string]*corev1.Node{}
	for i := range list.Items {
		all[list.Items[i].Name] = &list.Items[i]
	}
	return all
}

// nodesOf are the nodes of the App's pods, in order.
func nodesOf(ctx context.Context, app *v1alpha1.App) []string {
	GinkgoHelper()
	all := map[string]bool{}
	for _, p := range pods(ctx, app) {
		if p.Spec.NodeName != "" {
			all[p.Spec.NodeName] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// perNode is how many of the App's pods there are on each node that has any,
// the least first.
func perNode(ctx context.Context, app *v1alpha1.App) []int {
	GinkgoHelper()
	all := map[string]int{}
	for _, p := range pods(ctx, app) {
		if p.Spec.NodeName != "" && p.DeletionTimestamp == nil {
			all[p.Spec.NodeName]++
		}
	}
	return slices.Sorted(maps.Values(all))
}

// labelNode labels a node for the length of the spec.
func labelNode(ctx SpecContext, name, key string, value *string) {
	GinkgoHelper()
	before, had := nodesByName(ctx)[name].Labels[key]
	set := func(ctx context.Context, value *string) {
		GinkgoHelper()
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]*string{key: value}}})
		Expect(err).NotTo(HaveOccurred())
		n := &corev1.Node{}
		n.Name = name
		Expect(k8s.Patch(ctx, n, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
	}
	set(ctx, value)
	DeferCleanup(func(ctx SpecContext) {
		if had {
			set(ctx, &before)
		} else {
			set(ctx, nil)
		}
	})
}

// taintNode taints a node for the length of the spec.
func taintNode(ctx SpecContext, name string, taint corev1.Taint) {
	GinkgoHelper()
	edit := func(ctx context.Context, change func(*corev1.Node)) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			n := &corev1.Node{}
			g.Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, n)).To(Succeed())
			change(n)
			g.Expect(k8s.Update(ctx, n)).To(Succeed())
		}).WithContext(ctx).Should(Succeed())
	}
	edit(ctx, func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, taint) })
	DeferCleanup(func(ctx SpecContext) {
		edit(ctx, func(n *corev1.Node) {
			n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taint.Key })
		})
	})
}
