// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hostaccess holds Apps and runs of Jobs that reach out of their container, for tests of
// everything that must stop them: the definition by which DC/OS clusters were
// taken over in 2017, and its variants.
package hostaccess

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// PolicyName is the name of the policy that refuses these Apps, JobsPolicyName of
// the one that refuses these Jobs.
const (
	PolicyName     = "kdcos-host-access"
	JobsPolicyName = "kdcos-host-access-jobs"
)

// Exploit is the Marathon definition that took over clusters whose API could be
// reached: the file system of the agent as a volume, and a line for its cron.
const Exploit = `{
  "id": "/exploit",
  "cmd": "echo '* * * * * root /tmp/payload' >> /tmp/etc/cron.d/payload; sleep 600",
  "cpus": 0.1, "mem": 32, "instances": 1,
  "container": {
    "type": "DOCKER",
    "docker": {"image": "python:3-slim", "network": "BRIDGE"},
    "volumes": [{"containerPath": "/tmp", "hostPath": "/", "mode": "RW"}]
  }
}`

// App is one that needs a label of its namespace.
type App struct {
	// Name says what it does.
	Name string
	// Field is the one that a refusal names.
	Field string
	// Label of the namespace that allows it.
	Label string
	// Spec of the App as YAML.
	Spec string
	// Inert says that it does nothing even where it is allowed: it is written
	// in a way that is refused later.
	Inert bool
}

// bridged is a container on the pod network, which needs no label.
const bridged = "networks: [{mode: container/bridge}]\ncontainer: {docker: {image: busybox%s}%s}"

func docker(format string, args ...any) string {
	return fmt.Sprintf(bridged, ", "+fmt.Sprintf(format, args...), "")
}

func parameter(key, value string) string {
	return docker("parameters: [{key: %q, value: %q}]", key, value)
}

func container(rest string) string { return fmt.Sprintf(bridged, "", ", "+rest) }

const (
	fieldParameters = "spec.container.docker.parameters"
	fieldVolumes    = "spec.container.volumes"
)

// Apps are one for each way out of a container that there is, by a field and by
// every spelling of a docker parameter.
func Apps() []App {
	apps := []App{
		{
			"the exploit", fieldVolumes, v1alpha1.AllowHostPathLabel,
			"cmd: echo x >> /tmp/etc/cron.d/x\n" + container("volumes: [{containerPath: /tmp, hostPath: /, mode: RW}]"), false,
		},
		{"read-only host path", fieldVolumes, v1alpha1.AllowHostPathLabel, container("volumes: [{containerPath: /host, hostPath: /etc, mode: RO}]"), false},
		{"docker socket", fieldVolumes, v1alpha1.AllowHostPathLabel, container("volumes: [{containerPath: a, hostPath: /var/run/docker.sock}]"), false},
		{"host path of many slashes", fieldVolumes, v1alpha1.AllowHostPathLabel, container("volumes: [{containerPath: /host, hostPath: //etc/./}]"), false},
		{
			"host path behind a harmless one", fieldVolumes, v1alpha1.AllowHostPathLabel,
			container("volumes: [{containerPath: /a, hostPath: a}, {containerPath: /host, hostPath: /}]"), false,
		},
		{"host path without an end", fieldVolumes, v1alpha1.AllowHostPathLabel, container("volumes: [{containerPath: /host, hostPath: /var/../..}]"), true},
		{"host network", "spec.networks", v1alpha1.AllowHostNetworkLabel, "networks: [{mode: host}]\ncontainer: {docker: {image: busybox}}", false},
		{"host network by default", "spec.networks", v1alpha1.AllowHostNetworkLabel, "container: {docker: {image: busybox}}", false},
		{"host network of the MESOS engine", "spec.networks", v1alpha1.AllowHostNetworkLabel, "container: {type: MESOS, docker: {image: busybox}}", false},
		{
			"shared IPC", "spec.container.linuxInfo.ipcInfo.mode", v1alpha1.AllowHostNamespacesLabel,
			container("type: MESOS, linuxInfo: {ipcInfo: {mode: SHARE_PARENT}}"), false,
		},
		{"privileged", "spec.container.docker.privileged", v1alpha1.AllowPrivilegedLabel, docker("privileged: true"), false},
		{
			"unconfined", "spec.container.linuxInfo.seccomp.unconfined", v1alpha1.AllowPrivilegedLabel,
			container("type: MESOS, linuxInfo: {seccomp: {unconfined: true}}"), false,
		},
		{"root by name", "spec.user", v1alpha1.AllowRootLabel, "user: root\n" + container("type: MESOS"), false},
		{"root by number", "spec.user", v1alpha1.AllowRootLabel, "user: \"0\"\n" + container("type: MESOS"), false},
		{"root without a container", "spec.user", v1alpha1.AllowRootLabel, "cmd: sleep 9\nuser: root\nnetworks: [{mode: container/bridge}]", true},
	}
	apps = append(apps, several()...)
	for _, user := range []string{"00", "+0", "-0", "ROOT", " root", "0 "} {
		apps = append(apps, App{"root as " + user, "spec.user", v1alpha1.AllowRootLabel, fmt.Sprintf("user: %q\n", user) + container("type: MESOS"), true})
	}
	return append(apps, flags()...)
}

