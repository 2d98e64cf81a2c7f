// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/apply"
)

var namespaces int

// newNamespace makes a namespace.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespaces++
	name := fmt.Sprintf("team-%d", namespaces)
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	return name
}

// limit sets a Quota of CPUs, which goes with the story, and waits until the API
// server knows it.
func limit(ctx context.Context, name string, cpus float64, change ...func(*v1alpha1.QuotaSpec)) *v1alpha1.Quota {
	GinkgoHelper()
	q := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Limits: &v1alpha1.QuotaResources{Cpus: &cpus}}}
	for _, c := range change {
		c(&q.Spec)
	}
	Expect(k8s.Create(ctx, q)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, q))).To(Succeed())
	})
	namespace, prefix, _ := strings.Cut(name, ".")
	Eventually(func() bool {
		probe := pod(namespace, "probe", 1)
		if prefix != "" {
			probe.OwnerReferences = []metav1.OwnerReference{{APIVersion: "kdcos.io/v1alpha1", Kind: "App", Name: prefix, UID: "1", Controller: ptr.To(true)}}
		}
		return k8s.Create(ctx, probe, client.DryRunAll) == nil && waits(probe)
	}).Should(BeTrue())
	return q
}

func pod(namespace, name string, cpus float64) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "example/main:1",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(int64(cpus*1000), resource.DecimalSI)}},
		}}},
	}
}

func create(ctx context.Context, namespace string, cpus float64, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		Expect(k8s.Create(ctx, pod(namespace, name, cpus))).To(Succeed())
	}
}

func waits(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.QuotaGate })
}

// in are the names of the pods of a namespace that do not wait.
func in(namespace string) func(context.Context) []string {
	return func(ctx context.Context) []string {
		var pods corev1.PodList
		Expect(k8s.List(ctx, &pods, client.InNamespace(namespace))).To(Succeed())
		names := []string{}
		for i := range pods.Items {
			if !waits(&pods.Items[i]) && pods.Items[i].DeletionTimestamp.IsZero() {
				names = append(names, pods.Items[i].Name)
			}
		}
		return names
	}
}

func quota(name string) func(context.Context) (*v1alpha1.Quota, error) {
	return func(ctx context.Context) (*v1alpha1.Quota, error) {
		q := &v1alpha1.Quota{}
		return q, k8s.Get(ctx, client.ObjectKey{Name: name}, q)
	}
}

func message(kind string) func(*v1alpha1.Quota) string {
	return func(q *v1alpha1.Quota) string {
		if c := meta.FindStatusCondition(q.Status.Conditions, kind); c != nil {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
		return ""
	}
}

func remove(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, client.GracePeriodSeconds(0))).To(Succeed())
}

