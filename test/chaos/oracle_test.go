// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// judge waits for the end state and asks the oracles. It returns the end state.
func (r *run) judge(ctx context.Context, want string) string {
	deadline := time.Now().Add(*patience)
	var end string
	for ; ; r.change() {
		if _, err := r.collect(ctx); err != nil {
			r.fail("harness", "collect: %v", err)
			return ""
		}
		var err error
		if end, err = r.state(ctx); err != nil {
			r.fail("harness", "read the end state: %v", err)
			return ""
		}
		for was := r.moment(); (want == "" || end == want) && r.quiet() <= quietFor && r.moment() == was; {
			time.Sleep(15 * time.Millisecond)
		}
		same := want == "" || end == want
		if same && r.quiet() > quietFor {
			break
		}
		if time.Now().After(deadline) {
			if same {
				r.fail("O2", "the manager goes on writing though all is as asked for")
			} else {
				r.fail("O1", "the end state is another (-reference +this run):\n%s", difference(want, end))
			}
			break
		}
	}
	r.judgeForeign(ctx)
	r.judgeStory()
	r.judgeRuns()
	r.judgeQuota()
	r.judgeLog()
	return end
}

// judgeForeign: what is not ours is as it was (O3).
func (r *run) judgeForeign(ctx context.Context) {
	for _, was := range r.foreign {
		var is corev1.Pod
		err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(was), &is)
		if apierrors.IsNotFound(err) || err == nil && (is.UID != was.UID || is.DeletionTimestamp != nil) {
			r.fail("O3", "pod %s of somebody else was deleted", was.Name)
		} else if err == nil && (len(is.OwnerReferences) > 0 || !maps.Equal(is.Labels, was.Labels)) {
			r.fail("O3", "pod %s of somebody else was taken over", was.Name)
		}
	}
}

// judgeLog: no panic, and no error again and again (O5).
func (r *run) judgeLog() {
	r.mu.Lock()
	injected, logged := r.injected, maps.Clone(r.errors)
	r.mu.Unlock()
	for message, n := range logged {
		if strings.Contains(message, "panic") {
			r.fail("O5", "%s", message)
		}
		if n > 5+injected {
			r.fail("O5", "logged %d times: %s", n, message)
		}
	}
}

// judgeWrites: a fault costs few writes over those of the reference run, and a
// storm brings on no storm of ours (F3, F4).
func (r *run) judgeWrites(most int) {
	r.mu.Lock()
	allowed, writes, stormed := most+most/4+2*r.injected+chanceWrites, len(r.trace), r.stormed
	r.mu.Unlock()
	// Progress is told once a second.
	allowed += int(time.Since(r.began).Seconds())
	if r.point.resource != "" {
		// Every look at an old state may bring on some writes that are refused.
		allowed += staleWrites
	}
	if writes > allowed {
		r.fail("F3", "%d writes, allowed are %d: those of the reference run, 2 for each fault and a few that are a matter of timing", writes, allowed)
	}
	if stormed > stormRequests {
		r.fail("F4", "%d requests in a storm of %s in which the answer was to wait a second", stormed, stormFor)
	}
}

// Writes that differ between two runs without a fault: the status is written
// more or less often as events come one by one or together.
const (
	chanceWrites  = 4 // and a quarter
	staleWrites   = 10
	stormRequests = 30
)

// judgeStory: at no instant fewer healthy pods than promised by the manager's
// doing, nor more pods than allowed (O4), nor two in one slot (O3).
func (r *run) judgeStory() {
	pods := map[types.UID]*podSeen{}
	apps := map[types.UID]*appStory{}
	leaving := map[string]bool{}
	for _, e := range r.world.recorder.story(r.namespace) {
		if e.app != nil {
			a := apps[e.app.uid]
			if a == nil {
				a = &appStory{}
				apps[e.app.uid] = a
			}
			if message := a.add(e); message != "" {
				r.fail("O4", "%s", message)
			}
			continue
		}
		if e.node != nil {
			leaving[e.node.name] = e.node.leaves && !e.gone
		}
		if e.pod == nil {
			continue
		}
		was := pods[e.pod.uid]
		pods[e.pod.uid] = e.pod
		if e.gone {
			delete(pods, e.pod.uid)
		}
		a := apps[e.pod.owner]
		if a == nil || a.gone {
			continue
		}
		ended := was != nil && !was.terminating && (e.gone || e.pod.terminating)
		if ended && !r.harmed[e.pod.uid] {
			if message := a.floor(e.pod, was.healthy, pods); message != "" {
				r.fail("O4", "when %s was killed: %s", e.pod.name, message)
			}
		}
		if was == nil {
			r.judgeLaunch(a, e.pod, pods, leaving)
		}
	}
}

