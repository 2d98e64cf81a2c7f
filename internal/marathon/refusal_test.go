// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/marathon"
)

// refusal is the members of a definition, beside an id, and what Marathon says
// to it. Without a path it is accepted.
type refusal struct{ members, path, message string }

const (
	cmd       = `"cmd":"sleep 9",`
	docker    = `"container":{"docker":{"image":"x"}},`
	ucr       = `"container":{"type":"MESOS","docker":{"image":"x"}},`
	resident  = `"cmd":"sleep 9","container":{"type":"MESOS","volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":1}}]},`
	portIndex = "Health check port indices must address an element of the ports array or container port mappings."
	cmdOrArgs = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."
	network1  = "networkNames must be a single item list when hostPort is specified and more than 1 container network is defined"
	ipv6      = "IPv6 can only be used for container type DOCKER and Mesos http/https/tcp health checks"
	oneNet    = "May specify a single host network, single bridge network, or else 1-to-n container networks"
	secretRef = "references an undefined secret"
)

// typeRefusals are those for values of a wrong type or out of range: the words
// are those of Marathon's JSON library.
var typeRefusals = []refusal{
	{cmd + `"instances":"1"`, "/instances", "error.expected.jsnumber"},
	{cmd + `"instances":1.5`, "/instances", "error.expected.int"},
	{cmd + `"instances":3000000000`, "/instances", "error.expected.int"},
	{cmd + `"instances":1e999`, "/instances", "error.expected.int"},
	{cmd + `"instances":-1`, "/instances", "error.min"},
	{cmd + `"instances":1.0`, "", ""},
	{cmd + `"instances":1e1`, "", ""},
	{cmd + `"instances":null`, "", ""},
	{cmd + `"cpus":"0.1"`, "/cpus", "error.expected.jsnumber"},
	{cmd + `"cpus":0`, "/cpus", "error.min"},
	{cmd + `"cpus":1e999`, "/cpus", "error.expected.jsnumber"},
	{cmd + `"mem":-1`, "/mem", "error.min"},
	{cmd + `"ports":["10514",0]`, "/ports(0)", "error.expected.jsnumber"},
	{cmd + `"ports":8080`, "/ports", "error.expected.jsarray"},
	{`"cmd":""`, "/cmd", "error.minLength"},
	{`"cmd":["sleep"]`, "/cmd", "error.expected.jsstring"},
	{`"args":"sleep"`, "/args", "error.expected.jsarray"},
	{`"args":["sleep",9]`, "/args(1)", "error.expected.jsstring"},
	{cmd + `"role":""`, "/role", "error.minLength"},
	{cmd + `"tty":"true"`, "/tty", "error.expected.jsboolean"},
	{cmd + `"labels":["a"]`, "/labels", "error.expected.jsobject"},
	{cmd + `"labels":{"a":1}`, "/labels/a", "error.expected.jsstring"},
	{cmd + `"env":{"A":1}`, "/env/A", "error.expected.jsobject"},
	{cmd + `"env":{"A":{}}`, "/env/A/secret", "error.path.missing"},
	{cmd + `"env":{"A":null}`, "/env/A", "error.expected.jsobject"},
	{cmd + `"secrets":{"a":{}}`, "/secrets/a/source", "'source' is undefined on object: {}"},
	{cmd + `"secrets":{"a":{"source":""}}`, "/secrets/a/source", "error.minLength"},
	{cmd + `"executor":"//other"`, "/executor", "error.pattern"},
	{cmd + `"backoffFactor":0.5`, "/backoffFactor", "error.min"},
	{cmd + `"killSelection":"NEWEST"`, "/killSelection", "error.unknown.enum.literal"},
	{cmd + `"killSelection":1`, "/killSelection", "error.unknown.enum.literal"},
	{cmd + `"constraints":["hostname","UNIQUE"]`, "/constraints(0)", "error.expected.jsarray"},
	{cmd + `"constraints":[["hostname",1]]`, "/constraints(0)(1)", "error.expected.jsstring"},
	{cmd + `"upgradeStrategy":{"minimumHealthCapacity":0.5}`, "/upgradeStrategy/maximumOverCapacity", `'maximumOverCapacity' is undefined on object: {"minimumHealthCapacity":0.5}`},
	{cmd + `"upgradeStrategy":{"minimumHealthCapacity":1.2,"maximumOverCapacity":0}`, "/upgradeStrategy/minimumHealthCapacity", "error.max"},
	{cmd + `"upgradeStrategy":null`, "", ""},
	{cmd + `"unreachableStrategy":{"inactiveAfterSeconds":-1}`, "/unreachableStrategy/inactiveAfterSeconds", "error.min"},
	{cmd + `"unreachableStrategy":{"inactiveAfterSeconds":"1"}`, "/unreachableStrategy/inactiveAfterSeconds", "error.expected.jsnumber"},
	{cmd + `"unreachableStrategy":{"inactiveAfterSeconds":1e30}`, "/unreachableStrategy/inactiveAfterSeconds", "error.expected.long"},
	{cmd + `"unreachableStrategy":"anything"`, "", ""},
	{cmd + `"residency":{"taskLostBehavior":"x"}`, "/residency/taskLostBehavior", "error.unknown.enum.literal"},
	{cmd + `"resourceLimits":{"mem":true}`, "/resourceLimits/mem", "error.expected.jsnumber"},
	{cmd + `"executorResources":{"cpus":0.01}`, "/executorResources/cpus", "error.min"},
	{cmd + `"fetch":[{}]`, "/fetch(0)/uri", "'uri' is undefined on object: {}"},
	{cmd + `"fetch":["http://a"]`, "/fetch(0)", "error.expected.jsobject"},
	{cmd + `"fetch":[{"uri":"` + strings.Repeat("a", 1025) + `"}]`, "/fetch(0)/uri", "error.maxLength"},
	{cmd + `"fetch":[{"uri":"a","destPath":""}]`, "/fetch(0)/destPath", "error.minLength"},
	{cmd + `"healthChecks":[{"port":"80"}]`, "/healthChecks(0)/port", "error.expected.jsnumber"},
	{cmd + `"healthChecks":[{"port":65536}]`, "/healthChecks(0)/port", "error.max"},
	{cmd + `"healthChecks":[{},{"protocol":"UDP"}]`, "/healthChecks(1)/protocol", "error.unknown.enum.literal"},
	{cmd + `"healthChecks":[{"protocol":"COMMAND","command":{}}]`, "/healthChecks(0)/command/value", "error.path.missing"},
	{cmd + `"healthChecks":{}`, "/healthChecks", "error.expected.jsarray"},
	{cmd + `"check":{"http":{"path":""}}`, "/check/http/path", "error.minLength"},
	{cmd + `"check":{"exec":{}}`, "/check/exec/command", "error.path.missing"},
	{cmd + `"check":{"exec":{"command":{"argv":[]}}}`, "/check/exec/command/argv", "error.minLength"},
	{cmd + `"readinessChecks":[{"httpStatusCodesForReady":[]}]`, "/readinessChecks(0)/httpStatusCodesForReady", "error.minLength"},
	{cmd + `"readinessChecks":[{"portName":"A"}]`, "/readinessChecks(0)/portName", "error.pattern"},
	{cmd + `"networks":[{"mode":"bridge"}]`, "/networks(0)/mode", "error.unknown.enum.literal"},
	{cmd + `"networks":[{"name":"A B"}]`, "/networks(0)/name", "error.pattern"},
	{cmd + `"portDefinitions":[{"name":"A"}]`, "/portDefinitions(0)/name", "error.pattern"},
	{cmd + `"portDefinitions":[{"protocol":"tcp,udp"}]`, "/portDefinitions(0)/protocol", "error.unknown.enum.literal"},
	{cmd + `"ipAddress":{"networkName":""}`, "/ipAddress/networkName", "error.minLength"},
	{cmd + `"ipAddress":{"discovery":{"ports":[{"number":1}]}}`, "/ipAddress/discovery/ports(0)/name", `'name' is undefined on object: {"number":1}`},
	{`"container":"x"`, "/container", "error.expected.jsobject"},
	{`"container":{"type":"LXC"}`, "/container/type", "error.unknown.enum.literal"},
	{`"container":{"docker":{}}`, "/container/docker/image", "'image' is undefined on object: {}"},
	{`"container":{"docker":{"image":""}}`, "/container/docker/image", "error.minLength"},
	{`"container":{"docker":{"image":"x","network":"NAT"}}`, "/container/docker/network", "error.unknown.enum.literal"},
	{`"container":{"docker":{"image":"x","parameters":[{"key":"","value":"v"}]}}`, "/container/docker/parameters(0)/key", "error.minLength"},
	{`"container":{"docker":{"image":"x","parameters":[{"key":"k"}]}}`, "/container/docker/parameters(0)/value", `'value' is undefined on object: {"key":"k"}`},
	{`"container":{"docker":{"image":"x","portMappings":[{"containerPort":-1}]}}`, "/container/docker/portMappings(0)/containerPort", "error.min"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"/a","hostPath":"/b"}]}`, "/container/volumes(0)/mode", `'mode' is undefined on object: {"containerPath":"/a","hostPath":"/b"}`},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"/a","mode":"RW"}]}`, "/container/volumes(0)/hostPath", `'hostPath' is undefined on object: {"containerPath":"/a","mode":"RW"}`},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":"1"}}]}`, "/container/volumes(0)/persistent/size", "error.expected.jsnumber"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":"1"},"hostPath":"/b"}]}`, "", ""},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":1}}]}`, "/container/volumes(0)/external/name", "error.expected.jsstring"},
	{`"container":{"docker":{"image":"x"},"volumes":[1]}`, "/container/volumes(0)", "error.expected.jsobject"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"linuxInfo":{"ipcInfo":{"mode":"NONE"}}}`, "/container/linuxInfo/ipcInfo/mode", "error.unknown.enum.literal"},
}

// ruleRefusals are those for what breaks a rule.
var ruleRefusals = []refusal{
	// What runs.
	{`"user":"root"`, "/", cmdOrArgs},
	{cmd + `"args":["x"]`, "/", cmdOrArgs},
	{`"cmd":"x"`, "/", "must not be an empty string"},
	{`"container":{"type":"MESOS"}`, "/", cmdOrArgs},
	{`"args":[],` + docker[:len(docker)-1], "", ""},
	{`"container":{}`, "/container/docker", "not defined"},
	{cmd + `"executor":"/opt/executor"`, "/executor", "custom executors are not supported: must be empty or //cmd"},
	{docker + `"gpus":1`, "/", "GPU resources only work with the Mesos containerizer"},
	{ucr + `"gpus":1`, "", ""},
	{cmd + `"gpus":1`, "", ""},
	{docker + `"check":{"exec":{"command":{"shell":"x"}}}`, "/", "AppDefinition must not use 'checks' if using docker"},
	// Deprecated forms.
	{`"container":{"docker":{"image":"x","credential":{"principal":"p"}}}`, "/container/docker/credential", "must be empty"},
	{`"container":{"type":"MESOS","docker":{"image":"x","credential":{"principal":"p"}}}`, "/container/docker/credential", "must be empty"},
	{`"container":{"type":"MESOS","docker":{"image":"x","network":"HOST"}}`, "/container/docker/network", "must be empty"},
	{`"container":{"type":"MESOS","docker":{"image":"x","portMappings":[]}}`, "/container/docker/portMappings", "must be empty"},
	{`"container":{"type":"MESOS","docker":{"image":"x","parameters":[{"key":"k","value":"v"}]}}`, "/container/docker/parameters", "must be empty"},
	{`"container":{"docker":{"image":"x","network":"NONE"}}`, "/container/docker/network", "unsupported docker network type NONE"},
	{`"container":{"docker":{"image":"x","network":"BRIDGE"}},"networks":[{"mode":"container/bridge"}]`, "/", "must not specify both container.docker.network and networks"},
	{`"container":{"docker":{"image":"x","network":"BRIDGE","portMappings":[{"name":"a"},{"name":"a"}]}}`, "/container/docker/portMappings", "Port names must be unique."},
	{`"container":{"docker":{"image":"x","network":"BRIDGE","portMappings":[{}]},"portMappings":[]}`, "/container/portMappings", "cannot specify both portMappings and docker.portMappings"},
	{`"container":{"docker":{"image":"x","network":"BRIDGE","portMappings":[]},"portMappings":[{}]}`, "", ""},
	{cmd + `"ipAddress":{},"networks":[{"mode":"host"}]`, "/", "must not specify both networks and ipAddress"},
	{cmd + `"ipAddress":{},"ports":[80]`, "/", "cannot specify both an IP address and port"},
	{cmd + `"ipAddress":{},"portDefinitions":[{}]`, "/", "cannot specify both an IP address and port"},
	{docker + `"ipAddress":{"discovery":{}}`, "/ipAddress", "ipAddress/discovery is not allowed for Docker containers"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"portMappings":[]},"ipAddress":{"discovery":{"ports":[{"name":"a"}]}}`, "/container/portMappings", "container.portMappings and ipAddress.discovery.ports must not both be set"},
	{cmd + `"ports":[80,80]`, "/", "ports must be unique"},
	{cmd + `"ports":[0,0]`, "", ""},
	{cmd + `"ports":[80],"portDefinitions":[{"port":81}]`, "/", "cannot specify both ports and port definitions"},
	{cmd + `"ports":[80],"portDefinitions":[{"port":80,"name":"a"}]`, "", ""},
	{cmd + `"uris":["http://a b"]`, "/uris(0)", "URI has invalid syntax."},
	{cmd + `"uris":["a"],"fetch":[{"uri":"b"}]`, "/uris", "may not be set in conjunction with fetch"},
	{cmd + `"fetch":[{"uri":"a"},{"uri":"://"}]`, "/fetch(1)/uri", "URI has invalid syntax."},
	// Networks and ports.
	{ucr + `"networks":[{"mode":"host"},{"name":"a"}]`, "/networks", oneNet},
	{ucr + `"networks":[{"mode":"host"},{"mode":"host"}]`, "/networks", oneNet},
	{ucr + `"networks":[{"mode":"container/bridge"},{"mode":"container/bridge"}]`, "/networks", oneNet},
	{ucr + `"networks":[{"mode":"host","name":"a"}]`, "/networks", "Host networks may not have names or labels"},
	{ucr + `"networks":[{"mode":"host","labels":{"a":"b"}}]`, "/networks", "Host networks may not have names or labels"},
	{ucr + `"networks":[{"mode":"container/bridge","name":"a"}]`, "/networks", "Bridge networks may not have names"},
	{ucr + `"networks":[{"mode":"container/bridge","labels":{"a":"b"}}]`, "", ""},
	{ucr + `"networks":[{"name":"a"},{"name":"a"}]`, "/networks", "Duplicate networks are not allowed"},
	{ucr + `"networks":[{},{}]`, "/networks", "Duplicate networks are not allowed"},
	{ucr + `"networks":[{},{"name":"dcos"}]`, "/networks", "Duplicate networks are not allowed"},
	{docker + `"networks":[{"name":"a"},{"name":"b"}]`, "/", "may only specify a single container network when using the Docker container engine"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"portMappings":[{"hostPort":0}]},"networks":[{"name":"a"},{"name":"b"}]`, "/container/portMappings(0)", network1},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"portMappings":[{"hostPort":0,"networkNames":["a","b"]}]},"networks":[{"name":"a"},{"name":"b"}]`, "/container/portMappings(0)", network1},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"portMappings":[{"networkNames":["c"]}]},"networks":[{"name":"a"},{"name":"b"}]`, "/container/portMappings(0)/networkNames(0)", "is not one of (a,b)"},
	{`"container":{"docker":{"image":"x"},"portMappings":[{"name":"a"},{"name":"a"}]},"networks":[{"name":"a"}]`, "/container/portMappings", "Port names must be unique."},
	{cmd + `"portDefinitions":[{"name":"a"},{"name":"a"}]`, "/portDefinitions", "Port names must be unique."},
	{cmd + `"portDefinitions":[{"port":9000},{"port":8080},{"port":9000}]`, "/portDefinitions", "Ports must be unique."},
	// Volumes.
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a/b","mode":"RW","persistent":{"size":1}}]}`, "/container/volumes(0)/containerPath", `value must not contain "/"`},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"..","mode":"RW","persistent":{"size":1}}]}`, "/container/volumes(0)/containerPath", "can not be one of (.,..)"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RO","persistent":{"size":1}}]}`, "/container/volumes(0)/mode", "does not equal RW"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":0}}]}`, "/container/volumes(0)/persistent/size", "got 0, expected more than 0"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":1,"maxSize":2}}]}`, "/container/volumes(0)/persistent", "Only mount volumes can have maxSize"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"mount","size":2,"maxSize":2}}]}`, "/container/volumes(0)/persistent", "Max size must be larger than size"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"size":1,"constraints":[["path","LIKE","x"]]}}]}`, "/container/volumes(0)/persistent", "Constraints on root volumes are not supported"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"path","size":1,"constraints":[["size","LIKE","x"]]}}]}`, "/container/volumes(0)/persistent/constraints(0)", "Unsupported constraint size,LIKE,x"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"path","size":1,"constraints":[["path","UNIQUE","x"]]}}]}`, "/container/volumes(0)/persistent/constraints(0)", "Operator must be one of LIKE, UNLIKE"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"path","size":1,"constraints":[["path","like","x"]]}}]}`, "/container/volumes(0)/persistent/constraints(0)", "unknown constraint operator like"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"path","size":1,"constraints":[[]]}}]}`, "/container/volumes(0)/persistent/constraints(0)", "Missing field and operator"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","persistent":{"type":"path","size":1,"constraints":[["path","LIKE","("]]}}]}`, "/container/volumes(0)/persistent/constraints(0)", "Invalid regular expression"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"provider":"dvdi","options":{"dvdi/driver":"d"}}}]}`, "/container/volumes(0)/external/name", "not defined"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v"}}]}`, "/container/volumes(0)/external/provider", "not defined"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"nfs"}}]}`, "/container/volumes(0)/external/provider", "is unknown provider"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi"}}]}`, `/container/volumes(0)/external/options("dvdi/driver")`, "not defined"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"D"}}}]}`, `/container/volumes(0)/external/options("dvdi/driver")`, "must match regular expression '^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$'"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","size":1,"options":{"dvdi/driver":"d"}}}]}`, "/container/volumes(0)/external/size", "must be undefined for Docker containers"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"d","dvdi/x":"y"}}}]}`, "/container/volumes(0)/external/options", "must only contain dvdi/driver"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RO","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"d"}}}]}`, "/container/volumes(0)/mode", "does not equal RW"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"rexray","dvdi/iops":"0"}}}]}`, `/container/volumes(0)/external/options/"dvdi/iops"`, "Expected a valid, positive integer instead of 0"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"d","x":"y"}}}]}`, "/container/volumes(0)/external/options/keys(1)", `must match regular expression '^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?/[A-Za-z0-9](?:[-A-Za-z0-9\._:]*[A-Za-z0-9])?$'`},
	{`"instances":2,"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"d"}}}]}`, "/", "Number of instances is limited to 1 when declaring DVDI volumes in app [/x]"},
	{`"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"dvdi","options":{"dvdi/driver":"d"}}}]}`, "/upgradeStrategy/maximumOverCapacity", "got 1.0, expected 0.0"},
	{`"instances":2,"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"csi","options":{"pluginName":"p","capability":{"accessType":"block","accessMode":"SINGLE_NODE_WRITER"}}}}]}`, "/instances", "got 2, expected 1 or less while non-shareable CSI volumes are defined"},
	{`"instances":2,"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"csi","options":{"pluginName":"p","capability":{"accessType":"block","accessMode":"MULTI_NODE_SINGLE_WRITER"}}}}]}`, "/instances", "got 2, expected 1 or less while a multi-node single-writer volume is defined mounted as read/write"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"csi","options":{"pluginName":"p","capability":{"accessType":"block","accessMode":"MULTI_NODE_READER_ONLY"}}}}]}`, "/container/volumes(0)", "CSI volume must be mounted readonly with a read-only access mode"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","mode":"RW","external":{"name":"v","provider":"csi","options":{"a":"b"}}}]}`, "/container/volumes(0)/external/options/capability", "not defined"},
	{`"container":{"docker":{"image":"x"},"volumes":[{"containerPath":"a","hostPath":"x","mode":"RW"},{"containerPath":"a","hostPath":"y","mode":"RW"}]}`, "/container/volumes(1)/containerPath", "there is another volume with this containerPath"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"linuxInfo":{"seccomp":{}}}`, "/container/linuxInfo/seccomp", "Seccomp unconfined must be true when Profile is NOT defined"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"linuxInfo":{"seccomp":{"profileName":"p","unconfined":true}}}`, "/container/linuxInfo/seccomp", "Seccomp unconfined can NOT be true when Profile is defined"},
	{`"container":{"type":"MESOS","docker":{"image":"x"},"linuxInfo":{"ipcInfo":{"mode":"SHARE_PARENT","shmSize":1}}}`, "/container/linuxInfo/ipcInfo", "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT"},
	// Secrets.
	{`"container":{"type":"MESOS","docker":{"image":"x"},"volumes":[{"containerPath":"a","secret":"s"}]}`, "/container/volumes(0)", "volume.secret must refer to an existing secret"},
	{`"container":{"type":"MESOS","docker":{"image":"x","pullConfig":{"secret":"s"}}}`, "/container/docker/pullConfig", "pullConfig.secret must refer to an existing secret"},
	{`"container":{"docker":{"image":"x","pullConfig":{"secret":"s"}}},"secrets":{"s":{"source":"s"}}`, "/container/docker/pullConfig", "pullConfig is not supported with Docker containerizer"},
	{cmd + `"env":{"A":{"secret":"s"}}`, "/env/A/secret", secretRef},
	{cmd + `"env":{"":"x"}`, "/env/keys(0)", "must not be empty"},
	{cmd + `"env":{"9":"x","a-b":"x","$":"x"}`, "", ""},
	{cmd + `"env":{"A=B":"x"}`, "/env/A=B", "the name of an environment variable is printable ASCII without '='"},
	{cmd + `"secrets":{"":{"source":"s"}}`, "/secrets/keys(0)", "must not be empty"},
	// Health.
	{cmd + `"healthChecks":[{"portIndex":1}]`, "/healthChecks(0)", portIndex},
	{cmd + `"portDefinitions":[],"healthChecks":[{}]`, "/healthChecks(0)", portIndex},
	{cmd + `"portDefinitions":[],"healthChecks":[{"port":80}]`, "", ""},
	{cmd + `"portDefinitions":[{},{}],"healthChecks":[{}]`, "", ""},
	{cmd + `"ports":[0,0],"healthChecks":[{}]`, "/healthChecks(0)", portIndex},
	{cmd + `"ports":[0,0],"healthChecks":[{"portIndex":1}]`, "", ""},
	{cmd + `"ports":[0,0],"healthChecks":[{"protocol":"MESOS_TCP"}]`, "/healthChecks(0)", portIndex},
	{cmd + `"networks":[{"mode":"container/bridge"}],"healthChecks":[{}]`, "/healthChecks(0)", portIndex},
	{cmd + `"healthChecks":[{"command":{"value":"x"}}]`, "/healthChecks(0)", "illegal protocol HTTP specified with command"},
	{cmd + `"healthChecks":[{"protocol":"COMMAND"}]`, "/healthChecks(0)", "illegal protocol COMMAND for non-command health check"},
	{cmd + `"healthChecks":[{"protocol":"COMMAND","command":{"value":"x"},"port":80}]`, "/healthChecks(0)", "a COMMAND health check has neither path nor port"},
	{cmd + `"healthChecks":[{"ipProtocol":"IPv6"}]`, "/healthChecks(0)", ipv6},
	{docker + `"healthChecks":[{"protocol":"HTTP","port":80,"ipProtocol":"IPv6"}]`, "/healthChecks(0)", ipv6},
	{ucr + `"healthChecks":[{"protocol":"MESOS_HTTP","port":80,"ipProtocol":"IPv6"}]`, "/healthChecks(0)", ipv6},
	{docker + `"healthChecks":[{"protocol":"MESOS_HTTP","port":80,"ipProtocol":"IPv6"}]`, "", ""},
	{cmd + `"healthChecks":[{"protocol":"MESOS_HTTP"},{"protocol":"MESOS_TCP"}]`, "/", "AppDefinition can contain at most one Mesos health check"},
	{cmd + `"healthChecks":[{"protocol":"MESOS_HTTP"},{"protocol":"MESOS_HTTP"}]`, "", ""},
	{cmd + `"healthChecks":[{"protocol":"COMMAND","command":{"value":"a"}},{"protocol":"COMMAND","command":{"value":"b"}},{"protocol":"MESOS_TCP"}]`, "", ""},
	{cmd + `"check":{}`, "/check", "expected one of http, tcp or exec checks"},
	{cmd + `"check":{"tcp":{"portIndex":1}}`, "/check", "check port index must address an element of the ports array or container port mappings."},
	{cmd + `"readinessChecks":[{}]`, "/readinessChecks(0)/portName", "No port definition reference for portName http-api"},
	{cmd + `"readinessChecks":[{"portName":"default","timeoutSeconds":30}]`, "/readinessChecks(0)/timeoutSeconds", "got 30, expected less than 30"},
	{cmd + `"readinessChecks":[{"portName":"default"},{"portName":"default"}]`, "/readinessChecks/size", "got 2, expected 1 or less"},
	// Placement.
	{cmd + `"constraints":[["hostname"]]`, "/constraints(0)", "Each constraint must have either 2 or 3 fields"},
	{cmd + `"constraints":[["a","IS","b","c"]]`, "/constraints(0)", "Each constraint must have either 2 or 3 fields"},
	{cmd + `"constraints":[["","UNIQUE"]]`, "/constraints(0)", "illegal constraint specification"},
	{cmd + `"constraints":[["a","EQ","b"]]`, "/constraints(0)", "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"},
	{cmd + `"constraints":[["a","UNIQUE","b"]]`, "/constraints(0)", "UNIQUE does not accept a value"},
	{cmd + `"constraints":[["a","GROUP_BY","b"]]`, "/constraints(0)", "GROUP BY must define an integer value or else no value at all"},
	{cmd + `"constraints":[["a","MAX_PER"]]`, "/constraints(0)", "MAX_PER requires an integer value"},
	{cmd + `"constraints":[["a","LIKE"]]`, "/constraints(0)", "LIKE and UNLIKE require a non-empty, regular expression value"},
	{cmd + `"constraints":[["a","UNLIKE","*"]]`, "/constraints(0)", "is not a valid regular expression"},
	{cmd + `"constraints":[["a","UNLIKE","a(?!b)"]]`, "/constraints(0)", "the regular expression is Java-only, those of RE2 are taken: error parsing regexp: invalid or unsupported Perl syntax: `(?!`"},
	{cmd + `"constraints":[["a","LIKE",""]]`, "/constraints(0)", "an empty regular expression matches nothing"},
	{cmd + `"constraints":[["a","MAX_PER","0"]]`, "/constraints(0)", "a number of tasks or groups is at least 1"},
	{cmd + `"constraints":[["a","GROUP_BY","-1"]]`, "/constraints(0)", "a number of tasks or groups is at least 1"},
	{cmd + `"constraints":[["a","IS","[1-2]"]]`, "/constraints(0)", "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)"},
	{cmd + `"role":"other"`, "/role", "got other, expected one of: [slave_public]"},
	{cmd + `"acceptedResourceRoles":[]`, "/acceptedResourceRoles", "must not be empty"},
	{cmd + `"acceptedResourceRoles":[""]`, "/acceptedResourceRoles(0)", `A role name must not be "".`},
	{cmd + `"acceptedResourceRoles":["*","other"]`, "/acceptedResourceRoles", "acceptedResourceRoles can only contain * and slave_public"},
	{resident + `"acceptedResourceRoles":["slave_public"]`, "/acceptedResourceRoles", "A resident app must have `acceptedResourceRoles = [\"*\"]`."},
	{resident + `"acceptedResourceRoles":["*"]`, "", ""},
	// Strategies.
	{cmd + `"unreachableStrategy":{"inactiveAfterSeconds":2,"expungeAfterSeconds":1}`, "/unreachableStrategy/inactiveAfterSeconds", "inactiveAfterSeconds (2) must be less or equal to expungeAfterSeconds, which is 1"},
	{resident + `"unreachableStrategy":{}`, "/", "unreachableStrategy must be disabled for resident tasks"},
	{cmd + `"residency":{},"unreachableStrategy":{}`, "/", "unreachableStrategy must be disabled for resident tasks"},
	{resident + `"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.5}`, "/upgradeStrategy/maximumOverCapacity", "got 0.5, expected 0.0"},
	{cmd + `"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"}`, "/upgradeStrategy/minimumHealthCapacity", "got 1.0, expected 0.0"},
	{cmd + `"instances":2,"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"}`, "/", "Single instance app may only have one instance"},
	{cmd + `"labels":{"DCOS_MIGRATION_API_VERSION":"v1"}`, "/", "DCOS_PACKAGE_FRAMEWORK_NAME and DCOS_MIGRATION_API_PATH must be defined when using DCOS_MIGRATION_API_VERSION"},
	{cmd + `"labels":{"DCOS_MIGRATION_API_VERSION":""}`, "", ""},
	{cmd + `"cpus":2,"resourceLimits":{"cpus":1}`, "/resourceLimits/cpus", "resource limit must be greater than or equal to requested resource (2.0)"},
	{cmd + `"mem":256,"resourceLimits":{"mem":200}`, "/resourceLimits/mem", "resource limit must be greater than or equal to requested resource (256.0)"},
	{cmd + `"resourceLimits":{"mem":"Infinity"}`, "/resourceLimits/mem", "'Infinity' is an invalid resource limit. It must be 'unlimited' or a number"},
	// Ids.
	{cmd + `"dependencies":["/A"]`, "/dependencies(0)", `must fully match regular expression '^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$'`},
}

