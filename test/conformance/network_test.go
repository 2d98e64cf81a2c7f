// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"net"
	"slices"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
)

var networks = section{title: "Networks", about: "Each form, old and new, and what becomes of it.", rows: []row{
	kept("nothing", "the network of the node").by("without networks the task is on the node's"),
	kept("networks", "exactly one of mode `host`, or one of `container/bridge`, or some of `container`").by("mixes of networks are refused"),
	kept("networks[].mode", "`host` is the node's network; `container/bridge` and `container` are the cluster's pod network; `container` where nothing is said").
		by("without networks the task is on the node's", "a bridge is the pod network", "a container network is the pod network"),
	kept("networks[].name", "of mode `container`, and `dcos` where nothing is said. Names that the operator does not map to the pod network are refused, as several at once are, for now").
		by("a container network is the pod network", "networks that there are none of are stalled", "a container network needs a name", "mixes of networks are refused"),
	refused("networks[].labels", "they told Mesos' network plugins what to do; those of Kubernetes read none").by("networks that there are none of are stalled", "mixes of networks are refused"),
	refused("several networks", "a pod has one network, that of the cluster").by("networks that there are none of are stalled", "mixes of networks are refused"),
	kept("container.docker.network", "read as below; with the MESOS engine refused").by("the old form and the new exclude each other"),
	kept("container.docker.network: HOST", "the node's network; port mappings are dropped").by("docker.network HOST is the node's, without mappings"),
	kept("container.docker.network: BRIDGE", "the pod network").by("docker.network BRIDGE is the pod network"),
	kept("container.docker.network: USER", "a container network, of the name in `ipAddress.networkName` or the default's").by("docker.network USER is a container network"),
	differs("container.docker.network: NONE", "refused with 422 and its path; Marathon answered 500").by("docker.network NONE is refused"),
	kept("ipAddress", "a container network").by("ipAddress is a container network", "ipAddress alone is an app without an image", "the old form and the new exclude each other"),
	kept("ipAddress.networkName", "`mesos-bridge` is the bridge").by("ipAddress is a container network"),
	refused("ipAddress.labels", "the network's labels").by("networks that there are none of are stalled"),
	kept("ipAddress.groups", "ignored").by("ipAddress is a container network"),
	kept("ipAddress.discovery", "its `ports` are port mappings; with the DOCKER engine refused").by("ipAddress.discovery.ports are port mappings", "the old form and the new exclude each other"),
	kept("ipAddress.discovery.ports", "").by("ipAddress.discovery.ports are port mappings"),
	kept("ipAddress.discovery.ports[].number", "").by("ipAddress.discovery.ports are port mappings"),
	kept("ipAddress.discovery.ports[].name", "").by("ipAddress.discovery.ports are port mappings"),
	kept("ipAddress.discovery.ports[].protocol", "").by("ipAddress.discovery.ports are port mappings"),
	kept("ipAddress.discovery.ports[].labels", "those that begin with `VIP` or `vip` make virtual IPs").by("VIP labels make virtual IPs"),
	kept("`docker.network` or `ipAddress` beside `networks`, `ipAddress` beside ports", "refused").by("the old form and the new exclude each other"),
	differs("`docker.portMappings` beside `portMappings`", "refused with 422 and its path; Marathon answered 500").by("mappings in two places are refused"),
	kept("no port mappings on another network than the node's", "one of any number, called `default`").by("without mappings there is one port"),
	kept("more `ports` or `portDefinitions` than port mappings", "mappings are added").by("missing mappings are added"),
	kept("port mappings on the node's network", "dropped, as Marathon did in spite of its rule").by("docker.network HOST is the node's, without mappings", "mappings on the node's network are dropped"),
	kept("a container network without a name, where there is no default", "refused").by("a container network needs a name"),
}}

const bridge = `"networks": [{"mode": "container/bridge"}], `

