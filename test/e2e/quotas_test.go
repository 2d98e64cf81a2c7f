// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("A Quota", func() {
	It("lets Apps wait in order, and run when something ends", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		quota := limit(ctx, namespace, 0.05)
		first, second, third := web(namespace, "first", 2), web(namespace, "second", 2), web(namespace, "third", 2)
		for _, app := range []*v1alpha1.App{first, second, third} {
			app.Spec.Cpus = ptr.To(0.02)
			Expect(k8s.Create(ctx, app)).To(Succeed())
			// Places in line are told apart by the second.
			time.Sleep(time.Second)
		}
		eventuallyReady(ctx, first)
		Eventually(waiting(quota)).WithContext(ctx).WithTimeout(soon).Should(HaveExactElements("App/second", "App/second", "App/third", "App/third"))
		Expect(started(ctx, namespace)).To(HaveLen(2))

		By("what is over the limit of Kubernetes' own scheduler's view is not seen by it")
		for _, pod := range pods(ctx, second) {
			Expect(pod.Status.Conditions).To(ContainElement(And(HaveField("Type", corev1.PodScheduled), HaveField("Reason", corev1.PodReasonSchedulingGated))))
		}

		By("ending the first")
		change(ctx, first, func(s *v1alpha1.AppSpec) { s.Instances = ptr.To[int32](0) })
		eventuallyReady(ctx, second)
		Expect(waiting(quota)(ctx)).To(HaveExactElements("App/third", "App/third"))

		By("lowering the limit: nothing is stopped")
		before := uids(ctx, second)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
			quota.Spec.Limits.Cpus = ptr.To(0.01)
			g.Expect(k8s.Update(ctx, quota.DeepCopy(), client.DryRunAll)).To(MatchError(ContainSubstring("(use 'force' flag to bypass this check)")))
			quota.Annotations = map[string]string{v1alpha1.ForceAnnotation: "true"}
			g.Expect(k8s.Update(ctx, quota)).To(Succeed())
		}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
		Consistently(func() bool { return slices.Equal(uids(ctx, second), before) }).WithContext(ctx).WithTimeout(5 * time.Second).Should(BeTrue())

		By("deleting the quota: all run")
		Expect(k8s.Delete(ctx, quota)).To(Succeed())
		eventuallyReady(ctx, third)
		Eventually(func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(quota), quota))
		}).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
	})

	It("holds for what others start, and while there is no manager", Serial, func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		quota := limit(ctx, namespace, 0.02)
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		labels := map[string]string{"app": "plain"}
		plain := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](3), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec: corev1.PodSpec{Containers: []corev1.Container{{
						Name: "web", Image: webImage,
						Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}},
					}}},
				},
			},
		}
		Expect(k8s.Create(ctx, plain)).To(Succeed())
		Eventually(func() []corev1.Pod { return podsIn(ctx, namespace) }).WithContext(ctx).WithTimeout(soon).Should(HaveLen(3))
		Consistently(func() []string { return started(ctx, namespace) }).WithContext(ctx).WithTimeout(5 * time.Second).Should(BeEmpty())
		managers(ctx, 1)
		Eventually(func() []string { return started(ctx, namespace) }).WithContext(ctx).WithTimeout(soon).Should(HaveLen(2))
		Eventually(waiting(quota)).WithContext(ctx).WithTimeout(soon).Should(HaveLen(1))
		out, err := tool(ctx, "kubectl-kdcos", "quota", "/"+namespace)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(ContainSubstring("ReplicaSet/plain-"))
		Expect(k8s.Delete(ctx, quota)).To(Succeed())
		Eventually(func() []string { return started(ctx, namespace) }).WithContext(ctx).WithTimeout(soon).Should(HaveLen(3))
	})
})

// limit sets a Quota of CPUs that goes with the story, and waits until it holds.
func limit(ctx SpecContext, namespace string, cpus float64) *v1alpha1.Quota {
	GinkgoHelper()
	quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: v1alpha1.QuotaSpec{Limits: &v1alpha1.QuotaResources{Cpus: &cpus}}}
	Expect(k8s.Create(ctx, quota)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, quota))).To(Succeed())
	})
	Eventually(func() bool {
		probe := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: webImage}}},
		}
		return k8s.Create(ctx, probe, client.DryRunAll) == nil && len(probe.Spec.SchedulingGates) > 0
	}).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
	return quota
}

// waiting are the owners of the pods in line, in order.
func waiting(quota *v1alpha1.Quota) func(context.Context) []string {
	return func(ctx context.Context) []string {
		seen := &v1alpha1.Quota{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(quota), seen)).To(Succeed())
		var owners []string
		for _, w := range seen.Status.Waiting {
			owners = append(owners, w.Owner)
		}
		return owners
	}
}

func podsIn(ctx context.Context, namespace string) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	return list.Items
}

// started are the pods of a namespace that have a node.
func started(ctx context.Context, namespace string) []string {
	GinkgoHelper()
	var names []string
	for _, pod := range podsIn(ctx, namespace) {
		if pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	return names
}
