// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package quotas

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
)

const (
	// maxWaiting is how many pods in line a status names.
	maxWaiting = 100
	// maxNamed is how many pods a condition names.
	maxNamed = 3
)

// figuresOf are those of a status.
func figuresOf(l *line) v1alpha1.QuotaStatus {
	s := v1alpha1.QuotaStatus{
		Consumed: l.consumed.outside(), Wanted: l.wanted.outside(),
		Pods: int32(l.pods), WaitingPods: int32(len(l.waiting)), BypassedPods: int32(len(l.bypassed)), //nolint:gosec // of a namespace
	}
	for _, w := range l.waiting[:min(len(l.waiting), maxWaiting)] {
		s.Waiting = append(s.Waiting, v1alpha1.QuotaWaiting{
			Pod: w.pod.name, Owner: w.pod.ownerName, Position: int32(w.position), Since: metav1.NewTime(w.pod.since), //nolint:gosec // of a namespace
			Need: w.pod.need.outside(), BlockedBy: w.blockedBy, Resource: w.resource, Reason: w.reason,
		})
	}
	return s
}

// setStatus folds a line into the status of its Quota, and returns its state.
func setStatus(q *v1alpha1.Quota, l *line) error {
	conditions, observed := q.Status.Conditions, q.Status.ObservedGeneration
	q.Status = figuresOf(l)
	q.Status.Conditions, q.Status.ObservedGeneration = conditions, observed
	set := func(kind, reason, message string) {
		if message == "" {
			meta.RemoveStatusCondition(&q.Status.Conditions, kind)
			return
		}
		meta.SetStatusCondition(&q.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: reconciler.Shorten(message), ObservedGeneration: q.Generation,
		})
	}
	set(v1alpha1.ConditionQuotaExceeded, v1alpha1.ReasonOverLimit, exceeded(l))
	set(v1alpha1.ConditionQuotaUnsatisfiable, v1alpha1.ReasonMoreThanLimit, unsatisfiable(l))
	set(v1alpha1.ConditionQuotaBypassed, v1alpha1.ReasonNotGated, bypassed(l))
	return &reconciler.Ready{Reason: v1alpha1.ReasonEnforced, Message: summary(l)}
}

// counting is the state of a Quota while not all pods are known: what was said of
// it holds.
func counting(q *v1alpha1.Quota) error {
	if c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == q.Generation {
		return &reconciler.Ready{Reason: c.Reason, Message: c.Message}
	}
	return &reconciler.NotReady{Reason: v1alpha1.ReasonCounting, Message: "pods are being counted, and nothing is let in before all are"}
}

// releasing is the state of a Quota that was deleted while pods wait for it.
func releasing(n int, after time.Duration) error {
	return &reconciler.NotReady{
		Reason: v1alpha1.ReasonReleasing, Message: fmt.Sprintf("the quota was deleted, and what waited for it is let in: %d pods", n), After: after,
	}
}

// keptBy is the number of pods that wait for nothing but a Quota that is deleted.
func keptBy(q *v1alpha1.Quota, s *state, p *plan) int {
	gone, n := read(q), 0
	for _, pod := range s.pods {
		if pod.gated && !pod.ended && !pod.terminating && gone.covers(&pod.member) && len(p.above(&pod.member)) == 0 {
			n++
		}
	}
	return n
}

// summary says how much is used and what waits.
func summary(l *line) string {
	var parts []string
	if of := l.consumed.ofLimit(l.quota.limits); of != "" {
		parts = append(parts, of)
	}
	parts = append(parts, fmt.Sprintf("%d pods", l.pods))
	if n := len(l.waiting); n > 0 {
		waiting := fmt.Sprintf("%d wait", n)
		if wanted := l.wanted.String(); wanted != "" {
			waiting += " for " + wanted
		}
		parts = append(parts, waiting)
	}
	return strings.Join(parts, "; ")
}

func exceeded(l *line) string {
	over := l.quota.limits.over(l.consumed)
	if len(over) == 0 {
		return ""
	}
	return fmt.Sprintf("more is used than the limit: %s. Nothing is stopped; what needs %s waits until there is less",
		l.consumed.ofLimit(l.quota.limits), strings.Join(over, ", "))
}

func unsatisfiable(l *line) string {
	var named []string
	n := 0
	for _, w := range l.waiting {
		if w.reason != v1alpha1.QuotaUnsatisfiable {
			continue
		}
		if n++; n <= maxNamed {
			named = append(named, fmt.Sprintf("%s needs %s (%s of quota %s)", w.pod.title(), w.pod.need, w.resource, w.blockedBy))
		}
	}
	return andMore("can't start, for they alone need more than the limit: ", named, n)
}

func bypassed(l *line) string {
	var named []string
	for _, p := range l.bypassed[:min(len(l.bypassed), maxNamed)] {
		named = append(named, p.title())
	}
	return andMore("run without having waited, and count: ", named, len(l.bypassed))
}

func andMore(prefix string, named []string, n int) string {
	if n == 0 {
		return ""
	}
	message := prefix + strings.Join(named, "; ")
	if n > len(named) {
		message += fmt.Sprintf("; and %d more", n-len(named))
	}
	return message
}

func (p *pod) title() string {
	if p.ownerName == "" {
		return p.name
	}
	return p.name + " of " + p.ownerName
}
