// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var backoff = section{title: "Failures and the launch delay", rows: []row{
	differs("a task that ends", "is started at once by the kubelet, with every part of kdcos down; each start is a new incarnation of the task id. "+
		"One that fails again and again is launched anew, perhaps elsewhere, after the delay below").by("a task that fails again and again is launched anew"),
	kept("exit code 0", "is an end like any other").by("exit code 0 is a failure"),
	kept("backoffSeconds", "the delay after the first failure").by("the delay grows by its factor to its limit", "the delays are held to Marathon's bounds"),
	kept("backoffFactor", "what each further failure multiplies it with").by("the delay grows by its factor to its limit", "the delays are held to Marathon's bounds"),
	kept("maxLaunchDelaySeconds", "the longest delay").by("the delay grows by its factor to its limit", "the delays are held to Marathon's bounds"),
	kept("the delay belongs to a configuration", "and a change of the app starts without one").by("a change starts without a delay"),
	kept("a task that is killed", "for an upgrade, for fewer instances or by a user is no failure").by("a kill is no failure"),
	kept("the delay can be forgotten", "by `kubectl kdcos reset-delay`, as by a DELETE of it").by("the delay can be reset"),
	kept("after the longest delay without a failure", "all is forgotten").by("failures are forgotten"),
}}

var lost = section{title: "Lost nodes", about: "Times are counted from when Kubernetes finds that a node does not answer, by default 50 seconds after its last sign of life.", rows: []row{
	kept("unreachableStrategy", "replaced at once where nothing is said; `\"disabled\"` waits for the node for ever").by("a node that is lost and returns"),
	kept("unreachableStrategy.inactiveAfterSeconds", "a replacement starts, and the task may still return. Not more than `expungeAfterSeconds`. Exact, where Marathon looked every ten minutes").
		by("a node that is lost and returns", "delays of the unreachableStrategy are in order"),
	kept("unreachableStrategy.expungeAfterSeconds", "the task is given up").by("a node that is lost and returns", "delays of the unreachableStrategy are in order"),
	kept("a task that returns after it was replaced", "is ended, or another by `killSelection`: there are never too many for long").by("a node that is lost and returns"),
}}

var (
	_ = behaviour("a task that fails again and again is launched anew", func(w *watcher) {
		a := w.start(`"id": "crashing", "backoffSeconds": 0, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "7"}`)
		pods := map[string]bool{}
		w.Eventually(func() int {
			for _, p := range a.pods() {
				pods[string(p.UID)] = true
			}
			return len(pods)
		}).Should(BeNumerically(">", 1))
		w.Eventually(func() *v1alpha1.TaskFailure { return a.get().Status.LastTaskFailure }).Should(And(HaveField("State", "TASK_FAILED"), HaveField("Message", ContainSubstring("exit code 7"))))
	})
	_ = behaviour("exit code 0 is a failure", func(w *watcher) {
		a := w.start(`"id": "exit-0", "backoffSeconds": 100, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "0"}`)
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).Should(HaveField("Failures", BeNumerically(">", 0)))
	})
	_ = timed("the delay grows by its factor to its limit", func(w *watcher) {
		a := w.start(`"id": "delays", "backoffSeconds": 1, "backoffFactor": 8, "maxLaunchDelaySeconds": 60, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "1"}`)
		seen := map[int32]time.Duration{}
		w.Eventually(func() map[int32]time.Duration {
			if b := a.get().Status.Backoff; b != nil {
				seen[b.Failures] = b.NextLaunchTime.Sub(b.LastFailureTime.Time)
			}
			return seen
		}).Should(HaveKey(int32(3)))
		for failures, want := range map[int32]time.Duration{1: time.Second, 2: 8 * time.Second, 3: time.Minute} {
			if got, ok := seen[failures]; ok {
				w.Expect(got).To(Equal(want), "%d failures", failures)
			}
		}
	})
	_ = behaviour("the delays are held to Marathon's bounds", func(w *watcher) {
		w.refuses(`"id": "x", "backoffSeconds": -1`, "/backoffSeconds", "error.min")
		w.refuses(`"id": "x", "backoffFactor": 0.5`, "/backoffFactor", "error.min")
		w.refuses(`"id": "x", "maxLaunchDelaySeconds": -1`, "/maxLaunchDelaySeconds", "error.min")
	})
	_ = timed("a change starts without a delay", func(w *watcher) {
		a := w.start(`"id": "fixed", "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "1"}`)
		a.says(v1alpha1.ReasonBackOff)
		before := a.incarnations()
		fixed := time.Now()
		a.put(`"id": "fixed", "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600`)
		w.Eventually(func() string { return strings.Join(a.incarnations(), " ") }).ShouldNot(Or(BeEmpty(), Equal(before[0])))
		w.Expect(time.Since(fixed)).To(BeNumerically("<", 20*time.Second))
		a.ready()
		w.Expect(a.get().Status.Backoff).To(BeNil())
	})
	_ = behaviour("the delay can be reset", func(w *watcher) {
		a := w.start(`"id": "reset", "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "1"}`)
		a.says(v1alpha1.ReasonBackOff, "launched again after a delay")
		uid := a.pod().UID
		w.tool("kubectl-kdcos", "reset-delay", "/"+w.namespace+"/reset")
		w.Eventually(func() *corev1.Pod { return a.podOf(uid) }).WithTimeout(30 * time.Second).Should(BeNil())
	})
	_ = behaviour("a kill is no failure", func(w *watcher) {
		a := w.run(`"id": "killed", "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600`)
		before := a.incarnations()
		w.Expect(w.Delete(w.t.Context(), a.pod())).To(Succeed())
		a.replaced(before)
		w.Expect(a.get().Status.Backoff).To(BeNil())
	})
	_ = timed("failures are forgotten", func(w *watcher) {
		a := w.run(`"id": "forgotten", "backoffSeconds": 1, "maxLaunchDelaySeconds": 30`)
		a.tell("/exit?code=3")
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).ShouldNot(BeNil())
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).Should(BeNil())
		a.ready()
	})
	_ = behaviour("delays of the unreachableStrategy are in order", func(w *watcher) {
		w.refuses(`"id": "x", "unreachableStrategy": {"inactiveAfterSeconds": 2, "expungeAfterSeconds": 1}`, "/unreachableStrategy/inactiveAfterSeconds", "must be less or equal to expungeAfterSeconds")
	})
	_ = disruption("a node that is lost and returns", func(w *watcher) {
		home, schedulable := w.oneNode()
		atOnce := w.start(`"id": "lost-at-once", "instances": 3`)
		later := w.start(`"id": "lost-later", "instances": 3, "unreachableStrategy": {"inactiveAfterSeconds": 8, "expungeAfterSeconds": 3600}`)
		givenUp := w.start(`"id": "lost-given-up", "instances": 3, "unreachableStrategy": {"inactiveAfterSeconds": 4, "expungeAfterSeconds": 12}`)
		never := w.start(`"id": "lost-never", "instances": 3, "unreachableStrategy": "disabled"`)
		all := []*app{atOnce, later, givenUp, never}
		for _, a := range all {
			a.ready()
		}
		schedulable()
		cut := w.cutOff(home)
		there := map[*app][]string{}
		for _, a := range all {
			there[a] = cut.tasks(a)
		}
		w.Eventually(func() corev1.ConditionStatus {
			n := &corev1.Node{}
			w.Expect(w.Get(w.t.Context(), client.ObjectKey{Name: cut.name}, n)).To(Succeed())
			for _, c := range n.Status.Conditions {
				if c.Type == corev1.NodeReady {
					return c.Status
				}
			}
			return ""
		}).Should(Equal(corev1.ConditionUnknown))
		noticed := time.Now()
		cut.replaced(atOnce)
		cut.replaced(givenUp)
		w.Expect(time.Since(noticed)).To(BeNumerically(">", 3*time.Second))
		cut.replaced(later)
		w.Expect(time.Since(noticed)).To(BeNumerically(">", 7*time.Second))
		w.Eventually(func() []string { return cut.tasks(givenUp) }).Should(BeEmpty())
		w.Expect(time.Since(noticed)).To(BeNumerically(">", 11*time.Second))
		w.Expect(cut.tasks(atOnce)).To(BeEmpty())
		w.Expect(cut.tasks(later)).To(Equal(there[later]))
		w.Expect(cut.tasks(never)).To(Equal(there[never]))
		w.Expect(never.pods()).To(HaveLen(3))
		never.says(v1alpha1.ReasonUnreachable)

		cut.heal()
		for _, a := range all {
			w.Eventually(func() []corev1.Pod {
				var list corev1.PodList
				w.Expect(w.seen.List(w.t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels(workload.Labels(a.get())))).To(Succeed())
				return list.Items
			}).Should(HaveLen(3), a.name)
			a.ready()
		}
		w.Expect(cut.tasks(never)).To(Equal(there[never]))
	})
)

