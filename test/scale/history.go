// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// history is what became of the pods of a namespace, in the order in which the API
// server tells it, with a ledger of its own: what the manager says of itself plays
// no part.
type history struct {
	mu sync.Mutex
	// pods are those that are there.
	pods map[types.UID]*charged
	// limit and used are in thousandths of CPUs; peak is the most that was used,
	// and excess how many times more was used than the limit that held.
	limit, used, peak int64
	excess            int
	// released are pods in the order in which they were let in.
	released []release
	// goneAt is when pods of an owner went: their successors may pass others.
	goneAt map[types.UID]time.Time
	last   time.Time
	err    error
}

// charged is a pod in the ledger.
type charged struct {
	name           string
	owner          types.UID
	cpu            int64
	gated, counts  bool
	placed, ended  bool
	runs           bool
	since, created time.Time
	letIn          time.Time
}

// release is a pod that was let in, and who waited then in front of it.
type release struct {
	at     time.Time
	behind []types.UID
}

// fair is how much later than one behind it a pod may be let in: releases are
// requests of their own, many at once.
const fair = 5 * time.Second

// historyOf begins to write the history of a namespace.
func (c *cluster) historyOf(ctx context.Context, namespace string, limit int64) (*history, error) {
	h := &history{pods: map[types.UID]*charged{}, goneAt: map[types.UID]time.Time{}, limit: limit, last: time.Now()}
	var list corev1.PodList
	if err := c.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range list.Items {
		h.see(watch.Added, &list.Items[i])
	}
	open := func(version string) (watch.Interface, error) {
		return c.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true}})
	}
	version := list.ResourceVersion
	events, err := open(version)
	if err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	go func() {
		for ctx.Err() == nil {
			for e := range events.ResultChan() {
				pod, is := e.Object.(*corev1.Pod)
				if !is {
					h.fail(fmt.Errorf("the history of pods breaks off: %v", e.Object))
					return
				}
				version = pod.ResourceVersion
				if e.Type != watch.Bookmark {
					h.see(e.Type, pod)
				}
			}
			// It goes on where it was: nothing is left out, or it fails.
			if events, err = open(version); err != nil && ctx.Err() == nil {
				h.fail(fmt.Errorf("watch pods: %w", err))
				return
			}
		}
	}()
	return h, nil
}

func (h *history) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = errors.Join(h.err, err)
}

// see enters an event.
func (h *history) see(kind watch.EventType, pod *corev1.Pod) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.last = now
	p := h.pods[pod.UID]
	if p == nil {
		p = read(pod)
		h.pods[pod.UID] = p
	}
	counted := p.counts
	gated := slices.ContainsFunc(pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.QuotaGate })
	p.ended = pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	p.placed = pod.Spec.NodeName != ""
	p.runs = pod.Status.Phase == corev1.PodRunning
	if p.gated && !gated && kind != watch.Deleted {
		p.letIn = now
		h.letIn(p, now)
	}
	p.gated = gated
	p.counts = kind != watch.Deleted && !gated && !p.ended
	switch {
	case p.counts && !counted:
		h.used += p.cpu
		h.peak = max(h.peak, h.used)
		if h.used > h.limit {
			h.excess++
		}
	case !p.counts && counted:
		h.used -= p.cpu
		h.goneAt[p.owner] = now
	}
	if kind == watch.Deleted {
		delete(h.pods, pod.UID)
	}
}

func read(pod *corev1.Pod) *charged {
	p := &charged{name: pod.Name, since: pod.CreationTimestamp.Time, created: time.Now(), gated: false}
	for i := range pod.Spec.Containers {
		p.cpu += pod.Spec.Containers[i].Resources.Requests.Cpu().MilliValue()
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		p.owner = owner.UID
	}
	if at, err := time.Parse(time.RFC3339, pod.Annotations[v1alpha1.QuotaQueuedAtAnnotation]); err == nil {
		p.since = at
	}
	return p
}

// letIn notes who stood in front of a pod that was let in. One whose owner has
// just lost a pod has its share, and may pass.
func (h *history) letIn(p *charged, now time.Time) {
	if p.owner != "" && now.Sub(h.goneAt[p.owner]) < time.Minute {
		return
	}
	r := release{at: now}
	for uid, other := range h.pods {
		if other.gated && other != p && other.since.Before(p.since) && now.Sub(other.created) > fair {
			r.behind = append(r.behind, uid)
		}
	}
	h.released = append(h.released, r)
}

// judge counts releases that were out of order: somebody in front still waits
// long after, or was let in long after.
func (h *history) judge() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, r := range h.released {
		if slices.ContainsFunc(r.behind, func(uid types.UID) bool {
			other := h.pods[uid]
			return other != nil && (other.gated && time.Since(r.at) > fair || other.letIn.Sub(r.at) > fair)
		}) {
			n++
		}
	}
	return n
}

// census is what is there now.
type census struct {
	waiting, counting, placed, ended int
	used                             int64
}

func (h *history) census(of func(name string) bool) census {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := census{used: h.used}
	for _, p := range h.pods {
		switch {
		case !of(p.name):
		case p.gated:
			c.waiting++
		case p.ended:
			c.ended++
		case p.counts:
			c.counting++
			if p.placed {
				c.placed++
			}
		}
	}
	return c
}

// running are the names of pods with the prefix that run. One that does not yet is
// still to be written by who simulates its node.
func (h *history) running(prefix string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, p := range h.pods {
		if p.counts && p.runs && strings.HasPrefix(p.name, prefix) {
			names = append(names, p.name)
		}
	}
	return names
}

func everyone(string) bool { return true }
