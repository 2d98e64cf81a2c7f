// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit/hostaccess"
)

var _ = Describe("The policy about access to nodes", func() {
	It("refuses the exploit of 2017, until the namespace allows host paths", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		file := filepath.Join(GinkgoT().TempDir(), "exploit.json")
		definition := strings.Replace(hostaccess.Exploit, "/exploit", "/"+namespace+"/exploit", 1)
		Expect(os.WriteFile(file, []byte(definition), 0o600)).To(Succeed())
		out, err := tool(ctx, "kubectl-kdcos", "apply", "-f", file)
		Expect(err).To(HaveOccurred())
		Expect(out).To(And(ContainSubstring("spec.container.volumes"), ContainSubstring(v1alpha1.AllowHostPathLabel+"=true"),
			ContainSubstring(namespace), ContainSubstring(hostaccess.PolicyName)))

		// What it would do, with the volume read-only, so that it harms nobody.
		app := page(namespace, "exploit", `(echo x > /tmp/kdcos-was-here) 2>/dev/null && exit 1; cp /tmp/etc/os-release /www/`)
		app.Spec.Container.Volumes = []v1alpha1.Volume{{ContainerPath: "/tmp", HostPath: ptr.To("/"), Mode: v1alpha1.VolumeReadOnly}}
		refusedBy(ctx, app, v1alpha1.AllowHostPathLabel)

		By("allowing it")
		allow(ctx, app, v1alpha1.AllowHostPathLabel)
		Expect(read(ctx, app, "os-release")).To(ContainSubstring("ID="), "the image has no such file: it is the node's")

		By("taking the label away: what runs goes on, and may be scaled, not changed")
		forbid(ctx, app, v1alpha1.AllowHostPathLabel)
		out, err = tool(ctx, "kubectl", "scale", "apps.kdcos.io/exploit", "-n", namespace, "--replicas=2")
		Expect(err).NotTo(HaveOccurred(), out)
		Eventually(func() int { return len(uids(ctx, app)) }).WithTimeout(soon).Should(Equal(2))
		eventuallyReady(ctx, app)
		app.Spec.Cmd = ptr.To("sleep 9")
		Expect(k8s.Update(ctx, app)).To(MatchError(ContainSubstring(hostaccess.PolicyName)))
		out, err = tool(ctx, "kubectl", "delete", "apps.kdcos.io/exploit", "-n", namespace, "--cascade=foreground", "--timeout=60s")
		Expect(err).NotTo(HaveOccurred(), out)
	})

	It("refuses the node's namespaces and capabilities, and they are there once allowed", func(ctx SpecContext) {
		app := page(newNamespace(ctx), "node", `echo $$ > /www/pid; grep CapEff /proc/self/status > /www/capabilities`)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		Expect(strings.TrimSpace(read(ctx, app, "pid"))).To(Equal("1"), "the shell is the first process of its container")
		before := read(ctx, app, "capabilities")

		By("asking for the processes of the node and for all capabilities")
		app.Spec.Container.Docker.Parameters = []v1alpha1.DockerParameter{{Key: "pid", Value: "host"}}
		app.Spec.Container.Docker.Privileged = ptr.To(true)
		err := k8s.Update(ctx, app)
		Expect(err).To(MatchError(And(ContainSubstring(v1alpha1.AllowHostNamespacesLabel), ContainSubstring(v1alpha1.AllowPrivilegedLabel))))
		allow(ctx, app, v1alpha1.AllowHostNamespacesLabel, v1alpha1.AllowPrivilegedLabel)
		Expect(strings.TrimSpace(read(ctx, app, "pid"))).NotTo(Equal("1"))
		Expect(read(ctx, app, "capabilities")).NotTo(Equal(before))
	})

	It("refuses the node's network, and it is there once allowed", func(ctx SpecContext) {
		app := page(newNamespace(ctx), "network", `hostname > /www/hostname`)
		app.Spec.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}
		app.Spec.PortDefinitions = []v1alpha1.PortDefinition{{Port: ptr.To[int32](0)}}
		app.Spec.Container.PortMappings = nil
		refusedBy(ctx, app, v1alpha1.AllowHostNetworkLabel)
		allow(ctx, app, v1alpha1.AllowHostNetworkLabel)
		pod := pods(ctx, app)[0]
		Expect(pod.Status.PodIP).To(Equal(pod.Status.HostIP))
		Expect(strings.TrimSpace(read(ctx, app, "hostname"))).To(Equal(pod.Spec.NodeName))
	})
})

// page is an App that does something in a shell, and then serves /www.
func page(namespace, name, script string) *v1alpha1.App {
	app := web(namespace, name, 1)
	app.Spec.Container.Docker.Image = "busybox"
	app.Spec.Cmd = ptr.To("mkdir -p /www; " + script + `; exec httpd -f -p "$PORT0" -h /www`)
	return app
}

// read gets a file that a page serves.
func read(ctx SpecContext, app *v1alpha1.App, name string) string {
	GinkgoHelper()
	var body string
	Eventually(func(g Gomega) {
		pod := pods(ctx, app)[0]
		env := map[string]string{}
		for _, v := range pod.Spec.Containers[0].Env {
			env[v.Name] = v.Value
		}
		code, text, err := fetch(ctx, "http://"+pod.Status.PodIP+":"+env["PORT0"]+"/"+name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(code).To(Equal(200))
		body = text
	}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
	return body
}

func refusedBy(ctx SpecContext, app *v1alpha1.App, label string) {
	GinkgoHelper()
	err := k8s.Create(ctx, app.DeepCopy())
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	Expect(err).To(MatchError(And(ContainSubstring(hostaccess.PolicyName), ContainSubstring(label+"=true"))))
}

// allow labels the namespace of an App, brings the App in, and waits for it.
func allow(ctx SpecContext, app *v1alpha1.App, labels ...string) {
	GinkgoHelper()
	for _, label := range labels {
		setLabel(ctx, app.Namespace, label, `"true"`)
	}
	spec := app.Spec.DeepCopy()
	Eventually(func(ctx context.Context) error {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app)
		app.Spec = *spec.DeepCopy()
		if apierrors.IsNotFound(err) {
			return k8s.Create(ctx, app)
		}
		return k8s.Update(ctx, app)
	}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
	eventuallyReady(ctx, app)
}

// forbid takes a label away, and waits until the API server knows.
func forbid(ctx SpecContext, app *v1alpha1.App, label string) {
	GinkgoHelper()
	setLabel(ctx, app.Namespace, label, "null")
	Eventually(func() error {
		other := &v1alpha1.App{Spec: *app.Spec.DeepCopy()}
		other.Namespace, other.Name = app.Namespace, "probe"
		return k8s.Create(ctx, other, client.DryRunAll)
	}).WithContext(ctx).WithTimeout(soon).ShouldNot(Succeed())
}

func setLabel(ctx SpecContext, namespace, label, value string) {
	GinkgoHelper()
	object := &corev1.Namespace{}
	object.Name = namespace
	patch := `{"metadata": {"labels": {"` + label + `": ` + value + `}}}`
	Expect(k8s.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}
