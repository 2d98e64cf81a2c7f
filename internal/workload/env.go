// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// podUID is the variable that MESOS_TASK_ID refers to: the id of an instance
// is the uid of its pod, so that no two tasks ever share one.
const podUID = "KDCOS_POD_UID"

// Marathon leaves out labels this long when it makes variables of them.
const (
	maxLabelNameLength  = 493
	maxLabelValueLength = 512
)

// environment is what a task finds in its environment: what Marathon injects,
// less what the app sets itself, then what the app sets: own.
func environment(app *v1alpha1.App, id string, own []v1alpha1.EnvVar, slot Slot, ports []port) ([]*corev1ac.EnvVarApplyConfiguration, error) {
	e := envBuilder{users: map[string]bool{}}
	for _, v := range own {
		e.users[v.Name] = true
	}
	e.field(podUID, "metadata.uid")
	e.add("MESOS_TASK_ID", fmt.Sprintf("%s.instance-$(%s)._app.1", pathid.Safe(id), podUID))
	e.add("MARATHON_APP_ID", id)
	e.add("MARATHON_APP_VERSION", slot.Version)
	if hasImage(&app.Spec) && app.Spec.Container.Type == v1alpha1.EngineDocker {
		e.add("MARATHON_APP_DOCKER_IMAGE", escape(app.Spec.Container.Docker.Image))
	}
	e.add("MARATHON_APP_RESOURCE_CPUS", double(*app.Spec.Cpus))
	e.add("MARATHON_APP_RESOURCE_MEM", double(*app.Spec.Mem))
	e.add("MARATHON_APP_RESOURCE_DISK", double(*app.Spec.Disk))
	e.add("MARATHON_APP_RESOURCE_GPUS", strconv.FormatInt(gpus(&app.Spec), 10))
	e.add("MARATHON_APP_ENFORCE_GROUP_ROLE", "FALSE")
	e.add("MARATHON_APP_INSTANCE_INDEX", strconv.Itoa(slot.Number))
	e.labels(app.Spec.Labels)
	if app.Spec.OnHostNetwork() || len(ports) > 0 && ports[0].host != 0 {
		e.field("HOST", "status.hostIP")
	} else {
		e.field("HOST", "status.podIP")
	}
	e.ports(ports)
	if err := e.own(&app.Spec, own); err != nil {
		return nil, err
	}
	return e.vars, nil
}

// own adds what the app sets itself.
func (e *envBuilder) own(spec *v1alpha1.AppSpec, own []v1alpha1.EnvVar) error {
	for _, v := range own {
		set := corev1ac.EnvVar().WithName(v.Name)
		if v.Secret != nil {
			name, err := secretNamed(spec, *v.Secret)
			if err != nil {
				return fmt.Errorf("env[%s].secret: %w", v.Name, err)
			}
			set.WithValueFrom(corev1ac.EnvVarSource().WithSecretKeyRef(corev1ac.SecretKeySelector().WithName(name).WithKey(SecretKey)))
		} else {
			set.WithValue(escape(ptr.Deref(v.Value, "")))
		}
		e.vars = append(e.vars, set)
	}
	return nil
}

// envBuilder collects injected variables, less those that the user sets.
type envBuilder struct {
	users map[string]bool
	vars  []*corev1ac.EnvVarApplyConfiguration
}

func (e *envBuilder) add(name, value string) {
	if !e.users[name] {
		e.vars = append(e.vars, corev1ac.EnvVar().WithName(name).WithValue(value))
	}
}

func (e *envBuilder) field(name, path string) {
	if !e.users[name] {
		e.vars = append(e.vars, corev1ac.EnvVar().WithName(name).WithValueFrom(
			corev1ac.EnvVarSource().WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath(path))))
	}
}

var notInVariable = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// labels adds the labels that make sensible variables, and the list of them.
func (e *envBuilder) labels(labels map[string]v1alpha1.LabelValue) {
	var names []string
	seen := map[string]bool{}
	for _, key := range sortedKeys(labels) {
		name := strings.ToUpper(notInVariable.ReplaceAllString(key, "_"))
		if len(key) >= maxLabelNameLength || len(labels[key]) >= maxLabelValueLength || seen[name] {
			continue
		}
		seen[name] = true
		names = append(names, name)
	}
	e.add("MARATHON_APP_LABELS", strings.Join(names, " "))
	seen = map[string]bool{}
	for _, key := range sortedKeys(labels) {
		name := strings.ToUpper(notInVariable.ReplaceAllString(key, "_"))
		if len(key) >= maxLabelNameLength || len(labels[key]) >= maxLabelValueLength || seen[name] {
			continue
		}
		seen[name] = true
		e.add("MARATHON_APP_LABEL_"+name, escape(string(labels[key])))
	}
}

// ports adds PORT, PORTS, PORT0 and so on, and the ports by number and name.
func (e *envBuilder) ports(ports []port) {
	if len(ports) == 0 {
		return
	}
	var all []string
	byName := map[string]string{}
	for i, p := range ports {
		number := strconv.Itoa(int(p.advertised()))
		all = append(all, number)
		byName[fmt.Sprintf("PORT%d", i)] = number
		if p.requested != 0 {
			byName[fmt.Sprintf("PORT_%d", p.requested)] = number
		}
		if p.name != "" {
			byName["PORT_"+strings.ToUpper(p.name)] = number
		}
	}
	byName["PORT"] = all[0]
	byName["PORTS"] = strings.Join(all, ",")
	for _, name := range sortedKeys(byName) {
		e.add(name, byName[name])
	}
}

// double writes a number as the JVM does, which is what tasks parse: 1.0, 0.1, 1.0E-4.
func double(x float64) string {
	if abs := math.Abs(x); abs != 0 && (abs < 1e-3 || abs >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return fmt.Sprintf("%sE%d", mantissa, n)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
