// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodemaintenances

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/podcache"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// maxRemaining bounds the pods that a status lists.
const maxRemaining = 50

// begin writes down that the action begins, before anything is done.
func (o *observed) begin(s *step) {
	status := &o.m.Status
	if o.begun() && status.State == s.state {
		// Somebody uncordoned the node, which somebody had cordoned before us.
		status.Cordoned = true
		return
	}
	known := status.NodeUID == string(o.node.UID)
	status.Cordoned = !o.node.Spec.Unschedulable || known && status.Cordoned
	status.NodeUID, status.SystemUUID = string(o.node.UID), o.machine
	started := metav1.NewTime(o.now.Truncate(time.Second))
	status.StartedAt, status.CompletedAt = &started, nil
	status.PodsTotal = count(len(o.pods))
}

// report folds a step into the status and returns its state.
func (o *observed) report(s *step) error {
	status := &o.m.Status
	if s.enter {
		o.begin(s)
	}
	if s.state == v1alpha1.MaintenanceScheduled || s.state == v1alpha1.MaintenanceOver {
		status.Cordoned = false
	}
	status.State = s.state
	status.Remaining, status.PodsRemaining, status.VolumesAttached = nil, 0, 0
	if s.state == v1alpha1.MaintenanceDraining {
		o.progress(s)
	}
	done := s.state == v1alpha1.MaintenanceDeactivated || s.state == v1alpha1.MaintenanceDrained || s.state == v1alpha1.MaintenanceGoneState
	if done && !s.enter && status.CompletedAt == nil {
		completed := metav1.NewTime(o.now.Truncate(time.Second))
		status.CompletedAt = &completed
	}
	return o.verdict(s)
}

// progress tells which pods are left, and why.
func (o *observed) progress(s *step) {
	status := &o.m.Status
	status.PodsRemaining = count(len(o.pods))
	status.PodsTotal = max(status.PodsTotal, status.PodsRemaining)
	status.VolumesAttached = count(o.volumes)
	for i := range o.pods[:min(len(o.pods), maxRemaining)] {
		p := &o.pods[i]
		status.Remaining = append(status.Remaining, v1alpha1.RemainingPod{
			Namespace: p.Namespace, Name: p.Name, BlockedBy: reconciler.Shorten(s.blocked[p.key()]),
		})
	}
}

// verdict says in conditions how far it is.
func (o *observed) verdict(s *step) error {
	w := o.m.Spec.Window
	switch s.state {
	case v1alpha1.MaintenanceScheduled:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonScheduled, Message: "begins at " + w.Start.UTC().Format(time.RFC3339)}
	case v1alpha1.MaintenanceWaiting:
		return &reconciler.NotReady{
			Reason: v1alpha1.ReasonWaiting, Message: fmt.Sprintf("waits for %s of the pool, which maxUnavailable lets come first", plural(s.ahead, "other node")),
		}
	case v1alpha1.MaintenanceOver:
		return &reconciler.Ready{Reason: v1alpha1.ReasonWindowOver, Message: "the window is over, and the node is used again"}
	case v1alpha1.MaintenanceDraining:
		return o.draining(s)
	case v1alpha1.MaintenanceDrained:
		return &reconciler.Ready{Reason: v1alpha1.ReasonDrained, Message: "nothing runs on the node but what belongs to it" + o.until()}
	case v1alpha1.MaintenanceGoneState:
		return &reconciler.Ready{Reason: v1alpha1.ReasonGone, Message: o.kept(s)}
	case v1alpha1.MaintenanceDeactivated:
	}
	if s.enter {
		return &reconciler.NotReady{Reason: v1alpha1.ReasonDeactivated, Message: "the node is about to take no new work"}
	}
	return &reconciler.Ready{Reason: v1alpha1.ReasonDeactivated, Message: "the node takes no new work" + o.until()}
}

// draining says what a drain waits for.
func (o *observed) draining(s *step) error {
	n := &reconciler.NotReady{Reason: v1alpha1.ReasonDraining, Message: fmt.Sprintf("%d of %s left", o.m.Status.PodsRemaining, plural(int(o.m.Status.PodsTotal), "pod"))}
	held := 0
	for i := range o.pods {
		if o.pods[i].DeletionTimestamp == nil && s.blocked[o.pods[i].key()] != "" {
			held++
		}
	}
	if held > 0 {
		n.Message += fmt.Sprintf(", %d of them held back: status.remaining says by what", held)
	}
	if len(o.pods) == 0 && o.volumes > 0 {
		n.Message += ", but " + plural(o.volumes, "volume") + " still attached"
	}
	if s.late {
		n.Reason = v1alpha1.ReasonDrainTimeout
		n.Message += fmt.Sprintf("; it takes longer than %s", o.settings.timeout)
		if o.settings.force && !s.enter {
			n.Message += ", so budgets do not count any more"
		}
	}
	return n
}

// until says when the node is used again, if that is known.
func (o *observed) until() string {
	if w := o.m.Spec.Window; w != nil && w.DurationSeconds != nil {
		return ", until " + w.Start.Add(time.Duration(*w.DurationSeconds)*time.Second).UTC().Format(time.RFC3339)
	}
	return ""
}

// kept says whether a node that was given up is there again.
func (o *observed) kept(s *step) string {
	if len(s.keepOut) == 0 {
		return "the node was given up, with what Apps had stored there"
	}
	names := make([]string, 0, len(s.keepOut))
	for _, n := range s.keepOut {
		names = append(names, n.Name)
	}
	return "the node was given up, registered again as " + strings.Join(names, ", ") + " and is kept out; delete this NodeMaintenance to use it again"
}

// asItWas is the state that was reported last, for a pass that could not look.
func asItWas(m *v1alpha1.NodeMaintenance) error {
	was := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case was == nil || was.Status == metav1.ConditionUnknown:
		return &reconciler.NotReady{Reason: v1alpha1.ReasonPending, Message: "the pods of the node are being counted", After: podcache.RetryAfter}
	case was.Status == metav1.ConditionTrue:
		return &reconciler.Ready{Reason: was.Reason, Message: was.Message}
	}
	return &reconciler.NotReady{Reason: was.Reason, Message: was.Message, After: podcache.RetryAfter}
}

func count(n int) int32 {
	return int32(n) //nolint:gosec // pods of a node are not that many
}
