// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// HasHealthChecks says that health checks decide about the tasks of an App.
func HasHealthChecks(spec *v1alpha1.AppSpec) bool {
	return len(spec.HealthChecks) > 0 ||
		slices.ContainsFunc(spec.Containers, func(c v1alpha1.PodContainer) bool { return c.HealthCheck != nil })
}

// endpointIndex is the index of an endpoint among those of its container.
func endpointIndex(c *v1alpha1.PodContainer, name string) *int32 {
	i := slices.IndexFunc(c.Endpoints, func(e v1alpha1.Endpoint) bool { return e.Name == name })
	return ptr.To(int32(i)) //nolint:gosec // few; the schema refuses names of no endpoint
}

// containerHealthCheck is the health check of one of several containers in the
// form of an app: one that Mesos made beside the task.
func containerHealthCheck(c *v1alpha1.PodContainer) []v1alpha1.HealthCheck {
	h := c.HealthCheck
	if h == nil {
		return nil
	}
	out := v1alpha1.HealthCheck{
		IPProtocol:         "IPv4",
		GracePeriodSeconds: h.GracePeriodSeconds, IntervalSeconds: h.IntervalSeconds, TimeoutSeconds: h.TimeoutSeconds,
		DelaySeconds: h.DelaySeconds, MaxConsecutiveFailures: h.MaxConsecutiveFailures,
	}
	switch {
	case h.HTTP != nil:
		out.Protocol, out.PortIndex, out.Path = v1alpha1.HealthMesosHTTP, endpointIndex(c, h.HTTP.Endpoint), h.HTTP.Path
		if h.HTTP.Scheme == "HTTPS" {
			out.Protocol = v1alpha1.HealthMesosHTTPS
		}
	case h.TCP != nil:
		out.Protocol, out.PortIndex = v1alpha1.HealthMesosTCP, endpointIndex(c, h.TCP.Endpoint)
	default:
		// One without a shell is put in later: see runAsGiven.
		out.Protocol, out.Command = v1alpha1.HealthCommand, &v1alpha1.HealthCommandValue{Value: ptr.Deref(h.Exec.Command.Shell, "")}
	}
	return []v1alpha1.HealthCheck{out}
}

// runAsGiven lets the probes of a container run the arguments of its health
// check as they are, where they are for no shell: an app has no such check.
func (t *task) runAsGiven(c *corev1ac.ContainerApplyConfiguration) {
	if t.of == nil {
		return
	}
	h := t.of.Spec.Containers[t.index].HealthCheck
	if h == nil || h.Exec == nil || h.Exec.Command.Shell != nil {
		return
	}
	var argv []string
	for _, a := range h.Exec.Command.Argv {
		argv = append(argv, escape(a))
	}
	for _, p := range []*corev1ac.ProbeApplyConfiguration{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != nil {
			p.Exec.Command = argv
		}
	}
}

// containerCheck is the check of one of several containers in the form of an app.
func containerCheck(c *v1alpha1.PodContainer) *v1alpha1.Check {
	k := c.Check
	if k == nil {
		return nil
	}
	out := &v1alpha1.Check{Exec: k.Exec, IntervalSeconds: k.IntervalSeconds, TimeoutSeconds: k.TimeoutSeconds, DelaySeconds: k.DelaySeconds}
	if h := k.HTTP; h != nil {
		out.HTTP = &v1alpha1.HTTPCheck{PortIndex: endpointIndex(c, h.Endpoint), Path: h.Path, Scheme: &h.Scheme}
	}
	if t := k.TCP; t != nil {
		out.TCP = &v1alpha1.TCPCheck{PortIndex: endpointIndex(c, t.Endpoint)}
	}
	return out
}

// containersOf are the names of the containers of a pod that run tasks, with the
// mark of those with a health check; nil for a pod of one such container.
func containersOf(pod *corev1.Pod) []string {
	names, several := pod.Annotations[v1alpha1.ContainersAnnotation]
	if !several {
		return nil
	}
	return strings.Split(names, ",")
}

// Several says that a pod runs the several containers of an App.
func Several(pod *corev1.Pod) bool {
	_, several := pod.Annotations[v1alpha1.ContainersAnnotation]
	return several
}

// TaskStatus is the status of the container that runs the task of a pod, nil
// before there is one. Of several it is the one that says most about how their
// instance is: the first that failed; else one that has not started; else one
// that runs; and when all have ended, the last.
func TaskStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	names := containersOf(pod)
	if names == nil {
		return StatusOf(pod.Status.ContainerStatuses, ContainerName)
	}
	var telling *corev1.ContainerStatus
	is := standing(0)
	for _, name := range names {
		name, checked := strings.CutSuffix(name, checkedMark)
		c := StatusOf(pod.Status.ContainerStatuses, name)
		if c == nil {
			continue
		}
		if s := standingOf(c, checked); telling == nil || s < is || s == is && s.tellsMore(c, telling) {
			telling, is = c, s
		}
	}
	return telling
}

