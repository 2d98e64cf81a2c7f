// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/workload"
)

// ofPod stands before the fields of a pod definition, which share names with
// those of an app.
const ofPod = "pod."

// like is a field of a pod that is one of an app under another name.
func like(field, app string) row { return kept(ofPod+field, "as `"+app+"` of an app") }

var pods = section{title: "Pods", about: "Fields of what `/v2/pods` took, and rules.", rows: []row{
	kept("a container that fails", "takes its instance with it: all containers are launched anew, after the delay").by("a pod is launched anew as a whole"),
	differs("a container that ends with 0", "is done, and the others run on. One with a `healthCheck` takes its instance with it, since what a check ends ends with 0 as well").
		by("a pod is launched anew as a whole", "a container that is done leaves the others"),
	kept(ofPod+"id", "shares names with apps").by("containers run side by side"),
	like("labels", "labels").by("containers run side by side"),
	like("user", "user").by("a container has its own user, terminal and memory"),
	kept(ofPod+"environment", "variables that Marathon injects win").by("containers run side by side", "pods are held to Marathon's rules"),
	kept(ofPod+"containers", "in one pod of Kubernetes").by("containers run side by side"),
	differs(ofPod+"containers[].name", "part of the task id. Capitals become small letters, which Kubernetes has only").
		by("containers run side by side", "pods are held to Marathon's rules"),
	kept(ofPod+"containers[].exec.command.shell", "").by("a container has its own user, terminal and memory"),
	kept(ofPod+"containers[].exec.command.argv", "").by("containers run side by side"),
	kept(ofPod+"containers[].exec.overrideEntrypoint", "").by("containers run side by side", "pods are held to Marathon's rules"),
	like("containers[].resources.cpus", "cpus").by("resources are those of containers"),
	like("containers[].resources.mem", "mem").by("resources are those of containers"),
	like("containers[].resources.disk", "disk").by("resources are those of containers"),
	like("containers[].resources.gpus", "gpus").by("resources are those of containers"),
	like("containers[].resourceLimits.cpus", "resourceLimits.cpus").by("resources are those of containers", "pods are held to Marathon's rules"),
	like("containers[].resourceLimits.mem", "resourceLimits.mem").by("resources are those of containers"),
	kept(ofPod+"containers[].endpoints", "`ENDPOINT_<NAME>`, `EP_HOST_<NAME>`, `EP_CONTAINER_<NAME>`. No service ports").by("containers find each other"),
	kept(ofPod+"containers[].endpoints[].name", "").by("containers find each other", "pods are held to Marathon's rules"),
	kept(ofPod+"containers[].endpoints[].containerPort", "").by("containers find each other", "pods are held to Marathon's rules"),
	differs(ofPod+"containers[].endpoints[].hostPort", "0 asks for any on the host network; elsewhere it is none: the pod has an address of its own").
		by("containers find each other", "endpoints of the host network are of the node"),
	kept(ofPod+"containers[].endpoints[].protocol", "what is neither `tcp` nor `udp`, such as `http`, is over TCP").by("endpoints of the host network are of the node"),
	kept(ofPod+"containers[].endpoints[].networkNames", "").by("pods are held to Marathon's rules"),
	kept(ofPod+"containers[].endpoints[].labels", "those that begin with `VIP` or `vip` make virtual IPs; others are kept").by("endpoints of pods are behind virtual IPs"),
	kept(ofPod+"containers[].image.kind", "`DOCKER`. `APPC` is refused").by("containers run side by side", "pods are held to Marathon's rules"),
	like("containers[].image.id", "container.docker.image").by("containers run side by side"),
	like("containers[].image.pullConfig.secret", "container.docker.pullConfig.secret").by("a container is pulled with what it names"),
	like("containers[].image.forcePull", "container.docker.forcePullImage").by("a container is pulled with what it names"),
	kept(ofPod+"containers[].image.labels", "without effect on an image of kind `DOCKER`").by("containers run side by side"),
	kept(ofPod+"containers[].environment", "wins over the pod's").by("containers run side by side"),
	kept(ofPod+"containers[].user", "in place of the pod's").by("a container has its own user, terminal and memory"),
	differs(ofPod+"containers[].healthCheck", "made by the kubelet").by("a pod is launched anew as a whole"),
	kept(ofPod+"containers[].healthCheck.http.endpoint", "").by("a pod is launched anew as a whole", "pods are held to Marathon's rules"),
	kept(ofPod+"containers[].healthCheck.http.path", "").by("a pod is launched anew as a whole"),
	kept(ofPod+"containers[].healthCheck.http.scheme", "").by("containers are checked in each way"),
	kept(ofPod+"containers[].healthCheck.tcp.endpoint", "").by("containers are checked in each way"),
	kept(ofPod+"containers[].healthCheck.exec.command.shell", "").by("containers are checked in each way"),
	kept(ofPod+"containers[].healthCheck.exec.command.argv", "").by("containers are checked in each way"),
	like("containers[].healthCheck.gracePeriodSeconds", "healthChecks[].gracePeriodSeconds").by("containers are checked in each way"),
	like("containers[].healthCheck.intervalSeconds", "healthChecks[].intervalSeconds").by("containers are checked in each way"),
	like("containers[].healthCheck.maxConsecutiveFailures", "healthChecks[].maxConsecutiveFailures").by("containers are checked in each way"),
	like("containers[].healthCheck.timeoutSeconds", "healthChecks[].timeoutSeconds").by("containers are checked in each way", "pods are held to Marathon's rules"),
	like("containers[].healthCheck.delaySeconds", "healthChecks[].delaySeconds").by("containers are checked in each way"),
	kept(ofPod+"containers[].check.http.endpoint", "").by("a check of a container reports"),
	kept(ofPod+"containers[].check.http.path", "").by("a check of a container reports"),
	kept(ofPod+"containers[].check.http.scheme", "").by("a check of a container reports"),
	kept(ofPod+"containers[].check.tcp.endpoint", "").by("a check of a container reports"),
	refused(ofPod+"containers[].check.exec", "as `check.exec` of an app").by("what pods can't have is stalled"),
	like("containers[].check.intervalSeconds", "check.intervalSeconds").by("a check of a container reports"),
	like("containers[].check.timeoutSeconds", "check.timeoutSeconds").by("a check of a container reports"),
	like("containers[].check.delaySeconds", "check.delaySeconds").by("a check of a container reports"),
	kept(ofPod+"containers[].volumeMounts", "").by("containers share volumes", "pods are held to Marathon's rules"),
	kept(ofPod+"containers[].volumeMounts[].name", "").by("containers share volumes", "pods are held to Marathon's rules"),
	kept(ofPod+"containers[].volumeMounts[].mountPath", "relative ones are below the sandbox of the container").by("containers share volumes"),
	kept(ofPod+"containers[].volumeMounts[].readOnly", "").by("containers share volumes"),
	kept(ofPod+"containers[].artifacts", "each container has a sandbox of its own").by("a container has its files"),
	like("containers[].artifacts[].uri", "fetch[].uri").by("a container has its files"),
	like("containers[].artifacts[].extract", "fetch[].extract").by("a container has its files"),
	like("containers[].artifacts[].executable", "fetch[].executable").by("a container has its files"),
	like("containers[].artifacts[].cache", "fetch[].cache").by("a container has its files"),
	like("containers[].artifacts[].destPath", "fetch[].destPath").by("a container has its files"),
	kept(ofPod+"containers[].labels", "variables of the container, beside the pod's").by("containers run side by side"),
	differs(ofPod+"containers[].lifecycle.killGracePeriodSeconds", "the longest of all containers holds for each. Fractions are rounded up").by("resources are those of containers"),
	like("containers[].tty", "tty").by("a container has its own user, terminal and memory"),
	like("containers[].linuxInfo.seccomp.profileName", "container.linuxInfo.seccomp.profileName").by("a container has its own user, terminal and memory"),
	like("containers[].linuxInfo.seccomp.unconfined", "container.linuxInfo.seccomp.unconfined").by("a container has its own user, terminal and memory"),
	differs(ofPod+"containers[].linuxInfo.ipcInfo.mode", "the containers of a pod share System V IPC in any case; `PRIVATE` with a `shmSize` has a `/dev/shm` of its own").
		by("a container has its own user, terminal and memory"),
	kept(ofPod+"containers[].linuxInfo.ipcInfo.shmSize", "").by("a container has its own user, terminal and memory"),
	like("secrets", "secrets").by("containers share volumes"),
	like("secrets{}.source", "secrets{}.source").by("containers share volumes"),
	kept(ofPod+"volumes", "").by("containers share volumes", "pods are held to Marathon's rules"),
	kept(ofPod+"volumes[].name", "").by("containers share volumes"),
	differs(ofPod+"volumes[].host", "where the namespace [allows it](../policy.md); a relative one is of the container's sandbox").by("containers share volumes"),
	kept(ofPod+"volumes[].persistent", "as `container.volumes[].persistent`, shared by the containers that mount it").by("a pod keeps its data"),
	like("volumes[].persistent.type", "container.volumes[].persistent.type").by("a pod keeps its data"),
	like("volumes[].persistent.size", "container.volumes[].persistent.size").by("a pod keeps its data"),
	like("volumes[].persistent.maxSize", "container.volumes[].persistent.maxSize").by("claims of a pod are those of an app"),
	like("volumes[].persistent.profileName", "container.volumes[].persistent.profileName").by("claims of a pod are those of an app"),
	like("volumes[].persistent.constraints", "container.volumes[].persistent.constraints").by("claims of a pod are those of an app"),
	kept(ofPod+"volumes[].secret", "a file").by("containers share volumes"),
	kept(ofPod+"networks", "").by("containers find each other", "endpoints of the host network are of the node"),
	like("networks[].name", "networks[].name").by("pods are held to Marathon's rules"),
	like("networks[].mode", "networks[].mode").by("containers find each other", "endpoints of the host network are of the node"),
	like("networks[].labels", "networks[].labels").by("what pods can't have is stalled"),
	kept(ofPod+"scaling.kind", "`fixed`").by("a pod is scheduled as an app is"),
	like("scaling.instances", "instances").by("a pod is scheduled as an app is"),
	like("scheduling.backoff.backoff", "backoffSeconds").by("a pod is scheduled as an app is"),
	like("scheduling.backoff.backoffFactor", "backoffFactor").by("a pod is scheduled as an app is"),
	like("scheduling.backoff.maxLaunchDelay", "maxLaunchDelaySeconds").by("a pod is scheduled as an app is"),
	like("scheduling.upgrade.maximumOverCapacity", "upgradeStrategy.maximumOverCapacity").by("a pod is scheduled as an app is"),
	like("scheduling.upgrade.minimumHealthCapacity", "upgradeStrategy.minimumHealthCapacity").by("a pod is scheduled as an app is"),
	like("scheduling.placement.constraints", "constraints").by("a pod is scheduled as an app is"),
	like("scheduling.placement.constraints[].fieldName", "constraints").by("a pod is scheduled as an app is"),
	like("scheduling.placement.constraints[].operator", "constraints").by("a pod is scheduled as an app is"),
	like("scheduling.placement.constraints[].value", "constraints").by("a pod is scheduled as an app is"),
	like("scheduling.placement.acceptedResourceRoles", "acceptedResourceRoles").by("a pod is scheduled as an app is"),
	kept(ofPod+"scheduling.killSelection", "a change of it alone restarts nothing").by("a pod is scheduled as an app is"),
	kept(ofPod+"scheduling.unreachableStrategy", "a change of it alone restarts nothing").by("a pod is scheduled as an app is"),
	like("executorResources.cpus", "executorResources.cpus").by("resources are those of containers"),
	like("executorResources.mem", "executorResources.mem").by("resources are those of containers"),
	like("executorResources.disk", "executorResources.disk").by("resources are those of containers"),
	like("role", "role").by("pods are held to Marathon's rules"),
	refused(ofPod+"linuxInfo", "of all containers together: each may have its own").by("pods are held to Marathon's rules"),
	differs("pod.legacySharedCgroups", "has no effect: each container has limits of its own").by("containers run side by side"),
	differs(ofPod+"dependencies", "those of its groups; in an App also its own").by("a pod is scheduled as an app is"),
	differs(ofPod+"drainSeconds", "as of an app; Marathon had no such field").by("a pod is scheduled as an app is"),
	differs(ofPod+"perNode", "as of an app; Marathon had no such field").by("a pod is scheduled as an app is"),
	differs(ofPod+"rollout", "as of an app; Marathon had no such field").by("a pod is scheduled as an app is"),
	like("rollout.paused", "rollout.paused").by("a pod is scheduled as an app is"),
	like("rollout.canaryInstances", "rollout.canaryInstances").by("a pod is scheduled as an app is"),
	like("rollout.progressDeadlineSeconds", "rollout.progressDeadlineSeconds").by("a pod is scheduled as an app is"),
	like("rollout.onFailure", "rollout.onFailure").by("a pod is scheduled as an app is"),
	like("rollout.inPlace", "rollout.inPlace").by("a pod is scheduled as an app is"),
	differs(ofPod+"suspend", "as of an app; Marathon had no such field").by("a pod is scheduled as an app is"),
}}

