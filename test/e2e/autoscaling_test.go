// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var _ = Describe("A HorizontalPodAutoscaler", Serial, func() {
	It("scales an App under load, and back", func(ctx SpecContext) {
		metrics(ctx)
		app := healthy(web(newNamespace(ctx), "web", 1))
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := uids(ctx, app)
		Expect(k8s.Create(ctx, &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Name: app.Name},
				MaxReplicas:    3,
				Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](50)},
				}}},
				Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)}},
			},
		})).To(Succeed())
		load := startLoad(ctx, service(ctx, app))
		Eventually(func(g Gomega) {
			g.Expect(*get(ctx, g, app).Spec.Instances).To(BeEquivalentTo(3))
		}).WithTimeout(4 * time.Minute).Should(Succeed())
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(ContainElements(first), "scaling restarts none")
		load()
		Eventually(func(g Gomega) {
			g.Expect(*get(ctx, g, app).Spec.Instances).To(BeEquivalentTo(1))
			g.Expect(uids(ctx, app)).To(HaveLen(1))
		}).WithTimeout(4 * time.Minute).Should(Succeed())
	})
})

// metrics runs the metrics server of Kubernetes beside the cluster until the
// story ends: what it tells comes from the kubelets.
func metrics(ctx SpecContext) {
	GinkgoHelper()
	const name, port = "metrics-server", int32(10350)
	directory, err := tool(ctx, "localcluster", "assets")
	Expect(err).NotTo(HaveOccurred(), directory)
	lines := strings.Split(strings.TrimSpace(directory), "\n")
	address := towards(config.Host)
	command := exec.Command(filepath.Join(lines[len(lines)-1], name), //nolint:noctx // a program that localcluster built; it ends with the story
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--bind-address="+address, "--secure-port=10350", "--cert-dir="+GinkgoT().TempDir(),
		"--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--metric-resolution=10s", "--kubelet-request-timeout=5s")
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(command.Process.Kill()).To(Succeed())
		_ = command.Wait()
	})
	meta := metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name}
	slice := metav1.ObjectMeta{Namespace: meta.Namespace, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}}
	api := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v1beta1.metrics.k8s.io"},
		"spec": map[string]any{
			"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"insecureSkipTLSVerify": true, "service": map[string]any{"name": name, "namespace": meta.Namespace},
		},
	}}
	for _, obj := range []client.Object{
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "https", Port: 443}}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: slice, AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: ptr.To("https"), Port: ptr.To(port)}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}},
		},
		api,
	} {
		Expect(k8s.Create(ctx, obj)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, obj))).To(Succeed()) })
	}
}

// towards is the address of this machine that a host of the cluster sees.
func towards(host string) string {
	GinkgoHelper()
	to, err := url.Parse(host)
	Expect(err).NotTo(HaveOccurred())
	connection, err := net.Dial("udp", to.Host) //nolint:noctx // sends nothing
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	address, _, err := net.SplitHostPort(connection.LocalAddr().String())
	Expect(err).NotTo(HaveOccurred())
	return address
}
