// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	testdata "github.com/kdcos/kdcos/internal/testkit/recorded"
	"github.com/kdcos/kdcos/internal/workload"
)

// standIns take the place of what the pods of Marathon's system tests have and
// a local cluster has not.
var standIns = strings.NewReplacer(
	// Nothing is pulled here.
	`"id": "nginx"`, `"id": "`+webImage+`"`,
	`"id": "debian:jessie"`, `"id": "`+webImage+`"`,
	// It served on a port of its own choice; the test server's is port 80 of the node.
	`"name": "simple-docker",`, `"name": "simple-docker", "exec": {"command": {"shell": "sleep 1000000"}},`,
	`"id": "mesosphere/simple-docker-ee:latest"`, `"id": "`+webImage+`"`,
	// The Python of a DC/OS agent, which containers without an image found there.
	`/opt/mesosphere/bin/python -m http.server $`, `exec /web -listen :$`,
	// A server that was fetched by the test, told its port by a variable of Marathon 1.4.
	`. /opt/mesosphere/environment.export && ./test_server.py $PORT_`, `exec /web -listen :$ENDPOINT_`,
	// Four stories share the room of two cores.
	`"cpus": 1,`, `"cpus": 0.05,`, `"cpus": 0.5,`, `"cpus": 0.05,`,
)

// pod is a pod of Marathon's system tests in a namespace, with stand-ins.
func pod(namespace, file string) *v1alpha1.App {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(testdata.Data(GinkgoTB()), "marathon", "pods", file))
	Expect(err).NotTo(HaveOccurred())
	items, err := marathon.Decode([]byte(standIns.Replace(string(text))))
	Expect(err).NotTo(HaveOccurred())
	Expect(items).To(HaveLen(1))
	app, err := items[0].ToApp(marathon.Options{})
	Expect(err).NotTo(HaveOccurred())
	app.Namespace = namespace
	return app
}

// together is an App of a server, a container beside it that ends with the code
// it finds in a file, and one that does its work and ends.
func together(namespace string) *v1alpha1.App {
	small := &v1alpha1.PodResources{Cpus: ptr.To(0.01), Mem: ptr.To(16.0)}
	shell := func(text string) *v1alpha1.PodExec {
		return &v1alpha1.PodExec{Command: v1alpha1.ShellOrArgv{Shell: &text}}
	}
	return &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "together"},
		Spec: v1alpha1.AppSpec{
			Networks: []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
			Containers: []v1alpha1.PodContainer{
				{
					Name: "web", Image: &v1alpha1.PodImage{ID: webImage}, Resources: small,
					Env:       []v1alpha1.EnvVar{{Name: "DRAIN_SECONDS", Value: ptr.To("0.2")}},
					Endpoints: []v1alpha1.Endpoint{{Name: "http", ContainerPort: ptr.To[int32](80)}},
					HealthCheck: &v1alpha1.PodHealthCheck{
						HTTP: &v1alpha1.PodHTTPCheck{Endpoint: "http", Path: ptr.To("/health")}, IntervalSeconds: ptr.To[int32](2), TimeoutSeconds: ptr.To[int32](1),
						DelaySeconds: ptr.To[int32](0), GracePeriodSeconds: ptr.To[int32](30),
					},
				},
				{Name: "beside", Image: &v1alpha1.PodImage{ID: webImage}, Resources: small, Exec: shell("sleep 1000000")},
				{Name: "once", Resources: small, Exec: shell("echo done > out/done"), VolumeMounts: []v1alpha1.VolumeMount{{Name: "shared", MountPath: "out"}}},
			},
			Volumes: []v1alpha1.PodVolume{{Name: "shared"}},
		},
	}
}