// lostNode is a node that nobody reaches until it is healed.
type lostNode struct {
	name string
	heal func()
}

// tasks of an app that are on the node.
func (n *lostNode) tasks(a *app) (all []string) {
	a.w.t.Helper()
	for _, p := range a.pods() {
		if p.Spec.NodeName == n.name {
			all = append(all, string(p.UID))
		}
	}
	slices.Sort(all)
	return all
}

// replaced waits until as many tasks as wanted run elsewhere.
func (n *lostNode) replaced(a *app) {
	a.w.t.Helper()
	a.w.Eventually(func() int {
		elsewhere := 0
		for _, p := range a.pods() {
			if p.Spec.NodeName != n.name && isReady(&p) {
				elsewhere++
			}
		}
		return elsewhere
	}).Should(Equal(3), a.name)
}

// oneNode is a private node that runs no part of kdcos. Tasks go there until
// what it returns is called.
func (w *watcher) oneNode() (name string, schedulable func()) {
	w.t.Helper()
	var managers corev1.PodList
	w.Expect(w.List(w.t.Context(), &managers, client.InNamespace("kdcos-system"), client.MatchingLabels{"app.kubernetes.io/component": "manager"})).To(Succeed())
	others := map[string]bool{}
	for i := range managers.Items {
		others[managers.Items[i].Spec.NodeName] = true
	}
	for _, n := range w.privateNodes() {
		if name == "" && !others[n.Name] {
			name = n.Name
		} else {
			others[n.Name] = true
		}
	}
	w.Expect(name).NotTo(BeEmpty(), "every private node runs a part of kdcos")
	set := func(unschedulable bool) {
		for other := range others {
			patch := fmt.Sprintf(`{"spec": {"unschedulable": %t}}`, unschedulable)
			err := w.Patch(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: other}}, client.RawPatch(types.MergePatchType, []byte(patch)))
			w.Expect(err).NotTo(HaveOccurred())
		}
	}
	schedulable = sync.OnceFunc(func() { set(false) })
	w.t.Cleanup(schedulable)
	set(true)
	return name, schedulable
}

// cutOff cuts off a node.
func (w *watcher) cutOff(name string) lostNode {
	w.t.Helper()
	state := filepath.Dir(w.kubeconfig)
	w.tool("localcluster", "--state", state, "node", "cut", name)
	heal := sync.OnceFunc(func() { w.tool("localcluster", "--state", state, "node", "heal", name) })
	w.t.Cleanup(heal)
	return lostNode{name, heal}
}
