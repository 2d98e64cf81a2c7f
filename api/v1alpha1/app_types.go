// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppSpec is a Marathon 1.11 app definition in its canonical form: Marathon's
// field names, meaning and units (cpus a number, mem and disk in MiB, times in
// seconds). Deprecated forms are read by kubectl kdcos convert and by the
// Marathon API, never here.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.cmd) && has(self.args))",message="cmd and args exclude each other: give one of them"
// +kubebuilder:validation:XValidation:rule="has(self.cmd) || has(self.args) || self.?container.?docker.hasValue() || has(self.containers)",message="an app needs a cmd, args, a container with an image, or containers"
// +kubebuilder:validation:XValidation:rule="!has(self.gpus) || self.gpus == 0 || !has(self.container) || self.container.type == 'MESOS'",message="gpus need container.type MESOS: the DOCKER containerizer has no GPU support"
// +kubebuilder:validation:XValidation:rule="!has(self.check) || !has(self.container) || self.container.type == 'MESOS'",message="check needs container.type MESOS"
// +kubebuilder:validation:XValidation:rule="!has(self.portDefinitions) || size(self.portDefinitions) == 0 || self.networks.all(n, n.mode == 'host')",message="portDefinitions are for networks of mode host only: use container.portMappings"
// +kubebuilder:validation:XValidation:rule="self.networks.all(n, n.mode != 'host') || !self.?container.?portMappings.hasValue() || size(self.container.portMappings) == 0",message="container.portMappings are not for networks of mode host: use portDefinitions"
// +kubebuilder:validation:XValidation:rule="!has(self.requirePorts) || !self.requirePorts || self.networks.all(n, n.mode == 'host')",message="requirePorts is for networks of mode host only"
// +kubebuilder:validation:XValidation:rule="size(self.networks) <= 1 || self.networks.all(n, n.mode == 'container')",message="networks: either one of mode host, or one of mode container/bridge, or one or more of mode container"
// +kubebuilder:validation:XValidation:rule="size(self.networks) <= 1 || !has(self.container) || self.container.type == 'MESOS'",message="container.type DOCKER allows one network of mode container only"
// +kubebuilder:validation:XValidation:rule="!self.?container.?portMappings.hasValue() || self.container.portMappings.all(p, !has(p.networkNames) || p.networkNames.all(x, self.networks.exists(n, has(n.name) && n.name == x)))",message="container.portMappings[].networkNames must name networks of the app"
// +kubebuilder:validation:XValidation:rule="size(self.networks) <= 1 || !self.?container.?portMappings.hasValue() || self.container.portMappings.all(p, !has(p.hostPort) || (has(p.networkNames) && size(p.networkNames) == 1))",message="with several container networks, a port mapping with a hostPort names exactly one of them in networkNames"
// +kubebuilder:validation:XValidation:rule="!has(self.acceptedResourceRoles) || self.acceptedResourceRoles.all(r, r == '*' || r == self.role)",message="acceptedResourceRoles may hold '*' and the app's own role only"
// +kubebuilder:validation:XValidation:rule="!has(self.acceptedResourceRoles) || !self.?container.?volumes.hasValue() || !self.container.volumes.exists(v, has(v.persistent)) || self.acceptedResourceRoles == ['*']",message="an app with persistent volumes accepts the role '*' only"
// +kubebuilder:validation:XValidation:rule="!self.?container.?volumes.hasValue() || !self.container.volumes.exists(v, has(v.persistent) || (has(v.external) && v.external.provider == 'dvdi')) || !has(self.upgradeStrategy) || self.upgradeStrategy.maximumOverCapacity == 0.0",message="upgradeStrategy.maximumOverCapacity must be 0 for an app with persistent or dvdi volumes"
// +kubebuilder:validation:XValidation:rule="!has(self.unreachableStrategy) || self.unreachableStrategy.?disabled.orValue(false) || !self.?container.?volumes.hasValue() || !self.container.volumes.exists(v, has(v.persistent))",message="unreachableStrategy must be disabled for an app with persistent volumes"
// +kubebuilder:validation:XValidation:rule="self.instances <= 1 || !self.?container.?volumes.hasValue() || !self.container.volumes.exists(v, has(v.external) && v.external.provider == 'dvdi')",message="instances must be 0 or 1 for an app with dvdi volumes"
// +kubebuilder:validation:XValidation:rule="self.instances <= 1 || !self.?container.?volumes.hasValue() || !self.container.volumes.exists(v, has(v.external) && has(v.external.csi) && v.external.csi.capability.accessMode.startsWith('SINGLE_NODE'))",message="instances must be 0 or 1 for an app with csi volumes of a mode SINGLE_NODE"
// +kubebuilder:validation:XValidation:rule="!oldSelf.?container.?volumes.hasValue() || !oldSelf.container.volumes.exists(v, has(v.persistent)) || (self.?container.?volumes.hasValue() && size(self.container.volumes.filter(v, has(v.persistent))) == size(oldSelf.container.volumes.filter(v, has(v.persistent))) && oldSelf.container.volumes.all(o, !has(o.persistent) || self.container.volumes.exists(v, v.containerPath == o.containerPath)))",message="an app can't get or lose persistent volumes while it has any: make a new app"
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || !('MARATHON_SINGLE_INSTANCE_APP' in self.labels) || self.labels['MARATHON_SINGLE_INSTANCE_APP'] != 'true' || (self.instances <= 1 && has(self.upgradeStrategy) && self.upgradeStrategy.minimumHealthCapacity == 0.0 && self.upgradeStrategy.maximumOverCapacity == 0.0)",message="the label MARATHON_SINGLE_INSTANCE_APP=true needs instances 0 or 1 and upgradeStrategy {minimumHealthCapacity: 0, maximumOverCapacity: 0}"
// +kubebuilder:validation:XValidation:rule="!has(self.env) || self.env.all(e, !has(e.secret) || (has(self.secrets) && self.secrets.exists(s, s.name == e.secret)))",message="env[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!self.?container.?volumes.hasValue() || self.container.volumes.all(v, !has(v.secret) || (has(self.secrets) && self.secrets.exists(s, s.name == v.secret)))",message="container.volumes[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!self.?container.?docker.?pullConfig.hasValue() || (has(self.secrets) && self.secrets.exists(s, s.name == self.container.docker.pullConfig.secret))",message="container.docker.pullConfig.secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.healthChecks) || self.healthChecks.all(h, h.protocol == 'COMMAND' || has(h.port) || (has(h.portIndex) ? h.portIndex : 0) < (self.networks.all(n, n.mode == 'host') ? (has(self.portDefinitions) ? size(self.portDefinitions) : 1) : (has(self.container) && has(self.container.portMappings) ? size(self.container.portMappings) : 1)))",message="healthChecks[].portIndex must be the index of a port of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.readinessChecks) || self.readinessChecks.all(r, self.networks.all(n, n.mode == 'host') ? (has(self.portDefinitions) ? self.portDefinitions.exists(p, has(p.name) && p.name == r.portName) : r.portName == 'default') : (has(self.container) && has(self.container.portMappings) ? self.container.portMappings.exists(p, has(p.name) && p.name == r.portName) : r.portName == 'default'))",message="readinessChecks[].portName must be the name of a port of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.healthChecks) || (has(self.container) && self.container.type == 'DOCKER') || self.healthChecks.all(h, h.ipProtocol == 'IPv4')",message="ipProtocol IPv6 needs container.type DOCKER"
// +kubebuilder:validation:XValidation:rule="!has(self.check) || !has(self.check.http) || has(self.check.http.port) || (has(self.check.http.portIndex) ? self.check.http.portIndex : 0) < (self.networks.all(n, n.mode == 'host') ? (has(self.portDefinitions) ? size(self.portDefinitions) : 1) : (has(self.container) && has(self.container.portMappings) ? size(self.container.portMappings) : 1))",message="check.http.portIndex must be the index of a port of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.check) || !has(self.check.tcp) || has(self.check.tcp.port) || (has(self.check.tcp.portIndex) ? self.check.tcp.portIndex : 0) < (self.networks.all(n, n.mode == 'host') ? (has(self.portDefinitions) ? size(self.portDefinitions) : 1) : (has(self.container) && has(self.container.portMappings) ? size(self.container.portMappings) : 1))",message="check.tcp.portIndex must be the index of a port of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.resourceLimits) || !has(self.resourceLimits.cpus) || (type(self.resourceLimits.cpus) == string ? (self.resourceLimits.cpus == 'unlimited' || double(self.resourceLimits.cpus) >= self.cpus) : double(self.resourceLimits.cpus) >= self.cpus)",message="resourceLimits.cpus must be at least cpus, or unlimited"
// +kubebuilder:validation:XValidation:rule="!has(self.resourceLimits) || !has(self.resourceLimits.mem) || (type(self.resourceLimits.mem) == string ? (self.resourceLimits.mem == 'unlimited' || double(self.resourceLimits.mem) >= self.mem) : double(self.resourceLimits.mem) >= self.mem)",message="resourceLimits.mem must be at least mem, or unlimited"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || !(has(self.cmd) || has(self.args) || has(self.container) || has(self.portDefinitions) || has(self.requirePorts) || has(self.healthChecks) || has(self.readinessChecks) || has(self.check) || has(self.fetch) || has(self.gpus) || has(self.resourceLimits) || has(self.executor) || has(self.tty) || has(self.taskKillGracePeriodSeconds))",message="with containers, each container has its own exec, image, endpoints, healthCheck, check, artifacts, resources, resourceLimits, tty and lifecycle: the app has no cmd, args, container, portDefinitions, requirePorts, healthChecks, readinessChecks, check, fetch, gpus, resourceLimits, executor, tty and taskKillGracePeriodSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || (self.cpus == 1.0 && self.mem == 128.0 && self.disk == 0.0)",message="with containers, each container has its own resources: the app has no cpus, mem and disk"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || has(self.containers)",message="volumes are for containers: use container.volumes"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, self.containers.filter(d, has(d.endpoints) && d.endpoints.exists(f, f.name == e.name)).size() == 1))",message="the names of endpoints must be unique over all containers"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, self.networks.all(n, n.mode == 'host') != has(e.containerPort)))",message="endpoints[].containerPort: an endpoint has one unless the network is of mode host, where the container listens on its hostPort"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, !has(e.hostPort) || e.hostPort == 0 || self.containers.all(d, !has(d.endpoints) || d.endpoints.all(f, f.name == e.name || !has(f.hostPort) || f.hostPort != e.hostPort))))",message="hostPorts of endpoints other than 0 must be unique over all containers"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, !has(e.containerPort) || e.containerPort == 0 || self.containers.all(d, !has(d.endpoints) || d.endpoints.all(f, f.name == e.name || !has(f.containerPort) || f.containerPort != e.containerPort))))",message="containerPorts of endpoints other than 0 must be unique over all containers, which share one network"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, !has(e.networkNames) || e.networkNames.all(x, self.networks.exists(n, has(n.name) && n.name == x))))",message="endpoints[].networkNames must name networks of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || size(self.networks) <= 1 || self.containers.all(c, !has(c.endpoints) || c.endpoints.all(e, !has(e.hostPort) || (has(e.networkNames) && size(e.networkNames) == 1)))",message="with several container networks, an endpoint with a hostPort names exactly one of them in networkNames"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.volumeMounts) || c.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name)))",message="volumeMounts[].name must be the name of a volume of the app"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || !has(self.volumes) || self.volumes.all(v, self.containers.exists(c, has(c.volumeMounts) && c.volumeMounts.exists(m, m.name == v.name)))",message="each of volumes must be mounted by a container"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.env) || (has(self.secrets) ? c.env.all(e, !has(e.secret) || e.secret in self.secrets.map(s, s.name)) : !c.env.exists(e, has(e.secret))))",message="containers[].env[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.containers) || self.containers.all(c, !has(c.image) || !has(c.image.pullConfig) || (has(self.secrets) && self.secrets.exists(s, s.name == c.image.pullConfig.secret)))",message="containers[].image.pullConfig.secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || self.volumes.all(v, !has(v.secret) || (has(self.secrets) && self.secrets.exists(s, s.name == v.secret)))",message="volumes[].secret must name an entry of secrets"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || !self.volumes.exists(v, has(v.persistent)) || ((!has(self.acceptedResourceRoles) || self.acceptedResourceRoles == ['*']) && (!has(self.upgradeStrategy) || self.upgradeStrategy.maximumOverCapacity == 0.0) && (!has(self.unreachableStrategy) || self.unreachableStrategy.?disabled.orValue(false)))",message="an app with persistent volumes accepts the role '*' only, has a maximumOverCapacity of 0, and an unreachableStrategy that is disabled"
type AppSpec struct {
	// cmd is run by /bin/sh -c. With an image it replaces the image's
	// entrypoint. References to variables are left to the shell.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=131072
	// +optional
	Cmd *string `json:"cmd,omitempty"`

	// args are appended to the image's entrypoint; without an image, the first
	// is the program. No shell sees them.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// container says what runs: an image and its engine, volumes, port mappings.
	// +optional
	Container *Container `json:"container,omitempty"`

	// containers run side by side in each instance, as those of a Marathon pod
	// did: they share its network and volumes, and are launched and stopped
	// together. One that fails takes its instance with it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Containers []PodContainer `json:"containers,omitempty"`

	// volumes are what containers share.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Volumes []PodVolume `json:"volumes,omitempty"`

	// user is the operating system user of the tasks: a name of the well-known
	// ones (root, nobody) or a number. The DOCKER engine ignores it, as it did.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	User *string `json:"user,omitempty"`

	// env are environment variables. They win over those that Marathon injects.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`

	// instances is the number of tasks to run. Changing it restarts none.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Instances *int32 `json:"instances,omitempty"`

	// perNode runs one task on every node that the app may use, and on those
	// that come later. The number of instances then follows the nodes. Marathon
	// had no such thing.
	// +optional
	PerNode *bool `json:"perNode,omitempty"`

	// cpus is the number of CPU cores a task gets.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0.001
	// +kubebuilder:validation:XValidation:rule="self >= 0.001",message="cpus must be at least 0.001"
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Cpus *float64 `json:"cpus,omitempty"`

	// mem is the memory a task gets, in MiB.
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Mem *float64 `json:"mem,omitempty"`

	// disk is the space of a task's sandbox, in MiB. 0 asks for none in particular.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1073741824
	// +optional
	Disk *float64 `json:"disk,omitempty"`

	// gpus is the number of whole GPUs a task gets.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1024
	// +optional
	Gpus *int32 `json:"gpus,omitempty"`

	// resourceLimits let a task burst over cpus and mem. Without them cpus and
	// mem are the limits.
	// +optional
	ResourceLimits *ResourceLimits `json:"resourceLimits,omitempty"`

	// executor names Marathon's command executor; custom executors need the
	// Mesos API, which is not there.
	// +kubebuilder:validation:Enum="";"//cmd"
	// +optional
	Executor *string `json:"executor,omitempty"`

	// executorResources are added to what a task asks for.
	// +optional
	ExecutorResources *ExecutorResources `json:"executorResources,omitempty"`

	// fetch are files to have in the sandbox before the task starts.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	Fetch []Fetch `json:"fetch,omitempty"`

	// labels are metadata of the app. They are Marathon's: any text, any length.
	// They also reach the task as MARATHON_APP_LABEL_* variables.
	// +kubebuilder:validation:MaxProperties=512
	// +mapType=granular
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// constraints limit where tasks may run.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Constraints []Constraint `json:"constraints,omitempty"`

	// acceptedResourceRoles are the roles of the nodes that tasks may run on:
	// "*" for private agents, the app's own role (slave_public) for public ones.
	// Without it, private agents only.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	AcceptedResourceRoles []string `json:"acceptedResourceRoles,omitempty"`

	// role is the app's role: DC/OS' default role, or the name of the app's
	// top-level group.
	// +kubebuilder:default=slave_public
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`
	// +optional
	Role string `json:"role,omitempty"`

	// portDefinitions are the ports of an app on the host network. Absent means
	// one port of any number; an empty list means none.
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="[self.filter(p, has(p.name)).map(p, p.name)].all(names, names.all(n, names.indexOf(n) == names.lastIndexOf(n)))",message="port names must be unique"
	// +kubebuilder:validation:XValidation:rule="[self.filter(p, p.port != 0).map(p, p.port)].all(ports, ports.all(p, ports.indexOf(p) == ports.lastIndexOf(p)))",message="ports other than 0 must be unique"
	// +listType=atomic
	// +optional
	PortDefinitions []PortDefinition `json:"portDefinitions,omitzero"`

	// requirePorts makes the ports of portDefinitions the host ports as well.
	// +optional
	RequirePorts *bool `json:"requirePorts,omitempty"`

	// networks the tasks are on: the host's, a bridge, or named container networks.
	// +kubebuilder:default={{mode: host}}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(n, !has(n.name) || self.filter(m, has(m.name) && m.name == n.name).size() == 1)",message="network names must be unique"
	// +listType=atomic
	// +optional
	Networks []Network `json:"networks,omitempty"`

	// dependencies are the ids of apps and groups that start and upgrade before this one.
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^(/|(/([a-z0-9]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+)$`
	// +listType=set
	// +optional
	Dependencies []string `json:"dependencies,omitempty"`

	// healthChecks decide whether a task is healthy, and when it is replaced.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.filter(h, h.protocol.startsWith('MESOS_')).size() <= 1",message="at most one health check of a MESOS_ kind is allowed"
	// +listType=atomic
	// +optional
	HealthChecks []HealthCheck `json:"healthChecks,omitempty"`

	// check reports a task's state beside its health; it never kills.
	// +optional
	Check *Check `json:"check,omitempty"`

	// readinessChecks gate a rollout, once a task, until they succeed.
	// +kubebuilder:validation:MaxItems=1
	// +listType=atomic
	// +optional
	ReadinessChecks []ReadinessCheck `json:"readinessChecks,omitempty"`

	// upgradeStrategy says how much capacity an upgrade keeps and adds. Without
	// it {1, 1}; {0.5, 0} where there are persistent or external volumes.
	// +optional
	UpgradeStrategy *UpgradeStrategy `json:"upgradeStrategy,omitempty"`

	// rollout says how kdcos goes from one configuration to the next, beyond
	// what Marathon knew.
	// +optional
	Rollout *Rollout `json:"rollout,omitempty"`

	// killSelection says which tasks go first when an app is scaled down.
	// +kubebuilder:default=YOUNGEST_FIRST
	// +optional
	KillSelection KillSelection `json:"killSelection,omitempty"`

	// backoffSeconds is the launch delay after the first failure, in seconds.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	BackoffSeconds *int32 `json:"backoffSeconds,omitempty"`

	// backoffFactor is what each further failure multiplies the delay with.
	// +kubebuilder:default=1.15
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	BackoffFactor *float64 `json:"backoffFactor,omitempty"`

	// maxLaunchDelaySeconds is the longest launch delay, in seconds.
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	MaxLaunchDelaySeconds *int32 `json:"maxLaunchDelaySeconds,omitempty"`

	// taskKillGracePeriodSeconds is the time between SIGTERM and SIGKILL, in
	// seconds. Without it 3, as Mesos agents had it.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	TaskKillGracePeriodSeconds *int32 `json:"taskKillGracePeriodSeconds,omitempty"`

	// drainSeconds is how long a task runs on after it was taken from Services,
	// before it gets SIGTERM. Marathon had no such time. Without it 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`

	// suspend stops all tasks and remembers instances. Taking it back starts
	// them again. Marathon's clients scaled to 0 and forgot the number.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// unreachableStrategy says what happens to tasks on a node that is lost.
	// Without it they are replaced at once; with persistent volumes they wait.
	// +optional
	UnreachableStrategy *UnreachableStrategy `json:"unreachableStrategy,omitempty"`

	// secrets are names for entries of the secret store that env, volumes and
	// pullConfig refer to.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Secrets []Secret `json:"secrets,omitempty"`

	// tty gives a task a pseudo-terminal.
	// +optional
	TTY *bool `json:"tty,omitempty"`
}

// App runs a number of like tasks and keeps them running, as a Marathon app did.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.instances,statuspath=.status.instances,selectorpath=.status.selector
// +kubebuilder:resource:scope=Namespaced,shortName=dapp,categories=kdcos
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Instances",type=integer,JSONPath=`.spec.instances`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.tasksRunning`
// +kubebuilder:printcolumn:name="Up-To-Date",type=integer,JSONPath=`.status.instancesUpToDate`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Image",type=string,priority=1,JSONPath=`.spec.container.docker.image`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type App struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is the app definition.
	// +required
	Spec AppSpec `json:"spec,omitzero"`
	// status is what was seen of the App.
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "kdcos has not looked at it yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	// +optional
	Status AppStatus `json:"status,omitzero"`
}

// AppList is a list of Apps.
//
// +kubebuilder:object:root=true
type AppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []App `json:"items"`
}
