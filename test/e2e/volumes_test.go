// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("Volumes", func() {
	It("keep their data over upgrades, crashes and scaling, and lose it by a wipe", func(ctx SpecContext) {
		app := resident(newNamespace(ctx), "db", 2)
		twice := watchSlots(ctx, app)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		zero, one := diary(ctx, Default, app, 0), diary(ctx, Default, app, 1)
		Expect(zero).To(HaveLen(1))
		Expect(one).To(HaveLen(1))
		homes := homesOf(ctx, app)

		By("upgrading")
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		eventuallyReady(ctx, app)
		Expect(diary(ctx, Default, app, 0)).To(And(HaveLen(2), HaveExactElements(zero[0], Not(Equal(zero[0])))))
		Expect(diary(ctx, Default, app, 1)).To(And(HaveLen(2), HaveExactElements(one[0], Not(Equal(one[0])))))

		By("a crash")
		kill(podIn(ctx, Default, app, 1))
		Eventually(func(g Gomega) { g.Expect(diary(ctx, g, app, 1)).To(HaveLen(3)) }).WithTimeout(soon).Should(Succeed())
		eventuallyReady(ctx, app)

		By("scaling to nothing and back")
		scaleTo(ctx, app, 0)
		Eventually(func() []corev1.Pod { return pods(ctx, app) }).WithTimeout(soon).Should(BeEmpty())
		Expect(claims(ctx, app)).To(HaveLen(2))
		scaleTo(ctx, app, 2)
		eventuallyReady(ctx, app)
		Expect(diary(ctx, Default, app, 0)).To(And(HaveLen(3), ContainElement(zero[0])))
		Expect(diary(ctx, Default, app, 1)).To(And(HaveLen(4), ContainElement(one[0])))
		Expect(homesOf(ctx, app)).To(Equal(homes), "instances stay where their volumes are")

		By("wiping one")
		_, err := tool(ctx, "kubectl-kdcos", "wipe", app.Name, "0", "--namespace", app.Namespace)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			eventuallyReady(ctx, app)
			g.Expect(diary(ctx, g, app, 0)).To(And(HaveLen(1), Not(ContainElement(zero[0]))))
		}).WithTimeout(soon).Should(Succeed())
		Expect(diary(ctx, Default, app, 1)).To(HaveLen(4))
		Expect(twice()).To(BeEmpty(), "slots that had two pods at once")

		By("deleting the App")
		volumes := volumesOf(ctx, app)
		Expect(volumes).To(HaveLen(2))
		Expect(k8s.Delete(ctx, app)).To(Succeed())
		for _, name := range volumes {
			Eventually(func() bool {
				return apierrors.IsNotFound(k8s.Get(ctx, types.NamespacedName{Name: name}, &corev1.PersistentVolume{}))
			}).WithTimeout(time.Minute).Should(BeTrue(), "volume %s is still there", name)
		}
	})

	It("that are external outlast their App", func(ctx SpecContext) {
		app := resident(newNamespace(ctx), "first", 1)
		app.Spec.Container.Volumes = []v1alpha1.Volume{{ContainerPath: "data", External: &v1alpha1.ExternalVolume{
			Name: "shop", Provider: v1alpha1.ProviderDVDI, Size: ptr.To[int64](1), Options: map[string]v1alpha1.LabelValue{"dvdi/driver": "rexray"},
		}}}
		second := app.DeepCopy()
		second.Name = "second"
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := diary(ctx, Default, app, 0)
		Expect(first).To(HaveLen(1))
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		eventuallyReady(ctx, app)
		Expect(diary(ctx, Default, app, 0)).To(HaveLen(2))

		Expect(k8s.Create(ctx, second)).To(Succeed())
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, second), v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonNameConflict), c.Message)
		}).WithTimeout(soon).Should(Succeed())
		Expect(k8s.Delete(ctx, app)).To(Succeed())
		eventuallyReady(ctx, second)
		Expect(diary(ctx, Default, second, 0)).To(And(HaveLen(3), ContainElement(first[0])))
	})
})

