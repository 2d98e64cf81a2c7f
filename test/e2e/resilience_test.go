// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("Failures", Serial, func() {
	It("of a task are healed, by the kubelet alone while the manager is down", func(ctx SpecContext) {
		app := healthy(web(newNamespace(ctx), "web", 1))
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		pod := &pods(ctx, app)[0]
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		kill(pod)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
			g.Expect(pod.Status.ContainerStatuses[0].RestartCount).To(BeEquivalentTo(1))
			g.Expect(podReady(pod)).To(BeTrue())
		}).WithTimeout(soon).Should(Succeed())
		managers(ctx, 1)
		Eventually(func(g Gomega) {
			failure := get(ctx, g, app).Status.LastTaskFailure
			g.Expect(failure).NotTo(BeNil())
			g.Expect(failure.Message).To(ContainSubstring("137"))
		}).WithTimeout(time.Minute).Should(Succeed())
	})

	It("of a task again and again move it to a new pod, later and later", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 1)
		setEnv(&app.Spec, "EXIT_AFTER", "0.1")
		setEnv(&app.Spec, "EXIT_CODE", "7")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		seen := map[string]bool{}
		Eventually(func() int {
			for _, uid := range uids(ctx, app) {
				seen[string(uid)] = true
			}
			return len(seen)
		}).WithTimeout(2 * time.Minute).Should(BeNumerically(">=", 3))
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonBackOff))
			g.Expect(ready.Message).To(ContainSubstring("exit code 7"))
			g.Expect(app.Status.Backoff.Failures).To(BeNumerically(">=", 3))
		}).WithTimeout(time.Minute).Should(Succeed())
		change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "EXIT_AFTER", "") })
		eventuallyReady(ctx, app)
	})

	It("to pull an image are told", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 1)
		app.Spec.Container.Docker.Image = "kdcos/no-such-image:1"
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonImagePull))
			g.Expect(ready.Message).To(ContainSubstring("no-such-image"))
		}).WithTimeout(time.Minute).Should(Succeed())
	})

	It("of the manager, killed in the middle of upgrades, change nothing about how they end", func(ctx SpecContext) {
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		start := managerProcess(ctx)
		app := healthy(web(newNamespace(ctx), "web", 4))
		app.Spec.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: new(1.0), MaximumOverCapacity: new(0.5)}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		crash := start()
		eventuallyReady(ctx, app)
		for i := range 10 {
			count := follow(ctx, app, 4)
			change(ctx, app, func(s *v1alpha1.AppSpec) { setEnv(s, "RELEASE", fmt.Sprint(i)) })
			for range 1 + i%3 {
				time.Sleep(time.Duration(rand.IntN(2500)) * time.Millisecond)
				crash()
				crash = start()
			}
			eventuallyReady(ctx, app)
			Expect(slots(ctx, app)).To(ConsistOf("0", "1", "2", "3"), "upgrade %d", i)
			most, least := count.result()
			Expect(most).To(BeNumerically("<=", 6), "upgrade %d: instances at once", i)
			Expect(least).To(BeNumerically(">=", 4), "upgrade %d: healthy instances", i)
		}
		Expect(recorded(ctx, app)).To(Equal(10))
		crash()
	})

	It("of a node move its tasks, and its return doubles none", func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 4)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		home := homeOfManager(ctx)
		lost := ""
		for _, p := range pods(ctx, app) {
			if p.Spec.NodeName != home {
				lost = p.Spec.NodeName
			}
		}
		Expect(lost).NotTo(BeEmpty())
		DeferCleanup(func(ctx SpecContext) { node(ctx, "start", lost) })
		node(ctx, "stop", lost)
		stopped := time.Now()
		Eventually(func(g Gomega) {
			running := 0
			for _, p := range pods(ctx, app) {
				if p.Spec.NodeName != lost && podReady(&p) {
					running++
				}
			}
			g.Expect(running).To(Equal(4))
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		AddReportEntry("all tasks run elsewhere after", time.Since(stopped).Round(time.Second).String())
		node(ctx, "start", lost)
		Eventually(func() int { return len(pods(ctx, app)) }).WithTimeout(2 * time.Minute).Should(Equal(4))
		eventuallyReady(ctx, app)
	})
})

