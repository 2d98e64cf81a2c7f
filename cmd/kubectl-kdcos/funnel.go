// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// funnel are the reasons for which Marathon declines offers, in the order in
// which it looks at them.
var funnel = []string{
	"UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound", "AgentMaintenance",
	"InsufficientCpus", "InsufficientMemory", "InsufficientDisk", "InsufficientGpus", "InsufficientPorts", "DeclinedScarceResources",
}

// declined is a reason for which nodes do not take a pod, and how many.
type declined struct {
	reason string
	nodes  int
}

var (
	available = regexp.MustCompile(`^0/(\d+) nodes are available: `)
	counted   = regexp.MustCompile(`^(\d+) (.*)$`)
	taint     = regexp.MustCompile(`untolerated taint(?:\(s\))? \{([^:}]*)`)
)

// funnelOf reads a message of the scheduler as Marathon would have said it:
// of how many nodes each reason keeps how many. nodes is 0 if it can't be read.
func funnelOf(pod *corev1.Pod, message string) (all []declined, nodes int) {
	head := available.FindStringSubmatch(message)
	if head == nil {
		return nil, 0
	}
	nodes, _ = strconv.Atoi(head[1])
	for _, part := range strings.Split(strings.TrimSuffix(shortMessage(message[len(head[0]):]), "."), ", ") {
		m := counted.FindStringSubmatch(part)
		if m == nil {
			// About no node in particular.
			m = []string{"", head[1], part}
		}
		n, _ := strconv.Atoi(m[1])
		all = add(all, declined{reason: marathonReason(pod, m[2]), nodes: n})
	}
	slices.SortStableFunc(all, func(a, b declined) int { return cmp.Compare(rank(a), rank(b)) })
	return all, nodes
}

func add(all []declined, d declined) []declined {
	for i := range all {
		if all[i].reason == d.reason {
			all[i].nodes += d.nodes
			return all
		}
	}
	return append(all, d)
}

// rank is the place in the funnel; what Marathon does not know comes last.
func rank(d declined) int {
	if i := slices.Index(funnel, d.reason); i >= 0 {
		return i
	}
	return len(funnel)
}

// marathonReason finds Marathon's word for one of the scheduler's reasons. Of
// those without one the scheduler's own is kept.
func marathonReason(pod *corev1.Pod, reason string) string {
	if m := taint.FindStringSubmatch(reason); m != nil {
		switch {
		case strings.HasPrefix(m[1], "node.kubernetes.io/"):
			return "AgentMaintenance"
		case strings.Contains(m[1], "gpu"):
			return "DeclinedScarceResources"
		}
		return "UnfulfilledRole"
	}
	if resource, ok := strings.CutPrefix(reason, "Insufficient "); ok {
		switch {
		case resource == "cpu":
			return "InsufficientCpus"
		case resource == "memory":
			return "InsufficientMemory"
		case resource == "ephemeral-storage":
			return "InsufficientDisk"
		case strings.Contains(resource, "gpu"):
			return "InsufficientGpus"
		}
		return reason
	}
	if strings.Contains(reason, "node affinity/selector") && pod.Spec.NodeSelector[v1alpha1.NodeRoleLabel] != "" && pod.Spec.Affinity == nil {
		return "UnfulfilledRole" // constraints are affinities: the selector is for the role
	}
	for _, known := range []struct{ part, reason string }{
		{"untolerated taint", "UnfulfilledRole"}, // not told which
		{"free ports", "InsufficientPorts"},
		{"unschedulable", "AgentMaintenance"},
		{"ersistent", "NoCorrespondingReservationFound"}, // PersistentVolumeClaims and persistent volumes
		{"volume node affinity", "NoCorrespondingReservationFound"},
		{"affinity", "UnfulfilledConstraint"},
		{"topology spread", "UnfulfilledConstraint"},
	} {
		if strings.Contains(reason, known.part) {
			return known.reason
		}
	}
	return reason
}

// shortMessage leaves away what the scheduler says about preemption.
func shortMessage(message string) string {
	for _, end := range []string{" preemption: ", " no new claims to deallocate"} {
		if i := strings.Index(message, end); i > 0 {
			message = message[:i]
		}
	}
	return strings.TrimSpace(message)
}

// say writes a funnel as one line.
func say(all []declined, nodes int) string {
	parts := make([]string, 0, len(all))
	for _, d := range all {
		parts = append(parts, fmt.Sprintf("%s %d", d.reason, d.nodes))
	}
	return fmt.Sprintf("%s, of %d nodes", strings.Join(parts, ", "), nodes)
}
