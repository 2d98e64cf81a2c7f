// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// prodAnnotation is changed to bring on a pass that nothing else asks for.
const prodAnnotation = "chaos.kdcos.io/prod"

// restartedAt is when restarts are asked for.
const restartedAt = "2026-01-01T00:00:00Z"

// do does a step, as a user would.
func (r *run) do(ctx context.Context, s step) error {
	if do := deeds[s.Do]; do != nil {
		return do(r, ctx, s)
	}
	c := r.world.admin
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: s.App}}
	switch s.Do {
	case create:
		if err := convert(s.Spec, &app.Spec); err != nil {
			return err
		}
		return c.Create(ctx, app)
	case change:
		return r.patch(ctx, app, map[string]any{"spec": s.Spec})
	case restart:
		return r.patch(ctx, app, map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.RestartedAtAnnotation: restartedAt}}})
	case rollback:
		return r.rollback(ctx, app)
	case remove:
		return r.remove(ctx, app)
	case deletePod, evictPod:
		return r.harm(ctx, app, s)
	case foreignPod:
		return r.foreignPod(ctx, app, s.Slot)
	case bindClaims:
		return r.bindClaims(ctx, app)
	case disallow:
		return r.disallow(ctx)
	case wipe:
		return r.wipe(ctx, app, s)
	case history:
		return r.history(ctx, app)
	case stopManager:
		return send(ctx, r.stop)
	case startManager:
		return send(ctx, r.start)
	}
	return fmt.Errorf("no such action")
}

// deeds are the actions that are not about Apps.
var deeds = map[action]func(*run, context.Context, step) error{
	createJob: (*run).createJob, deleteJob: (*run).deleteJob, startRun: (*run).startRun, stopRun: (*run).stopRun, deleteRun: (*run).deleteRun,
	createQuota: (*run).createQuota, changeQuota: (*run).changeQuota, deleteQuota: (*run).deleteQuota,
	addNode: (*run).addNode, loseNode: (*run).loseNode, storeLocally: (*run).storeLocally,
	maintain: (*run).maintain, changeMaintenance: (*run).changeMaintenance, reactivate: (*run).reactivate,
	createPool: (*run).createPool, changePool: (*run).changePool, deletePool: (*run).deletePool, addMachines: (*run).addMachines,
	look: func(*run, context.Context, step) error { return nil },
}

// awaited is what is waited for beside the states of Apps. Each says what is
// missing; it is given what is behind the =.
var awaited = map[until]func(*run, context.Context, step, string) (string, error){
	counted: (*run).uncounted, kept: (*run).unkept, logged: (*run).unlogged, active: (*run).inactive, jobGone: (*run).jobThere,
	enforced: (*run).unenforced, held: (*run).unheld, accounted: (*run).unaccounted, exceeded: (*run).unexceeded, quotaGone: (*run).quotaThere,
	maintained: (*run).unmaintained, inUse: (*run).unused, keptOut: (*run).letIn, moved: (*run).unmoved,
	pooled: (*run).unpooled, poolGone: (*run).poolThere, provisioned: (*run).unprovisioned, machines: (*run).machinesMissing,
}

// spec reads the spec of a step.
func (r *run) spec(s step, into any) error {
	raw, err := json.Marshal(s.Spec)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "NAMESPACE", r.namespace)), into)
}

