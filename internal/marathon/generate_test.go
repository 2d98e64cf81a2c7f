// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// generator makes definitions by chance. Most of their values are good ones, so
// that some definitions are; each member is there or not.
type generator struct{ *rand.Rand }

type object = map[string]any

func pick[T any](g generator, values ...T) T { return values[g.IntN(len(values))] }

// good returns one of the good values, and now and then the bad one.
func (g generator) good(bad any, values ...any) any {
	if g.IntN(150) == 0 {
		return bad
	}
	return pick(g, values...)
}

// some returns an object with some of the members.
func (g generator) some(members object) object {
	out := object{}
	for _, name := range sorted(members) {
		if g.IntN(4) == 0 {
			out[name] = members[name]
		}
	}
	return out
}

// with returns the object with more members.
func with(o object, more object) object {
	for name, value := range more {
		o[name] = value
	}
	return o
}

// several returns up to n of what is made.
func (g generator) several(n int, one func() any) []any {
	out := []any{}
	for range g.IntN(n + 1) {
		out = append(out, one())
	}
	return out
}

func (g generator) app() object {
	app := g.some(object{
		"instances":                  g.good(300000, 0, 1, 1.0, 3, 100000),
		"cpus":                       g.good(0, 0.001, 1, 0.1234567891234, 1e-3, 4e4),
		"mem":                        g.good(-1, 0, 128, 64.5, 1e9),
		"disk":                       g.good("x", 0, 10.25),
		"gpus":                       g.good(1, 0),
		"user":                       g.good(1, "", "root", "nobody", "1000"),
		"env":                        g.env(),
		"labels":                     g.labels(),
		"constraints":                g.several(3, g.constraint),
		"acceptedResourceRoles":      g.good([]any{"prod"}, []any{"*"}, []any{"slave_public"}, []any{"*", "slave_public", "*"}),
		"role":                       g.good("prod", "slave_public"),
		"requirePorts":               pick(g, true, false),
		"dependencies":               g.good([]any{"/UPPER"}, []any{}, []any{"db", "../x", "/a/b", "db"}),
		"readinessChecks":            g.several(1, g.readiness),
		"upgradeStrategy":            g.good(object{"minimumHealthCapacity": 2}, object{"minimumHealthCapacity": pick(g, 0, 0.5, 1), "maximumOverCapacity": pick(g, 0, 0.5, 1)}),
		"killSelection":              g.good("x", "OLDEST_FIRST", "youngest_first"),
		"backoffSeconds":             g.good(700000, 0, 1, 30),
		"backoffFactor":              g.good(0.5, 1, 1.15, 2.5),
		"maxLaunchDelaySeconds":      g.good("1", 0, 300, 3600),
		"taskKillGracePeriodSeconds": g.good(-1, 0, 3, 86400),
		"unreachableStrategy":        g.good(object{"inactiveAfterSeconds": 5}, "disabled", object{}, object{"inactiveAfterSeconds": 1, "expungeAfterSeconds": 2}, "x"),
		"residency":                  g.good(object{"taskLostBehavior": "x"}, object{}, object{"relaunchEscalationTimeoutSeconds": 10}),
		"secrets":                    g.good(object{"s": object{}}, object{"s": object{"source": "/a"}}, object{"s": object{"source": "a/b"}, "t": object{"source": "t"}}),
		"tty":                        pick(g, true, false),
		"drainSeconds":               g.good(-1, 0, 3, 86400),
		"perNode":                    g.good(1, true, false),
		"rollout": g.some(object{
			"paused": g.good("x", true, false), "canaryInstances": g.good(-1, 0, 1, 100000), "progressDeadlineSeconds": g.good(0, 1, 604800),
			"onFailure": g.good("Retry", "Pause", "rollback"), "inPlace": g.good([]any{"image"}, []any{}, []any{"labels"}, []any{"labels", "constraints", "labels"}),
		}),
		"suspend":           g.good("x", true, false),
		"executor":          g.good("/opt/executor", "", "//cmd"),
		"executorResources": g.some(object{"cpus": g.good(0, 0.1, 1), "mem": g.good(1, 32, 64.5), "disk": 10}),
		"resourceLimits":    g.some(object{"cpus": g.limit(), "mem": g.limit()}),
		"check":             g.check(),
		"version":           "2020-01-01T00:00:00.000Z",
		"maintainer":        object{"a": []any{1}},
	})
	app["id"] = g.good("/UPPER", "/x", "x", "/prod/web.x/api_y", "prod/x", "/hello_world", "a/../b", "/default/x", "/"+strings.Repeat("long/", 50)+"x")
	g.command(app)
	g.networking(app)
	if hs := g.several(2, g.health); len(hs) > 0 {
		app["healthChecks"] = hs
	}
	if g.IntN(20) > 0 {
		g.reconcile(app)
	}
	return app
}

