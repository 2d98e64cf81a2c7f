// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var health = section{title: "Health checks", about: "Fields of `healthChecks[]`. HTTP, HTTPS and TCP were made by Marathon, the others at the task.", rows: []row{
	kept("healthChecks", "one of a `MESOS_` kind at most").by("an unhealthy task is told and ended", "at most one check is of a MESOS_ kind", "several health checks are stalled"),
	notYet("several health checks", "").by("several health checks are stalled"),
	kept("healthChecks[].protocol", "`HTTP` where nothing is said").by("every protocol finds out", "a check without a protocol is HTTP"),
	differs("protocol HTTP", "asked by the kubelet of the task's node, not by one leader: checks go on with the leader down. 200 to 399 is healthy").
		by("every protocol finds out", "200 to 399 is healthy"),
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
	notYet("healthChecks[].ignoreHttp1xx", "").by("what checks can't do yet is stalled"),
	notYet("healthChecks[].ipProtocol", "`IPv4`").by("what checks can't do yet is stalled", "IPv6 is for MESOS_ kinds of the DOCKER engine"),
	differs("a task that was ended for its health", "is started again by the kubelet, at once, and later and later when that happens again and again; Marathon started another at once").
		by("an unhealthy task is told and ended"),
}}

var checks = section{title: "Checks beside health checks", rows: []row{
	notYet("check", "refused with the DOCKER engine, as it was").by("check is stalled", "check is held to Marathon's rules"),
	notYet("check.http", "").by("check is stalled"),
	notYet("check.tcp", "").by("check is stalled"),
	notYet("check.exec", "").by("check is stalled"),
	notYet("check.intervalSeconds", "").by("check is stalled"),
	notYet("check.timeoutSeconds", "").by("check is stalled"),
	notYet("check.delaySeconds", "").by("check is stalled"),
	notYet("readinessChecks", "one at most").by("readinessChecks are stalled", "readinessChecks are held to Marathon's rules"),
	notYet("readinessChecks[].name", "").by("readinessChecks are stalled"),
	notYet("readinessChecks[].protocol", "").by("readinessChecks are stalled"),
	notYet("readinessChecks[].path", "").by("readinessChecks are stalled"),
	notYet("readinessChecks[].portName", "").by("readinessChecks are stalled", "readinessChecks are held to Marathon's rules"),
	notYet("readinessChecks[].intervalSeconds", "").by("readinessChecks are stalled"),
	notYet("readinessChecks[].timeoutSeconds", "").by("readinessChecks are stalled", "readinessChecks are held to Marathon's rules"),
	notYet("readinessChecks[].httpStatusCodesForReady", "").by("readinessChecks are stalled"),
	notYet("readinessChecks[].preserveLastResponse", "").by("readinessChecks are stalled"),
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
	_ = behaviour("an unhealthy task is told and ended", func(w *watcher) {
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
	_ = behaviour("several health checks are stalled", func(w *watcher) {
		w.stalls(`"id": "several", "healthChecks": [{"protocol": "HTTP", "path": "/a"}, {"protocol": "HTTP", "path": "/b"}]`, "spec.healthChecks:")
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
		w.Expect(w.start(secure+checked("bad-https", `"protocol": "HTTPS", "path": "/answer?code=500"`, "")).get().Status.TasksHealthy).To(BeZero())
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
	_ = behaviour("failures do not count within the grace period", func(w *watcher) {
		a := w.run(checked("grace-period", `"gracePeriodSeconds": 60, "maxConsecutiveFailures": 1`, `"READY_AFTER": "10"`))
		w.Expect(a.incarnations()).To(HaveExactElements(HaveSuffix(".0")))
	})
	_ = behaviour("the grace period ends at the first success", func(w *watcher) {
		a := w.run(checked("grace-ends", `"gracePeriodSeconds": 600, "maxConsecutiveFailures": 1`, ""))
		ended, _ := a.getsSick(20 * time.Second)
		w.Expect(ended).To(BeTrue())
	})
	_ = behaviour("a task that never gets healthy is ended after the grace period", func(w *watcher) {
		a := w.start(checked("grace-over", `"gracePeriodSeconds": 5, "maxConsecutiveFailures": 1`, `"READY_AFTER": "3600"`))
		w.Eventually(a.running).Should(BeTrue())
		started, before := time.Now(), a.incarnations()
		w.Eventually(func() bool { return a.running() && a.incarnations()[0] == before[0] }).Should(BeFalse())
		w.Expect(time.Since(started)).To(And(BeNumerically(">", 4*time.Second), BeNumerically("<", 25*time.Second)))
	})
	_ = behaviour("intervalSeconds is kept", func(w *watcher) {
		a := w.run(checked("interval", `"intervalSeconds": 6`, ""))
		from := a.inspect().Requests["/health"].Count
		time.Sleep(12 * time.Second)
		w.Expect(a.inspect().Requests["/health"].Count - from).To(BeNumerically("~", 4, 3), "the kubelet asks whether it lives and whether it is ready")
	})
	_ = behaviour("a late answer is none", func(w *watcher) {
		good := w.start(checked("in-time", `"path": "/delay?for=2s", "timeoutSeconds": 4, "intervalSeconds": 5`, ""))
		bad := w.start(checked("too-late", `"path": "/delay?for=2s", "timeoutSeconds": 1, "intervalSeconds": 5`, ""))
		good.ready()
		w.Eventually(func() int32 { return bad.get().Status.TasksRunning }).Should(BeEquivalentTo(1))
		w.Consistently(func() int32 { return bad.get().Status.TasksHealthy }).WithTimeout(4 * time.Second).Should(BeZero())
	})
	_ = behaviour("delaySeconds is before the first check", func(w *watcher) {
		late := w.task(checked("delayed", `"delaySeconds": 6`, ""))
		w.Expect(late.Requests["/health"].First).To(BeNumerically(">", 5))
		soon := w.task(checked("not-delayed", `"protocol": "HTTP", "delaySeconds": 60`, ""))
		w.Expect(soon.Requests["/health"].First).To(BeNumerically("<", 20), "not of HTTP")
	})
	_ = behaviour("HTTP kills at one failure more than the number", func(w *watcher) {
		a := w.run(checked("http-1", `"protocol": "HTTP", "maxConsecutiveFailures": 1, "intervalSeconds": 5`, ""))
		ended, after := a.getsSick(30 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically(">", 4500*time.Millisecond), "at the second failure")
	})
	_ = behaviour("MESOS_HTTP kills at the number", func(w *watcher) {
		a := w.run(checked("mesos-http-1", `"maxConsecutiveFailures": 1, "intervalSeconds": 10`, ""))
		ended, after := a.getsSick(40 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically("<", 14*time.Second), "at the first failure")
		b := w.run(checked("mesos-http-2", `"maxConsecutiveFailures": 2, "intervalSeconds": 5`, ""))
		ended, after = b.getsSick(30 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(And(BeNumerically(">", 4500*time.Millisecond), BeNumerically("<", 15*time.Second)), "at the second failure")
	})
	_ = behaviour("HTTP with 0 never kills", func(w *watcher) {
		a := w.run(checked("http-0", `"protocol": "HTTP", "maxConsecutiveFailures": 0`, ""))
		ended, _ := a.getsSick(20 * time.Second)
		w.Expect(ended).To(BeFalse())
		w.Expect(a.get().Status.TasksUnhealthy).To(BeEquivalentTo(1))
	})
	_ = behaviour("MESOS_HTTP with 0 kills at the first failure", func(w *watcher) {
		a := w.run(checked("mesos-http-0", `"maxConsecutiveFailures": 0, "intervalSeconds": 10`, ""))
		ended, after := a.getsSick(40 * time.Second)
		w.Expect(ended).To(BeTrue())
		w.Expect(after).To(BeNumerically("<", 14*time.Second))
	})
	_ = behaviour("what checks can't do yet is stalled", func(w *watcher) {
		w.stalls(checked("ignore-1xx", `"protocol": "HTTP", "ignoreHttp1xx": true`, ""), "spec.healthChecks[0].ignoreHttp1xx")
		w.stalls(checked("ipv6", `"ipProtocol": "IPv6"`, ""), "spec.healthChecks[0].ipProtocol")
	})
	_ = behaviour("IPv6 is for MESOS_ kinds of the DOCKER engine", func(w *watcher) {
		w.refuses(`"id": "x", "healthChecks": [{"portIndex": 0, "protocol": "HTTP", "ipProtocol": "IPv6"}]`, "/healthChecks(0)", "IPv6 can only be used for container type DOCKER and Mesos")
	})
	_ = behaviour("check is stalled", func(w *watcher) {
		for name, check := range map[string]string{
			"http": `"http": {"portIndex": 0, "path": "/", "scheme": "HTTP"}`, "tcp": `"tcp": {"portIndex": 0}`, "exec": `"exec": {"command": {"shell": "true"}}`,
		} {
			w.stalls(`"id": "check-`+name+`", `+ucr+`}}, "check": {`+check+`, "intervalSeconds": 1, "timeoutSeconds": 1, "delaySeconds": 1}`, "spec.check")
		}
	})
	_ = behaviour("check is held to Marathon's rules", func(w *watcher) {
		w.refuses(`"id": "x", "check": {"tcp": {"portIndex": 0}}`, "/", "AppDefinition must not use 'checks' if using docker")
		w.refuses(`"id": "x", `+ucr+`}}, "check": {}`, "/check", "expected one of http, tcp or exec checks")
		w.refuses(`"id": "x", `+ucr+`}}, "check": {"tcp": {"portIndex": 1}}`, "/check", "check port index must address an element of the ports array")
	})
	_ = behaviour("readinessChecks are stalled", func(w *watcher) {
		w.stalls(`"id": "readiness", "readinessChecks": [{"name": "r", "protocol": "HTTP", "path": "/", "portName": "default", "intervalSeconds": 3, "timeoutSeconds": 1,
			"httpStatusCodesForReady": [200], "preserveLastResponse": true}]`, "spec.readinessChecks")
	})
	_ = behaviour("readinessChecks are held to Marathon's rules", func(w *watcher) {
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "other"}]`, "/readinessChecks(0)/portName", "No port definition reference for portName other")
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "default", "timeoutSeconds": 30}]`, "/readinessChecks(0)/timeoutSeconds", "got 30, expected less than 30")
		w.refuses(`"id": "x", "readinessChecks": [{"portName": "default"}, {"portName": "default"}]`, "/readinessChecks/size", "got 2, expected 1 or less")
	})
)
