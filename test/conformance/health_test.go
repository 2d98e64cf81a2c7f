// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var health = section{title: "Health checks", about: "Fields of `healthChecks[]`. HTTP, HTTPS and TCP were made by Marathon, the others at the task.", rows: []row{
	kept("healthChecks", "one of a `MESOS_` kind at most").by("an unhealthy task is told and ended", "at most one check is of a MESOS_ kind"),
	kept("several health checks", "all have to pass, and each can end the task. One of protocol COMMAND at most: the kubelet makes one, and Mesos took the first only").
		by("all of several health checks have to pass", "several commands are stalled"),
	kept("healthChecks[].protocol", "`HTTP` where nothing is said").by("every protocol finds out", "a check without a protocol is HTTP"),
	differs("protocol HTTP", "one check is made by the kubelet of the task's node, and goes on with the leader down; Marathon's leader made all. "+
		"200 to 399 is healthy").by("every protocol finds out", "200 to 399 is healthy"),
	differs("protocol HTTPS", "the same. Certificates are not checked").by("every protocol finds out"),
	differs("protocol TCP", "the same").by("every protocol finds out"),
	kept("protocol MESOS_HTTP", "").by("every protocol finds out"),
	kept("protocol MESOS_HTTPS", "").by("every protocol finds out"),
	kept("protocol MESOS_TCP", "").by("every protocol finds out"),
	kept("protocol COMMAND", "").by("every protocol finds out", "a command belongs to COMMAND"),
	kept("healthChecks[].command", "").by("every protocol finds out", "a command belongs to COMMAND"),
	kept("healthChecks[].command.value", "run by `/bin/sh -c` in the container").by("every protocol finds out"),
	kept("healthChecks[].port", "a number, and wins over `portIndex`. 0 is none").by("port and portIndex say which port"),
	kept("healthChecks[].portIndex", "that of a port of the app; the first where nothing is said").by("port and portIndex say which port", "portIndex is that of a port"),
	kept("healthChecks[].path", "`/` where nothing is said; a slash is put before it").by("path is the page asked for"),
	kept("healthChecks[].gracePeriodSeconds", "failures do not count until the first success, or until this is over").
		by("failures do not count within the grace period", "the grace period ends at the first success", "a task that never gets healthy is ended after the grace period"),
	kept("healthChecks[].intervalSeconds", "at least 1. Until the first success at most 5, as the first check of Marathon came").by("intervalSeconds is kept"),
	kept("healthChecks[].timeoutSeconds", "at least 1").by("a late answer is none"),
	kept("healthChecks[].delaySeconds", "before the first check, of `COMMAND` and the `MESOS_` kinds").by("delaySeconds is before the first check"),
	kept("healthChecks[].maxConsecutiveFailures", "a task is ended at one more failure than that with `HTTP`, `HTTPS` and `TCP`, and at that number with the others").
		by("HTTP kills at one failure more than the number", "MESOS_HTTP kills at the number"),
	kept("maxConsecutiveFailures 0", "never ends a task with `HTTP`, `HTTPS` and `TCP`, and at the first failure with the others").
		by("HTTP with 0 never kills", "MESOS_HTTP with 0 kills at the first failure"),
	kept("healthChecks[].ignoreHttp1xx", "an informational answer counts neither way, with `HTTP` and `HTTPS`").by("an informational answer can count neither way"),
	kept("healthChecks[].ipProtocol", "`IPv6` asks the task's address of that kind, with the `MESOS_` kinds of the DOCKER engine").
		by("a check by IPv6 needs an address", "IPv6 is for MESOS_ kinds of the DOCKER engine"),
	differs("a task that was ended for its health", "is started again by the kubelet, at once, and later and later when that happens again and again; Marathon started another at once").
		by("an unhealthy task is told and ended"),
}}

