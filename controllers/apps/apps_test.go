// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("An App", func() {
	var app *v1alpha1.App

	BeforeEach(func(ctx SpecContext) {
		// The Apps here are on the host network unless they say otherwise.
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "apps-", Labels: map[string]string{v1alpha1.AllowHostNetworkLabel: "true"},
		}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		app = &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "web.api"},
			Spec: v1alpha1.AppSpec{
				Instances:       ptr.To[int32](3),
				Container:       &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
				PortDefinitions: []v1alpha1.PortDefinition{},
			},
		}
	})

	It("runs its instances, and scaling restarts none", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		Expect(before).To(HaveLen(3))
		version := app.Status.Version
		Expect(version).To(Equal(app.CreationTimestamp.UTC().Format("2006-01-02T15:04:05.000Z")))

		By("scaling by the subresource")
		scale(ctx, app, 5)
		Eventually(func(g Gomega) { g.Expect(get(ctx, g, app).Status.TasksRunning).To(BeEquivalentTo(5)) }).WithContext(ctx).Should(Succeed())
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(ContainElements(before))
		Expect(app.Status.Version > version).To(BeTrue())
		Expect(app.Status.VersionInfo.LastScalingAt).To(Equal(app.Status.Version))
		Expect(app.Status.VersionInfo.LastConfigChangeAt).To(Equal(version))
		Expect(versions(ctx, app)).To(Equal([]string{version}))

		By("scaling down, the youngest first")
		scale(ctx, app, 2)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(HaveLen(2))
		for _, uid := range uids(ctx, app) {
			Expect(before).To(ContainElement(uid))
		}

		By("scaling to nothing and back")
		scale(ctx, app, 0)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(BeEmpty())
		eventuallyReady(ctx, app)
		scale(ctx, app, 1)
		Eventually(func() []types.UID { return uids(ctx, app) }).Should(HaveLen(1))
	})

	It("replaces its instances when its configuration changes, and remembers what was", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before, first := uids(ctx, app), app.Status.Version

		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/web:2" })
		eventuallyReady(ctx, app)
		Expect(app.Status.InstancesUpToDate).To(BeEquivalentTo(3))
		Expect(uids(ctx, app)).To(HaveLen(3))
		Expect(uids(ctx, app)).NotTo(ContainElements(before))
		Expect(versions(ctx, app)).To(Equal([]string{first}))
		var revision appsv1.ControllerRevision
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: workload.RevisionName(app, first)}, &revision)).To(Succeed())
		Expect(string(revision.Data.Raw)).To(And(ContainSubstring("example/web:1"), ContainSubstring(`"instances":3`)))

		By("restarting")
		before = uids(ctx, app)
		restart(ctx, app)
		Eventually(func() []types.UID { return uids(ctx, app) }).ShouldNot(ContainElements(before))
		Eventually(func() int { return len(versions(ctx, app)) }).Should(Equal(2))
		eventuallyReady(ctx, app)
	})

	It("remembers what was of more instances than carry it", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](18)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		var list corev1.PodList
		Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace))).To(Succeed())
		Expect(list.Items).To(HaveLen(18))
		for _, p := range list.Items {
			if slices.Contains(workload.CarrierSlots(), p.Labels[v1alpha1.SlotLabel]) {
				Expect(p.Annotations).To(HaveKey(v1alpha1.SpecAnnotation))
			} else {
				Expect(p.Annotations).NotTo(HaveKey(v1alpha1.SpecAnnotation))
			}
		}
		first := app.Status.Version
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/web:2" })
		eventuallyReady(ctx, app)
		Expect(versions(ctx, app)).To(Equal([]string{first}))
	})

	It("stays Ready while an upgrade keeps its minimum", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("unready")}}
		})
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReconciling)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Message).To(ContainSubstring("3 of 3 instances run the new configuration, 3 the old"))
		}).Should(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(condition(get(ctx, g, app), v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		}, time.Second).Should(Succeed())

		By("taking it back: the instances that still run serve on")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Env = nil })
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(HaveLen(3))
	})

	It("never runs more than one instance of {0, 0} at once", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.0), MaximumOverCapacity: ptr.To(0.0)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		overlap := watchOverlap(ctx, app)
		for i := range 3 {
			change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = fmt.Sprintf("example/web:%d", i+10) })
			eventuallyReady(ctx, app)
		}
		Expect(overlap()).To(Equal(1))
	})

	It("says which field it does not support, and goes on once that is gone", func(ctx SpecContext) {
		app.Spec.Container.Type = v1alpha1.EngineMesos
		app.Spec.Check = &v1alpha1.Check{Exec: &v1alpha1.ExecCheck{Command: v1alpha1.ShellOrArgv{Shell: ptr.To("true")}}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			stalled := condition(get(ctx, g, app), v1alpha1.ConditionStalled)
			g.Expect(stalled).NotTo(BeNil())
			g.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonUnsupported))
			g.Expect(stalled.Message).To(ContainSubstring("spec.check.exec"))
			g.Expect(condition(app, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionFalse))
		}).Should(Succeed())
		Expect(uids(ctx, app)).To(BeEmpty())
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Check = nil })
		eventuallyReady(ctx, app)
		Expect(condition(app, v1alpha1.ConditionStalled)).To(BeNil())
	})

	It("kills nothing for a constraint that is wrong", func(ctx SpecContext) {
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.0), MaximumOverCapacity: ptr.To(0.0)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.Constraints = []v1alpha1.Constraint{{Field: "@rack", Operator: v1alpha1.ConstraintUnique}}
		})
		Eventually(func(g Gomega) {
			stalled := condition(get(ctx, g, app), v1alpha1.ConditionStalled)
			g.Expect(stalled).NotTo(BeNil())
			g.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonInvalid))
			g.Expect(stalled.Message).To(ContainSubstring("spec.constraints[0].field"))
			g.Expect(condition(app, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		}).Should(Succeed())
		Expect(uids(ctx, app)).To(ConsistOf(before))
	})

	It("launches an instance that crashes again, later and later", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To("crash")}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		seen := map[types.UID]bool{}
		Eventually(func(g Gomega) {
			for _, uid := range uids(ctx, app) {
				seen[uid] = true
			}
			g.Expect(len(seen)).To(BeNumerically(">=", 3))
		}, 30*time.Second).Should(Succeed())
		Eventually(func(g Gomega) {
			status := get(ctx, g, app).Status
			g.Expect(status.Backoff).NotTo(BeNil())
			g.Expect(status.Backoff.Failures).To(BeNumerically(">=", 3))
			g.Expect(condition(app, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonBackOff))
			g.Expect(condition(app, v1alpha1.ConditionReady).Message).To(ContainSubstring("exit code 3"))
			g.Expect(status.LastTaskFailure).NotTo(BeNil())
			g.Expect(status.LastTaskFailure.TaskID).To(MatchRegexp(`^` + app.Namespace + `_web_api\.instance-[0-9a-f-]{36}\._app\.2$`))
		}).Should(Succeed())

		By("a new configuration, which starts without delay")
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Env = nil })
		eventuallyReady(ctx, app)
		Expect(app.Status.Backoff).To(BeNil())
	})

	It("is not ready from its creation, before anybody looks at it", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		ready := condition(app, v1alpha1.ConditionReady)
		Expect(ready).NotTo(BeNil())
		// What kstatus takes for InProgress, and kubectl wait for a no.
		Expect(ready.Status).To(Equal(metav1.ConditionUnknown))
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonPending))
		Expect(app.Status.ObservedGeneration).To(BeNumerically("<", app.Generation))
		eventuallyReady(ctx, app)
		Expect(condition(app, v1alpha1.ConditionReady).LastTransitionTime.Year()).To(BeNumerically(">", 1970))
	})

	DescribeTable("explains why it waits", func(ctx SpecContext, fate, reason, message string) {
		app.Spec.Env = []v1alpha1.EnvVar{{Name: "FATE", Value: ptr.To(fate)}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionFalse))
			g.Expect(ready.Reason).To(Equal(reason))
			g.Expect(ready.Message).To(ContainSubstring(message))
		}).Should(Succeed())
	},
		Entry("for an image", "unpullable", v1alpha1.ReasonImagePull, "3 not starting: ImagePullBackOff: Back-off pulling image"),
		Entry("for a node", "unplaceable", v1alpha1.ReasonWaiting, "3 waiting for the scheduler: InsufficientCpus 3, of 3 nodes: 0/3 nodes are available: 3 Insufficient cpu."),
		Entry("for its health", "unready", v1alpha1.ReasonUnhealthy, "3 not passing the health check"),
	)

	It("says when the API server refuses its pods", func(ctx SpecContext) {
		var namespace corev1.Namespace
		Expect(k8s.Get(ctx, client.ObjectKey{Name: app.Namespace}, &namespace)).To(Succeed())
		namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
		Expect(k8s.Update(ctx, &namespace)).To(Succeed())
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonRefused))
			g.Expect(ready.Message).To(ContainSubstring(`violates PodSecurity "restricted:latest"`))
		}).Should(Succeed())
	})

	It("never touches a pod of somebody else", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](0)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		foreign := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: app.Namespace, Name: workload.PodName(app, app.Status.ConfigHash, 0), Labels: workload.Labels(app),
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "y"}}},
		}
		Expect(k8s.Create(ctx, foreign)).To(Succeed())
		scale(ctx, app, 1)
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonNameConflict))
			g.Expect(ready.Message).To(ContainSubstring(foreign.Name))
		}).Should(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(foreign), foreign)).To(Succeed())
	})

	It("replaces an instance that is deleted or evicted", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		var pods corev1.PodList
		Expect(k8s.List(ctx, &pods, client.InNamespace(app.Namespace))).To(Succeed())
		gone, evicted := &pods.Items[0], &pods.Items[1]
		Expect(k8s.Delete(ctx, gone)).To(Succeed())
		was := evicted.DeepCopy()
		evicted.Status.Phase, evicted.Status.Reason = corev1.PodFailed, "Evicted"
		Expect(k8s.Status().Patch(ctx, evicted, client.MergeFrom(was))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(uids(ctx, app)).NotTo(ContainElements(gone.UID, evicted.UID))
			g.Expect(uids(ctx, app)).To(HaveLen(3))
		}).Should(Succeed())
		eventuallyReady(ctx, app)
	})

	It("keeps fifty versions", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](1)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		for i := range 53 {
			generation := change(ctx, app, func(s *v1alpha1.AppSpec) { s.Instances = ptr.To(int32(1 + (i+1)%2)) })
			Eventually(func(g Gomega) {
				g.Expect(get(ctx, g, app).Status.ObservedGeneration).To(BeNumerically(">=", generation))
			}).WithPolling(5 * time.Millisecond).Should(Succeed())
		}
		all := versions(ctx, app)
		Expect(all).To(HaveLen(50))
		Expect(slices.IsSorted(all)).To(BeTrue())
	})

	It("has pods that go with it", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		var pods corev1.PodList
		Expect(k8s.List(ctx, &pods, client.InNamespace(app.Namespace))).To(Succeed())
		for i := range pods.Items {
			Expect(metav1.IsControlledBy(&pods.Items[i], app)).To(BeTrue())
		}
		Expect(k8s.Delete(ctx, app)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(app), app)) }).Should(BeTrue())
	})
})

