// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/prober"
	"github.com/kdcos/kdcos/internal/workload"
)

// probing has the checks made that the kubelet can't make, of the tasks that
// run. It holds what is known of them between two passes, and wakes an App when
// that changes.
type probing struct {
	prober *prober.Prober
	queue  workqueue.TypedRateLimitingInterface[reconcile.Request]

	lock  sync.Mutex
	tasks map[types.UID]*checkedTask
}

func newProbing() *probing {
	p := &probing{tasks: map[types.UID]*checkedTask{}}
	p.prober = prober.New(p.take)
	return p
}

// checkedTask is a running task whose checks are made.
type checkedTask struct {
	app         reconcile.Request
	incarnation incarnation
	taskHealth
}

// incarnation tells a task from the one before in the same pod.
type incarnation struct {
	restarts int32
	address  string
}

// taskHealth is what one pass knows of a task.
type taskHealth struct {
	trials []trial
	// killed says that the task was told to stop.
	killed bool
	// written are the conditions written last, to a pod seen at that version:
	// until the cache has moved on, they are there.
	written   []corev1.PodCondition
	writtenAt string
}

// setup lets the manager run the checks, and end those of pods that are gone.
func (p *probing) setup(mgr ctrl.Manager) error {
	if err := mgr.Add(p); err != nil {
		return fmt.Errorf("add the prober: %w", err)
	}
	pods, err := mgr.GetCache().GetInformer(context.Background(), &corev1.Pod{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: p.forget}); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// Start makes checks until the context ends; the manager calls it where it leads.
func (p *probing) Start(ctx context.Context) error {
	p.prober.Run(ctx)
	return nil
}

// wakeBy is the source of the controller: it gives the queue to wake Apps by.
func (p *probing) wakeBy(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.queue = queue
	return nil
}

// follow has the tasks of the pods of an App checked as long as they run, and
// returns what is known of them.
func (p *probing) follow(ctx context.Context, app client.ObjectKey, pods []corev1.Pod, now time.Time) map[types.UID]taskHealth {
	p.lock.Lock()
	defer p.lock.Unlock()
	health := map[types.UID]taskHealth{}
	for i := range pods {
		pod := &pods[i]
		if !checkable(pod) {
			p.drop(pod.UID)
			continue
		}
		id := incarnation{restarts: taskStatus(pod).RestartCount, address: fmt.Sprint(pod.Status.PodIP, pod.Status.PodIPs)}
		task := p.tasks[pod.UID]
		if task == nil || task.incarnation != id {
			restarted := task != nil
			p.drop(pod.UID)
			checks, err := workload.TaskChecks(pod)
			if err != nil {
				log.FromContext(ctx).Error(err, "task is not checked", "pod", pod.Name)
				continue
			}
			task = &checkedTask{app: reconcile.Request{NamespacedName: app}, incarnation: id}
			p.tasks[pod.UID] = task
			p.begin(task, pod, checks, restarted, now)
		}
		known := task.taskHealth
		known.trials = slices.Clone(known.trials)
		health[pod.UID] = known
	}
	return health
}

// checkable says that a pod runs a task with checks of ours.
func checkable(pod *corev1.Pod) bool {
	// Decoded only once a task, in follow: this is asked at every pass.
	_, checked := pod.Annotations[v1alpha1.ChecksAnnotation]
	task := taskStatus(pod)
	return checked && pod.DeletionTimestamp == nil && task != nil && task.State.Running != nil && pod.Status.PodIP != ""
}

// begin starts the checks of a task; restarted says that what its pod tells is
// of the task before.
func (p *probing) begin(task *checkedTask, pod *corev1.Pod, checks []workload.TaskCheck, restarted bool, now time.Time) {
	started := taskStatus(pod).State.Running.StartedAt.Time
	for _, check := range checks {
		t := resume(check, pod, started, restarted)
		task.trials = append(task.trials, t)
		if t.done() {
			continue
		}
		interval := time.Duration(check.IntervalSeconds) * time.Second
		first := started.Add(time.Duration(check.DelaySeconds) * time.Second)
		if now.Sub(first) > firstCheckWithin {
			// A task that ran before this manager did: soon, but not all at once.
			first = now.Add(spread(min(interval, firstCheckWithin), string(pod.UID)))
		}
		ask := prober.Check{
			Protocol: prober.Protocol(check.Protocol), Address: address(pod, &check), Path: check.Path,
			First: first, Interval: interval, Timeout: time.Duration(check.TimeoutSeconds) * time.Second,
		}
		if check.KeepAnswer {
			ask.Body = answerKept
		}
		p.prober.Set(prober.Key{Task: string(pod.UID), Check: string(check.Condition)}, ask)
	}
}

const (
	// firstCheckWithin is how soon a new leader of Marathon makes the first check.
	firstCheckWithin = 5 * time.Second
	// answerKept is how much of an answer is shown, in bytes.
	answerKept = 512
)

// spread is a part of a time, always the same for a task.
func spread(within time.Duration, task string) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(task))
	return time.Duration(float64(within) * float64(hash.Sum32()) / (1 << 32))
}

