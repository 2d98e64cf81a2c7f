// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"net"
	"strconv"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var vips = section{title: "Virtual IPs", about: "What labels of ports asked for, and DC/OS' layer 4 load balancer served: see [virtualip.md](../virtualip.md).", column: "what", rows: []row{
	kept("a label whose name begins with `VIP` or `vip`", "`/shop/web:80` is port 80 of the name `shopweb.marathon.l4lb.thisdcos.directory`; the first slash is optional").
		by("VIP labels make virtual IPs"),
	kept("`labels.vip_port0`", "the older form, of the app").by("VIP labels make virtual IPs"),
	kept("several apps that name one virtual IP", "their tasks are behind it together, whatever their ports").by("apps share a virtual IP"),
	kept("a label that can't be read", "is skipped. A condition of the App says so, where there was a line in a log").by("a VIP label that can't be read stops nothing"),
	kept("a task that fails its health check", "gets no connections").by("a virtual IP leaves out what is unhealthy"),
	kept("a port of `udp,tcp`", "both, at one address").by("VIP labels make virtual IPs"),
	differs("an address, such as `198.51.100.7:80`", "an administrator allows networks to a namespace: the address takes everybody's connections").by("an address needs to be allowed"),
	differs("apps of several groups that name one virtual IP", "a name belongs to a namespace, which is a group of the first level: the older one. The other's App runs, and says whose it is").
		by("a name belongs to a namespace"),
	differs("one virtual IP on two ports of an app", "one of them is behind it, and a condition of the App says so: a port of a pod has its name once").by("a VIP label that can't be read stops nothing"),
	differs("which task gets a connection", "one by chance. Each node chose the one to which it had the fewest").by("apps share a virtual IP"),
}}

var (
	_ = behaviour("VIP labels make virtual IPs", func(w *watcher) {
		w.run(`"id": "vip-bridge", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "/conf/bridge:81", "vip": "conf-other:82"}}]}`)
		w.serves(w.virtualIP("confbridge.marathon", 81))
		w.serves(w.virtualIP("conf-other.marathon", 82))
		w.run(`"id": "vip-host", "networks": null, "portDefinitions": [{"protocol": "udp,tcp", "labels": {"VIP_0": "conf-host:83"}}]`)
		w.serves(w.virtualIP("conf-host.marathon", 83))
		w.echoes(w.virtualIP("conf-host.marathon", 83))
		w.run(`"id": "vip-discovery", "networks": null, ` + ucr + `}}, "ipAddress": {"discovery": {"ports": [{"number": 8080, "name": "http", "labels": {"VIP_0": "/conf-discovery:84"}}]}}`)
		w.serves(w.virtualIP("conf-discovery.marathon", 84))
		w.run(`"id": "vip-legacy", "labels": {"vip_port0": "tcp://conf-legacy:85"}, "container": {` + image + `, "portMappings": [{"containerPort": 8080}]}`)
		w.serves(w.virtualIP("conf-legacy.marathon", 85))
	})
	_ = behaviour("apps share a virtual IP", func(w *watcher) {
		mapped := w.run(`"id": "vip-one", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "/conf-shared:80"}}]}`)
		host := w.run(`"id": "vip-two", "networks": null, "portDefinitions": [{"labels": {"VIP_0": "conf-shared:80"}}]`)
		address := w.virtualIP("conf-shared.marathon", 80)
		answered := map[string]bool{}
		w.Eventually(func() []bool {
			answered[w.inspectAt(address).Env["MARATHON_APP_ID"]] = true
			return []bool{answered["/"+w.namespace+"/"+mapped.name], answered["/"+w.namespace+"/"+host.name]}
		}).Should(HaveEach(true))
	})
	_ = behaviour("a VIP label that can't be read stops nothing", func(w *watcher) {
		a := w.run(`"id": "vip-bad", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "/conf-bad", "VIP_1": "/conf-good:80"}}, {"labels": {"VIP_0": "/conf-good:80"}}]}`)
		w.serves(w.virtualIP("conf-good.marathon", 80))
		w.Eventually(func() string { return a.condition(v1alpha1.ConditionDiscoveryIncomplete).Message }).Should(And(
			ContainSubstring("spec.container.portMappings[0].labels[VIP_0]"), ContainSubstring("has no port"),
			ContainSubstring("spec.container.portMappings[1].labels[VIP_0]"), ContainSubstring("another port of the app")))
	})
	_ = behaviour("a virtual IP leaves out what is unhealthy", func(w *watcher) {
		a := w.run(`"id": "vip-health", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "/conf-health:80"}}]},
			"healthChecks": [{"protocol": "MESOS_HTTP", "path": "/health", "intervalSeconds": 1, "maxConsecutiveFailures": 1000, "delaySeconds": 0}]`)
		w.serves(w.virtualIP("conf-health.marathon", 80))
		a.tell("/health/off")
		w.Eventually(func() int32 { return w.tasksBehind("conf-health.marathon") }).Should(BeZero())
		a.tell("/health/on")
		w.Eventually(func() int32 { return w.tasksBehind("conf-health.marathon") }).Should(BeEquivalentTo(1))
	})
	_ = behaviour("an address needs to be allowed", func(w *watcher) {
		a := w.run(`"id": "vip-address", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "203.0.113.7:80"}}]}`)
		w.Eventually(func() string { return a.condition(v1alpha1.ConditionDiscoveryIncomplete).Message }).Should(ContainSubstring(v1alpha1.VirtualIPNetworksAnnotation))
	})
	_ = behaviour("endpoints of pods are behind virtual IPs", func(w *watcher) {
		w.run(pod("pod-vip", `{"name": "one", `+small+`, "endpoints": [{"name": "web", "containerPort": 80, "labels": {"VIP_0": "/conf-pod:86"}}]}`, ``))
		w.serves(w.virtualIP("conf-pod.marathon", 86))
	})
	_ = behaviour("a name belongs to a namespace", func(w *watcher) {
		// The other namespace's is there before the App asks, and older.
		other := &v1alpha1.VirtualIP{}
		other.Namespace, other.Name, other.Spec.Name = w.bare, "taken", "/conf-taken"
		w.Expect(w.Create(w.t.Context(), other)).To(Succeed())
		time.Sleep(1100 * time.Millisecond) // ages are in seconds
		a := w.run(`"id": "vip-taken", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "labels": {"VIP_0": "/conf-taken:80"}}]}`)
		w.Eventually(func() string { return a.condition(v1alpha1.ConditionDiscoveryIncomplete).Message }).Should(ContainSubstring("is held by the VirtualIP " + w.bare + "/taken"))
		w.Expect(w.Delete(w.t.Context(), other)).To(Succeed())
		w.serves(w.virtualIP("conf-taken.marathon", 80))
	})
)

// virtualIP is the address and port of a VirtualIP, once there are tasks behind it.
func (w *watcher) virtualIP(name string, port int) string {
	w.t.Helper()
	address := ""
	w.Eventually(func(g Gomega) {
		v := &v1alpha1.VirtualIP{}
		g.Expect(w.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, v)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(v.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%v", v.Status.Conditions)
		address = net.JoinHostPort(v.Status.Addresses[0], strconv.Itoa(port))
	}).Should(Succeed())
	return address
}

// tasksBehind is how many tasks get the connections to a VirtualIP.
func (w *watcher) tasksBehind(name string) int32 {
	v := &v1alpha1.VirtualIP{}
	w.Expect(w.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, v)).To(Succeed())
	return v.Status.Ready
}
