// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Persistent is a persistent volume under the name that it has in its app: its
// containerPath, or that of one of volumes.
type Persistent struct {
	Name string
	*v1alpha1.PersistentVolume
}

// PersistentVolumes are those that each instance of an app has.
func PersistentVolumes(spec *v1alpha1.AppSpec) []Persistent {
	var all []Persistent
	for i := range spec.Volumes {
		if v := &spec.Volumes[i]; v.Persistent != nil {
			all = append(all, Persistent{v.Name, v.Persistent})
		}
	}
	if spec.Container == nil {
		return all
	}
	for i := range spec.Container.Volumes {
		if v := &spec.Container.Volumes[i]; v.Persistent != nil {
			all = append(all, Persistent{v.ContainerPath, v.Persistent})
		}
	}
	return all
}

// ClaimName is the name of the claim of a volume in a slot: a function of the
// App's uid, the volume and the slot, and not of the configuration, so that what
// takes the slot over finds the data. A new App of the same name does not.
func ClaimName(app *v1alpha1.App, volume string, slot int) string {
	return fmt.Sprintf("%s-%s-%d", slug(app.Name, 40), digest(string(app.UID), volume), slot)
}

// Claims are the claims of the volumes of the instance in a slot. They go with
// the App, and stay while it is there: nothing but a wipe takes one away.
//
// ReadWriteOncePod would say best what they are for. Only CSI drivers know it,
// and the disks of nodes, which are what Mesos offered, mostly have none: that
// there is one task in a slot is kept by the name of its pod.
func Claims(app *v1alpha1.App, settings Settings, volumes []Persistent, slot int) []*corev1ac.PersistentVolumeClaimApplyConfiguration {
	claims := make([]*corev1ac.PersistentVolumeClaimApplyConfiguration, 0, len(volumes))
	for _, v := range volumes {
		labels := Labels(app)
		labels[v1alpha1.SlotLabel] = fmt.Sprint(slot)
		resources := corev1ac.VolumeResourceRequirements().WithRequests(corev1.ResourceList{corev1.ResourceStorage: Size(v.PersistentVolume)})
		if v.MaxSize != nil {
			resources.WithLimits(corev1.ResourceList{corev1.ResourceStorage: mebibytes(float64(*v.MaxSize))})
		}
		spec := corev1ac.PersistentVolumeClaimSpec().WithAccessModes(corev1.ReadWriteOnce).WithResources(resources)
		if class := settings.storageClass(v.PersistentVolume); class != "" {
			spec.WithStorageClassName(class)
		}
		claims = append(claims, corev1ac.PersistentVolumeClaim(ClaimName(app, v.Name, slot), app.Namespace).
			WithLabels(labels).
			WithAnnotations(map[string]string{v1alpha1.VolumeAnnotation: v.Name}).
			WithOwnerReferences(owner(app, "App")).
			WithSpec(spec))
	}
	return claims
}

// Size is what is asked for of a persistent volume.
func Size(v *v1alpha1.PersistentVolume) resource.Quantity {
	return *resource.NewQuantity(ptr.Deref(v.Size, 0)*mebi, resource.BinarySI)
}

// storageClass is the class of a volume: the one it names, that of its type, or
// "" for the cluster's default.
func (s Settings) storageClass(v *v1alpha1.PersistentVolume) string {
	if v.ProfileName != nil {
		return *v.ProfileName
	}
	return s.StorageClasses[v.Type]
}

const (
	driverOption = "dvdi/driver"
	// externalSize is that of an external volume without one, in GiB.
	externalSize = 16
)

// ExternalClaims are the claims of the external volumes of an app that are made
// where they are missing. As with their providers, they outlast the app: nobody
// owns them, and their label only says who made them.
func ExternalClaims(app *v1alpha1.App, settings Settings) []*corev1ac.PersistentVolumeClaimApplyConfiguration {
	var claims []*corev1ac.PersistentVolumeClaimApplyConfiguration
	for _, v := range externals(&app.Spec) {
		if v.Provider != v1alpha1.ProviderDVDI {
			continue
		}
		size := ptr.Deref(v.Size, 0)
		if size == 0 {
			size = externalSize
		}
		mode := corev1.ReadWriteOnce
		if !v.SingleWriter() {
			mode = corev1.ReadWriteMany
		}
		spec := corev1ac.PersistentVolumeClaimSpec().WithAccessModes(mode).
			WithResources(corev1ac.VolumeResourceRequirements().
				WithRequests(corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(size*1024*mebi, resource.BinarySI)}))
		if class := settings.DriverClasses[string(v.Options[driverOption])]; class != "" {
			spec.WithStorageClassName(class)
		}
		claims = append(claims, corev1ac.PersistentVolumeClaim(v.Name, app.Namespace).WithLabels(Labels(app)).WithSpec(spec))
	}
	return claims
}

