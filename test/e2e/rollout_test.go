// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Rollouts", func() {
	It("scale without a restart", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 2)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		out, err := tool(ctx, "kubectl", "scale", "dapp", "web", "-n", app.Namespace, "--replicas=5")
		Expect(err).NotTo(HaveOccurred(), out)
		Eventually(func() int { return len(uids(ctx, app)) }).WithTimeout(soon).Should(Equal(5))
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(ContainElements(before))
		for _, p := range pods(ctx, app) {
			Expect(p.Status.ContainerStatuses[0].RestartCount).To(BeZero())
		}
	})

	DescribeTable("upgrade by Marathon's arithmetic", func(ctx SpecContext, health, over float64, atMost, atLeast int) {
		app := healthy(web(newNamespace(ctx), "web", 4))
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: &health, MaximumOverCapacity: &over}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		count := follow(ctx, app, 4)
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		eventuallyReady(ctx, app)
		most, least := count.result()
		Expect(most).To(Equal(atMost), "instances at once")
		Expect(least).To(Equal(atLeast), "healthy instances")
		Expect(uids(ctx, app)).To(HaveLen(4))
		Expect(uids(ctx, app)).NotTo(ContainElements(before))
	},
		Entry("{1, 1}: twice the instances, none missing", 1.0, 1.0, 8, 4),
		Entry("{0.5, 0.25}: half stays, one more", 0.5, 0.25, 5, 2),
		Entry("{0, 0}: none stays, none more", 0.0, 0.0, 4, 0),
		Entry("{1, 0}: all stay, so one more", 1.0, 0.0, 5, 4),
	)

	It("lose no request at {1, 1} under load", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 3))
		setEnv(&app.Spec, "DRAIN_SECONDS", "3")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		url := service(ctx, app)
		load := startLoad(ctx, url)
		for release := range 3 {
			change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", fmt.Sprint(release)) })
			eventuallyReady(ctx, app)
		}
		requests, failures := load()
		AddReportEntry("requests during three upgrades", requests)
		Expect(failures).To(BeEmpty(), "of %d requests", requests)
		Expect(requests).To(BeNumerically(">", 500))
	})

	It("go back to a version with the old pods that are left", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 2))
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		By("upgrading to what never gets healthy")
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "READY_AFTER", "3600") })
		Eventually(func(g Gomega) {
			reconciling := condition(get(ctx, g, app), v1alpha1.ConditionReconciling)
			g.Expect(reconciling).NotTo(BeNil())
			g.Expect(reconciling.Message).To(ContainSubstring("2 of 2 instances run the new configuration, 2 the old"))
			g.Expect(condition(app, v1alpha1.ConditionReady).Status).To(BeEquivalentTo("True"))
		}).WithTimeout(soon).Should(Succeed())
		out, err := tool(ctx, "kubectl-kdcos", "rollback", "web", "-n", app.Namespace)
		Expect(err).NotTo(HaveOccurred(), out)
		eventuallyReady(ctx, app)
		Eventually(func() int { return len(pods(ctx, app)) }).WithTimeout(soon).Should(Equal(2))
		Expect(uids(ctx, app)).To(ConsistOf(before))
	})
})