var (
	_ = behaviour("without networks the task is on the node's", func(w *watcher) {
		a := w.run(`"id": "host", "networks": null`)
		seen, p := a.inspect(), a.pod()
		w.Expect(seen.Env).To(And(HaveKeyWithValue("HOST", p.Status.HostIP), HaveKeyWithValue("PORT0", seen.Env["PORT_DEFAULT"])))
		w.Expect(seen.Hostname).To(Equal(p.Spec.NodeName))
		a = w.run(`"id": "host-said", "networks": [{"mode": "host"}]`)
		w.Expect(a.inspect().Env).To(HaveKeyWithValue("HOST", a.pod().Status.HostIP))
	})
	_ = behaviour("mixes of networks are refused", func(w *watcher) {
		for networks, message := range map[string]string{
			`{"mode": "host"}, {"mode": "host"}`:                                     "May specify a single host network",
			`{"mode": "host"}, {"mode": "container", "name": "a"}`:                   "May specify a single host network",
			`{"mode": "container/bridge"}, {"mode": "container", "name": "a"}`:       "May specify a single host network",
			`{"mode": "container", "name": "a"}, {"mode": "container", "name": "a"}`: "Duplicate networks are not allowed",
			`{"mode": "host", "name": "a"}`:                                          "Host networks may not have names or labels",
			`{"mode": "host", "labels": {"a": "b"}}`:                                 "Host networks may not have names or labels",
			`{"mode": "container/bridge", "name": "a"}`:                              "Bridge networks may not have names",
		} {
			w.refuses(`"id": "x", "networks": [`+networks+`]`, "/networks", message)
		}
		w.refuses(`"id": "x", "networks": [{"mode": "container", "name": "a"}, {"mode": "container", "name": "b"}]`, "/", "may only specify a single container network when using the Docker")
	})
	_ = behaviour("a bridge is the pod network", func(w *watcher) {
		a := w.run(`"id": "bridge", ` + bridge + `"container": {"docker": {"image": "kdcos/web:v1"}, "portMappings": [{"containerPort": 8080, "hostPort": 0}]}`)
		w.onPodNetwork(a)
		w.serves(net.JoinHostPort(a.pod().Status.PodIP, "8080"))
	})
	_ = behaviour("a container network is the pod network", func(w *watcher) {
		w.onPodNetwork(w.run(`"id": "container", "networks": [{"mode": "container", "name": "dcos"}]`))
		w.onPodNetwork(w.run(`"id": "container-default", "networks": [{}]`))
	})
	_ = behaviour("networks that there are none of are stalled", func(w *watcher) {
		w.stalls(`"id": "unknown-network", "networks": [{"mode": "container", "name": "calico"}]`, "spec.networks[0].name", `"calico"`)
		w.stalls(`"id": "several-networks", `+ucr+`}}, "networks": [{"name": "dcos"}, {"name": "other"}]`, "spec.networks:", "spec.networks[1].name")
		w.stalls(`"id": "network-labels", "networks": [{"mode": "container/bridge", "labels": {"a": "b"}}]`, "spec.networks[0].labels")
		w.stalls(`"id": "ip-labels", "networks": null, `+ucr+`}}, "ipAddress": {"networkName": "dcos", "labels": {"a": "b"}}`, "spec.networks[0].labels")
	})
	_ = behaviour("a container network needs a name", func(w *watcher) {
		items, err := marathon.Decode(definition(`"id": "/x", "networks": [{"mode": "container"}]`))
		w.Expect(err).NotTo(HaveOccurred())
		_, err = items[0].ToApp(marathon.Options{DefaultNetwork: marathon.NoNetwork})
		w.Expect(err).To(MatchError(ContainSubstring("/networks: Network name must be specified when container network is selected.")))
	})
	_ = behaviour("docker.network HOST is the node's, without mappings", func(w *watcher) {
		a := w.run(`"id": "docker-host", "networks": null, "container": {"docker": {"image": "kdcos/web:v1", "network": "HOST", "portMappings": [{"containerPort": 8080}]}}`)
		w.Expect(a.inspect().Env).To(And(HaveKeyWithValue("HOST", a.pod().Status.HostIP), HaveKey("PORT_DEFAULT"), Not(HaveKey("PORT_8080"))))
	})
	_ = behaviour("docker.network BRIDGE is the pod network", func(w *watcher) {
		a := w.run(`"id": "docker-bridge", "networks": null, "container": {"docker": {"image": "kdcos/web:v1", "network": "BRIDGE", "portMappings": [{"containerPort": 8080}]}}`)
		w.onPodNetwork(a)
		w.Expect(a.inspect().Env).To(HaveKeyWithValue("PORT_8080", "8080"))
	})
	_ = behaviour("docker.network USER is a container network", func(w *watcher) {
		w.onPodNetwork(w.run(`"id": "docker-user", "networks": null, "container": {"docker": {"image": "kdcos/web:v1", "network": "USER"}}`))
		w.stalls(`"id": "docker-user-name", "networks": null, "ipAddress": {"networkName": "other"}, "container": {"docker": {"image": "kdcos/web:v1", "network": "USER"}}`,
			"spec.networks[0].name", `"other"`)
	})
	_ = behaviour("docker.network NONE is refused", func(w *watcher) {
		w.refuses(`"id": "x", "networks": null, "container": {"docker": {"image": "a", "network": "NONE"}}`, "/container/docker/network", "unsupported docker network type NONE")
	})
	_ = behaviour("ipAddress is a container network", func(w *watcher) {
		w.onPodNetwork(w.run(`"id": "ip", "networks": null, ` + ucr + `}}, "ipAddress": {"networkName": "dcos", "groups": ["a"]}`))
		w.onPodNetwork(w.run(`"id": "ip-bridge", "networks": null, ` + ucr + `}}, "ipAddress": {"networkName": "mesos-bridge"}`))
	})
	_ = behaviour("ipAddress alone is an app without an image", func(w *watcher) {
		w.onPodNetwork(w.run(`"id": "ip-alone", "networks": null, "container": null, "cmd": "exec /web", "ipAddress": {}`))
	})
	_ = behaviour("ipAddress.discovery.ports are port mappings", func(w *watcher) {
		a := w.run(`"id": "discovery", "networks": null, ` + ucr + `}}, "ipAddress": {"discovery": {"ports": [
			{"number": 8080, "name": "http", "protocol": "tcp"}, {"number": 5353, "name": "dns", "protocol": "udp"}]}}`)
		w.Expect(a.inspect().Env).To(And(HaveKeyWithValue("PORT_HTTP", "8080"), HaveKeyWithValue("PORT_DNS", "5353"), HaveKeyWithValue("PORTS", "8080,5353")))
		w.Expect(a.pod().Spec.Containers[0].Ports).To(ContainElement(And(HaveField("ContainerPort", BeEquivalentTo(5353)), HaveField("Protocol", corev1.ProtocolUDP))))
		w.serves(net.JoinHostPort(a.pod().Status.PodIP, "8080"))
	})
	_ = behaviour("the old form and the new exclude each other", func(w *watcher) {
		w.refuses(`"id": "x", "container": {"docker": {"image": "a", "network": "HOST"}}`, "/", "must not specify both container.docker.network and networks")
		w.refuses(`"id": "x", "ipAddress": {}`, "/", "must not specify both networks and ipAddress")
		w.refuses(`"id": "x", "networks": null, "ipAddress": {}, "ports": [80]`, "/", "cannot specify both an IP address and port")
		w.refuses(`"id": "x", "networks": null, "ipAddress": {"discovery": {"ports": []}}`, "/ipAddress", "ipAddress/discovery is not allowed for Docker containers")
		w.refuses(`"id": "x", "networks": null, `+ucr+`, "network": "BRIDGE"}}`, "/container/docker/network", "must be empty")
		w.refuses(`"id": "x", "networks": null, `+ucr+`, "portMappings": []}}`, "/container/docker/portMappings", "must be empty")
	})
	_ = behaviour("mappings in two places are refused", func(w *watcher) {
		w.refuses(`"id": "x", "networks": null, "container": {"portMappings": [{}], "docker": {"image": "a", "network": "BRIDGE", "portMappings": [{}]}}`,
			"/container/portMappings", "cannot specify both portMappings and docker.portMappings")
	})
	_ = behaviour("without mappings there is one port", func(w *watcher) {
		a := w.run(`"id": "one-port"`)
		env := a.inspect().Env
		w.Expect(env).To(And(HaveKeyWithValue("PORTS", env["PORT0"]), HaveKeyWithValue("PORT_DEFAULT", env["PORT0"])))
		w.serves(net.JoinHostPort(env["HOST"], env["PORT0"]))
	})
	_ = behaviour("missing mappings are added", func(w *watcher) {
		env := w.task(`"id": "padded", "ports": [0, 0, 0], "container": {"docker": {"image": "kdcos/web:v1"}, "portMappings": [{"containerPort": 8080}]}`).Env
		w.Expect(env).To(And(HaveKeyWithValue("PORT0", "8080"), HaveKey("PORT1"), HaveKey("PORT2"), Not(HaveKey("PORT3"))))
	})
	_ = behaviour("mappings on the node's network are dropped", func(w *watcher) {
		env := w.task(`"id": "host-mappings", "networks": null, "container": {"docker": {"image": "kdcos/web:v1"}, "portMappings": [{"containerPort": 8080}]}`).Env
		w.Expect(env).To(And(HaveKey("PORT_DEFAULT"), Not(HaveKey("PORT_8080"))))
	})
)

