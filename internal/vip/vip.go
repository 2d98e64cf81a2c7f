// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package vip turns VirtualIPs, and the Apps that ask for them, into the
// Services that carry their addresses. It says who has an address of which there
// can be one, and which addresses nobody may have. It talks to nobody, and never
// sees a pod.
package vip

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	v1alpha1ac "github.com/kdcos/kdcos/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// The label of what we made ourselves, and may remove.
const (
	managedBy = "app.kubernetes.io/managed-by"
	manager   = "kdcos"
)

// MaxPorts is how many ports an address can have.
const MaxPorts = 128

// Port is a port of an address, and the port of the pods behind it.
type Port struct {
	Port     int32
	Protocol v1alpha1.TransportProtocol
	Target   intstr.IntOrString
}

// Name is the name of the port in the Service.
func (p Port) Name() string { return fmt.Sprintf("%s-%d", p.Protocol, p.Port) }

func (p Port) same(as Port) bool { return p.Port == as.Port && p.Protocol == as.Protocol }

// Asked are the VIPs of one address that an App asks for.
func Asked(app *v1alpha1.App, key string) []v1alpha1.VIP {
	asked, _ := app.Spec.VIPs()
	var all []v1alpha1.VIP
	for _, v := range asked {
		if v.Key == key {
			all = append(all, v.VIP)
		}
	}
	return all
}

// Ports are the ports of a VirtualIP: those of its spec, or those that the Apps of
// its namespace ask for.
func Ports(v *v1alpha1.VirtualIP, key string, apps []v1alpha1.App) []Port {
	var all []Port
	for _, p := range v.Spec.Ports {
		target := intstr.FromInt32(p.Port)
		if p.TargetPort != nil {
			target = *p.TargetPort
		}
		all = append(all, Port{p.Port, cmp.Or(p.Protocol, v1alpha1.TransportTCP), target})
	}
	for i := range apps {
		if len(v.Spec.Selector) > 0 || apps[i].Namespace != v.Namespace {
			continue
		}
		for _, asked := range Asked(&apps[i], key) {
			all = append(all, Port{asked.Port, asked.Protocol, intstr.FromString(asked.PortName())})
		}
	}
	slices.SortFunc(all, func(a, b Port) int { return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol)) })
	return slices.CompactFunc(all, Port.same)
}

// Made says that we made a VirtualIP, since Apps ask for it.
func Made(v *v1alpha1.VirtualIP) bool { return v.Labels[managedBy] == manager }

// Names are those that the VirtualIP of a key is given, the second where
// somebody has the first for another.
func Names(key string) []string {
	name := key
	if ip, err := netip.ParseAddr(key); err == nil {
		name = "ip-" + strings.ReplaceAll(ip.StringExpanded(), ":", "-")
	}
	return []string{name, name + "-" + digest(key)}
}

// VirtualIP is the one that Apps of a namespace, at least one, ask for.
func VirtualIP(namespace, name string, asked v1alpha1.VIP, apps []v1alpha1.App) *v1alpha1ac.VirtualIPApplyConfiguration {
	spec := v1alpha1ac.VirtualIPSpec()
	if asked.IP != "" {
		spec.WithIP(asked.IP)
	} else {
		spec.WithName(asked.Name)
	}
	v := v1alpha1ac.VirtualIP(name, namespace).WithLabels(map[string]string{managedBy: manager}).WithSpec(spec)
	for _, o := range Owners(apps) {
		v.WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion(o.APIVersion).WithKind(o.Kind).WithName(o.Name).WithUID(o.UID))
	}
	return v
}

// Owners are references to Apps, by which Kubernetes removes what they ask for
// together with the last of them.
func Owners(apps []v1alpha1.App) []metav1.OwnerReference {
	var all []metav1.OwnerReference
	for i := range apps {
		all = append(all, metav1.OwnerReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Name: apps[i].Name, UID: apps[i].UID,
		})
	}
	slices.SortFunc(all, func(a, b metav1.OwnerReference) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:5])
}
