// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// withVIPs gives the port of a web app VIP labels.
func withVIPs(app *v1alpha1.App, values ...string) *v1alpha1.App {
	labels := map[string]v1alpha1.LabelValue{}
	for i, v := range values {
		labels[fmt.Sprintf("VIP_%d", i)] = v1alpha1.LabelValue(v)
	}
	if app.Spec.OnHostNetwork() {
		app.Spec.PortDefinitions[0].Labels = labels
	} else {
		app.Spec.Container.PortMappings[0].Labels = labels
	}
	return app
}

// onHost puts a web app on the network of its node.
func onHost(app *v1alpha1.App) *v1alpha1.App {
	app.Spec.Networks, app.Spec.Container.PortMappings = nil, nil
	app.Spec.PortDefinitions = []v1alpha1.PortDefinition{{Name: ptr.To("http")}}
	return app
}

// served waits until a VirtualIP has as many tasks, and returns its address.
func served(ctx SpecContext, namespace, name string, ready int32) string {
	GinkgoHelper()
	v := &v1alpha1.VirtualIP{}
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, v)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(v.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%v", v.Status)
		g.Expect(v.Status.Ready).To(Equal(ready))
	}).WithTimeout(soon).WithPolling(100 * time.Millisecond).Should(Succeed())
	return v.Status.Addresses[0]
}

// answers asks n times, and counts the answers of each app.
func answers(ctx context.Context, url string, n int) (apps, hosts map[string]int, failures []string) {
	apps, hosts = map[string]int{}, map[string]int{}
	for range n {
		code, body, err := fetch(ctx, url+"/info")
		var who struct{ Host, AppID string }
		if err == nil {
			err = json.Unmarshal([]byte(body), &who)
		}
		if err != nil || code != http.StatusOK {
			failures = append(failures, fmt.Sprintf("%d %v", code, err))
			continue
		}
		apps[who.AppID]++
		hosts[who.Host]++
	}
	return apps, hosts, failures
}

func urlOf(address string, port int) string {
	return "http://" + net.JoinHostPort(address, strconv.Itoa(port))
}

