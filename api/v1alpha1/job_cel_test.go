// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

const (
	oneImage     = "docker and ucr exclude each other: give one of them"
	usedSecret   = "each of secrets must be used by env or volumes"
	runNetworks  = "networks: one, or with a ucr image several of mode container"
	clockOrOther = "schedules and dependencies exclude each other: a job runs by the clock or after others"
	ofSchedule   = "schedule and scheduledAt are for the type Schedule, and it needs both"
	ofParents    = "parents are for the type Dependencies, and it needs them"
	onlyStop     = "a run never changes: only stop can be set"
	noWayBack    = "a run that was stopped can't be started again: make a new one"
	longName     = "the name of a Job has 228 characters at most: its runs are named after it"
	runRegexp    = "the value of LIKE and UNLIKE is a regular expression as RE2 has them, and not empty"
	dockerRun    = "docker: {image: x}"
	ucrRun       = "ucr: {image: {id: x}}"
)

// runRules has, for every rule of Run, runs it takes and runs it refuses.
var runRules = []ruleCase{
	{"cmd: sleep 9", ""},
	{"cmd: x", ""}, // where Marathon wants two characters
	{dockerRun, ""},
	{ucrRun, ""},
	{"cmd: sleep 9, " + dockerRun, ""},
	{"args: [a], " + ucrRun, ""},
	{"cpus: 1", "a run needs a cmd, a docker image or a ucr image"},
	{"args: [a]", "a run needs a cmd, a docker image or a ucr image"},
	{"cmd: ''", "should be at least 1 chars long"},
	{"cmd: a, args: [a], " + dockerRun, "cmd and args exclude each other: give one of them"},
	{dockerRun + ", " + ucrRun, oneImage},
	{"docker: {}", "Required value"},
	{"docker: {image: ' x'}", "should match"},
	{"ucr: {}", "Required value"},
	{"ucr: {image: {id: x, kind: docker, forcePull: true}, privileged: true}", ""},
	{"ucr: {image: {id: x, kind: appc}}", "Unsupported value"},
	{"cmd: a, gpus: 1", ""},
	{ucrRun + ", gpus: 1", ""},
	{dockerRun + ", gpus: 0", ""},
	{dockerRun + ", gpus: 1", "gpus need a ucr image: the docker engine has no GPU support"},

	{"cmd: a, secrets: [{name: s, source: s}], env: [{name: A, secret: s}, {name: B, value: s}]", ""},
	{"cmd: a, secrets: [{name: s, source: s}], volumes: [{containerPath: a, secret: s}]", ""},
	{"cmd: a, env: [{name: A, secret: s}]", "env[].secret " + noSecret},
	{"cmd: a, secrets: [{name: t, source: t}], env: [{name: A, secret: s}]", "env[].secret " + noSecret},
	{"cmd: a, volumes: [{containerPath: a, secret: s}]", "volumes[].secret " + noSecret},
	{"cmd: a, secrets: [{name: s, source: s}]", usedSecret},
	{"cmd: a, secrets: [{name: s, source: s}, {name: t, source: t}], env: [{name: A, secret: s}]", usedSecret},
	{"cmd: a, env: [{name: A}, {name: A}]", "Duplicate value"},
	{"cmd: a, secrets: [{name: s, source: s}], env: [{name: A, secret: s, value: v}]", "value and secret exclude each other"},

	{"cmd: a, volumes: [{containerPath: a, hostPath: /b, mode: RO}, {containerPath: b, hostPath: b}]", ""},
	{"cmd: a, volumes: [{containerPath: a}]", "a volume is exactly one of hostPath and secret"},
	{"cmd: a, secrets: [{name: s, source: s}], volumes: [{containerPath: a, hostPath: b, secret: s}]", "a volume is exactly one of hostPath and secret"},
	{"cmd: a, secrets: [{name: s, source: s}], volumes: [{containerPath: a, secret: s, mode: RO}]", "a volume of a secret has no mode: it is read-only"},
	{dockerRun + ", volumes: [{containerPath: a, hostPath: b}]", ""},
	{ucrRun + ", secrets: [{name: s, source: s}], volumes: [{containerPath: a, secret: s}]", ""},
	{dockerRun + ", secrets: [{name: s, source: s}], volumes: [{containerPath: a, secret: s}]", "volumes of a secret need a ucr image, or none"},
	{"cmd: a, volumes: [{containerPath: a, hostPath: b}, {containerPath: a, hostPath: c}]", "Duplicate value"},

	{dockerRun + ", networks: []", ""},
	{dockerRun + ", networks: [{mode: host}]", ""},
	{dockerRun + ", networks: [{mode: container/bridge}]", ""},
	{dockerRun + ", networks: [{name: a}]", ""},
	{ucrRun + ", networks: [{name: a}, {name: b}]", ""},
	{dockerRun + ", networks: [{name: a}, {name: b}]", runNetworks},
	{ucrRun + ", networks: [{name: a}, {mode: host}]", runNetworks},
	{ucrRun + ", networks: [{name: a}, {name: a}]", "network names must be unique"},
	{ucrRun + ", networks: [{}]", "a network of mode container needs a name"},
	{ucrRun + ", networks: [{mode: host, name: a}]", "only a network of mode container has a name"},
	{ucrRun + ", networks: [{mode: host, labels: {a: b}}]", "a network of mode host has no labels"},
	{"cmd: a, networks: [{mode: host}]", ""},
	{"cmd: a, networks: [{mode: container/bridge}]", "networks of a run without an image are of mode host"},

	{"cmd: a, placement: {}", ""},
	{"cmd: a, placement: {constraints: [{attribute: a, operator: IS, value: 'a(b'}, {attribute: '@zone', operator: EQ, value: b}, {attribute: a, operator: LIKE, value: 'a[b-d]+'}]}", ""},
	{"cmd: a, placement: {constraints: [{attribute: a, operator: IS}, {attribute: a, operator: LIKE}, {attribute: a, operator: UNLIKE}]}", ""}, // ignored, as they were
	{"cmd: a, placement: {constraints: [{attribute: a, operator: LIKE, value: ''}]}", runRegexp},
	{"cmd: a, placement: {constraints: [{attribute: a, operator: UNLIKE, value: 'a(?!b)'}]}", "invalid or unsupported Perl syntax: `(?!` evaluating rule: " + runRegexp},
	{"cmd: a, placement: {constraints: [{attribute: a, operator: UNIQUE}]}", "Unsupported value"},
	{"cmd: a, placement: {constraints: [{operator: IS}]}", "Required value"},

	{"cmd: a, restart: {policy: ON_FAILURE, activeDeadlineSeconds: 0}", ""},
	{"cmd: a, restart: {}", "Required value"},
	{"cmd: a, restart: {policy: ALWAYS}", "Unsupported value"},
	{"cmd: a, artifacts: [{uri: 'http://a/b', extract: false, executable: true, cache: true}]", ""},
	{"cmd: a, artifacts: [{}]", "Required value"},
	{"cmd: a, taskKillGracePeriodSeconds: 0, lostAfterSeconds: 0, maxLaunchDelaySeconds: 1", ""},
	{"cmd: a, mem: 31", "should be greater than or equal to 32"},
	{"cmd: a, cpus: 0.009", "should be greater than or equal to 0.01"},
	{"cmd: a, cpus: 0", "cpus must be at least 0.01"}, // a minimum of 0.01 is one of 0 to the API server where the value is whole
}