// reconcile takes out most of what does not go together.
func (g generator) reconcile(app object) {
	container, _ := app["container"].(object)
	docker, _ := container["docker"].(object)
	if container["type"] == "DOCKER" {
		delete(app, "check")
		if docker == nil {
			delete(app, "container")
		}
		delete(docker, "pullConfig")
	} else if docker != nil {
		delete(docker, "network")
		delete(docker, "portMappings")
		delete(docker, "parameters")
		if app["secrets"] == nil {
			delete(docker, "pullConfig")
		}
	}
	if docker == nil && app["args"] == nil {
		app["cmd"] = "sleep 9"
	}
	if networks, _ := app["networks"].([]any); len(networks) > 1 || docker["network"] != nil || app["ipAddress"] != nil {
		delete(app, "networks")
	}
	if app["residency"] != nil {
		delete(app, "acceptedResourceRoles")
		delete(app, "upgradeStrategy")
	}
	if docker["portMappings"] != nil {
		delete(container, "portMappings")
	}
	if volumes, _ := container["volumes"].([]any); len(volumes) > 0 {
		for _, name := range []string{"acceptedResourceRoles", "upgradeStrategy", "unreachableStrategy", "instances"} {
			delete(app, name)
		}
	}
	if app["networks"] != nil || app["ipAddress"] != nil || docker["network"] != nil || g.IntN(2) == 0 {
		delete(app, "readinessChecks")
	}
}

func (g generator) command(app object) {
	switch g.IntN(6) {
	case 0:
		app["args"] = g.good([]any{1}, []any{"a"}, []any{"a", ""})
	case 1:
	case 2:
		app["cmd"], app["args"] = "sleep", []any{}
	default:
		app["cmd"] = g.good("x", "sleep 9", "echo $(hostname)")
	}
	if files := g.several(2, g.artifact); len(files) > 0 {
		app["fetch"] = files
	} else if g.IntN(3) == 0 {
		app["uris"] = g.several(3, func() any { return g.good("http://a b", "http://a/b.tgz", "", "s3://c/d?e=f.zip", "file:///x.tar.gz") })
	}
}

func (g generator) artifact() any {
	return with(g.some(object{"extract": pick(g, true, false), "executable": pick(g, true, false), "cache": pick(g, true, false), "destPath": g.good("", "a/b")}),
		object{"uri": g.good("hdfs://x/y z", "http://a/b", "hdfs://x/y")})
}

func (g generator) env() any {
	env := object{}
	for range g.IntN(4) {
		env[g.good("x=y", "A", "B", "with space", "a.b", "C").(string)] = g.good(object{"secret": "t"}, "", "v", "$(A)")
	}
	return env
}

func (g generator) labels() any {
	labels := object{}
	for range g.IntN(4) {
		labels[pick(g, "VIP_0", "x", "MARATHON_SINGLE_INSTANCE_APP", "a b", "")] = g.good(1, "true", "/x:80", "")
	}
	return labels
}

func (g generator) constraint() any {
	return g.good([]any{"hostname"},
		[]any{"hostname", "UNIQUE"}, []any{"rack", "CLUSTER", ""}, []any{"rack", "CLUSTER"}, []any{"rack", "GROUP_BY", "+3"}, []any{"@zone", "GROUP_BY"},
		[]any{"a", "MAX_PER", "2"}, []any{"a", "like", "b.*"}, []any{"a", "UNLIKE", "(?i)x|[yz]+"}, []any{"a", "IS"}, []any{"a", "IS", "b/c"})
}

