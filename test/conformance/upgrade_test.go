// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var upgrades = section{title: "Upgrades", about: "n is the number of instances, m `minimumHealthCapacity`, o `maximumOverCapacity`.", rows: []row{
	kept("upgradeStrategy", "{1, 1} where nothing is said, and {0.5, 0} with persistent or external volumes").
		by("{1, 1} doubles the instances and misses none", "the strategy of volumes is {0.5, 0}"),
	kept("upgradeStrategy.minimumHealthCapacity", "0 to 1: ⌈n·m⌉ instances stay healthy").by("⌈n·m⌉ stay and ⌊n·(1+o)⌋ run", "{0, 0} stops before it starts", "capacities are shares"),
	kept("upgradeStrategy.maximumOverCapacity", "0 to 1: ⌊n·(1+o)⌋ instances run at most").by("⌈n·m⌉ stay and ⌊n·(1+o)⌋ run", "{0, 0} stops before it starts", "capacities are shares"),
	kept("⌈n·m⌉ = ⌊n·(1+o)⌋", "one instance more than that runs, or nothing could go on").by("{1, 0} runs one more"),
	kept("m = o = 0", "each instance stops before its successor starts, and a single one never overlaps with it").
		by("{0, 0} stops before it starts", "a single instance never overlaps with its successor"),
	kept("each new healthy instance ends one old one", "").by("each new healthy instance ends one old one"),
	kept("old instances that are unhealthy end first", "").by("old unhealthy instances end first"),
	kept("an old instance that ends by itself", "makes room for a new one").by("an old instance that ends makes room for a new one"),
	differs("an upgrade that can't go on", "waits without a time-out, as Marathon did. Only where old unhealthy tasks take all the room, and Marathon would wait "+
		"for ever for one of them to die, is one of them ended").by("an upgrade waits for ever for new instances to get healthy", "an old unhealthy instance gives way"),
	kept("fewer instances in the same change", "the surplus ends at once").by("an upgrade to fewer instances ends the surplus at once"),
	kept("n = 0", "the old instances end, and nothing is replaced").by("an upgrade to no instances is none"),
	kept("every change but `instances` and `executorResources`", "replaces tasks, by this strategy").by("every change replaces tasks"),
	kept("a restart", "`kubectl kdcos restart` replaces all tasks by this strategy").by("a restart is an upgrade"),
	kept("a change in the middle of an upgrade", "goes on from what there is, and instances of the wanted version that are left stay. Where Marathon asked for `force`, the second change wins, as everywhere in Kubernetes").
		by("going back in the middle of an upgrade keeps what is left"),
}}

// census follows the pods of an app.
type census struct {
	lock sync.Mutex
	// most is how many there ever were at once, the ones being stopped
	// included; least how few were ready.
	most, least int
	pods        map[types.UID]*corev1.Pod
	// note, if it is there, sees the pods after each change.
	note func(pods map[types.UID]*corev1.Pod)
}

func isReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// follow counts from now on, when all is ready, until the behaviour ends.
func (a *app) follow(note func(map[types.UID]*corev1.Pod)) *census {
	a.w.t.Helper()
	c := &census{pods: map[types.UID]*corev1.Pod{}, note: note}
	for _, p := range a.pods() {
		c.pods[p.UID] = &p
	}
	c.most, c.least = len(c.pods), len(c.pods)
	// The watch outlives what it counts.
	events, err := a.w.Watch(context.WithoutCancel(a.w.t.Context()), &corev1.PodList{}, client.InNamespace(a.w.namespace), client.MatchingLabels(workload.Labels(a.get())))
	a.w.Expect(err).NotTo(HaveOccurred())
	a.w.t.Cleanup(events.Stop)
	go func() {
		for e := range events.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok {
				c.see(e.Type, p)
			}
		}
	}()
	return c
}

func (c *census) see(what watch.EventType, p *corev1.Pod) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if what == watch.Deleted {
		delete(c.pods, p.UID)
	} else {
		c.pods[p.UID] = p
	}
	ready := 0
	for _, p := range c.pods {
		if isReady(p) {
			ready++
		}
	}
	c.most, c.least = max(c.most, len(c.pods)), min(c.least, ready)
	if c.note != nil {
		c.note(c.pods)
	}
}

// result is most and least so far.
func (c *census) result() []int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return []int{c.most, c.least}
}

// healthy is a definition of an app whose tasks take two seconds to get healthy.
func healthy(id string, instances int, strategy, more string) string {
	if strategy != "" {
		minimum, over, _ := strings.Cut(strategy, ",")
		strategy = fmt.Sprintf(`"upgradeStrategy": {"minimumHealthCapacity": %s, "maximumOverCapacity": %s},`, minimum, over)
	}
	return fmt.Sprintf(`"id": "%s", "instances": %d, %s "env": {"READY_AFTER": "2", "DRAIN_SECONDS": "0.2" %s},
		"healthChecks": [{"protocol": "MESOS_HTTP", "path": "/health", "intervalSeconds": 1, "delaySeconds": 0}]`, id, instances, strategy, more)
}

