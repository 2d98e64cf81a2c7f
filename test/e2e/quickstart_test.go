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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
)

var _ = Describe("The quick start", func() {
	It("runs the old hello_world, follows it, upgrades it and takes it back", func(ctx SpecContext) {
		file := filepath.Join(testkit.Root(), "config", "samples", "hello_world.json")
		out, err := tool(ctx, "kubectl-kdcos", "apply", "-f", file, "--wait", "--timeout", "90s")
		Expect(err).NotTo(HaveOccurred(), out)
		DeferCleanup(func(ctx SpecContext) {
			_, err := tool(ctx, "kubectl", "delete", "apps.kdcos.io", "--all", "-n", "default", "--wait")
			Expect(err).NotTo(HaveOccurred())
		})
		var apps v1alpha1.AppList
		Expect(k8s.List(ctx, &apps, client.InNamespace("default"))).To(Succeed())
		Expect(apps.Items).To(HaveLen(1))
		app := &apps.Items[0]
		Expect(app.Annotations).To(HaveKeyWithValue(v1alpha1.IDAnnotation, "/hello_world"))
		eventuallyReady(ctx, app)

		By("looking at the page")
		code, body, err := fetch(ctx, "http://"+pods(ctx, app)[0].Status.PodIP+"/")
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(200))
		Expect(body).To(And(ContainSubstring("Hello world!"), ContainSubstring("/hello_world"), ContainSubstring("hello_world.instance-")))

		By("asking for its status")
		out, err = tool(ctx, "kubectl-kdcos", "status", "/hello_world")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring("TASK_RUNNING"), ContainSubstring("hello_world.instance-"+string(pods(ctx, app)[0].UID))))

		By("restarting, listing versions, and going back")
		first := app.Status.Version
		before := uids(ctx, app)
		out, err = tool(ctx, "kubectl-kdcos", "restart", "/hello_world")
		Expect(err).NotTo(HaveOccurred(), out)
		Eventually(func() bool {
			now := uids(ctx, app)
			return len(now) == 1 && now[0] != before[0]
		}).WithTimeout(soon).Should(BeTrue())
		eventuallyReady(ctx, app)
		out, err = tool(ctx, "kubectl-kdcos", "versions", "/hello_world")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring(first), ContainSubstring(app.Status.Version)))
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Cpus = new(0.5) })
		eventuallyReady(ctx, app)
		out, err = tool(ctx, "kubectl-kdcos", "rollback", "/hello_world", "--to", first)
		Expect(err).NotTo(HaveOccurred(), out)
		eventuallyReady(ctx, app)
		Expect(*app.Spec.Cpus).To(Equal(1.0))
	})

	It("converts files, and tells of the bad ones", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		Expect(os.WriteFile(filepath.Join(dir, "good.json"), []byte(`[{"id":"/a/b","cmd":"sleep 1","container":{"docker":{"image":"x"}}},{"id":"/c","cmd":"x2","instances":"1"}]`), 0o600)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(dir, "bad.json"), []byte(`{`), 0o600)).To(Succeed())
		out, err := tool(ctx, "kubectl-kdcos", "convert", "-f", dir)
		Expect(err).To(HaveOccurred())
		Expect(out).To(And(ContainSubstring("name: b"), ContainSubstring("namespace: a"), ContainSubstring("bad.json"), ContainSubstring("/instances")))
	})

	It("runs every sample", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		// One of them is on the host network, and says so.
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		files, err := filepath.Glob(filepath.Join(testkit.Root(), "config", "samples", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			raw, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			for _, document := range strings.Split(string(raw), "\n---\n") {
				if strings.Contains(document, "kind: VirtualIP\n") {
					vip := &v1alpha1.VirtualIP{}
					Expect(yaml.UnmarshalStrict([]byte(document), vip)).To(Succeed(), file)
					vip.Namespace = namespace
					Expect(k8s.Create(ctx, vip)).To(Succeed(), file)
					continue
				}
				if strings.Contains(document, "kind: NodePool\n") {
					poolSample(ctx, file, document)
					continue
				}
				if strings.Contains(document, "kind: Job\n") {
					runSample(ctx, namespace, file, document)
					continue
				}
				if strings.Contains(document, "kind: NodeMaintenance\n") {
					maintenanceSample(ctx, file, document)
					continue
				}
				if strings.Contains(document, "kind: Quota\n") {
					quotaSample(ctx, file, document)
					continue
				}
				app := &v1alpha1.App{}
				Expect(yaml.UnmarshalStrict([]byte(document), app)).To(Succeed(), file)
				app.Namespace = namespace
				delete(app.Annotations, v1alpha1.IDAnnotation)
				Expect(k8s.Create(ctx, app)).To(Succeed(), file)
				eventuallyReady(ctx, app)
				Expect(condition(app, v1alpha1.ConditionDiscoveryIncomplete)).To(BeNil(), file)
			}
		}
	})
})

// quotaSample makes the Quota of a sample, of a group that is not there.
func quotaSample(ctx SpecContext, file, document string) {
	GinkgoHelper()
	quota := &v1alpha1.Quota{}
	Expect(yaml.UnmarshalStrict([]byte(document), quota)).To(Succeed(), file)
	Expect(k8s.Create(ctx, quota)).To(Succeed(), file)
	DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, quota)).To(Succeed()) })
	Eventually(ctx, func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(quota), quota)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(quota.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}).WithTimeout(soon).Should(Succeed())
}

// poolSample makes the NodePool of a sample for the length of the spec.
func poolSample(ctx SpecContext, file, document string) {
	GinkgoHelper()
	pool := &v1alpha1.NodePool{}
	Expect(yaml.UnmarshalStrict([]byte(document), pool)).To(Succeed(), file)
	Expect(k8s.Create(ctx, pool)).To(Succeed(), file)
	DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, pool)).To(Succeed()) })
	Eventually(ctx, func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pool), pool)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(pool.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), file)
	}).WithTimeout(soon).Should(Succeed())
}

// runSample makes the Job of a sample, and runs it once.
func runSample(ctx context.Context, namespace, file, document string) {
	GinkgoHelper()
	job := &v1alpha1.Job{}
	Expect(yaml.UnmarshalStrict([]byte(document), job)).To(Succeed(), file)
	job.Namespace = namespace
	for i := range job.Spec.Dependencies {
		job.Spec.Dependencies[i].ID = namespace + "." + job.Spec.Dependencies[i].ID
	}
	Expect(k8s.Create(ctx, job)).To(Succeed(), file)
	Eventually(ctx, func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
		ready := meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
		g.Expect(meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionCronQuirk)).To(BeNil(), file)
	}).Should(Succeed())
	out, err := tool(ctx, "kubectl-kdcos", "run", job.Name, "-n", namespace, "--wait")
	Expect(err).NotTo(HaveOccurred(), out)
}
