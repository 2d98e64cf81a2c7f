// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// VIPZone is the DNS zone of named VIPs.
const VIPZone = "l4lb.thisdcos.directory"

// VIP is what a label of a port asks for: a port of an address that stands for
// tasks. It is here, and in no room, since what pods carry and what a VirtualIP
// is made of have to agree on it.
//
// +kubebuilder:object:generate=false
type VIP struct {
	// Key tells the address from all others: the DNS name of a named VIP
	// without its zone, such as shopweb.marathon, or the address itself.
	Key string
	// Name of a named VIP as it was written, such as /shop/web, or IP.
	Name, IP string
	// Port of the address, and its protocol.
	Port     int32
	Protocol TransportProtocol
}

// String is the VIP in the form of a label.
func (v VIP) String() string {
	if strings.Contains(v.IP, ":") {
		return fmt.Sprintf("[%s]:%d", v.IP, v.Port)
	}
	return fmt.Sprintf("%s:%d", v.Name+v.IP, v.Port)
}

// PortName is the name that pods behind the VIP give their port of it.
func (v VIP) PortName() string {
	return "v" + shortHash(fmt.Sprintf("%s %d %s", v.Key, v.Port, v.Protocol))
}

// VIPPodLabel is the label of the pods behind the address of a key.
func VIPPodLabel(key string) string { return VirtualIPPodPrefix + shortHash(key) }

// VirtualIPLabelValue is the value of VirtualIPLabel for a VirtualIP of a name.
func VirtualIPLabelValue(name string) string {
	const most, kept = 63, 52
	if len(name) <= most {
		return name
	}
	return strings.TrimRight(name[:kept], "-.") + "-" + shortHash(name)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:5])
}

// AskedVIP is a VIP that an App asks for.
//
// +kubebuilder:object:generate=false
type AskedVIP struct {
	VIP
	// PortIndex is which port of the App is behind it: of several containers,
	// their endpoints count through.
	PortIndex int
	// Field is where the App says so.
	Field string
}

// VIPs are the VIPs that the ports of an App ask for, in their order, and a line
// "field: what is wrong" for each label that can't be read. Such a label stops
// nothing, as on DC/OS.
func (s *AppSpec) VIPs() (asked []AskedVIP, wrong []string) {
	r := vipReader{behind: map[string]AskedVIP{}}
	ports := s.vipPorts()
	for i, p := range ports {
		for _, key := range slices.Sorted(maps.Keys(p.labels)) {
			if strings.HasPrefix(key, "VIP") || strings.HasPrefix(key, "vip") {
				r.read(i, fmt.Sprintf("%s[%s]", p.field, key), string(p.labels[key]), p.transports)
			}
		}
	}
	const legacy = "vip_port"
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		index, is := strings.CutPrefix(key, legacy)
		if !is {
			continue
		}
		field, value := fmt.Sprintf("spec.labels[%s]", key), string(s.Labels[key])
		i, err := strconv.ParseUint(index, 10, 16)
		protocol, vip, found := strings.Cut(value, "://")
		switch {
		case err != nil || int(i) >= len(ports):
			r.refuse(field, fmt.Errorf("the app has no port %q: it has %d, counted from 0", index, len(ports)))
		case !found || protocol != string(TransportTCP) && protocol != string(TransportUDP):
			r.refuse(field, fmt.Errorf("%s must be tcp:// or udp://, then an address and a port, such as tcp://198.51.100.7:80", quoteShort(value)))
		default:
			r.read(int(i), field, vip, []TransportProtocol{TransportProtocol(protocol)})
		}
	}
	return r.asked, r.wrong
}

// vipReader gathers what labels ask for.
type vipReader struct {
	asked  []AskedVIP
	wrong  []string
	behind map[string]AskedVIP
}

func (r *vipReader) refuse(field string, err error) {
	r.wrong = append(r.wrong, fmt.Sprintf("%s: %s", field, err))
}

func (r *vipReader) read(port int, field, value string, transports []TransportProtocol) {
	vip, err := ParseVIP(value)
	if err != nil {
		r.refuse(field, err)
		return
	}
	for _, vip.Protocol = range transports {
		other, taken := r.behind[vip.PortName()]
		switch {
		case !taken:
			one := AskedVIP{VIP: vip, PortIndex: port, Field: field}
			r.behind[vip.PortName()] = one
			r.asked = append(r.asked, one)
		case other.PortIndex != port:
			r.refuse(field, fmt.Errorf("%s stands for another port of the app already, by %s: a task can have one port behind a VIP", vip, other.Field))
		}
	}
}

// vipPort is a port that VIP labels may speak of.
type vipPort struct {
	field      string
	labels     map[string]LabelValue
	transports []TransportProtocol
}