var _ = Describe("Upgrades that are watched", func() {
	It("go back by themselves when their deadline passes, and lose no request", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 3))
		setEnv(&app.Spec, "DRAIN_SECONDS", "3")
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.5), MaximumOverCapacity: ptr.To(0.0)}
		app.Spec.Rollout = &v1alpha1.Rollout{ProgressDeadlineSeconds: ptr.To[int32](10), OnFailure: ptr.To(v1alpha1.FailureRollback)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before, good := uids(ctx, app), app.Status.Version
		load := startLoad(ctx, service(ctx, app))
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "READY_AFTER", "3600") })
		Eventually(func(g Gomega) {
			stalled := condition(get(ctx, g, app), v1alpha1.ConditionStalled)
			g.Expect(stalled).NotTo(BeNil())
			g.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonRolledBack))
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		Expect(app.Status.RolledBack.To).To(Equal(good))
		var stayed int
		for _, uid := range uids(ctx, app) {
			if slices.Contains(before, uid) {
				stayed++
			}
		}
		Expect(uids(ctx, app)).To(HaveLen(3))
		Expect(stayed).To(Equal(2), "half of three, rounded up, was kept all the time")
		requests, failures := load()
		Expect(failures).To(BeEmpty(), "of %d requests", requests)
		out, err := tool(ctx, "kubectl-kdcos", "status", "web", "-n", app.Namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("RolledBack"))
	})

	It("wait at a canary until somebody lets them go on", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 3))
		app.Spec.Rollout = &v1alpha1.Rollout{CanaryInstances: ptr.To[int32](1)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", "2") })
		waits := func(canaries int) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				c := condition(get(ctx, g, app), v1alpha1.ConditionReconciling)
				g.Expect(c).NotTo(BeNil())
				g.Expect(c.Reason).To(Equal(v1alpha1.ReasonPaused))
				g.Expect(app.Status.InstancesUpToDate).To(BeEquivalentTo(canaries))
				g.Expect(uids(ctx, app)).To(HaveLen(3))
			}).WithTimeout(soon).Should(Succeed())
		}
		waits(1)
		out, err := tool(ctx, "kubectl-kdcos", "resume", "web", "--canary", "2", "-n", app.Namespace)
		Expect(err).NotTo(HaveOccurred(), out)
		waits(2)
		out, err = tool(ctx, "kubectl-kdcos", "resume", "web", "--wait", "-n", app.Namespace)
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(get(ctx, Default, app).Status.InstancesUpToDate).To(BeEquivalentTo(3))
	})
})

// startLoad waits for a first answer and then sends requests until what it
// returns is called, which tells how many there were and what went wrong.
func startLoad(ctx SpecContext, url string) func() (int, []string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		code, _, err := fetch(ctx, url)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(code).To(Equal(200))
	}).WithTimeout(soon).Should(Succeed())
	running, cancel := context.WithCancel(context.Background())
	var requests atomic.Int64
	failures := make(chan []string, 4)
	for range cap(failures) {
		go func() {
			var bad []string
			for running.Err() == nil {
				// A request under way when the load ends is none that failed.
				code, body, err := fetch(context.Background(), url)
				requests.Add(1)
				if err != nil || code != 200 {
					bad = append(bad, fmt.Sprintf("%s: %d %s %v", time.Now().Format(time.TimeOnly), code, body, err))
				}
				time.Sleep(5 * time.Millisecond)
			}
			failures <- bad
		}()
	}
	return func() (int, []string) {
		cancel()
		var all []string
		for range cap(failures) {
			all = append(all, <-failures...)
		}
		return int(requests.Load()), all
	}
}

var _ = Describe("Placement", func() {
	It("keeps private and public nodes apart", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		for _, c := range []struct {
			name  string
			roles []string
			pools []string
		}{
			{"unset", nil, []string{""}},
			{"private", []string{"*"}, []string{""}},
			{"public", []string{v1alpha1.RolePublic}, []string{v1alpha1.RolePublic}},
			{"both", []string{"*", v1alpha1.RolePublic}, []string{"", v1alpha1.RolePublic}},
		} {
			app := web(namespace, c.name, 4)
			app.Spec.AcceptedResourceRoles = c.roles
			Expect(k8s.Create(ctx, app)).To(Succeed())
			eventuallyReady(ctx, app)
			for _, role := range rolesOf(ctx, app) {
				Expect(c.pools).To(ContainElement(role), c.name)
			}
		}
	})

	It("gives ports of the node to apps on its network", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "host", 2)
		setLabel(ctx, app.Namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		app.Spec.Networks = nil
		app.Spec.Container.PortMappings = nil
		app.Spec.PortDefinitions = []v1alpha1.PortDefinition{{Name: ptr.To("http")}, {Name: ptr.To("admin")}}
		app.Spec.HealthChecks = []v1alpha1.HealthCheck{{Protocol: v1alpha1.HealthHTTP, Path: ptr.To("/health"), PortIndex: ptr.To[int32](1)}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		for _, p := range pods(ctx, app) {
			for _, port := range p.Spec.Containers[0].Ports {
				code, _, err := fetch(ctx, fmt.Sprintf("http://%s:%d/", p.Status.HostIP, port.HostPort))
				Expect(err).NotTo(HaveOccurred())
				Expect(code).To(Equal(200))
			}
		}
	})
})
