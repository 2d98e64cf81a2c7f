// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("An App in trouble", func() {
	var app *v1alpha1.App

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "trouble-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		app = &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "web"},
			Spec: v1alpha1.AppSpec{
				Instances:       ptr.To[int32](2),
				Container:       &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
				PortDefinitions: []v1alpha1.PortDefinition{},
			},
		}
	})

	It("replaces what a lost node ran by its unreachableStrategy", func(ctx SpecContext) {
		prefix := app.Namespace + "-"
		for slot := range 2 {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(prefix, slot)}}
			Expect(k8s.Create(ctx, node)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, node)).To(Succeed()) })
		}
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "NODE", Value: &prefix}}
		app.Spec.UnreachableStrategy = &v1alpha1.UnreachableStrategy{InactiveAfterSeconds: ptr.To[int32](2), ExpungeAfterSeconds: ptr.To[int32](3600)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)

		By("losing a node")
		setReady(ctx, prefix+"1", corev1.ConditionUnknown)
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReconciling)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonUnreachable))
			g.Expect(c.Message).To(ContainSubstring("1 on a node that does not answer: " + prefix + "1"))
		}).Should(Succeed())
		Expect(uids(ctx, app)).To(ConsistOf(before), "replaced too soon")
		Eventually(func() []types.UID { return uids(ctx, app) }).WithTimeout(10 * time.Second).Should(HaveLen(3))
		eventuallyReady(ctx, app)

		By("its return: one is too many")
		setReady(ctx, prefix+"1", corev1.ConditionTrue)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(HaveLen(2))
		eventuallyReady(ctx, app)
	})

	It("launches anew what could not start for too long, and remembers it", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("unpullable")}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		var first []types.UID
		Eventually(func() []types.UID { first = uids(ctx, app); return first }).Should(HaveLen(1))
		Eventually(func() []types.UID { return uids(ctx, app) }).WithTimeout(40 * time.Second).ShouldNot(Or(BeEmpty(), Equal(first)))
		Eventually(func(g Gomega) {
			g.Expect(get(ctx, g, app).Status.LastTaskFailure).NotTo(BeNil())
			g.Expect(app.Status.LastTaskFailure.Message).To(ContainSubstring("did not start within 8s: ImagePullBackOff"))
			g.Expect(app.Status.Backoff).To(BeNil(), "a kill is no failure")
		}).Should(Succeed())
	})

	It("forgets the launch delay when asked to", func(ctx SpecContext) {
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("crash")}}
		app.Spec.BackoffSeconds = ptr.To[int32](600)
		app.Spec.MaxLaunchDelaySeconds = ptr.To[int32](3600)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(get(ctx, g, app).Status.Backoff).NotTo(BeNil()) }).Should(Succeed())
		before := uids(ctx, app)
		Eventually(func(g Gomega) {
			get(ctx, g, app).Annotations = map[string]string{v1alpha1.LaunchDelayResetAtAnnotation: time.Now().Add(time.Second).UTC().Format(time.RFC3339)}
			g.Expect(k8s.Update(ctx, app)).To(Succeed())
		}).Should(Succeed())
		Eventually(func() []types.UID { return uids(ctx, app) }).ShouldNot(ContainElements(before))

		By("saying what is wrong with a time that is none")
		Eventually(func(g Gomega) {
			get(ctx, g, app).Annotations = map[string]string{v1alpha1.LaunchDelayResetAtAnnotation: "soon"}
			g.Expect(k8s.Update(ctx, app)).To(Succeed())
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionStalled)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Message).To(ContainSubstring(`"soon" is not a time`))
		}).Should(Succeed())
	})
})

var _ = Describe("Service ports", func() {
	It("are unique, stable and used up", func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "ports-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		newApp := func(name string, ports ...int32) *v1alpha1.App {
			app := &v1alpha1.App{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: name},
				Spec: v1alpha1.AppSpec{
					Instances: ptr.To[int32](0), PortDefinitions: []v1alpha1.PortDefinition{},
					Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
				},
			}
			for _, p := range ports {
				app.Spec.PortDefinitions = append(app.Spec.PortDefinitions, v1alpha1.PortDefinition{Port: &p})
			}
			return app
		}
		fixed := newApp("fixed", 10003)
		Expect(k8s.Create(ctx, fixed)).To(Succeed())
		eventuallyReady(ctx, fixed)
		seen := []int32{10003}
		var all []*v1alpha1.App
		for i := range 9 {
			app := newApp(fmt.Sprint("app-", i), 0, 0)
			Expect(k8s.Create(ctx, app)).To(Succeed())
			all = append(all, app)
		}
		for _, app := range all {
			eventuallyReady(ctx, app)
			Expect(app.Status.ServicePorts).To(HaveLen(2))
			for _, p := range app.Status.ServicePorts {
				Expect(p).To(And(BeNumerically(">=", 10000), BeNumerically("<=", 10059)))
				Expect(seen).NotTo(ContainElement(p))
				seen = append(seen, p)
			}
		}

		By("keeping them on an update")
		had := slices.Clone(all[0].Status.ServicePorts)
		change(ctx, all[0], func(s *v1alpha1.AppSpec) {
			s.PortDefinitions = []v1alpha1.PortDefinition{{Port: ptr.To[int32](8080)}, {Port: ptr.To[int32](0)}}
		})
		Eventually(func(g Gomega) {
			g.Expect(get(ctx, g, all[0]).Status.ServicePorts).To(Equal([]int32{8080, had[0]}))
		}).Should(Succeed())

		By("having none left")
		greedy := newApp("greedy", make([]int32, 61)...)
		Expect(k8s.Create(ctx, greedy)).To(Succeed())
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, greedy), v1alpha1.ConditionReady)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonPortsExhausted))
			g.Expect(c.Message).To(ContainSubstring("all service ports from 10000 to 10059 are in use"))
		}).Should(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.App{}, client.InNamespace(namespace.Name))).To(Succeed())
	})
})

// setReady says whether a node answers.
func setReady(ctx SpecContext, name string, is corev1.ConditionStatus) {
	GinkgoHelper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: is, LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
	}}
	Expect(k8s.Status().Update(ctx, node)).To(Succeed())
}