// several are the ways out of Apps with several containers.
func several() []App {
	const (
		harmless = "networks: [{mode: container/bridge}]\ncontainers: [{name: a, image: {id: busybox}}, {name: b, image: {id: busybox}%s}]"
		mounted  = ", volumeMounts: [{name: v, mountPath: /v}]"
	)
	apps := []App{
		{"host network of several containers", "spec.networks", v1alpha1.AllowHostNetworkLabel, "containers: [{name: a, image: {id: busybox}}]", false},
		{"host path of several containers", "spec.volumes", v1alpha1.AllowHostPathLabel, fmt.Sprintf(harmless, mounted) + "\nvolumes: [{name: v, host: /etc}]", false},
		{"host path of several containers without an end", "spec.volumes", v1alpha1.AllowHostPathLabel, fmt.Sprintf(harmless, mounted) + "\nvolumes: [{name: v, host: /var/../..}]", true},
		{"unconfined container of several", "spec.containers", v1alpha1.AllowPrivilegedLabel, fmt.Sprintf(harmless, ", linuxInfo: {seccomp: {unconfined: true}}"), false},
		{"root of several containers", "spec.user", v1alpha1.AllowRootLabel, "user: root\n" + fmt.Sprintf(harmless, ""), false},
	}
	for _, user := range []string{"root", "0"} {
		apps = append(apps, App{"container of several as " + user, "spec.containers", v1alpha1.AllowRootLabel, fmt.Sprintf(harmless, fmt.Sprintf(", user: %q", user)), false})
	}
	for _, user := range []string{"00", "+0", "ROOT", " root"} {
		apps = append(apps, App{"container of several as " + user, "spec.containers", v1alpha1.AllowRootLabel, fmt.Sprintf(harmless, fmt.Sprintf(", user: %q", user)), true})
	}
	return apps
}

// flags are the ways out by docker parameters.
func flags() []App {
	var apps []App
	eachFlag(func(label, key string, inert bool, value string) {
		apps = append(apps, App{key + "=" + value, fieldParameters, label, parameter(key, value), inert})
	})
	return apps
}

// eachFlag calls do for the docker parameters that are ways out: first those
// that work.
func eachFlag(do func(label, key string, inert bool, value string)) {
	add := func(label, key string, inert bool, values ...string) {
		for _, value := range values {
			do(label, key, inert, value)
		}
	}
	add(v1alpha1.AllowHostPathLabel, "volume", false, "/:/host", "/etc:/host:ro", "/var/run/docker.sock:/docker.sock:rw", "//:/host")
	add(v1alpha1.AllowHostNamespacesLabel, "pid", false, "host")
	add(v1alpha1.AllowHostNamespacesLabel, "ipc", false, "host")
	add(v1alpha1.AllowPrivilegedLabel, "privileged", false, "true", "1", "t", "TRUE")
	add(v1alpha1.AllowCapabilitiesLabel, "cap-add", false, "SYS_ADMIN", "CAP_SYS_ADMIN", "sys_admin", "cap_net_admin", "ALL", "all")
	add(v1alpha1.AllowRootLabel, "user", false, "root", "0", "0:0", "root:root", "0:1000", "root:nogroup")

	add(v1alpha1.AllowHostNetworkLabel, "net", true, "host", "HOST", " host")
	add(v1alpha1.AllowHostNetworkLabel, "network", true, "host", "name=host", "host ")
	add(v1alpha1.AllowHostNetworkLabel, "--net", true, "host")
	add(v1alpha1.AllowHostPathLabel, "volume", true, " /:/host", "/:/host:shared", "/:/", "/x", "/:/../host", "/..:/host")
	add(v1alpha1.AllowHostPathLabel, "v", true, "/:/host")
	add(v1alpha1.AllowHostPathLabel, "--volume", true, "/:/host")
	add(v1alpha1.AllowHostPathLabel, "Volume", true, "/:/host")
	add(v1alpha1.AllowHostPathLabel, "mount", true, "type=bind,source=/,target=/host", "type=bind,src=/,dst=/host", `type=bind,"source=/",target=/host`)
	add(v1alpha1.AllowHostNamespacesLabel, "pid", true, "HOST", "host ")
	add(v1alpha1.AllowHostNamespacesLabel, "--pid", true, "host")
	add(v1alpha1.AllowHostNamespacesLabel, "userns", true, "host")
	add(v1alpha1.AllowPrivilegedLabel, "privileged", true, "", "yes", "tRuE")
	add(v1alpha1.AllowPrivilegedLabel, "PRIVILEGED", true, "true")
	add(v1alpha1.AllowPrivilegedLabel, "security-opt", true, "seccomp=unconfined", "apparmor:unconfined")
	add(v1alpha1.AllowCapabilitiesLabel, "Cap-Add", true, "SYS_ADMIN")
	add(v1alpha1.AllowRootLabel, "user", true, "00", "+0", "-0", "0:", "ROOT", "root:wheel", " 0", "0 :0", "000:0")
	add(v1alpha1.AllowRootLabel, "u", true, "0")
}

// Object is the App as it would be created in a namespace.
func (a App) Object(namespace, name string) (*v1alpha1.App, error) {
	app := &v1alpha1.App{}
	if err := yaml.UnmarshalStrict([]byte(a.Spec), &app.Spec); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	app.APIVersion, app.Kind = v1alpha1.GroupVersion.String(), "App"
	app.Namespace, app.Name = namespace, name
	return app, nil
}