// address is where a task is checked, no valid one if it has no address of
// the family asked for.
func address(pod *corev1.Pod, check *workload.TaskCheck) netip.AddrPort {
	texts := []string{pod.Status.PodIP}
	for _, ip := range pod.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if err == nil && (!check.IPv6 || ip.Is6()) {
			return netip.AddrPortFrom(ip, uint16(check.Port)) //nolint:gosec // the schema bounds ports
		}
	}
	return netip.AddrPort{}
}

// take takes a result in, and wakes the App if that changes anything.
func (p *probing) take(key prober.Key, result prober.Result) {
	p.lock.Lock()
	defer p.lock.Unlock()
	task := p.tasks[types.UID(key.Task)]
	if task == nil {
		return
	}
	i := slices.IndexFunc(task.trials, func(t trial) bool { return string(t.check.Condition) == key.Check })
	if i < 0 {
		return
	}
	t := &task.trials[i]
	if result.Cause == prober.NoAddress && t.check.IPv6 {
		result.Cause = "the task has no IPv6 address"
	}
	verdict, changed := t.judge(result)
	checksMade.WithLabelValues(string(verdict)).Inc()
	if t.done() {
		p.prober.Remove(key)
	}
	if changed && p.queue != nil {
		p.queue.Add(task.app)
	}
}

// wrote remembers what was written to a pod.
func (p *probing) wrote(pod *corev1.Pod, conditions []corev1.PodCondition) {
	p.lock.Lock()
	defer p.lock.Unlock()
	task := p.tasks[pod.UID]
	if task == nil {
		return
	}
	if task.writtenAt == pod.ResourceVersion {
		for _, c := range task.written {
			if !slices.ContainsFunc(conditions, func(other corev1.PodCondition) bool { return other.Type == c.Type }) {
				conditions = append(conditions, c)
			}
		}
	}
	task.written, task.writtenAt = conditions, pod.ResourceVersion
}

// stopped remembers that a task was told to stop.
func (p *probing) stopped(pod *corev1.Pod) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if task := p.tasks[pod.UID]; task != nil {
		task.killed = true
	}
}

// drop ends the checks of a task.
func (p *probing) drop(uid types.UID) {
	task := p.tasks[uid]
	if task == nil {
		return
	}
	for i := range task.trials {
		p.prober.Remove(prober.Key{Task: string(uid), Check: string(task.trials[i].check.Condition)})
	}
	delete(p.tasks, uid)
}

// forget ends the checks of pods that are gone; their App may be gone as well.
func (p *probing) forget(obj any) {
	if gone, is := obj.(cache.DeletedFinalStateUnknown); is {
		obj = gone.Obj
	}
	if pod, is := obj.(*corev1.Pod); is {
		p.lock.Lock()
		defer p.lock.Unlock()
		p.drop(pod.UID)
	}
}

// tell writes the conditions of tasks whose checks have a new outcome. A task
// about to be killed needs none.
func (r *Reconciler) tell(ctx context.Context, seen *observed) error {
	for i := range seen.pods {
		pod := &seen.pods[i]
		known := seen.health[pod.UID]
		if seen.doom(pod) != nil {
			continue
		}
		var news []corev1.PodCondition
		for j := range known.trials {
			c := known.trials[j].condition
			if c.Status == "" || says(pod.Status.Conditions, &c) ||
				known.writtenAt == pod.ResourceVersion && says(known.written, &c) {
				continue
			}
			news = append(news, c)
		}
		if len(news) == 0 {
			continue
		}
		if err := r.Apply.Conditions(ctx, pod, news); err != nil {
			return fmt.Errorf("write results of checks: %w", err)
		}
		r.probing.wrote(pod, news)
	}
	return nil
}

// says tells whether a condition is among others, its time left out.
func says(conditions []corev1.PodCondition, wanted *corev1.PodCondition) bool {
	return slices.ContainsFunc(conditions, func(c corev1.PodCondition) bool {
		return c.Type == wanted.Type && c.Status == wanted.Status && c.Reason == wanted.Reason && c.Message == wanted.Message
	})
}
