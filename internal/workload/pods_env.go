// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// environment is what the container finds in its environment.
func (t *task) environment(slot Slot) ([]*corev1ac.EnvVarApplyConfiguration, error) {
	if t.of == nil {
		return environment(t.app, t.id, t.flags.environment(t.app.Spec.Env), slot, t.ports)
	}
	c, safe := &t.of.Spec.Containers[t.index], pathid.Safe(t.id)
	e := envBuilder{}
	e.field(podUID, "metadata.uid")
	e.add("MESOS_TASK_ID", fmt.Sprintf("%s.instance-$(%s).%s.1", safe, podUID, c.Name))
	e.add("MESOS_EXECUTOR_ID", fmt.Sprintf("instance-%s.$(%s)", safe, podUID))
	e.add("MARATHON_APP_ID", t.id)
	e.add("MARATHON_APP_VERSION", slot.Version)
	e.add("MARATHON_CONTAINER_ID", c.Name)
	e.add("MARATHON_CONTAINER_RESOURCE_CPUS", double(*c.Resources.Cpus))
	e.add("MARATHON_CONTAINER_RESOURCE_MEM", double(*c.Resources.Mem))
	e.add("MARATHON_CONTAINER_RESOURCE_DISK", double(*c.Resources.Disk))
	e.add("MARATHON_CONTAINER_RESOURCE_GPUS", strconv.Itoa(int(*c.Resources.Gpus)))
	e.add("MARATHON_APP_INSTANCE_INDEX", strconv.Itoa(slot.Number))
	e.labels(t.app.Spec.Labels)
	if t.of.Spec.OnHostNetwork() || len(t.all) > 0 && t.all[0].host != 0 {
		e.field("HOST", "status.hostIP")
	} else {
		e.field("HOST", "status.podIP")
	}
	t.endpoints(&e)
	// Of an app the user's variables win, of a pod of Marathon's the injected ones.
	injected := map[string]bool{sandboxVariable: true}
	for _, v := range e.vars {
		injected[*v.Name] = true
	}
	own := slices.DeleteFunc(slices.Clone(t.app.Spec.Env), func(v v1alpha1.EnvVar) bool { return injected[v.Name] })
	if err := e.own(&t.app.Spec, own); err != nil {
		return nil, err
	}
	return e.vars, nil
}

// endpoints adds the ports of all containers: each finds the others.
func (t *task) endpoints(e *envBuilder) {
	onHost := t.of.Spec.OnHostNetwork()
	bridge := !onHost && t.of.Spec.Networks[0].Mode == v1alpha1.NetworkBridge
	all, i := map[string]string{}, 0
	for c := range t.of.Spec.Containers {
		for _, endpoint := range t.of.Spec.Containers[c].Endpoints {
			p := t.all[i]
			i++
			name := strings.ToUpper(notInVariable.ReplaceAllString(endpoint.Name, "_"))
			all["ENDPOINT_"+name] = strconv.Itoa(int(p.container))
			if onHost || bridge || endpoint.HostPort != nil {
				all["EP_HOST_"+name] = strconv.Itoa(int(p.advertised()))
			}
			if !onHost {
				all["EP_CONTAINER_"+name] = strconv.Itoa(int(p.container))
			}
		}
	}
	for _, name := range sortedKeys(all) {
		e.add(name, all[name])
	}
}

// containerEnv are the variables of a container: its own win over the App's.
func containerEnv(app, own []v1alpha1.EnvVar) []v1alpha1.EnvVar {
	all := slices.DeleteFunc(slices.Clone(app), func(v v1alpha1.EnvVar) bool {
		return slices.ContainsFunc(own, func(o v1alpha1.EnvVar) bool { return o.Name == v.Name })
	})
	all = append(all, own...)
	// The sandbox is where it is.
	return slices.DeleteFunc(all, func(v v1alpha1.EnvVar) bool { return v.Name == sandboxVariable })
}

// containerLabels are the labels of a container: its own win over the App's.
func containerLabels(app, own map[string]v1alpha1.LabelValue) map[string]v1alpha1.LabelValue {
	all := maps.Clone(app)
	if all == nil {
		return own
	}
	maps.Copy(all, own)
	return all
}
