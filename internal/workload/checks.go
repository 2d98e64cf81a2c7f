// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TaskCheck is a check that the manager makes of a task, since no probe of the
// kubelet can say it. A pod carries its own: an App may have moved on while its
// old tasks are still checked as they were launched.
type TaskCheck struct {
	// Condition is the type of the pod condition that tells the result.
	Condition corev1.PodConditionType `json:"condition"`
	// Container is the one of several that is checked.
	Container string `json:"container,omitempty"`
	// Protocol is HTTP, HTTPS or TCP.
	Protocol string `json:"protocol"`
	// Port is the number of the port that the task listens on.
	Port int32 `json:"port"`
	// Path of an HTTP or HTTPS check, with its query.
	Path string `json:"path,omitempty"`
	// IPv6 asks for the task's IPv6 address.
	IPv6 bool `json:"ipv6,omitempty"`
	// IgnoreHTTP1xx takes an informational answer for no answer.
	IgnoreHTTP1xx bool `json:"ignoreHttp1xx,omitempty"`
	// Codes are the answers that mean success; without them 200 to 399.
	Codes []int32 `json:"codes,omitempty"`
	// KeepAnswer shows the body of the last answer, too.
	KeepAnswer bool `json:"keepAnswer,omitempty"`
	// DelaySeconds is the time from the start of the task to the first check.
	DelaySeconds int32 `json:"delaySeconds,omitempty"`
	// IntervalSeconds between two checks, and TimeoutSeconds of one.
	IntervalSeconds int32 `json:"intervalSeconds"`
	TimeoutSeconds  int32 `json:"timeoutSeconds"`
	// GraceSeconds is how long after its start failures of a task do not
	// count, until the first success.
	GraceSeconds int32 `json:"graceSeconds,omitempty"`
	// KillAfter is the number of failures in a row that ends the task; 0 is never.
	KillAfter int32 `json:"killAfter,omitempty"`
}

// Gates says that the check decides about the health of the task.
func (c *TaskCheck) Gates() bool {
	return strings.HasPrefix(string(c.Condition), v1alpha1.PodConditionHealthCheckPrefix)
}

// String names the check and what it asks for: "healthChecks[1] (HTTP :8080/health)".
func (c *TaskCheck) String() string {
	return fmt.Sprintf("%s (%s :%d%s)", c.field(), c.Protocol, c.Port, c.Path)
}

// field is the field of the App that asks for the check.
func (c *TaskCheck) field() string {
	if c.Container != "" {
		return fmt.Sprintf("containers[%s].check", c.Container)
	}
	switch c.Condition {
	case v1alpha1.PodConditionCheck:
		return "check"
	case v1alpha1.PodConditionReadinessCheck:
		return "readinessChecks[0]"
	}
	return "healthChecks[" + strings.TrimPrefix(string(c.Condition), v1alpha1.PodConditionHealthCheckPrefix) + "]"
}

// TaskChecks are the checks that the manager makes of the task of a pod.
func TaskChecks(pod *corev1.Pod) ([]TaskCheck, error) {
	text, is := pod.Annotations[v1alpha1.ChecksAnnotation]
	if !is {
		return nil, nil
	}
	var checks []TaskCheck
	if err := json.Unmarshal([]byte(text), &checks); err != nil {
		return nil, fmt.Errorf("decode annotation %s of pod %s: %w", v1alpha1.ChecksAnnotation, pod.Name, err)
	}
	return checks, nil
}

// kubeletCheck is the index of the health check that the kubelet makes, -1 if
// it makes none: the command, which only it can run, or the first that its
// probes can say.
func kubeletCheck(spec *v1alpha1.AppSpec) int {
	first := -1
	for i := range spec.HealthChecks {
		h := &spec.HealthChecks[i]
		if h.Protocol == v1alpha1.HealthCommand {
			return i
		}
		if first < 0 && h.IPProtocol != ipv6 && !ptr.Deref(h.IgnoreHTTP1xx, false) {
			first = i
		}
	}
	return first
}

const ipv6 = "IPv6"

