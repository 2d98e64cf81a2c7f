// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const (
	// defaultTimeout is that of a drain.
	defaultTimeout = time.Hour
	// defaultGrace is that of a pod which names none.
	defaultGrace = 30
	// retry is when what is refused now is asked for again.
	retry = 2 * time.Second
	// lookAgain is when somebody who waits for others looks without being told to.
	lookAgain = 30 * time.Second
)

// settings are how a node is emptied.
type settings struct {
	delete, force bool
	cap           *int64
	timeout       time.Duration
}

// drainSettings are those of a NodeMaintenance over those of its pool.
func drainSettings(own, pool *v1alpha1.Drain) settings {
	s := settings{timeout: defaultTimeout}
	for _, d := range []*v1alpha1.Drain{pool, own} {
		if d == nil {
			continue
		}
		if d.Mode != "" {
			s.delete = d.Mode == v1alpha1.DrainModeDelete
		}
		if d.OnTimeout != "" {
			s.force = d.OnTimeout == v1alpha1.DrainTimeoutForce
		}
		if d.PodGraceCapSeconds != nil {
			s.cap = ptr.To(int64(*d.PodGraceCapSeconds))
		}
		if d.TimeoutSeconds != nil {
			s.timeout = time.Duration(*d.TimeoutSeconds) * time.Second
		}
	}
	return s
}

// grace is how long a pod has to end, nil for as long as it asks for. It is never
// 0, which would have Kubernetes forget the pod while it may still run.
func (s settings) grace(pod *corev1.Pod) *int64 {
	if s.cap == nil {
		return nil
	}
	return ptr.To(max(min(ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, defaultGrace), *s.cap), 1))
}

// step is what one pass does.
type step struct {
	// state is how far the maintenance is then.
	state v1alpha1.MaintenanceState
	// enter says that something is to be written down before anything is done.
	enter bool
	// marks are those of the node; nil leaves it as it is.
	marks *marks
	// keepOut are nodes that were given up and are there again.
	keepOut []*corev1.Node
	// evict and remove are the pods to stop, asking for each or not.
	evict, remove []*corev1.Pod
	// grace is how long they have.
	grace settings
	// blocked says of pods that stay for now why.
	blocked map[string]string
	// giveUp drops what is stored on the node, and the node.
	giveUp bool
	// late says that the drain takes longer than it may.
	late bool
	// ahead is how many nodes come first.
	ahead int
	// after is when to look again; 0 is when something happens.
	after time.Duration
}

// begun says that the action has begun on this node.
func (o *observed) begun() bool {
	s := &o.m.Status
	same := o.node == nil || s.NodeUID == string(o.node.UID) || o.m.Spec.Action == v1alpha1.MaintenanceGone
	if s.StartedAt == nil || !same {
		return false
	}
	if drains(o.m) {
		return s.State == v1alpha1.MaintenanceDraining || s.State == v1alpha1.MaintenanceDrained || givenUp(o.m)
	}
	return s.State == v1alpha1.MaintenanceDeactivated
}

// drains says that a NodeMaintenance empties its node.
func drains(m *v1alpha1.NodeMaintenance) bool {
	return m.Spec.Action != v1alpha1.MaintenanceDeactivate
}

// givenUp says that the node was given up: what is left is to keep it out.
func givenUp(m *v1alpha1.NodeMaintenance) bool {
	return m.Status.State == v1alpha1.MaintenanceGoneState
}

// window says where in its window a NodeMaintenance is.
func window(m *v1alpha1.NodeMaintenance, now time.Time) (before, over bool, next time.Duration) {
	w := m.Spec.Window
	if w == nil {
		return false, false, 0
	}
	if d := w.Start.Sub(now); d > 0 {
		return true, false, d
	}
	if w.DurationSeconds == nil {
		return false, false, 0
	}
	d := w.Start.Add(time.Duration(*w.DurationSeconds) * time.Second).Sub(now)
	return false, d <= 0, max(d, 0)
}