func get(ctx SpecContext, g Gomega, app *v1alpha1.App) *v1alpha1.App {
	GinkgoHelper()
	g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(app), app)).To(Succeed())
	return app
}

func condition(app *v1alpha1.App, kind string) *metav1.Condition {
	return meta.FindStatusCondition(app.Status.Conditions, kind)
}

func eventuallyReady(ctx SpecContext, app *v1alpha1.App) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
		g.Expect(app.Status.ObservedGeneration).To(Equal(app.Generation))
		g.Expect(condition(app, v1alpha1.ConditionReconciling)).To(BeNil())
	}).WithTimeout(20 * time.Second).WithPolling(20 * time.Millisecond).Should(Succeed())
}

// uids are those of the pods of the App that are not being stopped.
func uids(ctx SpecContext, app *v1alpha1.App) []types.UID {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
	var all []types.UID
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			all = append(all, pods.Items[i].UID)
		}
	}
	return all
}

func scale(ctx SpecContext, app *v1alpha1.App, replicas int32) {
	GinkgoHelper()
	Expect(k8s.SubResource("scale").Update(ctx, app, client.WithSubResourceBody(&autoscalingv1.Scale{
		Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
	}))).To(Succeed())
}

// restart asks for all tasks of the App to be replaced.
func restart(ctx SpecContext, app *v1alpha1.App) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		get(ctx, g, app).Annotations = map[string]string{v1alpha1.RestartedAtAnnotation: "2026-01-01T00:00:00Z"}
		g.Expect(k8s.Update(ctx, app)).To(Succeed())
	}).Should(Succeed())
}

