// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/workload"
)

// still is a cache of one App and its pods. What it has not fails: at rest
// nothing else is asked for, and nothing written.
type still struct {
	client.Client
	app  *v1alpha1.App
	pods []corev1.Pod
}

func (s *still) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	app, ok := into.(*v1alpha1.App)
	if !ok {
		return fmt.Errorf("get %T", into)
	}
	s.app.DeepCopyInto(app)
	return nil
}

func (s *still) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	asked := client.ListOptions{}
	asked.ApplyOptions(options)
	switch list := into.(type) {
	case *corev1.NodeList:
		return nil
	case *corev1.PodList:
		if asked.UnsafeDisableDeepCopy == nil || !*asked.UnsafeDisableDeepCopy {
			return fmt.Errorf("pods are copied")
		}
		list.Items = append(list.Items, s.pods...)
		return nil
	}
	return fmt.Errorf("list %T", into)
}

// BenchmarkPassAtRest is a pass over an App that is as asked for: what a restart
// of the manager costs for each, and each event of a pod that changes nothing.
func BenchmarkPassAtRest(b *testing.B) {
	for _, n := range []int32{1, 5000} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			s := &still{app: seen(n).app.DeepCopy()}
			s.app.Status.ServicePorts = []int32{10000}
			s.app.UID = "00000000-0000-0000-0000-000000000000"
			config, _, err := workload.Config(s.app)
			if err != nil {
				b.Fatal(err)
			}
			for slot := range n {
				s.pods = append(s.pods, pod(config, func(p *corev1.Pod) {
					p.Name = workload.PodName(s.app, config, int(slot))
					p.Labels[v1alpha1.SlotLabel] = fmt.Sprint(slot)
				}))
			}
			r := &Reconciler{Client: s, Settings: workload.DefaultSettings(), Clock: clocktesting.NewFakePassiveClock(noon)}
			r.probing = newProbing()
			// The status that a pass would write.
			first := s.app.DeepCopy()
			if _, err := r.Reconcile(b.Context(), first); err != nil {
				b.Fatal(err)
			}
			s.app.Status = first.Status
			s.app.Status.ObservedGeneration = s.app.Generation
			s.app.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable, ObservedGeneration: s.app.Generation,
			}}
			whole := reconciler.WithStatus(s, events.NewFakeRecorder(1), r)
			for b.Loop() {
				if _, err := whole.Reconcile(b.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.app)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