var checks = section{title: "Checks beside health checks", about: "Results are conditions of the pod: `kdcos.io/check` and `kdcos.io/readiness-check`.", rows: []row{
	kept("check", "reports, and neither ends a task nor keeps traffic away; refused with the DOCKER engine").
		by("check reports and does nothing", "check is held to Marathon's rules"),
	kept("check.http", "a page: 200 to 399").by("check reports and does nothing"),
	kept("check.http.portIndex", "").by("check reports and does nothing", "check is held to Marathon's rules"),
	kept("check.http.port", "").by("check asks where and how it is told"),
	kept("check.http.path", "").by("check reports and does nothing"),
	kept("check.http.scheme", "`HTTP` or `HTTPS`").by("check asks where and how it is told"),
	kept("check.tcp", "a connection").by("check asks where and how it is told"),
	kept("check.tcp.portIndex", "").by("check is held to Marathon's rules", "check asks where and how it is told"),
	kept("check.tcp.port", "").by("check asks where and how it is told"),
	refused("check.exec", "only the kubelet's probes run commands in a task, and these act on what they find: the app is Stalled").by("check.exec is stalled"),
	kept("check.intervalSeconds", "").by("check keeps its times"),
	kept("check.timeoutSeconds", "").by("check keeps its times"),
	kept("check.delaySeconds", "").by("check keeps its times"),
	differs("readinessChecks", "one at most. A new task ends no old one until it was ready once, and is not asked again. Tasks are asked after any start, not in deployments only").
		by("a readiness check holds an upgrade, once", "readinessChecks are held to Marathon's rules"),
	kept("readinessChecks[].name", "").by("a readiness check asks where and how it is told"),
	kept("readinessChecks[].protocol", "`HTTP` or `HTTPS`").by("a readiness check asks where and how it is told"),
	kept("readinessChecks[].path", "").by("a readiness check holds an upgrade, once"),
	kept("readinessChecks[].portName", "").by("a readiness check asks where and how it is told", "readinessChecks are held to Marathon's rules"),
	kept("readinessChecks[].intervalSeconds", "").by("a readiness check keeps its times"),
	kept("readinessChecks[].timeoutSeconds", "").by("a readiness check keeps its times", "readinessChecks are held to Marathon's rules"),
	kept("readinessChecks[].httpStatusCodesForReady", "").by("a readiness check asks where and how it is told"),
	kept("readinessChecks[].preserveLastResponse", "the pod's condition has the last answer").by("a readiness check asks where and how it is told"),
}}

// checked is a definition with a health check, of the members given and of
// quick ones otherwise.
func checked(id, check, env string) string {
	quick := ""
	for _, member := range [][2]string{{"intervalSeconds", "1"}, {"timeoutSeconds", "5"}, {"delaySeconds", "0"}, {"path", `"/health"`}, {"protocol", `"MESOS_HTTP"`}} {
		name, value := member[0], member[1]
		if !strings.Contains(check, `"`+name+`"`) && (name != "path" || !strings.Contains(check, "TCP") && !strings.Contains(check, "COMMAND")) {
			quick += fmt.Sprintf(`"%s": %s, `, name, value)
		}
	}
	return `"id": "` + id + `", "env": {` + env + `}, "healthChecks": [{` + strings.TrimSuffix(quick+check, ", ") + `}],
		"container": {` + image + `, "portMappings": [{"containerPort": 80}, {"containerPort": 8080}]}`
}

// twoPorts is a container with the ports 80 and 8080, http and admin.
func twoPorts(engine string) string {
	return `"container": {"type": "` + engine + `", ` + image + `, "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 8080, "name": "admin"}]}`
}

// finds waits until the only pod has a condition, with words in its message.
func (a *app) finds(kind corev1.PodConditionType, status corev1.ConditionStatus, words ...string) {
	a.w.t.Helper()
	a.w.Eventually(func() string {
		for _, p := range a.pods() {
			for _, c := range p.Status.Conditions {
				if c.Type == kind {
					return string(c.Status) + " " + c.Message
				}
			}
		}
		return "nothing"
	}).Should(And(HavePrefix(string(status)), ContainSubstring(strings.Join(words, " "))), a.name)
}

