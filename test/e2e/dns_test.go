// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsclient"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

var _ = Describe("Names", func() {
	It("of tasks are those of DC/OS, from the node, a pod on its network and a pod of the pod network", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		app := web(namespace, "checkout", 3)
		app.Spec.Container.PortMappings = append(app.Spec.Container.PortMappings, v1alpha1.PortMapping{ContainerPort: ptr.To[int32](81), Name: ptr.To("admin")})
		setEnv(&app.Spec, "PORTS", "81")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		server := dnsServer(ctx)
		for _, from := range []func(network, name, qtype string) *dnsclient.Answer{
			fromHost(ctx, server), fromPod(ctx, namespace, server, false), fromPod(ctx, namespace, server, true),
		} {
			checkNames(ctx, app, from)
		}
	})

	It("of tasks on the host network lead to their nodes", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		app := web(namespace, "web", 3)
		app.Spec.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}
		app.Spec.Container.PortMappings = nil
		app.Spec.PortDefinitions = []v1alpha1.PortDefinition{{Port: ptr.To[int32](0), Name: ptr.To("http")}, {Port: ptr.To[int32](0), Name: ptr.To("admin")}}
		app.Spec.Cmd = ptr.To("/web -listen :$PORT0,:$PORT1")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		ask := fromHost(ctx, dnsServer(ctx))
		task := "web-" + namespace
		nodes := map[string]bool{}
		for _, p := range pods(ctx, app) {
			nodes[p.Status.HostIP] = true
		}
		for _, name := range []string{task + ".marathon.mesos", task + ".marathon.autoip.dcos.thisdcos.directory", task + ".marathon.agentip.dcos.thisdcos.directory"} {
			Eventually(func(g Gomega) { g.Expect(addresses(ask("udp", name, "A"))).To(HaveLen(len(nodes))) }).WithContext(ctx).Should(Succeed())
		}
		for _, name := range []string{"_" + task + "._tcp.marathon.mesos", "_" + task + "._udp.marathon.slave.mesos"} {
			services := ask("tcp", name, "SRV")
			Expect(services.Answers).To(HaveLen(6), name)
			eachServed(ctx, ask, services)
		}
		Expect(ask("tcp", "_admin._"+task+"._tcp.marathon.mesos", "SRV").Answers).To(HaveLen(3))
	})

	It("are there within a second of their tasks, for 200 tasks at once", Serial, func(ctx SpecContext) {
		app := web(newNamespace(ctx), "many", 0)
		app.Spec.Mem, app.Spec.TaskKillGracePeriodSeconds = ptr.To(8.0), ptr.To[int32](1)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		delays := watchNames(ctx, app, dnsServer(ctx), 200)
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Instances = ptr.To[int32](200) })
		var all []time.Duration
		for range 200 {
			var d time.Duration
			Eventually(delays).WithContext(ctx).WithTimeout(4 * time.Minute).Should(Receive(&d))
			all = append(all, d)
		}
		slices.Sort(all)
		AddReportEntry("until names were there", fmt.Sprintf("median %s, p99 %s, most %s", all[100], all[197], all[199]))
		Expect(all[197]).To(BeNumerically("<", time.Second), "p99")
	})

	It("follow tasks while the manager is down", Serial, func(ctx SpecContext) {
		app := web(newNamespace(ctx), "web", 2)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		ask, name := fromHost(ctx, dnsServer(ctx)), "web-"+app.Namespace+".marathon.mesos"
		Eventually(func(g Gomega) { g.Expect(addresses(ask("udp", name, "A"))).To(HaveLen(2)) }).WithContext(ctx).Should(Succeed())
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		gone, stays := pods(ctx, app)[0], pods(ctx, app)[1]
		Expect(k8s.Delete(ctx, &gone)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(addresses(ask("udp", name, "A"))).To(ConsistOf(stays.Status.PodIP))
		}).WithContext(ctx).WithTimeout(5 * time.Second).WithPolling(20 * time.Millisecond).Should(Succeed())
		Expect(k8s.Delete(ctx, &stays)).To(Succeed())
		Eventually(func() string { return ask("udp", name, "A").Status }).WithContext(ctx).WithTimeout(5 * time.Second).Should(Equal("NXDOMAIN"))
	})
})

// checkNames asks for all names of an App with the ports http and admin.
func checkNames(ctx SpecContext, app *v1alpha1.App, ask func(network, name, qtype string) *dnsclient.Answer) {
	GinkgoHelper()
	var own, agents []string
	for _, p := range pods(ctx, app) {
		own, agents = append(own, p.Status.PodIP), append(agents, p.Status.HostIP)
	}
	slices.Sort(agents)
	agents = slices.Compact(agents)
	label, raw := app.Name+"-"+app.Namespace, app.Name+"."+app.Namespace
	for name, want := range map[string][]string{
		label + ".marathon.mesos":                               own,
		raw + ".marathon.mesos":                                 own,
		label + ".marathon.mesos.thisdcos.directory":            own,
		label + ".marathon.slave.mesos":                         agents,
		label + ".marathon.autoip.dcos.thisdcos.directory":      own,
		label + ".marathon.containerip.dcos.thisdcos.directory": own,
		label + ".marathon.agentip.dcos.thisdcos.directory":     agents,
	} {
		Expect(addresses(ask("udp", name, "A"))).To(ConsistOf(want), name)
		other := ask("udp", name, "AAAA")
		Expect(other.Status).To(Equal("NOERROR"), name)
		Expect(other.Answers).To(BeEmpty(), name)
		Expect(other.Authority).To(HaveLen(1), name)
	}
	for _, n := range []string{label, raw} {
		cut := ask("udp", "_"+n+"._tcp.marathon.mesos", "SRV")
		Expect(cut.Truncated).To(BeTrue(), "six services and their addresses in 512 bytes")
		services := ask("tcp", "_"+n+"._tcp.marathon.mesos", "SRV")
		Expect(services.Truncated).To(BeFalse())
		Expect(services.Answers).To(HaveLen(6))
		Expect(services.Additional).To(HaveLen(3))
		eachServed(ctx, ask, services)
		http := ask("tcp", "_http._"+n+"._tcp.marathon.mesos", "SRV")
		Expect(http.Answers).To(HaveLen(3))
		for _, s := range http.Answers {
			Expect(s.Port).To(BeEquivalentTo(80))
		}
	}
	Expect(ask("udp", "no-"+label+".marathon.mesos", "A").Status).To(Equal("NXDOMAIN"))
	Expect(ask("udp", "kubernetes.io", "A").Status).To(Equal("REFUSED"))
}

