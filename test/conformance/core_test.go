// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
)

var reading = section{title: "How definitions are read", column: "rule", rows: []row{
	kept("members that there are none of", "are ignored, as Marathon did: published packages have them").by("unknown members are ignored"),
	kept("values of enumerations", "in upper or lower case").by("enumerations are read in any case"),
	kept("numbers given as strings", "are refused: `Invalid JSON`, with the path").by("values of the wrong type are refused with their path"),
	kept("what is no JSON", "is refused with status 400, everything else with 422").by("what is no JSON is refused with 400"),
	kept("defaults", "are Marathon's. What is not said is not stored").by("defaults are Marathon's"),
}}

var core = section{title: "What runs", rows: []row{
	differs("id", "a relative id continues the group. Underscores are taken as well, since the quick start of DC/OS used one. "+
		"Ids of 128 KiB and more are refused: they are kept in annotations").
		by("the task is told its whole id", "ids with underscores run", "ids that Marathon refused are refused", "an id that does not fit into an annotation is refused"),
	kept("cmd", "run by `/bin/sh -c`, in place of the image's entrypoint. `$(…)` is the shell's").
		by("a shell runs cmd", "a cmd of one character is refused", "cmd and args exclude each other"),
	kept("args", "appended to the image's entrypoint, past any shell and with nothing expanded").
		by("args go to the entrypoint as they are", "cmd and args exclude each other"),
	kept("neither `cmd` nor `args`", "the image's own command runs").by("without cmd and args the image's command runs"),
	differs("container", "an app without an image, which ran in the agent's file system, runs on the base image that the operator names "+
		"(`manager.baseImage`), in its sandbox. Without one it is an error").by("an app without an image runs on the base image", "ipAddress alone is an app without an image"),
	differs("user", "with the MESOS engine `root`, `nobody` or a number: an image knows no names of nodes, so others are an error that "+
		"names the field. With the DOCKER engine the image's user runs, as it did").
		by("user of the MESOS engine is the user", "user of the DOCKER engine changes nothing", "a user that no image knows is an error"),
	differs("env", "taken as it is: nothing is expanded. Names are printable ASCII without `=`, and values have at most 256 KiB; others are refused").
		by("env is taken as it is", "a name of env that no process can have is refused"),
	kept("env{}.secret", "the value as it is when the task is launched").by("secrets are variables"),
	kept("secrets", "in `env`, in volumes and of registries. One that is missing keeps the task from starting until it is there; the App says so").
		by("secrets are variables", "secrets are files", "a secret that is missing is waited for", "secrets have to be declared"),
	differs("secrets{}.source", "the path names a [Secret](../app.md#secrets) in the App's namespace. Who may use it is DC/OS' rule of spaces").
		by("secrets are variables", "secrets of other spaces are refused"),
	kept("instances", "scaling makes a new version and restarts nothing: a task keeps the version that it was launched under").
		by("scaling restarts no task"),
	kept("labels", "any text, told to the task as `MARATHON_APP_LABEL_…`; a change restarts tasks. They are not labels of Kubernetes, "+
		"which allow neither the characters nor the length").by("labels of any text reach the task"),
	kept("labels.MARATHON_SINGLE_INSTANCE_APP", "one instance at most, and `upgradeStrategy` {0, 0}: two of it never overlap").
		by("a single instance never overlaps with its successor", "a single instance app is held to what that means"),
	kept("labels.DCOS_MIGRATION_API_VERSION", "is refused where its two companions are missing").by("labels of a migration come together"),
	kept("tty", "a pseudo-terminal and standard input").by("a tty is a terminal"),
	kept("taskKillGracePeriodSeconds", "the time from SIGTERM to SIGKILL. Unset 3 seconds, as Mesos agents had it").
		by("SIGKILL comes 3 seconds after SIGTERM", "SIGKILL comes after taskKillGracePeriodSeconds"),
	kept("killSelection", "`YOUNGEST_FIRST`, or `OLDEST_FIRST`: which tasks end when there are fewer").by("killSelection says who goes"),
	differs("drainSeconds", "Marathon had no such field: time between being taken from Services and SIGTERM").by("a task drains before it is told to stop"),
	differs("suspend", "Marathon had no such field: no instance runs, and their number is remembered").by("a suspended app remembers its instances"),
	differs("perNode", "Marathon had no such field: one task on every node, those to come included").by("one task on every node"),
	differs("rollout", "Marathon had no such field: how an upgrade is held, given up and kept small").by("an upgrade is held and goes on"),
	differs("rollout.paused", "no more tasks of the new configuration").by("an upgrade is held and goes on"),
	differs("rollout.canaryInstances", "so many tasks of the new configuration until it is raised").by("canaries wait for their step"),
	differs("rollout.progressDeadlineSeconds", "how long no task may become ready").by("an upgrade that fails goes back"),
	differs("rollout.onFailure", "`Pause`, or `Rollback` to what ran before").by("an upgrade that fails goes back"),
	differs("rollout.inPlace", "fields that may change and restart no task. In Marathon, all but `instances` restarted").by("fields change in place"),
	refused("executor", "a custom executor needs the Mesos API. `\"\"` and `//cmd` are the command executor, and taken").
		by("custom executors are refused", "the command executor is taken"),
	kept("fetch", "files that are in the sandbox before the task starts; that one can't be fetched is a failure of the task").
		by("files are there before the start", "a file that can't be fetched is a failure of the task"),
	differs("fetch[].uri", "`http` and `https`; files of the node, HDFS and others are refused. What may be asked is [limited](../app.md#files)").
		by("files are there before the start", "what is no http is not fetched"),
	kept("fetch[].extract", "by the name: tar, gzip, bzip2, xz and zip, in all forms that Mesos knew").by("files are there before the start"),
	kept("fetch[].executable", "").by("files are there before the start"),
	differs("fetch[].cache", "nothing is kept on the node for other tasks: each fetches. The archive itself is not in the sandbox, as it was not").
		by("files are there before the start"),
	kept("fetch[].destPath", "").by("files are there before the start", "what is no http is not fetched"),
	kept("uris", "read as `fetch`, unpacked by their extension. With `fetch` beside them they are refused, as they were").
		by("uris are fetched", "uris and fetch exclude each other"),
	kept("the sandbox, `MESOS_SANDBOX`", "a directory of the task's own, at `/mnt/mesos/sandbox`").by("a task has a sandbox"),
	differs("working directory", "that of the image. An app of the MESOS engine with a `cmd`, whose image names none, starts in the sandbox, as it did; "+
		"one with `args` in `/`").by("a cmd of the MESOS engine starts in the sandbox"),
	differs("dependencies", "apps and groups that are ready before this one starts or upgrades, when they are changed within three seconds of it. "+
		"One that is not there is waited for, where Marathon paid it no heed. Cycles are a condition that names them").
		by("dependencies come first", "an app does not depend on itself"),
	kept("version", "of a definition is ignored when it is created. Versions are times, kept fifty back: `kubectl kdcos versions` and `rollback`").
		by("versions are times that a change moves on"),
	kept("versionInfo", "`lastScalingAt` and `lastConfigChangeAt` in the status").by("versions are times that a change moves on"),
	kept("residency", "deprecated in Marathon and without effect, but that the app must not ask for `unreachableStrategy`").by("residency changes nothing"),
	kept("residency.relaunchEscalationTimeoutSeconds", "without effect").by("residency changes nothing"),
	kept("residency.taskLostBehavior", "without effect").by("residency changes nothing"),
}}

