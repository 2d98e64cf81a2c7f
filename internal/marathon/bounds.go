// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// The bounds of our schema where Marathon has none, or a wider one. Sizes are
// numbers of characters, members and bytes as the schema counts them.
const (
	boundName     = 253
	boundText     = 1024
	boundCommand  = 131072
	boundCheck    = 65536
	boundValue    = 262144
	boundMiB      = 1 << 30
	boundDiskMiB  = 1 << 40
	boundGiB      = 1 << 20
	boundSeconds  = 604800
	boundYear     = 31536000
	boundDay      = 86400
	boundOptions  = 64
	boundPorts    = 256
	boundPortName = 63
	boundItems    = 128
	boundNetworks = 16
)

var (
	envName  = regexp.MustCompile(`^[ -<>-~]+$`)
	roleName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
)

// checkBounds refuses what Marathon takes and an object of ours can't hold, so
// that the answer has a path of the definition and not one of the object.
func checkBounds(a *App, opts Options, p *problems) {
	b := bounds{p}
	b.text("/cmd", ptr.Deref(a.Cmd, "  "), 2, boundCommand)
	b.count("/args", len(a.Args), 1024)
	b.text("/user", ptr.Deref(a.User, "-"), 1, boundName)
	b.number("/instances", float64(*a.Instances), 0, 100000)
	b.number("/cpus", *a.Cpus, 0.001, 100000)
	b.number("/mem", *a.Mem, 0, boundMiB)
	b.number("/disk", *a.Disk, 0, boundMiB)
	b.number("/gpus", float64(*a.Gpus), 0, 1024)
	b.number("/backoffSeconds", float64(*a.BackoffSeconds), 0, boundSeconds)
	b.number("/backoffFactor", *a.BackoffFactor, 1, 1000)
	b.number("/maxLaunchDelaySeconds", float64(*a.MaxLaunchDelaySeconds), 0, boundSeconds)
	b.number("/taskKillGracePeriodSeconds", float64(ptr.Deref(a.TaskKillGracePeriodSeconds, 0)), 0, boundDay)
	b.number("/drainSeconds", float64(ptr.Deref(a.DrainSeconds, 0)), 0, boundDay)
	if r := a.Rollout; r != nil {
		b.number("/rollout/canaryInstances", float64(ptr.Deref(r.CanaryInstances, 0)), 0, 100000)
		b.number("/rollout/progressDeadlineSeconds", float64(ptr.Deref(r.ProgressDeadlineSeconds, 1)), 1, boundSeconds)
		b.check(r.OnFailure == nil || r.ProgressDeadlineSeconds != nil, "/rollout/onFailure", "it needs progressDeadlineSeconds: without it, no upgrade counts as failed")
	}
	b.number("/unreachableStrategy/inactiveAfterSeconds", float64(a.UnreachableStrategy.InactiveAfterSeconds), 0, boundYear)
	b.number("/unreachableStrategy/expungeAfterSeconds", float64(a.UnreachableStrategy.ExpungeAfterSeconds), 0, boundYear)
	if slices.Contains(opts.roles(a.ID), *a.Role) {
		b.text("/role", *a.Role, 1, 63)
		b.check(roleName.MatchString(*a.Role), "/role", mustMatch(roleName))
	}
	b.resources(a)
	b.maps(a)
	b.lists(a)
	b.checks(a)
	b.container(a.Container)
}

type bounds struct{ *problems }

// check adds the message unless ok, or unless Marathon has something to say of
// the same place.
func (b bounds) check(ok bool, path, message string) {
	if _, said := b.at[path]; !said {
		b.problems.check(ok, path, message)
	}
}

func (b bounds) text(path, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	b.check(n >= least, path, tooShort)
	b.check(n <= most, path, tooLong)
}

func (b bounds) number(path string, v, least, most float64) {
	b.check(v >= least && v <= most, path, got(short(v), "between "+short(least)+" and "+short(most)))
}

