// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestJudge says when there is nothing to wait for any more.
func TestJudge(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable, "")
	for _, test := range []struct {
		name   string
		status v1alpha1.AppStatus
		goal   goal
		want   outcome
		text   string
	}{
		{name: "ready", status: v1alpha1.AppStatus{ObservedGeneration: 2, Conditions: []metav1.Condition{ready}}, goal: goal{generation: 2}, want: reached},
		{name: "ready for a later change", status: v1alpha1.AppStatus{ObservedGeneration: 3, Conditions: []metav1.Condition{ready}}, goal: goal{generation: 2}, want: reached},
		{
			name: "ready for an earlier change", status: v1alpha1.AppStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{ready}}, goal: goal{generation: 2},
			want: underWay, text: "the kdcos manager has not seen the change yet",
		},
		{name: "never seen", goal: goal{}, want: underWay, text: "the kdcos manager has not seen it yet"},
		{
			name: "ready all through a rollout", status: v1alpha1.AppStatus{Conditions: []metav1.Condition{
				ready,
				condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonUpgrading, "1 of 3 new"),
			}},
			want: underWay, text: "Upgrading: 1 of 3 new",
		},
		{
			name: "stalled", status: v1alpha1.AppStatus{Conditions: []metav1.Condition{
				ready,
				condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnsupported, "spec.fetch: no"),
			}},
			want: stuck, text: "Unsupported: spec.fetch: no",
		},
		{
			name: "stalled before the change", status: v1alpha1.AppStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnsupported, "spec.fetch: no"),
			}}, goal: goal{generation: 2},
			want: underWay, text: "the kdcos manager has not seen the change yet",
		},
		{
			name: "not ready", status: v1alpha1.AppStatus{Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDegraded, ""),
			}},
			want: underWay, text: "Degraded",
		},
		{
			name: "restart not seen", status: v1alpha1.AppStatus{ConfigHash: "a", Conditions: []metav1.Condition{ready}}, goal: goal{restart: true, oldConfig: "a"},
			want: underWay, text: "the kdcos manager has not seen the change yet",
		},
		{name: "restart done", status: v1alpha1.AppStatus{ConfigHash: "b", Conditions: []metav1.Condition{ready}}, goal: goal{restart: true, oldConfig: "a"}, want: reached},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, text := test.goal.judge(&v1alpha1.App{Status: test.status})
			if got != test.want || text != test.text {
				t.Errorf("got %v %q, want %v %q", got, text, test.want, test.text)
			}
		})
	}
}
