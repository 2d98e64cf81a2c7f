// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/rollout"
	"github.com/kdcos/kdcos/internal/workload"
)

// versionsKept is how many versions of an App are kept, as many as Marathon did.
const versionsKept = 50

// record writes down the version that is left. The App itself has moved on: the
// configuration of the version is found on a pod that runs it, or, where none
// does, in another record of the same configuration.
func (r *Reconciler) record(ctx context.Context, seen *observed, step *transition) error {
	if step.from == "" {
		return r.recordUnseen(ctx, seen, step)
	}
	records, err := r.records(ctx, seen.app)
	if err != nil {
		return err
	}
	spec, err := r.left(ctx, seen, step, records)
	if err != nil {
		return err
	}
	if step.inPlace, err = seen.inPlace(step, spec); err != nil {
		return err
	}
	if spec == nil {
		log.FromContext(ctx).Info("version left without a trace: nothing ran it", "version", step.from)
		step.resume(seen, records)
		return r.recordUnseen(ctx, seen, step)
	}
	if !step.counted || spec.Instances == nil {
		spec.Instances = ptr.To(step.fromInstances)
	}
	if err := r.write(ctx, seen.app, step.from, step.fromConfig, spec); err != nil {
		return err
	}
	if err := r.forget(ctx, seen, records, step.from); err != nil {
		return err
	}
	step.resume(seen, records)
	return r.recordUnseen(ctx, seen, step)
}

// left is the spec of the version that is left, nil if there is no trace of it.
func (r *Reconciler) left(ctx context.Context, seen *observed, step *transition, records []appsv1.ControllerRevision) (*v1alpha1.AppSpec, error) {
	for i := range records {
		if records[i].Annotations[v1alpha1.VersionAnnotation] == step.from {
			var data workload.RevisionData
			if err := json.Unmarshal(records[i].Data.Raw, &data); err == nil {
				return &data.Spec, nil
			}
		}
	}
	return r.configuration(ctx, seen, step.fromConfig, records)
}

// inPlace says that the tasks of the version that is left stay: what is asked
// for is what they are, or differs in fields only that may change so.
func (o *observed) inPlace(step *transition, from *v1alpha1.AppSpec) (bool, error) {
	s := &o.app.Status
	if !step.restarts || from == nil || s.ConfigHash == "" {
		return false, nil
	}
	if o.specHash == s.ConfigHash {
		return true, nil
	}
	// A restart that is asked for at the same time is one: with it, the spec
	// of before has another name.
	before := o.app.DeepCopy()
	before.Spec = *from.DeepCopy()
	before.Spec.Default()
	hash, _, err := workload.Config(before)
	if err != nil || hash != s.ConfigHash && hash != s.SpecHash {
		return false, err
	}
	return workload.InPlace(from, &o.app.Spec)
}

// resume takes up the version that an earlier pass began to enter and, since its
// pods would not tell of it, recorded: the time would make another one of it.
func (t *transition) resume(seen *observed, records []appsv1.ControllerRevision) {
	for i := range records {
		version := records[i].Annotations[v1alpha1.VersionAnnotation]
		if t.unseen(seen) && version > t.from && records[i].Labels[v1alpha1.ConfigLabel] == t.config(seen) {
			t.to = version
			return
		}
	}
}

// recordUnseen records a version at its beginning if no pod will carry its configuration.
func (r *Reconciler) recordUnseen(ctx context.Context, seen *observed, step *transition) error {
	if !step.unseen(seen) {
		return nil
	}
	return r.write(ctx, seen.app, step.to, step.config(seen), &seen.app.Spec)
}

// unseen says that no pod will tell of the version.
func (t *transition) unseen(seen *observed) bool { return t.inPlace || seen.instances() == 0 }

// config names the configuration that the version runs.
func (t *transition) config(seen *observed) string {
	if t.inPlace {
		return t.fromConfig
	}
	return seen.config
}

// leavesNoTrace says that a plan kills the last pods that carry the configuration.
// Were the App changed before others run, nobody could tell what it was: a
// crash loop is when that is likely.
func (o *observed) leavesNoTrace(plan rollout.Plan) bool {
	killed := false
	for i := range o.pods {
		pod := &o.pods[i]
		kill := slices.ContainsFunc(plan.Kill, func(k rollout.Kill) bool { return k.Name == pod.Name })
		switch {
		case !o.current(pod) || !workload.Carries(slotOf(pod)):
		case kill:
			killed = true
		case pod.DeletionTimestamp == nil:
			return false
		}
	}
	return killed
}