var _ = Describe("A Quota", func() {
	var ns string
	BeforeEach(func(ctx SpecContext) { ns = newNamespace(ctx) })

	It("lets pods in, in order, as far as its limits allow, and says who waits", func(ctx SpecContext) {
		limit(ctx, ns, 2)
		create(ctx, ns, 1, "a", "b", "c")
		create(ctx, ns, 3, "large")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a", "b"))
		Eventually(quota(ns)).WithContext(ctx).Should(HaveField("Status.WaitingPods", Equal(int32(2))))
		Eventually(quota(ns)).WithContext(ctx).Should(WithTransform(message(v1alpha1.ConditionReady),
			Equal("True Enforced: cpus 2 of 2; 2 pods; 2 wait for cpus:4")))
		q, err := quota(ns)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(q.Status.Pods).To(Equal(int32(2)))
		Expect(q.Status.Consumed).To(Equal(v1alpha1.QuotaResources{Cpus: ptr.To(2.0)}))
		Expect(q.Status.Waiting).To(HaveExactElements(
			And(HaveField("Pod", "c"), HaveField("Position", int32(1)), HaveField("Reason", v1alpha1.QuotaWaits), HaveField("BlockedBy", ns), HaveField("Resource", "cpus")),
			And(HaveField("Pod", "large"), HaveField("Position", int32(0)), HaveField("Reason", v1alpha1.QuotaUnsatisfiable)),
		))
		Expect(message(v1alpha1.ConditionQuotaUnsatisfiable)(q)).To(ContainSubstring("large needs cpus:3 (cpus of quota " + ns + ")"))

		By("a pod that ends")
		remove(ctx, ns, "a")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("b", "c"))
		var c corev1.Pod
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: ns, Name: "c"}, &c)).To(Succeed())
		Expect(time.Parse(time.RFC3339, c.Annotations[v1alpha1.QuotaReleasedAtAnnotation])).To(BeTemporally("~", time.Now(), time.Minute))

		By("a limit that is raised")
		q, err = quota(ns)(ctx)
		Expect(err).NotTo(HaveOccurred())
		q.Spec.Limits.Cpus = ptr.To(5.0)
		Expect(k8s.Update(ctx, q)).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("b", "c", "large"))
		Eventually(quota(ns)).WithContext(ctx).Should(And(HaveField("Status.WaitingPods", Equal(int32(0))), WithTransform(message(v1alpha1.ConditionQuotaUnsatisfiable), BeEmpty())))
	})

	It("stops nothing when it is lowered, which must be meant", func(ctx SpecContext) {
		limit(ctx, ns, 2)
		create(ctx, ns, 1, "a", "b", "c")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a", "b"))
		Eventually(quota(ns)).WithContext(ctx).Should(HaveField("Status.Consumed.Cpus", HaveValue(Equal(2.0))))
		q, err := quota(ns)(ctx)
		Expect(err).NotTo(HaveOccurred())
		q.Spec.Limits = &v1alpha1.QuotaResources{Cpus: ptr.To(1.0), Mem: ptr.To(512.0)}
		refused := k8s.Update(ctx, q.DeepCopy())
		Expect(refused).To(MatchError(ContainSubstring("Invalid QuotaConfig: Role '" + ns + "' is already consuming 'cpus:2'; this is more than the requested limits " +
			"'cpus:1; mem:512' (use 'force' flag to bypass this check)")))
		q.Annotations = map[string]string{v1alpha1.ForceAnnotation: "true"}
		Expect(k8s.Update(ctx, q)).To(Succeed())
		Eventually(quota(ns)).WithContext(ctx).Should(WithTransform(message(v1alpha1.ConditionQuotaExceeded), HavePrefix("True OverLimit: more is used than the limit: cpus 2 of 1")))
		remove(ctx, ns, "a")
		Eventually(quota(ns)).WithContext(ctx).Should(And(HaveField("Status.Consumed.Cpus", HaveValue(Equal(1.0))), WithTransform(message(v1alpha1.ConditionQuotaExceeded), BeEmpty())))
		Expect(in(ns)(ctx)).To(ConsistOf("b"))
		remove(ctx, ns, "b")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("c"))
	})

	It("lets all in when it is deleted", func(ctx SpecContext) {
		q := limit(ctx, ns, 1)
		create(ctx, ns, 1, "a", "b", "c")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a"))
		Expect(k8s.Delete(ctx, q)).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a", "b", "c"))
		Eventually(quota(ns)).WithContext(ctx).Should(WithTransform(message(v1alpha1.ConditionReady), HavePrefix("False Releasing: ")))
		Eventually(func(ctx context.Context) bool {
			_, err := quota(ns)(ctx)
			return apierrors.IsNotFound(err)
		}).WithContext(ctx).Should(BeTrue())
		late := pod(ns, "late", 1)
		late.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.QuotaGate}}
		Expect(k8s.Create(ctx, late)).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).Should(ContainElement("late"))
	})

	It("keeps pods waiting while there is no manager, and forgets nothing over a restart", func(ctx SpecContext) {
		limit(ctx, ns, 10)
		create(ctx, ns, 1, "a", "b")
		Eventually(in(ns)).WithContext(ctx).Should(HaveLen(2))
		stop()
		for i := range 40 {
			create(ctx, ns, 1, fmt.Sprintf("p%02d", i))
		}
		Consistently(in(ns)).WithContext(ctx).WithTimeout(time.Second).Should(HaveLen(2))
		start()
		Eventually(in(ns)).WithContext(ctx).Should(HaveLen(10))
		Consistently(in(ns)).WithContext(ctx).WithTimeout(2 * time.Second).Should(HaveLen(10))
		stop()
		start()
		Consistently(in(ns)).WithContext(ctx).WithTimeout(3 * time.Second).Should(HaveLen(10))
		Eventually(quota(ns)).WithContext(ctx).Should(And(HaveField("Status.Pods", Equal(int32(10))), HaveField("Status.WaitingPods", Equal(int32(32)))))
	})

	It("counts in groups within groups", func(ctx SpecContext) {
		limit(ctx, ns, 3)
		limit(ctx, ns+".web", 1)
		of := func(name, job string) {
			p := pod(ns, name, 1)
			p.Labels = map[string]string{v1alpha1.JobLabel: job}
			Expect(k8s.Create(ctx, p)).To(Succeed())
		}
		of("a", "web.x")
		of("b", "web")
		of("c", "webs")
		create(ctx, ns, 1, "d", "e")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a", "c", "d"))
		Eventually(quota(ns + ".web")).WithContext(ctx).Should(HaveField("Status.Waiting", HaveExactElements(And(HaveField("Pod", "b"), HaveField("BlockedBy", ns)))))
		remove(ctx, ns, "c")
		Eventually(in(ns)).WithContext(ctx).Should(ConsistOf("a", "d", "e"))
		Eventually(quota(ns + ".web")).WithContext(ctx).Should(HaveField("Status.Consumed.Cpus", HaveValue(Equal(1.0))))
	})

	It("tells of pods that did not wait, but of those that never do", func(ctx SpecContext) {
		create(ctx, ns, 1, "before")
		q := limit(ctx, ns, 1)
		Eventually(quota(ns)).WithContext(ctx).Should(HaveField("Status.Pods", Equal(int32(1))))
		time.Sleep(time.Until(q.CreationTimestamp.Add(7 * time.Second)))
		placed, daemon := pod(ns, "placed", 1), pod(ns, "daemon", 1)
		placed.Spec.NodeName = "node"
		daemon.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "d", UID: "d", Controller: ptr.To(true)}}
		Expect(k8s.Create(ctx, placed)).To(Succeed())
		Expect(k8s.Create(ctx, daemon)).To(Succeed())
		Eventually(quota(ns)).WithContext(ctx).Should(And(
			HaveField("Status.Pods", Equal(int32(3))), HaveField("Status.BypassedPods", Equal(int32(1))),
			WithTransform(message(v1alpha1.ConditionQuotaBypassed), Equal("True NotGated: run without having waited, and count: placed"))))
	})

	It("limits no runs where it does not count them", func(ctx SpecContext) {
		limit(ctx, ns, 0, func(s *v1alpha1.QuotaSpec) { s.CountJobs = ptr.To(false) })
		run := pod(ns, "run", 1)
		run.Labels = map[string]string{v1alpha1.JobLabel: "nightly"}
		Expect(k8s.Create(ctx, run)).To(Succeed())
		Expect(waits(run)).To(BeFalse())
	})

	It("writes nothing at rest", func(ctx SpecContext) {
		limit(ctx, ns, 1)
		create(ctx, ns, 1, "a", "b")
		Eventually(quota(ns)).WithContext(ctx).Should(And(HaveField("Status.Pods", Equal(int32(1))), HaveField("Status.WaitingPods", Equal(int32(1)))))
		time.Sleep(2 * time.Second)
		before, err := quota(ns)(ctx)
		Expect(err).NotTo(HaveOccurred())
		Consistently(quota(ns)).WithContext(ctx).WithTimeout(3 * time.Second).Should(HaveField("ResourceVersion", before.ResourceVersion))
	})

	It("keeps the share of a pod that goes for the one that replaces it", func(ctx SpecContext) {
		limit(ctx, ns, 2)
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"}, Spec: v1alpha1.AppSpec{
			Cmd: ptr.To("sleep 9"), Cpus: ptr.To(1.0), Instances: ptr.To[int32](2), Networks: []v1alpha1.Network{{Mode: "container/bridge"}},
			Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
		}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).Should(HaveLen(2))
		create(ctx, ns, 0.5, "small", "smaller")
		victim := in(ns)(ctx)[0]
		Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: victim}})).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).Should(And(HaveLen(2), Not(ContainElement("small"))))
		Consistently(in(ns)).WithContext(ctx).WithTimeout(time.Second).Should(Not(ContainElement("small")))

		By("and not once the App wants fewer")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(app), app)).To(Succeed())
		app.Spec.Instances = ptr.To[int32](1)
		Expect(k8s.Update(ctx, app)).To(Succeed())
		Eventually(in(ns)).WithContext(ctx).WithTimeout(10 * time.Second).Should(And(HaveLen(3), ContainElements("small", "smaller")))
	})
})