// judgeLaunch looks at the pods of an App after one was made.
func (r *run) judgeLaunch(a *appStory, launched *podSeen, pods map[types.UID]*podSeen, leaving map[string]bool) {
	// Those on a node that is being emptied have successors beside them.
	stay := maps.Clone(pods)
	maps.DeleteFunc(stay, func(_ types.UID, p *podSeen) bool { return leaving[p.node] })
	// A manager that sees old pods may launch some too many in an upgrade; what
	// it must not do even then is kill too many.
	if message := a.ceiling(launched, stay); message != "" && r.point.resource != "pods" {
		r.fail("O4", "when %s was launched: %s", launched.name, message)
	}
	for uid, p := range pods {
		if uid != launched.uid && p.owner == launched.owner && p.slot == launched.slot && (p.config == launched.config || p.stores && launched.stores) {
			r.fail("O3", "%s and %s are both in slot %s", launched.name, p.name, p.slot)
		}
	}
}

// appStory is what an App promises at an instant: what it was asked for last,
// and what before, until it is as asked for.
type appStory struct {
	promises []promise
	gone     bool
	// config is the configuration taken on, failures the count of its launch delay.
	config   string
	failures int32
}

// add takes in a change of the App and says what is wrong about it.
func (a *appStory) add(e seen) (wrong string) {
	switch {
	case a.config != "" && e.app.config != a.config && e.app.failures > 0:
		wrong = "a new configuration starts with the launch delay of another"
	case e.app.config == a.config && e.app.failures < a.failures:
		wrong = fmt.Sprintf("the launch delay of %d failures became one of %d", a.failures, e.app.failures)
	}
	a.config, a.failures = e.app.config, e.app.failures
	a.gone = e.gone
	if len(a.promises) == 0 || a.promises[len(a.promises)-1] != e.app.promise {
		a.promises = append(a.promises, e.app.promise)
	}
	if e.app.settled {
		a.promises = a.promises[len(a.promises)-1:]
	}
	return wrong
}

// census counts the pods of an App.
func census(owner types.UID, pods map[types.UID]*podSeen) (all, live, healthy int, configs map[string]bool) {
	configs = map[string]bool{}
	for _, p := range pods {
		if p.owner != owner {
			continue
		}
		if !p.failing || !p.terminating {
			all++ // What ended and is told to go runs no more.
		}
		configs[p.config] = true
		if !p.terminating {
			live++
			if p.healthy {
				healthy++
			}
		}
	}
	return all, live, healthy, configs
}

// floor says what is wrong after the manager killed a pod.
func (a *appStory) floor(killed *podSeen, wasHealthy bool, pods map[types.UID]*podSeen) string {
	_, live, healthy, configs := census(killed.owner, pods)
	configs[killed.config] = true
	n, needed := math.MaxInt, math.MaxInt
	for _, p := range a.promises {
		n = min(n, p.instances)
		configs[p.config] = true
	}
	for _, p := range a.promises {
		needed = min(needed, int(math.Ceil(float64(n)*p.minHealthy)))
	}
	upgrading := len(configs) > 1
	switch {
	case !upgrading && wasHealthy && live < n:
		return fmt.Sprintf("%d of %d instances are left, and nothing is being upgraded", live, n)
	case upgrading && wasHealthy && healthy < needed:
		return fmt.Sprintf("%d healthy instances are left, promised are %d", healthy, needed)
	}
	return ""
}

// ceiling says what is wrong after the manager launched a pod.
func (a *appStory) ceiling(launched *podSeen, pods map[types.UID]*podSeen) string {
	all, _, _, configs := census(launched.owner, pods)
	allowed, n := 0, 0
	for _, p := range a.promises {
		configs[p.config] = true
		n = max(n, p.instances)
		most := int(math.Floor(float64(p.instances) * (1 + p.maxOver)))
		if most == int(math.Ceil(float64(p.instances)*p.minHealthy)) {
			most++
		}
		allowed = max(allowed, most)
	}
	if len(configs) == 1 {
		allowed = n // Nothing is being upgraded.
	}
	if all > allowed {
		return fmt.Sprintf("there are %d pods, allowed are %d", all, allowed)
	}
	return ""
}

