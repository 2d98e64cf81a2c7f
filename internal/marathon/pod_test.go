// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// inPod is a pod with one container of the members, and more members of the pod.
func inPod(container, pod string) string {
	return `{"id":"/x","containers":[{"name":"a","image":{"kind":"DOCKER","id":"x"}` + container + `}]` + pod + `}`
}

func volumeOf(members string) string {
	return inPod(`,"volumeMounts":[{"name":"v","mountPath":"d"}]`, `,"volumes":[{"name":"v"`+members+`}]`)
}

const bridge = `,"networks":[{"mode":"container/bridge"}]`

// podRefusals are definitions and what is said to them. Without a path they are accepted.
var podRefusals = []struct{ definition, path, message string }{
	{inPod(``, ``), "", ""},
	{`{"id":"/x","containers":[]}`, "/containers", "must not be empty"},
	{`{"id":"/x","containers":{}}`, "/containers", "error.expected.jsarray"},
	{`{"containers":[{"name":"a"}]}`, "/id", "'id' is undefined"},
	{`{"id":"/x","containers":[{"resources":{}}]}`, "/containers(0)/name", "'name' is undefined"},
	{`{"id":"/x","containers":[{"name":"a_b","image":{"kind":"DOCKER","id":"x"}}]}`, "/containers(0)/name", "error.pattern"},
	{`{"id":"/x","containers":[{"name":"_app","image":{"kind":"DOCKER","id":"x"}}]}`, "/containers(0)/name", "error.pattern"},
	{`{"id":"/x","containers":[{"name":"A","image":{"kind":"DOCKER","id":"x"}},{"name":"a","image":{"kind":"DOCKER","id":"x"}}]}`, "/containers(1)/name", "another container has this name"},
	{`{"id":"/x","containers":[{"name":"a"}]}`, "/containers(0)", "a container needs an exec or an image"},
	{`{"id":"/UPPER","containers":[{"name":"a","image":{"kind":"DOCKER","id":"x"}}]}`, "/id", ""},
	{inPod(``, `,"linuxInfo":{"ipcInfo":{"mode":"PRIVATE"}}`), "/linuxInfo", "use linuxInfo of a container"},
	{inPod(``, `,"environment":{"a b":"c"}`), "/environment/a b", "the name of a variable must match"},
	{inPod(`,"environment":{"1":"c"}`, ``), "/containers(0)/environment/1", "the name of a variable must match"},
	{inPod(``, `,"environment":{"A":{"secret":"s"}}`), "/environment/A/secret", "references an undefined secret"},
	{inPod(`,"environment":{"A":{"secret":"s"}}`, ``), "/containers(0)/environment/A/secret", "references an undefined secret"},
	{inPod(``, `,"scaling":{"kind":"other"}`), "/scaling/kind", "error.unknown.enum.literal"},
	{inPod(``, `,"scaling":{"instances":-1}`), "/scaling/instances", "error.min"},
	{inPod(``, `,"scaling":{"kind":"fixed","instances":200000}`), "/scaling/instances", "expected between 0 and 100000"},
	{inPod(``, `,"scheduling":{"backoff":{"backoff":-1}}`), "/scheduling/backoff/backoff", "error.min"},
	{inPod(``, `,"scheduling":{"backoff":{"backoff":700000}}`), "/scheduling/backoff/backoff", "expected between"},
	{inPod(``, `,"scheduling":{"backoff":{"maxLaunchDelay":700000}}`), "/scheduling/backoff/maxLaunchDelay", "expected between"},
	{inPod(``, `,"scheduling":{"upgrade":{"maximumOverCapacity":2}}`), "/scheduling/upgrade/maximumOverCapacity", "error.max"},
	{inPod(``, `,"scheduling":{"placement":{"constraints":[{"fieldName":"a","operator":"X"}]}}`), "/scheduling/placement/constraints(0)", ""},
	{inPod(``, `,"scheduling":{"placement":{"constraints":[{"operator":"UNIQUE"}]}}`), "/scheduling/placement/constraints(0)/fieldName", "is undefined"},
	{inPod(``, `,"scheduling":{"placement":{"acceptedResourceRoles":["x"]}}`), "/scheduling/placement/acceptedResourceRoles", "can only contain"},
	{inPod(``, `,"scheduling":{"unreachableStrategy":{"inactiveAfterSeconds":5}}`), "/scheduling/unreachableStrategy/inactiveAfterSeconds", "must be less or equal"},
	{inPod(``, `,"role":"y"`), "/role", "expected one of"},
	{inPod(``, `,"networks":[{"mode":"host"},{"mode":"container"}]`), "/networks", "May specify a single host network"},
	{inPod(``, `,"networks":[{"mode":"container"},{"mode":"container","name":"b"}]`), "", ""},
	{inPod(`,"resources":{"cpus":0}`, ``), "/containers(0)/resources/cpus", "error.min"},
	{inPod(`,"resources":{"cpus":200000}`, ``), "/containers(0)/resources/cpus", "expected between"},
	{inPod(`,"resources":{"mem":64},"resourceLimits":{"mem":32}`, ``), "/containers(0)/resourceLimits/mem", "must be greater than or equal"},
	{inPod(`,"resourceLimits":{"mem":"x"}`, ``), "/containers(0)/resourceLimits/mem", "must be 'unlimited'"},
	{inPod(`,"exec":{}`, ``), "/containers(0)/exec/command", "is undefined"},
	{inPod(`,"exec":{"command":{"shell":"x"},"overrideEntrypoint":false}`, ``), "/containers(0)/exec/overrideEntrypoint", "must not be false"},
	{`{"id":"/x","containers":[{"name":"a","image":{"kind":"APPC","id":"x"}}]}`, "/containers(0)/image/kind", "use DOCKER"},
	{`{"id":"/x","containers":[{"name":"a","image":{"kind":"DOCKER","id":" x"}}]}`, "/containers(0)/image/id", "no spaces"},
	{`{"id":"/x","containers":[{"name":"a","image":{"kind":"DOCKER","id":"x","pullConfig":{"secret":"s"}}}]}`, "/containers(0)/image/pullConfig", "existing secret"},
	{inPod(`,"endpoints":[{"name":"p"},{"name":"p"}]`, ``), "/containers(0)/endpoints(1)/name", "another endpoint"},
	{inPod(`,"endpoints":[{"name":"p","containerPort":80}]`, ``), "/containers(0)/endpoints(0)/containerPort", "host-mode"},
	{inPod(`,"endpoints":[{"name":"p"}]`, bridge), "/containers(0)/endpoints(0)/containerPort", "is required"},
	{inPod(`,"endpoints":[{"name":"p","hostPort":80},{"name":"q","hostPort":80}]`, ``), "/containers(0)/endpoints(1)/hostPort", "another endpoint"},
	{inPod(`,"endpoints":[{"name":"p","containerPort":80},{"name":"q","containerPort":80}]`, bridge), "/containers(0)/endpoints(1)/containerPort", "another endpoint"},
	{inPod(`,"endpoints":[{"name":"p","containerPort":80,"networkNames":["c"]}]`, bridge), "/containers(0)/endpoints(0)/networkNames(0)", "is not one of"},
	{inPod(`,"endpoints":[{"name":"p","containerPort":80,"hostPort":0}]`, `,"networks":[{"name":"a"},{"name":"b"}]`), "/containers(0)/endpoints(0)", "single item list"},
	{inPod(`,"endpoints":[{"name":"p","protocol":"tcp"}]`, ``), "/containers(0)/endpoints(0)/protocol", "error.expected.jsarray"},
	{inPod(`,"healthCheck":{}`, ``), "/containers(0)/healthCheck", "expected one of http, tcp or exec"},
	{inPod(`,"healthCheck":{"http":{"endpoint":"p"}}`, ``), "/containers(0)/healthCheck/http/endpoint", "must be the name of an endpoint"},
	{inPod(`,"healthCheck":{"exec":{"command":{"shell":"x"}},"intervalSeconds":20}`, ``), "/containers(0)/healthCheck/timeoutSeconds", "got 20, expected less than 20"},
	{inPod(`,"check":{"tcp":{"endpoint":"p"}}`, ``), "/containers(0)/check/tcp/endpoint", "must be the name of an endpoint"},
	{inPod(`,"volumeMounts":[{"name":"v","mountPath":"d"}]`, ``), "/containers(0)/volumeMounts(0)/name", "there is no volume"},
	{inPod(`,"volumeMounts":[{"name":"v","mountPath":"d"},{"name":"v","mountPath":"d"}]`, `,"volumes":[{"name":"v"}]`), "/containers(0)/volumeMounts(1)/mountPath", "another volume"},
	{inPod(``, `,"volumes":[{"name":"v"}]`), "/volumes(0)", "no container mounts it"},
	{volumeOf(`,"host":"/a","secret":"s"`), "/volumes(0)", "at most one"},
	{volumeOf(`,"secret":"s"`), "/volumes(0)", "existing secret"},
	{volumeOf(`,"persistent":{"size":0}`), "/volumes(0)/persistent/size", ""},
	{volumeOf(`,"persistent":{"size":1}`), "", ""},
	{inPod(`,"artifacts":[{"uri":"a b"}]`, ``), "/containers(0)/artifacts(0)/uri", "URI"},
	{inPod(`,"linuxInfo":{"seccomp":{}}`, ``), "/containers(0)/linuxInfo/seccomp", "must be true"},
	{inPod(`,"lifecycle":{"killGracePeriodSeconds":100000}`, ``), "/containers(0)/lifecycle/killGracePeriodSeconds", "expected between"},
	{inPod(`,"lifecycle":{"killGracePeriodSeconds":0.5}`, ``), "", ""},
}