func (r *Reconciler) write(ctx context.Context, app *v1alpha1.App, version, config string, spec *v1alpha1.AppSpec) error {
	revision, err := workload.Revision(app, version, config, spec)
	if err != nil {
		return err
	}
	if err := r.Apply.Create(ctx, app, revision); err != nil {
		return fmt.Errorf("record version: %w", err)
	}
	return nil
}

// records are the versions recorded so far, the oldest first.
func (r *Reconciler) records(ctx context.Context, app *v1alpha1.App) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	if err := r.Live.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app))); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	own := slices.DeleteFunc(list.Items, func(x appsv1.ControllerRevision) bool { return !metav1.IsControlledBy(&x, app) })
	slices.SortFunc(own, func(a, b appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	return own, nil
}

// configuration finds a configuration by its hash, nil if there is no trace of it.
func (r *Reconciler) configuration(ctx context.Context, seen *observed, config string, records []appsv1.ControllerRevision) (*v1alpha1.AppSpec, error) {
	if config == seen.config {
		return seen.app.Spec.DeepCopy(), nil
	}
	for i := range records {
		if records[i].Labels[v1alpha1.ConfigLabel] != config {
			continue
		}
		var data workload.RevisionData
		if err := json.Unmarshal(records[i].Data.Raw, &data); err == nil {
			return &data.Spec, nil
		}
	}
	for i := range seen.pods {
		if seen.pods[i].Labels[v1alpha1.ConfigLabel] != config || !workload.Carries(slotOf(&seen.pods[i])) {
			continue
		}
		// The cache leaves the annotation out.
		var pod metav1.PartialObjectMetadata
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(&seen.pods[i]), &pod); err != nil {
			if client.IgnoreNotFound(err) == nil {
				continue
			}
			return nil, fmt.Errorf("get pod: %w", err)
		}
		if spec := carried(&pod); spec != nil {
			return spec, nil
		}
	}
	return r.carriedUnseen(ctx, seen, config)
}

// carriedUnseen finds a configuration on a pod that the cache does not show yet.
func (r *Reconciler) carriedUnseen(ctx context.Context, seen *observed, config string) (*v1alpha1.AppSpec, error) {
	var pods metav1.PartialObjectMetadataList
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	slots, err := labels.NewRequirement(v1alpha1.SlotLabel, selection.In, workload.CarrierSlots())
	if err != nil {
		return nil, fmt.Errorf("select pods: %w", err)
	}
	selected := workload.Labels(seen.app)
	selected[v1alpha1.ConfigLabel] = config
	if err := r.Live.List(ctx, &pods, client.InNamespace(seen.app.Namespace),
		client.MatchingLabelsSelector{Selector: labels.SelectorFromSet(selected).Add(*slots)}, client.Limit(10)); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods.Items {
		if spec := carried(&pods.Items[i]); spec != nil && metav1.IsControlledBy(&pods.Items[i], seen.app) {
			return spec, nil
		}
	}
	return nil, nil
}

// carried is the configuration that a pod carries, nil if it carries none.
func carried(pod *metav1.PartialObjectMetadata) *v1alpha1.AppSpec {
	var spec v1alpha1.AppSpec
	if json.Unmarshal([]byte(pod.Annotations[v1alpha1.SpecAnnotation]), &spec) != nil {
		return nil
	}
	return &spec
}

// forget removes the oldest records, so that there is room for one more: that of
// the version, which an earlier pass may have written already.
func (r *Reconciler) forget(ctx context.Context, seen *observed, records []appsv1.ControllerRevision, version string) error {
	others := slices.DeleteFunc(slices.Clone(records), func(x appsv1.ControllerRevision) bool {
		return x.Annotations[v1alpha1.VersionAnnotation] == version
	})
	surplus := max(len(others)-versionsKept+1, 0)
	if last := seen.app.Status.LastAvailable; last != nil {
		// The one to go back to stays.
		others = slices.DeleteFunc(others, func(x appsv1.ControllerRevision) bool {
			return x.Annotations[v1alpha1.VersionAnnotation] == last.Version
		})
	}
	for i := range min(surplus, len(others)) {
		if err := r.Apply.Delete(ctx, &others[i]); err != nil {
			return fmt.Errorf("delete version: %w", err)
		}
	}
	return nil
}