func (g generator) limit() any {
	return g.good("Infinity", "unlimited", 200, 200.25, 1e5, 128.0000000001, 4)
}

func (g generator) readiness() any {
	return g.some(object{
		"name": g.good("", "r"), "protocol": g.good("TCP", "HTTP", "https"), "path": g.good("", "/", "/x"),
		"portName": g.good("http", "default"), "intervalSeconds": g.good(0, 30, 20), "timeoutSeconds": g.good(30, 10, 5),
		"httpStatusCodesForReady": g.good([]any{}, []any{200}, []any{200, 204, 200}), "preserveLastResponse": pick(g, true, false),
	})
}

func (g generator) check() any {
	command := g.good(object{}, object{"shell": "x"}, object{"argv": []any{"a"}})
	return with(g.some(object{"intervalSeconds": g.good(-1, 0, 60), "timeoutSeconds": 1, "delaySeconds": 15}), pick(g,
		object{"http": g.some(object{"port": g.good(0, 80, 8080), "portIndex": g.IntN(3), "path": "/x", "scheme": g.good("x", "http", "HTTPS")})},
		object{"tcp": g.some(object{"port": 80, "portIndex": g.IntN(3)})},
		object{"exec": object{"command": command}}))
}

func (g generator) health() any {
	check := g.some(object{
		"gracePeriodSeconds": g.good(700000, 0, 300), "intervalSeconds": g.good("1", 0, 60), "timeoutSeconds": g.good(-5, 20, 0), "delaySeconds": pick(g, 0, 15),
		"maxConsecutiveFailures": g.good(-1, 0, 3), "ignoreHttp1xx": pick(g, true, false), "portIndex": g.good(1, 0),
	})
	if g.IntN(4) == 0 {
		return with(check, object{"protocol": g.good("TCP", "COMMAND", "command"), "command": object{"value": g.good("", "true")}})
	}
	return with(check, g.some(object{
		"protocol": g.good("UDP", "HTTP", "HTTPS", "tcp", "MESOS_HTTP", "MESOS_TCP", "mesos_https"), "port": g.good(70000, 0, 80),
		"path": pick(g, "", "/", "x"), "ipProtocol": g.good("ipv6", "IPv4"),
	}))
}

func (g generator) networking(app object) {
	if g.IntN(3) > 0 {
		app["container"] = g.container()
	}
	if g.IntN(2) == 0 {
		app["networks"] = g.several(2, func() any {
			return g.good(object{"mode": "x"}, object{"mode": "host"}, object{"mode": "CONTAINER/BRIDGE"}, object{"name": "dcos"}, object{"mode": "container", "name": "b", "labels": object{"a": "b"}}, object{})
		})
	}
	switch g.IntN(6) {
	case 0:
		app["ports"] = g.several(3, func() any { return g.good(70000, 0, 80, 0, 10001, 10002) })
	case 1:
		app["portDefinitions"] = g.several(3, func() any { return g.port("port") })
	case 2:
		app["ipAddress"] = g.some(object{
			"networkName": g.good("", "x", "mesos-bridge", "Odd Name"), "groups": []any{"a"}, "labels": object{"a": "b"},
			"discovery": object{"ports": g.several(2, func() any {
				return with(g.some(object{"number": g.good(-1, 0, 80), "protocol": "tcp"}), object{"name": pick(g, "a", "http")})
			})},
		})
	}
}

func (g generator) port(number string) any {
	return g.some(object{number: g.good(-1, 0, 80, 443, 10000), "name": g.good("UP", "http", "admin", "default"), "protocol": g.good("x", "tcp", "udp", "UDP,TCP"), "labels": g.labels()})
}

