// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// flags are what an app asks of its pod beyond an image, ports and resources:
// docker parameters, privileged, paths of the node, linuxInfo.
type flags struct {
	// prefix keeps the volumes of one of several containers apart from those of
	// the others; an app of one container has none.
	prefix      string
	env         []v1alpha1.EnvVar
	entrypoint  string
	workdir     string
	hostname    string
	hosts       []*corev1ac.HostAliasApplyConfiguration
	nameservers []string
	searches    []string
	dnsOptions  []*corev1ac.PodDNSConfigOptionApplyConfiguration

	tty, stdin bool
	readOnly   bool
	uid, gid   *int64
	capDrop    []corev1.Capability

	// What follows reaches into the node. Each needs a label of the namespace:
	// config/policy refuses it otherwise, and test/policy holds the two together.
	capAdd      []corev1.Capability
	privileged  bool
	hostPID     bool
	hostIPC     bool
	hostNetwork bool
	seccomp     *corev1ac.SeccompProfileApplyConfiguration
	mounts      []mount
	// shm is the size of /dev/shm in bytes, 0 as the node has it.
	shm int64
}

// parameters are the flags of docker run that a docker parameter may name, with
// what reads the value. Mesos ran docker with --key=value: only the long name
// of a flag, in lower case and without dashes, ever worked, so there is one
// spelling of each.
var parameters = map[string]func(*flags, string) error{
	"add-host":    (*flags).addHost,
	"cap-add":     func(f *flags, v string) error { return addCapability(&f.capAdd, v) },
	"cap-drop":    func(f *flags, v string) error { return addCapability(&f.capDrop, v) },
	"dns":         (*flags).addNameserver,
	"dns-opt":     (*flags).addDNSOption,
	"dns-option":  (*flags).addDNSOption,
	"dns-search":  (*flags).addSearch,
	"entrypoint":  (*flags).setEntrypoint,
	"env":         (*flags).addEnv,
	"hostname":    (*flags).setHostname,
	"interactive": func(f *flags, v string) error { return setBool(&f.stdin, v) },
	"ipc":         func(f *flags, v string) error { return setHost(&f.hostIPC, v, "private") },
	"net":         func(f *flags, v string) error { return setHost(&f.hostNetwork, v, "") },
	"network":     func(f *flags, v string) error { return setHost(&f.hostNetwork, v, "") },
	"pid":         func(f *flags, v string) error { return setHost(&f.hostPID, v, "") },
	"privileged":  func(f *flags, v string) error { return setBool(&f.privileged, v) },
	"read-only":   func(f *flags, v string) error { return setBool(&f.readOnly, v) },
	"shm-size":    (*flags).setShmSize,
	"tty":         func(f *flags, v string) error { return setBool(&f.tty, v) },
	"user":        (*flags).setUser,
	"volume":      (*flags).addVolume,
	"workdir":     (*flags).setWorkdir,

	// Accepted, and without an effect, as docs/app.md says: nothing here reads
	// the labels and names that Docker kept, the node decides about logs, and
	// tasks are restarted and cleared away in any case.
	"init":       ignore,
	"label":      ignore,
	"log-driver": ignore,
	"log-opt":    ignore,
	"name":       ignore,
	"restart":    ignore,
	"rm":         ignore,
}

// instead says what to write in place of a flag that is not taken.
var instead = map[string]string{
	"cpus": "use cpus and resourceLimits", "cpu-shares": "use cpus", "cpu-quota": "use resourceLimits", "memory": "use mem",
	"memory-swap": "use mem", "expose": "use container.portMappings", "publish": "use container.portMappings", "gpus": "use gpus",
	"mount": "use container.volumes", "tmpfs": "use container.volumes", "v": "write volume", "u": "write user", "e": "write env",
	"w": "write workdir", "h": "write hostname", "l": "write label", "security-opt": "use container.linuxInfo",
}

// refusedParameters names the parameters that are not taken, and those that are.
func refusedParameters(d *v1alpha1.DockerContainer) []string {
	var refused []string
	for i, p := range d.Parameters {
		if parameters[p.Key] != nil {
			continue
		}
		hint := ""
		if long := strings.ToLower(strings.TrimLeft(p.Key, "-")); long != p.Key && parameters[long] != nil {
			hint = ": write " + long
		} else if instead[p.Key] != "" {
			hint = ": " + instead[p.Key]
		}
		refused = append(refused, fmt.Sprintf("spec.container.docker.parameters[%d].key: the flag %q of docker run is not supported%s", i, p.Key, hint))
	}
	if len(refused) > 0 {
		refused[len(refused)-1] += fmt.Sprintf(" (supported: %s)", strings.Join(slices.Sorted(maps.Keys(parameters)), ", "))
	}
	return refused
}

