// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// task is what one container of a pod runs. Each of several containers is made
// from an App of its own that says the same, so that there is one way from what
// is asked for to a container.
type task struct {
	// name of the container, fetcher that of the one which fetches its files.
	name, fetcher string
	// id is the path id of what the container belongs to.
	id string
	// app asks for the container: the App itself, unless it has several.
	app *v1alpha1.App
	// raw is the spec of app as JSON.
	raw   string
	flags *flags
	ports []port

	// What follows is of one of several containers only.

	// of is the App with all of them, nil if there are not several.
	of *v1alpha1.App
	// all are the ports of all of them.
	all []port
	// index among them.
	index int
}

// tasksOf are the tasks of an instance.
func tasksOf(app *v1alpha1.App, settings Settings, config string, slot int, raw string) ([]task, error) {
	ports, err := assignPorts(app, settings, config, slot)
	if err != nil {
		return nil, err
	}
	if len(app.Spec.Containers) == 0 {
		flags, err := readFlags(&app.Spec)
		return []task{{name: ContainerName, fetcher: FetchContainerName, app: app, raw: raw, flags: flags, ports: ports}}, err
	}
	var tasks []task
	rest := ports
	for i := range app.Spec.Containers {
		c := &app.Spec.Containers[i]
		t := task{name: c.Name, fetcher: fetcherName(&app.Spec, c.Name), of: app, all: ports, index: i}
		t.ports, rest = rest[:len(c.Endpoints)], rest[len(c.Endpoints):]
		t.app = alone(app, i)
		if t.flags, err = readContainerFlags(&app.Spec, i); err != nil {
			return nil, fmt.Errorf("containers[%s].%w", c.Name, err)
		}
		own, err := json.Marshal(&t.app.Spec)
		if err != nil {
			return nil, fmt.Errorf("encode container: %w", err)
		}
		t.raw = string(own)
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// fetcherName is the name of the container that fetches the files of another:
// one that no container has.
func fetcherName(spec *v1alpha1.AppSpec, container string) string {
	name := FetchContainerName + "-" + container
	if len(name) > 63 || slices.ContainsFunc(spec.Containers, func(c v1alpha1.PodContainer) bool { return c.Name == name }) {
		return FetchContainerName + "-" + digest(container, name)
	}
	return name
}

// addTo adds the container to a pod, with what it needs there, and returns the
// checks that the manager makes of it.
func (t *task) addTo(pod *corev1ac.PodSpecApplyConfiguration, settings Settings, slot Slot) ([]TaskCheck, error) {
	spec := &t.app.Spec
	if t.of == nil {
		t.flags.claimed(t.app, slot.Number)
	}
	container, err := t.container(settings, slot)
	if err != nil {
		return nil, t.named(err)
	}
	if usesSandbox(spec, t.raw, t.flags.mounts) {
		if err := t.addSandbox(pod, container, settings); err != nil {
			return nil, t.named(err)
		}
	}
	pod.WithContainers(container)
	t.flags.toPod(pod)
	ownVolumes(pod, container, t.flags.mounts)
	if err := addPullSecret(pod, spec); err != nil {
		return nil, t.named(err)
	}
	checks := managerChecks(spec, t.ports)
	if t.of == nil {
		return checks, nil
	}
	for i := range checks {
		checks[i].Container = t.name
		checks[i].Condition = corev1.PodConditionType(fmt.Sprintf("%s-%d", v1alpha1.PodConditionCheck, t.index))
	}
	return checks, nil
}

// named says which of several containers an error is about.
func (t *task) named(err error) error {
	if t.of == nil {
		return err
	}
	return fmt.Errorf("containers[%s].%w", t.name, err)
}

// restartPolicy lets the kubelet start the one container of a task again. Of
// several, one that fails takes its instance with it: the manager launches all
// of them anew, as Marathon did.
func restartPolicy(spec *v1alpha1.AppSpec) corev1.RestartPolicy {
	if len(spec.Containers) > 0 {
		return corev1.RestartPolicyNever
	}
	return corev1.RestartPolicyAlways
}

// killGracePeriod is the time that an App asks for between SIGTERM and SIGKILL:
// of several containers the longest, for Kubernetes has one for a pod.
func killGracePeriod(spec *v1alpha1.AppSpec) int32 {
	var longest *int32
	for i := range spec.Containers {
		if l := spec.Containers[i].Lifecycle; l != nil && l.KillGracePeriodSeconds != nil {
			longest = ptr.To(max(*l.KillGracePeriodSeconds, ptr.Deref(longest, 0)))
		}
	}
	if longest != nil {
		return *longest
	}
	return ptr.Deref(spec.TaskKillGracePeriodSeconds, defaultGracePeriod)
}

// alone is an App with nothing but one of several containers.
func alone(app *v1alpha1.App, index int) *v1alpha1.App {
	s, c := &app.Spec, &app.Spec.Containers[index]
	own := v1alpha1.AppSpec{
		Cpus: c.Resources.Cpus, Mem: c.Resources.Mem, Disk: c.Resources.Disk, Gpus: c.Resources.Gpus,
		ResourceLimits: c.ResourceLimits,
		User:           s.User,
		Env:            containerEnv(s.Env, c.Env),
		Labels:         containerLabels(s.Labels, c.Labels),
		Fetch:          c.Artifacts,
		Networks:       s.Networks,
		Secrets:        s.Secrets,
		DrainSeconds:   s.DrainSeconds,
	}
	if index == 0 {
		own.ExecutorResources = s.ExecutorResources
	}
	if c.User != nil {
		own.User = c.User
	}
	own.Container = &v1alpha1.Container{Type: v1alpha1.EngineMesos, LinuxInfo: c.LinuxInfo}
	if i := c.Image; i != nil {
		own.Container.Docker = &v1alpha1.DockerContainer{Image: i.ID, ForcePullImage: i.ForcePull, PullConfig: i.PullConfig}
	}
	if e := c.Exec; e != nil {
		own.Cmd, own.Args = e.Command.Shell, e.Command.Argv
		if entrypoint(c) != "" {
			own.Args = own.Args[1:]
		}
	}
	own.HealthChecks, own.Check = containerHealthCheck(c), containerCheck(c)
	out := &v1alpha1.App{ObjectMeta: app.ObjectMeta, Spec: own}
	return out
}

// entrypoint is the program that takes the place of the image's, "" if none does.
func entrypoint(c *v1alpha1.PodContainer) string {
	if c.Exec == nil || c.Image == nil || !ptr.Deref(c.Exec.OverrideEntrypoint, false) || len(c.Exec.Command.Argv) == 0 {
		return ""
	}
	return c.Exec.Command.Argv[0]
}

// containersAnnotation is the value of ContainersAnnotation, "" for an App
// without several containers.
func containersAnnotation(spec *v1alpha1.AppSpec) string {
	var names []string
	for i := range spec.Containers {
		name := spec.Containers[i].Name
		if spec.Containers[i].HealthCheck != nil {
			name += checkedMark
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// checkedMark stands behind the name of a container with a health check.
const checkedMark = ":healthCheck"

// readContainerFlags reads what one of several containers asks of its pod.
func readContainerFlags(spec *v1alpha1.AppSpec, index int) (*flags, error) {
	c := &spec.Containers[index]
	f := &flags{
		prefix: fmt.Sprintf("c%d-", index), entrypoint: entrypoint(c),
		tty: ptr.Deref(c.TTY, false), stdin: ptr.Deref(c.TTY, false),
	}
	for i := range c.VolumeMounts {
		m, err := readVolumeMount(spec, &c.VolumeMounts[i])
		if err != nil {
			return nil, fmt.Errorf("volumeMounts[%s]: %w", c.VolumeMounts[i].MountPath, err)
		}
		f.mounts = append(f.mounts, m)
	}
	if err := f.readLinuxInfo(c.LinuxInfo); err != nil {
		return nil, fmt.Errorf("linuxInfo.%w", err)
	}
	// Its parent is the pod, whose containers share these in any case.
	f.hostIPC = false
	if err := checkMounts(f.mounts, f.shm > 0); err != nil {
		return nil, fmt.Errorf("volumeMounts: %w", err)
	}
	return f, nil
}

// readVolumeMount finds the volume that is mounted.
func readVolumeMount(spec *v1alpha1.AppSpec, m *v1alpha1.VolumeMount) (mount, error) {
	i := slices.IndexFunc(spec.Volumes, func(v v1alpha1.PodVolume) bool { return v.Name == m.Name })
	if i < 0 {
		return mount{}, fmt.Errorf("%q is no entry of volumes", m.Name)
	}
	v := &spec.Volumes[i]
	mode := v1alpha1.VolumeReadWrite
	if ptr.Deref(m.ReadOnly, false) {
		mode = v1alpha1.VolumeReadOnly
	}
	if v.Host != nil || v.Secret != nil {
		return readVolume(spec, &v1alpha1.Volume{ContainerPath: m.MountPath, Mode: mode, HostPath: v.Host, Secret: v.Secret})
	}
	out, err := newMount("", m.MountPath, mode == v1alpha1.VolumeReadOnly)
	out.volume = sharedVolume(i)
	if v.Persistent != nil {
		out.persistent = v.Name
	}
	return out, err
}

// sharedVolume is the name in a pod of one of the App's volumes.
func sharedVolume(index int) string { return fmt.Sprintf("volume-%d", index) }

// addVolumes adds the volumes that containers share: persistent ones, and
// directories that go with their pod.
func addVolumes(pod *corev1ac.PodSpecApplyConfiguration, app *v1alpha1.App, slot int) {
	for i := range app.Spec.Volumes {
		v := &app.Spec.Volumes[i]
		shared := corev1ac.Volume().WithName(sharedVolume(i))
		switch {
		case v.Host != nil || v.Secret != nil:
			continue
		case v.Persistent != nil:
			shared.WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(ClaimName(app, v.Name, slot)))
		default:
			shared.WithEmptyDir(corev1ac.EmptyDirVolumeSource())
		}
		pod.WithVolumes(shared)
	}
}

// endpointPorts gives the endpoints of all containers their numbers, in their order.
func endpointPorts(spec *v1alpha1.AppSpec, free *portSource) []port {
	var ports []port
	total := 0
	for i := range spec.Containers {
		total += len(spec.Containers[i].Endpoints)
	}
	free.expect(total)
	for i := range spec.Containers {
		for j := range spec.Containers[i].Endpoints {
			e := &spec.Containers[i].Endpoints[j]
			p := port{name: e.Name, protocol: v1alpha1.EndpointTransport(e.Protocol), host: ptr.Deref(e.HostPort, 0), container: ptr.Deref(e.ContainerPort, 0)}
			if spec.OnHostNetwork() {
				if p.host == 0 {
					p.host = free.next()
				}
				p.container = p.host
			} else if p.container == 0 {
				if p.container = p.host; p.container == 0 {
					p.container = free.next()
				}
			}
			ports = append(ports, p)
		}
	}
	return ports
}