func send(ctx context.Context, to chan struct{}) error {
	select {
	case to <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func convert(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func (r *run) patch(ctx context.Context, obj client.Object, changes map[string]any) error {
	raw, err := json.Marshal(changes)
	if err != nil {
		return err
	}
	return r.world.admin.Patch(ctx, obj, client.RawPatch("application/merge-patch+json", raw))
}

// prod brings on a pass over every object of ours.
func (r *run) prod() {
	ctx := context.Background()
	var apps v1alpha1.AppList
	var jobs v1alpha1.JobList
	var runs v1alpha1.JobRunList
	for _, list := range []client.ObjectList{&apps, &jobs, &runs} {
		if err := r.world.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return
		}
	}
	all := r.own()
	for i := range apps.Items {
		all = append(all, &apps.Items[i])
	}
	for i := range jobs.Items {
		all = append(all, &jobs.Items[i])
	}
	for i := range runs.Items {
		all = append(all, &runs.Items[i])
	}
	for _, obj := range all {
		_ = r.patch(ctx, obj, map[string]any{"metadata": map[string]any{"annotations": map[string]any{prodAnnotation: time.Now().String()}}})
	}
}

// own are the objects in no namespace that a scenario may have made, but for the
// node: as their names say.
func (r *run) own() []client.Object {
	var all []client.Object
	if r.scenario.does(createQuota) {
		all = append(all, &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}})
	}
	if r.scenario.does(maintain) {
		all = append(all, &v1alpha1.NodeMaintenance{ObjectMeta: metav1.ObjectMeta{Name: nodeOf(r.namespace)}})
	}
	if r.scenario.does(createPool) {
		all = append(all, &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: poolOf(r.namespace)}})
	}
	return all
}

// tidy takes away what no namespace holds: there are many lives, and some look at all.
func (r *run) tidy(ctx context.Context) {
	all := r.own()
	if r.scenario.does(addNode) {
		all = append(all, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeOf(r.namespace)}})
	}
	if r.scenario.does(storeLocally) {
		all = append(all, r.volume(0))
	}
	for _, obj := range all {
		_ = r.patch(ctx, obj, map[string]any{"metadata": map[string]any{"finalizers": nil}})
		_ = r.world.admin.Delete(ctx, obj)
	}
}

func (r *run) rollback(ctx context.Context, app *v1alpha1.App) error {
	c := r.world.admin
	var records appsv1.ControllerRevisionList
	if err := c.List(ctx, &records, client.InNamespace(r.namespace), client.MatchingLabels(workload.Labels(app))); err != nil {
		return err
	}
	var last *appsv1.ControllerRevision
	for i := range records.Items {
		if last == nil || records.Items[i].Revision > last.Revision {
			last = &records.Items[i]
		}
	}
	if last == nil {
		return errors.New("no version is recorded")
	}
	var data workload.RevisionData
	if err := json.Unmarshal(last.Data.Raw, &data); err != nil {
		return err
	}
	for {
		if err := c.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
			return err
		}
		app.Spec = data.Spec
		if err := c.Update(ctx, app); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// remove deletes an App, and then what it owned, as the garbage collector does.
func (r *run) remove(ctx context.Context, app *v1alpha1.App) error {
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
		return err
	}
	r.mu.Lock()
	r.dead[app.UID] = true
	r.mu.Unlock()
	return r.world.admin.Delete(ctx, app)
}

// collect deletes what Apps own that are gone, as the garbage collector does,
// and says how much that was.
func (r *run) collect(ctx context.Context) (int, error) {
	r.mu.Lock()
	dead := maps.Clone(r.dead)
	r.mu.Unlock()
	found, err := r.collectVIPs(ctx, dead)
	if len(dead) == 0 || err != nil {
		return found, err
	}
	var apps v1alpha1.AppList
	if err := r.world.admin.List(ctx, &apps, client.InNamespace(r.namespace)); err != nil {
		return 0, err
	}
	for i := range apps.Items {
		// Some finalizer holds it.
		delete(dead, apps.Items[i].UID)
	}
	for _, gvk := range r.world.kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk)
		if err := r.world.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return 0, err
		}
		for i := range list.Items {
			owner := metav1.GetControllerOf(&list.Items[i])
			if owner == nil || !dead[owner.UID] {
				continue
			}
			found++
			if list.Items[i].DeletionTimestamp == nil {
				if err := r.world.admin.Delete(ctx, &list.Items[i]); client.IgnoreNotFound(err) != nil {
					return 0, err
				}
			}
			if gvk.Kind == "PersistentVolumeClaim" {
				claim := corev1.PersistentVolumeClaim{ObjectMeta: list.Items[i].ObjectMeta}
				if err := r.release(ctx, []corev1.PersistentVolumeClaim{claim}); err != nil {
					return 0, err
				}
			}
		}
	}
	return found, nil
}

