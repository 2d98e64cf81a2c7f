// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("Programs", func() {
	It("reach tasks by the names that they had on DC/OS, on the network of pods and of nodes", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		server := withVIPs(web(namespace, "server", 2), "/"+namespace+"/server:8080")
		Expect(k8s.Create(ctx, server)).To(Succeed())
		eventuallyReady(ctx, server)
		var gets []string
		for _, host := range []string{
			"server-" + namespace + ".marathon.mesos",
			"server." + namespace + ".marathon.mesos",
			"server-" + namespace + ".marathon.autoip.dcos.thisdcos.directory",
			namespace + "server.marathon.l4lb.thisdcos.directory:8080",
		} {
			gets = append(gets, "/web get http://"+host+"/info")
		}
		clients := []*v1alpha1.App{web(namespace, "client", 1), onHost(web(namespace, "client-on-host", 1))}
		for _, c := range clients {
			c.Spec.HealthChecks = []v1alpha1.HealthCheck{{
				Protocol: v1alpha1.HealthCommand, Command: &v1alpha1.HealthCommandValue{Value: strings.Join(gets, " && ")},
				GracePeriodSeconds: ptr.To[int32](300), IntervalSeconds: ptr.To[int32](1), TimeoutSeconds: ptr.To[int32](10),
			}}
			Expect(k8s.Create(ctx, c)).To(Succeed())
		}
		for _, c := range clients {
			eventuallyReady(ctx, c)
		}
	})

	It("lose these names when the cluster's DNS is told to forget them, and nothing else", Serial, func(ctx SpecContext) {
		corefile := func() string {
			GinkgoHelper()
			c := &corev1.ConfigMap{}
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kube-system", Name: "coredns"}, c)).To(Succeed())
			return c.Data["Corefile"]
		}
		stubDomains := func(verb string) {
			GinkgoHelper()
			out, err := tool(ctx, "kubectl-kdcos", "stub-domains", verb)
			Expect(err).NotTo(HaveOccurred(), out)
		}
		knows := func(name string) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			_, err := clusterResolver(ctx).LookupHost(ctx, name)
			return err
		}
		with := corefile()
		Expect(with).To(ContainSubstring("# BEGIN kdcos"))
		DeferCleanup(func(ctx SpecContext) { _, _ = tool(ctx, "kubectl-kdcos", "stub-domains", "add") })
		const patience = time.Minute
		Eventually(func() error { return knows("ns1.mesos.") }).WithContext(ctx).WithTimeout(patience).Should(Succeed())

		stubDomains("remove")
		without, _, _ := strings.Cut(with, "# BEGIN kdcos")
		Expect(corefile()).To(Equal(without))
		Eventually(func() error { return knows("ns1.mesos.") }).WithContext(ctx).WithTimeout(patience).ShouldNot(Succeed())
		Expect(knows("kubernetes.default.svc.cluster.local.")).To(Succeed())

		stubDomains("add")
		Expect(corefile()).To(Equal(with))
		Eventually(func() error { return knows("ns1.mesos.") }).WithContext(ctx).WithTimeout(patience).Should(Succeed())
	})
})

// clusterResolver asks the cluster's own DNS.
func clusterResolver(ctx context.Context) *net.Resolver {
	GinkgoHelper()
	s := &corev1.Service{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kube-system", Name: "kube-dns"}, s)).To(Succeed())
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(s.Spec.ClusterIP, "53"))
	}}
}
