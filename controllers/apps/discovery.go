// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/reconciler"
)

// discover says in a condition of the App by which of the names and addresses it
// asks for its tasks can't be found. They run all the same, as on DC/OS, where
// only a log told of it.
func (r *Reconciler) discover(ctx context.Context, app *v1alpha1.App, seen *observed) error {
	asked, words := seen.app.Spec.VIPs()
	reason := ""
	if len(words) > 0 {
		reason = v1alpha1.ReasonInvalidVIP
	}
	done := map[string]bool{}
	for _, v := range asked {
		if done[v.Key] {
			continue
		}
		done[v.Key] = true
		why, err := r.notServed(ctx, app.Namespace, v.Key)
		if err != nil {
			return err
		}
		if why != nil {
			reason = cmp.Or(reason, why.Reason)
			words = append(words, v.Field+": "+why.Message)
		}
	}
	why, shared, err := r.namesakes(ctx, seen)
	if err != nil {
		return err
	}
	if why != "" {
		reason = cmp.Or(reason, why)
		words = append(words, shared)
	}
	if reason == "" {
		meta.RemoveStatusCondition(&app.Status.Conditions, v1alpha1.ConditionDiscoveryIncomplete)
		return nil
	}
	meta.SetStatusCondition(&app.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionDiscoveryIncomplete, Status: metav1.ConditionTrue, Reason: reason,
		Message: reconciler.Shorten(strings.Join(words, "; ")), ObservedGeneration: app.Generation,
	})
	return nil
}

// notServed is the condition that tells why none of the VirtualIPs of a key in a
// namespace is served; nil if one is, or will be.
func (r *Reconciler) notServed(ctx context.Context, namespace, key string) (*metav1.Condition, error) {
	var found v1alpha1.VirtualIPList
	if err := r.Client.List(ctx, &found, client.InNamespace(namespace), index.WithVIP(key), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list VirtualIPs: %w", err)
	}
	var why *metav1.Condition
	for i := range found.Items {
		if why = refused(&found.Items[i]); why == nil {
			return nil, nil
		}
	}
	return why, nil
}

// refused is the condition of a VirtualIP that is not served until somebody
// changes something, nil if it is or will be.
func refused(v *v1alpha1.VirtualIP) *metav1.Condition {
	if c := meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionStalled); c != nil {
		return c
	}
	c := meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionReady)
	if c != nil && (c.Reason == v1alpha1.ReasonRefused || c.Reason == v1alpha1.ReasonNameConflict) {
		return c
	}
	return nil
}

// namesakes says that tasks of other Apps, or of none, are found by the DNS name
// of the App's.
func (r *Reconciler) namesakes(ctx context.Context, seen *observed) (reason, message string, err error) {
	const enough = 3
	label := v1alpha1.DNSLabel(pathid.Reversed(seen.id))
	var found v1alpha1.AppList
	if err := r.Client.List(ctx, &found, index.WithDNSLabel(label), client.UnsafeDisableDeepCopy); err != nil {
		return "", "", fmt.Errorf("list Apps by DNS name: %w", err)
	}
	var others []string
	for i := range found.Items {
		if other := &found.Items[i]; other.UID != seen.app.UID {
			id, err := r.id(other)
			if err != nil {
				continue
			}
			others = append(others, id)
		}
	}
	slices.Sort(others)
	switch n := len(others); {
	case n > enough:
		others = append(others[:enough], fmt.Sprintf("%d more", n-enough))
		fallthrough
	case n > 0:
		return v1alpha1.ReasonNameShared, fmt.Sprintf("the DNS label %s stands for the tasks of %s as well: in DNS, dots, dashes and slashes of an id are alike",
			label, strings.Join(others, ", ")), nil
	case len(pathid.Reversed(seen.id)) > len(label):
		return v1alpha1.ReasonNameTooLong, fmt.Sprintf("the DNS label of the tasks is cut to %s: a label has 63 characters", label), nil
	}
	return "", "", nil
}

// appsOfVIP are the Apps that ask for what a VirtualIP stands for.
func (r *Reconciler) appsOfVIP(ctx context.Context, obj client.Object) []reconcile.Request {
	v, is := obj.(*v1alpha1.VirtualIP)
	if !is {
		return nil
	}
	key, err := v.Spec.Key()
	if err != nil {
		return nil
	}
	return r.appRequests(ctx, "", client.InNamespace(v.Namespace), index.WithVIP(key))
}

// namedAlike are the other Apps with the DNS name of an App.
func (r *Reconciler) namedAlike(ctx context.Context, obj client.Object) []reconcile.Request {
	app, is := obj.(*v1alpha1.App)
	if !is {
		return nil
	}
	id, err := r.id(app)
	if err != nil {
		return nil
	}
	return r.appRequests(ctx, string(app.UID), index.WithDNSLabel(v1alpha1.DNSLabel(pathid.Reversed(id))))
}

// appRequests are requests for Apps, but for one.
func (r *Reconciler) appRequests(ctx context.Context, but string, which ...client.ListOption) []reconcile.Request {
	var found v1alpha1.AppList
	if err := r.Client.List(ctx, &found, append(which, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "list Apps")
		return nil
	}
	var requests []reconcile.Request
	for i := range found.Items {
		if string(found.Items[i].UID) != but {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
		}
	}
	return requests
}

// comesOrGoes lets creations and deletions pass.
func comesOrGoes() predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

// stalls lets changes pass of whether a VirtualIP is served.
func stalls() predicate.Funcs {
	why := func(obj client.Object) string {
		if v, is := obj.(*v1alpha1.VirtualIP); is {
			if c := refused(v); c != nil {
				return c.Reason + c.Message
			}
		}
		return ""
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return why(e.Object) != "" },
		DeleteFunc: func(e event.DeleteEvent) bool { return why(e.Object) != "" },
		UpdateFunc: func(e event.UpdateEvent) bool { return why(e.ObjectOld) != why(e.ObjectNew) },
	}
}
