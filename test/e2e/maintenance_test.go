// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Maintenance", Serial, func() {
	It("drains a node under Apps that may miss no instance, and no request is lost", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		drained := anotherNode(ctx, homeOfManager(ctx))
		restoreNode(ctx, drained)
		several, single := healthy(web(namespace, "several", 4)), healthy(web(namespace, "single", 1))
		var loads []func() (int, []string)
		// All of the single one, and some of the others, are on the node.
		onlyOn(ctx, drained)
		DeferCleanup(func(ctx SpecContext) { onlyOn(ctx, "") })
		for _, app := range []*v1alpha1.App{single, several} {
			app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(1.0), MaximumOverCapacity: ptr.To(0.0)}
			// Long enough for a busy machine to tell all nodes that a task is about to go.
			setEnv(&app.Spec, "DRAIN_SECONDS", "6")
			Expect(k8s.Create(ctx, app)).To(Succeed())
			eventuallyReady(ctx, app)
			onlyOn(ctx, "")
			loads = append(loads, startLoad(ctx, service(ctx, app)))
		}
		Expect(podIn(ctx, Default, single, 0).Spec.NodeName).To(Equal(drained))
		count := follow(ctx, several, 4)

		began := time.Now()
		out, err := tool(ctx, "kubectl-kdcos", "drain", drained, "--wait", "--timeout", "4m")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("node/" + drained + " drained\n"))
		AddReportEntry("drained after", time.Since(began).Round(100*time.Millisecond).String())
		eventuallyReady(ctx, several)
		eventuallyReady(ctx, single)
		time.Sleep(time.Second)
		for _, load := range loads {
			requests, failures := load()
			AddReportEntry("requests", requests)
			Expect(failures).To(BeEmpty(), "of %d requests", requests)
			Expect(requests).To(BeNumerically(">", 100))
		}
		_, least := count.result()
		Expect(least).To(Equal(4), "healthy instances")
		for _, p := range append(pods(ctx, several), pods(ctx, single)...) {
			Expect(p.Spec.NodeName).NotTo(Equal(drained))
		}
		m := maintenanceOf(ctx, Default, drained)
		Expect(m.Status.State).To(Equal(v1alpha1.MaintenanceDrained))
		AddReportEntry("pods that had to go", m.Status.PodsTotal)

		By("using it again")
		out, err = tool(ctx, "kubectl-kdcos", "reactivate", drained)
		Expect(err).NotTo(HaveOccurred(), out)
		Eventually(func(g Gomega) { g.Expect(usable(ctx, drained)).To(BeTrue()) }).WithTimeout(soon).Should(Succeed())
	})

	It("leaves an App with volumes waiting while its node is stopped, and moves it when the node is given up", func(ctx SpecContext) {
		app := resident(newNamespace(ctx), "db", 1)
		home := anotherNode(ctx, homeOfManager(ctx))
		restoreNode(ctx, home)
		onlyOn(ctx, home)
		DeferCleanup(func(ctx SpecContext) { onlyOn(ctx, "") })
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := diary(ctx, Default, app, 0)
		before := uids(ctx, app)
		onlyOn(ctx, "")

		By("a stop")
		node(ctx, "stop", home)
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonUnreachable), c.Message)
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		Consistently(func() []types.UID { return uids(ctx, app) }).WithTimeout(10 * time.Second).Should(Equal(before))

		By("decommission")
		began := time.Now()
		out, err := tool(ctx, "kubectl-kdcos", "decommission", home, "--wait", "--timeout", "5m")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(apierrors.IsNotFound(k8s.Get(ctx, types.NamespacedName{Name: home}, &corev1.Node{}))).To(BeTrue())
		Eventually(func(g Gomega) {
			eventuallyReady(ctx, app)
			g.Expect(podIn(ctx, g, app, 0).Spec.NodeName).NotTo(Equal(home))
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		AddReportEntry("runs elsewhere after", time.Since(began).Round(100*time.Millisecond).String())
		Expect(diary(ctx, Default, app, 0)).To(And(HaveLen(1), Not(ContainElement(first[0]))), "it begins anew, with an empty volume")

		By("the machine coming back")
		powerOn(ctx, home)
		Eventually(func(g Gomega) {
			n := &corev1.Node{}
			g.Expect(k8s.Get(ctx, types.NamespacedName{Name: home}, n)).To(Succeed())
			g.Expect(n.Spec.Unschedulable).To(BeTrue())
			g.Expect(n.Spec.Taints).To(ContainElement(And(HaveField("Key", v1alpha1.GoneTaint), HaveField("Effect", corev1.TaintEffectNoExecute))))
			m := maintenanceOf(ctx, g, home)
			ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready.Message).To(ContainSubstring("registered again as " + home))
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		_, err = tool(ctx, "kubectl-kdcos", "reactivate", home)
		Expect(err).To(HaveOccurred(), "what is decommissioned came back without force")
		_, err = tool(ctx, "kubectl-kdcos", "reactivate", home, "--force")
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) { g.Expect(usable(ctx, home)).To(BeTrue()) }).WithTimeout(2 * time.Minute).Should(Succeed())
	})
})

