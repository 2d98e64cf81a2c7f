// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

const (
	deactivate = v1alpha1.MaintenanceDeactivate
	drain      = v1alpha1.MaintenanceDrain
	gone       = v1alpha1.MaintenanceGone
)

var _ = Describe("NodeMaintenance", func() {
	var namespace, one, two string

	BeforeEach(func(ctx SpecContext) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "maint-"}}
		Expect(k8s.Create(ctx, ns)).To(Succeed())
		namespace = ns.Name
		one, two = namespace+"-one", namespace+"-two"
		addNode(ctx, one)
		addNode(ctx, two)
	})

	It("deactivates a node until it is deleted", func(ctx SpecContext) {
		running := addPod(ctx, namespace, "x", one)
		m := maintain(ctx, one, deactivate, nil)
		becomes(ctx, m, v1alpha1.MaintenanceDeactivated)
		Expect(m.Status.Cordoned).To(BeTrue())
		Expect(node(ctx, one).Spec.Unschedulable).To(BeTrue())
		Expect(taintOf(ctx, one)).To(Equal("Deactivated"))
		Expect(exists(ctx, running)).To(BeTrue())

		By("somebody undoes it")
		cordon(ctx, one, false)
		Eventually(func() bool { return node(ctx, one).Spec.Unschedulable }).Should(BeTrue())
		atRest(ctx, m, one)

		reactivate(ctx, m)
		Expect(node(ctx, one).Spec.Unschedulable).To(BeFalse())
		Expect(taintOf(ctx, one)).To(BeEmpty())
	})

	It("leaves a node unschedulable that was so before", func(ctx SpecContext) {
		cordon(ctx, one, true)
		m := maintain(ctx, one, deactivate, nil)
		becomes(ctx, m, v1alpha1.MaintenanceDeactivated)
		Expect(m.Status.Cordoned).To(BeFalse())
		reactivate(ctx, m)
		Expect(node(ctx, one).Spec.Unschedulable).To(BeTrue())
		Expect(taintOf(ctx, one)).To(BeEmpty())
	})

	It("says that there is no such node, and acts when it comes", func(ctx SpecContext) {
		m := maintain(ctx, namespace+"-later", drain, nil)
		Eventually(func(g Gomega) {
			c := condition(ctx, g, m, v1alpha1.ConditionStalled)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonUnknownNode))
			g.Expect(c.Message).To(Equal("metadata.name: there is no node " + m.Name))
		}).Should(Succeed())
		addNode(ctx, m.Name)
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		reactivate(ctx, m)
	})

	It("drains a node by its budgets: successors first, volumes last, and what belongs to the node stays", func(ctx SpecContext) {
		plain := addPod(ctx, namespace, "plain", one)
		budget := &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "keep"},
			Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "plain"}}},
		}
		Expect(k8s.Create(ctx, budget)).To(Succeed())
		own := daemon(ctx, namespace, one)
		single := app(ctx, namespace, "single", 1, one+","+two)
		double := app(ctx, namespace, "double", 2, one+","+two)
		db := resident(ctx, namespace, "db", one+","+two)
		for _, a := range []*v1alpha1.App{single, double, db} {
			available(ctx, a)
			Expect(homes(ctx, a)).To(HaveEach(one))
		}
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(budget), budget)).To(Succeed())
			g.Expect(budget.Status.CurrentHealthy).To(BeEquivalentTo(1))
		}).Should(Succeed())
		least := followReady(ctx, single, double)

		m := maintain(ctx, one, drain, nil)
		Eventually(func(g Gomega) {
			g.Expect(homes(ctx, single)).To(ConsistOf(two))
			g.Expect(homes(ctx, double)).To(ConsistOf(two, two))
			read(ctx, g, m)
			g.Expect(blocked(m)).To(And(HaveLen(2), HaveKeyWithValue("plain", ContainSubstring("disruption budget keep needs 1 healthy pods"))))
		}).Should(Succeed())
		Expect(homes(ctx, db)).To(ConsistOf(one), "what has its volumes there goes last")
		Expect(least()).To(Equal(map[string]int{"single": 1, "double": 2}), "ready instances of Apps that may miss none")
		Expect(m.Status.State).To(Equal(v1alpha1.MaintenanceDraining))
		Expect(m.Status.PodsTotal).To(BeEquivalentTo(5))
		Expect(taintOf(ctx, one)).To(Equal("Draining"))
		available(ctx, single)
		available(ctx, double)

		By("the manager starts anew")
		Expect(stop()).To(Succeed())
		startManager()

		By("the budget goes")
		Expect(k8s.Delete(ctx, budget)).To(Succeed())
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		Expect(exists(ctx, plain)).To(BeFalse())
		Expect(exists(ctx, own)).To(BeTrue())
		Expect(homes(ctx, db)).NotTo(ContainElement(one))
		Expect(m.Status.PodsRemaining).To(BeZero())
		Expect(m.Status.CompletedAt).NotTo(BeNil())
		Expect(taintOf(ctx, one)).To(Equal("Drained"))
		atRest(ctx, m, one)

		By("a pod that goes there all the same")
		late := addPod(ctx, namespace, "late", one)
		Eventually(func() bool { return exists(ctx, late) }).Should(BeFalse())
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		reactivate(ctx, m)
		Expect(node(ctx, one).Spec.Unschedulable).To(BeFalse())
	})

	It("forces what takes too long, with the time that a cap leaves", func(ctx SpecContext) {
		p := addPod(ctx, namespace, "stubborn", one, func(p *corev1.Pod) { p.Finalizers = []string{"example.com/keep"} })
		Expect(k8s.Create(ctx, &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "keep"},
			Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(0)), Selector: &metav1.LabelSelector{}},
		})).To(Succeed())
		m := maintain(ctx, one, drain, &v1alpha1.Drain{TimeoutSeconds: ptr.To[int32](1), PodGraceCapSeconds: ptr.To[int32](3)})
		Eventually(func(g Gomega) {
			c := condition(ctx, g, m, v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonDrainTimeout))
			g.Expect(c.Message).To(Equal("1 of 1 pod left, 1 of them held back: status.remaining says by what; it takes longer than 1s"))
		}).Should(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
		Expect(p.DeletionTimestamp).To(BeNil())
		change(ctx, m, func() { m.Spec.Drain.OnTimeout = v1alpha1.DrainTimeoutForce })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			g.Expect(p.DeletionTimestamp).NotTo(BeNil())
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			read(ctx, g, m)
			g.Expect(blocked(m)).To(HaveKeyWithValue("stubborn", Or(ContainSubstring("finalizer example.com/keep"), HavePrefix("has until"))))
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(p), p)).To(Succeed())
			p.Finalizers = nil
			g.Expect(k8s.Update(ctx, p)).To(Succeed())
		}).Should(Succeed())
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		reactivate(ctx, m)
	})

	It("never stops the last replica of the manager", func(ctx SpecContext) {
		managers := map[string]string{"app.kubernetes.io/name": "kdcos", "app.kubernetes.io/component": "manager"}
		p := addPod(ctx, namespace, "manager", one, func(p *corev1.Pod) { p.Labels = managers })
		m := maintain(ctx, one, drain, &v1alpha1.Drain{Mode: v1alpha1.DrainModeDelete})
		Eventually(func(g Gomega) {
			read(ctx, g, m)
			g.Expect(blocked(m)).To(HaveKeyWithValue("manager", ContainSubstring("no other replica of it is ready")))
		}).Should(Succeed())
		addPod(ctx, namespace, "manager-2", two, func(p *corev1.Pod) { p.Labels = managers })
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		Expect(exists(ctx, p)).To(BeFalse())
		reactivate(ctx, m)
	})

	It("drains as many nodes of a pool at once as it allows", func(ctx SpecContext) {
		pool := &v1alpha1.NodePool{
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
			Spec:       v1alpha1.NodePoolSpec{Selector: map[string]v1alpha1.NodeLabelValue{"pool": v1alpha1.NodeLabelValue(namespace)}, Drain: &v1alpha1.Drain{Mode: v1alpha1.DrainModeDelete}},
		}
		Expect(k8s.Create(ctx, pool)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, pool)).To(Succeed()) })
		for _, name := range []string{one, two} {
			n := node(ctx, name)
			before := n.DeepCopy()
			n.Labels = map[string]string{v1alpha1.NodePoolLabel: pool.Name, "pool": pool.Name}
			Expect(k8s.Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
		}
		held := addPod(ctx, namespace, "held", one, func(p *corev1.Pod) { p.Finalizers = []string{"example.com/keep"} })
		first := maintain(ctx, one, drain, nil)
		Eventually(func(g Gomega) {
			read(ctx, g, first)
			g.Expect(first.Status.State).To(Equal(v1alpha1.MaintenanceDraining))
		}).Should(Succeed())
		second := maintain(ctx, two, drain, nil)
		Eventually(func(g Gomega) {
			c := condition(ctx, g, second, v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonWaiting), c.Message)
			g.Expect(c.Message).To(Equal("waits for 1 other node of the pool, which maxUnavailable lets come first"))
		}).Should(Succeed())
		Expect(node(ctx, two).Spec.Unschedulable).To(BeFalse())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(held), held)).To(Succeed())
			g.Expect(held.DeletionTimestamp).NotTo(BeNil())
			held.Finalizers = nil
			g.Expect(k8s.Update(ctx, held)).To(Succeed())
		}).Should(Succeed())
		becomes(ctx, first, v1alpha1.MaintenanceDrained)
		becomes(ctx, second, v1alpha1.MaintenanceDrained)
		reactivate(ctx, first)
		reactivate(ctx, second)
	})

	It("keeps to its window", func(ctx SpecContext) {
		m := &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: one}, Spec: v1alpha1.NodeMaintenanceSpec{
			Action: drain, Window: &v1alpha1.MaintenanceWindow{Start: metav1.NewTime(time.Now().Add(3 * time.Second)), DurationSeconds: ptr.To[int32](5)},
		}}
		Expect(k8s.Create(ctx, m)).To(Succeed())
		Eventually(func(g Gomega) { read(ctx, g, m); g.Expect(m.Status.State).To(Equal(v1alpha1.MaintenanceScheduled)) }).Should(Succeed())
		Expect(taintOf(ctx, one)).To(Equal("Scheduled"))
		Expect(node(ctx, one).Spec.Unschedulable).To(BeFalse())
		becomes(ctx, m, v1alpha1.MaintenanceDrained)
		Expect(node(ctx, one).Spec.Unschedulable).To(BeTrue())
		becomes(ctx, m, v1alpha1.MaintenanceOver)
		Expect(node(ctx, one).Spec.Unschedulable).To(BeFalse())
		Expect(taintOf(ctx, one)).To(BeEmpty())
		atRest(ctx, m, one)
		reactivate(ctx, m)
	})

	It("gives up a node with what Apps have stored there, and does not let it in again", func(ctx SpecContext) {
		db := resident(ctx, namespace, "db", one+","+two)
		available(ctx, db)
		Expect(homes(ctx, db)).To(ConsistOf(one))
		var claims corev1.PersistentVolumeClaimList
		Expect(k8s.List(ctx, &claims, client.InNamespace(namespace))).To(Succeed())
		Expect(claims.Items).To(HaveLen(1))
		store(ctx, namespace+"-there", one, &claims.Items[0])
		theirs := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "theirs", Labels: map[string]string{v1alpha1.AppLabel: "db"}},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
			},
		}
		Expect(k8s.Create(ctx, theirs)).To(Succeed())
		store(ctx, namespace+"-theirs", one, theirs)

		By("the node does not answer")
		n := node(ctx, one)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
		n.Status.NodeInfo.SystemUUID = "machine-" + namespace
		Expect(k8s.Status().Update(ctx, n)).To(Succeed())
		stuck := addPod(ctx, namespace, "stuck", one, func(p *corev1.Pod) { p.Finalizers = []string{"example.com/keep"} })
		m := maintain(ctx, one, gone, nil)
		Eventually(func(g Gomega) {
			g.Expect(node(ctx, one).Spec.Taints).To(ContainElement(And(HaveField("Key", corev1.TaintNodeOutOfService), HaveField("Effect", corev1.TaintEffectNoExecute))))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(stuck), stuck)).To(Succeed())
			g.Expect(stuck.DeletionTimestamp).NotTo(BeNil())
			stuck.Finalizers = nil
			g.Expect(k8s.Update(ctx, stuck)).To(Succeed())
		}).Should(Succeed())

		becomes(ctx, m, v1alpha1.MaintenanceGoneState)
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKey{Name: one}, &corev1.Node{}))).To(BeTrue())
		Expect(m.Status.SystemUUID).To(Equal("machine-" + namespace))
		Eventually(func(g Gomega) {
			var now corev1.PersistentVolumeClaim
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(&claims.Items[0]), &now)).To(Succeed())
			g.Expect(now.UID).NotTo(Equal(claims.Items[0].UID))
			nudge(ctx, db)
			g.Expect(homes(ctx, db)).To(ConsistOf(two))
		}).Should(Succeed())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(theirs.DeletionTimestamp).To(BeNil(), "what no App made is none of ours")

		By("the machine registers again, under its name and another")
		addNode(ctx, one)
		other := namespace + "-other"
		addNode(ctx, other)
		o := node(ctx, other)
		o.Status.NodeInfo.SystemUUID = "machine-" + namespace
		Expect(k8s.Status().Update(ctx, o)).To(Succeed())
		for _, name := range []string{one, other} {
			Eventually(func(g Gomega) {
				g.Expect(node(ctx, name).Spec.Unschedulable).To(BeTrue())
				g.Expect(node(ctx, name).Spec.Taints).To(ContainElement(And(HaveField("Key", v1alpha1.GoneTaint), HaveField("Effect", corev1.TaintEffectNoExecute))))
			}).Should(Succeed())
		}
		Eventually(func(g Gomega) {
			c := condition(ctx, g, m, v1alpha1.ConditionReady)
			g.Expect(c.Message).To(ContainSubstring("registered again as %s, %s and is kept out", one, other))
		}).Should(Succeed())
		atRest(ctx, m, one)
		Expect(k8s.Patch(ctx, m.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"action":"Drain"}}`)))).
			To(MatchError(ContainSubstring("a node that is gone can't come back")))

		reactivate(ctx, m)
		for _, name := range []string{one, other} {
			Expect(node(ctx, name).Spec.Unschedulable).To(BeFalse())
			Expect(node(ctx, name).Spec.Taints).NotTo(ContainElement(HaveField("Key", v1alpha1.GoneTaint)))
		}
	})
})

// addNode makes a node that answers, for the length of the spec.
func addNode(ctx SpecContext, name string) {
	GinkgoHelper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(k8s.Create(ctx, n)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, n))).To(Succeed()) })
	Eventually(func() error {
		// The taint that says that it is new is for others to take away.
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(n), n); err != nil {
			return err
		}
		n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		return k8s.Update(ctx, n)
	}).Should(Succeed())
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	Eventually(func() error {
		return k8s.Status().Patch(ctx, n.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`)))
	}).Should(Succeed())
}