var _ = Describe("The gate", func() {
	It("reaches the pods that count in the group, and no others", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		limit(ctx, ns+".web", 1, func(s *v1alpha1.QuotaSpec) { s.CountJobs = ptr.To(false) })
		all := newNamespace(ctx)
		limit(ctx, all, 1)
		owned := func(kind, group, name string, controller bool) func(*corev1.Pod) {
			return func(p *corev1.Pod) {
				p.OwnerReferences = []metav1.OwnerReference{{APIVersion: group, Kind: kind, Name: name, UID: "1", Controller: &controller}}
			}
		}
		labelled := func(job string) func(*corev1.Pod) {
			return func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.JobLabel: job} }
		}
		for _, c := range []struct {
			name         string
			change       func(*corev1.Pod)
			inWeb, inAll bool
		}{
			{"nobody's", func(*corev1.Pod) {}, false, true},
			{"of the App of that name", owned("App", "kdcos.io/v1alpha1", "web", true), true, true},
			{"of an App within", owned("App", "kdcos.io/v1alpha1", "web.api.v1", true), true, true},
			{"of an App with a longer name", owned("App", "kdcos.io/v1alpha1", "webs", true), false, true},
			{"of somebody else's App", owned("App", "other.io/v1", "web", true), false, true},
			{"of an App that does not control it", owned("App", "kdcos.io/v1alpha1", "web", false), false, true},
			{"of a Job", labelled("web.nightly"), false, true},
			{"of a DaemonSet", owned("DaemonSet", "apps/v1", "web", true), false, false},
			{"of a StatefulSet", owned("StatefulSet", "apps/v1", "web", true), false, true},
			{"with a node", func(p *corev1.Pod) { p.Spec.NodeName = "node" }, false, false},
			{"with gates of others", func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "other.io/gate"}} }, false, true},
		} {
			for namespace, want := range map[string]bool{ns: c.inWeb, all: c.inAll} {
				p := pod(namespace, "probe", 1)
				c.change(p)
				before := len(p.Spec.SchedulingGates)
				Expect(k8s.Create(ctx, p, client.DryRunAll)).To(Succeed(), c.name)
				Expect(waits(p)).To(Equal(want), "%s, in %s", c.name, namespace)
				if want {
					Expect(p.Spec.SchedulingGates).To(HaveLen(before+1), c.name)
				}
			}
		}
	})

	It("is for the manager to take away, with its records", func(ctx SpecContext) {
		ns := newNamespace(ctx)
		limit(ctx, ns, 0)
		waiting := pod(ns, "waiting", 1)
		Expect(k8s.Create(ctx, waiting)).To(Succeed())
		applier := apply.New(k8s, k8s)
		_, err := applier.Ungate(ctx, client.ObjectKeyFromObject(waiting), waiting.UID, v1alpha1.QuotaGate, "a", "b")
		Expect(err).To(MatchError(ContainSubstring("the pod waits for the quota of its group, and only kdcos takes its gate kdcos.io/quota away")))
		for _, annotation := range []string{v1alpha1.QuotaReleasedAtAnnotation, v1alpha1.QuotaQueuedAtAnnotation} {
			forged := pod(ns, "forged", 1)
			forged.Annotations = map[string]string{annotation: "2020-01-01T00:00:00Z"}
			Expect(k8s.Create(ctx, forged)).To(MatchError(ContainSubstring("only kdcos writes them")))
			changed := waiting.DeepCopy()
			changed.Annotations = forged.Annotations
			Expect(k8s.Patch(ctx, changed, client.MergeFrom(waiting))).To(MatchError(ContainSubstring("only kdcos writes them")))
		}
		changed := waiting.DeepCopy()
		changed.Labels = map[string]string{"a": "b"}
		Expect(k8s.Patch(ctx, changed, client.MergeFrom(waiting))).To(Succeed())
	})
})