func (r *run) pod(ctx context.Context, app *v1alpha1.App, slot int) (*corev1.Pod, error) {
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
		return nil, err
	}
	config, err := configOf(app)
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: workload.PodName(app, config, slot)}}, err
}

// harm deletes or evicts the pod in a slot.
func (r *run) harm(ctx context.Context, app *v1alpha1.App, s step) error {
	pod, err := r.pod(ctx, app, s.Slot)
	if err != nil {
		return err
	}
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	if s.Do == evictPod {
		changes := client.MergeFrom(pod.DeepCopy())
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted"
		return r.world.admin.Status().Patch(ctx, pod, changes)
	}
	r.mu.Lock()
	r.harmed[pod.UID] = true
	r.mu.Unlock()
	return r.world.admin.Delete(ctx, pod)
}

func (r *run) foreignPod(ctx context.Context, app *v1alpha1.App, slot int) error {
	pod, err := r.pod(ctx, app, slot)
	if err != nil {
		return err
	}
	pod.Labels = workload.Labels(app)
	pod.Spec.Containers = []corev1.Container{{Name: "x", Image: "y"}}
	if err := r.world.admin.Create(ctx, pod); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign = append(r.foreign, pod)
	return nil
}

// history records as many versions as are kept, all older than the App's.
func (r *run) history(ctx context.Context, app *v1alpha1.App) error {
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
		return err
	}
	config, err := configOf(app)
	if err != nil {
		return err
	}
	for i := range 50 {
		at := app.CreationTimestamp.Add(time.Duration(i-100) * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
		revision, err := workload.Revision(app, at, config, &app.Spec)
		if err != nil {
			return err
		}
		obj := &appsv1.ControllerRevision{}
		if err := convert(revision, obj); err != nil {
			return err
		}
		if err := r.world.admin.Create(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

// configOf is the hash of an App's configuration, or the name it has kept.
func configOf(app *v1alpha1.App) (string, error) {
	filled := app.DeepCopy()
	filled.Spec.Default()
	config, _, err := workload.Config(filled)
	if config == app.Status.SpecHash {
		return app.Status.ConfigHash, err
	}
	return config, err
}

// await waits for what a step waits for.
func (r *run) await(ctx context.Context, s step) error {
	deadline := time.Now().Add(*patience)
	for ; ; r.change() {
		left, err := r.missing(ctx, s)
		if err != nil || left == "" {
			return err
		}
		if r.failed() {
			return nil // The oracles know already.
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s still: %s", *patience, left)
		}
	}
}

// change waits for a change in the namespace, or for a moment: not all that is
// waited for is watched.
func (r *run) change() {
	was := r.moment()
	for range 20 {
		time.Sleep(15 * time.Millisecond)
		if r.moment() != was {
			return
		}
	}
}

// moment differs when something may have changed.
func (r *run) moment() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.world.recorder.revision(r.namespace), len(r.trace))
}

// missing says what a step still waits for.
func (r *run) missing(ctx context.Context, s step) (string, error) {
	name, which, _ := strings.Cut(string(s.Until), "=")
	if missing := awaited[until(name)]; missing != nil {
		return missing(r, ctx, s, which)
	}
	app := &v1alpha1.App{}
	err := r.world.admin.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: s.App}, app)
	switch s.Until {
	case nothing:
		// What the API server's own cache has not seen, a manager that starts may not see.
		if rv, _ := strconv.ParseUint(app.ResourceVersion, 10, 64); r.world.recorder.revision(r.namespace) < rv {
			return "the change is not seen yet", nil
		}
		return "", nil
	case gone:
		if !apierrors.IsNotFound(err) {
			return "the App is there", err
		}
		left, err := r.collect(ctx)
		if left > 0 {
			return fmt.Sprintf("%d things of the App are there", left), err
		}
		return "", err
	}
	if err != nil {
		return "", err
	}
	if _, err := r.collect(ctx); err != nil {
		return "", err
	}
	switch s.Until {
	case observed:
		return taken(app)
	case settled:
		return r.unsettled(ctx, app)
	case labelled:
		if left, err := r.unsettled(ctx, app); left != "" || err != nil {
			return left, err
		}
		var node corev1.Node
		err := r.world.admin.Get(ctx, client.ObjectKey{Name: nodeOf(r.namespace)}, &node)
		for label := range node.Labels {
			if strings.HasPrefix(label, v1alpha1.NodeMatchPrefix) {
				return "", err
			}
		}
		return "the node has no label of ours", err
	case checked:
		if left, err := r.unsettled(ctx, app); left != "" || err != nil {
			return left, err
		}
		return r.unchecked(ctx, app)
	case populated:
		pods, err := r.podsOf(ctx, app)
		pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodRunning })
		return map[bool]string{true: "fewer pods run"}[len(pods) < int(app.Spec.Desired())], err
	case served:
		if left, err := r.unsettled(ctx, app); left != "" || err != nil {
			return left, err
		}
		return r.unserved(ctx)
	case grown:
		if left, err := r.unsettled(ctx, app); left != "" || err != nil {
			return left, err
		}
		return r.ungrown(ctx, app)
	case emptied:
		pods, err := r.podsOf(ctx, app)
		return map[bool]string{true: "there are pods"}[len(pods) > 0], err
	case launched:
		if left, err := taken(app); left != "" || err != nil || app.Status.InstancesUpToDate == app.Spec.Desired() {
			return left, err
		}
		return "not all pods are launched", nil
	}
	if failures, ok := strings.CutPrefix(string(s.Until), "failures="); ok {
		if b := app.Status.Backoff; b == nil || fmt.Sprint(b.Failures) < failures {
			return "there are fewer failures", nil
		}
		return "", nil
	}
	for _, c := range app.Status.Conditions {
		if c.Reason == string(s.Until) && c.ObservedGeneration == app.Generation {
			return "", nil
		}
	}
	return "no condition has the reason", nil
}