var _ = Describe("At rest", Serial, func() {
	It("the manager neither writes nor lists", func(ctx SpecContext) {
		// What other stories leave behind is no rest.
		Eventually(func(g Gomega) {
			var all corev1.NamespaceList
			g.Expect(k8s.List(ctx, &all)).To(Succeed())
			for i := range all.Items {
				g.Expect(all.Items[i].Name).NotTo(HavePrefix("story-"))
			}
		}).WithTimeout(2 * time.Minute).Should(Succeed())
		namespace := newNamespace(ctx)
		for i := range 50 {
			app := web(namespace, fmt.Sprintf("app-%d", i), 1)
			if i%5 == 0 {
				withVIPs(app, "/"+namespace+":80", fmt.Sprintf("/%s/%d:80", namespace, i))
			}
			Expect(k8s.Create(ctx, app)).To(Succeed())
		}
		for i := range 50 {
			eventuallyReady(ctx, web(namespace, fmt.Sprintf("app-%d", i), 1))
		}
		rest := time.Minute
		if text := os.Getenv("KDCOS_E2E_REST"); text != "" {
			var err error
			rest, err = time.ParseDuration(text)
			Expect(err).NotTo(HaveOccurred())
		}
		// What was under way when the last App got ready may come in yet.
		time.Sleep(2 * time.Second)
		from := time.Now()
		time.Sleep(rest)
		Expect(audited(from, "system:serviceaccount:"+system+":", "create", "update", "patch", "delete", "deletecollection", "list")).To(BeEmpty())
		// The log is one that would show it.
		Expect(audited(from.Add(-10*time.Minute), "system:serviceaccount:"+system+":", "create", "patch")).NotTo(BeEmpty())
	})
})

// managerProcess returns what starts the manager beside the cluster, with the
// rights of the installed one; what that returns kills it.
func managerProcess(ctx SpecContext) func() (crash func()) {
	GinkgoHelper()
	var accounts corev1.ServiceAccountList
	Expect(k8s.List(ctx, &accounts, client.InNamespace(system), ofManager)).To(Succeed())
	name := ""
	for i := range accounts.Items {
		if accounts.Items[i].Name != "default" {
			name = accounts.Items[i].Name
		}
	}
	Expect(name).NotTo(BeEmpty())
	token, err := clientset.CoreV1().ServiceAccounts(system).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "c",
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token.Status.Token}},
	}, file)).To(Succeed())
	return func() func() {
		GinkgoHelper()
		command := exec.Command(binary("manager"), "--kubeconfig", file, "--metrics-bind-address", "0", "--health-probe-bind-address", "0")
		command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
		Expect(command.Start()).To(Succeed())
		killed := false
		crash := func() {
			if !killed {
				killed = true
				_ = command.Process.Kill()
				_ = command.Wait()
			}
		}
		DeferCleanup(crash)
		return crash
	}
}

func slots(ctx SpecContext, app *v1alpha1.App) []string {
	GinkgoHelper()
	var all []string
	for _, p := range pods(ctx, app) {
		all = append(all, p.Labels[v1alpha1.SlotLabel])
	}
	return all
}

// recorded is the number of versions of an App that were replaced.
func recorded(ctx SpecContext, app *v1alpha1.App) int {
	GinkgoHelper()
	list, err := clientset.AppsV1().ControllerRevisions(app.Namespace).List(ctx, metav1.ListOptions{LabelSelector: workload.Selector(app)})
	Expect(err).NotTo(HaveOccurred())
	return len(list.Items)
}

func homeOfManager(ctx SpecContext) string {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(system), ofManager)).To(Succeed())
	Expect(list.Items).NotTo(BeEmpty())
	return list.Items[0].Spec.NodeName
}

func rolesOf(ctx SpecContext, app *v1alpha1.App) []string {
	GinkgoHelper()
	var all []string
	for _, p := range pods(ctx, app) {
		n := &corev1.Node{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: p.Spec.NodeName}, n)).To(Succeed())
		all = append(all, n.Labels[v1alpha1.NodeRoleLabel])
	}
	return all
}

// audited are the requests of a user since a time, leases left out.
func audited(from time.Time, user string, verbs ...string) []string {
	GinkgoHelper()
	file, err := os.Open(filepath.Join(filepath.Dir(kubeconfig), "cluster", "logs", "audit.log"))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	wanted := map[string]bool{}
	for _, v := range verbs {
		wanted[v] = true
	}
	var found []string
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		var event struct {
			Verb       string           `json:"verb"`
			RequestURI string           `json:"requestURI"`
			Received   metav1.MicroTime `json:"requestReceivedTimestamp"`
			User       struct {
				Username string `json:"username"`
			} `json:"user"`
		}
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Received.Time.Before(from) || !wanted[event.Verb] ||
			!strings.HasPrefix(event.User.Username, user) || strings.Contains(event.RequestURI, "/leases") {
			continue
		}
		found = append(found, event.Verb+" "+event.RequestURI)
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return found
}
