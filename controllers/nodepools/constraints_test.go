// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

const rack = v1alpha1.NodeAttributePrefix + "rack"

var _ = Describe("Nodes", func() {
	var namespace string

	BeforeEach(func(ctx SpecContext) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "nodes-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, ns)).To(Succeed())
		namespace = ns.Name
	})

	// node makes a node for the length of the spec.
	node := func(ctx SpecContext, name string, labels map[string]string) *corev1.Node {
		GinkgoHelper()
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		Expect(k8s.Create(ctx, n)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, n))).To(Succeed()) })
		return n
	}
	// app makes an App without instances for the length of the spec.
	app := func(ctx SpecContext, name string, instances int32, constraints ...v1alpha1.Constraint) *v1alpha1.App {
		GinkgoHelper()
		a := &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha1.AppSpec{
				Instances: &instances, Constraints: constraints,
				Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
			},
		}
		Expect(k8s.Create(ctx, a)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, a))).To(Succeed()) })
		return a
	}
	like := func(operator v1alpha1.ConstraintOperator, value string) v1alpha1.Constraint {
		return v1alpha1.Constraint{Field: "rack", Operator: operator, Value: &value}
	}
	label := func(c v1alpha1.Constraint) string {
		GinkgoHelper()
		all := workload.Matches(&v1alpha1.AppSpec{Constraints: []v1alpha1.Constraint{c}})
		Expect(all).To(HaveLen(1))
		return all[0].Label()
	}
	eventually := func(ctx SpecContext, n *corev1.Node, want ...string) {
		GinkgoHelper()
		Eventually(func() []string { return matchesOf(ctx, n) }).WithTimeout(30 * time.Second).WithPolling(20 * time.Millisecond).Should(ConsistOf(want))
	}

	It("get a label for each match that an App asks for", func(ctx SpecContext) {
		one := node(ctx, "one", map[string]string{rack: "rack-1", "keep": "me"})
		two := node(ctx, "two", nil)
		matching, other := like("LIKE", "rack-[12]"), like("UNLIKE", "rack-1")
		a := app(ctx, "web", 0, matching)
		b := app(ctx, "api", 0, matching, other)
		eventually(ctx, one, label(matching))
		eventually(ctx, two, label(other))

		By("a node that comes later")
		three := node(ctx, "three", map[string]string{rack: "rack-2"})
		eventually(ctx, three, label(matching), label(other))

		By("an attribute that changes")
		setLabel(ctx, one, rack, ptr.To("rack-9"))
		eventually(ctx, one, label(other))
		Expect(one.Labels).To(HaveKeyWithValue("keep", "me"))

		By("an App that goes, and one that asks for something else")
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		eventually(ctx, one)
		eventually(ctx, three, label(matching))
		number := like("IS", "7")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
			a.Spec.Constraints = []v1alpha1.Constraint{number}
			g.Expect(k8s.Update(ctx, a)).To(Succeed())
		}).Should(Succeed())
		setLabel(ctx, three, rack, ptr.To("7.0"))
		eventually(ctx, three, label(number))

		By("somebody who takes a label away, and one who makes one up")
		setLabel(ctx, three, label(number), nil)
		eventually(ctx, three, label(number))
		setLabel(ctx, three, v1alpha1.NodeMatchPrefix+"made-up", ptr.To("true"))
		setLabel(ctx, two, label(number), ptr.To("true"))
		eventually(ctx, three, label(number))
		eventually(ctx, two)
	})

	It("keep a label that a pod of an older configuration asks for", func(ctx SpecContext) {
		n := node(ctx, "old", map[string]string{rack: "rack-1"})
		before := like("LIKE", "rack-[12]")
		a := app(ctx, "web", 1, before)
		eventually(ctx, n, label(before))
		var pods corev1.PodList
		Eventually(func(g Gomega) {
			g.Expect(k8s.List(ctx, &pods, client.InNamespace(namespace))).To(Succeed())
			g.Expect(pods.Items).To(HaveLen(1))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		Expect(workload.MatchLabels(pods.Items[0].Spec.Affinity)).To(Equal([]string{label(before)}))

		after := like("LIKE", "rack-[13]")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
			a.Spec.Constraints = []v1alpha1.Constraint{after}
			// The old instance stays until a new one is healthy, which none ever is here.
			g.Expect(k8s.Update(ctx, a)).To(Succeed())
		}).Should(Succeed())
		eventually(ctx, n, label(before), label(after))
		Expect(k8s.Delete(ctx, &pods.Items[0], client.GracePeriodSeconds(0))).To(Succeed())
		eventually(ctx, n, label(after))
	})

	It("are not troubled by a constraint that is wrong, nor by the App of it", func(ctx SpecContext) {
		n := node(ctx, "sane", map[string]string{rack: "rack-1"})
		wrong := app(ctx, "wrong", 1, like("LIKE", "a[b[c]]"), like("LIKE", "rack-."))
		good := like("LIKE", "rack-.")
		eventually(ctx, n, label(good))
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(wrong), wrong)).To(Succeed())
			stalled := meta.FindStatusCondition(wrong.Status.Conditions, v1alpha1.ConditionStalled)
			g.Expect(stalled).NotTo(BeNil())
			g.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonInvalid))
			g.Expect(stalled.Message).To(ContainSubstring(`spec.constraints[0].value: the regular expression has "[": in Java a bracket in a class opens another class`))
		}).WithTimeout(10 * time.Second).Should(Succeed())
	})

	It("are not written at rest, whatever the kubelet reports", func(ctx SpecContext) {
		n := node(ctx, "restless", map[string]string{rack: "rack-1"})
		asked := like("LIKE", "rack-.")
		a := app(ctx, "web", 0, asked)
		eventually(ctx, n, label(asked))
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
			g.Expect(a.Status.ObservedGeneration).To(Equal(a.Generation))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		version := a.ResourceVersion
		var last string
		for range 5 {
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
				n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
				n.Annotations = map[string]string{"beat": time.Now().String()}
				g.Expect(k8s.Update(ctx, n)).To(Succeed())
			}).Should(Succeed())
			last = n.ResourceVersion
		}
		Consistently(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
			g.Expect(n.ResourceVersion).To(Equal(last))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
			g.Expect(a.ResourceVersion).To(Equal(version))
		}).WithTimeout(time.Second).Should(Succeed())
	})
})

// matchesOf reads a node and returns the keys of its labels of matches.
func matchesOf(ctx SpecContext, n *corev1.Node) []string {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
	return slices.DeleteFunc(slices.Sorted(maps.Keys(n.Labels)), func(key string) bool { return !strings.HasPrefix(key, v1alpha1.NodeMatchPrefix) })
}

func setLabel(ctx SpecContext, n *corev1.Node, key string, value *string) {
	GinkgoHelper()
	before := n.DeepCopy()
	if value != nil {
		n.Labels[key] = *value
	} else {
		delete(n.Labels, key)
	}
	Expect(k8s.Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
}