var _ = Describe("Virtual IPs", func() {
	It("join the tasks of apps on every network, for clients on every network of every node", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		setLabel(ctx, namespace, v1alpha1.AllowHostNetworkLabel, `"true"`)
		annotate(ctx, namespace, v1alpha1.VirtualIPNetworksAnnotation, "198.51.100.0/24")
		name := func(i int) string { return fmt.Sprintf("%s-own-%d", namespace, i) }
		all := []*v1alpha1.App{
			web(namespace, "bridge", 1), web(namespace, "mapped", 1), web(namespace, "user", 1),
			onHost(web(namespace, "host", 1)), onHost(web(namespace, "other-host", 1)),
		}
		all[1].Spec.Container.PortMappings[0].Name = nil
		all[2].Spec.Networks = []v1alpha1.Network{{Mode: v1alpha1.NetworkContainer, Name: ptr.To("dcos")}}
		all[2].Spec.Container.PortMappings[0].HostPort = nil
		for i, app := range all {
			withVIPs(app, "/"+namespace+"/all:80", fmt.Sprintf("%s:%d", name(i), 8000+i))
		}
		ports := &all[3].Spec.PortDefinitions[0]
		ports.Protocol, ports.Labels["VIP_2"] = v1alpha1.ProtocolUDPTCP, "198.51.100.35:8080"
		clients := []*v1alpha1.App{web(namespace, "client-bridge", 2), onHost(web(namespace, "client-host", 2))}
		for _, app := range clients {
			app.Spec.Constraints = []v1alpha1.Constraint{{Field: "hostname", Operator: v1alpha1.ConstraintUnique}}
		}
		for _, app := range append(all, clients...) {
			Expect(k8s.Create(ctx, app)).To(Succeed())
		}
		for _, app := range append(all, clients...) {
			eventuallyReady(ctx, app)
			Expect(condition(app, v1alpha1.ConditionDiscoveryIncomplete)).To(BeNil())
		}

		By("one name for all")
		shared := urlOf(served(ctx, namespace, namespace+"all.marathon", 5), 80)
		Eventually(func(g Gomega) {
			apps, _, failures := answers(ctx, shared, 100)
			g.Expect(failures).To(BeEmpty())
			g.Expect(apps).To(HaveLen(5), "%v", apps)
		}).WithTimeout(soon).Should(Succeed())

		By("a name for each, and an address")
		type target struct{ url, app string }
		var targets []target
		for i, app := range all {
			targets = append(targets, target{urlOf(served(ctx, namespace, name(i)+".marathon", 1), 8000+i), "/" + namespace + "/" + app.Name})
		}
		targets = append(targets, target{urlOf(served(ctx, namespace, "ip-198.51.100.35", 1), 8080), "/" + namespace + "/host"})
		for _, client := range clients {
			for _, pod := range pods(ctx, client) {
				for _, t := range targets {
					Eventually(func(g Gomega) {
						out, err := tool(ctx, "kubectl", "exec", "-n", namespace, pod.Name, "--", "/web", "get", t.url+"/info")
						g.Expect(err).NotTo(HaveOccurred(), "%s on %s", pod.Name, pod.Spec.NodeName)
						g.Expect(out).To(ContainSubstring(`"appId":"` + t.app + `"`))
					}).WithTimeout(soon).Should(Succeed())
				}
			}
		}

		By("UDP beside TCP")
		Eventually(func(g Gomega) {
			connection, err := net.Dial("udp", net.JoinHostPort(served(ctx, namespace, name(3)+".marathon", 1), "8003"))
			g.Expect(err).NotTo(HaveOccurred())
			defer func() { _ = connection.Close() }()
			g.Expect(connection.SetDeadline(time.Now().Add(2 * time.Second))).To(Succeed())
			_, err = connection.Write([]byte("hello"))
			g.Expect(err).NotTo(HaveOccurred())
			back := make([]byte, 100)
			n, err := connection.Read(back)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(back[:n])).To(HaveSuffix("hello"))
		}).WithTimeout(soon).Should(Succeed())

		By("going with the last app that asks")
		Expect(k8s.Delete(ctx, all[0])).To(Succeed())
		served(ctx, namespace, namespace+"all.marathon", 4)
		for _, gone := range []client.Object{
			&v1alpha1.VirtualIP{}, &corev1.Service{},
		} {
			Eventually(func(g Gomega) {
				list, err := ofName(ctx, gone, namespace, name(0))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(list).To(BeZero())
			}).WithTimeout(soon).Should(Succeed())
		}
	})

	It("leave out tasks that are unhealthy, and let those that stop finish", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		app := withVIPs(healthy(web(namespace, "web", 2)), "/"+namespace+":80")
		app.Spec.HealthChecks[0].MaxConsecutiveFailures = ptr.To[int32](1000)
		app.Spec.TaskKillGracePeriodSeconds = ptr.To[int32](30)
		setEnv(&app.Spec, "DRAIN_SECONDS", "15")
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		vip := namespace + ".marathon"
		url := urlOf(served(ctx, namespace, vip, 2), 80)

		By("an unhealthy task")
		sick := pods(ctx, app)[0]
		switchHealth(ctx, &sick, "off")
		served(ctx, namespace, vip, 1)
		onlyOthers(ctx, url, sick.Name)
		switchHealth(ctx, &sick, "on")
		served(ctx, namespace, vip, 2)

		By("a task that is stopped")
		connection := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: time.Minute}
		body := must(connection.Get(url + "/info"))
		var who struct{ Host string }
		Expect(json.Unmarshal(body, &who)).To(Succeed())
		stopped := &corev1.Pod{}
		Expect(k8s.Get(ctx, types.NamespacedName{Namespace: namespace, Name: who.Host}, stopped)).To(Succeed())
		done := make(chan []byte, 1)
		go func() {
			defer GinkgoRecover()
			done <- must(connection.Get(url + "/delay?for=8s"))
		}()
		time.Sleep(time.Second)
		Expect(k8s.Delete(ctx, stopped)).To(Succeed())
		onlyOthers(ctx, url, stopped.Name)
		Expect(done).NotTo(Receive(), "the request should still be under way")
		Eventually(done).WithTimeout(30 * time.Second).Should(Receive())
	})

	It("fail over without the manager, and when a node is lost", Serial, func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		app := withVIPs(healthy(web(namespace, "web", 4)), "/"+namespace+":80")
		app.Spec.HealthChecks[0].MaxConsecutiveFailures = ptr.To[int32](1000)
		app.Spec.Constraints = []v1alpha1.Constraint{{Field: "hostname", Operator: v1alpha1.ConstraintGroupBy}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		url := urlOf(served(ctx, namespace, namespace+".marathon", 4), 80)

		home := homeOfManager(ctx)
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		sick := pods(ctx, app)[0]
		switchHealth(ctx, &sick, "off")
		onlyOthers(ctx, url, sick.Name)
		switchHealth(ctx, &sick, "on")
		Eventually(func() map[string]int {
			_, hosts, _ := answers(ctx, url, 40)
			return hosts
		}).WithTimeout(soon).Should(HaveKey(sick.Name))
		managers(ctx, 1)

		lost := anotherNode(ctx, home)
		if homeOfManager(ctx) == lost {
			lost = home
		}
		node(ctx, "cut", lost)
		DeferCleanup(func(ctx SpecContext) { node(ctx, "heal", lost) })
		Eventually(func(g Gomega) {
			n := &corev1.Node{}
			g.Expect(k8s.Get(ctx, types.NamespacedName{Name: lost}, n)).To(Succeed())
			for _, c := range n.Status.Conditions {
				if c.Type == corev1.NodeReady {
					g.Expect(c.Status).To(Equal(corev1.ConditionUnknown))
				}
			}
		}).WithTimeout(2 * time.Minute).WithPolling(100 * time.Millisecond).Should(Succeed())
		noticed := time.Now()
		Eventually(func() []string {
			_, _, failures := answers(ctx, url, 40)
			return failures
		}).WithTimeout(30 * time.Second).Should(BeEmpty())
		AddReportEntry("served without an error, after the node counted as lost", time.Since(noticed).Round(100*time.Millisecond).String())
	})
})

