// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package virtualips

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/index"
	"github.com/kdcos/kdcos/internal/reconciler"
	"github.com/kdcos/kdcos/internal/vip"
)

// observed is what one pass sees.
type observed struct {
	virtualIP *v1alpha1.VirtualIP
	// key of its name or address.
	key string
	// all are the VirtualIPs of the key, of all namespaces, everyone the Apps that
	// ask for it, and apps those of its own. They belong to the cache.
	all            []v1alpha1.VirtualIP
	everyone, apps []v1alpha1.App
	// ports that it is to have.
	ports []vip.Port
	// service is nil while there is none. It and slices belong to the cache.
	service *corev1.Service
	slices  []discoveryv1.EndpointSlice
	// appOf is the App of each of their pods.
	appOf map[string]string
}

// observe reads what a pass needs, from the cache.
func (r *Reconciler) observe(ctx context.Context, v *v1alpha1.VirtualIP) (*observed, error) {
	key, err := v.Spec.Key()
	if err != nil {
		return nil, &reconciler.Terminal{Reason: v1alpha1.ReasonInvalid, Message: err.Error()}
	}
	seen := &observed{virtualIP: v, key: key, appOf: map[string]string{}}
	var all v1alpha1.VirtualIPList
	if err := r.Client.List(ctx, &all, index.WithVIP(key), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list VirtualIPs: %w", err)
	}
	seen.all = all.Items
	var apps v1alpha1.AppList
	where := []client.ListOption{index.WithVIP(key), client.UnsafeDisableDeepCopy}
	if v.Spec.IP == "" {
		where = append(where, client.InNamespace(v.Namespace))
	}
	if err := r.Client.List(ctx, &apps, where...); err != nil {
		return nil, fmt.Errorf("list Apps: %w", err)
	}
	seen.everyone = apps.Items
	for i := range apps.Items {
		if apps.Items[i].Namespace == v.Namespace {
			seen.apps = append(seen.apps, apps.Items[i])
		}
	}
	seen.ports = vip.Ports(v, key, seen.apps)
	return seen, r.observeService(ctx, seen)
}

// observeService reads the Service and what is behind it.
func (r *Reconciler) observeService(ctx context.Context, seen *observed) error {
	v := seen.virtualIP
	service := &corev1.Service{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: vip.ServiceName(v.Name)}, service)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get service: %w", err)
	}
	if err != nil || !metav1.IsControlledBy(service, v) || service.DeletionTimestamp != nil {
		return nil
	}
	seen.service = service
	var slices discoveryv1.EndpointSliceList
	if err := r.Client.List(ctx, &slices, client.InNamespace(v.Namespace),
		index.WithVirtualIPLabel(v1alpha1.VirtualIPLabelValue(v.Name)), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list slices of endpoints: %w", err)
	}
	seen.slices = slices.Items
	if len(seen.slices) == 0 {
		return nil
	}
	for i := range seen.apps {
		var pods corev1.PodList
		if err := r.Client.List(ctx, &pods, client.InNamespace(v.Namespace), index.ControlledBy(&seen.apps[i]), client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		for j := range pods.Items {
			seen.appOf[pods.Items[j].Name] = seen.apps[i].Name
		}
	}
	return nil
}

// refuse says why a VirtualIP can't have its address, nil if it can.
func (r *Reconciler) refuse(ctx context.Context, seen *observed) (*reconciler.Terminal, error) {
	v := seen.virtualIP
	if len(seen.ports) > vip.MaxPorts {
		return &reconciler.Terminal{Reason: v1alpha1.ReasonInvalid, Message: fmt.Sprintf(
			"the Apps of the namespace ask for %d ports of the address: it can have %d", len(seen.ports), vip.MaxPorts)}, nil
	}
	var used []vip.Range
	if v.Spec.IP != "" {
		var err error
		if used, err = r.used(ctx); err != nil {
			return nil, err
		}
		refused, err := r.checkAddress(ctx, v, seen.key, used)
		if refused != nil || err != nil {
			return refused, err
		}
	}
	var claims []vip.Claim
	for i := range seen.all {
		other := &seen.all[i]
		if v.Spec.IP != "" && other.UID != v.UID {
			refused, err := r.checkAddress(ctx, other, seen.key, used)
			if err != nil {
				return nil, err
			}
			if refused != nil {
				continue
			}
		}
		claims = append(claims, vip.Claim{VirtualIP: other, Ports: vip.Ports(other, seen.key, seen.everyone)})
	}
	if holder := vip.Holder(claims, v); holder != nil {
		return &reconciler.Terminal{Reason: v1alpha1.ReasonVIPConflict, Message: fmt.Sprintf(
			"%s is held by the VirtualIP %s/%s, which is older: it is served again once that is gone", describe(v, seen.key), holder.Namespace, holder.Name)}, nil
	}
	if v.Spec.IP == "" || seen.service != nil {
		return nil, nil
	}
	return r.taken(ctx, seen)
}

func describe(v *v1alpha1.VirtualIP, key string) string {
	if v.Spec.IP != "" {
		return "the address " + key
	}
	return "the name " + key + "." + v1alpha1.VIPZone
}

// checkAddress says why a namespace may not use an address, nil if it may.
func (r *Reconciler) checkAddress(ctx context.Context, v *v1alpha1.VirtualIP, address string, used []vip.Range) (*reconciler.Terminal, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Client.Get(ctx, types.NamespacedName{Name: v.Namespace}, namespace); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get namespace: %w", err)
	}
	if err := vip.CheckAddress(v.Namespace, namespace.Annotations[v1alpha1.VirtualIPNetworksAnnotation], address, used); err != nil {
		return &reconciler.Terminal{Reason: v1alpha1.ReasonAddressNotAllowed, Message: err.Error()}, nil
	}
	return nil, nil
}

// used are the networks of nodes, pods and Services.
func (r *Reconciler) used(ctx context.Context) ([]vip.Range, error) {
	var all []vip.Range
	add := func(of string, networks ...string) {
		for _, n := range networks {
			if p, err := netip.ParsePrefix(n); err == nil {
				all = append(all, vip.Range{Prefix: p, Of: of})
			} else if ip, err := netip.ParseAddr(n); err == nil {
				all = append(all, vip.Range{Prefix: netip.PrefixFrom(ip, ip.BitLen()), Of: of})
			}
		}
	}
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		add("pods", nodes.Items[i].Spec.PodCIDRs...)
		for _, a := range nodes.Items[i].Status.Addresses {
			add("a node", a.Address)
		}
	}
	var services networkingv1.ServiceCIDRList
	if err := r.Client.List(ctx, &services, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list networks of Services: %w", err)
	}
	for i := range services.Items {
		add("Services", services.Items[i].Spec.CIDRs...)
	}
	return all, nil
}

// taken says which other Service has the address. It asks once, before the
// address is served: who comes later has to look.
func (r *Reconciler) taken(ctx context.Context, seen *observed) (*reconciler.Terminal, error) {
	var services corev1.ServiceList
	if err := r.Live.List(ctx, &services); err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	for i := range services.Items {
		s := &services.Items[i]
		if _, ours := s.Labels[v1alpha1.VirtualIPLabel]; !ours && vip.HasAddress(s, seen.key) {
			return &reconciler.Terminal{Reason: v1alpha1.ReasonAddressNotAllowed, Message: fmt.Sprintf(
				"%s can't be a virtual IP: it is an address of a Service of the namespace %s", seen.key, s.Namespace)}, nil
		}
	}
	return nil, nil
}