var (
	_ = behaviour("unknown members are ignored", func(w *watcher) {
		w.run(`"id": "unknown", "maintainer": "x", "healthCheck": [1], "container": {"docker": {"image": "kdcos/web:v1", "priviledged": true}}`)
	})
	_ = behaviour("enumerations are read in any case", func(w *watcher) {
		seen := w.task(`"id": "case", "networks": [{"mode": "Container/BRIDGE"}], "killSelection": "oldest_first",
			"container": {"type": "mesos", "docker": {"image": "kdcos/web:v1"}, "portMappings": [{"containerPort": 8080, "protocol": "TCP"}]}`)
		w.Expect(seen.Env).NotTo(HaveKey("MARATHON_APP_DOCKER_IMAGE"), "the engine is MESOS")
		w.Expect(seen.Env).To(HaveKeyWithValue("PORT0", "8080"))
	})
	_ = behaviour("values of the wrong type are refused with their path", func(w *watcher) {
		w.refuses(`"id": "x", "instances": "1"`, "/instances", "error.expected.jsnumber")
		w.refuses(`"id": "x", "ports": ["10514", 0]`, "/ports(0)", "error.expected.jsnumber")
		w.refuses(`"id": "x", "container": {"docker": {"image": 1}}`, "/container/docker/image", "error.expected.jsstring")
	})
	_ = behaviour("what is no JSON is refused with 400", func(w *watcher) {
		_, err := marathon.Decode([]byte(`{"id": "x",`))
		var refused *marathon.Error
		w.Expect(errors.As(err, &refused)).To(BeTrue())
		w.Expect(refused.Status).To(Equal(400))
		_, err = w.read(`"id": 1`)
		w.Expect(errors.As(err, &refused)).To(BeTrue())
		w.Expect(refused.Status).To(Equal(422))
	})
	_ = behaviour("defaults are Marathon's", func(w *watcher) {
		app, err := w.read(`"id": "x", "cpus": null, "mem": null, "networks": null, "cmd": "sleep 9", "container": null`)
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(app.Spec).To(Equal(v1alpha1.AppSpec{Cmd: new("sleep 9")}))
		wire, err := marathon.FromApp(app, marathon.Options{})
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(wire).To(And(
			HaveField("BackoffFactor", HaveValue(Equal(1.15))), HaveField("BackoffSeconds", HaveValue(BeEquivalentTo(1))),
			HaveField("Cpus", HaveValue(Equal(1.0))), HaveField("Mem", HaveValue(Equal(128.0))), HaveField("Disk", HaveValue(Equal(0.0))),
			HaveField("Instances", HaveValue(BeEquivalentTo(1))), HaveField("MaxLaunchDelaySeconds", HaveValue(BeEquivalentTo(300))),
			HaveField("UpgradeStrategy", HaveValue(Equal(marathon.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1}))),
			HaveField("PortDefinitions", HaveLen(1)), HaveField("Role", HaveValue(Equal("slave_public"))),
			HaveField("KillSelection", v1alpha1.YoungestFirst),
		))
	})
)