func short(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (b bounds) count(path string, n, most int) {
	b.check(n <= most, path, "has "+strconv.Itoa(n)+" elements, expected "+strconv.Itoa(most)+" or less")
}

func (b bounds) texts(path string, items []string, least, most int) {
	for i, s := range items {
		b.text(index(path, i), s, least, most)
	}
}

func (b bounds) labels(path string, labels map[string]string, most int) {
	b.count(path, len(labels), most)
	for _, key := range sortedKeys(labels) {
		b.text(path+"/"+key, labels[key], 0, boundValue)
	}
}

func (b bounds) resources(a *App) {
	if r := a.ExecutorResources; r != nil {
		b.number("/executorResources/cpus", *r.Cpus, 0, 1000)
		b.number("/executorResources/mem", *r.Mem, 0, boundMiB)
		b.number("/executorResources/disk", *r.Disk, 0, boundMiB)
	}
	if l := a.ResourceLimits; l != nil {
		b.number("/resourceLimits/cpus", ptr.Deref(l.Cpus, ResourceLimit{}).Number, 0, math.MaxInt32)
		b.number("/resourceLimits/mem", ptr.Deref(l.Mem, ResourceLimit{}).Number, 0, math.Nextafter(1e10, 0))
	}
}

func (b bounds) maps(a *App) {
	b.labels("/labels", a.Labels, 512)
	b.count("/env", len(a.Env), 1024)
	for _, name := range sortedKeys(a.Env) {
		path, v := "/env/"+name, a.Env[name]
		b.check(name == "" || envName.MatchString(name), path, "the name of an environment variable is printable ASCII without '='")
		b.check(utf8.RuneCountInString(name) <= boundName, path, tooLong)
		b.text(path, v.Value, 0, boundValue)
		b.text(path+"/secret", ptr.Deref(v.Secret, "-"), 1, boundName)
	}
	b.count("/secrets", len(a.Secrets), boundOptions)
	for _, name := range sortedKeys(a.Secrets) {
		b.text("/secrets/"+name, name, 1, boundName)
		b.text("/secrets/"+name+"/source", a.Secrets[name].Source, 1, boundText)
	}
}

func (b bounds) lists(a *App) {
	b.count("/fetch", len(a.Fetch), 256)
	for i, f := range a.Fetch {
		b.text(index("/fetch", i)+"/uri", f.URI, 1, boundText)
	}
	b.count("/constraints", len(a.Constraints), boundOptions)
	for i, c := range a.Constraints {
		b.constraint(index("/constraints", i), c)
	}
	b.count("/dependencies", len(a.Dependencies), maxDependencies)
	b.texts("/dependencies", a.Dependencies, 0, boundText)
	b.count("/networks", len(a.Networks), boundNetworks)
	for i, n := range a.Networks {
		b.text(index("/networks", i)+"/name", ptr.Deref(n.Name, "-"), 1, boundName)
		b.labels(index("/networks", i)+"/labels", n.Labels, boundOptions)
	}
	b.count("/portDefinitions", len(a.PortDefinitions), boundPorts)
	for i, d := range a.PortDefinitions {
		path := index("/portDefinitions", i)
		b.number(path+"/port", float64(ptr.Deref(d.Port, 0)), 0, 65535)
		b.text(path+"/name", ptr.Deref(d.Name, "-"), 1, boundPortName)
		b.labels(path+"/labels", d.Labels, boundOptions)
	}
}

func (b bounds) constraint(path string, c []string) {
	for i, s := range c {
		b.text(index(path, i), s, 0, map[bool]int{true: boundName, false: boundText}[i == 0])
	}
	if len(c) != 3 {
		return
	}
	switch operator(c[1]) {
	case v1alpha1.ConstraintGroupBy, v1alpha1.ConstraintMaxPer:
		n, err := strconv.ParseInt(c[2], 10, 32)
		b.check(err != nil || n > 0, path, "a number of tasks or groups is at least 1")
	case v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike:
		_, err := syntax.Parse(c[2], syntax.Perl)
		b.check(err == nil || !isRegexp(c[2]), path, fmt.Sprintf("the regular expression is Java-only, those of RE2 are taken: %v", err))
		b.check(c[2] != "", path, "an empty regular expression matches nothing")
	case v1alpha1.ConstraintUnique, v1alpha1.ConstraintCluster, v1alpha1.ConstraintIs:
	}
}

func (b bounds) checks(a *App) {
	b.count("/healthChecks", len(a.HealthChecks), boundNetworks)
	for i, h := range a.HealthChecks {
		path := index("/healthChecks", i)
		b.text(path+"/path", ptr.Deref(h.Path, ""), 0, boundText)
		b.number(path+"/maxConsecutiveFailures", float64(*h.MaxConsecutiveFailures), 0, 100000)
		b.times(path, map[string]*int32{
			"gracePeriodSeconds": h.GracePeriodSeconds, "intervalSeconds": h.IntervalSeconds,
			"timeoutSeconds": h.TimeoutSeconds, "delaySeconds": h.DelaySeconds,
		})
		if h.Command != nil {
			b.text(path+"/command/value", h.Command.Value, 1, boundCheck)
		}
	}
	if c := a.Check; c != nil {
		b.times("/check", map[string]*int32{"intervalSeconds": c.IntervalSeconds, "timeoutSeconds": c.TimeoutSeconds, "delaySeconds": c.DelaySeconds})
		if c.Exec != nil {
			b.text("/check/exec/command/shell", ptr.Deref(c.Exec.Command.Shell, "-"), 1, boundCheck)
			b.count("/check/exec/command/argv", len(c.Exec.Command.Argv), 1024)
		}
	}
	for i, r := range a.ReadinessChecks {
		path := index("/readinessChecks", i)
		b.text(path+"/name", *r.Name, 1, boundName)
		b.text(path+"/portName", *r.PortName, 1, boundName)
		b.times(path, map[string]*int32{"intervalSeconds": r.IntervalSeconds, "timeoutSeconds": r.TimeoutSeconds})
		b.count(path+"/httpStatusCodesForReady", len(r.HTTPStatusCodesForReady), boundOptions)
		for j, code := range r.HTTPStatusCodesForReady {
			b.number(index(path+"/httpStatusCodesForReady", j), float64(code), 100, 999)
		}
	}
}

func (b bounds) times(path string, times map[string]*int32) {
	for _, name := range sortedKeys(times) {
		b.number(path+"/"+name, float64(ptr.Deref(times[name], 0)), 0, boundSeconds)
	}
}