// jobRules are specs of Jobs without their run.
var jobRules = []ruleCase{
	{"description: d, labels: {a: b}, successfulRunsHistoryLimit: 0, failedRunsHistoryLimit: 1000", ""},
	{"schedules: [{id: nightly, cron: '0 3 * * *'}]", ""},
	{"schedules: [{id: a.b, cron: '* * * * *', dialect: standard, timezone: Europe/Berlin, startingDeadlineSeconds: 60, concurrencyPolicy: FORBID, enabled: false, missedTicks: Drop}]", ""},
	{"schedules: [], dependencies: [{id: a}]", ""},
	{"schedules: [{id: a, cron: '* * * * *'}], dependencies: []", ""},
	{"dependencies: [{id: data.extract}, {id: b, onFailure: Run}]", ""},
	{"schedules: [{id: a, cron: '* * * * *'}], dependencies: [{id: a}]", clockOrOther},
	{"schedules: [{id: a, cron: '* * * * *'}, {id: b, cron: '* * * * *'}]", "Too many"},
	{"schedules: [{cron: '* * * * *'}]", "Required value"},
	{"schedules: [{id: a}]", "Required value"},
	{"schedules: [{id: a, cron: '* * * * *', startingDeadlineSeconds: 59}]", "should be greater than or equal to 60"},
	{"schedules: [{id: a, cron: '* * * * *', concurrencyPolicy: REPLACE}]", "Unsupported value"},
	{"dependencies: [{id: a}, {id: a}]", "Duplicate value"},
	{"dependencies: [{id: /a/b}]", "should match"},
	{"dependencies: [{id: a--b.c}]", ""},
	{"dependencies: [{id: a..b}]", "should match"},
	{"dependencies: [{id: a, onFailure: Ignore}]", "Unsupported value"},
}