// SoleVolumes are the names of the external volumes that an app has to itself.
func SoleVolumes(spec *v1alpha1.AppSpec) []string { return externalNames(spec, true) }

// ExternalVolumes are the names of all its external volumes.
func ExternalVolumes(spec *v1alpha1.AppSpec) []string { return externalNames(spec, false) }

func externalNames(spec *v1alpha1.AppSpec, sole bool) []string {
	var names []string
	for _, v := range externals(spec) {
		if !sole || v.SingleWriter() {
			names = append(names, v.Name)
		}
	}
	return names
}

func externals(spec *v1alpha1.AppSpec) []*v1alpha1.ExternalVolume {
	if spec.Container == nil {
		return nil
	}
	var all []*v1alpha1.ExternalVolume
	for i := range spec.Container.Volumes {
		if v := spec.Container.Volumes[i].External; v != nil {
			all = append(all, v)
		}
	}
	return all
}

// readExternal reads a volume that is the claim of its name.
func readExternal(v *v1alpha1.Volume) (mount, error) {
	m, err := newMount("", v.ContainerPath, v.Mode == v1alpha1.VolumeReadOnly)
	m.claim = v.External.Name
	if c := v.External.CSI; c != nil {
		m.readOnly = m.readOnly || strings.HasSuffix(c.Capability.AccessMode, "_READER_ONLY")
	}
	return m, err
}

// volumes refuses what no claim can ask for.
func (u *refusals) volumes(volumes []v1alpha1.Volume) {
	for i := range volumes {
		v := &volumes[i]
		field := fmt.Sprintf("spec.container.volumes[%s]", v.ContainerPath)
		u.persistent(v.Persistent, field+".persistent")
		e := v.External
		if e == nil {
			continue
		}
		u.name(e.Name, field+".external.name", "PersistentVolumeClaim")
		if e.CSI != nil && e.CSI.Capability.AccessType == "block" {
			*u = append(*u, field+".external.csi.capability.accessType: only mount is supported: a container can't be given a device in place of a directory")
		}
	}
}

// persistent refuses what a claim of a persistent volume can't ask for.
func (u *refusals) persistent(p *v1alpha1.PersistentVolume, field string) {
	if p == nil {
		return
	}
	if len(p.Constraints) > 0 {
		*u = append(*u, field+".constraints: Kubernetes knows no paths of disks: name a StorageClass in profileName")
	}
	u.name(ptr.Deref(p.ProfileName, "a"), field+".profileName", "StorageClass")
}

// name refuses what no object of Kubernetes can be called.
func (u *refusals) name(name, field, of string) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		*u = append(*u, fmt.Sprintf("%s: %q is to be the name of a %s: lower case letters, digits, '-' and '.', a letter or digit at both ends", field, name, of))
	}
}

// claimed names the claims of the persistent volumes of a slot.
func (f *flags) claimed(app *v1alpha1.App, slot int) {
	for i := range f.mounts {
		if m := &f.mounts[i]; m.persistent != "" {
			m.claim = ClaimName(app, m.persistent, slot)
		}
	}
}

// within finds the persistent volume that a path of the sandbox is in, and where
// in it.
func within(spec *v1alpha1.AppSpec, inSandbox string) (volume, subPath string) {
	name, rest, _ := strings.Cut(inSandbox, "/")
	for _, p := range PersistentVolumes(spec) {
		if p.Name == name {
			return name, rest
		}
	}
	return "", ""
}

// ownVolumes lets the user of a task write its volumes, where the app names one:
// the file system of a new disk is root's.
func ownVolumes(pod *corev1ac.PodSpecApplyConfiguration, task *corev1ac.ContainerApplyConfiguration, mounts []mount) {
	security := task.SecurityContext
	if security == nil || ptr.Deref(security.RunAsUser, 0) == 0 || !slices.ContainsFunc(mounts, func(m mount) bool { return m.claim != "" || m.persistent != "" }) {
		return
	}
	pod.WithSecurityContext(corev1ac.PodSecurityContext().
		WithFSGroup(ptr.Deref(security.RunAsGroup, *security.RunAsUser)).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch))
}