// onPodNetwork expects that a task has an address of its own, and knows it.
func (w *watcher) onPodNetwork(a *app) {
	w.t.Helper()
	p := a.pod()
	w.Expect(p.Status.PodIP).NotTo(Equal(p.Status.HostIP))
	w.Expect(a.inspect().Env).To(HaveKeyWithValue("HOST", p.Status.PodIP))
}

var ports = section{title: "Ports", about: "On the node's network ports are `portDefinitions`, elsewhere `container.portMappings`.", rows: []row{
	kept("portDefinitions", "one of any number where nothing is said; an empty list means none").by("without networks the task is on the node's", "an empty list of ports means none"),
	kept("portDefinitions[].port", "the service port, and with `requirePorts` the port on the node. 0 is one between 10000 and 20000 that no other app has; the app keeps it, and the status tells it").
		by("service ports are the app's own for life", "requirePorts are the node's ports", "ports on the node's network lead to the task", "ports are unique"),
	kept("portDefinitions[].protocol", "`tcp`, `udp` or `udp,tcp`").by("ports on the node's network lead to the task"),
	kept("portDefinitions[].name", "unique; names the port where Kubernetes allows the name").by("ports on the node's network lead to the task", "ports are unique"),
	kept("portDefinitions[].labels", "those that begin with `VIP` or `vip` make virtual IPs; others are kept").by("VIP labels make virtual IPs", "labels of ports are kept"),
	kept("ports", "read as `portDefinitions`").by("ports are port definitions", "ports are unique"),
	kept("requirePorts", "on the node's network; elsewhere without effect").by("requirePorts are the node's ports", "requirePorts is for the node's network"),
	kept("container.portMappings", "").by("a bridge is the pod network", "an empty list of ports means none", "ports are unique"),
	kept("container.portMappings[].containerPort", "0 is the host port, or any").by("a bridge is the pod network", "containerPort 0 is the host port, or any"),
	differs("container.portMappings[].hostPort", "a port on the node. 0 asked for any, and is none here: `HOST` and `PORT0` are the pod's own address and port, "+
		"of which there is no end").by("hostPort leads to the task", "hostPort 0 is none", "HOST and PORT0 lead to the task on the node"),
	kept("container.portMappings[].servicePort", "0 is one between 10000 and 20000 that no other app has; the app keeps it, and the status tells it").by("service ports are the app's own for life"),
	kept("container.portMappings[].protocol", "`tcp`, `udp` or `udp,tcp`").by("hostPort leads to the task", "mappings of udp lead to the task"),
	kept("container.portMappings[].name", "unique; names the port where Kubernetes allows the name, so that a Service finds it").by("a Service finds a port by its name", "ports are unique"),
	kept("container.portMappings[].labels", "those that begin with `VIP` or `vip` make virtual IPs; others are kept").by("VIP labels make virtual IPs", "labels of ports are kept"),
	kept("container.portMappings[].networkNames", "some of the app's networks").by("networkNames are names of the app's networks"),
	kept("container.docker.portMappings", "read as `container.portMappings`").by("docker.network BRIDGE is the pod network"),
	kept("container.docker.portMappings[].containerPort", "").by("docker.network BRIDGE is the pod network"),
	kept("container.docker.portMappings[].hostPort", "").by("docker.portMappings have all that portMappings have"),
	kept("container.docker.portMappings[].servicePort", "").by("docker.portMappings have all that portMappings have"),
	kept("container.docker.portMappings[].protocol", "").by("docker.portMappings have all that portMappings have"),
	kept("container.docker.portMappings[].name", "").by("docker.portMappings have all that portMappings have"),
	kept("container.docker.portMappings[].labels", "").by("docker.portMappings have all that portMappings have"),
	kept("container.docker.portMappings[].networkNames", "").by("docker.portMappings have all that portMappings have"),
}}