// jobRunRules are specs of JobRuns without their run.
var jobRunRules = []ruleCase{
	{"jobName: a", ""},
	{"jobName: a.b-c, labels: {a: b}, startingDeadlineSeconds: 1, stop: true", ""},
	{"jobName: a, trigger: {}", ""},
	{"jobName: a, trigger: {type: Manual}", ""},
	{"jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: '2021-10-31T01:30:00Z'}", ""},
	{"jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: '2021-10-31T01:30:00.5+02:00'}", ""},
	{"jobName: a, trigger: {type: Dependencies, parents: [{id: b, run: b-1, completedAt: '2021-10-31T01:30:00.000001Z'}]}", ""},
	{"labels: {a: b}", "Required value"},
	{"jobName: A", "should match"},
	{"jobName: a, trigger: {type: Manual, schedule: s}", ofSchedule},
	{"jobName: a, trigger: {scheduledAt: '2021-10-31T01:30:00Z'}", ofSchedule},
	{"jobName: a, trigger: {type: Schedule, schedule: s}", ofSchedule},
	{"jobName: a, trigger: {type: Schedule, scheduledAt: '2021-10-31T01:30:00Z'}", ofSchedule},
	{"jobName: a, trigger: {type: Dependencies}", ofParents},
	{"jobName: a, trigger: {type: Dependencies, parents: []}", "should have at least 1 items"},
	{"jobName: a, trigger: {parents: [{id: b, run: b-1, completedAt: '2021-10-31T01:30:00.000001Z'}]}", ofParents},
	{"jobName: a, trigger: {type: Webhook}", "Unsupported value"},
	// The manager could not read these, and with them no run at all.
	{"jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: '2021-10-31T01:30:00'}", "should match"},
	{"jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: '2021-13-31T01:30:00Z'}", "date-time"},
	{"jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: ''}", "should match"},
	{"jobName: a, trigger: {type: Dependencies, parents: [{id: b, run: b-1, completedAt: '2021-10-31T01:30:00Z'}]}", "should match"},
	{"jobName: a, trigger: {type: Dependencies, parents: [{id: b, run: b-1, completedAt: '2021-10-31T01:30:00.001Z'}]}", "should match"},
}

// jobRunChanges are the spec of a run, that it is changed to, and what an API
// server says to that.
var jobRunChanges = []struct{ was, is, message string }{
	{"jobName: a", "jobName: a", ""},
	{"jobName: a", "jobName: a, trigger: {type: Manual}", ""},
	{"jobName: a", "jobName: a, stop: false", ""},
	{"jobName: a", "jobName: a, stop: true", ""},
	{"jobName: a, stop: false", "jobName: a", ""},
	{"jobName: a, stop: true", "jobName: a, stop: true", ""},
	{"jobName: a, stop: true", "jobName: a, stop: false", noWayBack},
	{"jobName: a, stop: true", "jobName: a", noWayBack},
	{"jobName: a", "jobName: b", onlyStop},
	{"jobName: a", "jobName: a, labels: {a: b}", onlyStop},
	{"jobName: a, labels: {a: b}", "jobName: a", onlyStop},
	{"jobName: a, labels: {a: b}", "jobName: a, labels: {a: c}", onlyStop},
	{"jobName: a, labels: {a: b}", "jobName: a, labels: {a: b}, stop: true", ""},
	{"jobName: a", "jobName: a, startingDeadlineSeconds: 60", onlyStop},
	{"jobName: a, startingDeadlineSeconds: 60", "jobName: a", onlyStop},
	{"jobName: a, startingDeadlineSeconds: 60", "jobName: a, startingDeadlineSeconds: 61", onlyStop},
	{"jobName: a", "jobName: a, trigger: {type: Schedule, schedule: s, scheduledAt: '2021-10-31T01:30:00Z'}", onlyStop},
	{"jobName: a, run: {cmd: a}", "jobName: a, run: {cmd: b}", onlyStop},
	{"jobName: a, run: {cmd: a}", "jobName: a, run: {cmd: a, cpus: 1}", ""}, // which it is without
	{"jobName: a, run: {cmd: a}", "jobName: a, run: {cmd: a, user: root}", onlyStop},
	{"jobName: a, run: {cmd: a, env: [{name: A}, {name: B}]}", "jobName: a, run: {cmd: a, env: [{name: A}]}", onlyStop},
}

