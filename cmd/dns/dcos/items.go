// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// item is what is kept of an object: what its names need, and nothing else.
type item interface {
	metav1.Object
	records() []dnsnames.Record
	// same says whether another has the same names.
	same(other item) bool
}

type taskPod struct {
	metav1.ObjectMeta
	tasks []dnsnames.Task
	// wrong is what its discovery says that can't be.
	wrong string
}

type agent struct {
	metav1.ObjectMeta
	dnsnames.Node
	seen time.Time
}

type virtualIP struct {
	metav1.ObjectMeta
	dnsnames.VirtualIP
	ip, service string
}

type service struct {
	metav1.ObjectMeta
	role dnsnames.Role
	ips  []netip.Addr
}

// slice is a part of the backends of a virtual IP.
type slice struct {
	metav1.ObjectMeta
	service   string
	ports     []slicePort
	addresses []string
}

type slicePort struct {
	// name of the port of the Service, which tells the port of the VIP.
	name     string
	protocol string
	port     int32
}

func (p *taskPod) records() []dnsnames.Record {
	var all []dnsnames.Record
	for i := range p.tasks {
		all = append(all, p.tasks[i].Records()...)
	}
	return all
}

func (p *taskPod) same(other item) bool {
	o, ok := other.(*taskPod)
	return ok && p.wrong == o.wrong && slices.EqualFunc(p.tasks, o.tasks, func(a, b dnsnames.Task) bool { return a.Equal(&b) })
}

func (n *agent) records() []dnsnames.Record { return n.Records() }

func (n *agent) same(other item) bool {
	o, ok := other.(*agent)
	return ok && n.Control == o.Control && slices.Equal(n.IPs, o.IPs) && slices.Equal(n.Public, o.Public)
}

func (v *virtualIP) records() []dnsnames.Record { return v.Records() }

func (v *virtualIP) same(other item) bool {
	o, ok := other.(*virtualIP)
	return ok && v.VirtualIP.Name == o.VirtualIP.Name && slices.Equal(v.IPs, o.IPs) && v.ip == o.ip && v.service == o.service
}

func (s *service) records() []dnsnames.Record { return s.role.Records(s.ips) }

func (s *service) same(other item) bool {
	o, ok := other.(*service)
	return ok && slices.Equal(s.ips, o.ips)
}

func (*slice) records() []dnsnames.Record { return nil }

func (s *slice) same(other item) bool {
	o, ok := other.(*slice)
	return ok && s.service == o.service && slices.Equal(s.ports, o.ports) && slices.Equal(s.addresses, o.addresses)
}

// bare is what caches need of an object's metadata.
func bare(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}

// trim makes an item of an object as it comes from the API server. An item
// stays one.
func trim(mapping pathid.Mapping, role dnsnames.Role) func(object any) (any, error) {
	return func(object any) (any, error) {
		switch o := object.(type) {
		case item:
			return o, nil
		case *corev1.Pod:
			p := &taskPod{ObjectMeta: bare(o)}
			var err error
			if p.tasks, err = dnsnames.Tasks(o, mapping); err != nil {
				p.wrong = err.Error()
			}
			return p, nil
		case *corev1.Node:
			n := &agent{ObjectMeta: bare(o), Node: dnsnames.NodeOf(o)}
			for _, c := range o.Status.Conditions {
				if c.Type == corev1.NodeReady {
					n.seen = c.LastHeartbeatTime.Time
				}
			}
			return n, nil
		case *v1alpha1.VirtualIP:
			return &virtualIP{ObjectMeta: bare(o), VirtualIP: dnsnames.VirtualIPOf(o), ip: o.Spec.IP, service: o.Status.Service}, nil
		case *corev1.Service:
			return &service{ObjectMeta: bare(o), role: role, ips: dnsnames.ServiceIPs(o)}, nil
		case *discoveryv1.EndpointSlice:
			return trimSlice(o), nil
		}
		return nil, fmt.Errorf("no names are made of a %T", object)
	}
}

func trimSlice(o *discoveryv1.EndpointSlice) *slice {
	s := &slice{ObjectMeta: bare(o), service: o.Labels[discoveryv1.LabelServiceName]}
	for _, p := range o.Ports {
		s.ports = append(s.ports, slicePort{
			name: ptr.Deref(p.Name, ""), port: ptr.Deref(p.Port, 0),
			protocol: strings.ToLower(string(ptr.Deref(p.Protocol, corev1.ProtocolTCP))),
		})
	}
	for i := range o.Endpoints {
		e := &o.Endpoints[i]
		if ptr.Deref(e.Conditions.Ready, true) && !ptr.Deref(e.Conditions.Terminating, false) {
			s.addresses = append(s.addresses, e.Addresses...)
		}
	}
	slices.Sort(s.addresses)
	return s
}
