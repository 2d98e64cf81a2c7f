// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// +kubebuilder:rbac:groups=kdcos.io,resources=quotas,verbs=get;list;watch

// appsTold wakes the Apps of pods of which a quota says something new.
func appsTold() handler.EventHandler {
	wake := func(before, after *v1alpha1.Quota, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		namespace, _ := v1alpha1.ScopeOfQuota(after.Name)
		for _, w := range workload.Told(before, after) {
			if name, is := strings.CutPrefix(w.Owner, "App/"); is {
				queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
			}
		}
	}
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			before, was := e.ObjectOld.(*v1alpha1.Quota)
			after, is := e.ObjectNew.(*v1alpha1.Quota)
			if was && is {
				wake(before, after, queue)
			}
		},
	}
}
