// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"errors"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// What a pod and its containers have in common with an app goes the way of an
// app: it is read as one, and what is said of that is said of the pod.

// PodToApp is ToApp for a pod.
func PodToApp(pod *Pod, opts Options) (*v1alpha1.App, error) {
	if pod == nil {
		return nil, invalid("/", wantObject)
	}
	p := &problems{}
	shared := pod.shared()
	a, err := shared.normalized(opts)
	p.translate(err, sharedPaths, "")
	checkPod(pod, opts, p)
	containers := make([]v1alpha1.PodContainer, 0, len(pod.Containers))
	for i := range pod.Containers {
		own, err := pod.Containers[i].alone(pod).normalized(opts)
		p.translate(err, containerPaths, index("/containers", i))
		if err == nil {
			containers = append(containers, pod.Containers[i].spec(own))
		}
	}
	if err := p.err(messageInvalidObject); err != nil {
		return nil, err
	}
	namespace, name, annotate, err := opts.mapping().Name(a.ID)
	if err != nil {
		return nil, invalid("/id", err.Error())
	}
	out := &v1alpha1.App{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	if annotate {
		out.Annotations = map[string]string{v1alpha1.IDAnnotation: a.ID}
	}
	s := a.spec()
	s.Args, s.Container, s.PortDefinitions = nil, nil, nil
	s.Containers, s.Volumes = containers, podVolumeSpec(pod.Volumes)
	s.DeepCopyInto(&out.Spec)
	return out, nil
}

// sharedPaths are where a pod has what an app has, containerPaths where a
// container has it.
var (
	sharedPaths = []([2]string){
		{"/id", "/id"},
		{"/labels", "/labels"},
		{"/user", "/user"},
		{"/env", "/environment"},
		{"/secrets", "/secrets"},
		{"/networks", "/networks"},
		{"/instances", "/scaling/instances"},
		{"/executorResources", "/executorResources"},
		{"/role", "/role"},
		{"/backoffSeconds", "/scheduling/backoff/backoff"},
		{"/backoffFactor", "/scheduling/backoff/backoffFactor"},
		{"/maxLaunchDelaySeconds", "/scheduling/backoff/maxLaunchDelay"},
		{"/upgradeStrategy", "/scheduling/upgrade"},
		{"/constraints", "/scheduling/placement/constraints"},
		{"/acceptedResourceRoles", "/scheduling/placement/acceptedResourceRoles"},
		{"/unreachableStrategy", "/scheduling/unreachableStrategy"},
		{"/dependencies", "/dependencies"},
		{"/drainSeconds", "/drainSeconds"},
		{"/rollout", "/rollout"},
		{"/container/volumes", "/volumes"},
		{"/", "/"},
	}
	containerPaths = []([2]string){
		{"/cpus", "/resources/cpus"},
		{"/mem", "/resources/mem"},
		{"/disk", "/resources/disk"},
		{"/gpus", "/resources/gpus"},
		{"/resourceLimits", "/resourceLimits"},
		{"/container/docker/image", "/image/id"},
		{"/container/docker/pullConfig", "/image/pullConfig"},
		{"/env", "/environment"},
		{"/user", "/user"},
		{"/fetch", "/artifacts"},
		{"/labels", "/labels"},
		{"/container/linuxInfo", "/linuxInfo"},
	}
)

// translate adds what was said of an app, in terms of what is there instead.
// What is said of anything else there is no second time.
func (p *problems) translate(err error, paths [][2]string, below string) {
	var said *Error
	if !errors.As(err, &said) {
		return
	}
	for _, d := range said.Details {
		for _, path := range paths {
			rest, found := strings.CutPrefix(d.Path, path[0])
			if !found || rest != "" && rest[0] != '/' && rest[0] != '(' {
				continue
			}
			for _, message := range d.Errors {
				p.add(below+path[1]+rest, message)
			}
			break
		}
	}
}

// shared is an app with all that a pod has as a whole.
func (pod *Pod) shared() *App {
	a := &App{
		ID: pod.ID, Args: []string{"true"}, Labels: pod.Labels, User: pod.User, Env: pod.Environment, Secrets: pod.Secrets, Networks: pod.Networks,
		ExecutorResources: pod.ExecutorResources, Role: pod.Role, Dependencies: pod.Dependencies, DrainSeconds: pod.DrainSeconds,
		PerNode: pod.PerNode, Rollout: pod.Rollout, Suspend: pod.Suspend,
		PortDefinitions: []PortDefinition{}, Container: &Container{Type: v1alpha1.EngineMesos, PortMappings: []PortMapping{}},
	}
	if s := pod.Scaling; s != nil {
		a.Instances = s.Instances
	}
	if s := pod.Scheduling; s != nil {
		a.UpgradeStrategy, a.KillSelection, a.UnreachableStrategy = s.Upgrade, s.KillSelection, s.UnreachableStrategy
		if b := s.Backoff; b != nil {
			a.BackoffSeconds, a.BackoffFactor, a.MaxLaunchDelaySeconds = b.Backoff, b.BackoffFactor, b.MaxLaunchDelay
		}
		if l := s.Placement; l != nil {
			a.AcceptedResourceRoles = orNone(l.AcceptedResourceRoles)
			for _, c := range l.Constraints {
				triple := []string{c.FieldName, c.Operator}
				if c.Value != nil {
					triple = append(triple, *c.Value)
				}
				a.Constraints = append(a.Constraints, triple)
			}
		}
	}
	// What stays decides about the strategies.
	for _, v := range pod.Volumes {
		if v.Persistent != nil {
			a.Container.Volumes = append(a.Container.Volumes, Volume{ContainerPath: v.Name, Mode: v1alpha1.VolumeReadWrite, Persistent: v.Persistent})
		}
	}
	return a
}

// alone is an app with all that one container has.
func (c *PodContainer) alone(pod *Pod) *App {
	a := &App{
		ID: pod.ID, Args: []string{"true"}, Role: pod.Role, Secrets: pod.Secrets,
		Cpus: c.Resources.Cpus, Mem: c.Resources.Mem, Disk: c.Resources.Disk, Gpus: c.Resources.Gpus, ResourceLimits: c.ResourceLimits,
		Env: c.Environment, User: c.User, Fetch: c.Artifacts, Labels: c.Labels,
		Container: &Container{Type: v1alpha1.EngineMesos, LinuxInfo: c.LinuxInfo},
	}
	if i := c.Image; i != nil {
		a.Container.Docker = &Docker{Image: i.ID, PullConfig: i.PullConfig}
	}
	return a
}

// spec returns the container, with what it is alone in canonical form.
func (c *PodContainer) spec(own *App) v1alpha1.PodContainer {
	out := v1alpha1.PodContainer{
		Name:           c.Name,
		ResourceLimits: own.ResourceLimits.spec(),
		Env:            envSpec(own.Env),
		User:           own.User,
		HealthCheck:    c.HealthCheck.spec(),
		Check:          c.Check.spec(),
		Artifacts:      fetchSpec(own.Fetch),
		Labels:         labelSpec(own.Labels),
		TTY:            said(c.TTY, false),
		LinuxInfo:      own.Container.LinuxInfo.spec(),
	}
	if r := c.Resources; said(r.Cpus, 1) != nil || said(r.Mem, 128) != nil || said(r.Disk, 0) != nil || said(r.Gpus, 0) != nil {
		out.Resources = &v1alpha1.PodResources{Cpus: said(r.Cpus, 1), Mem: said(r.Mem, 128), Disk: said(r.Disk, 0), Gpus: said(r.Gpus, 0)}
	}
	if e := c.Exec; e != nil {
		out.Exec = &v1alpha1.PodExec{Command: v1alpha1.ShellOrArgv{Shell: e.Command.Shell, Argv: e.Command.Argv}}
		if e.Command.Shell == nil {
			out.Exec.OverrideEntrypoint = said(e.OverrideEntrypoint, false)
		}
	}
	if i := c.Image; i != nil {
		out.Image = &v1alpha1.PodImage{ID: i.ID, ForcePull: said(i.ForcePull, false), Labels: labelSpec(i.Labels)}
		if i.PullConfig != nil {
			out.Image.PullConfig = &v1alpha1.PullConfig{Secret: i.PullConfig.Secret}
		}
	}
	for _, e := range c.Endpoints {
		endpoint := v1alpha1.Endpoint{
			Name: e.Name, ContainerPort: e.ContainerPort, HostPort: e.HostPort, Protocol: e.Protocol,
			NetworkNames: orNone(e.NetworkNames), Labels: labelSpec(e.Labels),
		}
		if len(e.Protocol) == 0 || slices.Equal(e.Protocol, []string{string(v1alpha1.ProtocolTCP)}) {
			endpoint.Protocol = nil
		}
		out.Endpoints = append(out.Endpoints, endpoint)
	}
	for _, m := range c.VolumeMounts {
		out.VolumeMounts = append(out.VolumeMounts, v1alpha1.VolumeMount{Name: m.Name, MountPath: m.MountPath, ReadOnly: said(m.ReadOnly, false)})
	}
	if l := c.Lifecycle; l != nil && l.KillGracePeriodSeconds != nil {
		out.Lifecycle = &v1alpha1.PodLifecycle{KillGracePeriodSeconds: l.KillGracePeriodSeconds}
	}
	return out
}

func (h *PodHealthCheck) spec() *v1alpha1.PodHealthCheck {
	if h == nil {
		return nil
	}
	return &v1alpha1.PodHealthCheck{
		HTTP: h.HTTP.spec(), TCP: h.TCP.spec(), Exec: h.Exec.spec(),
		GracePeriodSeconds: said(h.GracePeriodSeconds, 300), IntervalSeconds: said(h.IntervalSeconds, 60),
		MaxConsecutiveFailures: said(h.MaxConsecutiveFailures, 3), TimeoutSeconds: said(h.TimeoutSeconds, 20), DelaySeconds: said(h.DelaySeconds, 15),
	}
}

func (k *PodCheck) spec() *v1alpha1.PodCheck {
	if k == nil {
		return nil
	}
	return &v1alpha1.PodCheck{
		HTTP: k.HTTP.spec(), TCP: k.TCP.spec(), Exec: k.Exec.spec(),
		IntervalSeconds: said(k.IntervalSeconds, 60), TimeoutSeconds: said(k.TimeoutSeconds, 20), DelaySeconds: said(k.DelaySeconds, 15),
	}
}

func (h *EndpointHTTPCheck) spec() *v1alpha1.PodHTTPCheck {
	if h == nil {
		return nil
	}
	return &v1alpha1.PodHTTPCheck{Endpoint: h.Endpoint, Path: h.Path, Scheme: saidValue(h.Scheme, "HTTP")}
}

func (t *EndpointTCPCheck) spec() *v1alpha1.PodTCPCheck {
	if t == nil {
		return nil
	}
	return &v1alpha1.PodTCPCheck{Endpoint: t.Endpoint}
}

func (e *ExecCheck) spec() *v1alpha1.ExecCheck {
	if e == nil {
		return nil
	}
	return &v1alpha1.ExecCheck{Command: v1alpha1.ShellOrArgv{Shell: e.Command.Shell, Argv: e.Command.Argv}}
}

func podVolumeSpec(volumes []PodVolume) []v1alpha1.PodVolume {
	var out []v1alpha1.PodVolume
	for _, v := range volumes {
		out = append(out, v1alpha1.PodVolume{Name: v.Name, Host: v.Host, Persistent: v.Persistent.settled().spec(), Secret: v.Secret})
	}
	return out
}

// settled is a persistent volume with its type: a disk with a profile is one
// that was carved out for volumes.
func (p *PersistentVolume) settled() *PersistentVolume {
	if p == nil || p.Type != "" {
		return p
	}
	out := ptr.To(*p)
	out.Type = v1alpha1.PersistentRoot
	if p.ProfileName != nil {
		out.Type = v1alpha1.PersistentMount
	}
	return out
}