// podOf is the pod of a UID, if it is still there.
func (a *app) podOf(uid types.UID) *corev1.Pod {
	a.w.t.Helper()
	for _, p := range a.pods() {
		if p.UID == uid {
			return &p
		}
	}
	return nil
}

// getsSick switches the health of the only task off, and returns what ended it
// and how long that took; it waits as long as given.
func (a *app) getsSick(most time.Duration) (ended bool, after time.Duration) {
	a.w.t.Helper()
	before := a.incarnations()
	a.w.Expect(before).To(HaveLen(1))
	a.tell("/health/off")
	sick := time.Now()
	for time.Since(sick) < most {
		p := a.pods()
		if len(p) != 1 || incarnation(&p[0]) != before[0] || !a.running() {
			return true, time.Since(sick)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false, most
}

// running says whether the task of the only pod has not been ended.
func (a *app) running() bool {
	p := a.pods()
	return len(p) == 1 && len(p[0].Status.ContainerStatuses) == 1 && p[0].Status.ContainerStatuses[0].State.Running != nil
}

var (
	_ = timed("an unhealthy task is told and ended", func(w *watcher) {
		a := w.run(checked("unhealthy", `"maxConsecutiveFailures": 5, "intervalSeconds": 2`, ""))
		w.Expect(a.get().Status.TasksHealthy).To(BeEquivalentTo(1))
		before := a.incarnations()
		a.tell("/health/off")
		a.says(v1alpha1.ReasonUnhealthy, "not passing the health check")
		w.Expect(a.get().Status.TasksUnhealthy).To(BeEquivalentTo(1))
		w.Eventually(a.incarnations).ShouldNot(Equal(before))
		a.ready()
	})
	_ = behaviour("at most one check is of a MESOS_ kind", func(w *watcher) {
		w.refuses(`"id": "x", "healthChecks": [{"protocol": "MESOS_HTTP"}, {"protocol": "MESOS_TCP"}]`, "/", "AppDefinition can contain at most one Mesos health check")
	})
	_ = behaviour("several commands are stalled", func(w *watcher) {
		w.stalls(`"id": "commands", "healthChecks": [{"protocol": "COMMAND", "command": {"value": "a"}}, {"protocol": "COMMAND", "command": {"value": "b"}}]`, "spec.healthChecks:")
	})
	_ = behaviour("all of several health checks have to pass", func(w *watcher) {
		const two = `"container": {"docker": {"image": "kdcos/web:v1"}, "portMappings": [{"containerPort": 80}]}, "healthChecks": [
			{"protocol": "HTTP", "path": "/", "portIndex": 0, "intervalSeconds": 1, "maxConsecutiveFailures": 0},
			{"protocol": "HTTP", "path": "/health", "portIndex": 0, "intervalSeconds": 2, "maxConsecutiveFailures": 5, "gracePeriodSeconds": 60}]`
		a := w.run(`"id": "two-checks", ` + two)
		w.Expect(a.get().Status.TasksHealthy).To(BeEquivalentTo(1))
		before := a.incarnations()
		a.tell("/health/off")
		w.Eventually(func() int32 { return a.get().Status.TasksUnhealthy }).Should(BeEquivalentTo(1))
		w.Eventually(a.incarnations).ShouldNot(ContainElements(before))
		a.ready()
		w.Expect(a.get().Status.LastTaskFailure).To(HaveField("Message", ContainSubstring("health check")))
	})
	_ = behaviour("every protocol finds out", func(w *watcher) {
		for protocol, good := range map[string]string{
			"HTTP": `"path": "/health", "portIndex": 0`, "MESOS_HTTP": `"path": "/health", "portIndex": 0`, "TCP": `"portIndex": 0`, "MESOS_TCP": `"portIndex": 0`,
			"COMMAND": `"command": {"value": "test $MARATHON_APP_ID = $(echo $MARATHON_APP_ID)"}`,
		} {
			id := strings.ToLower(strings.ReplaceAll(protocol, "_", "-"))
			bad := map[string]string{
				"HTTP": `"path": "/answer?code=500"`, "MESOS_HTTP": `"path": "/answer?code=500"`, "TCP": `"port": 1`, "MESOS_TCP": `"port": 1`, "COMMAND": `"command": {"value": "exit 1"}`,
			}[protocol]
			w.start(checked("bad-"+id, `"protocol": "`+protocol+`", `+bad, ""))
			a := w.run(checked("good-"+id, `"protocol": "`+protocol+`", `+good, ""))
			w.Expect(a.get().Status.TasksHealthy).To(BeEquivalentTo(1), protocol)
			bads := w.start(checked("bad-"+id, `"protocol": "`+protocol+`", `+bad, ""))
			w.Eventually(func() int32 { return bads.get().Status.TasksRunning }).Should(BeEquivalentTo(1), protocol)
			w.Consistently(func() int32 { return bads.get().Status.TasksHealthy }).WithTimeout(2*time.Second).Should(BeZero(), protocol)
		}
		const secure = `"args": ["serve", "-listen", ":80,:8080", "-tls"], `
		w.start(secure + checked("bad-https", `"protocol": "HTTPS", "path": "/answer?code=500"`, ""))
		for _, protocol := range []string{"HTTPS", "MESOS_HTTPS"} {
			a := w.run(secure + checked("good-"+strings.ToLower(strings.ReplaceAll(protocol, "_", "-")), `"protocol": "`+protocol+`"`, ""))
			w.Expect(a.get().Status.TasksHealthy).To(BeEquivalentTo(1), protocol)
		}
		w.Expect(w.start(secure + checked("bad-https", `"protocol": "HTTPS", "path": "/answer?code=500"`, "")).get().Status.TasksHealthy).To(BeZero())
	})
	_ = behaviour("a check without a protocol is HTTP", func(w *watcher) {
		app, err := w.read(`"id": "x", "healthChecks": [{"portIndex": 0}]`)
		w.Expect(err).NotTo(HaveOccurred())
		app.Spec.Default()
		w.Expect(app.Spec.HealthChecks[0].Protocol).To(Equal(v1alpha1.HealthHTTP))
	})
	_ = behaviour("200 to 399 is healthy", func(w *watcher) {
		var good []*app
		for _, code := range []string{"204", "304", "399"} {
			good = append(good, w.start(checked("status-"+code, `"protocol": "HTTP", "path": "/answer?code=`+code+`"`, "")))
		}
		bad := w.start(checked("status-400", `"protocol": "HTTP", "path": "/answer?code=400"`, ""))
		for _, a := range good {
			a.ready()
		}
		w.Eventually(func() int32 { return bad.get().Status.TasksRunning }).Should(BeEquivalentTo(1))
		w.Consistently(func() int32 { return bad.get().Status.TasksHealthy }).WithTimeout(3 * time.Second).Should(BeZero())
	})
	_ = behaviour("a command belongs to COMMAND", func(w *watcher) {
		w.refuses(`"id": "x", "healthChecks": [{"portIndex": 0, "command": {"value": "x"}}]`, "/healthChecks(0)", "illegal protocol HTTP specified with command")
		w.refuses(`"id": "x", "healthChecks": [{"protocol": "COMMAND"}]`, "/healthChecks(0)", "illegal protocol COMMAND for non-command health check")
	})
	_ = behaviour("port and portIndex say which port", func(w *watcher) {
		const one = `"args": ["-listen", ":80"], `
		index, first := w.start(one+checked("port-index-1", `"portIndex": 1`, "")), w.start(one+checked("port-first", "", ""))
		number, zero := w.start(one+checked("port-number", `"port": 80, "portIndex": 1`, "")), w.start(one+checked("port-zero", `"port": 0`, ""))
		first.ready()
		number.ready()
		zero.ready()
		w.Expect(index.get().Status.TasksHealthy).To(BeZero())
		w.Eventually(func() int32 { return index.get().Status.TasksRunning }).Should(BeEquivalentTo(1))
	})
	_ = behaviour("portIndex is that of a port", func(w *watcher) {
		w.refuses(`"id": "x", "healthChecks": [{"portIndex": 1}]`, "/healthChecks(0)", "must address an element of the ports array")
	})
	_ = behaviour("path is the page asked for", func(w *watcher) {
		seen := w.task(checked("path", `"path": "answer?code=200"`, ""))
		w.Expect(seen.Requests).To(HaveKey("/answer"))
		seen = w.task(`"id": "no-path", "container": {` + image + `, "portMappings": [{"containerPort": 80}]}, "healthChecks": [{"protocol": "HTTP", "portIndex": 0, "intervalSeconds": 1}]`)
		w.Expect(seen.Requests).To(HaveKey("/"))
	})
	_ = timed("failures do not count within the grace period", func(w *watcher) {
		a := w.run(checked("grace-period", `"gracePeriodSeconds": 60, "maxConsecutiveFailures": 1`, `"READY_AFTER": "10"`))
		w.Expect(a.incarnations()).To(HaveExactElements(HaveSuffix(".0")))
	})
	_ = timed("the grace period ends at the first success", func(w *watcher) {
		a := w.run(checked("grace-ends", `"gracePeriodSeconds": 600, "maxConsecutiveFailures": 1`, ""))
		ended, _ := a.getsSick(20 * time.Second)
		w.Expect(ended).To(BeTrue())
	})
	_ = timed("a task that never gets healthy is ended after the grace period", func(w *watcher) {
		a := w.start(checked("grace-over", `"gracePeriodSeconds": 5, "maxConsecutiveFailures": 1`, `"READY_AFTER": "3600"`))
		w.Eventually(a.running).Should(BeTrue())
		started, before := time.Now(), a.incarnations()
		w.Eventually(func() bool { return a.running() && a.incarnations()[0] == before[0] }).Should(BeFalse())
		w.Expect(time.Since(started)).To(And(BeNumerically(">", 4*time.Second), BeNumerically("<", time.Minute)))
	})
	_ = timed("intervalSeconds is kept", func(w *watcher) {
		a := w.run(checked("interval", `"intervalSeconds": 6`, ""))
		from := a.inspect().Requests["/health"].Count
		time.Sleep(12 * time.Second)
		w.Expect(a.inspect().Requests["/health"].Count-from).To(BeNumerically("~", 4, 3), "the kubelet asks whether it lives and whether it is ready")
	})
	_ = timed("a late answer is none", func(w *watcher) {
		good := w.start(checked("in-time", `"path": "/delay?for=2s", "timeoutSeconds": 4, "intervalSeconds": 5`, ""))
		bad := w.start(checked("too-late", `"path": "/delay?for=2s", "timeoutSeconds": 1, "intervalSeconds": 5`, ""))
		good.ready()
		w.Eventually(func() int32 { return bad.get().Status.TasksRunning }).Should(BeEquivalentTo(1))
		w.Consistently(func() int32 { return bad.get().Status.TasksHealthy }).WithTimeout(4 * time.Second).Should(BeZero())
	})
	_ = timed("delaySeconds is before the first check", func(w *watcher) {
		late := w.task(checked("delayed", `"delaySeconds": 9`, ""))
		w.Expect(late.Requests["/health"].First).To(BeNumerically(">", 5))
		soon := w.task(checked("not-delayed", `"protocol": "HTTP", "delaySeconds": 60`, ""))
		w.Expect(soon.Requests["/health"].First).To(BeNumerically("<", 20), "not of HTTP")
	})
	_ = timed("HTTP kills at one failure more than the number", func(w *watcher) {
		a := w.run(checked("http-1", `"protocol": "HTTP", "maxConsecutiveFailures": 1, "intervalSeconds": 5`, ""))
		ended, after := a.getsSick(30 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically(">", 4500*time.Millisecond), "at the second failure")
	})
	_ = timed("MESOS_HTTP kills at the number", func(w *watcher) {
		a := w.run(checked("mesos-http-1", `"maxConsecutiveFailures": 1, "intervalSeconds": 15`, ""))
		ended, after := a.getsSick(40 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically("<", 25*time.Second), "at the first failure")
		b := w.run(checked("mesos-http-2", `"maxConsecutiveFailures": 2, "intervalSeconds": 5`, ""))
		ended, after = b.getsSick(30 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(And(BeNumerically(">", 4500*time.Millisecond), BeNumerically("<", 25*time.Second)), "at the second failure")
	})
	_ = timed("HTTP with 0 never kills", func(w *watcher) {
		a := w.run(checked("http-0", `"protocol": "HTTP", "maxConsecutiveFailures": 0`, ""))
		ended, _ := a.getsSick(20 * time.Second)
		w.Expect(ended).To(BeFalse())
		w.Expect(a.get().Status.TasksUnhealthy).To(BeEquivalentTo(1))
	})
	_ = timed("MESOS_HTTP with 0 kills at the first failure", func(w *watcher) {
		a := w.run(checked("mesos-http-0", `"maxConsecutiveFailures": 0, "intervalSeconds": 15`, ""))
		ended, after := a.getsSick(40 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically("<", 25*time.Second))
	})
	_ = timed("an informational answer can count neither way", func(w *watcher) {
		const quick = `"protocol": "HTTP", "path": "/answer?code=101", "portIndex": 0, "intervalSeconds": 1, "maxConsecutiveFailures": 1, "gracePeriodSeconds": 1`
		ignores, counts := w.start(checked("ignores-1xx", quick+`, "ignoreHttp1xx": true`, "")), w.start(checked("counts-1xx", quick, ""))
		w.Eventually(counts.running).Should(BeTrue())
		first := counts.incarnations()
		w.Eventually(ignores.running).Should(BeTrue())
		before := ignores.incarnations()
		w.Eventually(func() bool { return counts.running() && counts.incarnations()[0] == first[0] }).Should(BeFalse(), "it is a failure")
		w.Consistently(ignores.incarnations).WithTimeout(8 * time.Second).Should(Equal(before))
		w.Expect(ignores.get().Status.TasksHealthy).To(BeZero())
	})
	_ = behaviour("a check by IPv6 needs an address", func(w *watcher) {
		a := w.start(checked("ipv6", `"ipProtocol": "IPv6", "maxConsecutiveFailures": 100, "gracePeriodSeconds": 0`, ""))
		w.Eventually(a.running).Should(BeTrue())
		if len(a.pod().Status.PodIPs) > 1 {
			a.ready()
			return
		}
		w.Eventually(func() int32 { return a.get().Status.TasksUnhealthy }).Should(BeEquivalentTo(1))
	})
	_ = behaviour("IPv6 is for MESOS_ kinds of the DOCKER engine", func(w *watcher) {
		w.refuses(`"id": "x", "healthChecks": [{"portIndex": 0, "protocol": "HTTP", "ipProtocol": "IPv6"}]`, "/healthChecks(0)", "IPv6 can only be used for container type DOCKER and Mesos")
	})
	_ = behaviour("check reports and does nothing", func(w *watcher) {
		a := w.run(`"id": "check", ` + twoPorts("MESOS") + `, "check": {"http": {"portIndex": 0, "path": "/health"}, "intervalSeconds": 1, "timeoutSeconds": 5, "delaySeconds": 1}`)
		a.finds(v1alpha1.PodConditionCheck, corev1.ConditionTrue)
		before := a.incarnations()
		a.tell("/health/off")
		a.finds(v1alpha1.PodConditionCheck, corev1.ConditionFalse, "503")
		w.Consistently(func() bool { return isReady(a.pod()) && a.incarnations()[0] == before[0] }).WithTimeout(5 * time.Second).Should(BeTrue())
		a.tell("/health/on")
		a.finds(v1alpha1.PodConditionCheck, corev1.ConditionTrue)
	})
	_ = behaviour("check asks where and how it is told", func(w *watcher) {
		const often = `, "intervalSeconds": 1, "delaySeconds": 0}`
		plain, secure := `"args": ["-listen", ":8080"], `, `"args": ["-listen", ":80,:8080", "-tls"], `
		for id, c := range map[string]struct {
			members string
			want    corev1.ConditionStatus
		}{
			"tcp-index": {plain + `"check": {"tcp": {"portIndex": 1}` + often, corev1.ConditionTrue}, "tcp-first": {plain + `"check": {"tcp": {"portIndex": 0}` + often, corev1.ConditionFalse},
			"tcp-port": {plain + `"check": {"tcp": {"port": 8080}` + often, corev1.ConditionTrue}, "http-port": {plain + `"check": {"http": {"port": 8080}` + often, corev1.ConditionTrue},
			"https": {secure + `"check": {"http": {"portIndex": 0, "scheme": "HTTPS"}` + often, corev1.ConditionTrue}, "not-https": {secure + `"check": {"http": {"portIndex": 0}` + often, corev1.ConditionFalse},
		} {
			w.start(`"id": "check-`+id+`", `+c.members+`, `+twoPorts("MESOS")).finds(v1alpha1.PodConditionCheck, c.want)
		}
	})
	_ = behaviour("check.exec is stalled", func(w *watcher) {
		w.stalls(`"id": "check-exec", `+ucr+`}}, "check": {"exec": {"command": {"shell": "true"}}}`, "spec.check.exec")
	})
	_ = timed("check keeps its times", func(w *watcher) {
		late := w.start(`"id": "check-late", ` + twoPorts("MESOS") + `, "check": {"http": {"portIndex": 0, "path": "/delay?for=2s"}, "intervalSeconds": 4, "timeoutSeconds": 1, "delaySeconds": 0}`)
		slow := w.run(`"id": "check-slow", ` + twoPorts("MESOS") + `, "check": {"http": {"portIndex": 0, "path": "/health"}, "intervalSeconds": 5, "timeoutSeconds": 4, "delaySeconds": 15}`)
		late.finds(v1alpha1.PodConditionCheck, corev1.ConditionFalse)
		time.Sleep(25 * time.Second)
		asked := slow.inspect().Requests["/health"]
		w.Expect(asked.First).To(BeNumerically(">", 5))
		w.Expect(asked.Count).To(And(BeNumerically(">=", 2), BeNumerically("<=", 5)))
	})
	_ = behaviour("check is held to Marathon's rules", func(w *watcher) {
		w.refuses(`"id": "x", "check": {"tcp": {"portIndex": 0}}`, "/", "AppDefinition must not use 'checks' if using docker")
		w.refuses(`"id": "x", `+ucr+`}}, "check": {}`, "/check", "expected one of http, tcp or exec checks")
		w.refuses(`"id": "x", `+ucr+`}}, "check": {"tcp": {"portIndex": 1}}`, "/check", "check port index must address an element of the ports array")
	})
	_ = timed("a readiness check holds an upgrade, once", func(w *watcher) {
		members := func(release, readyAfter string) string {
			return `"id": "readiness", "env": {"RELEASE": "` + release + `", "READY_AFTER": "` + readyAfter + `"}, ` + twoPorts("DOCKER") + `,
				"readinessChecks": [{"portName": "http", "path": "/health", "intervalSeconds": 2, "timeoutSeconds": 1}]`
		}
		a := w.run(members("1", "0"))
		old := a.pod().UID
		a.put(members("2", "12"))
		w.Eventually(a.pods).Should(HaveLen(2))
		for _, p := range a.pods() {
			if p.UID == old {
				continue
			}
			w.Eventually(func() bool { return a.podOf(p.UID) != nil && isReady(a.podOf(p.UID)) }).Should(BeTrue(), "it gets traffic")
			w.Expect(a.podOf(old)).NotTo(BeNil(), "the old one stays")
		}
		w.Eventually(func() *corev1.Pod { return a.podOf(old) }).Should(BeNil())
		a.ready()
		w.Expect(a.inspect().Requests["/health"].Last).To(BeNumerically(">", 11))
		asked := a.inspect().Requests["/health"].Count
		time.Sleep(5 * time.Second)
		w.Expect(a.inspect().Requests["/health"].Count).To(Equal(asked), "it was ready once")
	})
	_ = behaviour("a readiness check asks where and how it is told", func(w *watcher) {
		a := w.start(`"id": "readiness-all", "args": ["-listen", ":80"], ` + twoPorts("DOCKER") + `, "readinessChecks": [{"name": "mine", "protocol": "HTTP", "portName": "http",
			"path": "/answer?code=503", "httpStatusCodesForReady": [200, 503], "preserveLastResponse": true, "intervalSeconds": 2, "timeoutSeconds": 1}]`)
		a.finds(v1alpha1.PodConditionReadinessCheck, corev1.ConditionTrue, "503")
		b := w.start(`"id": "readiness-port", "args": ["-listen", ":80"], ` + twoPorts("DOCKER") + `, "readinessChecks": [{"portName": "admin", "intervalSeconds": 2, "timeoutSeconds": 1}]`)
		b.finds(v1alpha1.PodConditionReadinessCheck, corev1.ConditionFalse)
		c := w.start(`"id": "readiness-https", "args": ["-listen", ":80", "-tls"], ` + twoPorts("DOCKER") + `, "readinessChecks": [{"portName": "http", "protocol": "HTTPS", "intervalSeconds": 2, "timeoutSeconds": 1}]`)
		c.finds(v1alpha1.PodConditionReadinessCheck, corev1.ConditionTrue)
	})
	_ = timed("a readiness check keeps its times", func(w *watcher) {
		late := w.start(`"id": "readiness-late", ` + twoPorts("DOCKER") + `, "readinessChecks": [{"portName": "http", "path": "/delay?for=2s", "intervalSeconds": 4, "timeoutSeconds": 1}]`)
		slow := w.start(`"id": "readiness-slow", "env": {"READY_AFTER": "3600"}, ` + twoPorts("DOCKER") + `, "readinessChecks": [{"portName": "http", "path": "/health", "intervalSeconds": 5, "timeoutSeconds": 4}]`)
		late.finds(v1alpha1.PodConditionReadinessCheck, corev1.ConditionFalse)
		slow.finds(v1alpha1.PodConditionReadinessCheck, corev1.ConditionFalse)
		from := slow.inspect().Requests["/health"].Count
		time.Sleep(15 * time.Second)
		w.Expect(slow.inspect().Requests["/health"].Count - from).To(BeNumerically("~", 3, 1))
	})
	_ = behaviour("readinessChecks are held to Marathon's rules", func(w *watcher) {
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "other"}]`, "/readinessChecks(0)/portName", "No port definition reference for portName other")
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "default", "timeoutSeconds": 30}]`, "/readinessChecks(0)/timeoutSeconds", "got 30, expected less than 30")
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "default"}, {"portName": "default"}]`, "/readinessChecks/size", "got 2, expected 1 or less")
	})
)