func node(ctx SpecContext, name string) *corev1.Node {
	GinkgoHelper()
	n := &corev1.Node{}
	Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, n)).To(Succeed())
	return n
}

func cordon(ctx SpecContext, name string, is bool) {
	GinkgoHelper()
	Expect(k8s.Patch(ctx, node(ctx, name), client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, is)))).To(Succeed())
}

// taintOf is what the taint of maintenance says.
func taintOf(ctx SpecContext, name string) string {
	GinkgoHelper()
	for _, t := range node(ctx, name).Spec.Taints {
		if t.Key == v1alpha1.MaintenanceTaint {
			Expect(t.Effect).To(Equal(corev1.TaintEffectPreferNoSchedule))
			return t.Value
		}
	}
	return ""
}

// addPod makes a pod that nobody owns, on a node.
func addPod(ctx SpecContext, namespace, name, on string, edit ...func(*corev1.Pod)) *corev1.Pod {
	GinkgoHelper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"name": name}},
		Spec:       corev1.PodSpec{NodeName: on, Containers: []corev1.Container{{Name: "task", Image: "example/web:1"}}},
	}
	for _, e := range edit {
		e(p)
	}
	Expect(k8s.Create(ctx, p)).To(Succeed())
	return p
}

// daemon is a pod of a DaemonSet.
func daemon(ctx SpecContext, namespace, on string) *corev1.Pod {
	GinkgoHelper()
	return addPod(ctx, namespace, "daemon", on, func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent", UID: "1", Controller: ptr.To(true)}}
	})
}

