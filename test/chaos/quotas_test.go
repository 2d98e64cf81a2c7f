// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func (r *run) quota(ctx context.Context) (*v1alpha1.Quota, error) {
	q := &v1alpha1.Quota{}
	return q, r.world.admin.Get(ctx, client.ObjectKey{Name: r.namespace}, q)
}

func (r *run) createQuota(ctx context.Context, s step) error {
	q := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}
	if err := r.spec(s, &q.Spec); err != nil {
		return err
	}
	return r.world.admin.Create(ctx, q)
}

func (r *run) changeQuota(ctx context.Context, s step) error {
	return r.patch(ctx, &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.ForceAnnotation: "true"}}, "spec": s.Spec,
	})
}

func (r *run) deleteQuota(ctx context.Context, _ step) error {
	return r.world.admin.Delete(ctx, &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}})
}

// unenforced says what is missing until a Quota is known to all.
func (r *run) unenforced(ctx context.Context, _ step, _ string) (string, error) {
	q, err := r.quota(ctx)
	if err != nil {
		return "", err
	}
	if q.Status.ObservedGeneration != q.Generation || !meta.IsStatusConditionTrue(q.Status.Conditions, v1alpha1.ConditionReady) {
		return fmt.Sprintf("conditions are %+v", q.Status.Conditions), nil
	}
	// The policy learns of it with a delay.
	probe := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, GenerateName: "probe-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "y"}}}}
	if err := r.world.admin.Create(ctx, probe, client.DryRunAll); err != nil || !heldBack(probe) {
		return "pods are not held back", client.IgnoreNotFound(err)
	}
	return "", nil
}

func heldBack(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.QuotaGate })
}

// unheld says what is missing until so many pods of an App wait, and the others run.
func (r *run) unheld(ctx context.Context, s step, want string) (string, error) {
	app := &v1alpha1.App{}
	if err := r.world.admin.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: s.App}, app); err != nil {
		return "", err
	}
	if left, err := taken(app); left != "" || err != nil {
		return left, err
	}
	pods, err := r.podsOf(ctx, app)
	if err != nil {
		return "", err
	}
	n := 0
	for i := range pods {
		if heldBack(&pods[i]) {
			n++
		} else if !seePod(&pods[i]).healthy {
			return pods[i].Name + " does not run", nil
		}
	}
	if want == "" && n == 0 || want != "" && fmt.Sprint(n) != want {
		return fmt.Sprintf("%d pods wait", n), nil
	}
	return r.unsaid(ctx)
}

// unaccounted says what is missing until an App is as asked for, and its Quota says so.
func (r *run) unaccounted(ctx context.Context, s step, _ string) (string, error) {
	app := &v1alpha1.App{}
	if err := r.world.admin.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: s.App}, app); err != nil {
		return "", err
	}
	if left, err := r.unsettled(ctx, app); left != "" || err != nil {
		return left, err
	}
	return r.unsaid(ctx)
}

// unsaid says in what the status of the Quota is not what is true.
func (r *run) unsaid(ctx context.Context) (string, error) {
	q, err := r.quota(ctx)
	if err != nil {
		return "", err
	}
	var pods corev1.PodList
	if err := r.world.admin.List(ctx, &pods, client.InNamespace(r.namespace)); err != nil {
		return "", err
	}
	var waiting int32
	for i := range pods.Items {
		if heldBack(&pods.Items[i]) {
			waiting++
		}
	}
	if all := int32(len(pods.Items)); q.Status.ObservedGeneration != q.Generation || q.Status.Pods != all-waiting || q.Status.WaitingPods != waiting {
		return fmt.Sprintf("the Quota says that there are %d pods and %d wait, of %d and %d", q.Status.Pods, q.Status.WaitingPods, all-waiting, waiting), nil
	}
	return "", nil
}

// unexceeded says what is missing until a Quota says that more is used than it allows.
func (r *run) unexceeded(ctx context.Context, _ step, _ string) (string, error) {
	q, err := r.quota(ctx)
	if err != nil {
		return "", err
	}
	if !meta.IsStatusConditionTrue(q.Status.Conditions, v1alpha1.ConditionQuotaExceeded) {
		return "the Quota is not exceeded", nil
	}
	return r.unsaid(ctx)
}

func (r *run) quotaThere(ctx context.Context, _ step, _ string) (string, error) {
	if _, err := r.quota(ctx); !apierrors.IsNotFound(err) {
		return "the Quota is there", err
	}
	return "", nil
}

// quotaSeen is a Quota at one instant.
type quotaSeen struct {
	// millis are those of the CPUs that it allows; there is no bound if they are negative.
	millis int64
	// observed says that its status speaks of this limit.
	observed bool
}

func seeQuota(q *v1alpha1.Quota) *quotaSeen {
	seen := &quotaSeen{millis: -1, observed: q.Status.ObservedGeneration == q.Generation}
	if l := q.Spec.Limits; l != nil && l.Cpus != nil && q.DeletionTimestamp == nil {
		seen.millis = int64(math.Round(*l.Cpus * 1000))
	}
	return seen
}

// judgeQuota: no pod is let in that is too much for the limit, nor for the one
// before that while the change may not be known (O9).
func (r *run) judgeQuota() {
	var limits []int64
	pods := map[types.UID]*podSeen{}
	for _, e := range r.world.recorder.story(r.namespace) {
		switch {
		case e.quota != nil && e.gone:
			limits = nil
		case e.quota != nil:
			if e.quota.observed {
				limits = nil
			}
			limits = append(limits, e.quota.millis)
		case e.pod != nil:
			was := pods[e.pod.uid]
			pods[e.pod.uid] = e.pod
			if e.gone || e.pod.ended {
				delete(pods, e.pod.uid)
				continue
			}
			if was == nil || !was.gated || e.pod.gated || len(limits) == 0 || slices.Contains(limits, -1) {
				continue
			}
			if used, most := charged(pods), slices.Max(limits); used > most {
				r.fail("O9", "when %s was let in: %d thousandths of a CPU are used, allowed are %d", e.pod.name, used, most)
			}
		}
	}
}

// charged is what pods that were let in ask for.
func charged(pods map[types.UID]*podSeen) int64 {
	var sum int64
	for _, p := range pods {
		if !p.gated {
			sum += p.millis
		}
	}
	return sum
}
