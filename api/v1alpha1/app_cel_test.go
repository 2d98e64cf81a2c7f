// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// ruleCase is a spec and what an API server says to it: a rule's message, or
// nothing.
type ruleCase struct{ spec, message string }

const (
	image    = "container: {docker: {image: x}}"
	ucr      = "container: {type: MESOS, docker: {image: x}}"
	bridged  = "networks: [{mode: container/bridge}], "
	twoNets  = "networks: [{name: a}, {name: b}], "
	noSecret = "must name an entry of secrets"
	roles    = "acceptedResourceRoles may hold '*' and the app's own role only"
	badIndex = "healthChecks[].portIndex must be the index of a port of the app"
	portName = "readinessChecks[].portName must be the name of a port of the app"
	single   = "the label MARATHON_SINGLE_INSTANCE_APP=true needs instances 0 or 1 and upgradeStrategy {minimumHealthCapacity: 0, maximumOverCapacity: 0}"
	oneKind  = "a volume is exactly one of hostPath, persistent, external and secret"
	oneNet   = "networks: either one of mode host, or one of mode container/bridge, or one or more of mode container"
)

// appRules has, for every rule of App, specs it takes and specs it refuses.
var appRules = map[string][]ruleCase{
	"containers": podRules,
	// To the API server, a minimum of 0.001 is one of 0 where the value is whole.
	"cpus": {
		{"cmd: sleep 9, cpus: 0.001", ""},
		{"cmd: sleep 9, cpus: 0", "cpus must be at least 0.001"},
		{"cmd: sleep 9, executorResources: {cpus: 0}", "cpus must be at least 0.1"},
	},
	"command": {
		{"cmd: sleep 9", ""},
		{"args: [sleep]", ""},
		{image, ""},
		{ucr, ""},
		{"cmd: sleep 9, container: {type: MESOS}", ""},
		{"cmd: sleep 9, args: [x]", "cmd and args exclude each other: give one of them"},
		{"{}", "an app needs a cmd, args, a container with an image, or containers"},
		{"container: {type: MESOS}", "an app needs a cmd, args, a container with an image, or containers"},
		{"cmd: x", "should be at least 2 chars long"},
		{"cmd: sleep 9, executor: //cmd", ""},
		{"cmd: sleep 9, executor: /opt/own", "Unsupported value"},
	},
	"engine": {
		{"cmd: sleep 9, gpus: 1", ""},
		{ucr + ", gpus: 1", ""},
		{image + ", gpus: 0", ""},
		{image + ", gpus: 1", "gpus need container.type MESOS"},
		{"cmd: sleep 9, check: {exec: {command: {shell: x}}}", ""},
		{image + ", check: {exec: {command: {shell: x}}}", "check needs container.type MESOS"},
		{"cmd: sleep 9, container: {}", "container.type DOCKER needs container.docker"},
		{"container: {docker: {image: x, parameters: [{key: k, value: v}]}}", ""},
		{"container: {type: MESOS, docker: {image: x, parameters: [{key: k, value: v}]}}", "container.docker.parameters need container.type DOCKER"},
		{"secrets: [{name: s, source: s}], container: {type: MESOS, docker: {image: x, pullConfig: {secret: s}}}", ""},
		{"secrets: [{name: s, source: s}], container: {docker: {image: x, pullConfig: {secret: s}}}", "container.docker.pullConfig needs container.type MESOS"},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {ipcInfo: {mode: PRIVATE, shmSize: 16}}}", ""},
		{"container: {docker: {image: x}, linuxInfo: {ipcInfo: {mode: PRIVATE}}}", "container.linuxInfo needs container.type MESOS"},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {ipcInfo: {mode: SHARE_PARENT}}}", ""},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {ipcInfo: {mode: SHARE_PARENT, shmSize: 1}}}", "shmSize is not for mode SHARE_PARENT"},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {seccomp: {profileName: p}}}", ""},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {seccomp: {unconfined: true}}}", ""},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {seccomp: {}}}", "seccomp is either a profileName or unconfined"},
		{"container: {type: MESOS, docker: {image: x}, linuxInfo: {seccomp: {profileName: p, unconfined: true}}}", "seccomp is either a profileName or unconfined"},
	},
	"rollout": {
		{"cmd: sleep 9, rollout: {progressDeadlineSeconds: 60}", ""},
		{"cmd: sleep 9, rollout: {progressDeadlineSeconds: 60, onFailure: Rollback}", ""},
		{"cmd: sleep 9, rollout: {onFailure: Rollback}", "onFailure needs progressDeadlineSeconds"},
	},
	"networks": {
		{"cmd: sleep 9, networks: [{mode: host}]", ""},
		{bridged + image, ""},
		{"networks: [{name: a}], " + image, ""},
		{twoNets + ucr, ""},
		{"networks: [{mode: host}, {name: a}], " + ucr, oneNet},
		{"networks: [{mode: host}, {mode: host}], " + ucr, oneNet},
		{"networks: [{mode: container/bridge}, {mode: container/bridge}], " + ucr, oneNet},
		{twoNets + image, "container.type DOCKER allows one network of mode container only"},
		{"networks: [{name: a}, {name: a}], " + ucr, "network names must be unique"},
		{"networks: [{}], " + ucr, "a network of mode container needs a name"},
		{"networks: [{mode: host, name: a}], " + ucr, "only a network of mode container has a name"},
		{"networks: [{mode: container/bridge, name: a}], " + ucr, "only a network of mode container has a name"},
		{"networks: [{mode: container/bridge, labels: {a: b}}], " + ucr, ""},
		{"networks: [{mode: host, labels: {a: b}}], " + ucr, "a network of mode host has no labels"},
	},
	"ports": {
		{"cmd: sleep 9, portDefinitions: [{port: 80, name: a}, {}, {}]", ""},
		{"cmd: sleep 9, portDefinitions: []", ""},
		{bridged + "portDefinitions: [], " + image, ""},
		{bridged + "portDefinitions: [{}], " + image, "portDefinitions are for networks of mode host only"},
		{"cmd: sleep 9, portDefinitions: [{name: a}, {name: a}]", "port names must be unique"},
		{"cmd: sleep 9, portDefinitions: [{port: 80}, {port: 80}]", "ports other than 0 must be unique"},
		{"container: {docker: {image: x}, portMappings: []}", ""},
		{"container: {docker: {image: x}, portMappings: [{}]}", "container.portMappings are not for networks of mode host"},
		{bridged + "container: {docker: {image: x}, portMappings: [{containerPort: 80, name: a}, {containerPort: 80}]}", ""},
		{bridged + "container: {docker: {image: x}, portMappings: [{name: a}, {name: a}]}", "port names must be unique"},
		{"cmd: sleep 9, requirePorts: true", ""},
		{bridged + "requirePorts: false, " + image, ""},
		{bridged + "requirePorts: true, " + image, "requirePorts is for networks of mode host only"},
		{twoNets + "container: {type: MESOS, docker: {image: x}, portMappings: [{hostPort: 0, networkNames: [a]}, {}]}", ""},
		{twoNets + "container: {type: MESOS, docker: {image: x}, portMappings: [{networkNames: [c]}]}", "container.portMappings[].networkNames must name networks of the app"},
		{twoNets + "container: {type: MESOS, docker: {image: x}, portMappings: [{hostPort: 0}]}", "names exactly one of them in networkNames"},
		{twoNets + "container: {type: MESOS, docker: {image: x}, portMappings: [{hostPort: 0, networkNames: [a, b]}]}", "names exactly one of them in networkNames"},
	},
	"roles": {
		{"cmd: sleep 9, acceptedResourceRoles: ['*', slave_public]", ""},
		{"cmd: sleep 9, role: prod, acceptedResourceRoles: [prod]", ""},
		{"cmd: sleep 9, acceptedResourceRoles: [prod]", roles},
		{"cmd: sleep 9, role: prod, acceptedResourceRoles: [slave_public]", roles},
		{"cmd: sleep 9, acceptedResourceRoles: ['*'], container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", ""},
		{"cmd: sleep 9, acceptedResourceRoles: ['*', slave_public], container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", "an app with persistent volumes accepts the role '*' only"},
	},
	"strategies": {
		{"cmd: sleep 9, upgradeStrategy: {minimumHealthCapacity: 1, maximumOverCapacity: 1}", ""},
		{"cmd: sleep 9, upgradeStrategy: {minimumHealthCapacity: 1, maximumOverCapacity: 0}, container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", ""},
		{"cmd: sleep 9, upgradeStrategy: {minimumHealthCapacity: 1, maximumOverCapacity: 0.5}, container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", "upgradeStrategy.maximumOverCapacity must be 0"},
		{"cmd: sleep 9, upgradeStrategy: {minimumHealthCapacity: 1, maximumOverCapacity: 1}, container: {type: MESOS, volumes: [{containerPath: a, external: {name: v, provider: dvdi, options: {dvdi/driver: d}}}]}", "upgradeStrategy.maximumOverCapacity must be 0"},
		{"cmd: sleep 9, unreachableStrategy: {disabled: true}", ""},
		{"cmd: sleep 9, unreachableStrategy: {inactiveAfterSeconds: 5, expungeAfterSeconds: 5}", ""},
		{"cmd: sleep 9, unreachableStrategy: {disabled: true, expungeAfterSeconds: 5}", "disabled excludes inactiveAfterSeconds and expungeAfterSeconds"},
		{"cmd: sleep 9, unreachableStrategy: {inactiveAfterSeconds: 5}", "inactiveAfterSeconds must not be more than expungeAfterSeconds"},
		{"cmd: sleep 9, unreachableStrategy: {disabled: true}, container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", ""},
		{"cmd: sleep 9, unreachableStrategy: {}, container: {type: MESOS, volumes: [{containerPath: a, persistent: {size: 1}}]}", "unreachableStrategy must be disabled for an app with persistent volumes"},
		{"cmd: sleep 9, labels: {MARATHON_SINGLE_INSTANCE_APP: 'true'}, upgradeStrategy: {minimumHealthCapacity: 0, maximumOverCapacity: 0}", ""},
		{"cmd: sleep 9, labels: {MARATHON_SINGLE_INSTANCE_APP: 'false'}, instances: 2", ""},
		{"cmd: sleep 9, labels: {MARATHON_SINGLE_INSTANCE_APP: 'true'}", single},
		{"cmd: sleep 9, labels: {MARATHON_SINGLE_INSTANCE_APP: 'true'}, upgradeStrategy: {minimumHealthCapacity: 0.5, maximumOverCapacity: 0}", single},
		{"cmd: sleep 9, labels: {MARATHON_SINGLE_INSTANCE_APP: 'true'}, instances: 2, upgradeStrategy: {minimumHealthCapacity: 0, maximumOverCapacity: 0}", single},
	},
	"secrets": {
		{"cmd: sleep 9, secrets: [{name: s, source: a/b}], env: [{name: A, secret: s}, {name: B, value: s}]", ""},
		{"cmd: sleep 9, env: [{name: A, secret: s}]", "env[].secret " + noSecret},
		{"cmd: sleep 9, secrets: [{name: t, source: t}], env: [{name: A, secret: s}]", "env[].secret " + noSecret},
		{"cmd: sleep 9, secrets: [{name: s, source: s}], env: [{name: A, secret: s, value: v}]", "value and secret exclude each other"},
		{"cmd: sleep 9, env: [{name: A}, {name: A}]", "Duplicate value"},
		{"cmd: sleep 9, env: [{name: A=B}]", "should match"},
		{"cmd: sleep 9, secrets: [{name: s, source: s}], container: {type: MESOS, volumes: [{containerPath: a, secret: s}]}", ""},
		{"secrets: [{name: s, source: s}], container: {docker: {image: x}, volumes: [{containerPath: a, secret: s}]}", ""},
		{"cmd: sleep 9, container: {type: MESOS, volumes: [{containerPath: a, secret: s}]}", "container.volumes[].secret " + noSecret},
		{"container: {type: MESOS, docker: {image: x, pullConfig: {secret: s}}}", "container.docker.pullConfig.secret " + noSecret},
	},
	"limits": {
		{"cmd: sleep 9, cpus: 0.5, resourceLimits: {cpus: 1, mem: 128}", ""},
		{"cmd: sleep 9, cpus: 0.5, resourceLimits: {cpus: '0.5', mem: '128.5'}", ""},
		{"cmd: sleep 9, resourceLimits: {cpus: unlimited, mem: unlimited}", ""},
		{"cmd: sleep 9, cpus: 2, resourceLimits: {cpus: 1}", "resourceLimits.cpus must be at least cpus, or unlimited"},
		{"cmd: sleep 9, cpus: 2, resourceLimits: {cpus: '1.5'}", "resourceLimits.cpus must be at least cpus, or unlimited"},
		{"cmd: sleep 9, resourceLimits: {mem: 127}", "resourceLimits.mem must be at least mem, or unlimited"},
		{"cmd: sleep 9, resourceLimits: {mem: '127.9'}", "resourceLimits.mem must be at least mem, or unlimited"},
		{"cmd: sleep 9, resourceLimits: {cpus: 2147483647, mem: '2147483648'}", ""},
		{"cmd: sleep 9, resourceLimits: {cpus: 2147483648}", "a limit over 2147483647 is written as a string"},
		{"cmd: sleep 9, resourceLimits: {mem: 2147483648}", "a limit over 2147483647 is written as a string"},
		{"cmd: sleep 9, resourceLimits: {mem: much}", "should match"},
	},
	"constraints": {
		{"cmd: sleep 9, constraints: [{field: hostname, operator: UNIQUE}, {field: a, operator: CLUSTER}, {field: a, operator: CLUSTER, value: b}]", ""},
		{"cmd: sleep 9, constraints: [{field: a, operator: GROUP_BY}, {field: a, operator: GROUP_BY, value: '3'}, {field: a, operator: MAX_PER, value: '3'}]", ""},
		{"cmd: sleep 9, constraints: [{field: a, operator: LIKE, value: b}, {field: a, operator: UNLIKE, value: b}, {field: a, operator: IS, value: ''}]", ""},
		{"cmd: sleep 9, constraints: [{field: hostname, operator: UNIQUE, value: a}]", "UNIQUE takes no value"},
		{"cmd: sleep 9, constraints: [{field: a, operator: MAX_PER}]", "MAX_PER, LIKE, UNLIKE and IS need a value"},
		{"cmd: sleep 9, constraints: [{field: a, operator: LIKE}]", "MAX_PER, LIKE, UNLIKE and IS need a value"},
		{"cmd: sleep 9, constraints: [{field: a, operator: UNLIKE}]", "MAX_PER, LIKE, UNLIKE and IS need a value"},
		{"cmd: sleep 9, constraints: [{field: a, operator: IS}]", "MAX_PER, LIKE, UNLIKE and IS need a value"},
		{"cmd: sleep 9, constraints: [{field: a, operator: MAX_PER, value: b}]", "the value of MAX_PER and GROUP_BY is a number"},
		{"cmd: sleep 9, constraints: [{field: a, operator: GROUP_BY, value: '-1'}]", "the value of MAX_PER and GROUP_BY is a number"},
		{"cmd: sleep 9, constraints: [{field: a, operator: MAX_PER, value: '0'}]", "at least 1: MAX_PER 0 would let no task run anywhere"},
		{"cmd: sleep 9, constraints: [{field: a, operator: GROUP_BY, value: '00'}]", "the value of MAX_PER and GROUP_BY is at least 1"},
		{"cmd: sleep 9, constraints: [{field: a, operator: LIKE, value: 'a(b'}]", "missing closing ): `a(b` evaluating rule: the value of LIKE and UNLIKE is a regular expression as RE2 has them"},
		{"cmd: sleep 9, constraints: [{field: a, operator: UNLIKE, value: 'a(?!b)'}]", "invalid or unsupported Perl syntax: `(?!` evaluating rule: the value of LIKE and UNLIKE is a regular expression as RE2 has them"},
		{"cmd: sleep 9, constraints: [{field: a, operator: UNLIKE, value: ''}]", "the value of LIKE and UNLIKE is a regular expression as RE2 has them, and not empty"},
		{"cmd: sleep 9, constraints: [{field: a, operator: IS, value: 'a(b'}, {field: a, operator: LIKE, value: 'a[b-d]+(x|\\d{2,3})'}]", ""},
		{"cmd: sleep 9, constraints: [{field: a, operator: LIKES, value: b}]", "Unsupported value"},
	},
	"volumes": {
		{"container: {docker: {image: x}, volumes: [{containerPath: /a, hostPath: /b}, {containerPath: b, persistent: {size: 1}}]}", ""},
		{"container: {docker: {image: x}, volumes: [{containerPath: /a}]}", oneKind},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, hostPath: /b, persistent: {size: 1}}]}", oneKind},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, hostPath: b}, {containerPath: a, hostPath: c}]}", "Duplicate value"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a/b, persistent: {size: 1}}]}", "the containerPath of a persistent volume is one name, without '/'"},
		{"container: {docker: {image: x}, volumes: [{containerPath: .., persistent: {size: 1}}]}", "the containerPath of a persistent volume is one name, without '/'"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, mode: RO, persistent: {size: 1}}]}", "a persistent volume has mode RW"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, maxSize: 2, type: mount}}]}", ""},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, maxSize: 2}}]}", "maxSize is for type mount only, and more than size"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 2, maxSize: 2, type: mount}}]}", "maxSize is for type mount only, and more than size"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, type: path, constraints: [{field: path, operator: LIKE, value: x}]}}]}", ""},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, constraints: [{field: path, operator: LIKE, value: x}]}}]}", "constraints are not for type root"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, type: path, constraints: [{field: size, operator: LIKE, value: x}]}}]}", "a constraint on a disk is path LIKE or UNLIKE a regular expression"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, persistent: {size: 1, type: path, constraints: [{field: path, operator: UNIQUE}]}}]}", "a constraint on a disk is path LIKE or UNLIKE a regular expression"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: dvdi, options: {dvdi/driver: d}}}]}", ""},
		{"instances: 2, container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: dvdi, options: {dvdi/driver: d}}}]}", "instances must be 0 or 1 for an app with dvdi volumes"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: dvdi, options: {a: d}}}]}", "a dvdi volume needs the option dvdi/driver"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: csi, csi: {pluginName: p, capability: {accessType: mount, accessMode: MULTI_NODE_MULTI_WRITER}}}}]}", ""},
		{"instances: 2, container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: csi, csi: {pluginName: p, capability: {accessType: mount, accessMode: MULTI_NODE_MULTI_WRITER}}}}]}", ""},
		{"instances: 2, container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: csi, csi: {pluginName: p, capability: {accessType: mount, accessMode: SINGLE_NODE_WRITER}}}}]}", "instances must be 0 or 1 for an app with csi volumes of a mode SINGLE_NODE"},
		{"container: {docker: {image: x}, volumes: [{containerPath: a, external: {name: v, provider: csi}}]}", "csi goes with provider csi"},
	},
	"health checks": {
		{"cmd: sleep 9, healthChecks: [{}, {protocol: TCP, portIndex: 0}, {port: 80, protocol: HTTPS, ignoreHttp1xx: true}]", ""},
		{"cmd: sleep 9, healthChecks: [{portIndex: 1}]", badIndex},
		{"cmd: sleep 9, portDefinitions: [{}, {}], healthChecks: [{portIndex: 1}]", ""},
		{"cmd: sleep 9, portDefinitions: [{}, {}], healthChecks: [{portIndex: 2}]", badIndex},
		{"cmd: sleep 9, portDefinitions: [], healthChecks: [{}]", badIndex},
		{"cmd: sleep 9, portDefinitions: [], healthChecks: [{protocol: MESOS_TCP}]", badIndex},
		{"cmd: sleep 9, portDefinitions: [], healthChecks: [{port: 80}, {protocol: COMMAND, command: {value: x}}]", ""},
		{bridged + image + ", healthChecks: [{portIndex: 0}]", ""},
		{bridged + image + ", healthChecks: [{portIndex: 1}]", badIndex},
		{bridged + "container: {docker: {image: x}, portMappings: []}, healthChecks: [{}]", badIndex},
		{bridged + "cmd: sleep 9, healthChecks: [{}]", ""},
		{"cmd: sleep 9, healthChecks: [{protocol: MESOS_TCP}, {protocol: COMMAND, command: {value: x}}]", ""},
		{"cmd: sleep 9, healthChecks: [{protocol: MESOS_TCP}, {protocol: MESOS_HTTP}]", "at most one health check of a MESOS_ kind is allowed"},
		{"cmd: sleep 9, healthChecks: [{protocol: COMMAND}]", "command goes with protocol COMMAND"},
		{"cmd: sleep 9, healthChecks: [{command: {value: x}}]", "command goes with protocol COMMAND"},
		{"cmd: sleep 9, healthChecks: [{protocol: COMMAND, command: {value: x}, port: 80}]", "a health check of protocol COMMAND has no port, portIndex or path"},
		{"cmd: sleep 9, healthChecks: [{protocol: COMMAND, command: {value: x}, path: /}]", "a health check of protocol COMMAND has no port, portIndex or path"},
		{"cmd: sleep 9, healthChecks: [{protocol: TCP, path: /}]", "a TCP health check has no path"},
		{"cmd: sleep 9, healthChecks: [{protocol: MESOS_TCP, path: /}]", "a TCP health check has no path"},
		{"cmd: sleep 9, healthChecks: [{port: 80, portIndex: 0}]", "port and portIndex exclude each other"},
		{"cmd: sleep 9, healthChecks: [{protocol: TCP, ignoreHttp1xx: true}]", "ignoreHttp1xx is for the protocols HTTP and HTTPS"},
		{"container: {docker: {image: x}}, healthChecks: [{protocol: MESOS_HTTPS, ipProtocol: IPv6}]", ""},
		{"cmd: sleep 9, healthChecks: [{protocol: MESOS_HTTPS, ipProtocol: IPv6}]", "ipProtocol IPv6 needs container.type DOCKER"},
		{"cmd: sleep 9, check: {http: {}}", ""},
		{"cmd: sleep 9, check: {http: {portIndex: 1}}", "check.http.portIndex must be the index of a port of the app"},
		{"cmd: sleep 9, check: {http: {portIndex: 1, port: 80}}", ""},
		{"cmd: sleep 9, portDefinitions: [], check: {tcp: {}}", "check.tcp.portIndex must be the index of a port of the app"},
		{"cmd: sleep 9, healthChecks: [{ipProtocol: IPv6}]", "ipProtocol IPv6 is for the protocols MESOS_HTTP, MESOS_HTTPS and MESOS_TCP"},
	},
	"other checks": {
		{"cmd: sleep 9, check: {tcp: {port: 80}}", ""},
		{"cmd: sleep 9, check: {}", "a check is exactly one of http, tcp and exec"},
		{"cmd: sleep 9, check: {tcp: {port: 80}, http: {port: 80}}", "a check is exactly one of http, tcp and exec"},
		{"cmd: sleep 9, check: {exec: {command: {argv: [x]}}}", ""},
		{"cmd: sleep 9, check: {exec: {command: {shell: x, argv: [x]}}}", "a command is either shell or argv"},
		{"cmd: sleep 9, portDefinitions: [{name: http-api}], readinessChecks: [{}]", ""},
		{"cmd: sleep 9, readinessChecks: [{portName: default}]", ""},
		{bridged + image + ", readinessChecks: [{portName: default}]", ""},
		{bridged + "container: {docker: {image: x}, portMappings: [{name: a}]}, readinessChecks: [{portName: a}]", ""},
		{"cmd: sleep 9, readinessChecks: [{}]", portName},
		{"cmd: sleep 9, portDefinitions: [{name: a}], readinessChecks: [{portName: default}]", portName},
		{bridged + "container: {docker: {image: x}, portMappings: [{name: a}]}, readinessChecks: [{portName: default}]", portName},
		{"cmd: sleep 9, readinessChecks: [{portName: default, timeoutSeconds: 30}]", "timeoutSeconds must be less than intervalSeconds"},
		{"cmd: sleep 9, readinessChecks: [{portName: default}, {portName: default}]", "Too many"},
	},
}