const image = `"docker": {"image": "kdcos/web:v1"}`

var (
	_ = behaviour("an empty list of ports means none", func(w *watcher) {
		a := w.run(`"id": "no-ports-host", "networks": null, "portDefinitions": [], "args": ["-listen", "127.0.0.1:28080"]`)
		w.Expect(a.pod().Spec.Containers[0].Ports).To(BeEmpty())
		env := w.task(`"id": "no-ports", "container": {` + image + `, "portMappings": []}`).Env
		for _, name := range []string{"PORT", "PORT0", "PORTS"} {
			w.Expect(env).NotTo(HaveKey(name))
		}
	})
	_ = behaviour("ports on the node's network lead to the task", func(w *watcher) {
		a := w.run(`"id": "host-ports", "networks": null, "portDefinitions": [{"port": 0, "name": "http"}, {"port": 10333, "protocol": "udp,tcp", "name": "both"}]`)
		env := a.inspect().Env
		w.Expect(env).To(And(HaveKeyWithValue("PORT_HTTP", env["PORT0"]), HaveKeyWithValue("PORT_BOTH", env["PORT1"]), HaveKeyWithValue("PORT_10333", env["PORT1"])))
		w.Expect(env["PORT1"]).NotTo(Equal("10333"), "that is the service port")
		w.serves(net.JoinHostPort(env["HOST"], env["PORT0"]))
		w.serves(net.JoinHostPort(env["HOST"], env["PORT1"]))
		w.echoes(net.JoinHostPort(env["HOST"], env["PORT1"]))
	})
	_ = behaviour("requirePorts are the node's ports", func(w *watcher) {
		a := w.run(`"id": "require-ports", "networks": null, "requirePorts": true, "portDefinitions": [{"port": 18181}], "instances": 2`)
		hosts := map[string]bool{}
		for _, p := range a.pods() {
			hosts[p.Status.HostIP] = true
			w.serves(net.JoinHostPort(p.Status.HostIP, "18181"))
		}
		w.Expect(hosts).To(HaveLen(2), "one on a node")
	})
	_ = behaviour("requirePorts is for the node's network", func(w *watcher) {
		env := w.task(`"id": "require-ports-bridge", "requirePorts": true, "container": {` + image + `, "portMappings": [{"containerPort": 8080}]}`).Env
		w.Expect(env).To(HaveKeyWithValue("PORT0", "8080"))
	})
	_ = behaviour("ports are port definitions", func(w *watcher) {
		env := w.task(`"id": "ports", "networks": null, "ports": [0, 10444]`).Env
		w.Expect(env).To(And(HaveKey("PORT0"), HaveKeyWithValue("PORT_10444", env["PORT1"]), Not(HaveKey("PORT2"))))
		w.refuses(`"id": "x", "networks": null, "ports": [80], "portDefinitions": [{"port": 81}]`, "/", "cannot specify both ports and port definitions")
	})
	_ = behaviour("ports are unique", func(w *watcher) {
		w.refuses(`"id": "x", "networks": null, "portDefinitions": [{"port": 80}, {"port": 80}]`, "/portDefinitions", "Ports must be unique.")
		w.refuses(`"id": "x", "networks": null, "portDefinitions": [{"name": "a"}, {"name": "a"}]`, "/portDefinitions", "Port names must be unique.")
		w.refuses(`"id": "x", "networks": null, "ports": [80, 80]`, "/", "ports must be unique")
		w.refuses(`"id": "x", "container": {`+image+`, "portMappings": [{"name": "a"}, {"name": "a"}]}`, "/container/portMappings", "Port names must be unique.")
	})
	_ = behaviour("containerPort 0 is the host port, or any", func(w *watcher) {
		a := w.run(`"id": "container-port", "container": {` + image + `, "portMappings": [{"containerPort": 0, "hostPort": 18282}, {"containerPort": 0}]}`)
		env := a.inspect().Env
		w.Expect(env).To(HaveKeyWithValue("PORT0", "18282"))
		w.serves(net.JoinHostPort(a.pod().Status.PodIP, "18282"))
		w.serves(net.JoinHostPort(a.pod().Status.PodIP, env["PORT1"]))
	})
	_ = behaviour("hostPort leads to the task", func(w *watcher) {
		a := w.run(`"id": "host-port", "container": {` + image + `, "portMappings": [{"containerPort": 80, "hostPort": 18383, "protocol": "udp,tcp"}]}`)
		w.serves(net.JoinHostPort(a.pod().Status.HostIP, "18383"))
		w.echoes(net.JoinHostPort(a.pod().Status.HostIP, "18383"))
	})
	_ = behaviour("hostPort 0 is none", func(w *watcher) {
		a := w.run(`"id": "host-port-0", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "hostPort": 0}]}`)
		w.Expect(a.pod().Spec.Containers[0].Ports[0].HostPort).To(BeZero())
		w.Expect(a.inspect().Env).To(And(HaveKeyWithValue("PORT0", "8080"), HaveKeyWithValue("HOST", a.pod().Status.PodIP)))
	})
	_ = behaviour("HOST and PORT0 lead to the task", func(w *watcher) {
		env := w.task(`"id": "host-and-port", "container": {` + image + `, "portMappings": [{"containerPort": 8080}]}`).Env
		w.serves(net.JoinHostPort(env["HOST"], env["PORT0"]))
	})
	_ = behaviour("HOST and PORT0 lead to the task on the node", func(w *watcher) {
		a := w.run(`"id": "host-and-host-port", "container": {` + image + `, "portMappings": [{"containerPort": 80, "hostPort": 18484}]}`)
		w.serves(net.JoinHostPort(a.pod().Status.HostIP, "18484"))
		env := a.inspect().Env
		w.Expect(env).To(And(HaveKeyWithValue("HOST", a.pod().Status.HostIP), HaveKeyWithValue("PORT0", "18484")))
		w.serves(net.JoinHostPort(env["HOST"], env["PORT0"]))
	})
	_ = behaviour("service ports are the app's own for life", func(w *watcher) {
		host := `"id": "service-ports-host", "networks": null, "portDefinitions": [{"port": 0}, {"port": 10555}, {"port": 0}], "instances": 0`
		bridged := `"id": "service-ports", "container": {` + image + `, "portMappings": [{"containerPort": 80}, {"containerPort": 81, "servicePort": 10556}]}, "instances": 0`
		var given []int32
		for _, members := range []string{host, bridged} {
			a := w.start(members)
			w.Eventually(func() []int32 { return a.get().Status.ServicePorts }).ShouldNot(BeEmpty())
			before := a.get().Status.ServicePorts
			given = append(given, before...)
			a.put(members + `, "env": {"A": "b"}`)
			w.Eventually(func() bool { return a.condition(v1alpha1.ConditionReady).Type != "" }).Should(BeTrue())
			w.Expect(a.get().Status.ServicePorts).To(Equal(before))
			wire, err := marathon.FromApp(a.get(), marathon.Options{})
			w.Expect(err).NotTo(HaveOccurred())
			if members == host {
				w.Expect(wire.PortDefinitions[0].Port).To(HaveValue(Equal(before[0])))
			} else {
				w.Expect(wire.Container.PortMappings[0].ServicePort).To(HaveValue(Equal(before[0])))
			}
		}
		w.Expect(given).To(And(HaveLen(5), HaveEach(And(BeNumerically(">=", 10000), BeNumerically("<=", 20000))), ContainElements(int32(10555), int32(10556))))
		w.Expect(slices.Compact(slices.Sorted(slices.Values(given)))).To(HaveLen(5), "%v", given)
	})
	_ = behaviour("mappings of udp lead to the task", func(w *watcher) {
		a := w.run(`"id": "udp", "container": {` + image + `, "portMappings": [{"containerPort": 5353, "protocol": "udp"}]}`)
		w.echoes(net.JoinHostPort(a.pod().Status.PodIP, "5353"))
	})
	_ = behaviour("a Service finds a port by its name", func(w *watcher) {
		a := w.run(`"id": "named", "container": {` + image + `, "portMappings": [{"containerPort": 8080, "name": "http-api"}]}`)
		s := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "named"},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{v1alpha1.AppLabel: a.name}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http-api")}}},
		}
		w.Expect(w.Create(w.t.Context(), s)).To(Succeed())
		w.serves(net.JoinHostPort(s.Spec.ClusterIP, "80"))
	})
	_ = behaviour("labels of ports are kept", func(w *watcher) {
		a := w.run(`"id": "port-labels", "container": {` + image + `, "portMappings": [{"containerPort": 80, "labels": {"a": "b"}}]}`)
		w.Expect(a.get().Spec.Container.PortMappings[0].Labels).To(HaveKeyWithValue("a", v1alpha1.LabelValue("b")))
		a = w.run(`"id": "port-labels-host", "networks": null, "portDefinitions": [{"labels": {"a": "b"}}]`)
		w.Expect(a.get().Spec.PortDefinitions[0].Labels).To(HaveKeyWithValue("a", v1alpha1.LabelValue("b")))
	})
	_ = behaviour("networkNames are names of the app's networks", func(w *watcher) {
		env := w.task(`"id": "network-names", "networks": [{"mode": "container", "name": "dcos"}], "container": {` + image + `, "portMappings": [{"containerPort": 8080, "networkNames": ["dcos"]}]}`).Env
		w.Expect(env).To(HaveKeyWithValue("PORT0", "8080"))
		w.refuses(`"id": "x", "networks": [{"mode": "container", "name": "dcos"}], "container": {`+image+`, "portMappings": [{"networkNames": ["other"]}]}`,
			"/container/portMappings(0)/networkNames(0)", "is not one of (dcos)")
		w.refuses(`"id": "x", "networks": [{"name": "a"}, {"name": "b"}], "container": {"type": "MESOS", `+image+`, "portMappings": [{"hostPort": 80}]}`,
			"/container/portMappings(0)", "networkNames must be a single item list")
	})
	_ = behaviour("docker.portMappings have all that portMappings have", func(w *watcher) {
		a := w.run(`"id": "docker-mappings", "networks": null, "container": {"docker": {"image": "kdcos/web:v1", "network": "USER", "portMappings": [
			{"containerPort": 80, "hostPort": 18585, "servicePort": 10666, "protocol": "udp,tcp", "name": "http", "labels": {"a": "b"}, "networkNames": ["dcos"]}]}}, "ipAddress": {"networkName": "dcos"}`)
		w.serves(net.JoinHostPort(a.pod().Status.HostIP, "18585"))
		w.echoes(net.JoinHostPort(a.pod().Status.HostIP, "18585"))
		m := a.get().Spec.Container.PortMappings[0]
		w.Expect(fmt.Sprintf("%d %s %v %v", *m.ServicePort, *m.Name, m.Labels, m.NetworkNames)).To(Equal("10666 http map[a:b] [dcos]"))
	})
)