var (
	uidPattern     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	digestPattern  = regexp.MustCompile(`-[0-9a-f]{10}\b`)
	versionPattern = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	// Ids of runs have the time, names of pods of Jobs are by chance.
	runPattern  = regexp.MustCompile(`([-_/])\d{14}[a-z2-7]{5}\b`)
	taskPattern = regexp.MustCompile(`(-DIGEST-\d+)-[a-z0-9]{5}\b`)
	// Host ports and service ports are given by chance, or in the order of asking.
	portPattern = regexp.MustCompile(`\b[12]\d{4}\b`)
	timePattern = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)`)
)

// anonymous takes out of a text what differs from run to run.
func anonymous(s, namespace string) string {
	s = strings.ReplaceAll(s, namespace, "NAMESPACE")
	s = uidPattern.ReplaceAllString(s, "UID")
	s = digestPattern.ReplaceAllString(runPattern.ReplaceAllString(s, "${1}RUN"), "-DIGEST")
	return taskPattern.ReplaceAllString(s, "$1-TASK")
}

// state is the state of the namespace without what differs from run to run:
// uids, revisions, times, nodes. Versions are told by their rank.
func (r *run) state(ctx context.Context) (string, error) {
	var objects []map[string]any
	for _, gvk := range append(slices.Clone(r.world.kinds), v1alpha1.GroupVersion.WithKind("App"), v1alpha1.GroupVersion.WithKind("Job")) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		if err := r.list(ctx, list); err != nil {
			return "", err
		}
		for i := range list.Items {
			objects = append(objects, list.Items[i].Object)
		}
	}
	for _, obj := range append(r.own(), r.node()) {
		gvk, err := r.world.admin.GroupVersionKindFor(obj)
		if err != nil {
			return "", err
		}
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(gvk)
		switch err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(obj), there); {
		case err == nil:
			objects = append(objects, there.Object)
		case !apierrors.IsNotFound(err):
			return "", err
		}
	}
	for _, obj := range objects {
		// When it was let in is of the form of a version.
		unstructured.RemoveNestedField(obj, "metadata", "annotations", v1alpha1.QuotaReleasedAtAnnotation)
		unstructured.RemoveNestedField(obj, "metadata", "annotations", v1alpha1.QuotaQueuedAtAnnotation)
	}
	ranks, err := versionRanks(objects)
	if err != nil {
		return "", err
	}
	var all []string
	for _, obj := range objects {
		owner := appOf(obj)
		trim(obj)
		raw, err := json.MarshalIndent(obj, "", " ")
		if err != nil {
			return "", err
		}
		text := versionPattern.ReplaceAllStringFunc(anonymous(string(raw), r.namespace), func(v string) string {
			if rank, known := ranks[owner][v]; known {
				return fmt.Sprint("VERSION ", rank)
			}
			return "TIME"
		})
		text = portPattern.ReplaceAllString(text, "PORT")
		text = timePattern.ReplaceAllString(text, "TIME")
		all = append(all, text)
	}
	sort.Strings(all)
	return strings.Join(all, "\n"), nil
}

// appOf is the uid of the App that an object is or belongs to.
func appOf(obj map[string]any) string {
	u := &unstructured.Unstructured{Object: obj}
	if owner := metav1.GetControllerOf(u); owner != nil {
		return string(owner.UID)
	}
	return string(u.GetUID())
}

// versionRanks numbers the versions of each App, the oldest first.
func versionRanks(objects []map[string]any) (map[string]map[string]int, error) {
	found := map[string]map[string]int{}
	for _, obj := range objects {
		raw, err := json.Marshal(obj)
		if err != nil {
			return nil, err
		}
		app := appOf(obj)
		if found[app] == nil {
			found[app] = map[string]int{}
		}
		for _, v := range versionPattern.FindAllString(string(raw), -1) {
			found[app][v] = 0
		}
	}
	for _, versions := range found {
		for i, v := range slices.Sorted(maps.Keys(versions)) {
			versions[v] = i + 1
		}
	}
	return found, nil
}

// trim drops from an object what is the API server's or the kubelet's.
func trim(obj map[string]any) {
	metadata, _ := obj["metadata"].(map[string]any)
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generateName"} {
		delete(metadata, field)
	}
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, prodAnnotation)
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	switch obj["kind"] {
	case "Pod":
		// What the kubelet says is in the App's status, where it matters.
		delete(obj, "status")
		// How often it was changed on the way, and what counts tasks of Jobs.
		delete(metadata, "generation")
		delete(metadata, "finalizers")
		if spec, ok := obj["spec"].(map[string]any); ok {
			delete(spec, "nodeName")
		}
	case "Node":
		delete(obj, "status")
	case "Job", "JobRun", "Quota", "NodePool", "NodeMaintenance":
		trimOthers(obj)
	case "App":
		// A count of 0 is written or left out.
		status, _ := obj["status"].(map[string]any)
		// The kill of a pod goes before the status that tells how it failed.
		delete(status, "lastTaskFailure")
		// That it was held, a manager knows who told so.
		delete(status, "resumedAt")
		maps.DeleteFunc(status, func(_ string, value any) bool { return value == int64(0) })
	case "Service":
		// The address is any of many.
		spec, _ := obj["spec"].(map[string]any)
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	case "VirtualIP":
		if status, _ := obj["status"].(map[string]any); status["dnsName"] != nil {
			delete(status, "addresses")
		}
	case "PodDisruptionBudget":
		// How often it was changed on the way.
		delete(metadata, "generation")
	case "ControllerRevision":
		// The version's time in milliseconds.
		delete(obj, "revision")
	}
}

// trimOthers drops from an object that is not about Apps what is up to chance.
func trimOthers(obj map[string]any) {
	status, _ := obj["status"].(map[string]any)
	maps.DeleteFunc(status, func(_ string, value any) bool { return value == int64(0) })
	switch {
	case obj["apiVersion"] == batchv1.SchemeGroupVersion.String():
		delete(obj, "status")
	case obj["kind"] == "Job":
		// That a run was released is not worth a write.
		delete(status, "countedRuns")
	case obj["kind"] == "NodeMaintenance":
		// A pod may have come while the node was being closed.
		delete(status, "podsTotal")
	}
}

// difference is what differs between two states.
func difference(want, got string) string {
	return cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))
}
