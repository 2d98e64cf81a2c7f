// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Nodes", Serial, func() {
	It("that are cut off lose their tasks by unreachableStrategy, and what returns too late is killed", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		lost := anotherNode(ctx, homeOfManager(ctx))
		now, later, never := web(namespace, "now", 1), web(namespace, "later", 1), web(namespace, "never", 1)
		later.Spec.UnreachableStrategy = &v1alpha1.UnreachableStrategy{InactiveAfterSeconds: ptr.To[int32](10), ExpungeAfterSeconds: ptr.To[int32](3600)}
		never.Spec.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
		all := []*v1alpha1.App{now, later, never}
		onlyOn(ctx, lost)
		DeferCleanup(func(ctx SpecContext) { onlyOn(ctx, "") })
		for _, app := range all {
			Expect(k8s.Create(ctx, app)).To(Succeed())
		}
		before := map[string]corev1.Pod{}
		for _, app := range all {
			eventuallyReady(ctx, app)
			before[app.Name] = pods(ctx, app)[0]
			Expect(before[app.Name].Spec.NodeName).To(Equal(lost))
		}
		onlyOn(ctx, "")

		node(ctx, "cut", lost)
		healed := false
		heal := func(ctx context.Context) {
			if !healed {
				healed = true
				node(ctx, "heal", lost)
			}
		}
		DeferCleanup(func(ctx SpecContext) { heal(ctx) })
		var noticed time.Time
		Eventually(func(g Gomega) {
			var n corev1.Node
			g.Expect(k8s.Get(ctx, types.NamespacedName{Name: lost}, &n)).To(Succeed())
			for _, c := range n.Status.Conditions {
				if c.Type == corev1.NodeReady {
					g.Expect(c.Status).To(Equal(corev1.ConditionUnknown))
				}
			}
			noticed = time.Now()
		}).WithTimeout(2 * time.Minute).WithPolling(100 * time.Millisecond).Should(Succeed())

		By("replacing at once what does not wait")
		runsElsewhere(ctx, now, lost)
		AddReportEntry("replaced, at once, after the node counted as lost", time.Since(noticed).Round(100*time.Millisecond).String())
		Eventually(func() []types.UID { return uidsOf(pods(ctx, now)) }).WithTimeout(soon).
			ShouldNot(ContainElement(before["now"].UID), "what is given up is still listed")

		By("replacing later what waits a while")
		runsElsewhere(ctx, later, lost)
		waited := time.Since(noticed)
		AddReportEntry("replaced, after 10 s, after the node counted as lost", waited.Round(100*time.Millisecond).String())
		Expect(waited).To(BeNumerically(">", 8*time.Second))
		Expect(uidsOf(pods(ctx, later))).To(ContainElement(before["later"].UID), "what may still return is gone")

		By("never replacing what waits for ever")
		Expect(uidsOf(pods(ctx, never))).To(ConsistOf(before["never"].UID))
		Expect(condition(get(ctx, Default, never), v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonUnreachable))
		ghost := before["now"]
		Expect(running(&ghost)).To(BeTrue(), "the task on the lost node should not know")

		By("the return of the node")
		heal(ctx)
		Eventually(func() bool { return running(&ghost) }).WithTimeout(time.Minute).Should(BeFalse(), "the duplicate still runs")
		for _, app := range all {
			eventuallyReady(ctx, app)
			Eventually(func() int { return len(pods(ctx, app)) }).WithTimeout(time.Minute).Should(Equal(1))
		}
		Expect(uidsOf(pods(ctx, never))).To(ConsistOf(before["never"].UID))
	})

	It("are drained under load, and no request is lost", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 4))
		// Long enough for a busy machine to tell all nodes that a task is about to go.
		setEnv(&app.Spec, "DRAIN_SECONDS", "6")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		url := service(ctx, app)
		drained := anotherNode(ctx, homeOfManager(ctx))
		DeferCleanup(func(ctx SpecContext) {
			_, err := tool(ctx, "kubectl", "uncordon", drained)
			Expect(err).NotTo(HaveOccurred())
		})
		load := startLoad(ctx, url)
		count := follow(ctx, app, 4)
		_, err := tool(ctx, "kubectl", "drain", drained, "--pod-selector=kdcos.io/app="+app.Name, "--ignore-daemonsets", "--timeout=2m")
		Expect(err).NotTo(HaveOccurred())
		eventuallyReady(ctx, app)
		time.Sleep(time.Second)
		requests, failures := load()
		AddReportEntry("requests", requests)
		Expect(failures).To(BeEmpty(), "of %d requests", requests)
		Expect(requests).To(BeNumerically(">", 100))
		most, least := count.result()
		Expect(least).To(Equal(4), "healthy instances: as many as an upgrade would keep")
		Expect(most).To(BeNumerically(">", 4), "instances at once")
		for _, p := range pods(ctx, app) {
			Expect(p.Spec.NodeName).NotTo(Equal(drained))
		}
	})
})