// eachServed follows services to what they lead to, and asks there.
func eachServed(ctx SpecContext, ask func(network, name, qtype string) *dnsclient.Answer, services *dnsclient.Answer) {
	GinkgoHelper()
	for _, s := range services.Answers {
		address := addresses(ask("udp", s.Target, "A"))
		Expect(address).To(HaveLen(1), s.Target)
		for _, a := range services.Additional {
			if a.Name == s.Target {
				Expect(a.Value).To(Equal(address[0]), s.Target)
			}
		}
		// A task without a health check is there as soon as it runs.
		Eventually(func(g Gomega) {
			status, _, err := fetch(ctx, "http://"+net.JoinHostPort(address[0], fmt.Sprint(s.Port)))
			g.Expect(err).NotTo(HaveOccurred(), s.Value)
			g.Expect(status).To(Equal(200), s.Value)
		}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
	}
}

func addresses(answer *dnsclient.Answer) []string {
	var all []string
	for _, r := range answer.Answers {
		all = append(all, r.Value)
	}
	return all
}

// dnsServer is the address of the Service of the DNS server.
func dnsServer(ctx context.Context) string {
	GinkgoHelper()
	s := &corev1.Service{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: system, Name: "kdcos-dns"}, s)).To(Succeed())
	return net.JoinHostPort(s.Spec.ClusterIP, "53")
}

// fromHost asks from where the nodes are.
func fromHost(ctx context.Context, server string) func(network, name, qtype string) *dnsclient.Answer {
	return func(network, name, qtype string) *dnsclient.Answer {
		GinkgoHelper()
		answer, err := askServer(ctx, server, network, name, qtype)
		Expect(err).NotTo(HaveOccurred())
		return answer
	}
}

func askServer(ctx context.Context, server, network, name, qtype string) (*dnsclient.Answer, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	return dnsclient.Ask(connection, network == "tcp", name, qtype, 0)
}

// fromPod asks from within a pod, of the network of its node or of pods.
func fromPod(ctx SpecContext, namespace, server string, hostNetwork bool) func(network, name, qtype string) *dnsclient.Answer {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "asker-"},
		Spec: corev1.PodSpec{
			HostNetwork: hostNetwork, TerminationGracePeriodSeconds: ptr.To[int64](0),
			Containers: []corev1.Container{{Name: "asker", Image: webImage, ImagePullPolicy: corev1.PullNever, Args: []string{"serve", "-listen", "127.0.0.1:0"}}},
		},
	}
	Expect(k8s.Create(ctx, pod)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
	}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
	return func(network, name, qtype string) *dnsclient.Answer {
		GinkgoHelper()
		args := []string{"exec", "--namespace", namespace, pod.Name, "--", "/web", "dig", server, name, qtype}
		if network == "tcp" {
			args = append(args, "-tcp")
		}
		out, err := tool(ctx, "kubectl", args...)
		Expect(err).NotTo(HaveOccurred(), out)
		answer := &dnsclient.Answer{}
		Expect(json.Unmarshal([]byte(out), answer)).To(Succeed(), out)
		return answer
	}
}

// watchNames tells of each task of an App how long its own name took to be
// there, from when the API server said that it runs.
func watchNames(ctx SpecContext, app *v1alpha1.App, server string, most int) <-chan time.Duration {
	GinkgoHelper()
	events, err := k8s.Watch(ctx, &corev1.PodList{}, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(events.Stop)
	delays := make(chan time.Duration, most)
	go func() {
		var asking sync.WaitGroup
		seen := map[string]bool{}
		for e := range events.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok || seen[pod.Name] {
				continue
			}
			tasks, err := dnsnames.Tasks(pod, pathid.Mapping{})
			if err != nil || len(tasks) == 0 {
				continue
			}
			seen[pod.Name] = true
			asking.Go(func() { delays <- untilThere(ctx, server, &tasks[0]) })
		}
		asking.Wait()
	}()
	return delays
}

func untilThere(ctx context.Context, server string, task *dnsnames.Task) time.Duration {
	began, name := time.Now(), ""
	for _, r := range task.Records() {
		if strings.HasSuffix(r.Name, ".marathon.mesos") && strings.Contains(r.Name, task.Agent) && r.Target == "" {
			name = r.Name
		}
	}
	for ctx.Err() == nil {
		if answer, err := askServer(ctx, server, "udp", name, "A"); err == nil && len(answer.Answers) == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}