var (
	_ = behaviour("the task is told its whole id", func(w *watcher) {
		seen := w.task(`"id": "web/told/../api"`)
		w.Expect(seen.Env).To(HaveKeyWithValue("MARATHON_APP_ID", "/"+w.namespace+"/web/api"))
	})
	_ = behaviour("ids with underscores run", func(w *watcher) {
		seen := w.task(`"id": "hello_world"`)
		w.Expect(seen.Env).To(HaveKeyWithValue("MARATHON_APP_ID", "/"+w.namespace+"/hello_world"))
	})
	_ = behaviour("ids that Marathon refused are refused", func(w *watcher) {
		w.refuses(`"id": "UPPER"`, "/id", "must fully match regular expression")
		w.refuses(`"id": "a/restart"`, "/id", "reserved keywords")
		w.refuses(`"id": "/"`, "/id", "at least one path element")
		w.refuses(`"id": ""`, "/id", "error.minLength")
	})
	_ = behaviour("an id that does not fit into an annotation is refused", func(w *watcher) {
		w.refuses(`"id": "`+strings.Repeat("a/", 70000)+`a"`, "/id", "")
	})
	_ = behaviour("a shell runs cmd", func(w *watcher) {
		seen := w.task(`"id": "cmd", "cmd": "said=\"$(echo hello) $MARATHON_APP_ID $$(\" ; export said; exec /web"`)
		w.Expect(seen.Args).To(Equal([]string{"/web"}), "the entrypoint is replaced")
		w.Expect(seen.Env["said"]).To(HavePrefix("hello /" + w.namespace + "/cmd 1("))
	})
	_ = behaviour("a cmd of one character is refused", func(w *watcher) {
		w.refuses(`"id": "x", "cmd": "x"`, "/", "must not be an empty string")
		w.refuses(`"id": "x", "cmd": ""`, "/cmd", "error.minLength")
	})
	_ = behaviour("cmd and args exclude each other", func(w *watcher) {
		w.refuses(`"id": "x", "cmd": "sleep 9", "args": ["a"]`, "/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
		w.refuses(`"id": "x", "container": null`, "/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	})
	_ = behaviour("args go to the entrypoint as they are", func(w *watcher) {
		args := []string{"serve", "-listen", ":80", "$(MESOS_TASK_ID)", "$HOME", "$$", "a b", ""}
		seen := w.task(`"id": "args", "args": ["serve", "-listen", ":80", "$(MESOS_TASK_ID)", "$HOME", "$$", "a b", ""]`)
		w.Expect(seen.Args).To(Equal(append([]string{"/web"}, args...)))
	})
	_ = behaviour("without cmd and args the image's command runs", func(w *watcher) {
		w.Expect(w.task(plain).Args).To(Equal([]string{"/web"}))
	})
	_ = behaviour("an app without an image runs on the base image", func(w *watcher) {
		for id, container := range map[string]string{"imageless": "null", "imageless-mesos": `{"type": "MESOS"}`} {
			for kind, process := range map[string]string{"cmd": `"exec /web -listen :8080"`, "args": `["/web", "-listen", ":8080"]`} {
				a := w.run(`"id": "` + id + "-" + kind + `", "` + kind + `": ` + process + `, "container": ` + container)
				seen := w.inspectAt(net.JoinHostPort(a.pod().Status.PodIP, "8080"))
				w.Expect(seen.Dir).To(Equal("/mnt/mesos/sandbox"))
				w.Expect(seen.Env).NotTo(HaveKey("MARATHON_APP_DOCKER_IMAGE"))
			}
		}
	})
	_ = behaviour("user of the MESOS engine is the user", func(w *watcher) {
		for user, uid := range map[string]int{"root": 0, "nobody": 65534, "1234": 1234} {
			a := w.run(`"id": "user-` + user + `", "user": "` + user + `", "args": ["-listen", ":8080"], ` + ucr + `}}`)
			seen := w.inspectAt(net.JoinHostPort(a.pod().Status.PodIP, "8080"))
			w.Expect(seen.UID).To(Equal(uid), user)
		}
	})
	_ = behaviour("user of the DOCKER engine changes nothing", func(w *watcher) {
		w.Expect(w.task(`"id": "user-docker", "user": "nobody"`).UID).To(Equal(0))
	})
	_ = behaviour("a user that no image knows is an error", func(w *watcher) {
		a := w.start(`"id": "user-unknown", "user": "centos", "container": {"type": "MESOS", "docker": {"image": "kdcos/web:v1"}}`)
		a.says(v1alpha1.ReasonInvalid, "user", `"centos"`)
	})
	_ = behaviour("env is taken as it is", func(w *watcher) {
		seen := w.task(`"id": "env", "env": {"A": "$(MARATHON_APP_ID) $$(B) $HOME", "B": "", "with space.and-dots": "x", "LONG": "` + strings.Repeat("x", 100000) + `"}`)
		w.Expect(seen.Env).To(And(
			HaveKeyWithValue("A", "$(MARATHON_APP_ID) $$(B) $HOME"), HaveKeyWithValue("B", ""),
			HaveKeyWithValue("with space.and-dots", "x"), HaveKeyWithValue("LONG", HaveLen(100000)),
		))
	})
	_ = behaviour("a name of env that no process can have is refused", func(w *watcher) {
		w.refuses(`"id": "x", "env": {"a=b": ""}`, "/env/a=b", "printable ASCII")
		w.refuses(`"id": "x", "env": {"": ""}`, "/env/keys(0)", "must not be empty")
	})
	_ = behaviour("secrets are variables", func(w *watcher) {
		w.secret("everyones", "a $(b) $$")
		w.secret(w.namespace+".secret-env.password", "mine")
		seen := w.task(`"id": "secret-env", "env": {"EVERYONES": {"secret": "e"}, "MINE": {"secret": "m"}},
			"secrets": {"e": {"source": "everyones"}, "m": {"source": "` + w.namespace + `/secret-env/password"}}`)
		w.Expect(seen.Env).To(HaveKeyWithValue("EVERYONES", "a $(b) $$"))
		w.Expect(seen.Env).To(HaveKeyWithValue("MINE", "mine"))
	})
	_ = behaviour("secrets are files", func(w *watcher) {
		w.secret("file", "in a file")
		w.run(`"id": "secret-files", "secrets": {"f": {"source": "file"}},
			"cmd": "set -e; read a < /etc/keys/password; test \"$a\" = 'in a file'; read b < password; test \"$b\" = 'in a file'; exec /web",
			"container": {"type": "MESOS", "docker": {"image": "kdcos/web:v1"}, "volumes": [
				{"containerPath": "/etc/keys/password", "secret": "f"}, {"containerPath": "password", "secret": "f"}]}`)
	})
	_ = behaviour("a secret that is missing is waited for", func(w *watcher) {
		variable := w.start(`"id": "secret-missing", "env": {"A": {"secret": "s"}}, "secrets": {"s": {"source": "late"}}`)
		file := w.start(`"id": "secret-file-missing", "secrets": {"s": {"source": "late"}},
			"container": {"type": "MESOS", "docker": {"image": "kdcos/web:v1"}, "volumes": [{"containerPath": "/late", "secret": "s"}]}`)
		variable.says(v1alpha1.ReasonNotStarting, `secret "late" not found`)
		file.says(v1alpha1.ReasonNotStarting, `needs the Secret late with the key "value"`)
		w.secret("late", "x")
		variable.ready()
		file.ready()
	})
	_ = behaviour("secrets of other spaces are refused", func(w *watcher) {
		w.stalls(`"id": "secret-of-others", "env": {"A": {"secret": "s"}}, "secrets": {"s": {"source": "`+w.namespace+`/others/password"}}`,
			"spec.secrets[s].source: a secret in the space /"+w.namespace+"/others is for services at")
	})
	_ = behaviour("secrets have to be declared", func(w *watcher) {
		w.refuses(`"id": "x", "env": {"PASSWORD": {"secret": "other"}}`, "/env/PASSWORD/secret", "references an undefined secret")
	})
	_ = behaviour("a task drains before it is told to stop", func(w *watcher) {
		a := w.run(`"id": "drains", "drainSeconds": 4, "taskKillGracePeriodSeconds": 1`)
		at := address(a.pod())
		answer := func() (int, error) {
			code, _, err := fetch(w.t.Context(), http.MethodGet, "http://"+at+"/")
			return code, err
		}
		w.serves(at)
		w.Expect(w.Delete(w.t.Context(), a.pod())).To(Succeed())
		w.Consistently(answer).WithTimeout(3 * time.Second).Should(Equal(http.StatusOK))
		w.Eventually(func() error { _, err := answer(); return err }).Should(HaveOccurred())
	})
	_ = behaviour("a suspended app remembers its instances", func(w *watcher) {
		a := w.run(`"id": "suspended", "instances": 2`)
		before := a.incarnations()
		a.put(`"id": "suspended", "instances": 2, "suspend": true`)
		w.Eventually(a.pods).Should(BeEmpty())
		a.ready()
		a.put(`"id": "suspended", "instances": 2`)
		w.Eventually(a.pods).Should(HaveLen(2))
		a.ready()
		w.Expect(a.incarnations()).NotTo(ContainElements(before))
	})
	_ = behaviour("one task on every node", func(w *watcher) {
		a := w.run(`"id": "everywhere", "perNode": true, "acceptedResourceRoles": ["*", "slave_public"]`)
		var nodes corev1.NodeList
		w.Expect(w.List(w.t.Context(), &nodes)).To(Succeed())
		var want, got []string
		for i := range nodes.Items {
			want = append(want, nodes.Items[i].Name)
		}
		for _, p := range a.pods() {
			got = append(got, p.Spec.NodeName)
		}
		w.Expect(got).To(ConsistOf(want))
	})
	_ = behaviour("an upgrade is held and goes on", func(w *watcher) {
		a := w.run(`"id": "held", "instances": 2`)
		before := a.incarnations()
		a.put(`"id": "held", "instances": 2, "env": {"V": "2"}, "rollout": {"paused": true}`)
		a.says("Paused", "held by spec.rollout")
		w.Expect(a.incarnations()).To(ConsistOf(before))
		a.put(`"id": "held", "instances": 2, "env": {"V": "2"}, "rollout": {}`)
		w.Eventually(a.incarnations).ShouldNot(ContainElements(before))
		a.ready()
	})
	_ = behaviour("canaries wait for their step", func(w *watcher) {
		a := w.run(`"id": "canary", "instances": 3`)
		before := a.incarnations()
		a.put(`"id": "canary", "instances": 3, "env": {"V": "2"}, "rollout": {"canaryInstances": 1}`)
		a.says("Paused", "held by spec.rollout")
		w.Eventually(a.pods).Should(HaveLen(3))
		w.Expect(a.get().Status.InstancesUpToDate).To(BeEquivalentTo(1))
		w.tool("kubectl-kdcos", "resume", "/"+w.namespace+"/canary", "--wait")
		w.Eventually(a.pods).Should(HaveLen(3))
		w.Expect(a.incarnations()).NotTo(ContainElements(before))
	})
	_ = behaviour("an upgrade that fails goes back", func(w *watcher) {
		a := w.run(`"id": "back", "instances": 2`)
		before := a.incarnations()
		a.put(`"id": "back", "instances": 2, "args": ["no-such-command"], "rollout": {"progressDeadlineSeconds": 5, "onFailure": "Rollback"}`)
		w.Eventually(func() any { return a.get().Status.RolledBack }).ShouldNot(BeNil())
		w.Eventually(a.incarnations).Should(ConsistOf(before))
		w.Expect(a.get().Status.RolledBack.Message).To(ContainSubstring("no task became ready for 5s"))
	})
	_ = behaviour("fields change in place", func(w *watcher) {
		a := w.run(`"id": "in-place", "instances": 2, "rollout": {"inPlace": ["labels"]}`)
		before, version := a.incarnations(), a.get().Status.Version
		a.put(`"id": "in-place", "instances": 2, "labels": {"a": "b"}, "rollout": {"inPlace": ["labels"]}`)
		w.Eventually(func() bool { return a.get().Status.Version > version }).Should(BeTrue())
		a.ready()
		w.Expect(a.incarnations()).To(ConsistOf(before))
	})
	_ = behaviour("scaling restarts no task", func(w *watcher) {
		a := w.run(`"id": "scaled", "instances": 2`)
		before, version := a.incarnations(), a.get().Status.Version
		a.put(`"id": "scaled", "instances": 4`)
		w.Eventually(a.pods).Should(HaveLen(4))
		a.ready()
		w.Expect(a.incarnations()).To(ContainElements(before))
		w.Expect(a.get().Status.Version > version).To(BeTrue())
		versions := map[string]int{}
		for _, p := range a.pods() {
			versions[w.inspectPod(&p).Env["MARATHON_APP_VERSION"]]++
		}
		w.Expect(versions).To(Equal(map[string]int{version: 2, a.get().Status.Version: 2}))
		a.put(`"id": "scaled", "instances": 0`)
		w.Eventually(a.pods).Should(BeEmpty())
	})
	_ = behaviour("labels of any text reach the task", func(w *watcher) {
		a := w.run(`"id": "labels", "labels": {"a label/with: any text": "$(x) ü", "b": ""}`)
		w.Expect(a.inspect().Env).To(And(
			HaveKeyWithValue("MARATHON_APP_LABEL_A_LABEL_WITH_ANY_TEXT", "$(x) ü"), HaveKeyWithValue("MARATHON_APP_LABEL_B", "")))
		before := a.incarnations()
		a.put(`"id": "labels", "labels": {"b": "c"}`)
		w.Eventually(a.incarnations).ShouldNot(ContainElements(before))
		a.ready()
		w.Expect(a.inspect().Env).To(HaveKeyWithValue("MARATHON_APP_LABEL_B", "c"))
	})
	_ = behaviour("a single instance app is held to what that means", func(w *watcher) {
		w.refuses(`"id": "x", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}`, "/upgradeStrategy/minimumHealthCapacity", "got 1.0, expected 0.0")
		w.refuses(`"id": "x", "instances": 2, "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}`, "/", "Single instance app may only have one instance")
	})
	_ = behaviour("labels of a migration come together", func(w *watcher) {
		w.refuses(`"id": "x", "labels": {"DCOS_MIGRATION_API_VERSION": "v1"}`, "/", "must be defined when using DCOS_MIGRATION_API_VERSION")
	})
	_ = behaviour("a tty is a terminal", func(w *watcher) {
		w.Expect(w.task(`"id": "tty", "tty": true`).Stdin).To(HavePrefix("/dev/pts/"))
		w.Expect(w.task(plain).Stdin).To(Equal("/dev/null"))
	})
	_ = timed("SIGKILL comes 3 seconds after SIGTERM", func(w *watcher) {
		took := w.timeToDie(`"id": "grace", "env": {"DRAIN_SECONDS": "100"}`)
		w.Expect(took).To(And(BeNumerically(">", 2500*time.Millisecond), BeNumerically("<", 9*time.Second)))
	})
	_ = timed("SIGKILL comes after taskKillGracePeriodSeconds", func(w *watcher) {
		took := w.timeToDie(`"id": "grace-10", "taskKillGracePeriodSeconds": 10, "env": {"DRAIN_SECONDS": "100"}`)
		w.Expect(took).To(And(BeNumerically(">", 9500*time.Millisecond), BeNumerically("<", 16*time.Second)))
		took = w.timeToDie(`"id": "grace-short", "taskKillGracePeriodSeconds": 30, "env": {"DRAIN_SECONDS": "0.1"}`)
		w.Expect(took).To(BeNumerically("<", 8*time.Second), "who ends by itself is not waited for")
	})
	_ = timed("killSelection says who goes", func(w *watcher) {
		for selection, survivor := range map[string]int{"YOUNGEST_FIRST": 0, "OLDEST_FIRST": 1} {
			members := `"id": "kill-` + strings.ToLower(strings.ReplaceAll(selection, "_", "-")) + `", "killSelection": "` + selection + `", `
			a := w.run(members + `"instances": 1`)
			born := a.incarnations()
			// Ages differ by whole seconds.
			time.Sleep(1500 * time.Millisecond)
			a.put(members + `"instances": 2`)
			w.Eventually(a.pods).Should(HaveLen(2))
			a.ready()
			for _, i := range a.incarnations() {
				if i != born[0] {
					born = append(born, i)
				}
			}
			w.Expect(born).To(HaveLen(2))
			a.put(members + `"instances": 1`)
			w.Eventually(a.incarnations).Should(ConsistOf(born[survivor]), selection)
		}
	})
	_ = behaviour("custom executors are refused", func(w *watcher) {
		w.refuses(`"id": "x", "executor": "/opt/executor"`, "/executor", "")
	})
	_ = behaviour("the command executor is taken", func(w *watcher) { w.run(`"id": "executor", "executor": "//cmd"`) })
	_ = behaviour("files are there before the start", func(w *watcher) {
		from := "http://" + address(w.run(plain).pod()) + "/files/"
		w.run(`"id": "fetch", "cmd": "set -e; cd $MESOS_SANDBOX; ./bin/start -v; test -x dir/hello.txt; test -e a.tar.gz; test ! -e a.zip; test -e b.tgz; test -e sub/dir/hello.txt; exec /web", "fetch": [
			{"uri": "` + from + `a.tar.gz"}, {"uri": "` + from + `a.zip", "cache": true}, {"uri": "` + from + `b.tgz", "extract": false},
			{"uri": "` + from + `a.tar.xz", "destPath": "sub/a.tar.xz"}, {"uri": "` + from + `run.sh", "executable": true, "destPath": "bin/start"}]`)
	})
	_ = behaviour("a file that can't be fetched is a failure of the task", func(w *watcher) {
		a := w.start(`"id": "fetch-fails", "fetch": [{"uri": "http://` + address(w.run(plain).pod()) + `/files/nothing"}]`)
		a.says(v1alpha1.ReasonBackOff, "/files/nothing: the answer is 404 Not Found")
		w.Eventually(func() string {
			if f := a.get().Status.LastTaskFailure; f != nil {
				return f.Message
			}
			return ""
		}).Should(ContainSubstring("404"))
	})
	_ = behaviour("what is no http is not fetched", func(w *watcher) {
		w.stalls(`"id": "fetch-hdfs", "fetch": [{"uri": "hdfs://a/b"}]`, "spec.fetch[0].uri")
		w.stalls(`"id": "fetch-file", "fetch": [{"uri": "file:///etc/passwd"}]`, "spec.fetch[0].uri")
		w.stalls(`"id": "fetch-out", "fetch": [{"uri": "http://a/b", "destPath": "../b"}]`, "spec.fetch[0].destPath")
		a := w.start(`"id": "fetch-metadata", "fetch": [{"uri": "http://169.254.169.254/latest/meta-data/"}]`)
		a.says(v1alpha1.ReasonBackOff, "169.254.169.254 is in 169.254.0.0/16: files are not fetched from this network")
	})
	_ = behaviour("uris are fetched", func(w *watcher) {
		from := "http://" + address(w.run(plain).pod()) + "/files/"
		w.run(`"id": "uris", "cmd": "set -e; cd $MESOS_SANDBOX; test -x dir/hello.txt; test -e run.sh; exec /web", "uris": ["` + from + `a.tgz", "` + from + `run.sh"]`)
	})
	_ = behaviour("uris and fetch exclude each other", func(w *watcher) {
		w.refuses(`"id": "x", "uris": ["http://a"], "fetch": [{"uri": "http://b"}]`, "/uris", "may not be set in conjunction with fetch")
	})
	_ = behaviour("a task has a sandbox", func(w *watcher) {
		seen := w.task(`"id": "sandbox", "cmd": "set -e; echo x > $MESOS_SANDBOX/file; exec /web"`)
		w.Expect(seen.Env).To(HaveKeyWithValue("MESOS_SANDBOX", "/mnt/mesos/sandbox"))
		w.Expect(seen.Dir).To(Equal("/"))
	})
	_ = behaviour("a cmd of the MESOS engine starts in the sandbox", func(w *watcher) {
		a := w.run(`"id": "sandbox-mesos", "cmd": "exec /web -listen :8080", ` + ucr + `}}`)
		w.Expect(w.inspectAt(net.JoinHostPort(a.pod().Status.PodIP, "8080")).Dir).To(Equal("/mnt/mesos/sandbox"))
		a = w.run(`"id": "sandbox-args", "args": ["-listen", ":8080"], ` + ucr + `}}`)
		w.Expect(w.inspectAt(net.JoinHostPort(a.pod().Status.PodIP, "8080")).Dir).To(Equal("/"))
	})
	_ = behaviour("dependencies come first", func(w *watcher) {
		a := w.start(`"id": "dependent", "dependencies": ["needed", "group"]`)
		a.says(v1alpha1.ReasonDependencies, "/needed", "/group")
		w.Expect(a.pods()).To(BeEmpty())
		w.run(`"id": "group/member"`)
		w.run(`"id": "needed"`)
		a.ready()
	})
	_ = behaviour("an app does not depend on itself", func(w *watcher) {
		w.refuses(`"id": "x", "dependencies": ["x"]`, "/", "Dependency graph has cyclic dependencies.")
	})
	_ = behaviour("versions are times that a change moves on", func(w *watcher) {
		a := w.run(`"id": "version-times", "version": "2020-01-01T00:00:00.000Z"`)
		first := a.get().Status
		w.Expect(first.Version).To(MatchRegexp(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`))
		w.Expect(first.Version).NotTo(HavePrefix("2020"))
		w.Expect(first.VersionInfo).To(Equal(v1alpha1.VersionInfo{LastScalingAt: first.Version, LastConfigChangeAt: first.Version}))
		a.put(`"id": "version-times", "instances": 0`)
		w.Eventually(func() string { return a.get().Status.Version }).ShouldNot(Equal(first.Version))
		scaled := a.get().Status
		w.Expect(scaled.VersionInfo).To(Equal(v1alpha1.VersionInfo{LastScalingAt: scaled.Version, LastConfigChangeAt: first.Version}))
		a.put(`"id": "version-times", "instances": 0, "env": {"A": "b"}`)
		w.Eventually(func() string { return a.get().Status.Version }).ShouldNot(Equal(scaled.Version))
		changed := a.get().Status
		w.Expect(changed.VersionInfo).To(Equal(v1alpha1.VersionInfo{LastScalingAt: scaled.Version, LastConfigChangeAt: changed.Version}))
	})
	_ = behaviour("residency changes nothing", func(w *watcher) {
		w.run(`"id": "residency", "residency": {"relaunchEscalationTimeoutSeconds": 10, "taskLostBehavior": "WAIT_FOREVER"}`)
		w.refuses(`"id": "x", "residency": {}, "unreachableStrategy": {}`, "/", "unreachableStrategy must be disabled for resident tasks")
	})
)

// timeToDie is how long a task goes on after it was told to end.
func (w *watcher) timeToDie(members string) time.Duration {
	w.t.Helper()
	a := w.run(members)
	a.inspect() // so that it has begun
	p := a.pod()
	told := time.Now()
	w.Expect(w.Delete(w.t.Context(), p)).To(Succeed())
	w.Eventually(func() error {
		_, _, err := fetch(w.t.Context(), "GET", "http://"+address(p)+"/info")
		return err
	}).Should(HaveOccurred())
	return time.Since(told)
}

var environment = section{title: "The environment of a task", column: "variable", about: "What the user says in `env` wins over all of it.", rows: []row{
	kept("MESOS_TASK_ID", "one of its own for each task: `group_app.instance-….…`").by("MESOS_TASK_ID is the task's own"),
	kept("MARATHON_APP_ID", "").by("the task is told its whole id"),
	kept("MARATHON_APP_VERSION", "the version that the task was launched under").by("variables of the app", "scaling restarts no task"),
	kept("MARATHON_APP_DOCKER_IMAGE", "with the DOCKER engine only").by("variables of the app", "the MESOS engine tells no image"),
	kept("MARATHON_APP_RESOURCE_CPUS", "as `0.5` and `1.0`").by("variables of the app"),
	kept("MARATHON_APP_RESOURCE_MEM", "").by("variables of the app"),
	kept("MARATHON_APP_RESOURCE_DISK", "").by("variables of the app"),
	kept("MARATHON_APP_RESOURCE_GPUS", "a whole number").by("variables of the app"),
	differs("MARATHON_APP_ENFORCE_GROUP_ROLE", "always `FALSE`: groups enforce no role yet").by("variables of the app"),
	kept("MARATHON_APP_LABELS", "the names of the labels, as the variables have them").by("variables of the app"),
	kept("MARATHON_APP_LABEL_…", "upper case, `_` for what a variable can't hold; long ones are left out").by("variables of the app", "labels of any text reach the task"),
	kept("HOST", "the address that goes with `PORT0`: the node's where there is a port on the node, the pod's otherwise").
		by("HOST and PORT0 lead to the task", "HOST and PORT0 lead to the task on the node"),
	kept("PORT", "the first of the ports").by("variables of ports"),
	kept("PORT0", "and so on. There is one unless an empty list says otherwise").by("variables of ports", "HOST and PORT0 lead to the task", "an empty list of ports means none"),
	kept("PORTS", "all of them, with commas").by("variables of ports"),
	kept("PORT_<number>", "by the number asked for").by("variables of ports"),
	kept("PORT_<NAME>", "by the name, in upper case, with its dashes").by("variables of ports"),
	kept("user's variables of the same name", "win over all of these").by("the user's variables win"),
	differs("variables of Kubernetes", "those of Services are left out; `KUBERNETES_SERVICE_HOST` and its like, of the API server, come from every kubelet").
		by("a Service adds no variables"),
	kept("MESOS_SANDBOX", "").by("a task has a sandbox"),
	refused("other variables of Mesos", "`MESOS_CONTAINER_NAME`, `LIBPROCESS_IP` and so on speak of a Mesos that is not there").by("variables of the app"),
}}

var (
	_ = behaviour("variables of the app", func(w *watcher) {
		a := w.run(`"id": "variables", "cpus": 0.5, "mem": 64, "disk": 0.25, "labels": {"a.b": "1", "c": "` + strings.Repeat("x", 512) + `", "D--e": "2"}`)
		env := a.inspect().Env
		for name, want := range map[string]string{
			"MARATHON_APP_VERSION": a.get().Status.Version, "MARATHON_APP_DOCKER_IMAGE": "kdcos/web:v1",
			"MARATHON_APP_RESOURCE_CPUS": "0.5", "MARATHON_APP_RESOURCE_MEM": "64.0", "MARATHON_APP_RESOURCE_DISK": "0.25", "MARATHON_APP_RESOURCE_GPUS": "0",
			"MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE", "MARATHON_APP_LABEL_A_B": "1", "MARATHON_APP_LABEL_D_E": "2",
		} {
			w.Expect(env).To(HaveKeyWithValue(name, want))
		}
		w.Expect(strings.Fields(env["MARATHON_APP_LABELS"])).To(ConsistOf("A_B", "D_E"))
		w.Expect(env).NotTo(HaveKey("MARATHON_APP_LABEL_C"), "a value of 512 characters")
		for name := range env {
			w.Expect(name).NotTo(Or(HavePrefix("LIBPROCESS"), HavePrefix("MESOS_CONTAINER")))
		}
	})
	_ = behaviour("MESOS_TASK_ID is the task's own", func(w *watcher) {
		a := w.run(`"id": "task-id", "instances": 2`)
		var ids []string
		for _, p := range a.pods() {
			id := w.inspectPod(&p).Env["MESOS_TASK_ID"]
			w.Expect(id).To(MatchRegexp(`^` + w.namespace + `_task-id\.instance-[0-9a-f-]{36}\._app\.1$`))
			ids = append(ids, id)
		}
		w.Expect(slices.Compact(slices.Sorted(slices.Values(ids)))).To(HaveLen(2))
	})
	_ = behaviour("the MESOS engine tells no image", func(w *watcher) {
		w.Expect(w.task(`"id": "mesos", "container": {"type": "MESOS", "docker": {"image": "kdcos/web:v1"}}`).Env).NotTo(HaveKey("MARATHON_APP_DOCKER_IMAGE"))
	})
	_ = behaviour("variables of ports", func(w *watcher) {
		seen := w.task(`"id": "port-variables", "container": {"docker": {"image": "kdcos/web:v1"}, "portMappings": [
			{"containerPort": 8080, "name": "http-api"}, {"containerPort": 9090}, {"containerPort": 0, "name": "any"}]}`)
		env := seen.Env
		w.Expect(env).To(And(
			HaveKeyWithValue("PORT", "8080"), HaveKeyWithValue("PORT0", "8080"), HaveKeyWithValue("PORT1", "9090"),
			HaveKeyWithValue("PORT_8080", "8080"), HaveKeyWithValue("PORT_9090", "9090"), HaveKeyWithValue("PORT_HTTP-API", "8080"),
			HaveKeyWithValue("PORTS", "8080,9090,"+env["PORT2"]), HaveKeyWithValue("PORT_ANY", env["PORT2"]),
		))
		w.Expect(slices.Collect(maps.Keys(env))).NotTo(ContainElement("PORT_0"))
	})
	_ = behaviour("the user's variables win", func(w *watcher) {
		seen := w.task(`"id": "env-wins", "env": {"PORT0": "mine", "HOST": "mine", "MARATHON_APP_ID": "mine", "MESOS_TASK_ID": "mine", "MARATHON_APP_LABEL_A": "mine"}, "labels": {"a": "b"}`)
		for _, name := range []string{"PORT0", "HOST", "MARATHON_APP_ID", "MESOS_TASK_ID", "MARATHON_APP_LABEL_A"} {
			w.Expect(seen.Env).To(HaveKeyWithValue(name, "mine"))
		}
	})
	_ = behaviour("a Service adds no variables", func(w *watcher) {
		w.Expect(w.Create(w.t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "redis"},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"a": "b"}, Ports: []corev1.ServicePort{{Port: 6379}}},
		})).To(Succeed())
		time.Sleep(2 * time.Second) // so that kubelets know of it
		env := w.task(`"id": "service-links"`).Env
		for name := range env {
			w.Expect(name).NotTo(HavePrefix("REDIS_"))
		}
		w.Expect(env).To(HaveKey("KUBERNETES_SERVICE_HOST"))
	})
)