var _ = Describe("Volumes on a node", Serial, func() {
	It("that stops wait for it, and are given up by a wipe", func(ctx SpecContext) {
		app := resident(newNamespace(ctx), "db", 1)
		home := anotherNode(ctx, homeOfManager(ctx))
		onlyOn(ctx, home)
		DeferCleanup(func(ctx SpecContext) { onlyOn(ctx, "") })
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := diary(ctx, Default, app, 0)
		before := uids(ctx, app)
		onlyOn(ctx, "")

		node(ctx, "stop", home)
		started := false
		start := func(ctx context.Context) {
			if !started {
				started = true
				node(ctx, "start", home)
			}
		}
		DeferCleanup(func(ctx SpecContext) { start(ctx) })
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonUnreachable), c.Message)
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		Consistently(func() []types.UID { return uids(ctx, app) }).WithTimeout(10 * time.Second).Should(Equal(before))
		start(ctx)
		eventuallyReady(ctx, app)
		Expect(diary(ctx, Default, app, 0)).To(And(HaveLen(2), ContainElement(first[0])))

		By("a node that takes no pods")
		onlyOn(ctx, anotherNode(ctx, home))
		Expect(k8s.Delete(ctx, podIn(ctx, Default, app, 0))).To(Succeed())
		Eventually(func(g Gomega) {
			c := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(c.Reason).To(Equal(v1alpha1.ReasonWaiting), c.Message)
			g.Expect(c.Message).To(ContainSubstring("NoCorrespondingReservationFound 1"))
		}).WithTimeout(soon).Should(Succeed())
		_, err := tool(ctx, "kubectl-kdcos", "wipe", app.Name, "0", "--namespace", app.Namespace)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			eventuallyReady(ctx, app)
			g.Expect(podIn(ctx, g, app, 0).Spec.NodeName).NotTo(Equal(home))
		}).WithTimeout(soon).Should(Succeed())
		Expect(diary(ctx, Default, app, 0)).To(And(HaveLen(1), Not(ContainElement(first[0]))))
	})
})

// resident is an App whose tasks write a line into a file of their volume when
// they start.
func resident(namespace, name string, instances int32) *v1alpha1.App {
	app := web(namespace, name, instances)
	app.Spec.Cmd = ptr.To("echo $MESOS_TASK_ID >> $MESOS_SANDBOX/data/diary; exec /web")
	app.Spec.Container.Volumes = []v1alpha1.Volume{
		{ContainerPath: "data", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](10)}},
		{ContainerPath: "/srv/below", HostPath: ptr.To("data/below")},
	}
	return healthy(app)
}

// diary are the lines that tasks in a slot wrote when they started.
func diary(ctx context.Context, g Gomega, app *v1alpha1.App, slot int) []string {
	GinkgoHelper()
	out, err := tool(ctx, "kubectl", "exec", "--namespace", app.Namespace, podIn(ctx, g, app, slot).Name, "--",
		"/bin/sh", "-c", "while read -r line; do echo $line; done < /mnt/mesos/sandbox/data/diary")
	g.Expect(err).NotTo(HaveOccurred())
	return strings.Fields(out)
}

func podIn(ctx context.Context, g Gomega, app *v1alpha1.App, slot int) *corev1.Pod {
	GinkgoHelper()
	all := pods(ctx, app)
	i := slices.IndexFunc(all, func(p corev1.Pod) bool { return p.Labels[v1alpha1.SlotLabel] == strconv.Itoa(slot) })
	g.Expect(i).To(BeNumerically(">=", 0), "no pod in slot %d", slot)
	return &all[i]
}

// homesOf are the nodes of an App's pods by their slots.
func homesOf(ctx context.Context, app *v1alpha1.App) map[string]string {
	GinkgoHelper()
	homes := map[string]string{}
	for _, p := range pods(ctx, app) {
		homes[p.Labels[v1alpha1.SlotLabel]] = p.Spec.NodeName
	}
	return homes
}

func claims(ctx context.Context, app *v1alpha1.App) []corev1.PersistentVolumeClaim {
	GinkgoHelper()
	var list corev1.PersistentVolumeClaimList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
	return slices.DeleteFunc(list.Items, func(c corev1.PersistentVolumeClaim) bool { return !metav1.IsControlledBy(&c, app) })
}

func volumesOf(ctx context.Context, app *v1alpha1.App) []string {
	GinkgoHelper()
	var names []string
	for _, c := range claims(ctx, app) {
		names = append(names, c.Spec.VolumeName)
	}
	return names
}

func scaleTo(ctx SpecContext, app *v1alpha1.App, instances int32) {
	GinkgoHelper()
	change(ctx, app, func(s *v1alpha1.AppSpec) { s.Instances = &instances })
}

// watchSlots follows the pods of an App; what it returns are the slots that ever
// had two at once.
func watchSlots(ctx SpecContext, app *v1alpha1.App) func() []string {
	GinkgoHelper()
	events, err := k8s.Watch(ctx, &corev1.PodList{}, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))
	Expect(err).NotTo(HaveOccurred())
	result := make(chan []string, 1)
	go func() {
		there, twice := map[string]types.UID{}, []string{}
		for e := range events.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			slot := pod.Labels[v1alpha1.SlotLabel]
			if uid, is := there[slot]; is && uid != pod.UID {
				twice = append(twice, slot)
			}
			there[slot] = pod.UID
			if e.Type == "DELETED" {
				delete(there, slot)
			}
		}
		result <- twice
	}()
	return func() []string {
		events.Stop()
		return <-result
	}
}