// taken says what is missing until an App has taken on the version asked for.
func taken(app *v1alpha1.App) (string, error) {
	config, err := configOf(app)
	if err != nil {
		return "", err
	}
	if app.Status.ConfigHash != config || app.Status.TargetInstances != app.Spec.Desired() || app.Status.ObservedGeneration != app.Generation {
		return "the version is not taken on", nil
	}
	return "", nil
}

// unsettled says what is missing until an App and its pods are as asked for.
func (r *run) unsettled(ctx context.Context, app *v1alpha1.App) (string, error) {
	if left, err := taken(app); left != "" || err != nil {
		return left, err
	}
	ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || len(app.Status.Conditions) != 1 {
		return fmt.Sprintf("conditions are %+v", app.Status.Conditions), nil
	}
	pods, err := r.podsOf(ctx, app)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if p := seePod(&pods[i]); !p.healthy || p.failing || p.terminating || p.config != app.Status.ConfigHash {
			return "not all pods are as they should be: " + p.name, nil
		}
	}
	if len(pods) != int(app.Spec.Desired()) {
		return fmt.Sprintf("there are %d pods, asked for are %d", len(pods), app.Spec.Desired()), nil
	}
	return "", nil
}

// unchecked says which pod has no result of a check yet.
func (r *run) unchecked(ctx context.Context, app *v1alpha1.App) (string, error) {
	pods, err := r.podsOf(ctx, app)
	for i := range pods {
		if !slices.ContainsFunc(pods[i].Status.Conditions, func(c corev1.PodCondition) bool { return strings.Contains(string(c.Type), "kdcos.io/") }) {
			return pods[i].Name + " is not checked", err
		}
	}
	return "", err
}

// podsOf are the pods that an App controls.
func (r *run) podsOf(ctx context.Context, app *v1alpha1.App) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := r.world.admin.List(ctx, &pods, client.InNamespace(r.namespace), client.MatchingLabels(workload.Labels(app)))
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return !metav1.IsControlledBy(&p, app) }), err
}

// list reads the objects of a kind in the namespace of the run.
func (r *run) list(ctx context.Context, into *unstructured.UnstructuredList) error {
	return r.world.admin.List(ctx, into, client.InNamespace(r.namespace))
}