// tellsMore compares two containers of the same standing.
func (s standing) tellsMore(a, b *corev1.ContainerStatus) bool {
	switch s {
	case isFailed:
		return a.State.Terminated.FinishedAt.Before(&b.State.Terminated.FinishedAt)
	case isEnded:
		return b.State.Terminated.FinishedAt.Before(&a.State.Terminated.FinishedAt)
	case isWaiting, isStarting, isRunning:
	}
	return false
}

// standing is how one of several containers is, in the order of how much that
// tells about their instance.
type standing int

const (
	isFailed standing = iota
	isWaiting
	isStarting
	isRunning
	isEnded
)

func standingOf(c *corev1.ContainerStatus, checked bool) standing {
	switch {
	case failed(c, checked):
		return isFailed
	case c.State.Terminated != nil:
		return isEnded
	case c.State.Running == nil:
		return isWaiting
	case !ptr.Deref(c.Started, false):
		return isStarting
	}
	return isRunning
}

// failed says that a container ended in a way that ends its instance. One with
// a health check has, whatever it ended with: the kubelet ends it by a signal
// when the check fails, and many programs end with 0 then.
func failed(c *corev1.ContainerStatus, checked bool) bool {
	return c.State.Terminated != nil && (checked || c.State.Terminated.ExitCode != 0)
}

// Over says that an instance of several containers is to be launched anew: one
// of them failed, or its files can't be fetched, or all have ended.
func Over(pod *corev1.Pod) bool {
	names := containersOf(pod)
	if names == nil {
		return false
	}
	for _, c := range Fetchers(pod) {
		if failed(c, false) {
			return true
		}
	}
	ended := 0
	for _, name := range names {
		name, checked := strings.CutSuffix(name, checkedMark)
		c := StatusOf(pod.Status.ContainerStatuses, name)
		if c == nil || c.State.Terminated == nil {
			continue
		}
		if failed(c, checked) {
			return true
		}
		ended++
	}
	return ended > 0 && ended == len(names)
}

// Ready says that those of several containers that have not done their work are
// ready. Kubernetes takes no pod for ready of which a container has ended.
func Ready(pod *corev1.Pod) bool {
	running := 0
	for _, name := range containersOf(pod) {
		name, checked := strings.CutSuffix(name, checkedMark)
		c := StatusOf(pod.Status.ContainerStatuses, name)
		switch {
		case c == nil || failed(c, checked):
			return false
		case c.State.Terminated != nil:
		case c.State.Running == nil || !c.Ready:
			return false
		default:
			running++
		}
	}
	return running > 0
}

// StatusOf is the status of a container, nil if there is none yet.
func StatusOf(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// containerResults are the results of the health checks of several containers,
// all of which the kubelet makes.
func containerResults(pod *corev1.Pod, names []string) []CheckResult {
	var results []CheckResult
	for _, name := range names {
		if name, checked := strings.CutSuffix(name, checkedMark); checked {
			results = append(results, resultOf(pod, StatusOf(pod.Status.ContainerStatuses, name), fmt.Sprintf("containers[%s].healthCheck", name)))
		}
	}
	return results
}

// Fetchers are the statuses of the containers of a pod that fetch files.
func Fetchers(pod *corev1.Pod) []*corev1.ContainerStatus {
	var all []*corev1.ContainerStatus
	for i := range pod.Status.InitContainerStatuses {
		c := &pod.Status.InitContainerStatuses[i]
		if c.Name == FetchContainerName || Several(pod) && strings.HasPrefix(c.Name, FetchContainerName+"-") {
			all = append(all, c)
		}
	}
	return all
}

// containers refuses what several containers ask for and Pod does not act on.
func (u *refusals) containers(s *v1alpha1.AppSpec, settings Settings) {
	for i := range s.Containers {
		c := &s.Containers[i]
		field := fmt.Sprintf("spec.containers[%s]", c.Name)
		for j := range c.Artifacts {
			u.fetch(&c.Artifacts[j], fmt.Sprintf("%s.artifacts[%d]", field, j))
		}
		if len(c.Artifacts) > 0 && settings.FetcherImage == "" {
			*u = append(*u, field+".artifacts: the manager was not told the image of the fetcher: set its flag --fetcher-image")
		}
		if c.Image == nil && settings.BaseImage == "" {
			*u = append(*u, field+".image: containers without an image run on a base image, and the manager was told none: set manager.baseImage of the chart")
		}
		u.add(c.Check != nil && c.Check.Exec != nil, field+".check.exec",
			"a command as a check: nothing but the kubelet's probes, which act on what they find, runs commands in a task")
	}
	for i := range s.Volumes {
		u.persistent(s.Volumes[i].Persistent, fmt.Sprintf("spec.volumes[%s].persistent", s.Volumes[i].Name))
	}
}