func TestRefusals(t *testing.T) {
	for _, group := range []struct {
		message string
		cases   []refusal
	}{{"Invalid JSON", typeRefusals}, {"Object is not valid", ruleRefusals}} {
		for _, c := range group.cases {
			document := `{"id":"/x",` + strings.TrimSuffix(c.members, ",") + `}`
			checkOutcome(t, document, marathon.Options{}, group.message, c)
		}
	}
}

func checkOutcome(t *testing.T, document string, opts marathon.Options, message string, c refusal) {
	t.Helper()
	items, err := marathon.Decode([]byte(document))
	if err != nil || len(items) != 1 {
		t.Errorf("%s: %v %v", document, items, err)
		return
	}
	_, err = items[0].ToApp(opts)
	var refused *marathon.Error
	switch {
	case c.path == "":
		if err != nil {
			t.Errorf("%.300s: %v; Marathon takes it", document, err)
		}
	case !errors.As(err, &refused) || refused.Status != 422 || refused.Message != message:
		t.Errorf("%.300s: %v; want %s: %s", document, err, c.path, c.message)
	case !slices.ContainsFunc(refused.Details, func(d marathon.Detail) bool { return d.Path == c.path && slices.Contains(d.Errors, c.message) }):
		t.Errorf("%.300s: %v; want %s: %s", document, err, c.path, c.message)
	}
}