func TestPodRefusals(t *testing.T) {
	schema := admission.App(t)
	for _, r := range podRefusals {
		items, err := marathon.Decode([]byte(r.definition))
		if err != nil || len(items) != 1 {
			t.Fatalf("%s: %v, %v", r.definition, items, err)
		}
		app, err := items[0].ToApp(marathon.Options{})
		if r.path == "" {
			if err != nil {
				t.Errorf("%s: %v", r.definition, err)
			} else {
				checkApp(t, schema, r.definition, app)
			}
			continue
		}
		var refused *marathon.Error
		if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Details, func(d marathon.Detail) bool {
			return d.Path == r.path && strings.Contains(strings.Join(d.Errors, ", "), r.message)
		}) {
			t.Errorf("%s: %v; want %s: %s", r.definition, err, r.path, r.message)
		}
	}
}

func several(n int, item string) string {
	var all []string
	for i := range n {
		all = append(all, strings.ReplaceAll(item, "#", fmt.Sprint(i)))
	}
	return strings.Join(all, ",")
}

// podBounds are the parts of a pod that have a size which an app has not.
var podBounds = []bound{
	{"/containers", 16, func(n int) string {
		return `{"id":"/x","containers":[` + several(n, `{"name":"c#","image":{"kind":"DOCKER","id":"x"}}`) + `]}`
	}},
	{"/containers(0)/endpoints", 16, func(n int) string { return inPod(`,"endpoints":[`+several(n, `{"name":"p#"}`)+`]`, ``) }},
	{"/containers(0)/environment", 128, func(n int) string { return inPod(`,"environment":{`+several(n, `"E#":""`)+`}`, ``) }},
	{"/containers(0)/artifacts", 64, func(n int) string { return inPod(`,"artifacts":[`+several(n, `{"uri":"u#"}`)+`]`, ``) }},
	{"/containers(0)/labels", 64, func(n int) string { return inPod(`,"labels":{`+several(n, `"l#":""`)+`}`, ``) }},
	{"/containers(0)/endpoints(0)/labels", 64, func(n int) string {
		return inPod(`,"endpoints":[{"name":"p","labels":{`+several(n, `"l#":""`)+`}}]`, ``)
	}},
	{"/containers(0)/endpoints(0)/protocol", 4, func(n int) string {
		return inPod(`,"endpoints":[{"name":"p","protocol":[`+several(n, `"p#"`)+`]}]`, ``)
	}},
	{"/containers(0)/volumeMounts", 32, func(n int) string {
		return inPod(`,"volumeMounts":[`+several(n, `{"name":"v","mountPath":"d#"}`)+`]`, `,"volumes":[{"name":"v"}]`)
	}},
	{"/volumes", 32, func(n int) string {
		half := n / 2
		return `{"id":"/x","containers":[{"name":"a","image":{"kind":"DOCKER","id":"x"},"volumeMounts":[` + several(half, `{"name":"v#","mountPath":"d#"}`) +
			`]},{"name":"b","image":{"kind":"DOCKER","id":"x"},"volumeMounts":[` + several(n-half, `{"name":"w#","mountPath":"d#"}`) +
			`]}],"volumes":[` + several(half, `{"name":"v#"}`) + `,` + several(n-half, `{"name":"w#"}`) + `]}`
	}},
	{"/containers(0)/exec/command/shell", 65536, func(n int) string {
		return inPod(`,"exec":{"command":{"shell":"`+strings.Repeat("a", n)+`"}}`, ``)
	}},
	{"/containers(0)/exec/command/argv", 1024, func(n int) string { return inPod(`,"exec":{"command":{"argv":[`+several(n, `"#"`)+`]}}`, ``) }},
	{"/containers(0)/lifecycle/killGracePeriodSeconds", 86400, func(n int) string {
		return inPod(fmt.Sprintf(`,"lifecycle":{"killGracePeriodSeconds":%d}`, n), ``)
	}},
	{"/containers(0)/healthCheck/maxConsecutiveFailures", 100000, func(n int) string {
		return inPod(fmt.Sprintf(`,"healthCheck":{"exec":{"command":{"shell":"x"}},"maxConsecutiveFailures":%d}`, n), ``)
	}},
	{"/containers(0)/healthCheck/gracePeriodSeconds", 604800, func(n int) string {
		return inPod(fmt.Sprintf(`,"healthCheck":{"exec":{"command":{"shell":"x"}},"gracePeriodSeconds":%d}`, n), ``)
	}},
	{"/containers(0)/check/delaySeconds", 604800, func(n int) string {
		return inPod(fmt.Sprintf(`,"check":{"exec":{"command":{"shell":"x"}},"delaySeconds":%d}`, n), ``)
	}},
	{"/containers(0)/resources/gpus", 1024, func(n int) string { return inPod(fmt.Sprintf(`,"resources":{"gpus":%d}`, n), ``) }},
	{"/containers(0)/user", 253, func(n int) string { return inPod(`,"user":"`+strings.Repeat("a", n)+`"`, ``) }},
}

