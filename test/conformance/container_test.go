// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var resources = section{title: "Resources", rows: []row{
	kept("cpus", "asked of the node, and the limit").by("cpus are share and limit", "an app that fits no node says so"),
	kept("mem", "in MiB, asked of the node. The limit is 32 MiB more, which Mesos gave every task for its executor").
		by("mem is the limit with 32 MiB more", "a task that takes more than its mem is ended", "an app that fits no node says so"),
	kept("disk", "in MiB, asked of the node").by("disk is asked of the node"),
	kept("gpus", "whole ones, of the extended resource that the operator names. With the DOCKER engine they are refused, as they were").
		by("gpus are asked of the node", "gpus of the DOCKER engine are refused"),
	kept("resourceLimits", "").by("resourceLimits are the limits", "resourceLimits under the resources are refused"),
	kept("resourceLimits.cpus", "a number, at least `cpus`, or `unlimited`").by("resourceLimits are the limits", "resourceLimits under the resources are refused"),
	kept("resourceLimits.mem", "a number, at least `mem`, or `unlimited`").by("resourceLimits are the limits", "resourceLimits under the resources are refused"),
	kept("executorResources.cpus", "asked of the node in addition; a change restarts nothing").by("executorResources are asked of the node in addition"),
	kept("executorResources.mem", "").by("executorResources are asked of the node in addition"),
	kept("executorResources.disk", "").by("executorResources are asked of the node in addition"),
}}

// cpuLimit is that of a task, in cores; 0 is none.
func (i *inspection) cpuLimit() float64 {
	words := strings.Fields(i.first("/sys/fs/cgroup/cpu.max"))
	if len(words) == 0 {
		words = []string{i.first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), i.first("/sys/fs/cgroup/cpu/cpu.cfs_period_us")}
	}
	quota, _ := strconv.ParseFloat(words[0], 64)
	period, _ := strconv.ParseFloat(words[1], 64)
	return max(quota, 0) / period
}

