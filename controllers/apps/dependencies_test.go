// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("Dependencies", func() {
	var namespace string

	BeforeEach(func(ctx SpecContext) {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "dependencies-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, object)).To(Succeed())
		namespace = object.Name
	})

	create := func(ctx SpecContext, name string, dependencies ...string) *v1alpha1.App {
		GinkgoHelper()
		app := &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: v1alpha1.AppSpec{
				Instances:       ptr.To[int32](1),
				Container:       &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
				PortDefinitions: []v1alpha1.PortDefinition{},
			},
		}
		for _, d := range dependencies {
			app.Spec.Dependencies = append(app.Spec.Dependencies, "/"+namespace+"/"+d)
		}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		return app
	}
	says := func(ctx SpecContext, app *v1alpha1.App, kind, reason, message string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), kind)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(reason))
			g.Expect(c.Message).To(ContainSubstring(message))
		}).WithTimeout(20 * time.Second).Should(Succeed())
	}

	It("are waited for, apps and groups, there or not", func(ctx SpecContext) {
		web := create(ctx, "web", "db", "infra")
		says(ctx, web, v1alpha1.ConditionReady, v1alpha1.ReasonDependencies, "/"+namespace+"/db, /"+namespace+"/infra")
		db := create(ctx, "db")
		eventuallyReady(ctx, db)
		says(ctx, web, v1alpha1.ConditionReady, v1alpha1.ReasonDependencies, "ready: /"+namespace+"/infra")
		create(ctx, "infra.disk.x")
		Expect(uids(ctx, web)).To(BeEmpty())
		eventuallyReady(ctx, web)

		By("taking one away: what runs, runs on")
		Expect(k8s.Delete(ctx, db)).To(Succeed())
		before := uids(ctx, web)
		Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.MatchingLabels(workload.Labels(web)))).To(Succeed())
		Eventually(func() []types.UID { return uids(ctx, web) }).Should(And(HaveLen(1), Not(ContainElements(before))))
		eventuallyReady(ctx, web)

		By("changing it: that is to start anew")
		change(ctx, web, func(s *v1alpha1.AppSpec) { s.Cmd = ptr.To("sleep 9") })
		says(ctx, web, v1alpha1.ConditionReconciling, v1alpha1.ReasonDependencies, "ready: /"+namespace+"/db")
		Expect(condition(web, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		change(ctx, web, func(s *v1alpha1.AppSpec) { s.Dependencies = nil })
		eventuallyReady(ctx, web)
	})

	It("change before what depends on them, whoever is changed first", func(ctx SpecContext) {
		db, web := create(ctx, "db"), create(ctx, "web", "db")
		eventuallyReady(ctx, db)
		eventuallyReady(ctx, web)
		before := uids(ctx, web)
		change(ctx, web, func(s *v1alpha1.AppSpec) { s.Cmd = ptr.To("sleep 9") })
		change(ctx, db, func(s *v1alpha1.AppSpec) { s.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("unready")}} })
		says(ctx, web, v1alpha1.ConditionReconciling, v1alpha1.ReasonDependencies, "ready: /"+namespace+"/db")
		Consistently(func() any { return uids(ctx, web) }).WithTimeout(5 * time.Second).Should(Equal(before))
		change(ctx, db, func(s *v1alpha1.AppSpec) { s.Env = nil })
		eventuallyReady(ctx, web)
		Expect(uids(ctx, web)).NotTo(ContainElements(before))
	})

	It("that come back to an App are named", func(ctx SpecContext) {
		a, b := create(ctx, "a", "b"), create(ctx, "b", "group")
		c := create(ctx, "group.c", "a")
		path := func(names ...string) string {
			way := "dependencies form a cycle: "
			for i, name := range names {
				if i > 0 {
					way += " → "
				}
				way += "/" + namespace + "/" + name
			}
			return way
		}
		says(ctx, a, v1alpha1.ConditionStalled, v1alpha1.ReasonDependencyCycle, path("a", "b", "group/c", "a"))
		says(ctx, b, v1alpha1.ConditionStalled, v1alpha1.ReasonDependencyCycle, path("b", "group/c", "a", "b"))
		change(ctx, c, func(s *v1alpha1.AppSpec) { s.Dependencies = nil })
		eventuallyReady(ctx, a)
		eventuallyReady(ctx, b)
	})
})
