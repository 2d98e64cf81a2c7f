// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// maintenanceOf is what a cluster has for a node.
func maintenanceOf(t *testing.T, name string, action v1alpha1.MaintenanceAction, state v1alpha1.MaintenanceState) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.NodeMaintenance{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.NodeMaintenanceSpec{Action: action}, Status: v1alpha1.NodeMaintenanceStatus{State: state},
	})
	must(t, err)
	raw := &unstructured.Unstructured{Object: content}
	raw.SetGroupVersionKind(maintenanceKind)
	return raw
}

// TestDrain says what the commands ask for, and what they refuse.
func TestDrain(t *testing.T) {
	text := ""
	for _, command := range []string{
		"drain new",
		"drain node/new --max-grace-period 90s --force-after 30m --reason broken-fan",
		"drain new --force",
		"drain new --decommission --dry-run=server",
		"drain new --dry-run=client",
		"decommission new",
		"deactivate new",
		"drain deactivated",
		"drain draining --decommission",
		"drain draining --max-grace-period 1500ms",
		"deactivate draining",
		"drain gone",
		"decommission gone",
		"drain unknown new",
		"drain New_Node",
		"drain",
		"drain new --force --force-after 1m",
		"drain new --max-grace-period -1s",
		"reactivate deactivated drained",
		"reactivate draining",
		"reactivate draining --force",
		"reactivate gone",
		"reactivate gone --force",
		"reactivate new",
		"reactivate drained --dry-run=client",
		"reactivate",
	} {
		objects := []client.Object{
			maintenanceOf(t, "deactivated", v1alpha1.MaintenanceDeactivate, v1alpha1.MaintenanceDeactivated),
			maintenanceOf(t, "draining", v1alpha1.MaintenanceDrain, v1alpha1.MaintenanceDraining),
			maintenanceOf(t, "drained", v1alpha1.MaintenanceDrain, v1alpha1.MaintenanceDrained),
			maintenanceOf(t, "gone", v1alpha1.MaintenanceGone, v1alpha1.MaintenanceGoneState),
		}
		for _, name := range []string{"new", "deactivated", "draining", "drained"} {
			objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		s := newSession(t, objects...)
		text += s.transcript(strings.Fields(command)...) + s.maintained() + "\n"
	}
	golden(t, "drain.txt", text)
}

// maintained are the NodeMaintenances there are, with their specs.
func (s *session) maintained() string {
	s.t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("NodeMaintenanceList"))
	must(s.t, s.client.List(s.t.Context(), list))
	text := ""
	for i := range list.Items {
		raw, err := yaml.Marshal(list.Items[i].Object["spec"])
		must(s.t, err)
		text += fmt.Sprintf("there: %s {%s}\n", list.Items[i].GetName(), strings.ReplaceAll(strings.TrimSpace(string(raw)), "\n", ", "))
	}
	return text
}

// TestDrainWaits tells what is left, and ends when nothing is.
func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
			return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
		}
		left := func(n int, why string) v1alpha1.NodeMaintenanceStatus {
			s := v1alpha1.NodeMaintenanceStatus{State: v1alpha1.MaintenanceDraining, Conditions: []metav1.Condition{
				condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDraining, fmt.Sprintf("%d of 12 pods left", n)),
				condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDraining, fmt.Sprintf("%d of 12 pods left", n)),
			}}
			for i := range n {
				s.Remaining = append(s.Remaining, v1alpha1.RemainingPod{Namespace: "prod", Name: fmt.Sprintf("web-%d", i), BlockedBy: why})
			}
			return s
		}
		stages := []v1alpha1.NodeMaintenanceStatus{
			left(12, "the budget web needs 3"), left(2, "has until noon to end"), left(2, "has until noon to end"), left(1, ""),
			{State: v1alpha1.MaintenanceDrained, Conditions: []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonDrained, "")}},
		}
		asked := -1
		s := newSessionWith(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			if err := c.Get(ctx, key, obj, options...); err != nil {
				return err
			}
			if raw, is := obj.(*unstructured.Unstructured); is && raw.GetKind() == maintenanceKind.Kind {
				asked = min(asked+1, len(stages)-1)
				status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&stages[asked])
				must(t, err)
				raw.Object["status"] = status
			}
			return nil
		}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
		text := s.transcript("drain", "n1", "--wait") + "\n"
		asked = -1
		text += s.transcript("drain", "n1", "--wait", "--timeout", (1500 * time.Millisecond).String())
		golden(t, "drain-wait.txt", text)
	})
}