// restoreNode has a node be again what it is now when the story is over, whatever
// became of it: its power, its maintenance, and its labels and taints, which a Node
// that registers anew does not have.
func restoreNode(ctx SpecContext, name string) {
	GinkgoHelper()
	was := &corev1.Node{}
	Expect(k8s.Get(ctx, types.NamespacedName{Name: name}, was)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		m := &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, m))).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)) }).WithTimeout(soon).Should(BeTrue())
		if !nodeAnswers(ctx, name) {
			powerOn(ctx, name)
		}
		Eventually(func(g Gomega) {
			n := &corev1.Node{}
			g.Expect(k8s.Get(ctx, types.NamespacedName{Name: name}, n)).To(Succeed())
			before := n.DeepCopy()
			for key, value := range was.Labels {
				n.Labels[key] = value
			}
			n.Spec.Taints = was.Spec.Taints
			g.Expect(k8s.Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
			g.Expect(usable(ctx, name)).To(BeTrue())
		}).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(Succeed())
	})
}

// powerOn starts a machine that was stopped. What localcluster says counts for
// nothing: it waits for a Node that takes work.
func powerOn(ctx context.Context, name string) {
	GinkgoHelper()
	_, _ = tool(ctx, "localcluster", "--state", filepath.Dir(kubeconfig), "node", "start", name)
	Eventually(func() bool { return nodeAnswers(ctx, name) }).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(BeTrue())
}

func nodeAnswers(ctx context.Context, name string) bool {
	n := &corev1.Node{}
	if err := k8s.Get(ctx, types.NamespacedName{Name: name}, n); err != nil {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// usable says that a node takes work.
func usable(ctx context.Context, name string) bool {
	n := &corev1.Node{}
	if err := k8s.Get(ctx, types.NamespacedName{Name: name}, n); err != nil || n.Spec.Unschedulable {
		return false
	}
	for _, t := range n.Spec.Taints {
		if t.Effect != corev1.TaintEffectPreferNoSchedule {
			return false
		}
	}
	return nodeAnswers(ctx, name)
}

func maintenanceOf(ctx context.Context, g Gomega, name string) *v1alpha1.NodeMaintenance {
	m := &v1alpha1.NodeMaintenance{}
	g.Expect(k8s.Get(ctx, types.NamespacedName{Name: name}, m)).To(Succeed())
	return m
}

// maintenanceSample plans the maintenance of a sample, of a node that there is.
func maintenanceSample(ctx SpecContext, file, document string) {
	GinkgoHelper()
	m := &v1alpha1.NodeMaintenance{}
	Expect(yaml.UnmarshalStrict([]byte(document), m)).To(Succeed(), file)
	m.Name = anotherNode(ctx, homeOfManager(ctx))
	Expect(k8s.Create(ctx, m)).To(Succeed(), file)
	DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, m)).To(Succeed()) })
	Eventually(func(g Gomega) {
		g.Expect(maintenanceOf(ctx, g, m.Name).Status.State).To(Equal(v1alpha1.MaintenanceScheduled))
	}).WithTimeout(soon).Should(Succeed())
}