// app makes an App that may miss no instance, for the length of the spec.
func app(ctx SpecContext, namespace, name string, instances int32, nodes string, edit ...func(*v1alpha1.App)) *v1alpha1.App {
	GinkgoHelper()
	a := &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AppSpec{
			Instances:       &instances,
			UpgradeStrategy: &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(1.0), MaximumOverCapacity: ptr.To(0.0)},
			Networks:        []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
			Env:             []v1alpha1.EnvVar{{Name: "NODES", Value: &nodes}},
			Container:       &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web:1"}},
		},
	}
	for _, e := range edit {
		e(a)
	}
	Expect(k8s.Create(ctx, a)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, a))).To(Succeed()) })
	return a
}

// resident is an App with a volume.
func resident(ctx SpecContext, namespace, name, nodes string) *v1alpha1.App {
	GinkgoHelper()
	return app(ctx, namespace, name, 1, nodes, func(a *v1alpha1.App) {
		a.Spec.Container.Volumes = []v1alpha1.Volume{{ContainerPath: "data", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](1)}}}
		a.Spec.UpgradeStrategy.MinimumHealthCapacity = ptr.To(0.5)
	})
}

// store binds a claim to a volume of a node.
func store(ctx SpecContext, name, on string, claim *corev1.PersistentVolumeClaim) {
	GinkgoHelper()
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/data"}},
			ClaimRef:               &corev1.ObjectReference{Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{on}}},
			}}}},
		},
	}
	Expect(k8s.Create(ctx, v)).To(Succeed())
}

