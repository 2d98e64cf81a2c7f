// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// port is one port of an instance, with its numbers.
type port struct {
	// name the app gave it, if any.
	name string
	// requested is the number the app wrote down: 0 is any.
	requested int32
	// container is the number the task listens on, host the one on the node, 0 if none.
	container, host int32
	protocol        v1alpha1.Protocol
	// vips are those that it is behind.
	vips []v1alpha1.AskedVIP
}

// advertised is the port that others reach the task under, together with the
// address in $HOST: the node's where there is a host port, the pod's otherwise.
func (p port) advertised() int32 {
	if p.host != 0 {
		return p.host
	}
	return p.container
}

// assignPorts gives the ports of an instance their numbers. Ports that may be
// any are a function of the App, its configuration and the slot, so that the
// pod can be made again the same; that two apps meet on a node is left to the
// scheduler, which keeps pods with the same host port apart.
func assignPorts(app *v1alpha1.App, settings Settings, config string, slot int) ([]port, error) {
	spec := &app.Spec
	free := newPortSource(settings.HostPorts, string(app.UID)+config, slot)
	var ports []port
	if len(spec.Containers) > 0 {
		ports = endpointPorts(spec, free)
	} else if spec.OnHostNetwork() {
		fixed := ptr.Deref(spec.RequirePorts, false)
		free.expect(len(spec.PortDefinitions))
		for _, d := range spec.PortDefinitions {
			p := port{name: ptr.Deref(d.Name, ""), requested: *d.Port, protocol: d.Protocol}
			if fixed && *d.Port != 0 {
				p.host = *d.Port
			} else {
				p.host = free.next()
			}
			p.container = p.host
			ports = append(ports, p)
		}
	} else if spec.Container != nil {
		free.expect(len(spec.Container.PortMappings))
		for _, m := range spec.Container.PortMappings {
			p := port{name: ptr.Deref(m.Name, ""), requested: *m.ContainerPort, container: *m.ContainerPort, protocol: m.Protocol}
			p.host = ptr.Deref(m.HostPort, 0)
			if p.container == 0 {
				// Marathon makes it the host port.
				p.container = p.host
			}
			if p.container == 0 {
				p.container = free.next()
			}
			ports = append(ports, p)
		}
	}
	if free.exhausted {
		return nil, fmt.Errorf("ports: instance %d needs more ports than the %d there are for host networking", slot, settings.HostPorts.Size())
	}
	asked, _ := spec.VIPs()
	for _, v := range asked {
		ports[v.PortIndex].vips = append(ports[v.PortIndex].vips, v)
	}
	return ports, nil
}

// portSource yields different ports of a range, from a place that the App and
// the slot decide.
type portSource struct {
	ports     PortRange
	start     uint64
	slot      int
	used      int
	exhausted bool
	base      int
}

func newPortSource(ports PortRange, seed string, slot int) *portSource {
	sum := sha256.Sum256([]byte(seed))
	return &portSource{ports: ports, start: binary.BigEndian.Uint64(sum[:8]), slot: slot}
}

// expect says how many ports an instance has, so that those of the next follow.
func (s *portSource) expect(perInstance int) { s.base = s.slot * perInstance }

func (s *portSource) next() int32 {
	size := s.ports.Size()
	if size <= 0 || s.used >= size {
		s.exhausted = true
		return s.ports.First
	}
	offset := (s.start%uint64(size) + uint64(s.base+s.used)) % uint64(size) //nolint:gosec // slots and counts are not negative
	s.used++
	return s.ports.First + int32(offset) //nolint:gosec // less than the size of a port range
}

// portNames are those a pod may use; others stay Marathon's own.
var (
	portNames = regexp.MustCompile(`^[a-z0-9]([a-z0-9]|-[a-z0-9]){0,14}$`)
	hasLetter = regexp.MustCompile(`[a-z]`)
)

// containerPorts are the ports of a container. A Service in front of a VIP finds
// the port of a task by the name it has for this VIP, whatever its number: where
// the entry of a port has a name already, further ones of the same number carry
// them.
func containerPorts(ports []port, onHost bool) []*corev1ac.ContainerPortApplyConfiguration {
	var all []*corev1ac.ContainerPortApplyConfiguration
	named := map[string]bool{}
	for _, p := range ports {
		own := map[corev1.Protocol]*corev1ac.ContainerPortApplyConfiguration{}
		for _, protocol := range protocols(p.protocol) {
			c := corev1ac.ContainerPort().WithContainerPort(p.container).WithProtocol(protocol)
			if p.host != 0 {
				c.WithHostPort(p.host)
			}
			if len(p.name) <= 15 && portNames.MatchString(p.name) && hasLetter.MatchString(p.name) && !named[p.name] {
				named[p.name] = true
				c.WithName(p.name)
			}
			own[protocol] = c
			all = append(all, c)
		}
		for i, v := range p.vips {
			protocol := corev1.Protocol(strings.ToUpper(string(v.Protocol)))
			if c := own[protocol]; c != nil && c.Name == nil {
				c.WithName(v.PortName())
				continue
			}
			c := corev1ac.ContainerPort().WithName(v.PortName()).WithContainerPort(p.container).WithProtocol(protocol)
			if onHost {
				// There each entry is a host port, and no two may be the same in
				// port and address. Nothing is done with the address.
				c.WithHostPort(p.container).WithHostIP(fmt.Sprintf("127.0.%d.%d", (i+2)/256, (i+2)%256))
			}
			all = append(all, c)
		}
	}
	return all
}

// vipLabels are the labels by which the Services of VIPs select pods.
func vipLabels(ports []port) map[string]string {
	labels := map[string]string{}
	for _, p := range ports {
		for _, v := range p.vips {
			labels[v1alpha1.VIPPodLabel(v.Key)] = ""
		}
	}
	return labels
}

func protocols(p v1alpha1.Protocol) []corev1.Protocol {
	switch p {
	case v1alpha1.ProtocolUDP:
		return []corev1.Protocol{corev1.ProtocolUDP}
	case v1alpha1.ProtocolUDPTCP:
		return []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP}
	case v1alpha1.ProtocolTCP:
	}
	return []corev1.Protocol{corev1.ProtocolTCP}
}