// readFlags reads what a spec asks for.
func readFlags(spec *v1alpha1.AppSpec) (*flags, error) {
	f := &flags{tty: ptr.Deref(spec.TTY, false), stdin: ptr.Deref(spec.TTY, false)}
	c := spec.Container
	if c == nil {
		return f, f.check(spec)
	}
	for i := range c.Volumes {
		m, err := readVolume(spec, &c.Volumes[i])
		if err != nil {
			return nil, fmt.Errorf("container.volumes[%s]: %w", c.Volumes[i].ContainerPath, err)
		}
		f.mounts = append(f.mounts, m)
	}
	if err := f.readLinuxInfo(c.LinuxInfo); err != nil {
		return nil, fmt.Errorf("container.linuxInfo.%w", err)
	}
	if c.Docker == nil {
		return f, f.check(spec)
	}
	// The MESOS engine always ignored it.
	f.privileged = ptr.Deref(c.Docker.Privileged, false) && c.Type == v1alpha1.EngineDocker
	for i, p := range c.Docker.Parameters {
		read := parameters[p.Key]
		if read == nil {
			return nil, fmt.Errorf("container.docker.parameters[%d].key: %q is not supported", i, p.Key)
		}
		if err := read(f, p.Value); err != nil {
			return nil, fmt.Errorf("container.docker.parameters[%d]: %s: %w", i, p.Key, err)
		}
	}
	return f, f.check(spec)
}

// check looks for what does not go together.
func (f *flags) check(spec *v1alpha1.AppSpec) error {
	const field = "container.docker.parameters: "
	switch {
	case f.hostNetwork && !spec.OnHostNetwork():
		return fmt.Errorf(field + "net: host is not the network of the app: use networks: [{mode: host}]")
	case f.hostname != "" && spec.OnHostNetwork():
		return fmt.Errorf(field + "hostname: on the host network it is the node's: use networks: [{mode: container/bridge}]")
	case f.entrypoint != "" && spec.Cmd != nil:
		return fmt.Errorf(field + "entrypoint: cmd replaces the entrypoint by a shell: use args in place of cmd")
	case f.shm > 0 && f.hostIPC:
		return fmt.Errorf(field + "shm-size: with ipc host, /dev/shm is the node's")
	}
	if err := checkMounts(f.mounts, f.shm > 0); err != nil {
		return fmt.Errorf("container.volumes: %w", err)
	}
	return nil
}

func (f *flags) readLinuxInfo(l *v1alpha1.LinuxInfo) error {
	if l == nil {
		return nil
	}
	if i := l.IPCInfo; i != nil {
		// The parent of a task's container is the agent.
		f.hostIPC = i.Mode == v1alpha1.IPCShareParent
		f.shm = ptr.Deref(i.ShmSize, 0) * mebi
	}
	switch s := l.Seccomp; {
	case s == nil:
	case ptr.Deref(s.Unconfined, false):
		f.seccomp = corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeUnconfined)
	case s.ProfileName != nil:
		if strings.HasPrefix(*s.ProfileName, "/") || hasDotDot(*s.ProfileName) {
			return fmt.Errorf("seccomp.profileName: %q must be a path below the kubelet's seccomp directory, without '..'", *s.ProfileName)
		}
		f.seccomp = corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeLocalhost).WithLocalhostProfile(*s.ProfileName)
	}
	return nil
}

func ignore(*flags, string) error { return nil }

func setBool(field *bool, value string) error {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", value)
	}
	*field = b
	return nil
}

// setHost reads the name of a namespace of the kernel: the node's, or the
// container's own under the name that docker has for it.
func setHost(field *bool, value, own string) error {
	switch {
	case value == "host":
		*field = true
	case own != "" && value == own:
		*field = false
	case own != "":
		return fmt.Errorf("%q is not supported: use host or %s", value, own)
	default:
		return fmt.Errorf("%q is not supported: use host, or leave it out", value)
	}
	return nil
}