func available(ctx SpecContext, a *v1alpha1.App) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		g.Expect(meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReconciling)).To(BeNil())
	}).Should(Succeed())
}

// homes are the nodes of the pods of an App that are there to stay.
func homes(ctx SpecContext, a *v1alpha1.App) []string {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(a.Namespace), client.MatchingLabels(workload.Labels(a)))).To(Succeed())
	var names []string
	for i := range pods.Items {
		if p := &pods.Items[i]; p.DeletionTimestamp == nil {
			names = append(names, p.Spec.NodeName)
		}
	}
	return names
}

// nudge has the kubelet look at pods again that had no place.
func nudge(ctx SpecContext, a *v1alpha1.App) {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(a.Namespace), client.MatchingLabels(workload.Labels(a)))).To(Succeed())
	for i := range pods.Items {
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"nudged":%q}}}`, time.Now()))
		Expect(client.IgnoreNotFound(k8s.Patch(ctx, &pods.Items[i], patch))).To(Succeed())
	}
}

// followReady counts the ready pods of Apps with each change; what it returns are
// the least there were.
func followReady(ctx SpecContext, apps ...*v1alpha1.App) func() map[string]int {
	GinkgoHelper()
	var start corev1.PodList
	Expect(k8s.List(ctx, &start, client.InNamespace(apps[0].Namespace))).To(Succeed())
	events, err := k8s.Watch(ctx, &corev1.PodList{}, client.InNamespace(apps[0].Namespace), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: start.ResourceVersion}})
	Expect(err).NotTo(HaveOccurred())
	result := make(chan map[string]int, 1)
	serving := map[types.UID]string{}
	note := func(p *corev1.Pod, there bool) {
		delete(serving, p.UID)
		for _, c := range p.Status.Conditions {
			if there && p.DeletionTimestamp == nil && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				serving[p.UID] = p.Labels[v1alpha1.AppLabel]
			}
		}
	}
	least := map[string]int{}
	fold := func() {
		now := map[string]int{}
		for _, app := range serving {
			now[app]++
		}
		for _, a := range apps {
			if n, is := least[a.Name]; !is || now[a.Name] < n {
				least[a.Name] = now[a.Name]
			}
		}
	}
	for i := range start.Items {
		note(&start.Items[i], true)
	}
	fold()
	go func() {
		for e := range events.ResultChan() {
			if p, is := e.Object.(*corev1.Pod); is {
				note(p, e.Type != "DELETED")
				fold()
			}
		}
		result <- least
	}()
	return func() map[string]int {
		events.Stop()
		return <-result
	}
}

func maintain(ctx SpecContext, name string, action v1alpha1.MaintenanceAction, how *v1alpha1.Drain) *v1alpha1.NodeMaintenance {
	GinkgoHelper()
	m := &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.NodeMaintenanceSpec{Action: action, Drain: how}}
	Expect(k8s.Create(ctx, m)).To(Succeed())
	return m
}

func read(ctx SpecContext, g Gomega, m *v1alpha1.NodeMaintenance) {
	g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
}

func change(ctx SpecContext, m *v1alpha1.NodeMaintenance, edit func()) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		read(ctx, g, m)
		edit()
		g.Expect(k8s.Update(ctx, m)).To(Succeed())
	}).Should(Succeed())
}

func condition(ctx SpecContext, g Gomega, m *v1alpha1.NodeMaintenance, kind string) *metav1.Condition {
	read(ctx, g, m)
	return meta.FindStatusCondition(m.Status.Conditions, kind)
}

// becomes waits until the action is done.
func becomes(ctx SpecContext, m *v1alpha1.NodeMaintenance, state v1alpha1.MaintenanceState) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c := condition(ctx, g, m, v1alpha1.ConditionReady)
		g.Expect(m.Status.State).To(Equal(state), "%+v", m.Status)
		g.Expect(c.Status).To(Equal(metav1.ConditionTrue), c.Message)
		g.Expect(m.Status.ObservedGeneration).To(Equal(m.Generation))
	}).Should(Succeed())
}

// blocked says of the pods that are left why.
func blocked(m *v1alpha1.NodeMaintenance) map[string]string {
	all := map[string]string{}
	for _, p := range m.Status.Remaining {
		all[p.Name] = p.BlockedBy
	}
	return all
}

func reactivate(ctx SpecContext, m *v1alpha1.NodeMaintenance) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, m)).To(Succeed())
	Eventually(func() bool { return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)) }).Should(BeTrue())
}

func exists(ctx SpecContext, p *corev1.Pod) bool {
	GinkgoHelper()
	err := k8s.Get(ctx, client.ObjectKeyFromObject(p), &corev1.Pod{})
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return err == nil
}

// atRest says that nobody writes any more.
func atRest(ctx SpecContext, m *v1alpha1.NodeMaintenance, name string) {
	GinkgoHelper()
	time.Sleep(time.Second)
	read(ctx, Default, m)
	before, nodeBefore := m.ResourceVersion, node(ctx, name).ResourceVersion
	Consistently(func(g Gomega) {
		read(ctx, g, m)
		g.Expect(m.ResourceVersion).To(Equal(before))
		g.Expect(node(ctx, name).ResourceVersion).To(Equal(nodeBefore))
	}).WithTimeout(1500 * time.Millisecond).Should(Succeed())
}
