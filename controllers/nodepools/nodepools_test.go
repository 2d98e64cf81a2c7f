// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools_test

import (
	"fmt"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const gpu = "nvidia.com/gpu"

var _ = Describe("NodePools", func() {
	// node makes a node with two cores for the length of the spec.
	node := func(ctx SpecContext, labels map[string]string, taints ...corev1.Taint) *corev1.Node {
		GinkgoHelper()
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-", Labels: labels}, Spec: corev1.NodeSpec{Taints: taints}}
		Expect(k8s.Create(ctx, n)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, n))).To(Succeed()) })
		before := n.DeepCopy() // what marks it meanwhile is not in the way of a patch
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi"), corev1.ResourcePods: resource.MustParse("10"),
		}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		Expect(k8s.Status().Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
		return n
	}
	// create makes a pool for the length of the spec.
	create := func(ctx SpecContext, pool *v1alpha1.NodePool) *v1alpha1.NodePool {
		GinkgoHelper()
		Expect(k8s.Create(ctx, pool)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, pool))).To(Succeed()) })
		return pool
	}
	selecting := func(label string) *v1alpha1.NodePool {
		return &v1alpha1.NodePool{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "pool-"},
			Spec:       v1alpha1.NodePoolSpec{Selector: map[string]v1alpha1.NodeLabelValue{"pool": v1alpha1.NodeLabelValue(label)}},
		}
	}
	// looks waits until a node has these labels, beside those it came with, and taints.
	looks := func(ctx SpecContext, n *corev1.Node, labels map[string]string, taints ...string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
			has := maps.Clone(n.Labels)
			delete(has, v1alpha1.NodePoolAppliedLabel)
			g.Expect(has).To(Equal(labels))
			var all []string
			for _, t := range n.Spec.Taints {
				// The API server of tests taints nodes that are not ready.
				if t.Key != corev1.TaintNodeNotReady {
					all = append(all, t.Key+"="+t.Value+":"+string(t.Effect))
				}
			}
			g.Expect(all).To(ConsistOf(taints))
		}).WithTimeout(30 * time.Second).WithPolling(20 * time.Millisecond).Should(Succeed())
	}
	becomes := func(ctx SpecContext, pool *v1alpha1.NodePool, check func(Gomega, *v1alpha1.NodePoolStatus)) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
			g.Expect(pool.Status.ObservedGeneration).To(Equal(pool.Generation))
			check(g, &pool.Status)
		}).WithTimeout(30 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
	}
	change := func(ctx SpecContext, pool *v1alpha1.NodePool, do func(*v1alpha1.NodePoolSpec)) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
			do(&pool.Spec)
			g.Expect(k8s.Update(ctx, pool)).To(Succeed())
		}).WithTimeout(30 * time.Second).Should(Succeed())
	}

	It("mark their nodes, again and again, and leave no trace", func(ctx SpecContext) {
		const foreign = "example.com/foreign"
		first := node(ctx, map[string]string{"pool": "marks", "keep": "me"}, corev1.Taint{Key: foreign, Effect: corev1.TaintEffectNoSchedule})
		stranger := node(ctx, map[string]string{"pool": "other"})
		pool := selecting("marks")
		pool.Spec.Role = v1alpha1.RolePublic
		pool.Spec.Attributes = map[string]v1alpha1.NodeLabelValue{"public_ip": "true"}
		create(ctx, pool)
		labels := map[string]string{
			"pool": "marks", "keep": "me", v1alpha1.NodePoolLabel: pool.Name, v1alpha1.NodeRoleLabel: v1alpha1.RolePublic,
			v1alpha1.NodeAttributePrefix + "public_ip": "true",
		}
		role := v1alpha1.NodeRoleTaint + "=slave_public:NoSchedule"
		looks(ctx, first, labels, foreign+"=:NoSchedule", role)
		looks(ctx, stranger, map[string]string{"pool": "other"})
		late := node(ctx, map[string]string{"pool": "marks", "keep": "me"})
		looks(ctx, late, labels, role)

		By("somebody who removes a label, a taint and the record, and adds a taint")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(first), first)).To(Succeed())
			delete(first.Labels, v1alpha1.NodeRoleLabel)
			first.Labels[v1alpha1.NodeAttributePrefix+"public_ip"] = "no"
			first.Annotations = nil
			first.Spec.Taints = []corev1.Taint{{Key: "example.com/new", Effect: corev1.TaintEffectNoSchedule}}
			g.Expect(k8s.Update(ctx, first)).To(Succeed())
		}).WithTimeout(30 * time.Second).Should(Succeed())
		looks(ctx, first, labels, "example.com/new=:NoSchedule", role)

		By("another role, and a node that leaves")
		change(ctx, pool, func(s *v1alpha1.NodePoolSpec) { s.Role, s.Attributes = "gold", nil })
		delete(labels, v1alpha1.NodeAttributePrefix+"public_ip")
		labels[v1alpha1.NodeRoleLabel] = "gold"
		looks(ctx, late, labels, v1alpha1.NodeRoleTaint+"=gold:NoSchedule")
		setLabel(ctx, late, "pool", nil)
		looks(ctx, late, map[string]string{"keep": "me"})

		By("the pool going")
		Expect(k8s.Delete(ctx, pool)).To(Succeed())
		looks(ctx, first, map[string]string{"pool": "marks", "keep": "me", v1alpha1.NodeAttributePrefix + "public_ip": "no"}, "example.com/new=:NoSchedule")
		Expect(first.Annotations).NotTo(HaveKey(v1alpha1.NodePoolAppliedAnnotation))
	})

	It("taint nodes with GPUs as soon as they have any", func(ctx SpecContext) {
		n := node(ctx, map[string]string{"pool": "gpus"})
		pool := create(ctx, selecting("gpus"))
		labels := map[string]string{"pool": "gpus", v1alpha1.NodePoolLabel: pool.Name}
		looks(ctx, n, labels)
		before := n.DeepCopy()
		n.Status.Allocatable[gpu] = resource.MustParse("2")
		Expect(k8s.Status().Patch(ctx, n, client.MergeFrom(before))).To(Succeed())
		looks(ctx, n, labels, gpu+"=:NoSchedule")
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(s.Resources).To(ContainElement(HaveField("Name", gpu)))
		})
		change(ctx, pool, func(s *v1alpha1.NodePoolSpec) {
			s.GPU = &v1alpha1.NodePoolGPU{Scheduling: v1alpha1.GPUSchedulingUnrestricted}
		})
		looks(ctx, n, labels)
	})

	It("tell who has a node that several ask for", func(ctx SpecContext) {
		n := node(ctx, map[string]string{"pool": "both"})
		older := create(ctx, selecting("both"))
		// Creation times have whole seconds.
		time.Sleep(time.Second)
		younger := create(ctx, selecting("both"))
		becomes(ctx, younger, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			overlap := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionNodesOverlap)
			g.Expect(overlap).NotTo(BeNil())
			g.Expect(overlap.Message).To(Equal(fmt.Sprintf("%s: in %s, which is older", n.Name, older.Name)))
			g.Expect(meta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		})
		looks(ctx, n, map[string]string{"pool": "both", v1alpha1.NodePoolLabel: older.Name})
		Expect(k8s.Delete(ctx, older)).To(Succeed())
		looks(ctx, n, map[string]string{"pool": "both", v1alpha1.NodePoolLabel: younger.Name})
		becomes(ctx, younger, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionNodesOverlap)).To(BeNil())
			g.Expect(meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		})
	})

	It("tell what nodes have, what pods take and who waits", func(ctx SpecContext) {
		one, two := node(ctx, map[string]string{"pool": "full", corev1.LabelTopologyZone: "a"}), node(ctx, map[string]string{"pool": "full"})
		pool := create(ctx, selecting("full"))
		pod := func(name, node, cpu string) *corev1.Pod {
			GinkgoHelper()
			p := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
				Spec: corev1.PodSpec{
					NodeName: node, NodeSelector: map[string]string{"pool": "full"},
					Containers: []corev1.Container{{Name: "c", Image: "example/web:1", Resources: corev1.ResourceRequirements{
						Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
					}}},
				},
			}
			Expect(k8s.Create(ctx, p)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) {
				Expect(client.IgnoreNotFound(k8s.Delete(ctx, p, client.GracePeriodSeconds(0)))).To(Succeed())
			})
			return p
		}
		cpu := func(g Gomega, s *v1alpha1.NodePoolStatus) []string {
			g.Expect(s.Resources).NotTo(BeEmpty())
			r := s.Resources[0]
			return []string{r.Name, r.Capacity.String(), r.Allocated.String(), r.Free.String(), r.LargestFree.String()}
		}
		running := pod("running", one.Name, "1500m")
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(cpu(g, s)).To(Equal([]string{"cpu", "4", "1500m", "2500m", "2"}))
			g.Expect(s.Nodes).To(Equal(v1alpha1.NodePoolNodes{Total: 2, Ready: 2}))
			g.Expect(s.Zones).To(Equal([]v1alpha1.NodeLabelValue{"a"}))
			g.Expect(s.PendingPods).To(BeZero())
		})

		By("a pod that finds no node")
		big := pod("big", "", "3")
		big.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
		Expect(k8s.Status().Update(ctx, big)).To(Succeed())
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(s.PendingPods).To(BeEquivalentTo(1))
			exhausted := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionCapacityExhausted)
			g.Expect(exhausted).NotTo(BeNil())
			g.Expect(exhausted.Message).To(HaveSuffix("not enough cpu"))
		})

		By("maintenance of a node")
		m := &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: two.Name}, Spec: v1alpha1.NodeMaintenanceSpec{Action: v1alpha1.MaintenanceDrain}}
		Expect(k8s.Create(ctx, m)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
			m.Finalizers = nil
			Expect(k8s.Update(ctx, m)).To(Succeed())
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, m))).To(Succeed())
		})
		unmaintained := m.DeepCopy()
		m.Status.State = v1alpha1.MaintenanceDrained
		Expect(k8s.Status().Patch(ctx, m, client.MergeFrom(unmaintained))).To(Succeed())
		Expect(k8s.Delete(ctx, big, client.GracePeriodSeconds(0))).To(Succeed())
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(s.Nodes).To(Equal(v1alpha1.NodePoolNodes{Total: 2, Ready: 1, Drained: 1}))
			g.Expect(cpu(g, s)).To(Equal([]string{"cpu", "4", "1500m", "500m", "500m"}))
			g.Expect(meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionCapacityExhausted)).To(BeNil())
		})

		By("a pod that is over")
		running.Status.Phase = corev1.PodSucceeded
		Expect(k8s.Status().Update(ctx, running)).To(Succeed())
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(cpu(g, s)).To(Equal([]string{"cpu", "4", "0", "2", "2"}))
		})
	})

	It("write nothing at rest, whatever the kubelet reports", func(ctx SpecContext) {
		n := node(ctx, map[string]string{"pool": "rest"})
		pool := create(ctx, selecting("rest"))
		becomes(ctx, pool, func(g Gomega, s *v1alpha1.NodePoolStatus) {
			g.Expect(s.Conditions).To(ConsistOf(And(HaveField("Type", v1alpha1.ConditionReady), HaveField("Status", metav1.ConditionTrue))))
		})
		version := pool.ResourceVersion
		var last string
		for range 3 {
			Eventually(func(g Gomega) {
				g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
				n.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(time.Now().Add(time.Second))
				n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{fmt.Sprint(time.Now())}})
				g.Expect(k8s.Status().Update(ctx, n)).To(Succeed())
			}).WithTimeout(30 * time.Second).Should(Succeed())
			last = n.ResourceVersion
		}
		Consistently(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
			g.Expect(n.ResourceVersion).To(Equal(last))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
			g.Expect(pool.ResourceVersion).To(Equal(version))
		}).WithTimeout(3 * time.Second).Should(Succeed())
	})
})