func jobOf(kind, name, spec string) string {
	return fmt.Sprintf("{apiVersion: kdcos.io/v1alpha1, kind: %s, metadata: {name: %s, namespace: default}, spec: {%s}}", kind, name, spec)
}

// withRun adds a run to a spec that has none.
func withRun(spec string) string {
	if strings.Contains(spec, "run: {") {
		return spec
	}
	return spec + ", run: {cmd: sleep 9}"
}

func TestJobRules(t *testing.T) {
	job, run := &ruleBook{kind: "Job", schema: admission.Job(t)}, &ruleBook{kind: "JobRun", schema: admission.JobRun(t)}
	for _, c := range runRules {
		job.check(t, jobOf("Job", "x", "run: {"+c.spec+"}"), c.message)
		run.check(t, jobOf("JobRun", "x", "jobName: x, run: {"+c.spec+"}"), c.message)
	}
	for _, c := range jobRules {
		job.check(t, jobOf("Job", "x", withRun(c.spec)), c.message)
	}
	for _, c := range jobRunRules {
		run.check(t, jobOf("JobRun", "x", withRun(c.spec)), c.message)
	}
	job.check(t, jobOf("Job", "x", "description: d"), "Required value")
	job.check(t, jobOf("Job", strings.Repeat("x", 228), withRun("description: d")), "")
	job.check(t, jobOf("Job", strings.Repeat("x", 229), withRun("description: d")), longName)
	run.check(t, jobOf("JobRun", strings.Repeat("x", 253), withRun("jobName: "+strings.Repeat("x", 228))), "")
	run.check(t, jobOf("JobRun", "x", withRun("jobName: "+strings.Repeat("x", 229))), "Too long")
	for _, c := range jobRunChanges {
		run.change(t, jobOf("JobRun", "x", withRun(c.was)), jobOf("JobRun", "x", withRun(c.is)), c.message)
	}
	job.complete(t)
	run.complete(t)
}

// ruleBook notes which rules of a kind have refused something.
type ruleBook struct {
	kind    string
	schema  *admission.Schema
	refused map[string]bool
}

func (b *ruleBook) check(t *testing.T, object, message string) {
	t.Helper()
	_, errs := b.schema.Admit(t, object)
	b.expect(t, object, message, errs)
}

func (b *ruleBook) change(t *testing.T, was, is, message string) {
	t.Helper()
	old, errs := b.schema.Admit(t, was)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", was, errs.ToAggregate())
	}
	b.expect(t, was+" to "+is, message, b.schema.Update(t, is, old))
}

// expect holds what is said to an object against what should be: nothing for no message.
func (b *ruleBook) expect(t *testing.T, object, message string, errs field.ErrorList) {
	t.Helper()
	if b.refused == nil {
		b.refused = map[string]bool{}
	}
	found := message == "" && len(errs) == 0
	for _, err := range errs {
		found = found || message != "" && strings.Contains(err.Error(), message)
		// A rule that can't be evaluated says why, and then which it is.
		_, rule, _ := strings.Cut(err.Detail, " evaluating rule: ")
		b.refused[rule], b.refused[err.Detail] = true, true
	}
	if !found {
		t.Errorf("%s: %v; want %q", object, errs.ToAggregate(), message)
	}
}

func (b *ruleBook) complete(t *testing.T) {
	t.Helper()
	for _, crd := range definitions(t) {
		if crd.Spec.Names.Kind != b.kind {
			continue
		}
		walk("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema, func(path string, s *apiextensionsv1.JSONSchemaProps) {
			for _, rule := range s.XValidations {
				if !b.refused[rule.Message] {
					t.Errorf("%s%s: no case is refused by the rule %q", b.kind, path, rule.Message)
				}
			}
		})
	}
}