func TestIDRefusals(t *testing.T) {
	const segment = `must fully match regular expression '^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$'`
	for _, c := range []refusal{
		{`{"cmd":"sleep 9"}`, "/id", `'id' is undefined on object: {"cmd":"sleep 9"}`},
		{`{"id":"","cmd":"sleep 9"}`, "/id", "error.minLength"},
		{`{"id":null,"cmd":"sleep 9"}`, "/id", "error.expected.jsstring"},
		{`1`, "/", "error.expected.jsobject"},
		{`null`, "/", "error.expected.jsobject"},
	} {
		checkOutcome(t, c.members, marathon.Options{}, "Invalid JSON", c)
	}
	for _, c := range []refusal{
		{`/`, "/id", "Path must contain at least one path element"},
		{`..`, "/id", "Path must contain at least one path element"},
		{`/A`, "/id", segment},
		{`/a b`, "/id", segment},
		{`/a/restart`, "/id", "must not end with any of the following reserved keywords: restart, tasks, versions, ., .."},
		{`/hello_world`, "", ""},
		{`/a.b/c.d`, "", ""},
	} {
		checkOutcome(t, `{"id":"`+c.members+`","cmd":"sleep 9"}`, marathon.Options{}, "Object is not valid", c)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		opts marathon.Options
		id   string
		refusal
	}{
		{marathon.Options{DefaultNetwork: marathon.NoNetwork}, "/x", refusal{ucr + `"networks":[{}]`, "/networks", "Network name must be specified when container network is selected."}},
		{marathon.Options{DefaultRole: "prod"}, "/x", refusal{cmd + `"role":"slave_public"`, "/role", "got slave_public, expected one of: [prod]"}},
		{marathon.Options{}, "/a/x", refusal{cmd + `"role":"b"`, "/role", "got b, expected one of: [slave_public, a]"}},
		{marathon.Options{DefaultRole: "*"}, "/x", refusal{cmd, "/role", "must match regular expression '^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$'"}},
		{marathon.Options{Base: "prod"}, "x", refusal{cmd, "/id", "Path needs to be absolute"}},
		{marathon.Options{Base: "/prod"}, "x", refusal{cmd + `"role":"prod"`, "", ""}},
	} {
		checkOutcome(t, `{"id":"`+c.id+`",`+strings.TrimSuffix(c.members, ",")+`}`, c.opts, "Object is not valid", c.refusal)
	}
	items, err := marathon.Decode([]byte(`{"id":"x/y_z","cmd":"sleep 9"}`))
	if err != nil {
		t.Fatal(err)
	}
	app, err := items[0].ToApp(marathon.Options{Base: "/marathon", RootNamespace: "marathon", DefaultRole: "own", DefaultNetwork: "overlay"})
	if err != nil || !strings.HasPrefix(app.Namespace, "marathon-") || app.Annotations["kdcos.io/id"] != "/marathon/x/y_z" || app.Spec.Role != "own" {
		t.Errorf("%v, %v", app, err)
	}
}