func appOf(spec string) string {
	if spec != "{}" {
		spec = "{" + spec + "}"
	}
	return "{apiVersion: kdcos.io/v1alpha1, kind: App, metadata: {name: x, namespace: default}, spec: " + spec + "}"
}

func TestAppRules(t *testing.T) {
	schema := admission.App(t)
	refused := map[string]bool{}
	for name, cases := range appRules {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases {
				_, errs := schema.Admit(t, appOf(c.spec))
				if c.message == "" {
					if len(errs) > 0 {
						t.Errorf("%s: %v", c.spec, errs.ToAggregate())
					}
					continue
				}
				found := false
				for _, err := range errs {
					found = found || strings.Contains(err.Error(), c.message)
				}
				if !found {
					t.Errorf("%s: %v; want %q", c.spec, errs.ToAggregate(), c.message)
				}
				for _, err := range errs {
					// A rule that can't be evaluated says why, and then which it is.
					_, rule, unknown := strings.Cut(err.Detail, " evaluating rule: ")
					refused[rule] = unknown
					refused[err.Detail] = true
				}
			}
		})
	}
	for _, c := range appChanges {
		refused[c.message] = true // TestAppChanges sees to it
	}
	for _, rule := range appRuleMessages(t) {
		if !refused[rule] {
			t.Errorf("no case is refused by the rule %q", rule)
		}
	}
}

// appRuleMessages returns the messages of all rules in App's schema.
func appRuleMessages(t *testing.T) []string {
	var messages []string
	walk("spec", specSchema(t, "App"), func(_ string, s *apiextensionsv1.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			messages = append(messages, rule.Message)
		}
	})
	return messages
}

func specSchema(t *testing.T, kind string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	for _, crd := range definitions(t) {
		if crd.Spec.Names.Kind == kind {
			spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
			return &spec
		}
	}
	t.Fatalf("there is no %s", kind)
	return nil
}