// upgrade changes an app and returns how many instances there were at most, and
// healthy at least.
func (w *watcher) upgrade(id string, instances int, strategy string) []int {
	w.t.Helper()
	a := w.run(healthy(id, instances, strategy, ""))
	before, count := a.incarnations(), a.follow(nil)
	a.put(healthy(id, instances, strategy, `, "RELEASE": "2"`))
	a.replaced(before)
	return count.result()
}

// replaced waits until none of the tasks is there any more, and all is ready.
func (a *app) replaced(before []string) {
	a.w.t.Helper()
	a.w.Eventually(a.incarnations).ShouldNot(ContainElement(BeElementOf(before)))
	a.ready()
	a.w.Expect(a.incarnations()).NotTo(ContainElement(BeElementOf(before)))
}

var (
	_ = timed("{1, 1} doubles the instances and misses none", func(w *watcher) {
		w.Expect(w.upgrade("default-strategy", 2, "")).To(Equal([]int{4, 2}))
	})
	_ = behaviour("the strategy of volumes is {0.5, 0}", func(w *watcher) {
		app, err := w.read(`"id": "x", "container": {"docker": {"image": "a"}, "volumes": [{"containerPath": "a", "mode": "RW", "persistent": {"size": 1}}]}`)
		w.Expect(err).NotTo(HaveOccurred())
		app.Spec.Default()
		w.Expect(app.Spec.UpgradeStrategy).To(HaveValue(Equal(v1alpha1.UpgradeStrategy{MinimumHealthCapacity: new(0.5), MaximumOverCapacity: new(0.0)})))
	})
	_ = timed("⌈n·m⌉ stay and ⌊n·(1+o)⌋ run", func(w *watcher) {
		w.Expect(w.upgrade("rounded", 3, "0.4,0.5")).To(Equal([]int{4, 2}))
	})
	_ = timed("{0, 0} stops before it starts", func(w *watcher) {
		w.Expect(w.upgrade("nothing", 2, "0,0")).To(Equal([]int{2, 0}))
	})
	_ = timed("{1, 0} runs one more", func(w *watcher) {
		w.Expect(w.upgrade("one-more", 2, "1,0")).To(Equal([]int{3, 2}))
	})
	_ = behaviour("capacities are shares", func(w *watcher) {
		w.refuses(`"id": "x", "upgradeStrategy": {"minimumHealthCapacity": 2, "maximumOverCapacity": 1}`, "/upgradeStrategy/minimumHealthCapacity", "error.max")
		w.refuses(`"id": "x", "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": -1}`, "/upgradeStrategy/maximumOverCapacity", "error.min")
	})
	_ = timed("a single instance never overlaps with its successor", func(w *watcher) {
		const single = `"id": "single", "labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}, `
		a := w.run(single + `"env": {"RELEASE": "1"}`)
		before, count := a.incarnations(), a.follow(nil)
		a.put(single + `"env": {"RELEASE": "2"}`)
		a.replaced(before)
		w.Expect(count.result()).To(Equal([]int{1, 0}))
	})
	_ = timed("each new healthy instance ends one old one", func(w *watcher) {
		a := w.run(healthy("one-by-one", 3, "1,1", ""))
		before := a.incarnations()
		old := map[types.UID]bool{}
		for _, p := range a.pods() {
			old[p.UID] = true
		}
		var wrong []string
		count := a.follow(func(pods map[types.UID]*corev1.Pod) {
			alive, fresh := 0, 0
			for uid, p := range pods {
				switch {
				case old[uid] && p.DeletionTimestamp == nil:
					alive++
				case !old[uid] && isReady(p):
					fresh++
				}
			}
			if alive < 3-fresh {
				wrong = append(wrong, fmt.Sprintf("%d old for %d new", alive, fresh))
			}
		})
		a.put(healthy("one-by-one", 3, "1,1", `, "RELEASE": "2"`))
		a.replaced(before)
		count.lock.Lock()
		defer count.lock.Unlock()
		w.Expect(wrong).To(BeEmpty())
	})
	_ = timed("old unhealthy instances end first", func(w *watcher) {
		a := w.run(healthy("sick-first", 3, "0.3,0", ""))
		sick := a.pods()[1]
		code, _, err := fetch(w.t.Context(), "POST", "http://"+address(&sick)+"/health/off")
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(code).To(Equal(200))
		w.Eventually(func() int32 { return a.get().Status.TasksHealthy }).Should(BeEquivalentTo(2))
		var first []types.UID
		count := a.follow(func(pods map[types.UID]*corev1.Pod) {
			for uid, p := range pods {
				if p.DeletionTimestamp != nil && !slices.Contains(first, uid) {
					first = append(first, uid)
				}
			}
		})
		before := a.incarnations()
		a.put(healthy("sick-first", 3, "0.3,0", `, "RELEASE": "2"`))
		a.replaced(before)
		count.lock.Lock()
		defer count.lock.Unlock()
		w.Expect(first).NotTo(BeEmpty())
		w.Expect(first[0]).To(Equal(sick.UID))
	})
	_ = behaviour("an old instance that ends makes room for a new one", func(w *watcher) {
		a := w.run(healthy("makes-room", 2, "1,0.5", ""))
		old := a.pods()
		a.put(healthy("makes-room", 2, "1,0.5", `, "READY_AFTER": "3600"`))
		w.Eventually(a.pods).Should(HaveLen(3))
		w.Expect(w.Delete(w.t.Context(), &old[0])).To(Succeed())
		w.Eventually(func() int32 { return a.get().Status.InstancesUpToDate }).Should(BeEquivalentTo(2))
		w.Expect(a.pods()).To(ContainElement(HaveField("UID", old[1].UID)))
	})
	_ = timed("an upgrade waits for ever for new instances to get healthy", func(w *watcher) {
		a := w.run(healthy("for-ever", 1, "1,1", ""))
		before := a.incarnations()
		a.put(healthy("for-ever", 1, "1,1", `, "READY_AFTER": "3600"`))
		w.Eventually(a.pods).Should(HaveLen(2))
		w.Consistently(func() bool {
			return a.condition(v1alpha1.ConditionReconciling).Reason == v1alpha1.ReasonUpgrading && len(a.pods()) == 2 && slices.Contains(a.incarnations(), before[0])
		}).WithTimeout(30 * time.Second).WithPolling(time.Second).Should(BeTrue())
	})
	_ = behaviour("an old unhealthy instance gives way", func(w *watcher) {
		a := w.start(healthy("gives-way", 2, "1,0", `, "READY_AFTER": "3600"`))
		w.Eventually(func() int32 { return a.get().Status.TasksRunning }).Should(BeEquivalentTo(2))
		before := a.incarnations()
		a.put(healthy("gives-way", 2, "1,0", ""))
		a.replaced(before)
	})
	_ = behaviour("an upgrade to fewer instances ends the surplus at once", func(w *watcher) {
		a := w.run(healthy("fewer", 4, "1,0", ""))
		before := a.incarnations()
		a.put(healthy("fewer", 2, "1,0", `, "READY_AFTER": "3600"`))
		w.Eventually(func() int {
			left := 0
			for _, i := range a.incarnations() {
				if slices.Contains(before, i) {
					left++
				}
			}
			return left
		}).Should(Equal(2))
		w.Expect(a.get().Status.TasksHealthy).To(BeNumerically(">=", 2))
	})
	_ = behaviour("an upgrade to no instances is none", func(w *watcher) {
		a := w.run(healthy("to-none", 1, "", ""))
		count := a.follow(nil)
		a.put(healthy("to-none", 0, "", `, "RELEASE": "2"`))
		w.Eventually(a.pods).Should(BeEmpty())
		a.ready()
		w.Expect(count.result()).To(Equal([]int{1, 0}))
	})
	_ = behaviour("every change replaces tasks", func(w *watcher) {
		for name, change := range map[string]string{
			"labels": `"labels": {"a": "b"}`, "cpus": `"cpus": 0.02`, "backoff": `"backoffSeconds": 2`, "strategy": `"upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}`,
			"kill-selection": `"killSelection": "OLDEST_FIRST"`, "constraints": `"constraints": [["hostname", "MAX_PER", "9"]]`,
		} {
			w.t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWatch(t, w.cluster)
				a := w.run(`"id": "changed-` + name + `"`)
				before := a.incarnations()
				a.put(`"id": "changed-` + name + `", ` + change)
				a.replaced(before)
			})
		}
	})
	_ = behaviour("a restart is an upgrade", func(w *watcher) {
		a := w.run(healthy("restarted", 1, "", ""))
		before, count := a.incarnations(), a.follow(nil)
		w.tool("kubectl-kdcos", "restart", "/"+w.namespace+"/restarted")
		a.replaced(before)
		w.Expect(count.result()).To(Equal([]int{2, 1}))
	})
	_ = behaviour("going back in the middle of an upgrade keeps what is left", func(w *watcher) {
		a := w.run(healthy("back", 2, "", ""))
		before := a.incarnations()
		a.put(healthy("back", 2, "", `, "READY_AFTER": "3600"`))
		w.Eventually(a.pods).Should(HaveLen(4))
		a.put(healthy("back", 2, "", ""))
		w.Eventually(a.incarnations).Should(ConsistOf(before))
		a.ready()
		w.Expect(a.incarnations()).To(ConsistOf(before))
	})
)
