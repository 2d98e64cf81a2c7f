// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// toPod writes what flags ask for into the spec of a pod.
func (f *flags) toPod(spec *corev1ac.PodSpecApplyConfiguration) {
	if f.hostPID {
		spec.WithHostPID(true)
	}
	if f.hostIPC {
		spec.WithHostIPC(true)
	}
	if f.hostname != "" {
		spec.WithHostname(f.hostname)
	}
	spec.WithHostAliases(f.hosts...)
	volumes, _ := f.volumes()
	spec.WithVolumes(volumes...)
	if len(f.nameservers)+len(f.searches)+len(f.dnsOptions) == 0 {
		return
	}
	spec.WithDNSConfig(corev1ac.PodDNSConfig().WithNameservers(f.nameservers...).WithSearches(f.searches...).WithOptions(f.dnsOptions...))
	if len(f.nameservers) > 0 {
		// With docker, too, they take the place of those there are.
		spec.WithDNSPolicy(corev1.DNSNone)
	}
}

// toContainer writes what flags ask for into the container of a task.
func (f *flags) toContainer(c *corev1ac.ContainerApplyConfiguration, spec *v1alpha1.AppSpec) error {
	if f.entrypoint != "" {
		c.WithCommand(escape(f.entrypoint))
	}
	if f.workdir != "" {
		c.WithWorkingDir(f.workdir)
	}
	if f.tty {
		c.WithTTY(true)
	}
	if f.stdin {
		c.WithStdin(true)
	}
	_, mounts := f.volumes()
	c.WithVolumeMounts(mounts...)
	security, err := f.securityContext(spec)
	if security != nil {
		c.WithSecurityContext(security)
	}
	return err
}

// securityContext is nil where nothing is asked for: the image decides.
func (f *flags) securityContext(spec *v1alpha1.AppSpec) (*corev1ac.SecurityContextApplyConfiguration, error) {
	s := corev1ac.SecurityContext()
	uid, ok, err := runAsUser(spec)
	if err != nil {
		return nil, err
	}
	if ok {
		s.WithRunAsUser(uid)
	}
	if f.uid != nil {
		s.WithRunAsUser(*f.uid)
	}
	if f.gid != nil {
		s.WithRunAsGroup(*f.gid)
	}
	if f.privileged {
		s.WithPrivileged(true)
	}
	if f.readOnly {
		s.WithReadOnlyRootFilesystem(true)
	}
	if len(f.capAdd)+len(f.capDrop) > 0 {
		s.WithCapabilities(corev1ac.Capabilities().WithAdd(f.capAdd...).WithDrop(f.capDrop...))
	}
	if f.seccomp != nil {
		s.WithSeccompProfile(f.seccomp)
	}
	if *s == (corev1ac.SecurityContextApplyConfiguration{}) {
		return nil, nil
	}
	return s, nil
}

// runAsUser is the number of the user of a task, if the app names one that
// matters: the DOCKER engine runs as the image says.
func runAsUser(spec *v1alpha1.AppSpec) (uid int64, ok bool, err error) {
	if spec.User == nil || hasImage(spec) && spec.Container.Type == v1alpha1.EngineDocker {
		return 0, false, nil
	}
	uid, ok = userNumber(*spec.User)
	if !ok {
		return 0, false, fmt.Errorf("user: %q is not known to an image: use root, nobody or a number", *spec.User)
	}
	return uid, true, nil
}