// relaunched waits until an instance was launched anew as a whole, for a reason
// that the App tells.
func relaunched(ctx SpecContext, app *v1alpha1.App, before *corev1.Pod, because string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		failure := get(ctx, g, app).Status.LastTaskFailure
		g.Expect(failure).NotTo(BeNil())
		g.Expect(failure.Message).To(ContainSubstring(because))
		now := uids(ctx, app)
		g.Expect(now).To(HaveLen(1))
		g.Expect(now).NotTo(ContainElement(before.UID))
	}).WithTimeout(soon).Should(Succeed())
	eventuallyReady(ctx, app)
	for _, c := range pods(ctx, app)[0].Status.ContainerStatuses {
		Expect(c.RestartCount).To(BeZero(), "the kubelet started %s by itself", c.Name)
	}
}

var _ = Describe("Several containers", func() {
	DescribeTable("of Marathon's system tests run", func(ctx SpecContext, file string) {
		namespace := newNamespace(ctx)
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		setLabel(ctx, namespace, v1alpha1.AllowHostPathLabel, `"true"`)
		app := pod(namespace, file)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		Expect(pods(ctx, app)[0].Spec.Containers).To(HaveLen(len(app.Spec.Containers)))
	},
		Entry(nil, "container-bridge-pod.json"), Entry(nil, "container-net-pod.json"), Entry(nil, "ephemeral-volume-pod.json"),
		Entry(nil, "persistent-volume-pod.json"), Entry(nil, "ports-pod.json"), Entry(nil, "private-docker-pod.json"),
		Entry(nil, "simple-pod.json"), Entry(nil, "test-pod.json"),
	)

	It("share a directory", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		app := pod(namespace, "ephemeral-volume-pod.json")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		Eventually(func() (string, error) {
			raw, err := clientset.CoreV1().Pods(namespace).GetLogs(pods(ctx, app)[0].Name, &corev1.PodLogOptions{Container: "ct2"}).DoRaw(ctx)
			return string(raw), err
		}).WithTimeout(soon).Should(ContainSubstring("the current time is"))
	})

	It("are launched anew together when one fails, and not when one ends well", func(ctx SpecContext) {
		app := together(newNamespace(ctx))
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		first := pods(ctx, app)[0]
		once := workload.StatusOf(first.Status.ContainerStatuses, "once")
		Expect(once.State.Terminated).NotTo(BeNil())
		Expect(once.State.Terminated.ExitCode).To(BeZero())
		Consistently(func() []any { return []any{uids(ctx, app)[0]} }).WithTimeout(3 * time.Second).Should(ConsistOf(first.UID))

		killContainer(workload.StatusOf(first.Status.ContainerStatuses, "beside").ContainerID)
		relaunched(ctx, app, &first, "container beside: exit code 137")

		second := pods(ctx, app)[0]
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+net.JoinHostPort(second.Status.PodIP, "80")+"/health/off", http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		answer, err := browser.Do(request)
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Body.Close()).To(Succeed())
		// The server ends with 0 when it is told to: that it was, says the check.
		Eventually(func(g Gomega) {
			now := uids(ctx, app)
			g.Expect(now).To(HaveLen(1))
			g.Expect(now).NotTo(ContainElement(second.UID))
		}).WithTimeout(soon).Should(Succeed())
		eventuallyReady(ctx, app)
		Expect(get(ctx, Default, app).Status.TasksHealthy).To(BeEquivalentTo(1))
	})

	It("are upgraded together", func(ctx SpecContext) {
		app := together(newNamespace(ctx))
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		before := uids(ctx, app)
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.KillSelection = v1alpha1.OldestFirst })
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(Equal(before), "killSelection of a pod restarts nothing")
		change(ctx, app, func(s *v1alpha1.AppSpec) {
			s.Containers[1].Env = []v1alpha1.EnvVar{{Name: "A", Value: ptr.To("b")}}
		})
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).To(HaveLen(1))
		Expect(uids(ctx, app)).NotTo(Equal(before))
		raw, err := json.Marshal(pods(ctx, app)[0].Spec.Containers[1].Env)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(raw)).To(ContainSubstring(`"name":"A","value":"b"`))
	})
})