// memLimit is that of a task, in MiB; a very large one is none.
func (i *inspection) memLimit() float64 {
	limit := i.first("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
	if limit == "max" {
		return 1 << 40
	}
	bytes, _ := strconv.ParseFloat(limit, 64)
	return bytes / (1 << 20)
}

// requested is what the only pod of an app asks of its node.
func (a *app) requested(name corev1.ResourceName) resource.Quantity {
	a.w.t.Helper()
	return a.pod().Spec.Containers[0].Resources.Requests[name]
}

var (
	_ = behaviour("cpus are share and limit", func(w *watcher) {
		seen := w.task(`"id": "cpus", "cpus": 0.25`)
		w.Expect(seen.cpuLimit()).To(Equal(0.25))
		w.Expect(seen.first("/sys/fs/cgroup/cpu/cpu.shares", "/sys/fs/cgroup/cpu.weight")).To(BeElementOf("256", "10", "29", "30"))
	})
	_ = behaviour("mem is the limit with 32 MiB more", func(w *watcher) {
		whole, fraction := w.task(`"id": "mem", "mem": 64`), w.task(`"id": "mem-fraction", "mem": 16.5`)
		w.Expect(whole.memLimit()).To(Equal(96.0))
		w.Expect(fraction.memLimit()).To(Equal(48.5))
	})
	_ = behaviour("a task that takes more than its mem is ended", func(w *watcher) {
		a := w.start(`"id": "greedy", "mem": 16, "cmd": "x=x; while :; do x=$x$x; done"`)
		w.Eventually(func() *v1alpha1.TaskFailure { return a.get().Status.LastTaskFailure }).Should(HaveField("Message", ContainSubstring("OOMKilled")))
	})
	_ = behaviour("an app that fits no node says so", func(w *watcher) {
		w.start(`"id": "huge-cpus", "cpus": 1000`).says(v1alpha1.ReasonWaiting, "Insufficient cpu")
		w.start(`"id": "huge-mem", "mem": 100000000`).says(v1alpha1.ReasonWaiting, "Insufficient memory")
	})
	_ = behaviour("disk is asked of the node", func(w *watcher) {
		w.start(`"id": "huge-disk", "disk": 1000000000`).says(v1alpha1.ReasonWaiting, "Insufficient ephemeral-storage")
		w.Expect(w.run(`"id": "disk", "disk": 10`).requested(corev1.ResourceEphemeralStorage)).To(Equal(resource.MustParse("10Mi")))
	})
	_ = behaviour("gpus are asked of the node", func(w *watcher) {
		var nodes corev1.NodeList
		w.Expect(w.List(w.t.Context(), &nodes)).To(Succeed())
		home := nodes.Items[0].DeepCopy()
		home.Status.Capacity["nvidia.com/gpu"] = resource.MustParse("2")
		w.Expect(w.Status().Patch(w.t.Context(), home, client.MergeFrom(&nodes.Items[0]))).To(Succeed())
		w.t.Cleanup(func() {
			without := home.DeepCopy()
			delete(without.Status.Capacity, "nvidia.com/gpu")
			if err := w.Status().Patch(context.Background(), without, client.MergeFrom(home)); err != nil {
				w.t.Error(err)
			}
		})
		a := w.run(`"id": "gpu", "gpus": 2, ` + ucr + "}}")
		w.Expect(a.pod().Spec.NodeName).To(Equal(home.Name))
		w.Expect(a.inspect().Env).To(HaveKeyWithValue("MARATHON_APP_RESOURCE_GPUS", "2"))
		w.start(`"id": "no-gpu", "gpus": 1, `+ucr+"}}").says(v1alpha1.ReasonWaiting, "Insufficient nvidia.com/gpu")
	})
	_ = behaviour("gpus of the DOCKER engine are refused", func(w *watcher) {
		w.refuses(`"id": "x", "gpus": 1`, "/", "GPU resources only work with the Mesos containerizer")
	})
	_ = behaviour("resourceLimits are the limits", func(w *watcher) {
		seen := w.task(`"id": "limits", "cpus": 0.02, "mem": 16, "resourceLimits": {"cpus": 0.5, "mem": 100.5}`)
		w.Expect(seen.cpuLimit()).To(Equal(0.5))
		w.Expect(seen.memLimit()).To(Equal(100.5))
		seen = w.task(`"id": "unlimited", "resourceLimits": {"cpus": "unlimited", "mem": "unlimited"}`)
		w.Expect(seen.cpuLimit()).To(BeZero())
		w.Expect(seen.memLimit()).To(BeNumerically(">", 1<<30))
	})
	_ = behaviour("resourceLimits under the resources are refused", func(w *watcher) {
		w.refuses(`"id": "x", "cpus": 2, "resourceLimits": {"cpus": 1}`, "/resourceLimits/cpus", "must be greater than or equal to requested resource (2.0)")
		w.refuses(`"id": "x", "mem": 256, "resourceLimits": {"mem": 200}`, "/resourceLimits/mem", "must be greater than or equal to requested resource (256.0)")
		w.refuses(`"id": "x", "resourceLimits": {"mem": "Infinity"}`, "/resourceLimits/mem", "must be 'unlimited' or a number")
	})
	_ = behaviour("executorResources are asked of the node in addition", func(w *watcher) {
		a := w.run(`"id": "executor-resources"`)
		before := a.incarnations()
		a.put(`"id": "executor-resources", "executorResources": {"cpus": 0.2, "mem": 40, "disk": 20}`)
		a.ready()
		w.Expect(a.incarnations()).To(Equal(before))
		w.Expect(w.Delete(w.t.Context(), a.pod())).To(Succeed())
		w.Eventually(a.incarnations).ShouldNot(Or(Equal(before), BeEmpty()))
		w.Expect(a.requested(corev1.ResourceCPU)).To(Equal(resource.MustParse("210m")))
		w.Expect(a.requested(corev1.ResourceMemory)).To(Equal(resource.MustParse("72Mi")))
		w.Expect(a.requested(corev1.ResourceEphemeralStorage)).To(Equal(resource.MustParse("20Mi")))
	})
)

var container = section{title: "Containers", about: "Fields of `container`.", rows: []row{
	kept("container.type", "`DOCKER` where nothing is said, or `MESOS`: both become a container of Kubernetes").
		by("without a type the engine is DOCKER", "the MESOS engine tells no image", "a container of the DOCKER engine needs an image"),
	kept("container.docker.image", "").by("the image is what runs", "a container of the DOCKER engine needs an image", "an image that is nowhere is told"),
	kept("container.docker.forcePullImage", "pull at every start. Otherwise an image that the node has is used, `:latest` too").
		by("forcePullImage asks the registry at every start"),
	differs("container.docker.privileged", "as Docker did, where the namespace [allows it](../policy.md). The MESOS engine ignores it, as it did").
		by("privileged is all rights", "what reaches into the node needs a label of the namespace", "the MESOS engine ignores privileged"),
	differs("container.docker.parameters", "flags of docker run that a pod can have, of the DOCKER engine; others are Stalled").
		by("parameters that a pod can't have are stalled", "parameters of the MESOS engine are refused"),
	kept("container.docker.parameters[].key", "a long name, see below").by("parameters that a pod can't have are stalled", "parameters of the MESOS engine are refused"),
	kept("container.docker.parameters[].value", "taken as it is").by("parameters of the process"),
	kept("container.docker.pullConfig", "credentials of a registry").by("pullConfig is what the image is pulled with", "pullConfig of the DOCKER engine is refused"),
	kept("container.docker.pullConfig.secret", "a Secret of Kubernetes' type for registries").by("pullConfig is what the image is pulled with"),
	refused("container.docker.credential", "long gone from Marathon, which refused it, too").by("credential is refused"),
	kept("container.linuxInfo.seccomp.profileName", "a profile of the node, below the kubelet's directory; not with `unconfined`").by("a seccomp profile is one of the node", "seccomp is a profile or unconfined"),
	differs("container.linuxInfo.seccomp.unconfined", "where the namespace [allows it](../policy.md)").
		by("seccomp may be unconfined", "what reaches into the node needs a label of the namespace", "seccomp is a profile or unconfined"),
	differs("container.linuxInfo.ipcInfo.mode", "`PRIVATE`, and `SHARE_PARENT` where the namespace [allows it](../policy.md)").
		by("ipcInfo is whose shared memory it is", "what reaches into the node needs a label of the namespace"),
	kept("container.linuxInfo.ipcInfo.shmSize", "of `/dev/shm`, counted as memory of the task").by("ipcInfo is whose shared memory it is", "seccomp is a profile or unconfined"),
}}

var parameters = section{title: "Docker parameters", about: "Keys of `container.docker.parameters[]`. ¹ where the namespace [allows it](../policy.md).", column: "key", rows: []row{
	kept("`env`", "wins over `env` of the app").by("parameters of the process"),
	differs("`user`", "`root` ¹, `nobody` or a number, with or without a group").by("parameters of the process", "what reaches into the node needs a label of the namespace"),
	kept("`workdir`", "").by("parameters of the process"),
	kept("`entrypoint`", "not together with `cmd`").by("parameters of the process"),
	kept("`hostname`", "not on the node's network").by("parameters of the network"),
	kept("`add-host`", "").by("parameters of the network"),
	kept("`dns`, `dns-search`, `dns-opt`, `dns-option`", "").by("parameters of the network"),
	kept("`shm-size`", "counted as memory of the task").by("parameters of the machine"),
	kept("`read-only`", "").by("parameters of the machine"),
	kept("`tty`, `interactive`", "").by("parameters of the process"),
	differs("`cap-add`", "¹").by("parameters of the machine", "what reaches into the node needs a label of the namespace"),
	kept("`cap-drop`", "").by("parameters of the machine"),
	differs("`privileged`", "¹").by("parameters of the node", "what reaches into the node needs a label of the namespace"),
	differs("`pid`, `ipc`", "`host` ¹").by("parameters of the node", "what reaches into the node needs a label of the namespace"),
	differs("`net`, `network`", "`host` ¹, where `networks` says the same").by("parameters of the node", "what reaches into the node needs a label of the namespace"),
	differs("`volume`", "¹ a path of the node").by("parameters of the node", "what reaches into the node needs a label of the namespace"),
	differs("`label`, `name`, `init`, `log-driver`, `log-opt`, `restart`, `rm`", "accepted, and without effect").by("parameters without an effect"),
	refused("`ulimit`, `device`, `sysctl`, `security-opt` and all others", "no pod can have them: the app is Stalled, and the message says what there is in their place").
		by("parameters that a pod can't have are stalled"),
}}

// withParameters is the beginning of a container with docker parameters.
func withParameters(keysAndValues ...string) string {
	var all []string
	for i := 0; i < len(keysAndValues); i += 2 {
		all = append(all, fmt.Sprintf(`{"key": %q, "value": %q}`, keysAndValues[i], keysAndValues[i+1]))
	}
	return `"container": {"docker": {"image": "kdcos/web:v1", "parameters": [` + strings.Join(all, ", ") + `]}`
}

// has says whether a task has a capability in effect.
func (i *inspection) has(capability string) bool {
	bits, _ := strconv.ParseUint(i.value("/proc/self/status", "CapEff"), 16, 64)
	return bits>>map[string]int{"CHOWN": 0, "NET_ADMIN": 12, "SYS_ADMIN": 21}[capability]&1 == 1
}

const ucr = `"container": {"type": "MESOS", "docker": {"image": "kdcos/web:v1"`

var (
	_ = behaviour("without a type the engine is DOCKER", func(w *watcher) {
		w.Expect(w.task(plain).Env).To(HaveKeyWithValue("MARATHON_APP_DOCKER_IMAGE", "kdcos/web:v1"))
	})
	_ = behaviour("a container of the DOCKER engine needs an image", func(w *watcher) {
		w.refuses(`"id": "x", "cmd": "sleep 9", "container": {}`, "/container/docker", "not defined")
		w.refuses(`"id": "x", "container": {"docker": {"image": ""}}`, "/container/docker/image", "")
		w.refuses(`"id": "x", "container": {"docker": {}}`, "/container/docker/image", "'image' is undefined on object")
	})
	_ = behaviour("the image is what runs", func(w *watcher) {
		w.Expect(w.task(`"id": "image", "container": {"docker": {"image": "kdcos/web:v2"}}`).Env).To(HaveKeyWithValue("MARATHON_APP_DOCKER_IMAGE", "kdcos/web:v2"))
	})
	_ = behaviour("an image that is nowhere is told", func(w *watcher) {
		w.start(`"id": "no-image", "container": {"docker": {"image": "kdcos/no-such-image:1"}}`).says(v1alpha1.ReasonImagePull, "no-such-image")
	})
	_ = behaviour("forcePullImage asks the registry at every start", func(w *watcher) {
		// The node has the image, and there is no registry that would.
		w.start(`"id": "force-pull", "container": {"docker": {"image": "kdcos/web:v1", "forcePullImage": true}}`).says(v1alpha1.ReasonImagePull, "kdcos/web:v1")
		w.run(`"id": "latest", "container": {"docker": {"image": "busybox"}}`)
	})
	_ = behaviour("privileged is all rights", func(w *watcher) {
		seen := w.task(`"id": "privileged", "container": {"docker": {"image": "kdcos/web:v1", "privileged": true}}`)
		w.Expect(seen.value("/proc/self/status", "Seccomp")).To(Equal("0"))
		w.Expect(seen.has("SYS_ADMIN")).To(BeTrue())
		ordinary := w.task(plain)
		w.Expect(ordinary.has("SYS_ADMIN")).To(BeFalse())
	})
	_ = behaviour("what reaches into the node needs a label of the namespace", func(w *watcher) {
		const docker = `"container": {"docker": {"image": "kdcos/web:v1", "parameters": [`
		for members, label := range map[string]string{
			`"networks": null`: "host-network", docker + `{"key": "net", "value": "host"}]}}`: "host-network",
			`"container": {"docker": {"image": "kdcos/web:v1", "privileged": true}}`: "privileged", docker + `{"key": "privileged", "value": "true"}]}}`: "privileged",
			`"container": {"docker": {"image": "kdcos/web:v1"}, "volumes": [{"containerPath": "/h", "hostPath": "/", "mode": "RW"}]}`: "host-path",
			docker + `{"key": "volume", "value": "/:/h"}]}}`: "host-path", docker + `{"key": "pid", "value": "host"}]}}`: "host-namespaces", docker + `{"key": "ipc", "value": "host"}]}}`: "host-namespaces",
			ucr + `}, "linuxInfo": {"ipcInfo": {"mode": "SHARE_PARENT"}}}`: "host-namespaces", ucr + `}, "linuxInfo": {"seccomp": {"unconfined": true}}}`: "privileged",
			docker + `{"key": "cap-add", "value": "NET_ADMIN"}]}}`: "capabilities", docker + `{"key": "user", "value": "root"}]}}`: "root", `"user": "root", ` + ucr + `}}`: "root",
		} {
			app, err := w.read(`"id": "forbidden", ` + members)
			w.Expect(err).NotTo(HaveOccurred(), members)
			app.Namespace = w.bare
			w.Expect(w.Create(w.t.Context(), app)).To(MatchError(And(
				ContainSubstring("needs the label kdcos.io/allow-"+label+"=true on namespace "+w.bare), ContainSubstring("policy kdcos-host-access"))), members)
		}
	})
	_ = behaviour("the MESOS engine ignores privileged", func(w *watcher) {
		seen := w.task(`"id": "privileged-mesos", ` + ucr + `, "privileged": true}}`)
		ordinary := w.task(plain)
		w.Expect(seen.value("/proc/self/status", "CapEff")).To(Equal(ordinary.value("/proc/self/status", "CapEff")))
	})
	_ = behaviour("parameters of the process", func(w *watcher) {
		a := w.run(`"id": "parameters-process", "env": {"A": "app"}, "args": ["-listen", ":8080"], ` +
			withParameters("env", "A=parameter $(X)", "user", "1000:2000", "workdir", "/etc", "tty", "true", "interactive", "true") + "}")
		seen := w.inspectAt(net.JoinHostPort(a.pod().Status.PodIP, "8080"))
		w.Expect(seen.Env).To(HaveKeyWithValue("A", "parameter $(X)"))
		w.Expect([]int{seen.UID, seen.GID}).To(Equal([]int{1000, 2000}))
		w.Expect(seen.Dir).To(Equal("/etc"))
		w.Expect(seen.Stdin).To(HavePrefix("/dev/pts/"))
		seen = w.task(`"id": "parameters-entrypoint", "args": ["-c", "exec /web serve"], ` + withParameters("entrypoint", "/bin/sh") + "}")
		w.Expect(seen.Args).To(Equal([]string{"/web", "serve"}))
	})
	_ = behaviour("parameters of the network", func(w *watcher) {
		seen := w.task(`"id": "parameters-network", ` + withParameters("hostname", "mine", "add-host", "other.example:192.0.2.7", "dns", "192.0.2.8", "dns-search", "example.org", "dns-opt", "ndots:3") + "}")
		w.Expect(seen.Hostname).To(Equal("mine"))
		w.Expect(seen.Files["/etc/hosts"]).To(MatchRegexp(`(?m)^192\.0\.2\.7\s+other\.example$`))
		w.Expect(seen.Files["/etc/resolv.conf"]).To(And(ContainSubstring("nameserver 192.0.2.8"), ContainSubstring("example.org"), ContainSubstring("ndots:3")))
	})
	_ = behaviour("parameters of the machine", func(w *watcher) {
		seen := w.task(`"id": "parameters-machine", ` + withParameters("shm-size", "32m", "read-only", "true", "cap-add", "NET_ADMIN", "cap-drop", "CAP_CHOWN") + "}")
		w.Expect(seen.Shm).To(BeEquivalentTo(32 << 20))
		w.Expect(seen.mount("/")).To(MatchRegexp(`^\S+ / \S+ ro[, ]`))
		w.Expect(seen.has("NET_ADMIN")).To(BeTrue())
		w.Expect(seen.has("CHOWN")).To(BeFalse())
		ordinary := w.task(plain)
		w.Expect(ordinary.has("NET_ADMIN")).To(BeFalse())
		w.Expect(ordinary.has("CHOWN")).To(BeTrue())
	})
	_ = behaviour("parameters of the node", func(w *watcher) {
		seen, ordinary := w.task(`"id": "parameters-node", `+withParameters("pid", "host", "ipc", "host", "volume", "/tmp:/of-the-node:ro", "privileged", "true")+"}"), w.task(plain)
		w.Expect(ordinary.PID).To(Equal(1))
		w.Expect(seen.PID).To(BeNumerically(">", 1))
		w.Expect(seen.Namespaces["ipc"]).NotTo(BeEmpty())
		w.Expect(seen.mount("/of-the-node")).To(MatchRegexp(`/of-the-node \S+ ro[, ]`))
		w.Expect(seen.has("SYS_ADMIN")).To(BeTrue())
		a := w.run(`"id": "parameters-net", "networks": null, ` + withParameters("net", "host") + "}")
		w.Expect(a.inspect().Env).To(HaveKeyWithValue("HOST", a.pod().Status.HostIP))
	})
	_ = behaviour("parameters without an effect", func(w *watcher) {
		w.run(`"id": "parameters-nothing", ` + withParameters("label", "a=b", "name", "x", "init", "true", "log-driver", "json-file", "log-opt", "max-size=10m", "restart", "always", "rm", "true") + "}")
	})
	_ = behaviour("parameters that a pod can't have are stalled", func(w *watcher) {
		for _, key := range []string{"ulimit", "device", "sysctl", "security-opt", "no-such-flag"} {
			w.stalls(`"id": "parameter-`+key+`", `+withParameters(key, "x")+"}", "spec.container.docker.parameters")
		}
	})
	_ = behaviour("parameters of the MESOS engine are refused", func(w *watcher) {
		w.refuses(`"id": "x", `+ucr+`, "parameters": [{"key": "hostname", "value": "x"}]}}`, "/container/docker/parameters", "must be empty")
		w.refuses(`"id": "x", "container": {"docker": {"image": "a", "parameters": [{"key": "", "value": "x"}]}}`, "/container/docker/parameters(0)/key", "error.minLength")
	})
	_ = behaviour("pullConfig is what the image is pulled with", func(w *watcher) {
		a := w.run(`"id": "pull-config", "secrets": {"p": {"source": "registry"}}, ` + ucr + `, "pullConfig": {"secret": "p"}}}`)
		w.Expect(a.pod().Spec.ImagePullSecrets).To(HaveExactElements(HaveField("Name", "registry")))
	})
	_ = behaviour("pullConfig of the DOCKER engine is refused", func(w *watcher) {
		w.refuses(`"id": "x", "secrets": {"p": {"source": "/p"}}, "container": {"docker": {"image": "a", "pullConfig": {"secret": "p"}}}`,
			"/container/docker/pullConfig", "pullConfig is not supported with Docker containerizer")
		w.refuses(`"id": "x", `+ucr+`, "pullConfig": {"secret": "p"}}}`, "/container/docker/pullConfig", "pullConfig.secret must refer to an existing secret")
	})
	_ = behaviour("credential is refused", func(w *watcher) {
		w.refuses(`"id": "x", "container": {"docker": {"image": "a", "credential": {"principal": "p", "secret": "s"}}}`, "/container/docker/credential", "must be empty")
	})
	_ = behaviour("a seccomp profile is one of the node", func(w *watcher) {
		a := w.start(`"id": "seccomp", ` + ucr + `}, "linuxInfo": {"seccomp": {"profileName": "no-such-profile.json"}}}`)
		w.Eventually(func() string { return a.condition(v1alpha1.ConditionReady).Message }).Should(ContainSubstring("no-such-profile.json"))
	})
	_ = behaviour("seccomp may be unconfined", func(w *watcher) {
		seen := w.task(`"id": "unconfined", ` + ucr + `}, "linuxInfo": {"seccomp": {"unconfined": true}}}`)
		w.Expect(seen.value("/proc/self/status", "Seccomp")).To(Equal("0"))
	})
	_ = behaviour("ipcInfo is whose shared memory it is", func(w *watcher) {
		private := w.task(`"id": "ipc-private", ` + ucr + `}, "linuxInfo": {"ipcInfo": {"mode": "PRIVATE", "shmSize": 16}}}`)
		w.Expect(private.Shm).To(BeEquivalentTo(16 << 20))
		shared := w.run(`"id": "ipc-shared", "instances": 1, ` + ucr + `}, "linuxInfo": {"ipcInfo": {"mode": "SHARE_PARENT"}}}`)
		w.Expect(shared.pod().Spec.HostIPC).To(BeTrue())
		w.Expect(shared.inspect().Namespaces["ipc"]).NotTo(Equal(private.Namespaces["ipc"]))
	})
	_ = behaviour("seccomp is a profile or unconfined", func(w *watcher) {
		w.refuses(`"id": "x", `+ucr+`}, "linuxInfo": {"seccomp": {"profileName": "p", "unconfined": true}}}`,
			"/container/linuxInfo/seccomp", "Seccomp unconfined can NOT be true when Profile is defined")
		w.refuses(`"id": "x", `+ucr+`}, "linuxInfo": {"ipcInfo": {"mode": "SHARE_PARENT", "shmSize": 16}}}`,
			"/container/linuxInfo/ipcInfo", "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT")
	})
)
