// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("NodePools", Serial, func() {
	const (
		story = "example.com/story"
		gpu   = "nvidia.com/gpu"
	)
	// others are the labels that neither the story sets nor the constraints of Apps.
	others := func(labels map[string]string) map[string]string {
		labels = maps.Clone(labels)
		maps.DeleteFunc(labels, func(key, _ string) bool { return key == story || strings.HasPrefix(key, v1alpha1.NodeMatchPrefix) })
		return labels
	}
	var namespace string
	// private are two private nodes, public is a public one, as the cluster came.
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
	})

	// pool makes a pool of the nodes with a value of the label, and waits for it.
	pool := func(ctx SpecContext, name string, change func(*v1alpha1.NodePoolSpec), nodes ...string) *v1alpha1.NodePool {
		GinkgoHelper()
		p := &v1alpha1.NodePool{
			ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
			Spec:       v1alpha1.NodePoolSpec{Selector: map[string]v1alpha1.NodeLabelValue{story: v1alpha1.NodeLabelValue(name)}},
		}
		for _, node := range nodes {
			labelNode(ctx, node, story, &name)
		}
		change(&p.Spec)
		Expect(k8s.Create(ctx, p)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, p))).To(Succeed())
			Eventually(func(g Gomega) {
				for name, n := range nodesByName(ctx) {
					g.Expect(n.Labels[v1alpha1.NodePoolLabel]).NotTo(Equal(p.Name), name)
				}
			}).WithTimeout(soon).Should(Succeed())
		})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			g.Expect(meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReconciling)).To(BeNil())
			g.Expect(p.Status.Nodes.Total).To(BeEquivalentTo(len(nodes)))
		}).WithTimeout(soon).Should(Succeed())
		return p
	}
	run := func(ctx SpecContext, app *v1alpha1.App) *v1alpha1.App {
		GinkgoHelper()
		Expect(k8s.Create(ctx, app)).To(Succeed())
		return app
	}

	It("say which nodes are public and which private, whatever they were before", func(ctx SpecContext) {
		before := nodesByName(ctx)
		// The other way round than the cluster came.
		pool(ctx, "inner", func(*v1alpha1.NodePoolSpec) {}, private[0], public)
		edge := pool(ctx, "edge", func(s *v1alpha1.NodePoolSpec) {
			s.Role, s.Attributes = v1alpha1.RolePublic, map[string]v1alpha1.NodeLabelValue{"public_ip": "true"}
		}, private[1])

		inner, outer, both := web(namespace, "inner", 6), web(namespace, "outer", 3), web(namespace, "both", 3)
		outer.Spec.AcceptedResourceRoles = []string{v1alpha1.RolePublic}
		both.Spec.AcceptedResourceRoles = []string{v1alpha1.RoleUnreserved, v1alpha1.RolePublic}
		both.Spec.Constraints = []v1alpha1.Constraint{constraint("hostname", "UNIQUE", "")}
		attribute := web(namespace, "attribute", 2)
		attribute.Spec.AcceptedResourceRoles = []string{v1alpha1.RolePublic}
		attribute.Spec.Constraints = []v1alpha1.Constraint{constraint("public_ip", "IS", "true")}
		want := map[*v1alpha1.App][]string{
			inner: {private[0], public}, outer: {private[1]}, both: {private[0], private[1], public}, attribute: {private[1]},
		}
		for app := range want {
			run(ctx, app)
		}
		for app, nodes := range want {
			eventuallyReady(ctx, app)
			Expect(nodesOf(ctx, app)).To(Equal(nodes), app.Name)
		}

		By("the table of nodes")
		out, err := tool(ctx, "kubectl-kdcos", "nodes")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp(private[1] + ` +agent \(public\) +` + edge.Name))
		Expect(out).To(MatchRegexp(public + ` +agent +` + namespace + `-inner`))

		By("bringing back what somebody removes")
		started := time.Now()
		_, err = tool(ctx, "kubectl", "label", "node", private[1], v1alpha1.NodeRoleLabel+"-")
		Expect(err).NotTo(HaveOccurred())
		_, err = tool(ctx, "kubectl", "taint", "node", private[1], v1alpha1.NodeRoleTaint+"-")
		Expect(err).NotTo(HaveOccurred())
		isPublic := func(n *corev1.Node) bool {
			return n.Labels[v1alpha1.NodeRoleLabel] == v1alpha1.RolePublic &&
				slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == v1alpha1.NodeRoleTaint && t.Value == v1alpha1.RolePublic })
		}
		Eventually(func() bool { return isPublic(nodesByName(ctx)[private[1]]) }).WithTimeout(soon).WithPolling(20 * time.Millisecond).Should(BeTrue())
		AddReportEntry("marks are back after", time.Since(started).Round(10*time.Millisecond).String())

		By("tasks that run before and after")
		change(ctx, inner, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		eventuallyReady(ctx, inner)
		Eventually(func() []string { return nodesOf(ctx, inner) }).WithTimeout(soon).Should(Equal([]string{private[0], public}))

		By("the pools going")
		var pools v1alpha1.NodePoolList
		Expect(k8s.List(ctx, &pools)).To(Succeed())
		for i := range pools.Items {
			Expect(k8s.Delete(ctx, &pools.Items[i])).To(Succeed())
		}
		Eventually(func(g Gomega) {
			for name, n := range nodesByName(ctx) {
				g.Expect(others(n.Labels)).To(Equal(others(before[name].Labels)), name)
				g.Expect(n.Spec.Taints).To(ConsistOf(before[name].Spec.Taints), name)
				g.Expect(n.Annotations).NotTo(HaveKey(v1alpha1.NodePoolAppliedAnnotation), name)
			}
		}).WithTimeout(soon).Should(Succeed())
	})

	It("keep nodes with GPUs for those who ask for them", func(ctx SpecContext) {
		withGPUs := private[0]
		giveGPUs(ctx, withGPUs, gpu, 2)
		gpus := pool(ctx, "gpus", func(*v1alpha1.NodePoolSpec) {}, withGPUs)
		tainted := func(n *corev1.Node) bool {
			return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == gpu })
		}
		Expect(tainted(nodesByName(ctx)[withGPUs])).To(BeTrue())

		train, plain, filler := web(namespace, "train", 1), web(namespace, "plain", 4), web(namespace, "filler", 1)
		train.Spec.Gpus, train.Spec.Container.Type = ptr.To[int32](1), v1alpha1.EngineMesos
		filler.Spec.Labels = map[string]v1alpha1.LabelValue{"GPU_SCHEDULING_BEHAVIOR": "unrestricted"}
		filler.Spec.Constraints = []v1alpha1.Constraint{constraint("hostname", "CLUSTER", withGPUs)}
		setEnv(&filler.Spec, "NVIDIA_VISIBLE_DEVICES", "all")
		stranger := web(namespace, "stranger", 1)
		stranger.Spec.Constraints = filler.Spec.Constraints
		for app, nodes := range map[*v1alpha1.App][]string{train: {withGPUs}, plain: {private[1]}, filler: {withGPUs}} {
			eventuallyReady(ctx, run(ctx, app))
			Expect(nodesOf(ctx, app)).To(Equal(nodes), app.Name)
		}
		Expect(pods(ctx, filler)[0].Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "NVIDIA_VISIBLE_DEVICES", Value: "void"}))

		By("one that asks for none and has no label, which finds no node there")
		run(ctx, stranger)
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, stranger), v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Message).To(ContainSubstring("untolerated taint"))
		}).WithTimeout(soon).Should(Succeed())

		By("one that asks for more than is left")
		more := web(namespace, "more", 1)
		more.Spec.Gpus, more.Spec.Container.Type = ptr.To[int32](2), v1alpha1.EngineMesos
		run(ctx, more)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(gpus), gpus)).To(Succeed())
			g.Expect(gpus.Status.PendingPods).To(BeEquivalentTo(1))
			exhausted := meta.FindStatusCondition(gpus.Status.Conditions, v1alpha1.ConditionCapacityExhausted)
			g.Expect(exhausted).NotTo(BeNil())
			g.Expect(exhausted.Message).To(HaveSuffix("not enough " + gpu))
			last := gpus.Status.Resources[len(gpus.Status.Resources)-1]
			g.Expect([]string{last.Name, last.Capacity.String(), last.Allocated.String(), last.LargestFree.String()}).To(Equal([]string{gpu, "2", "1", "1"}))
		}).WithTimeout(soon).Should(Succeed())
		out, err := tool(ctx, "kubectl-kdcos", "nodes", "--no-headers")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp(withGPUs + ` .* 1/2 `))

		By("it runs once the others are gone")
		Expect(k8s.Delete(ctx, train)).To(Succeed())
		eventuallyReady(ctx, more)
		Expect(nodesOf(ctx, more)).To(Equal([]string{withGPUs}))
	})
})

// giveGPUs has a node advertise GPUs for the length of the spec. There are none;
// the scheduler and the kubelet count them all the same.
func giveGPUs(ctx SpecContext, name, resource string, n int) {
	GinkgoHelper()
	patch := func(ctx SpecContext, body string) {
		GinkgoHelper()
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(k8s.Status().Patch(ctx, node, client.RawPatch(types.MergePatchType, []byte(body)))).To(Succeed())
	}
	amount := fmt.Sprintf(`{%q: "%d"}`, resource, n)
	patch(ctx, `{"status": {"capacity": `+amount+`, "allocatable": `+amount+`}}`)
	DeferCleanup(func(ctx SpecContext) {
		none := fmt.Sprintf(`{%q: null}`, resource)
		patch(ctx, `{"status": {"capacity": `+none+`, "allocatable": `+none+`}}`)
	})
	Eventually(func(g Gomega) {
		has := nodesByName(ctx)[name].Status.Allocatable[corev1.ResourceName(resource)]
		g.Expect(has.Value()).To(BeEquivalentTo(n))
	}).WithTimeout(soon).Should(Succeed())
}
