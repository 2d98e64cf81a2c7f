// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"regexp"
	"slices"
	"strconv"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// The kinds of images.
const (
	imageDocker = "DOCKER"
	imageAppc   = "APPC"
)

// The bounds of our schema for pods, as those in bounds.go.
const (
	boundContainers   = 16
	boundEndpoints    = 16
	boundContainerEnv = 128
	boundVolumes      = 32
	boundProtocols    = 4
)

const oneKindOfCheck = "expected one of http, tcp or exec checks"

// podEnvName is what Marathon takes for the name of a variable of a pod.
var podEnvName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,253}$`)

// checkPod holds what a pod has and an app has not.
func checkPod(pod *Pod, opts Options, p *problems) {
	b := bounds{p}
	p.check(len(pod.Containers) > 0, "/containers", mustNotBeEmpty)
	b.count("/containers", len(pod.Containers), boundContainers)
	p.check(pod.LinuxInfo == nil, "/linuxInfo", "settings of the kernel for all containers are not supported: use linuxInfo of a container")
	checkPodEnv("/environment", pod.Environment, p)
	if len(pod.Containers) > boundContainers {
		return
	}
	checkPodVolumes(pod, b)
	c := podChecker{pod: pod, opts: opts.filled(), bounds: b, endpoints: map[string]bool{}, hostPorts: map[int32]bool{}, containerPorts: map[int32]bool{}}
	names := map[string]bool{}
	for i := range pod.Containers {
		path := index("/containers", i)
		b.check(!names[pod.Containers[i].Name], path+"/name", "another container has this name")
		names[pod.Containers[i].Name] = true
		c.container(path, &pod.Containers[i])
	}
}

func checkPodEnv(path string, env map[string]EnvValue, p *problems) {
	for _, name := range sortedKeys(env) {
		p.check(podEnvName.MatchString(name), path+"/"+name, "the name of a variable "+mustMatch(podEnvName))
	}
}

func checkPodVolumes(pod *Pod, b bounds) {
	b.count("/volumes", len(pod.Volumes), boundVolumes)
	mounted := map[string]bool{}
	for i := range pod.Containers {
		for _, m := range pod.Containers[i].VolumeMounts {
			mounted[m.Name] = true
		}
	}
	names := map[string]bool{}
	for i, v := range pod.Volumes {
		path := index("/volumes", i)
		b.check(!names[v.Name], path+"/name", "another volume has this name")
		names[v.Name] = true
		kinds := 0
		for _, there := range []bool{v.Host != nil, v.Persistent != nil, v.Secret != nil} {
			if there {
				kinds++
			}
		}
		b.check(kinds <= 1, path, "expected at most one of host, persistent and secret")
		b.check(mounted[v.Name], path, "no container mounts it")
		if v.Secret != nil {
			_, ok := pod.Secrets[*v.Secret]
			b.check(ok, path, "volume.secret must refer to an existing secret")
			b.text(path+"/secret", *v.Secret, 1, boundName)
		}
	}
}

// podChecker holds the rules for containers, some of which are about all of them.
type podChecker struct {
	bounds
	pod  *Pod
	opts Options
	// What is taken.
	endpoints                 map[string]bool
	hostPorts, containerPorts map[int32]bool
}

func (c *podChecker) container(path string, container *PodContainer) {
	c.check(container.Exec != nil || container.Image != nil, path, "a container needs an exec or an image")
	if e := container.Exec; e != nil {
		c.check(e.Command.Shell == nil || ptr.Deref(e.OverrideEntrypoint, true), path+"/exec/overrideEntrypoint", "must not be false with a shell command")
		c.command(path+"/exec/command", e.Command)
	}
	if i := container.Image; i != nil {
		c.check(i.Kind != imageAppc, path+"/image/kind", "images of kind APPC are not supported: use DOCKER")
		c.labels(path+"/image/labels", i.Labels, boundOptions)
	}
	checkPodEnv(path+"/environment", container.Environment, c.problems)
	c.count(path+"/environment", len(container.Environment), boundContainerEnv)
	c.count(path+"/artifacts", len(container.Artifacts), boundOptions)
	c.count(path+"/labels", len(container.Labels), boundOptions)
	if l := container.Lifecycle; l != nil {
		c.number(path+"/lifecycle/killGracePeriodSeconds", float64(ptr.Deref(l.KillGracePeriodSeconds, 0)), 0, boundDay)
	}
	c.mounts(path+"/volumeMounts", container)
	c.count(path+"/endpoints", len(container.Endpoints), boundEndpoints)
	for i := range container.Endpoints {
		c.endpoint(index(path+"/endpoints", i), &container.Endpoints[i])
	}
	if h := container.HealthCheck; h != nil {
		c.kind(path+"/healthCheck", container, h.HTTP, h.TCP, h.Exec)
		c.times(path+"/healthCheck", map[string]*int32{
			"gracePeriodSeconds": h.GracePeriodSeconds, "intervalSeconds": h.IntervalSeconds, "timeoutSeconds": h.TimeoutSeconds, "delaySeconds": h.DelaySeconds,
		})
		c.number(path+"/healthCheck/maxConsecutiveFailures", float64(ptr.Deref(h.MaxConsecutiveFailures, 0)), 0, 100000)
		timeout, interval := ptr.Deref(h.TimeoutSeconds, 20), ptr.Deref(h.IntervalSeconds, 60)
		c.check(timeout < interval, path+"/healthCheck/timeoutSeconds", got(strconv.Itoa(int(timeout)), "less than "+strconv.Itoa(int(interval))))
	}
	if k := container.Check; k != nil {
		c.kind(path+"/check", container, k.HTTP, k.TCP, k.Exec)
		c.times(path+"/check", map[string]*int32{"intervalSeconds": k.IntervalSeconds, "timeoutSeconds": k.TimeoutSeconds, "delaySeconds": k.DelaySeconds})
	}
}

func (c *podChecker) command(path string, command ShellOrArgv) {
	c.text(path+"/shell", ptr.Deref(command.Shell, "-"), 1, boundCheck)
	c.count(path+"/argv", len(command.Argv), 1024)
}

func (c *podChecker) mounts(path string, container *PodContainer) {
	c.count(path, len(container.VolumeMounts), boundVolumes)
	seen := map[string]bool{}
	for i, m := range container.VolumeMounts {
		known := slices.ContainsFunc(c.pod.Volumes, func(v PodVolume) bool { return v.Name == m.Name })
		c.check(known, index(path, i)+"/name", "there is no volume of this name")
		c.check(!seen[m.MountPath], index(path, i)+"/mountPath", "there is another volume with this mountPath")
		seen[m.MountPath] = true
	}
}

// kind holds that a check is of one kind, and that its endpoint is there.
func (c *podChecker) kind(path string, container *PodContainer, http *EndpointHTTPCheck, tcp *EndpointTCPCheck, exec *ExecCheck) {
	kinds, endpoint := 0, ""
	if http != nil {
		kinds, endpoint = kinds+1, http.Endpoint
		path += "/http"
	}
	if tcp != nil {
		kinds, endpoint = kinds+1, tcp.Endpoint
		path += "/tcp"
	}
	if exec != nil {
		kinds++
		path += "/exec"
		c.command(path+"/command", exec.Command)
	}
	c.check(kinds == 1, path, oneKindOfCheck)
	known := slices.ContainsFunc(container.Endpoints, func(e Endpoint) bool { return e.Name == endpoint })
	c.check(kinds != 1 || exec != nil || known, path+"/endpoint", "must be the name of an endpoint of the container")
}

func (c *podChecker) endpoint(path string, e *Endpoint) {
	c.check(!c.endpoints[e.Name], path+"/name", "another endpoint of the pod has this name")
	c.endpoints[e.Name] = true
	onHost := len(c.pod.Networks) == 0 || c.pod.Networks[0].Mode == v1alpha1.NetworkHost
	c.check(!onHost || e.ContainerPort == nil, path+"/containerPort", "is not allowed when using host-mode networking")
	c.check(onHost || e.ContainerPort != nil, path+"/containerPort", "is required when using container-mode networking")
	unique := func(name string, port *int32, taken map[int32]bool) {
		if port != nil && *port != 0 {
			c.check(!taken[*port], path+"/"+name, "another endpoint of the pod has this port")
			taken[*port] = true
		}
	}
	unique("hostPort", e.HostPort, c.hostPorts)
	unique("containerPort", e.ContainerPort, c.containerPorts)
	c.count(path+"/protocol", len(e.Protocol), boundProtocols)
	c.labels(path+"/labels", e.Labels, boundOptions)
	c.count(path+"/networkNames", len(e.NetworkNames), boundNetworks)
	var names []string
	for _, n := range c.pod.Networks {
		switch {
		case n.Name != nil:
			names = append(names, *n.Name)
		case n.Mode == "" || n.Mode == v1alpha1.NetworkContainer:
			names = append(names, c.opts.DefaultNetwork)
		}
	}
	for i, name := range e.NetworkNames {
		c.check(slices.Contains(names, name), index(path+"/networkNames", i), "is not one of the pod's networks")
	}
	c.check(len(c.pod.Networks) <= 1 || e.HostPort == nil || len(e.NetworkNames) == 1, path, networkNameRequired)
}
