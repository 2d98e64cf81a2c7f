// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const (
	// sandboxPath is where Mesos put a task's sandbox in a container with an
	// image. Relative container paths are below it.
	sandboxPath = "/mnt/mesos/sandbox"
	shmPath     = "/dev/shm"
)

// mount is a path of the node, one in the sandbox, what is behind a claim, the
// value of a Secret, or a volume that containers share, at a path of the
// container.
type mount struct {
	hostPath, inSandbox string
	// secret is the name of the Secret.
	secret string
	// claim is the name of the claim, subPath where in its volume. Where there is
	// a claim in each slot, persistent is the volume it is for.
	claim, subPath, persistent string
	// volume is the name of a volume of the pod that containers share.
	volume   string
	path     string
	readOnly bool
}

// onHost says whether a volume is a path of the node.
func onHost(v *v1alpha1.Volume) bool {
	return v.HostPath != nil && strings.HasPrefix(*v.HostPath, "/")
}

// readVolume reads a volume: a secret, a claim, or a hostPath, which is one of
// the node or, if it is relative, of the sandbox and the persistent volumes in
// it. What is not there is made as a directory.
func readVolume(spec *v1alpha1.AppSpec, v *v1alpha1.Volume) (mount, error) {
	switch {
	case v.Secret != nil:
		name, err := secretNamed(spec, *v.Secret)
		if err != nil {
			return mount{}, err
		}
		m, err := newMount("", v.ContainerPath, true)
		m.secret = name
		return m, err
	case v.Persistent != nil:
		m, err := newMount("", v.ContainerPath, false)
		m.persistent = v.ContainerPath
		return m, err
	case v.External != nil:
		return readExternal(v)
	}
	m, err := newMount(*v.HostPath, v.ContainerPath, v.Mode == v1alpha1.VolumeReadOnly)
	if err == nil && !onHost(v) {
		m.hostPath, m.inSandbox = "", path.Clean(*v.HostPath)
		m.persistent, m.subPath = within(spec, m.inSandbox)
	}
	return m, err
}

// addVolume reads a volume as docker writes it: /of/node:/in/container[:ro|rw].
func (f *flags) addVolume(value string) error {
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 || !strings.HasPrefix(parts[0], "/") || !strings.HasPrefix(parts[1], "/") {
		return fmt.Errorf("%q is no path of the node: write /of/node:/in/container, with :ro or :rw behind it", value)
	}
	readOnly := false
	if len(parts) == 3 {
		if parts[2] != "ro" && parts[2] != "rw" {
			return fmt.Errorf("the option %q is not supported: use ro or rw", parts[2])
		}
		readOnly = parts[2] == "ro"
	}
	m, err := newMount(parts[0], parts[1], readOnly)
	f.mounts = append(f.mounts, m)
	return err
}

func newMount(hostPath, containerPath string, readOnly bool) (mount, error) {
	if hasDotDot(hostPath) || hasDotDot(containerPath) {
		return mount{}, fmt.Errorf("a path must not hold '..'")
	}
	if strings.Contains(containerPath, ":") {
		return mount{}, fmt.Errorf("%q must not hold ':'", containerPath)
	}
	if !strings.HasPrefix(containerPath, "/") {
		containerPath = path.Join(sandboxPath, containerPath)
	}
	m := mount{hostPath: hostPath, path: path.Clean(containerPath), readOnly: readOnly}
	if m.path == "/" {
		return mount{}, fmt.Errorf("a volume can't take the place of the whole file system of the container")
	}
	return m, nil
}

// checkMounts refuses two volumes at one path, which the API server would
// refuse with the names of our making.
func checkMounts(mounts []mount, shm bool) error {
	seen := map[string]bool{shmPath: shm, sandboxPath: true}
	for _, m := range mounts {
		if seen[m.path] {
			return fmt.Errorf("there are two volumes at %s", m.path)
		}
		seen[m.path] = true
	}
	return nil
}

// sandbox is the name of the volume that is the sandbox.
func (f *flags) sandbox() string { return f.prefix + sandboxVolume }

func hasDotDot(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }

// volumes are those of the pod, and where they are in the container.
func (f *flags) volumes() ([]*corev1ac.VolumeApplyConfiguration, []*corev1ac.VolumeMountApplyConfiguration) {
	var volumes []*corev1ac.VolumeApplyConfiguration
	var mounts []*corev1ac.VolumeMountApplyConfiguration
	claims := map[string]string{}
	for i, m := range f.mounts {
		at := corev1ac.VolumeMount().WithMountPath(m.path)
		switch {
		case m.claim != "":
			if claims[m.claim] == "" {
				claims[m.claim] = fmt.Sprintf("%sclaim-%d", f.prefix, i)
				volumes = append(volumes, corev1ac.Volume().WithName(claims[m.claim]).
					WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(m.claim)))
			}
			at.WithName(claims[m.claim])
			if m.subPath != "" {
				at.WithSubPath(m.subPath)
			}
		case m.secret != "":
			// A file by itself does not follow the Secret: what a task has is
			// what it was launched with, as it was.
			at.WithName(fmt.Sprintf("%ssecret-%d", f.prefix, i)).WithSubPath(SecretKey)
			volumes = append(volumes, corev1ac.Volume().WithName(*at.Name).WithSecret(corev1ac.SecretVolumeSource().
				WithSecretName(m.secret).WithItems(corev1ac.KeyToPath().WithKey(SecretKey).WithPath(SecretKey))))
		case m.hostPath != "":
			at.WithName(fmt.Sprintf("%shost-%d", f.prefix, i))
			volumes = append(volumes, corev1ac.Volume().WithName(*at.Name).
				WithHostPath(corev1ac.HostPathVolumeSource().WithPath(m.hostPath)))
		case m.volume != "":
			at.WithName(m.volume)
		default:
			at.WithName(f.sandbox())
			if m.inSandbox != "." {
				at.WithSubPath(m.inSandbox)
			}
		}
		if m.readOnly {
			at.WithReadOnly(true)
		}
		mounts = append(mounts, at)
	}
	if f.shm > 0 {
		// What is in it counts as memory of the task, as it did with Docker.
		volumes = append(volumes, corev1ac.Volume().WithName(f.prefix+"shm").WithEmptyDir(corev1ac.EmptyDirVolumeSource().
			WithMedium(corev1.StorageMediumMemory).WithSizeLimit(*resource.NewQuantity(f.shm, resource.BinarySI))))
		mounts = append(mounts, corev1ac.VolumeMount().WithName(f.prefix+"shm").WithMountPath(shmPath))
	}
	return volumes, mounts
}
