// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Fate is what becomes of a pod.
type Fate int

// The fates of pods.
const (
	// Runs and is ready.
	Runs Fate = iota
	// RunsUnready runs and never is ready.
	RunsUnready
	// Crashes again and again.
	Crashes
	// Unpullable has an image that is nowhere.
	Unpullable
	// Unplaceable fits no node.
	Unplaceable
	// Ends ends well, at once.
	Ends
)

// Kubelet plays scheduler and kubelet for the pods of a control plane that has
// neither: it binds them, starts them and lets them end when they are deleted.
type Kubelet struct {
	// Client may do everything.
	Client client.WithWatch
	// Fate decides about a pod; nil lets all run.
	Fate func(pod *corev1.Pod) Fate
	// Node is where a pod goes; nil puts all on one.
	Node func(pod *corev1.Pod) string
	// Linger is how long a deleted pod stays.
	Linger time.Duration
	// Address is the one of all pods; one that leads nowhere if empty.
	Address string

	wait sync.WaitGroup
}

// Run serves the pods until the context ends.
func (k *Kubelet) Run(ctx context.Context) error {
	events, err := k.Client.Watch(ctx, &corev1.PodList{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer k.wait.Wait()
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events.ResultChan():
			if !ok {
				return fmt.Errorf("watch of pods ended")
			}
			if pod, is := e.Object.(*corev1.Pod); is {
				k.serve(ctx, pod)
			}
		}
	}
}

func (k *Kubelet) serve(ctx context.Context, pod *corev1.Pod) {
	fate := Runs
	if k.Fate != nil {
		fate = k.Fate(pod)
	}
	switch {
	case pod.DeletionTimestamp != nil:
		k.wait.Go(func() { k.end(ctx, pod) })
	case fate == Unplaceable && len(pod.Spec.SchedulingGates) == 0 && !refused(pod):
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu.",
		}}
		k.update(ctx, pod)
	case fate == Unplaceable:
	case pod.Spec.NodeName == "":
		binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
		if k.Node != nil {
			binding.Target.Name = k.Node(pod)
		}
		if err := k.Client.SubResource("binding").Create(ctx, pod, binding); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			panic(err)
		}
	case len(pod.Status.ContainerStatuses) == 0:
		conditions := pod.Status.Conditions
		pod.Status = status(pod, fate)
		if k.Address != "" {
			pod.Status.PodIP, pod.Status.PodIPs = k.Address, nil
		}
		pod.Status.Conditions = append(pod.Status.Conditions, conditions...)
		judgeGates(pod)
		k.update(ctx, pod)
	case judgeGates(pod):
		k.update(ctx, pod)
	}
}

// refused says that a pod was told that no node takes it.
func refused(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Reason == corev1.PodReasonUnschedulable })
}

// judgeGates makes a pod whose container is ready ready as its readiness gates
// are, and says whether that changed it.
func judgeGates(pod *corev1.Pod) bool {
	if len(pod.Spec.ReadinessGates) == 0 {
		return false
	}
	open := map[corev1.PodConditionType]bool{}
	for _, c := range pod.Status.Conditions {
		open[c.Type] = c.Status == corev1.ConditionTrue
	}
	ready := corev1.ConditionFalse
	if pod.Status.ContainerStatuses[0].Ready && !slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return !open[g.ConditionType] }) {
		ready = corev1.ConditionTrue
	}
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady && c.Status != ready {
			c.Status = ready
			return true
		}
	}
	return false
}

func (k *Kubelet) update(ctx context.Context, pod *corev1.Pod) {
	if err := k.Client.Status().Update(ctx, pod); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		panic(err)
	}
}

// end removes a pod that was told to stop.
func (k *Kubelet) end(ctx context.Context, pod *corev1.Pod) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(k.Linger):
	}
	err := k.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
		panic(err)
	}
}

// status is what a kubelet would report.
func status(pod *corev1.Pod, fate Fate) corev1.PodStatus {
	now := metav1.Now()
	phase := corev1.PodRunning
	containers := make([]corev1.ContainerStatus, 0, len(pod.Spec.Containers))
	for i := range pod.Spec.Containers {
		container := corev1.ContainerStatus{
			Name: pod.Spec.Containers[i].Name, Ready: fate == Runs, Started: ptr.To(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}
		end := &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", FinishedAt: now}
		switch {
		case fate == Crashes && pod.Spec.RestartPolicy == corev1.RestartPolicyNever:
			// The first of several; the others run on.
			if i == 0 {
				container.State, container.Started = corev1.ContainerState{Terminated: end}, ptr.To(false)
			}
			if len(pod.Spec.Containers) == 1 {
				phase = corev1.PodFailed
			}
		case fate == Ends:
			end.ExitCode, end.Reason, phase = 0, "Completed", corev1.PodSucceeded
			container.State, container.Started = corev1.ContainerState{Terminated: end}, ptr.To(false)
		case fate == Crashes:
			container.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container"}}
			container.LastTerminationState.Terminated = end
			container.RestartCount, container.Started = 1, ptr.To(false)
		case fate == Unpullable:
			container.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}}
			container.Started, phase = ptr.To(false), corev1.PodPending
		}
		containers = append(containers, container)
	}
	ready := corev1.ConditionFalse
	if fate == Runs {
		ready = corev1.ConditionTrue
	}
	return corev1.PodStatus{
		Phase: phase, HostIP: "192.0.2.1", PodIP: "198.51.100.1", StartTime: &now,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: pod.CreationTimestamp}, {Type: corev1.PodReady, Status: ready, LastTransitionTime: now},
		},
		ContainerStatuses: containers,
	}
}
