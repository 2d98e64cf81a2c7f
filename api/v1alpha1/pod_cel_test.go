// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

const (
	itsOwn      = "with containers, each container has its own"
	onePort     = "an endpoint has one unless the network is of mode host"
	badEndpoint = "must be one of its container"
)

// containersOf is an App with one container of the members.
func containersOf(members string) string {
	return "containers: [{name: a, image: {id: x}, " + members + "}]"
}

// fullContainers are containers and volumes for fullApp.
const fullContainers = `
containers:
- name: nm
  exec: {command: {shell: s, argv: [a]}, overrideEntrypoint: true}
  resources: {cpus: 1, mem: 1, disk: 1, gpus: 1}
  resourceLimits: {cpus: "1.5", mem: "200.5"}
  endpoints: [{name: nm, containerPort: 1, hostPort: 1, protocol: [tcp], networkNames: [nm], labels: {anykey: b}}]
  image: {kind: DOCKER, id: i, forcePull: true, pullConfig: {secret: s}, labels: {anykey: b}}
  env: [{name: A, value: v, secret: s}]
  user: root
  healthCheck: {http: {endpoint: nm, path: p, scheme: HTTP}, tcp: {endpoint: nm}, exec: {command: {shell: s, argv: [a]}},
    gracePeriodSeconds: 1, intervalSeconds: 2, maxConsecutiveFailures: 1, timeoutSeconds: 1, delaySeconds: 1}
  check: {http: {endpoint: nm, path: p, scheme: HTTP}, tcp: {endpoint: nm}, exec: {command: {shell: s, argv: [a]}},
    intervalSeconds: 1, timeoutSeconds: 1, delaySeconds: 1}
  volumeMounts: [{name: nm, mountPath: p, readOnly: true}]
  artifacts: [{uri: u, extract: true, executable: true, cache: true, destPath: d}]
  labels: {anykey: b}
  lifecycle: {killGracePeriodSeconds: 1}
  tty: true
  linuxInfo: {seccomp: {profileName: p, unconfined: true}, ipcInfo: {mode: PRIVATE, shmSize: 1}}
volumes: [{name: nm, host: h, persistent: {type: mount, size: 1, maxSize: 2, profileName: p, constraints: [{field: path, operator: LIKE, value: x}]}, secret: s}]
`

