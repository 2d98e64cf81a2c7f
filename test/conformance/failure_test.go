// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
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
	kept("after the longest delay without a failure", "all is forgotten").by("failures are forgotten"),
}}

var lost = section{title: "Lost nodes", rows: []row{
	kept("unreachableStrategy", "replaced at once where nothing is said; `\"disabled\"` waits for the node for ever").by("tasks of a lost node are replaced unless that is disabled"),
	notYet("unreachableStrategy.inactiveAfterSeconds", "not more than `expungeAfterSeconds`; 0 is kept").by("delays of the unreachableStrategy are stalled", "delays of the unreachableStrategy are in order"),
	notYet("unreachableStrategy.expungeAfterSeconds", "0 is kept").by("delays of the unreachableStrategy are stalled", "delays of the unreachableStrategy are in order"),
	kept("a task of a lost node that returns", "is ended, for it was replaced").by("tasks of a lost node are replaced unless that is disabled"),
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
		}).Should(BeNumerically(">", 2))
		w.Eventually(func() string { return a.condition(v1alpha1.ConditionReady).Message }).Should(ContainSubstring("exit code 7"))
		w.Expect(a.get().Status.LastTaskFailure).To(And(HaveField("State", "TASK_FAILED"), HaveField("Message", ContainSubstring("exit code 7"))))
	})
	_ = behaviour("exit code 0 is a failure", func(w *watcher) {
		a := w.start(`"id": "exit-0", "backoffSeconds": 100, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "0"}`)
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).Should(HaveField("Failures", BeNumerically(">", 0)))
	})
	_ = behaviour("the delay grows by its factor to its limit", func(w *watcher) {
		a := w.start(`"id": "delays", "backoffSeconds": 4, "backoffFactor": 4, "maxLaunchDelaySeconds": 60, "env": {"EXIT_AFTER": "0.1", "EXIT_CODE": "1"}`)
		seen := map[int32]time.Duration{}
		w.Eventually(func() map[int32]time.Duration {
			if b := a.get().Status.Backoff; b != nil {
				seen[b.Failures] = b.NextLaunchTime.Sub(b.LastFailureTime.Time)
			}
			return seen
		}).Should(HaveKey(int32(3)))
		for failures, want := range map[int32]time.Duration{1: 4 * time.Second, 2: 16 * time.Second, 3: 60 * time.Second} {
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
	_ = behaviour("a change starts without a delay", func(w *watcher) {
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
	_ = behaviour("a kill is no failure", func(w *watcher) {
		a := w.run(`"id": "killed", "backoffSeconds": 600, "maxLaunchDelaySeconds": 3600`)
		before := a.incarnations()
		w.Expect(w.Delete(w.t.Context(), a.pod())).To(Succeed())
		a.replaced(before)
		w.Expect(a.get().Status.Backoff).To(BeNil())
	})
	_ = behaviour("failures are forgotten", func(w *watcher) {
		a := w.run(`"id": "forgotten", "backoffSeconds": 1, "maxLaunchDelaySeconds": 5`)
		a.tell("/exit?code=3")
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).ShouldNot(BeNil())
		w.Eventually(func() *v1alpha1.LaunchBackoff { return a.get().Status.Backoff }).Should(BeNil())
		a.ready()
	})
	_ = behaviour("delays of the unreachableStrategy are stalled", func(w *watcher) {
		w.stalls(`"id": "inactive", "unreachableStrategy": {"inactiveAfterSeconds": 10, "expungeAfterSeconds": 20}`, "spec.unreachableStrategy")
	})
	_ = behaviour("delays of the unreachableStrategy are in order", func(w *watcher) {
		w.refuses(`"id": "x", "unreachableStrategy": {"inactiveAfterSeconds": 2, "expungeAfterSeconds": 1}`, "/unreachableStrategy/inactiveAfterSeconds", "must be less or equal to expungeAfterSeconds")
	})
	_ = disruption("tasks of a lost node are replaced unless that is disabled", func(w *watcher) {
		replaced := w.run(`"id": "lost-replaced", "instances": 4`)
		waits := w.run(`"id": "lost-waits", "instances": 4, "unreachableStrategy": "disabled"`)
		cut := w.cutOff(replaced, waits)
		on := func(a *app) (all []string) {
			for _, p := range a.pods() {
				if p.Spec.NodeName == cut.name {
					all = append(all, string(p.UID))
				}
			}
			return all
		}
		stay := on(waits)
		w.Expect(stay).NotTo(BeEmpty())
		w.Eventually(func() int {
			ready := 0
			for _, p := range replaced.pods() {
				if p.Spec.NodeName != cut.name && isReady(&p) {
					ready++
				}
			}
			return ready
		}).Should(Equal(4))
		w.Expect(on(waits)).To(Equal(stay))
		cut.heal()
		w.Eventually(func() int {
			var list corev1.PodList
			w.Expect(w.List(w.t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels(workload.Labels(replaced.get())))).To(Succeed())
			return len(list.Items)
		}).Should(Equal(4), "the old ones were ended")
		replaced.ready()
		waits.ready()
		w.Expect(on(waits)).To(Equal(stay))
	})
)

// lostNode is a node that nobody reaches until it is healed.
type lostNode struct {
	name string
	heal func()
}

// cutOff cuts off a node that runs tasks of all the apps, and no part of kdcos.
func (w *watcher) cutOff(apps ...*app) lostNode {
	w.t.Helper()
	var managers corev1.PodList
	w.Expect(w.List(w.t.Context(), &managers, client.InNamespace("kdcos-system"))).To(Succeed())
	candidates := map[string]int{}
	for _, a := range apps {
		here := map[string]bool{}
		for _, p := range a.pods() {
			here[p.Spec.NodeName] = true
		}
		for name := range here {
			candidates[name]++
		}
	}
	for i := range managers.Items {
		delete(candidates, managers.Items[i].Spec.NodeName)
	}
	for name, n := range candidates {
		if n < len(apps) {
			continue
		}
		state := filepath.Dir(w.kubeconfig)
		w.tool("localcluster", "--state", state, "node", "cut", name)
		heal := sync.OnceFunc(func() { w.tool("localcluster", "--state", state, "node", "heal", name) })
		w.t.Cleanup(heal)
		return lostNode{name, heal}
	}
	w.t.Fatal("no node runs tasks of all the apps and no part of kdcos")
	return lostNode{}
}
