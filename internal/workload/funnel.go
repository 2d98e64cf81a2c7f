// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// funnel are the reasons for which Marathon declines offers, in the order in
// which it looks at them.
var funnel = []string{
	"UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound", "AgentMaintenance",
	"InsufficientCpus", "InsufficientMemory", "InsufficientDisk", "InsufficientGpus", "InsufficientPorts", "DeclinedScarceResources",
}

// Declined is a reason for which nodes do not take a pod.
type Declined struct {
	// Reason is Marathon's word for it, or the scheduler's where it has none.
	Reason string
	// Nodes is how many nodes it keeps.
	Nodes int
}

var (
	available = regexp.MustCompile(`^0/(\d+) nodes are available: `)
	counted   = regexp.MustCompile(`^(\d+) (.*)$`)
	taint     = regexp.MustCompile(`untolerated taint(?:\(s\))? \{([^:}]*)`)
)

// Funnel reads a message of the scheduler as Marathon would have said it: of how
// many nodes each reason keeps how many. constrained says that the pod has
// constraints beside its role. nodes is 0 if the message can't be read.
func Funnel(message string, constrained bool) (all []Declined, nodes int) {
	head := available.FindStringSubmatch(message)
	if head == nil {
		return nil, 0
	}
	nodes, _ = strconv.Atoi(head[1])
	for _, part := range strings.Split(strings.TrimSuffix(SchedulerWords(message[len(head[0]):]), "."), ", ") {
		m := counted.FindStringSubmatch(part)
		if m == nil {
			// About no node in particular.
			m = []string{"", head[1], part}
		}
		n, _ := strconv.Atoi(m[1])
		all = merge(all, Declined{Reason: marathonReason(m[2], constrained), Nodes: n})
	}
	slices.SortStableFunc(all, func(a, b Declined) int { return cmp.Compare(rank(a), rank(b)) })
	return all, nodes
}

func merge(all []Declined, d Declined) []Declined {
	for i := range all {
		if all[i].Reason == d.Reason {
			all[i].Nodes += d.Nodes
			return all
		}
	}
	return append(all, d)
}

// rank is the place in the funnel; what Marathon does not know comes last.
func rank(d Declined) int {
	if i := slices.Index(funnel, d.Reason); i >= 0 {
		return i
	}
	return len(funnel)
}

// marathonReason finds Marathon's word for one of the scheduler's reasons. Of
// those without one the scheduler's own is kept.
func marathonReason(reason string, constrained bool) string {
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
	if strings.Contains(reason, "node affinity/selector") && !constrained {
		return "UnfulfilledRole" // nothing else selects nodes
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

// SchedulerWords is a message of the scheduler without what it says about
// preemption and devices.
func SchedulerWords(message string) string {
	for _, end := range []string{" preemption: ", " no new claims to deallocate"} {
		if i := strings.Index(message, end); i > 0 {
			message = message[:i]
		}
	}
	return strings.TrimSpace(message)
}

// SayFunnel writes a funnel as one line.
func SayFunnel(all []Declined, nodes int) string {
	parts := make([]string, 0, len(all))
	for _, d := range all {
		parts = append(parts, fmt.Sprintf("%s %d", d.Reason, d.Nodes))
	}
	return fmt.Sprintf("%s, of %d nodes", strings.Join(parts, ", "), nodes)
}