// next decides what to do now; nil is that there is no such node.
func (o *observed) next() *step {
	switch {
	case givenUp(o.m):
		return &step{state: v1alpha1.MaintenanceGoneState, keepOut: o.registered}
	case o.node == nil && o.m.Spec.Action == v1alpha1.MaintenanceGone && o.begun():
		// Somebody removed it, perhaps we did, and could not say so any more.
		return &step{state: v1alpha1.MaintenanceGoneState, giveUp: true}
	case o.node == nil:
		return nil
	}
	before, over, after := window(o.m, o.now)
	var s *step
	switch {
	case before:
		s = &step{state: v1alpha1.MaintenanceScheduled, marks: &marks{state: v1alpha1.MaintenanceScheduled, unschedulable: o.release()}}
	case over:
		s = &step{state: v1alpha1.MaintenanceOver, marks: &marks{unschedulable: o.release()}}
	case !drains(o.m):
		s = &step{state: v1alpha1.MaintenanceDeactivated}
		s.enter = o.enter(s)
		s.marks = &marks{state: s.state, unschedulable: ptr.To(true)}
	case !o.begun() && o.ahead > 0:
		s = &step{state: v1alpha1.MaintenanceWaiting, marks: &marks{state: v1alpha1.MaintenanceWaiting}, ahead: o.ahead, after: lookAgain}
	default:
		s = o.drain()
	}
	s.sooner(after)
	return s
}

func (s *step) sooner(after time.Duration) {
	if after > 0 && (s.after == 0 || after < s.after) {
		s.after = after
	}
}

// release is what becomes of a node that is used again: one that somebody else
// had made unschedulable stays so.
func (o *observed) release() *bool {
	if o.m.Status.Cordoned {
		return ptr.To(false)
	}
	return nil
}

// enter says that the action begins with this pass, or that the node is to be made
// unschedulable, which somebody else had done before: what must be undone in the
// end is written down first, so that a manager that dies meanwhile leaves no node
// behind that nobody would put to use again.
func (o *observed) enter(s *step) bool {
	again := s.state == v1alpha1.MaintenanceDraining && o.m.Status.State == v1alpha1.MaintenanceDrained
	return !o.begun() || again || !o.node.Spec.Unschedulable && !o.m.Status.Cordoned
}

// drain empties the node.
func (o *observed) drain() *step {
	s := &step{state: v1alpha1.MaintenanceDraining, grace: o.settings, blocked: map[string]string{}}
	gone := o.m.Spec.Action == v1alpha1.MaintenanceGone
	down := gone && o.unreachable
	if o.begun() {
		left := o.m.Status.StartedAt.Add(o.settings.timeout).Sub(o.now)
		s.late = left <= 0
		s.sooner(left)
	}
	// What DaemonSets have attached stays attached.
	if len(o.pods) == 0 && (o.volumes == 0 || s.late || down) && o.begun() {
		s.state = v1alpha1.MaintenanceDrained
	}
	if s.enter = o.enter(s); s.enter {
		return s
	}
	s.marks = &marks{state: s.state, outOfService: down, unschedulable: ptr.To(true)}
	switch {
	case s.state == v1alpha1.MaintenanceDrained:
		s.giveUp = gone
		if gone {
			s.state, s.marks.state = v1alpha1.MaintenanceGoneState, v1alpha1.MaintenanceDraining
		}
		return s
	case s.marks.on(o.node) != nil:
		// No pod is stopped before its successor is kept from coming here.
		return s
	}
	o.stop(s, o.settings.delete || down || s.late && o.settings.force)
	return s
}