// change edits the spec and returns the generation that makes.
func change(ctx SpecContext, app *v1alpha1.App, edit func(*v1alpha1.AppSpec)) int64 {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		edit(&get(ctx, g, app).Spec)
		g.Expect(k8s.Update(ctx, app)).To(Succeed())
	}).Should(Succeed())
	return app.Generation
}

// versions are the recorded versions of the App, the oldest first.
func versions(ctx SpecContext, app *v1alpha1.App) []string {
	GinkgoHelper()
	var list appsv1.ControllerRevisionList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace))).To(Succeed())
	slices.SortFunc(list.Items, func(a, b appsv1.ControllerRevision) int { return int(a.Revision - b.Revision) })
	var all []string
	for i := range list.Items {
		all = append(all, list.Items[i].Annotations[v1alpha1.VersionAnnotation])
	}
	return all
}

// watchOverlap follows the pods of an App; what it returns tells how many
// there ever were at once.
func watchOverlap(ctx SpecContext, app *v1alpha1.App) func() int {
	GinkgoHelper()
	events, err := k8s.Watch(ctx, &corev1.PodList{}, client.InNamespace(app.Namespace))
	Expect(err).NotTo(HaveOccurred())
	most := make(chan int, 1)
	go func() {
		there, worst := map[types.UID]bool{}, 0
		for e := range events.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			there[pod.UID] = true
			if e.Type == "DELETED" {
				delete(there, pod.UID)
			}
			worst = max(worst, len(there))
		}
		most <- worst
	}()
	return func() int {
		events.Stop()
		return <-most
	}
}
