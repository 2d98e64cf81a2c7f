// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("The rollout of an App", func() {
	var app *v1alpha1.App

	BeforeEach(func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "rollout-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		app = &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "web"},
			Spec: v1alpha1.AppSpec{
				Instances:       ptr.To[int32](3),
				Container:       &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
				PortDefinitions: []v1alpha1.PortDefinition{},
				Rollout:         &v1alpha1.Rollout{},
			},
		}
	})

	image := func(name string) func(*v1alpha1.AppSpec) {
		return func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = name }
	}
	// images are how many tasks that are to stay run which image.
	images := func(ctx SpecContext) map[string]int {
		count := map[string]int{}
		for _, p := range podsOf(ctx, app) {
			if p.DeletionTimestamp == nil {
				count[p.Spec.Containers[0].Image]++
			}
		}
		return count
	}
	reason := func(ctx SpecContext, g Gomega, kind string) string {
		c := condition(get(ctx, g, app), kind)
		if c == nil {
			return ""
		}
		return c.Reason
	}

	It("goes back to the last version that was available, and keeps its tasks", func(ctx SpecContext) {
		app.Spec.Rollout = &v1alpha1.Rollout{ProgressDeadlineSeconds: ptr.To[int32](2), OnFailure: ptr.To(v1alpha1.FailureRollback)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before, first := uids(ctx, app), app.Status.Version
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.Container.Docker.Image = "example/web:2"
			s.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("unready")}}
		})
		Eventually(func(g Gomega) {
			g.Expect(reason(ctx, g, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonRolledBack))
			g.Expect(reason(ctx, g, v1alpha1.ConditionReady)).To(Equal(v1alpha1.ReasonAvailable))
		}).Should(Succeed())
		Expect(uids(ctx, app)).To(ConsistOf(before))
		Expect(app.Status.RolledBack.To).To(Equal(first))
		Expect(app.Status.RolledBack.Message).To(ContainSubstring("no task became ready for 2s"))
		Expect(app.Spec.Container.Docker.Image).To(Equal("example/web:2"), "the spec is the user's")
		Expect(versions(ctx, app)).To(ContainElements(first, app.Status.RolledBack.From))

		By("scaling what was rolled back to")
		scale(ctx, app, 4)
		Eventually(func() map[string]int { return images(ctx) }).Should(Equal(map[string]int{"example/web:1": 4}))

		By("a version that works")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image, s.Env = "example/web:3", nil })
		eventuallyReady(ctx, app)
		Expect(app.Status.RolledBack).To(BeNil())
		Expect(images(ctx)).To(Equal(map[string]int{"example/web:3": 4}))
	})

	It("stops where it is, and goes on by itself when a task becomes ready after all", func(ctx SpecContext) {
		app.Spec.Rollout = &v1alpha1.Rollout{ProgressDeadlineSeconds: ptr.To[int32](2)}
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(1.0), MaximumOverCapacity: ptr.To(0.34)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("unready")}} })
		Eventually(func(g Gomega) {
			g.Expect(reason(ctx, g, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonProgressDeadlineExceeded))
		}).Should(Succeed())
		Expect(reason(ctx, Default, v1alpha1.ConditionReady)).To(Equal(v1alpha1.ReasonAvailable))
		Expect(app.Status.InstancesUpToDate).To(BeEquivalentTo(1))
		for _, p := range podsOf(ctx, app) {
			if p.Labels[v1alpha1.ConfigLabel] == app.Status.ConfigHash {
				becomesReady(ctx, &p)
			}
		}
		Eventually(func(g Gomega) { g.Expect(get(ctx, g, app).Status.InstancesUpToDate).To(BeEquivalentTo(2)) }).Should(Succeed())

		By("failing again, and being mended")
		Eventually(func(g Gomega) {
			g.Expect(reason(ctx, g, v1alpha1.ConditionStalled)).To(Equal(v1alpha1.ReasonProgressDeadlineExceeded))
		}).Should(Succeed())
		watching, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		apps, err := k8s.Watch(watching, &v1alpha1.AppList{}, client.InNamespace(app.Namespace))
		Expect(err).NotTo(HaveOccurred())
		defer apps.Stop()
		settled := false
		mended := change(ctx, app, func(s *v1alpha1.AppSpec) { s.Env = nil })
		for e := range apps.ResultChan() {
			is, _ := e.Object.(*v1alpha1.App)
			if is.Status.ObservedGeneration < mended {
				continue
			}
			Expect(condition(is, v1alpha1.ConditionStalled)).To(BeNil(), "who waits for the new version would take the failure of the old for its own")
			if condition(is, v1alpha1.ConditionReconciling) == nil {
				settled = true
				break
			}
		}
		Expect(settled).To(BeTrue(), "the upgrade did not end")
	})

	It("waits at its canaries, restores old tasks meanwhile, and can be taken back", func(ctx SpecContext) {
		app.Spec.Rollout.CanaryInstances = ptr.To[int32](1)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		change(ctx, app, image("example/web:2"))
		atCanary := map[string]int{"example/web:1": 2, "example/web:2": 1}
		Eventually(func(g Gomega) {
			g.Expect(reason(ctx, g, v1alpha1.ConditionReconciling)).To(Equal(v1alpha1.ReasonPaused))
			g.Expect(images(ctx)).To(Equal(atCanary))
		}).Should(Succeed())
		Expect(condition(app, v1alpha1.ConditionReconciling).Message).To(ContainSubstring("held by spec.rollout.canaryInstances"))

		By("losing an old task")
		old := podsOf(ctx, app)[slices.IndexFunc(podsOf(ctx, app), func(p corev1.Pod) bool { return p.Spec.Containers[0].Image == "example/web:1" })]
		Expect(k8s.Delete(ctx, &old)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(images(ctx)).To(Equal(atCanary))
			g.Expect(uids(ctx, app)).NotTo(ContainElement(old.UID))
		}).Should(Succeed())

		By("taking the canary back")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Rollout.CanaryInstances = ptr.To[int32](0) })
		Eventually(func() map[string]int { return images(ctx) }).Should(Equal(map[string]int{"example/web:1": 3}))

		By("letting it go on")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Rollout.CanaryInstances = nil })
		eventuallyReady(ctx, app)
		Expect(images(ctx)).To(Equal(map[string]int{"example/web:2": 3}))
	})

	It("is held by paused, and its deadline does not run meanwhile", func(ctx SpecContext) {
		app.Spec.Rollout = &v1alpha1.Rollout{Paused: ptr.To(true), ProgressDeadlineSeconds: ptr.To[int32](3)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		change(ctx, app, image("example/web:2"))
		Eventually(func(g Gomega) {
			g.Expect(reason(ctx, g, v1alpha1.ConditionReconciling)).To(Equal(v1alpha1.ReasonPaused))
		}).Should(Succeed())
		Consistently(func() []types.UID { return uids(ctx, app) }).WithTimeout(4e9).Should(ConsistOf(before))
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Rollout.Paused = nil })
		eventuallyReady(ctx, app)
		Expect(images(ctx)).To(Equal(map[string]int{"example/web:2": 3}))
		Expect(app.Status.ResumedAt.IsZero()).To(BeFalse())
	})

	It("changes in place what it says may, and a restart is one all the same", func(ctx SpecContext) {
		app.Spec.Rollout.InPlace = []v1alpha1.InPlaceField{v1alpha1.InPlaceLabels, v1alpha1.InPlaceConstraints}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before, first, config := uids(ctx, app), app.Status.Version, app.Status.ConfigHash
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.Labels = map[string]v1alpha1.LabelValue{"HAPROXY_GROUP": "external"}
			s.Constraints = []v1alpha1.Constraint{{Field: "hostname", Operator: v1alpha1.ConstraintLike, Value: ptr.To("node.*")}}
		})
		Eventually(func(g Gomega) { g.Expect(get(ctx, g, app).Status.Version > first).To(BeTrue()) }).Should(Succeed())
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(ConsistOf(before))
		Expect(app.Status.ConfigHash).To(Equal(config))
		Expect(app.Status.VersionInfo.LastConfigChangeAt).To(Equal(first))

		By("a task that is launched later")
		scale(ctx, app, 4)
		eventuallyReady(ctx, app)
		labelled := 0
		for _, p := range podsOf(ctx, app) {
			if variable(&p, "MARATHON_APP_LABEL_HAPROXY_GROUP") == "external" {
				labelled++
			}
		}
		Expect(labelled).To(Equal(1))

		By("what was, again")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Labels, s.Constraints = nil, nil })
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(ContainElements(before))
		Expect(app.Status.SpecHash).To(BeEmpty())

		By("a field that is not named")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.KillSelection = v1alpha1.OldestFirst })
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).NotTo(ContainElements(before))

		By("a restart and a label at once")
		before = uids(ctx, app)
		Eventually(func(g Gomega) {
			get(ctx, g, app).Annotations = map[string]string{v1alpha1.RestartedAtAnnotation: "2026-01-01T00:00:00Z"}
			app.Spec.Labels = map[string]v1alpha1.LabelValue{"a": "b"}
			g.Expect(k8s.Update(ctx, app)).To(Succeed())
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			for _, uid := range uids(ctx, app) {
				g.Expect(before).NotTo(ContainElement(uid))
			}
		}).Should(Succeed())
	})

	It("has a disruption budget by its minimumHealthCapacity, unless there is another", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		budget := func(g Gomega) *policyv1.PodDisruptionBudget {
			var list policyv1.PodDisruptionBudgetList
			g.Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
			if len(list.Items) == 0 {
				return nil
			}
			return &list.Items[0]
		}
		has := func(least int) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				b := budget(g)
				g.Expect(b).NotTo(BeNil())
				g.Expect(b.Spec.MinAvailable.IntVal).To(BeEquivalentTo(least))
				g.Expect(metav1.IsControlledBy(b, app)).To(BeTrue())
			}).Should(Succeed())
		}
		hasNone := func() {
			GinkgoHelper()
			Eventually(func(g Gomega) { g.Expect(budget(g)).To(BeNil()) }).Should(Succeed())
		}
		has(3)
		scale(ctx, app, 5)
		has(5)
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.5), MaximumOverCapacity: ptr.To(0.0)}
		})
		has(3)
		By("somebody else's")
		other := &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "mine"},
			Spec: policyv1.PodDisruptionBudgetSpec{
				MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.AppLabel: "web"}},
			},
		}
		Expect(k8s.Create(ctx, other)).To(Succeed())
		hasNone()
		Expect(k8s.Delete(ctx, other)).To(Succeed())
		has(3)
		By("one instance")
		scale(ctx, app, 1)
		hasNone()
	})

	It("runs one task on each node, those to come included", func(ctx SpecContext) {
		name := func(i int) string { return fmt.Sprintf("%s-%d", app.Namespace, i) }
		node := func(i int) *corev1.Node {
			return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name(i), Labels: map[string]string{corev1.LabelHostname: name(i), "pool": app.Namespace}}}
		}
		join := func(i int) {
			GinkgoHelper()
			joining := node(i)
			Expect(k8s.Create(ctx, joining)).To(Succeed())
			// The API server lets nodes begin as ones that are not ready. Patches do
			// not mind that others write of the node, too.
			tainted := joining.DeepCopy()
			joining.Spec.Taints = nil
			Expect(k8s.Patch(ctx, joining, client.MergeFrom(tainted))).To(Succeed())
		}
		join(0)
		join(1)
		DeferCleanup(func(ctx SpecContext) {
			for i := range 3 {
				Expect(client.IgnoreNotFound(k8s.Delete(ctx, node(i)))).To(Succeed())
			}
		})
		app.Spec.PerNode = ptr.To(true)
		app.Spec.Constraints = []v1alpha1.Constraint{{Field: "hostname", Operator: v1alpha1.ConstraintLike, Value: ptr.To(app.Namespace + ".*")}}
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "NODE", Value: ptr.To(app.Namespace + "-")}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		has := func(n int) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				g.Expect(uids(ctx, app)).To(HaveLen(n))
				g.Expect(get(ctx, g, app).Status.TasksRunning).To(BeEquivalentTo(n))
				g.Expect(condition(app, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
			}).Should(Succeed())
		}
		has(2)
		first := app.Status.Version
		join(2)
		has(3)

		By("a cordoned node keeps its task")
		cordoned := node(2)
		cordoned.Spec.Unschedulable = true
		Expect(k8s.Patch(ctx, cordoned, client.MergeFrom(node(2)))).To(Succeed())
		Consistently(func() []types.UID { return uids(ctx, app) }).Should(HaveLen(3))

		By("until it goes")
		for _, p := range podsOf(ctx, app) {
			if p.Spec.NodeName == name(2) {
				Expect(k8s.Delete(ctx, &p)).To(Succeed())
			}
		}
		has(2)
		Expect(app.Status.Version).To(Equal(first), "nodes make no version")
	})
})

// podsOf are the pods of the App.
func podsOf(ctx SpecContext, app *v1alpha1.App) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
	return list.Items
}

// becomesReady lets the kubelet of a pod say that it is ready.
func becomesReady(ctx SpecContext, pod *corev1.Pod) {
	GinkgoHelper()
	pod.Status.ContainerStatuses[0].Ready = true
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			c.Status, c.LastTransitionTime = corev1.ConditionTrue, metav1.Now()
		}
	}
	Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
}