// vipPorts are the ports of an App in the order in which they are counted.
func (s *AppSpec) vipPorts() []vipPort {
	var all []vipPort
	switch {
	case len(s.Containers) > 0:
		for i := range s.Containers {
			for j := range s.Containers[i].Endpoints {
				e := &s.Containers[i].Endpoints[j]
				all = append(all, vipPort{fmt.Sprintf("spec.containers[%s].endpoints[%s].labels", s.Containers[i].Name, e.Name), e.Labels, transports(EndpointTransport(e.Protocol))})
			}
		}
	case s.OnHostNetwork():
		if s.PortDefinitions == nil {
			// There is one without a word.
			all = append(all, vipPort{transports: transports("")})
		}
		for i := range s.PortDefinitions {
			p := &s.PortDefinitions[i]
			all = append(all, vipPort{fmt.Sprintf("spec.portDefinitions[%d].labels", i), p.Labels, transports(p.Protocol)})
		}
	case s.Container != nil:
		if s.Container.PortMappings == nil {
			all = append(all, vipPort{transports: transports("")})
		}
		for i := range s.Container.PortMappings {
			p := &s.Container.PortMappings[i]
			all = append(all, vipPort{fmt.Sprintf("spec.container.portMappings[%d].labels", i), p.Labels, transports(p.Protocol)})
		}
	}
	return all
}

func transports(p Protocol) []TransportProtocol {
	switch p {
	case ProtocolUDP:
		return []TransportProtocol{TransportUDP}
	case ProtocolUDPTCP:
		return []TransportProtocol{TransportUDP, TransportTCP}
	case ProtocolTCP:
	}
	return []TransportProtocol{TransportTCP}
}

// EndpointTransport is what carries the protocols of an endpoint: those that are
// no transport are spoken over TCP.
func EndpointTransport(protocols []string) Protocol {
	udp := slices.Contains(protocols, string(ProtocolUDP))
	switch {
	case udp && len(protocols) > 1:
		return ProtocolUDPTCP
	case udp:
		return ProtocolUDP
	}
	return ProtocolTCP
}

// ParseVIP reads the value of a VIP label: a name or an address, and a port. As
// on DC/OS, it is split at the last colon, a slash before a name is optional, and
// an IPv6 address may do without brackets.
func ParseVIP(value string) (VIP, error) {
	i := strings.LastIndexByte(value, ':')
	if i < 0 {
		return VIP{}, fmt.Errorf("%s has no port: a VIP is a name or an address, a colon and a port, such as /shop/web:80", quoteShort(value))
	}
	port, err := strconv.ParseUint(value[i+1:], 10, 16)
	if err != nil || port == 0 {
		return VIP{}, fmt.Errorf("the port of %s must be a number from 1 to 65535", quoteShort(value))
	}
	v := VIP{Port: int32(port)}
	host := value[:i]
	if inner, is := strings.CutPrefix(host, "["); is && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return VIP{}, fmt.Errorf("the address of %s must have no zone: it is the same on all nodes", quoteShort(value))
		}
		v.IP = ip.Unmap().String()
		v.Key = v.IP
		return v, nil
	}
	v.Name = host
	if v.Key, err = vipKey(host, FrameworkMarathon); err != nil {
		return VIP{}, fmt.Errorf("%s: %w", quoteShort(value), err)
	}
	return v, nil
}

// Key tells the address from all others: see VIP.
func (s *VirtualIPSpec) Key() (string, error) {
	if s.IP == "" {
		framework := s.Framework
		if framework == "" {
			framework = FrameworkMarathon
		}
		return vipKey(s.Name, framework)
	}
	ip, err := netip.ParseAddr(s.IP)
	if err != nil || ip.Zone() != "" {
		return "", fmt.Errorf("%q is no IPv4 or IPv6 address", s.IP)
	}
	return ip.Unmap().String(), nil
}

func vipKey(name, framework string) (string, error) {
	const most = 253
	names := []string{DNSFragment(name), DNSFragment(framework)}
	switch key := strings.Join(names, "."); {
	case names[0] == "" || names[1] == "":
		return "", errors.New("no DNS name can be made of it: a name needs a letter or a digit")
	case len(key)+len("."+VIPZone) > most || len(name) > most:
		return "", fmt.Errorf("the name is too long: with the domain %s.%s it may have %d characters", names[1], VIPZone, most)
	default:
		return key, nil
	}
}

// quoteShort quotes what somebody wrote, of much of it the beginning.
func quoteShort(value string) string {
	const enough = 100
	if len(value) > enough {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(value[:enough], ""))
	}
	return fmt.Sprintf("%q", value)
}
