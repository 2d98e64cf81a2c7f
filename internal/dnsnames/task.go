// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// Task is a running task.
type Task struct {
	// Name that it is found under: that of its discovery, web.shop for the app
	// /shop/web, or its own where it has none.
	Name      string
	Framework string
	// ID of the task.
	ID string
	// Agent is the part of its names that its node gives.
	Agent string
	// Discovered says that the task brings a discovery, and ports with it.
	Discovered bool
	Ports      []v1alpha1.DiscoveryPort
	// IPs of the task and of its node.
	IPs, NodeIPs []netip.Addr
	// Started is when its container started last.
	Started time.Time
}

// Tasks are those that run in the pod. There are none where the pod is no task
// of an App, or does not run yet or any more; whether it is healthy does not
// matter. The error says what a pod tells of itself that can't be.
func Tasks(pod *corev1.Pod, mapping pathid.Mapping) ([]Task, error) {
	raw, found := pod.Annotations[v1alpha1.DiscoveryAnnotation]
	if !found || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return nil, nil
	}
	var d v1alpha1.Discovery
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		return nil, fmt.Errorf("annotation %s: %w", v1alpha1.DiscoveryAnnotation, err)
	}
	if err := checkOwner(pod, &d, mapping); err != nil {
		return nil, fmt.Errorf("annotation %s: %w", v1alpha1.DiscoveryAnnotation, err)
	}
	ips, nodeIPs := podIPs(pod), hostIPs(pod)
	containers := d.Containers
	if len(containers) == 0 {
		containers = []string{v1alpha1.TaskContainer}
	}
	var tasks []Task
	for _, name := range containers {
		started, runs := running(pod, name)
		if !runs {
			continue
		}
		t := Task{
			Name: d.Name, Framework: d.Framework, Discovered: true, Agent: Agent(pod.Spec.NodeName),
			ID:  strings.NewReplacer("%s", string(pod.UID), "%c", name).Replace(d.TaskID),
			IPs: ips, NodeIPs: nodeIPs, Started: started,
		}
		for _, p := range d.Ports {
			if len(d.Containers) == 0 || p.Container == name {
				t.Ports = append(t.Ports, p)
			}
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// checkOwner keeps who may make pods in a namespace from taking names of
// another: the name has to be that of the pod's App.
func checkOwner(pod *corev1.Pod, d *v1alpha1.Discovery, mapping pathid.Mapping) error {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "App" || !strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/") {
		return fmt.Errorf("name: %q is that of an App, which does not control the pod", d.Name)
	}
	id, err := mapping.ID(pod.Namespace, owner.Name, pod.Annotations[v1alpha1.IDAnnotation])
	if err != nil {
		return err
	}
	if want := pathid.Reversed(id); d.Name != want {
		return fmt.Errorf("name: %q is not that of the App %s, which is %q", d.Name, id, want)
	}
	if d.Framework != v1alpha1.FrameworkMarathon {
		return fmt.Errorf("framework: %q is not that of Apps, which is %q", d.Framework, v1alpha1.FrameworkMarathon)
	}
	return nil
}

func running(pod *corev1.Pod, container string) (started time.Time, runs bool) {
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		if s.Name == container && s.State.Running != nil {
			return s.State.Running.StartedAt.Time, true
		}
	}
	return time.Time{}, false
}

func podIPs(pod *corev1.Pod) []netip.Addr {
	var all []string
	for _, ip := range pod.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return addresses(append(all, pod.Status.PodIP))
}

func hostIPs(pod *corev1.Pod) []netip.Addr {
	var all []string
	for _, ip := range pod.Status.HostIPs {
		all = append(all, ip.IP)
	}
	return addresses(append(all, pod.Status.HostIP))
}

// addresses are those that are some, each once.
func addresses(all []string) []netip.Addr {
	var out []netip.Addr
	for _, s := range all {
		if a, err := netip.ParseAddr(s); err == nil && !slices.Contains(out, a.Unmap()) {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// Equal says whether two tasks have the same names.
func (t *Task) Equal(other *Task) bool {
	return t.ID == other.ID && t.Name == other.Name && t.Framework == other.Framework && t.Agent == other.Agent &&
		t.Discovered == other.Discovered && slices.Equal(t.Ports, other.Ports) &&
		slices.Equal(t.IPs, other.IPs) && slices.Equal(t.NodeIPs, other.NodeIPs)
}

// Addresses are those that the task is reached at: the node's where it has any
// port there, its own elsewhere.
func (t *Task) Addresses() []netip.Addr {
	if t.onNode() || len(t.IPs) == 0 {
		return t.NodeIPs
	}
	return t.IPs
}

func (t *Task) onNode() bool {
	return slices.ContainsFunc(t.Ports, func(p v1alpha1.DiscoveryPort) bool { return p.HostPort != 0 })
}
