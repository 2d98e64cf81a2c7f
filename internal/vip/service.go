// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package vip

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// loadBalancerClass keeps the load balancers of clouds away from the Services of
// VIPs with an address of their own.
const loadBalancerClass = "kdcos.io/vip"

// affinitySeconds is how long Kubernetes remembers a client.
const affinitySeconds = 10800

// ServiceName is the name of the Service of a VirtualIP.
func ServiceName(name string) string {
	const most = 40
	slug := strings.ReplaceAll(name, ".", "-")
	return "vip-" + strings.TrimRight(slug[:min(len(slug), most)], "-") + "-" + digest(name)
}

// Service is the Service that carries the address of a VirtualIP. Kubernetes
// finds the pods behind it, also while there is no manager.
func Service(v *v1alpha1.VirtualIP, key string, ports []Port) *corev1ac.ServiceApplyConfiguration {
	spec := corev1ac.ServiceSpec().
		WithSelector(selector(v, key)).
		WithSessionAffinity(corev1.ServiceAffinityNone)
	for _, p := range ports {
		spec.WithPorts(corev1ac.ServicePort().WithName(p.Name()).WithPort(p.Port).WithProtocol(protocol(p)).WithTargetPort(p.Target))
	}
	if seconds := affinity(&v.Spec); seconds != nil {
		spec.WithSessionAffinity(corev1.ServiceAffinityClientIP).
			WithSessionAffinityConfig(corev1ac.SessionAffinityConfig().WithClientIP(corev1ac.ClientIPConfig().WithTimeoutSeconds(*seconds)))
	}
	if ip, err := netip.ParseAddr(key); v.Spec.IP != "" && err == nil {
		family := corev1.IPv4Protocol
		if ip.Is6() {
			family = corev1.IPv6Protocol
		}
		spec.WithType(corev1.ServiceTypeLoadBalancer).
			WithLoadBalancerClass(loadBalancerClass).
			WithAllocateLoadBalancerNodePorts(false).
			WithIPFamilyPolicy(corev1.IPFamilyPolicySingleStack).WithIPFamilies(family)
	} else {
		spec.WithType(corev1.ServiceTypeClusterIP).WithIPFamilyPolicy(corev1.IPFamilyPolicyPreferDualStack)
	}
	return corev1ac.Service(ServiceName(v.Name), v.Namespace).
		WithLabels(serviceLabels(v)).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("VirtualIP").WithName(v.Name).WithUID(v.UID).WithController(true)).
		WithSpec(spec)
}

// Changed is what has to become of the Service there is, nil if it is as it is
// to be.
func Changed(service *corev1.Service, v *v1alpha1.VirtualIP, key string, ports []Port) *corev1.Service {
	wanted := service.DeepCopy()
	for name, value := range serviceLabels(v) {
		if wanted.Labels == nil {
			wanted.Labels = map[string]string{}
		}
		wanted.Labels[name] = value
	}
	s := &wanted.Spec
	s.Selector = selector(v, key)
	s.Ports = nil
	for _, p := range ports {
		s.Ports = append(s.Ports, corev1.ServicePort{Name: p.Name(), Port: p.Port, Protocol: protocol(p), TargetPort: p.Target})
	}
	s.SessionAffinity, s.SessionAffinityConfig = corev1.ServiceAffinityNone, nil
	if seconds := affinity(&v.Spec); seconds != nil {
		s.SessionAffinity = corev1.ServiceAffinityClientIP
		s.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: seconds}}
	}
	if equality.Semantic.DeepEqual(service, wanted) {
		return nil
	}
	return wanted
}

// Published is the Service with its address in its status, where that is for us
// to write: kube-proxy takes it from there. It is nil if there is nothing to write.
func Published(service *corev1.Service, v *v1alpha1.VirtualIP, key string) *corev1.Service {
	if v.Spec.IP == "" {
		return nil
	}
	wanted := service.DeepCopy()
	wanted.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: key, IPMode: ptr.To(corev1.LoadBalancerIPModeVIP)}}
	if equality.Semantic.DeepEqual(service.Status, wanted.Status) {
		return nil
	}
	return wanted
}

// Addresses are those that a Service serves a VirtualIP at.
func Addresses(service *corev1.Service, v *v1alpha1.VirtualIP) []string {
	var all []string
	if v.Spec.IP != "" {
		for _, i := range service.Status.LoadBalancer.Ingress {
			all = append(all, i.IP)
		}
		return all
	}
	for _, ip := range service.Spec.ClusterIPs {
		if ip != corev1.ClusterIPNone && ip != "" {
			all = append(all, ip)
		}
	}
	return all
}

func serviceLabels(v *v1alpha1.VirtualIP) map[string]string {
	return map[string]string{managedBy: manager, v1alpha1.VirtualIPLabel: v1alpha1.VirtualIPLabelValue(v.Name)}
}

func selector(v *v1alpha1.VirtualIP, key string) map[string]string {
	if len(v.Spec.Selector) == 0 {
		return map[string]string{v1alpha1.VIPPodLabel(key): ""}
	}
	all := map[string]string{}
	for name, value := range v.Spec.Selector {
		all[name] = string(value)
	}
	return all
}

func protocol(p Port) corev1.Protocol {
	if p.Protocol == v1alpha1.TransportUDP {
		return corev1.ProtocolUDP
	}
	return corev1.ProtocolTCP
}

// affinity is for how long a client is remembered, nil if it is not.
func affinity(spec *v1alpha1.VirtualIPSpec) *int32 {
	if spec.SessionAffinity != v1alpha1.SessionAffinityClientIP {
		return nil
	}
	return ptr.To(ptr.Deref(spec.SessionAffinityTimeoutSeconds, affinitySeconds))
}

// HasAddress says that a Service is reached at an address.
func HasAddress(service *corev1.Service, address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	all := slices.Concat(service.Spec.ClusterIPs, service.Spec.ExternalIPs, []string{service.Spec.LoadBalancerIP})
	for _, i := range service.Status.LoadBalancer.Ingress {
		all = append(all, i.IP)
	}
	return slices.ContainsFunc(all, func(s string) bool {
		other, err := netip.ParseAddr(s)
		return err == nil && other == ip
	})
}