// managerChecks are those checks of an App that the kubelet does not make.
func managerChecks(spec *v1alpha1.AppSpec, ports []port) []TaskCheck {
	var checks []TaskCheck
	kubelets := kubeletCheck(spec)
	for i := range spec.HealthChecks {
		if i != kubelets {
			checks = append(checks, healthCheck(i, &spec.HealthChecks[i], ports))
		}
	}
	if spec.Check != nil {
		checks = append(checks, reportingCheck(spec.Check, ports))
	}
	for i := range spec.ReadinessChecks {
		checks = append(checks, readinessCheck(&spec.ReadinessChecks[i], ports))
	}
	return checks
}

// readinessGates make the pod ready only while all health checks pass.
func readinessGates(checks []TaskCheck) []*corev1ac.PodReadinessGateApplyConfiguration {
	var gates []*corev1ac.PodReadinessGateApplyConfiguration
	for i := range checks {
		if checks[i].Gates() {
			gates = append(gates, corev1ac.PodReadinessGate().WithConditionType(checks[i].Condition))
		}
	}
	return gates
}

// gate is the condition of a health check.
func gate(index int) corev1.PodConditionType {
	return corev1.PodConditionType(fmt.Sprintf("%s%d", v1alpha1.PodConditionHealthCheckPrefix, index))
}

func healthCheck(index int, h *v1alpha1.HealthCheck, ports []port) TaskCheck {
	c := TaskCheck{
		Condition:       gate(index),
		Port:            checkedPort(h.Port, h.PortIndex, ports),
		IPv6:            h.IPProtocol == ipv6,
		IgnoreHTTP1xx:   ptr.Deref(h.IgnoreHTTP1xx, false),
		IntervalSeconds: max(*h.IntervalSeconds, 1),
		TimeoutSeconds:  max(*h.TimeoutSeconds, 1),
		GraceSeconds:    *h.GracePeriodSeconds,
	}
	c.Protocol = strings.TrimPrefix(string(h.Protocol), "MESOS_")
	if h.Protocol != v1alpha1.HealthTCP && h.Protocol != v1alpha1.HealthMesosTCP {
		c.Path = checkedPath(h.Path)
	}
	if failures, kills := killAfter(h); kills {
		c.KillAfter = failures
	}
	c.DelaySeconds = min(c.IntervalSeconds, firstCheckWithin)
	if atTask(h) {
		c.DelaySeconds = *h.DelaySeconds
	}
	return c
}

func reportingCheck(check *v1alpha1.Check, ports []port) TaskCheck {
	c := TaskCheck{
		Condition:       v1alpha1.PodConditionCheck,
		DelaySeconds:    *check.DelaySeconds,
		IntervalSeconds: max(*check.IntervalSeconds, 1),
		TimeoutSeconds:  max(*check.TimeoutSeconds, 1),
	}
	if tcp := check.TCP; tcp != nil {
		c.Protocol, c.Port = "TCP", checkedPort(tcp.Port, tcp.PortIndex, ports)
		return c
	}
	http := check.HTTP
	c.Protocol, c.Port, c.Path = ptr.Deref(http.Scheme, "HTTP"), checkedPort(http.Port, http.PortIndex, ports), checkedPath(http.Path)
	return c
}

func readinessCheck(r *v1alpha1.ReadinessCheck, ports []port) TaskCheck {
	c := TaskCheck{
		Condition:       v1alpha1.PodConditionReadinessCheck,
		Protocol:        r.Protocol,
		Path:            checkedPath(&r.Path),
		Codes:           r.HTTPStatusCodesForReady,
		KeepAnswer:      ptr.Deref(r.PreserveLastResponse, false),
		IntervalSeconds: *r.IntervalSeconds,
		TimeoutSeconds:  *r.TimeoutSeconds,
	}
	for _, p := range ports {
		if p.name == r.PortName {
			c.Port = p.container
			break
		}
	}
	return c
}

// checkedPort is the port a check goes to. The index is within the ports:
// Unsupported has refused others.
func checkedPort(number, index *int32, ports []port) int32 {
	if number != nil {
		return *number
	}
	return ports[ptr.Deref(index, 0)].container
}

// checkedPath is the path of a page; Marathon adds the leading slash.
func checkedPath(path *string) string {
	return "/" + strings.TrimPrefix(ptr.Deref(path, ""), "/")
}