const (
	// small is a container of the test server that needs little.
	small = `"image": {"kind": "DOCKER", "id": "kdcos/web:v1"}, "resources": {"cpus": 0.01, "mem": 32}`
	none  = `"container": null, "cpus": null, "mem": null`
	sleep = `"exec": {"command": {"shell": "sleep 1000000"}}`
)

// pod is a definition of a pod with containers.
func pod(id, containers, more string) string {
	return fmt.Sprintf(`"id": %q, %s, "containers": [%s]%s`, id, none, containers, more)
}

// of is the container of a pod by its name.
func of(p *corev1.Pod, name string) *corev1.Container {
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == name {
			return &p.Spec.Containers[i]
		}
	}
	return nil
}

// at is what a container sees that listens on a port.
func (a *app) at(port int) inspection {
	return a.w.inspectAt(fmt.Sprintf("%s:%d", a.pod().Status.PodIP, port))
}

var (
	_ = behaviour("containers run side by side", func(w *watcher) {
		a := w.run(pod("pod-two",
			`{"name": "one", `+small+`, "environment": {"A": "own"}, "labels": {"tier": "front"}},
			{"name": "Two", "resources": {"cpus": 0.01, "mem": 32}, "image": {"kind": "docker", "id": "kdcos/web:v1", "labels": {"arch": "amd64"}},
				"exec": {"command": {"argv": ["/web", "-listen", ":8081"]}, "overrideEntrypoint": true}}`,
			`, "legacySharedCgroups": true, "labels": {"owner": "team"}, "environment": {"A": "pod", "B": "pod", "MARATHON_APP_ID": "not this"}`))
		one, two := a.at(80), a.at(8081)
		w.Expect(one.Env).To(And(HaveKeyWithValue("A", "own"), HaveKeyWithValue("B", "pod"), HaveKeyWithValue("MARATHON_APP_ID", "/"+w.namespace+"/pod-two")))
		w.Expect(two.Env).To(And(HaveKeyWithValue("A", "pod"), HaveKeyWithValue("MARATHON_CONTAINER_ID", "two"), HaveKeyWithValue("MARATHON_CONTAINER_RESOURCE_MEM", "32.0")))
		w.Expect(one.Env).To(And(HaveKeyWithValue("MARATHON_APP_LABEL_OWNER", "team"), HaveKeyWithValue("MARATHON_APP_LABEL_TIER", "front")))
		w.Expect(two.Env).NotTo(HaveKey("MARATHON_APP_LABEL_TIER"))
		w.Expect(two.Env["MESOS_TASK_ID"]).To(Equal(fmt.Sprintf("%s_pod-two.instance-%s.two.1", w.namespace, a.pod().UID)))
		w.Expect(one.Namespaces["net"]).To(Equal(two.Namespaces["net"]))
	})
	_ = behaviour("a container has its own user, terminal and memory", func(w *watcher) {
		a := w.run(pod("pod-own",
			`{"name": "one", `+small+`, "user": "root", "tty": true, "linuxInfo": {"ipcInfo": {"mode": "PRIVATE", "shmSize": 16}, "seccomp": {"unconfined": true}}},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "exec /web -listen :8081"}}, "linuxInfo": {"ipcInfo": {"mode": "SHARE_PARENT"}}}`, `, "user": "nobody"`))
		one, two := a.at(80), a.at(8081)
		w.Expect([]int{one.UID, two.UID}).To(Equal([]int{0, 65534}))
		w.Expect(one.Shm).To(BeEquivalentTo(16 << 20))
		w.Expect(two.Shm).NotTo(Equal(one.Shm))
		w.Expect(one.Stdin).NotTo(Equal(two.Stdin))
		w.Expect(one.value("/proc/self/status", "Seccomp")).To(Equal("0"))
		w.Expect(a.pod().Spec.HostIPC).To(BeFalse())
		unknown := w.start(pod("pod-seccomp", `{"name": "one", `+small+`, "linuxInfo": {"seccomp": {"profileName": "no-such-profile.json"}}}`, ``))
		w.Eventually(func() string { return unknown.condition(v1alpha1.ConditionReady).Message }).Should(ContainSubstring("no-such-profile.json"))
	})
	_ = behaviour("resources are those of containers", func(w *watcher) {
		a := w.run(pod("pod-resources",
			`{"name": "one", "image": {"kind": "DOCKER", "id": "kdcos/web:v1"}, "resources": {"cpus": 0.02, "mem": 48, "disk": 16, "gpus": 0}, "lifecycle": {"killGracePeriodSeconds": 1.5}},
			{"name": "two", `+small+`, `+sleep+`, "resourceLimits": {"cpus": 2, "mem": "unlimited"}, "lifecycle": {"killGracePeriodSeconds": 4}}`,
			`, "executorResources": {"cpus": 0.1, "mem": 32, "disk": 10}`))
		p := a.pod()
		one, two := of(p, "one").Resources, of(p, "two").Resources
		w.Expect([]string{one.Requests.Cpu().String(), one.Requests.Memory().String(), one.Requests.StorageEphemeral().String()}).To(Equal([]string{"120m", "80Mi", "26Mi"}))
		w.Expect([]string{two.Requests.Cpu().String(), two.Limits.Cpu().String()}).To(Equal([]string{"10m", "2"}))
		w.Expect(two.Limits).NotTo(HaveKey(corev1.ResourceMemory))
		w.Expect(p.Spec.TerminationGracePeriodSeconds).To(HaveValue(BeEquivalentTo(4)))
		gpus := w.start(pod("pod-gpus", `{"name": "one", "image": {"kind": "DOCKER", "id": "kdcos/web:v1"}, "resources": {"cpus": 0.01, "mem": 32, "gpus": 1}}`, ``))
		gpus.says(v1alpha1.ReasonWaiting, "gpu")
	})
	_ = behaviour("containers find each other", func(w *watcher) {
		a := w.run(pod("pod-endpoints",
			`{"name": "one", `+small+`, "endpoints": [{"name": "web-ui", "containerPort": 80, "hostPort": 0}]},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "exec /web -listen :$ENDPOINT_ADMIN"}}, "endpoints": [{"name": "admin", "containerPort": 8081}]}`, ``))
		one := a.at(80)
		for name, value := range map[string]string{"ENDPOINT_WEB_UI": "80", "EP_CONTAINER_WEB_UI": "80", "EP_HOST_WEB_UI": "80", "ENDPOINT_ADMIN": "8081", "HOST": a.pod().Status.PodIP} {
			w.Expect(one.Env).To(HaveKeyWithValue(name, value))
			w.Expect(a.at(8081).Env).To(HaveKeyWithValue(name, value))
		}
		w.Expect(a.get().Status.ServicePorts).To(BeEmpty())
	})
	_ = behaviour("endpoints of the host network are of the node", func(w *watcher) {
		a := w.run(pod("pod-host",
			`{"name": "one", `+small+`, "exec": {"command": {"shell": "exec /web -listen :$EP_HOST_WEB"}}, "endpoints": [{"name": "web", "protocol": ["http", "udp"]}]}`,
			`, "networks": [{"mode": "host"}]`))
		p := a.pod()
		w.Expect(p.Spec.HostNetwork).To(BeTrue())
		w.serves(address(p))
		w.echoes(address(p))
		seen := w.inspectPod(p)
		w.Expect(seen.Env).NotTo(HaveKey("EP_CONTAINER_WEB"))
		w.Expect(seen.Env["ENDPOINT_WEB"]).To(Equal(seen.Env["EP_HOST_WEB"]))
	})
	_ = behaviour("containers share volumes", func(w *watcher) {
		w.secret("pod-secret", "in a file")
		w.run(pod("pod-volumes",
			`{"name": "one", `+small+`, "exec": {"command": {"shell": "echo shared > d/x && test -d /node && test \"$(cat keys/s)\" = 'in a file' && test \"$S\" = 'in a file' && sleep 1000000"}},
				"environment": {"S": {"secret": "s"}},
				"volumeMounts": [{"name": "shared", "mountPath": "d"}, {"name": "node", "mountPath": "/node", "readOnly": true}, {"name": "key", "mountPath": "keys/s"}]},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "while ! test -f /e/x; do sleep 0.1; done; ! touch /e/y && sleep 1000000"}},
				"volumeMounts": [{"name": "shared", "mountPath": "/e", "readOnly": true}],
				"healthCheck": {"exec": {"command": {"shell": "grep shared /e/x"}}, "delaySeconds": 0, "intervalSeconds": 2, "timeoutSeconds": 1}}`,
			`, "volumes": [{"name": "shared"}, {"name": "node", "host": "/var/tmp"}, {"name": "key", "secret": "s"}], "secrets": {"s": {"source": "pod-secret"}}`))
	})
	_ = behaviour("a container has its files", func(w *watcher) {
		from := "http://" + address(w.run(plain).pod()) + "/files/"
		w.run(pod("pod-files",
			`{"name": "one", `+small+`, "exec": {"command": {"shell": "test -f here/dir/hello.txt && test ! -e a.tgz && sleep 1000000"}},
				"artifacts": [{"uri": "`+from+`a.tgz", "destPath": "here/a.tgz", "extract": true, "executable": false, "cache": true}]},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "test ! -e here && test -x b.tgz && sleep 1000000"}},
				"artifacts": [{"uri": "`+from+`a.tgz", "destPath": "b.tgz", "extract": false, "executable": true}]}`, ``))
	})
	_ = behaviour("a container is pulled with what it names", func(w *watcher) {
		a := w.start(pod("pod-pull", `{"name": "one", "resources": {"cpus": 0.01, "mem": 32},
			"image": {"kind": "DOCKER", "id": "registry.invalid/x", "forcePull": true, "pullConfig": {"secret": "p"}}}`, `, "secrets": {"p": {"source": "pod-registry"}}`))
		a.says(v1alpha1.ReasonImagePull, "registry.invalid/x")
		p := a.pod()
		w.Expect(p.Spec.ImagePullSecrets).To(ConsistOf(corev1.LocalObjectReference{Name: "pod-registry"}))
		w.Expect(p.Spec.Containers[0].ImagePullPolicy).To(Equal(corev1.PullAlways))
	})
	_ = behaviour("containers are checked in each way", func(w *watcher) {
		const often = `"gracePeriodSeconds": 60, "intervalSeconds": 2, "timeoutSeconds": 1, "delaySeconds": 0, "maxConsecutiveFailures": 1`
		a := w.run(pod("pod-checks",
			`{"name": "tls", `+small+`, "exec": {"command": {"shell": "exec /web -listen :8443 -tls"}}, "endpoints": [{"name": "tls", "containerPort": 8443}],
				"healthCheck": {"http": {"endpoint": "tls", "scheme": "HTTPS"}, `+often+`}},
			{"name": "tcp", `+small+`, "endpoints": [{"name": "tcp", "containerPort": 80}], "healthCheck": {"tcp": {"endpoint": "tcp"}, `+often+`}},
			{"name": "shell", `+small+`, `+sleep+`, "healthCheck": {"exec": {"command": {"shell": "test -n \"$MESOS_TASK_ID\""}}, `+often+`}},
			{"name": "argv", `+small+`, `+sleep+`, "healthCheck": {"exec": {"command": {"argv": ["/web", "get", "http://localhost:80/"]}}, `+often+`}}`, ``))
		w.Expect(a.get().Status.TasksHealthy).To(BeEquivalentTo(1))
		results := workload.HealthResults(a.get(), a.pod())
		w.Expect(results).To(HaveLen(4))
		for _, r := range results {
			w.Expect(r.Alive).To(HaveValue(BeTrue()), r.Name)
		}
	})
	_ = behaviour("a check of a container reports", func(w *watcher) {
		a := w.run(pod("pod-report",
			`{"name": "one", `+small+`, "endpoints": [{"name": "web", "containerPort": 80}],
				"check": {"http": {"endpoint": "web", "path": "/answer?code=404", "scheme": "HTTP"}, "intervalSeconds": 1, "timeoutSeconds": 1, "delaySeconds": 0}},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "exec /web -listen :8081"}}, "endpoints": [{"name": "other", "containerPort": 8081}],
				"check": {"tcp": {"endpoint": "other"}, "intervalSeconds": 1, "timeoutSeconds": 1, "delaySeconds": 0}}`, ``))
		w.Eventually(func() []corev1.PodCondition { return a.pod().Status.Conditions }).Should(And(
			ContainElement(And(HaveField("Type", BeEquivalentTo("kdcos.io/check-0")), HaveField("Status", corev1.ConditionFalse), HaveField("Message", "404 Not Found"))),
			ContainElement(And(HaveField("Type", BeEquivalentTo("kdcos.io/check-1")), HaveField("Status", corev1.ConditionTrue)))))
	})
	_ = behaviour("a container that is done leaves the others", func(w *watcher) {
		a := w.run(pod("pod-done", `{"name": "one", `+small+`}, {"name": "two", `+small+`, "exec": {"command": {"shell": "exit 0"}}}`, ``))
		p := a.pod()
		w.Eventually(func() *corev1.ContainerStateTerminated {
			return workload.StatusOf(a.pod().Status.ContainerStatuses, "two").State.Terminated
		}).ShouldNot(BeNil())
		a.ready()
		w.Consistently(func() types.UID { return a.pod().UID }).Should(Equal(p.UID))
		w.Expect(a.get().Status.Backoff).To(BeNil())
	})
	_ = behaviour("a pod is launched anew as a whole", func(w *watcher) {
		a := w.run(pod("pod-whole",
			`{"name": "one", `+small+`, "endpoints": [{"name": "web", "containerPort": 80}],
				"healthCheck": {"http": {"endpoint": "web", "path": "/health"}, "intervalSeconds": 2, "timeoutSeconds": 1, "delaySeconds": 0, "maxConsecutiveFailures": 1}},
			{"name": "two", `+small+`, "exec": {"command": {"shell": "exec /web -listen :8081"}}, "endpoints": [{"name": "other", "containerPort": 8081}]}`, ``))
		first := a.pod()
		_, _, err := fetch(w.t.Context(), "POST", fmt.Sprintf("http://%s:8081/exit?code=7", first.Status.PodIP))
		w.Expect(err).NotTo(HaveOccurred())
		w.Eventually(func() types.UID { return a.pod().UID }).ShouldNot(Equal(first.UID))
		w.Expect(a.get().Status.LastTaskFailure).To(HaveField("Message", "container two: exit code 7"))
		a.ready()
		second := a.pod()
		a.tell("/health/off")
		w.Eventually(func() types.UID { return a.pod().UID }).ShouldNot(Equal(second.UID))
		a.ready()
	})
	_ = behaviour("a pod is scheduled as an app is", func(w *watcher) {
		const more = `, "scaling": {"kind": "fixed", "instances": 2}, "drainSeconds": 1, "suspend": %s, "perNode": false,
			"rollout": {"paused": false, "canaryInstances": 2, "progressDeadlineSeconds": 600, "onFailure": "Pause", "inPlace": ["labels"]}, "dependencies": ["plain"], "scheduling": {
			"backoff": {"backoff": 2, "backoffFactor": 3, "maxLaunchDelay": 60}, "upgrade": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0},
			"placement": {"constraints": [{"fieldName": "@hostname", "operator": "UNIQUE"}, {"fieldName": "@zone", "operator": "LIKE", "value": "zone-.*"}], "acceptedResourceRoles": ["*"]},
			"killSelection": %q, "unreachableStrategy": {"inactiveAfterSeconds": %d, "expungeAfterSeconds": 600}}`
		containers := `{"name": "one", ` + small + `}, {"name": "two", ` + small + `, ` + sleep + `}`
		w.run(plain)
		a := w.run(pod("pod-scheduled", containers, fmt.Sprintf(more, "false", "YOUNGEST_FIRST", 300)))
		before := a.incarnations()
		w.Expect(before).To(HaveLen(2))
		nodes := map[string]bool{}
		for _, p := range a.pods() {
			nodes[p.Spec.NodeName] = true
		}
		w.Expect(nodes).To(HaveLen(2))
		s := a.get().Spec
		w.Expect(s).To(And(HaveField("BackoffSeconds", HaveValue(BeEquivalentTo(2))), HaveField("BackoffFactor", HaveValue(Equal(3.0))), HaveField("MaxLaunchDelaySeconds", HaveValue(BeEquivalentTo(60)))))
		w.Expect(s.UpgradeStrategy).To(And(HaveField("MinimumHealthCapacity", HaveValue(Equal(0.5))), HaveField("MaximumOverCapacity", HaveValue(BeZero()))))
		a.put(pod("pod-scheduled", containers, fmt.Sprintf(more, "false", "OLDEST_FIRST", 200)))
		a.ready()
		w.Expect(a.incarnations()).To(ConsistOf(before))
		a.put(pod("pod-scheduled", containers, fmt.Sprintf(more, "true", "OLDEST_FIRST", 200)))
		w.Eventually(a.pods).Should(BeEmpty())
	})
	_ = behaviour("a pod keeps its data", func(w *watcher) {
		keeps := func(shell string) string {
			return pod("pod-keeps", `{"name": "one", `+small+`, "exec": {"command": {"shell": "`+shell+`; exec sleep 1000"}}, "volumeMounts": [{"name": "v", "mountPath": "data"}]},
				{"name": "two", `+small+`, "exec": {"command": {"shell": "until test -e /other/file; do sleep 0.2; done; exec sleep 1000"}}, "volumeMounts": [{"name": "v", "mountPath": "/other"}]}`,
				`, "volumes": [{"name": "v", "persistent": {"size": 1}}], "scheduling": {"unreachableStrategy": "disabled", "upgrade": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}}`)
		}
		a := w.run(keeps("echo x > data/file"))
		before := a.incarnations()
		a.put(keeps("set -e; test -e data/file"))
		w.Eventually(a.incarnations).ShouldNot(ContainElements(before))
		a.ready()
		w.tool("kubectl-kdcos", "wipe", "/"+w.namespace+"/pod-keeps", "--all")
		w.Eventually(func() string { return fmt.Sprint(a.get().Status.LastTaskFailure) }).Should(ContainSubstring("container one"))
	})
	_ = behaviour("claims of a pod are those of an app", func(w *watcher) {
		volume := func(persistent string) string {
			return pod("pod-claims", `{"name": "one", `+small+`, "volumeMounts": [{"name": "v", "mountPath": "data"}]}`, `, "volumes": [{"name": "v", "persistent": `+persistent+`}]`)
		}
		a := w.start(volume(`{"type": "mount", "size": 10, "maxSize": 20, "profileName": "fast"}`))
		w.Eventually(func() []corev1.PersistentVolumeClaim {
			var list corev1.PersistentVolumeClaimList
			w.Expect(w.List(w.t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.AppLabel: a.name})).To(Succeed())
			return list.Items
		}).Should(ConsistOf(HaveField("Spec", And(
			HaveField("StorageClassName", HaveValue(Equal("fast"))),
			HaveField("Resources.Requests", HaveKeyWithValue(corev1.ResourceStorage, resource.MustParse("10Mi"))),
			HaveField("Resources.Limits", HaveKeyWithValue(corev1.ResourceStorage, resource.MustParse("20Mi")))))))
		w.stalls(strings.Replace(volume(`{"type": "mount", "size": 10, "constraints": [["path", "LIKE", "/dev/.*"]]}`), "pod-claims", "pod-path", 1), "spec.volumes[v].persistent.constraints")
	})
	_ = behaviour("what pods can't have is stalled", func(w *watcher) {
		w.stalls(pod("pod-exec", `{"name": "one", `+small+`, "check": {"exec": {"command": {"shell": "true"}}}}`, ``), "spec.containers[one].check.exec")
		w.stalls(pod("pod-network", `{"name": "one", `+small+`}`, `, "networks": [{"mode": "container/bridge", "labels": {"a": "b"}}]`), "spec.networks[0].labels")
	})
	_ = behaviour("pods are held to Marathon's rules", func(w *watcher) {
		w.refuses(pod("x", `{"name": "a_b", `+small+`}`, ``), "/containers(0)/name", "error.pattern")
		w.refuses(pod("x", `{"name": "a", `+small+`}`, `, "environment": {"a b": "c"}`), "/environment/a b", "the name of a variable")
		w.refuses(pod("x", `{"name": "a", `+small+`, "exec": {"command": {"shell": "x"}, "overrideEntrypoint": false}}`, ``), "/containers(0)/exec/overrideEntrypoint", "must not be false")
		w.refuses(pod("x", `{"name": "a", `+small+`, "resourceLimits": {"cpus": 0.001}}`, ``), "/containers(0)/resourceLimits/cpus", "must be greater than or equal")
		w.refuses(pod("x", `{"name": "a", `+small+`, "endpoints": [{"name": "p", "containerPort": 80}, {"name": "p", "containerPort": 81}]}`, ``), "/containers(0)/endpoints(1)/name", "another endpoint")
		w.refuses(pod("x", `{"name": "a", `+small+`, "endpoints": [{"name": "p"}]}`, ``), "/containers(0)/endpoints(0)/containerPort", "is required")
		w.refuses(pod("x", `{"name": "a", `+small+`, "endpoints": [{"name": "p", "containerPort": 80, "networkNames": ["b"]}]}`, `, "networks": [{"name": "a"}]`),
			"/containers(0)/endpoints(0)/networkNames(0)", "is not one of")
		w.refuses(pod("x", `{"name": "a", "image": {"kind": "APPC", "id": "x"}}`, ``), "/containers(0)/image/kind", "use DOCKER")
		w.refuses(pod("x", `{"name": "a", `+small+`, "healthCheck": {"http": {"endpoint": "p"}}}`, ``), "/containers(0)/healthCheck/http/endpoint", "must be the name of an endpoint")
		w.refuses(pod("x", `{"name": "a", `+small+`, "healthCheck": {"exec": {"command": {"shell": "x"}}, "intervalSeconds": 20}}`, ``), "/containers(0)/healthCheck/timeoutSeconds", "less than 20")
		w.refuses(pod("x", `{"name": "a", `+small+`, "volumeMounts": [{"name": "v", "mountPath": "d"}]}`, ``), "/containers(0)/volumeMounts(0)/name", "there is no volume")
		w.refuses(pod("x", `{"name": "a", `+small+`}`, `, "volumes": [{"name": "v"}]`), "/volumes(0)", "no container mounts it")
		w.refuses(pod("x", `{"name": "a", `+small+`}`, `, "networks": [{"name": "Odd Name"}]`), "/networks(0)/name", "error.pattern")
		w.refuses(pod("x", `{"name": "a", `+small+`}`, `, "role": "other"`), "/role", "one of")
		w.refuses(pod("x", `{"name": "a", `+small+`}`, `, "linuxInfo": {"ipcInfo": {"mode": "PRIVATE"}}`), "/linuxInfo", "use linuxInfo of a container")
		app, err := w.read(pod("x", `{"name": "a", `+small+`}`, ``))
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(marathon.IsPod(app)).To(BeTrue())
	})
)