// podRules are the cases of the rules for Apps with several containers.
var podRules = []ruleCase{
	{containersOf("exec: {command: {shell: sleep 9}}"), ""},
	{"containers: [{name: a, exec: {command: {shell: sleep 9}}}, {name: b, image: {id: x}}], volumes: []", ""},
	{"containers: [{name: a, image: {id: x}}], user: nobody, executorResources: {}, drainSeconds: 3, suspend: true, instances: 3", ""},
	{"containers: []", "should have at least 1 items"},
	{"containers: [{name: a}]", "a container needs an exec or an image"},
	{"containers: [{name: a, image: {id: x}}, {name: a, image: {id: x}}]", "Duplicate value"},
	{"containers: [{name: healthApp, image: {id: x}}]", "should match"},
	{containersOf("") + ", cmd: sleep 9", itsOwn},
	{containersOf("") + ", args: [sleep]", itsOwn},
	{containersOf("") + ", " + image, itsOwn},
	{containersOf("") + ", portDefinitions: []", itsOwn},
	{containersOf("") + ", requirePorts: false", itsOwn},
	{containersOf("") + ", healthChecks: [{port: 80}]", itsOwn},
	{containersOf("") + ", readinessChecks: [{portName: default}]", itsOwn},
	{containersOf("") + ", check: {tcp: {port: 80}}", itsOwn},
	{containersOf("") + ", fetch: [{uri: u}]", itsOwn},
	{containersOf("") + ", gpus: 1", itsOwn},
	{containersOf("") + ", resourceLimits: {}", itsOwn},
	{containersOf("") + ", executor: //cmd", itsOwn},
	{containersOf("") + ", tty: true", itsOwn},
	{containersOf("") + ", taskKillGracePeriodSeconds: 3", itsOwn},
	{containersOf("") + ", cpus: 2", "with containers, each container has its own resources"},
	{containersOf("") + ", mem: 64", "with containers, each container has its own resources"},
	{containersOf("") + ", disk: 1", "with containers, each container has its own resources"},
	{containersOf("") + ", cpus: 1, mem: 128, disk: 0", ""},
	{"cmd: sleep 9, volumes: [{name: v}]", "volumes are for containers: use container.volumes"},

	{containersOf("exec: {command: {argv: [a]}, overrideEntrypoint: false}"), ""},
	{containersOf("exec: {command: {shell: a}, overrideEntrypoint: false}"), "a shell command always takes the place of the entrypoint"},
	{containersOf("exec: {command: {}}"), "a command is either shell or argv"},
	{containersOf("image: {kind: APPC, id: x}"), "Unsupported value"},
	{containersOf("resources: {cpus: 0}"), "cpus must be at least 0.001"},
	{containersOf("resources: {cpus: 0.5, mem: 32}, resourceLimits: {cpus: 2, mem: unlimited}"), ""},
	{containersOf("resources: {cpus: 0.5}, resourceLimits: {cpus: '0.4'}"), "resourceLimits.cpus of a container must be at least its resources.cpus"},
	{containersOf("resourceLimits: {mem: 64}"), "resourceLimits.mem of a container must be at least its resources.mem"},

	{containersOf("endpoints: [{name: p}, {name: q, hostPort: 80, protocol: [http, udp]}]"), ""},
	{containersOf("endpoints: [{name: p, containerPort: 80}]"), onePort},
	{bridged + containersOf("endpoints: [{name: p, containerPort: 80}, {name: q, containerPort: 0}, {name: r, containerPort: 0}]"), ""},
	{bridged + containersOf("endpoints: [{name: p}]"), onePort},
	{"containers: [{name: a, image: {id: x}, endpoints: [{name: p}]}, {name: b, image: {id: x}, endpoints: [{name: p}]}]", "the names of endpoints must be unique over all containers"},
	{"containers: [{name: a, image: {id: x}, endpoints: [{name: p, hostPort: 80}]}, {name: b, image: {id: x}, endpoints: [{name: q, hostPort: 80}]}]", "hostPorts of endpoints other than 0 must be unique"},
	{containersOf("endpoints: [{name: p, hostPort: 80}, {name: q, hostPort: 80}]"), "hostPorts of endpoints other than 0 must be unique"},
	{bridged + containersOf("endpoints: [{name: p, containerPort: 80}, {name: q, containerPort: 80}]"), "containerPorts of endpoints other than 0 must be unique"},
	{twoNets + containersOf("endpoints: [{name: p, containerPort: 80, hostPort: 0, networkNames: [a]}]"), ""},
	{twoNets + containersOf("endpoints: [{name: p, containerPort: 80, networkNames: [c]}]"), "endpoints[].networkNames must name networks of the app"},
	{twoNets + containersOf("endpoints: [{name: p, containerPort: 80, hostPort: 0}]"), "an endpoint with a hostPort names exactly one of them"},

	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v}]", ""},
	{containersOf("volumeMounts: [{name: w, mountPath: d}]") + ", volumes: [{name: v}]", "volumeMounts[].name must be the name of a volume of the app"},
	{containersOf("volumeMounts: [{name: w, mountPath: d}]"), "volumeMounts[].name must be the name of a volume of the app"},
	{containersOf("") + ", volumes: [{name: v}]", "each of volumes must be mounted by a container"},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, host: /h, secret: s}], secrets: [{name: s, source: s}]", "a volume is at most one of host, persistent and secret"},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, secret: s}], secrets: [{name: s, source: s}]", ""},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, secret: s}]", "volumes[].secret " + noSecret},
	{containersOf("env: [{name: A, secret: s}]") + ", secrets: [{name: s, source: s}]", ""},
	{containersOf("env: [{name: A, secret: s}]"), "containers[].env[].secret " + noSecret},
	{containersOf("env: [{name: A, secret: s}]") + ", secrets: [{name: t, source: s}]", "containers[].env[].secret " + noSecret},
	{"containers: [{name: a, image: {id: x, pullConfig: {secret: s}}}], secrets: [{name: s, source: s}]", ""},
	{"containers: [{name: a, image: {id: x, pullConfig: {secret: s}}}]", "containers[].image.pullConfig.secret " + noSecret},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, persistent: {size: 1}}], acceptedResourceRoles: ['*'], unreachableStrategy: {disabled: true}", ""},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, persistent: {size: 1}}], acceptedResourceRoles: ['*', slave_public]", "an app with persistent volumes accepts the role '*' only, has"},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, persistent: {size: 1}}], unreachableStrategy: {}", "an app with persistent volumes accepts the role '*' only, has"},
	{containersOf("volumeMounts: [{name: v, mountPath: d}]") + ", volumes: [{name: v, persistent: {size: 1}}], upgradeStrategy: {minimumHealthCapacity: 0, maximumOverCapacity: 1}", "an app with persistent volumes accepts the role '*' only, has"},

	{containersOf("endpoints: [{name: p}], healthCheck: {http: {endpoint: p}}, check: {tcp: {endpoint: p}}"), ""},
	{containersOf("healthCheck: {exec: {command: {argv: ['true']}}}"), ""},
	{containersOf("healthCheck: {http: {endpoint: p}}"), "the endpoint of a healthCheck " + badEndpoint},
	{"containers: [{name: a, image: {id: x}, endpoints: [{name: p}]}, {name: b, image: {id: x}, healthCheck: {tcp: {endpoint: p}}}]", "the endpoint of a healthCheck " + badEndpoint},
	{containersOf("check: {tcp: {endpoint: p}}"), "the endpoint of a check " + badEndpoint},
	{containersOf("healthCheck: {}"), "a healthCheck is exactly one of http, tcp and exec"},
	{containersOf("healthCheck: {exec: {command: {shell: x}}, timeoutSeconds: 60}"), "timeoutSeconds of a healthCheck must be less than its intervalSeconds"},
	{containersOf("check: {}"), "a check of a container is exactly one of http, tcp and exec"},
}