func TestPodBounds(t *testing.T) {
	schema := admission.App(t)
	for _, b := range podBounds {
		for _, n := range []int{b.most, b.most + 1} {
			items, err := marathon.Decode([]byte(b.part(n)))
			if err != nil {
				t.Fatalf("%s: %v", b.path, err)
			}
			app, err := items[0].ToApp(marathon.Options{})
			var refused *marathon.Error
			switch {
			case n == b.most && err != nil:
				t.Errorf("%s at %d: %.300v", b.path, n, err)
			case n == b.most:
				checkApp(t, schema, b.path, app)
			case !errors.As(err, &refused) || refused.Details[0].Path != b.path || len(refused.Details) > 1:
				t.Errorf("%s at %d: %.300v", b.path, n, err)
			}
		}
	}
}

// pod makes a pod by chance.
func (g generator) pod() object {
	pod := g.some(object{
		"labels": g.labels(), "user": g.good(1, "", "root", "1000"), "role": g.good("prod", "slave_public"),
		"environment":       g.good(object{"a b": "c"}, object{}, object{"A": "b"}, object{"A": "$(X)", "_b": ""}),
		"scaling":           g.some(object{"kind": g.good("x", "fixed", "FIXED"), "instances": g.good(-1, 0, 1, 3)}),
		"executorResources": g.some(object{"cpus": g.good(0, 0.1, 1), "mem": 64.5}),
		"networks": g.several(1, func() any {
			return g.good(object{"mode": "x"}, object{"mode": "host"}, object{"mode": "container/bridge"}, object{"name": "dcos"}, object{"mode": "container"})
		}),
		"scheduling": g.some(object{
			"backoff":             g.some(object{"backoff": g.good(-1, 0, 1.5, 30), "backoffFactor": g.good(0, 1, 2.5), "maxLaunchDelay": 3600.0}),
			"upgrade":             g.some(object{"minimumHealthCapacity": g.good(2, 0, 0.5, 1), "maximumOverCapacity": pick(g, 0, 1)}),
			"killSelection":       g.good("x", "OLDEST_FIRST", "youngest_first"),
			"unreachableStrategy": g.good(object{"inactiveAfterSeconds": 5}, "disabled", object{}, object{"inactiveAfterSeconds": 1, "expungeAfterSeconds": 2}),
			"placement": g.some(object{
				"acceptedResourceRoles": g.good([]any{"x"}, []any{}, []any{"*"}),
				"constraints": g.several(2, func() any {
					return g.good(object{}, object{"fieldName": "hostname", "operator": "unique"}, object{"fieldName": "a", "operator": "IS", "value": "b"},
						object{"fieldName": "a", "operator": "GROUP_BY", "value": "3"})
				}),
			}),
		}),
		"legacySharedCgroups": true, "suspend": pick(g, true, false), "perNode": pick(g, true, false), "drainSeconds": 3,
		"rollout":      g.good(object{"canaryInstances": 100001}, object{}, object{"paused": true, "inPlace": []any{"labels"}}),
		"dependencies": []any{"/db"},
	})
	pod["id"] = g.good("/UPPER", "/x", "x", "/prod/web.x/api_y")
	pod["secrets"] = object{"s": object{"source": "s"}}
	pod["volumes"] = []any{
		object{"name": "v"},
		with(object{"name": "w"}, pick(g, object{"host": "/h"}, object{"host": "rel"}, object{"secret": "s"})),
	}
	networks, _ := pod["networks"].([]any)
	onHost := len(networks) == 0
	if !onHost {
		first, _ := networks[0].(object)
		onHost = first["mode"] == "host"
	}
	var containers []any
	for i, name := range pick(g, []string{"a"}, []string{"a", "sideCar"}, []string{"a", "b", "c"}) {
		containers = append(containers, g.podContainer(name, fmt.Sprintf("p%d", i), 80+i, onHost))
	}
	pod["containers"] = containers
	return pod
}