func (g generator) mapping() any {
	return with(g.port("containerPort").(object), g.some(object{"hostPort": g.good(-1, 0, 80), "servicePort": g.good("1", 0, 10000), "networkNames": g.good("x", []any{"dcos"}, []any{"b"}, []any{"dcos", "b"})}))
}

func (g generator) container() any {
	c := g.some(object{"portMappings": g.several(3, g.mapping), "volumes": g.several(3, g.volume), "linuxInfo": g.some(object{
		"seccomp": g.some(object{"profileName": "p", "unconfined": true}), "ipcInfo": object{"mode": g.good("x", "private", "SHARE_PARENT"), "shmSize": 16},
	})})
	c["type"] = g.good("x", "DOCKER", "mesos")
	if g.IntN(4) > 0 {
		c["docker"] = with(g.some(object{
			"forcePullImage": pick(g, true, false), "privileged": pick(g, true, false), "network": g.good("x", "HOST", "bridge", "USER", "NONE"),
			"parameters": g.several(2, func() any { return object{"key": g.good("", "env"), "value": "A=b"} }), "portMappings": g.several(2, g.mapping),
			"pullConfig": object{"secret": "s"},
		}), object{"image": g.good("", "nginx")})
	}
	return c
}

func (g generator) volume() any {
	base := object{"containerPath": g.good("", "/a", "b", "c", ".", "d/e"), "mode": g.good("x", "RO", "rw", "RW")}
	return with(base, pick(g,
		object{"hostPath": g.good("", "/h", "rel")},
		object{"secret": g.good("u", "s")},
		object{"persistent": with(g.some(object{
			"type": g.good("x", "ROOT", "path", "mount"), "maxSize": g.good(0, 5000), "profileName": g.good("", "p"),
			"constraints": []any{[]any{"path", "LIKE", "x.*"}},
		}), object{"size": g.good("1", 0, 1, 1024)})},
		object{"external": with(g.some(object{"size": g.good(-1, 1), "shared": pick(g, true, false)}), object{
			"name": g.good("", "v", "w"), "provider": g.good("x", "dvdi"),
			"options": g.good(object{}, object{"dvdi/driver": "rexray"}, object{"dvdi/driver": "pxd", "dvdi/iops": "1"}),
		})},
		object{"external": object{"name": "v", "provider": g.good("dvdi", "csi"), "options": object{
			"pluginName": "p", "capability": with(
				g.some(object{"fsType": "xfs", "mountFlags": []any{"ro"}}), object{"accessType": g.good("x", "mount", "block"), "accessMode": g.good("x", "SINGLE_NODE_WRITER", "multi_node_reader_only")}),
			"volumeContext": object{"a": "b"},
		}}},
	))
}

// checkGenerated makes a definition of a seed, and holds it against what holds
// for all. It returns whether it was accepted.
func checkGenerated(t *testing.T, schema *admission.Schema, seed uint64) bool {
	t.Helper()
	return checkMade(t, schema, generator{rand.New(rand.NewPCG(seed, 0))}.app())
}

func checkMade(t *testing.T, schema *admission.Schema, made object) bool {
	t.Helper()
	document, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	items, err := marathon.Decode(document)
	if err != nil || len(items) != 1 {
		t.Fatalf("%s: %v %v", document, items, err)
	}
	app, err := items[0].ToApp(marathon.Options{})
	if err != nil {
		checkRefusal(t, string(document), err)
		return false
	}
	checkApp(t, schema, string(document), app)
	return true
}

func TestGeneratedApps(t *testing.T) {
	schema := admission.App(t)
	accepted, seeds := 0, 3000
	if testing.Short() {
		seeds = 600
	}
	for seed := range uint64(seeds) {
		if checkGenerated(t, schema, seed) {
			accepted++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d of %d accepted", accepted, seeds)
	if accepted < seeds/4 {
		t.Errorf("only %d definitions were accepted: the generator proves little", accepted)
	}
}

func FuzzGeneratedApps(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	schema := admission.App(f)
	f.Fuzz(func(t *testing.T, seed uint64) { checkGenerated(t, schema, seed) })
}

func sorted(o object) []string { return slices.Sorted(maps.Keys(o)) }
