// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// What docker takes for the values of its flags, as far as a pod can have it.

// maxShmSize keeps sizes in numbers that stay numbers: 1 PiB.
const maxShmSize = 1 << 50

// maxNameservers is how many a pod may have.
const maxNameservers = 3

var (
	envName   = regexp.MustCompile(`^[ -<>-~]{1,253}$`)
	dnsOption = regexp.MustCompile(`^([a-z0-9-]{1,63})(?::([0-9]{1,9}))?$`)
	dockSize  = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?)([kmg]?)b?$`)
	userID    = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)
)

// capabilities are those of the Linux kernel.
var capabilities = strings.Fields(`ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN
	DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD
	NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT
	SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)

func addCapability(list *[]corev1.Capability, value string) error {
	name := strings.TrimPrefix(strings.ToUpper(value), "CAP_")
	if !slices.Contains(capabilities, name) {
		return fmt.Errorf("%q is no capability of Linux: use one such as NET_ADMIN, or ALL", value)
	}
	if !slices.Contains(*list, corev1.Capability(name)) {
		*list = append(*list, corev1.Capability(name))
	}
	return nil
}

func (f *flags) addEnv(value string) error {
	name, content, ok := strings.Cut(value, "=")
	if !ok {
		return fmt.Errorf("%q has no value: write NAME=value", value)
	}
	if !envName.MatchString(name) {
		return fmt.Errorf("%q is no name of a variable: use 1 to 253 printable ASCII characters", name)
	}
	f.env = append(f.env, v1alpha1.EnvVar{Name: name, Value: &content})
	return nil
}

// environment is the app's own environment. Mesos wrote docker parameters
// after the variables of the task, and docker takes the last of a name.
func (f *flags) environment(app []v1alpha1.EnvVar) []v1alpha1.EnvVar {
	if len(f.env) == 0 {
		return app
	}
	all := slices.Clone(app)
	for _, v := range f.env {
		if i := slices.IndexFunc(all, func(x v1alpha1.EnvVar) bool { return x.Name == v.Name }); i >= 0 {
			all[i] = v
		} else {
			all = append(all, v)
		}
	}
	return all
}

func (f *flags) setEntrypoint(value string) error {
	if value == "" {
		return fmt.Errorf("the program is missing")
	}
	f.entrypoint = value
	return nil
}

func (f *flags) setWorkdir(value string) error {
	if !strings.HasPrefix(value, "/") {
		return fmt.Errorf("%q is no absolute path", value)
	}
	f.workdir = value
	return nil
}

func (f *flags) setHostname(value string) error {
	if len(validation.IsDNS1123Label(value)) > 0 {
		return fmt.Errorf("%q is no host name: use at most 63 lower case letters, digits and '-', without a domain", value)
	}
	f.hostname = value
	return nil
}

func (f *flags) addHost(value string) error {
	name, ip, _ := strings.Cut(value, ":")
	if _, err := netip.ParseAddr(ip); err != nil || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return fmt.Errorf("%q is not the name of a host and its address: write name:ip", value)
	}
	for _, h := range f.hosts {
		if *h.IP == ip {
			h.WithHostnames(name)
			return nil
		}
	}
	f.hosts = append(f.hosts, corev1ac.HostAlias().WithIP(ip).WithHostnames(name))
	return nil
}

func (f *flags) addNameserver(value string) error {
	if _, err := netip.ParseAddr(value); err != nil {
		return fmt.Errorf("%q is no IP address", value)
	}
	if len(f.nameservers) == maxNameservers {
		return fmt.Errorf("a pod has at most %d name servers", maxNameservers)
	}
	f.nameservers = append(f.nameservers, value)
	return nil
}

func (f *flags) addSearch(value string) error {
	if len(validation.IsDNS1123Subdomain(strings.TrimSuffix(value, "."))) > 0 {
		return fmt.Errorf("%q is no domain", value)
	}
	f.searches = append(f.searches, value)
	return nil
}

func (f *flags) addDNSOption(value string) error {
	parts := dnsOption.FindStringSubmatch(value)
	if parts == nil {
		return fmt.Errorf("%q is no option of resolv.conf: write name or name:number", value)
	}
	option := corev1ac.PodDNSConfigOption().WithName(parts[1])
	if parts[2] != "" {
		option.WithValue(parts[2])
	}
	f.dnsOptions = append(f.dnsOptions, option)
	return nil
}

// setShmSize reads a size as docker writes it: 64m, 1.5g, 65536k, or bytes.
func (f *flags) setShmSize(value string) error {
	parts := dockSize.FindStringSubmatch(strings.ToLower(value))
	if parts == nil {
		return fmt.Errorf("%q is no size: write a number with b, k, m or g, such as 64m", value)
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	unit := map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[parts[2]]
	if err != nil || number*unit < 1 || number*unit > maxShmSize {
		return fmt.Errorf("%q is out of range: a size is 1 byte to 1 PiB", value)
	}
	f.shm = int64(number * unit)
	return nil
}

// setUser reads a user with or without a group: root, nobody:nogroup, 1000:1000.
func (f *flags) setUser(value string) error {
	user, group, hasGroup := strings.Cut(value, ":")
	uid, ok := userNumber(user)
	if !ok {
		return fmt.Errorf("%q is not known outside of the image: use root, nobody or a number", user)
	}
	f.uid, f.gid = &uid, nil
	if !hasGroup {
		return nil
	}
	if group == "nogroup" {
		group = "nobody"
	}
	gid, ok := userNumber(group)
	if !ok {
		return fmt.Errorf("the group %q is not known outside of the image: use root, nogroup or a number", group)
	}
	f.gid = ptr.To(gid)
	return nil
}

// userNumber is the number of a user or a group. A number has one spelling, so
// that whoever looks for root finds it.
func userNumber(name string) (int64, bool) {
	switch name {
	case "root":
		return 0, true
	case "nobody":
		return 65534, true
	}
	if !userID.MatchString(name) {
		return 0, false
	}
	number, err := strconv.ParseInt(name, 10, 32)
	return number, err == nil
}