var _ = Describe("The launch delay", func() {
	It("grows as Marathon's, and is gone once the App is fixed", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 1)
		setEnv(&app.Spec, "EXIT_AFTER", "0.01")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		samples := map[int32]bool{}
		Eventually(func(g Gomega) {
			b := get(ctx, g, app).Status.Backoff
			g.Expect(b).NotTo(BeNil())
			// Times are told in whole seconds.
			delay := math.Pow(1.15, float64(b.Failures-1))
			g.Expect(b.NextLaunchTime.Sub(b.LastFailureTime.Time).Seconds()).To(BeNumerically("==", math.Floor(delay)), "after %d failures", b.Failures)
			samples[b.Failures] = true
			g.Expect(b.Failures).To(BeNumerically(">=", 6))
		}).WithTimeout(3 * time.Minute).WithPolling(50 * time.Millisecond).Should(Succeed())
		Expect(len(samples)).To(BeNumerically(">=", 3))

		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "EXIT_AFTER", "") })
		fixed := time.Now()
		Eventually(func(g Gomega) {
			g.Expect(get(ctx, g, app).Status.TasksRunning).To(BeEquivalentTo(1))
			g.Expect(app.Status.ObservedGeneration).To(Equal(app.Generation))
			g.Expect(app.Status.InstancesUpToDate).To(BeEquivalentTo(1))
			g.Expect(app.Status.Backoff).To(BeNil())
		}).WithTimeout(time.Minute).WithPolling(20 * time.Millisecond).Should(Succeed())
		AddReportEntry("runs again after", time.Since(fixed).Round(10*time.Millisecond).String())
		Expect(time.Since(fixed)).To(BeNumerically("<", 10*time.Second))
	})
})

// onlyOn lets new pods go to one node only; "" lets them go to all.
func onlyOn(ctx context.Context, only string) {
	GinkgoHelper()
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	for i := range nodes.Items {
		n := &nodes.Items[i]
		before := n.DeepCopy()
		n.Spec.Unschedulable = only != "" && n.Name != only
		Expect(k8s.Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
	}
}

// anotherNode is a private node that is not the given one.
func anotherNode(ctx SpecContext, not string) string {
	GinkgoHelper()
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	for i := range nodes.Items {
		if n := &nodes.Items[i]; n.Name != not && n.Labels[v1alpha1.NodeRoleLabel] == "" {
			return n.Name
		}
	}
	Fail("there is no other node")
	return ""
}

func runsElsewhere(ctx SpecContext, app *v1alpha1.App, lost string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		ready := 0
		for _, p := range pods(ctx, app) {
			if p.Spec.NodeName != lost && podReady(&p) {
				ready++
			}
		}
		g.Expect(ready).To(Equal(1))
	}).WithTimeout(2 * time.Minute).WithPolling(50 * time.Millisecond).Should(Succeed())
}

func uidsOf(pods []corev1.Pod) []types.UID {
	all := make([]types.UID, 0, len(pods))
	for i := range pods {
		all = append(all, pods[i].UID)
	}
	return all
}

// running says that a container of a pod has a process, whatever Kubernetes knows.
func running(pod *corev1.Pod) bool {
	GinkgoHelper()
	id := strings.TrimPrefix(pod.Status.ContainerStatuses[0].ContainerID, "containerd://")
	Expect(id).NotTo(BeEmpty())
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		if groups, err := os.ReadFile(file); err == nil && strings.Contains(string(groups), id) {
			return true
		}
	}
	return false
}