// onlyOthers waits until none of many requests is answered by a host, or fails.
func onlyOthers(ctx context.Context, url, host string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		_, hosts, failures := answers(ctx, url, 40)
		g.Expect(failures).To(BeEmpty())
		g.Expect(hosts).NotTo(HaveKey(host))
	}).WithTimeout(soon).WithPolling(200 * time.Millisecond).Should(Succeed())
}

func switchHealth(ctx context.Context, pod *corev1.Pod, to string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+pod.Status.PodIP+"/health/"+to, bytes.NewReader(nil))
	Expect(err).NotTo(HaveOccurred())
	response, err := browser.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
}

// must is the body of an answer that is one.
func must(response *http.Response, err error) []byte {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	Expect(response.StatusCode).To(Equal(http.StatusOK))
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return body
}

// ofName is how many VirtualIPs there are of a name, or Services that serve them.
func ofName(ctx context.Context, kind client.Object, namespace, name string) (int, error) {
	name += ".marathon"
	if _, is := kind.(*corev1.Service); is {
		var services corev1.ServiceList
		err := k8s.List(ctx, &services, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.VirtualIPLabel: name})
		return len(services.Items), err
	}
	var all v1alpha1.VirtualIPList
	err := k8s.List(ctx, &all, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name})
	return len(all.Items), err
}

// annotate sets an annotation of a namespace, as an administrator does.
func annotate(ctx context.Context, namespace, annotation, value string) {
	GinkgoHelper()
	object := &corev1.Namespace{}
	object.Name = namespace
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, annotation, value)
	Expect(k8s.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}
