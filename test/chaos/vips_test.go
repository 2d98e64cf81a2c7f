// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// disallow takes the annotation away that allows addresses.
func (r *run) disallow(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: null}}}`, v1alpha1.VirtualIPNetworksAnnotation)
	return r.world.admin.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// unserved says what is missing until there is a VirtualIP with an address and a
// Service for each that Apps ask for, for all of these, and no other.
func (r *run) unserved(ctx context.Context) (string, error) {
	var apps v1alpha1.AppList
	var vips v1alpha1.VirtualIPList
	var services corev1.ServiceList
	for _, list := range []client.ObjectList{&apps, &vips, &services} {
		if err := r.world.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return "", err
		}
	}
	asked, ports := map[string][]string{}, map[string]map[string]bool{}
	for i := range apps.Items {
		all, _ := apps.Items[i].Spec.VIPs()
		for _, v := range all {
			if ports[v.Key] == nil {
				ports[v.Key] = map[string]bool{}
			}
			ports[v.Key][v.PortName()] = true
			if !slices.Contains(asked[v.Key], apps.Items[i].Name) {
				asked[v.Key] = append(asked[v.Key], apps.Items[i].Name)
			}
		}
	}
	if len(vips.Items) != len(asked) || len(services.Items) != len(asked) {
		return fmt.Sprintf("there are %d VirtualIPs and %d Services, asked for are %d", len(vips.Items), len(services.Items), len(asked)), nil
	}
	for i := range vips.Items {
		v := &vips.Items[i]
		key, err := v.Spec.Key()
		if err != nil {
			return "", err
		}
		slices.Sort(asked[key])
		if len(v.Status.Addresses) == 0 || !slices.Equal(v.Status.Apps, asked[key]) || len(v.Status.Ports) != len(ports[key]) || len(v.OwnerReferences) != len(asked[key]) {
			return v.Name + " is not served for all: " + fmt.Sprint(v.OwnerReferences, v.Status), nil
		}
	}
	return "", nil
}

// collectVIPs deletes VirtualIPs of Apps that are gone, and Services of
// VirtualIPs that are, as the garbage collector does, and says how much that was.
func (r *run) collectVIPs(ctx context.Context, dead map[types.UID]bool) (int, error) {
	var vips v1alpha1.VirtualIPList
	if err := r.world.admin.List(ctx, &vips, client.InNamespace(r.namespace)); err != nil {
		return 0, err
	}
	var orphans []client.Object
	there := map[types.UID]bool{}
	for i := range vips.Items {
		v := &vips.Items[i]
		there[v.UID] = true
		if len(v.OwnerReferences) > 0 && !slices.ContainsFunc(v.OwnerReferences, func(o metav1.OwnerReference) bool { return !dead[o.UID] }) {
			orphans = append(orphans, v)
		}
	}
	var services corev1.ServiceList
	if err := r.world.admin.List(ctx, &services, client.InNamespace(r.namespace)); err != nil {
		return 0, err
	}
	for i := range services.Items {
		if owner := metav1.GetControllerOf(&services.Items[i]); owner != nil && owner.Kind == "VirtualIP" && !there[owner.UID] {
			orphans = append(orphans, &services.Items[i])
		}
	}
	for _, o := range orphans {
		if err := r.world.admin.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			return 0, err
		}
	}
	return len(orphans), nil
}