func (g generator) podContainer(name, endpoint string, port int, onHost bool) object {
	e := g.some(object{"protocol": g.good("tcp", []any{"tcp"}, []any{"http", "udp"}, []any{"UDP"}), "labels": object{"VIP_0": "/x:80"}, "hostPort": 0})
	e["name"] = endpoint
	if !onHost {
		e["containerPort"] = port
	}
	command := g.good(object{}, object{"shell": "sleep 9"}, object{"argv": []any{"a", ""}})
	check := pick(g, object{"http": g.some(object{"path": "/x", "scheme": "https"})}, object{"tcp": object{}}, object{"exec": object{"command": command}})
	for _, kind := range []string{"http", "tcp"} {
		if c, is := check[kind].(object); is {
			c["endpoint"] = g.good("nobody", endpoint)
		}
	}
	c := g.some(object{
		"resources":      g.some(object{"cpus": g.good(0, 0.1, 1), "mem": g.good(-1, 0, 32.5), "disk": 10, "gpus": g.good("1", 0, 1)}),
		"resourceLimits": g.some(object{"cpus": g.limit(), "mem": g.limit()}),
		"environment":    g.good(object{"A": object{"secret": "t"}}, object{}, object{"A": object{"secret": "s"}, "B": "c"}),
		"user":           g.good(1, "", "nobody"),
		"healthCheck":    with(g.some(object{"intervalSeconds": g.good(1, 60), "timeoutSeconds": g.good(60, 0, 5), "maxConsecutiveFailures": 0, "gracePeriodSeconds": 2, "delaySeconds": 0}), check),
		"check":          with(g.some(object{"intervalSeconds": 1, "timeoutSeconds": 60, "delaySeconds": 0}), check),
		"artifacts":      []any{g.artifact()},
		"labels":         object{"a": "b"},
		"lifecycle":      g.some(object{"killGracePeriodSeconds": g.good(-1, 0, 2.5, 60)}),
		"tty":            pick(g, true, false),
		"linuxInfo":      g.some(object{"seccomp": g.good(object{}, object{"unconfined": true}, object{"profileName": "p"}), "ipcInfo": object{"mode": g.good("x", "PRIVATE", "share_parent")}}),
		"image":          with(g.some(object{"forcePull": pick(g, true, false), "pullConfig": object{"secret": "s"}, "labels": object{"a": "b"}}), object{"kind": g.good("APPC", "docker"), "id": "nginx"}),
	})
	c["name"], c["endpoints"] = name, []any{e}
	c["volumeMounts"] = []any{object{"name": "v", "mountPath": "d"}, object{"name": "w", "mountPath": "/w", "readOnly": pick(g, true, false)}}
	if c["image"] == nil || g.IntN(2) == 0 {
		c["exec"] = with(g.some(object{"overrideEntrypoint": true}), object{"command": command})
	}
	return c
}

func TestGeneratedPods(t *testing.T) {
	schema := admission.App(t)
	accepted, seeds := 0, 2000
	if testing.Short() {
		seeds = 400
	}
	for seed := range uint64(seeds) {
		if checkMade(t, schema, generator{rand.New(rand.NewPCG(seed, 0))}.pod()) {
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

func FuzzGeneratedPods(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	schema := admission.App(f)
	f.Fuzz(func(t *testing.T, seed uint64) { checkMade(t, schema, generator{rand.New(rand.NewPCG(seed, 0))}.pod()) })
}
