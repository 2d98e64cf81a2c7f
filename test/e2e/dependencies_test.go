// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Dependencies", func() {
	It("order twenty apps that are applied and changed at once", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		// Each depends on one or two that come before it.
		var apps []*v1alpha1.App
		needs := map[int][]int{}
		for i := range 20 {
			app := healthy(web(namespace, fmt.Sprintf("app-%02d", i), 1))
			for _, d := range []int{(i - 1) / 3, i / 2} {
				if d < i && (len(needs[i]) == 0 || needs[i][0] != d) {
					needs[i] = append(needs[i], d)
					app.Spec.Dependencies = append(app.Spec.Dependencies, fmt.Sprintf("/%s/app-%02d", namespace, d))
				}
			}
			apps = append(apps, app)
		}
		inOrder := func(release string) {
			GinkgoHelper()
			started, ready := make([]time.Time, len(apps)), make([]time.Time, len(apps))
			for i, app := range apps {
				eventuallyReady(ctx, app)
				tasks := pods(ctx, app)
				Expect(tasks).To(HaveLen(1))
				started[i] = tasks[0].CreationTimestamp.Time
				ready[i] = taskCondition(tasks[0], string(corev1.PodReady)).LastTransitionTime.Time
				Expect(tasks[0].Spec.Containers[0].Env).To(ContainElement(HaveField("Value", release)))
			}
			for i, ds := range needs {
				for _, d := range ds {
					Expect(started[i]).NotTo(BeTemporally("<", ready[d]), "app %d started before %d was ready", i, d)
				}
			}
		}
		order := rand.Perm(len(apps))
		AddReportEntry("order", order)
		for _, i := range order {
			setEnv(&apps[i].Spec, "RELEASE", "first")
			Expect(k8s.Create(ctx, apps[i])).To(Succeed())
		}
		inOrder("first")
		for _, i := range rand.Perm(len(apps)) {
			change(ctx, apps[i], func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "second") })
		}
		inOrder("second")
	})
})