// stop chooses the pods to stop now: those whose successors come first, then the
// others, in the end those that will have to wait for the node.
func (o *observed) stop(s *step, all bool) {
	last := slices.ContainsFunc(o.pods, func(p pod) bool { return !p.resident && p.holds == "" })
	for i := range o.pods {
		p := &o.pods[i]
		if p.DeletionTimestamp != nil {
			s.blocked[p.key()] = o.ending(p.Pod)
			s.sooner(p.DeletionTimestamp.Sub(o.now) + time.Second)
			continue
		}
		switch {
		case p.holds != "":
			s.blocked[p.key()] = p.holds
		case all:
			s.remove = append(s.remove, p.Pod)
		case p.waits != "":
			s.blocked[p.key()] = p.waits
		case p.resident && last:
			s.blocked[p.key()] = "its volumes are on the node: it goes last"
		default:
			s.evict = append(s.evict, p.Pod)
		}
		s.sooner(retry)
	}
}

// ending says why a pod that was told to stop is still there.
func (o *observed) ending(pod *corev1.Pod) string {
	switch {
	case o.unreachable:
		return "told to stop, but its node does not answer"
	case !o.now.Before(pod.DeletionTimestamp.Time) && len(pod.Finalizers) > 0:
		return "kept by the finalizer " + strings.Join(pod.Finalizers, ", ")
	case !o.now.Before(pod.DeletionTimestamp.Time):
		return "told to stop, and its time is over"
	}
	return "has until " + pod.DeletionTimestamp.UTC().Format(time.RFC3339) + " to end"
}

// pod is a pod that has to go, with what decides when.
type pod struct {
	*corev1.Pod
	// replaced says that its App promises to start its successor first.
	replaced bool
	// resident says that its volumes are bound to the node, as a rule.
	resident bool
	// waits is why it may not be asked to go yet, holds why it may not be made to.
	waits, holds string
}

func (p *pod) key() string { return p.Namespace + "/" + p.Name }

// order sorts pods as they are to go.
func order(pods []pod) {
	rank := func(p pod) int {
		switch {
		case p.resident:
			return 2
		case p.replaced:
			return 0
		}
		return 1
	}
	slices.SortFunc(pods, func(a, b pod) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// mustGo says that a pod is not one that belongs to its node, nor over.
func mustGo(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return false
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.Kind == "DaemonSet" && strings.HasPrefix(owner.APIVersion, "apps/") {
		return false
	}
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// ahead is how many of the others in a pool, in which so many nodes may be emptied
// at once, have to be done before the turn of m comes.
func ahead(m *v1alpha1.NodeMaintenance, others []v1alpha1.NodeMaintenance, limit int, now time.Time) int {
	n := 0
	for i := range others {
		other := &others[i]
		if other.Name == m.Name || !drains(other) || other.DeletionTimestamp != nil {
			continue
		}
		before, over, _ := window(other, now)
		switch other.Status.State {
		case v1alpha1.MaintenanceDrained, v1alpha1.MaintenanceGoneState:
		case v1alpha1.MaintenanceDraining:
			n++
		default:
			if !before && !over && older(other, m) {
				n++
			}
		}
	}
	return max(n-limit+1, 0)
}

func older(a, b *v1alpha1.NodeMaintenance) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name)) < 0
}

// local says that a volume can be used on the host of a name only.
func local(volume *corev1.PersistentVolume, host string) bool {
	affinity := volume.Spec.NodeAffinity
	if affinity == nil || affinity.Required == nil || len(affinity.Required.NodeSelectorTerms) == 0 {
		return false
	}
	for _, term := range affinity.Required.NodeSelectorTerms {
		here := func(r corev1.NodeSelectorRequirement) bool {
			return (r.Key == corev1.LabelHostname || r.Key == metav1.ObjectNameField) &&
				r.Operator == corev1.NodeSelectorOpIn && len(r.Values) == 1 && r.Values[0] == host
		}
		if !slices.ContainsFunc(term.MatchExpressions, here) && !slices.ContainsFunc(term.MatchFields, here) {
			return false
		}
	}
	return true
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
