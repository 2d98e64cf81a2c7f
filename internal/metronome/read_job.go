// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"fmt"
	"regexp"
	"time"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/cron"
)

// The defaults of Metronome.
const (
	defaultCpus             = 1
	defaultMem              = 128
	defaultMaxLaunchDelay   = 3600
	defaultStartingDeadline = 900
	defaultTimezone         = "UTC"
	defaultKind             = "docker"
	defaultHistory          = 100
)

// The bounds of our schema, in characters, items and seconds.
const (
	boundName    = 253
	boundText    = 1024
	boundCommand = 131072
	boundValue   = 262144
	boundMiB     = 1 << 30
	boundItems   = 1024
	boundYear    = 31536000
)

var jobID = regexp.MustCompile(`^[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*$`)

// outputOnly are what answers of Metronome have beside the definition.
var outputOnly = []string{"activeRuns", "history", "historySummary"}

// readJob reads a job, and says what of it is no setting.
func readJob(n node) (j Job, notes []string) {
	o := n.object(append([]string{
		"id", "description", "dependencies", "labels", "schedules", "run",
		"successfulRunsHistoryLimit", "failedRunsHistoryLimit",
	}, outputOnly...)...)
	for _, name := range outputOnly {
		if _, ok := o.members[name]; ok {
			notes = append(notes, fmt.Sprintf("%s was left out: it tells what happened to the job elsewhere", name))
		}
	}
	j = Job{
		ID:           required(o, "id", matching(jobID, boundText)),
		Description:  notEmpty(optional(o, "description", text(0, 65536))),
		Dependencies: either(o, "dependencies", list(128, readDependency), []Dependency{}),
		Labels:       either(o, "labels", dictionary(512, nil, text(0, boundValue)), map[string]string{}),
		Schedules:    either(o, "schedules", list(1, readSchedule), []Schedule{}),

		SuccessfulRunsHistoryLimit: unless(defaultHistory, optional(o, "successfulRunsHistoryLimit", integer(0, 1000))),
		FailedRunsHistoryLimit:     unless(defaultHistory, optional(o, "failedRunsHistoryLimit", integer(0, 1000))),
	}
	if run, ok := o.need("run"); ok {
		j.Run = readRun(run)
	}
	j.check(n.out)
	return j, notes
}

// notEmpty is nil for an empty text: the CLI of DC/OS sends some.
func notEmpty(s *string) *string {
	if s != nil && *s == "" {
		return nil
	}
	return s
}

// unless is nil for the value that it says.
func unless[T comparable](usual T, v *T) *T {
	if v != nil && *v == usual {
		return nil
	}
	return v
}

func readDependency(n node) Dependency {
	o := n.open()
	d := Dependency{
		ID:        required(o, "id", matching(jobID, boundText)),
		OnFailure: either(o, "onFailure", word(v1alpha1.ParentFailureWait, v1alpha1.ParentFailureRun), ""),
	}
	if d.OnFailure == v1alpha1.ParentFailureWait {
		d.OnFailure = ""
	}
	return d
}

func readSchedule(n node) Schedule {
	o := n.open()
	s := Schedule{
		ID:                      required(o, "id", matching(jobID, boundName)),
		Timezone:                either(o, "timezone", readTimezone, ""),
		StartingDeadlineSeconds: either(o, "startingDeadlineSeconds", integer(1, boundYear), defaultStartingDeadline),
		ConcurrencyPolicy:       either(o, "concurrencyPolicy", word("", v1alpha1.ConcurrencyAllow, v1alpha1.ConcurrencyForbid), ""),
		Enabled:                 either(o, "enabled", boolean, true),
		Dialect:                 either(o, "dialect", word(v1alpha1.CronMetronome, v1alpha1.CronStandard), ""),
		MissedTicks:             either(o, "missedTicks", word(v1alpha1.MissedTicksDrop, v1alpha1.MissedTicksLatest), ""),
	}
	s.Cron = required(o, "cron", s.readCron)
	// The CLI of DC/OS writes timeZone, and empty texts for what the file does not have.
	if s.Timezone == "" {
		s.Timezone = either(o, "timeZone", readTimezone, "")
	}
	if s.Timezone == "" {
		s.Timezone = defaultTimezone
	}
	if s.ConcurrencyPolicy == "" {
		s.ConcurrencyPolicy = v1alpha1.ConcurrencyAllow
	}
	if s.Dialect == v1alpha1.CronMetronome {
		s.Dialect = ""
	}
	if s.MissedTicks == v1alpha1.MissedTicksLatest {
		s.MissedTicks = ""
	}
	if s.StartingDeadlineSeconds < 60 {
		o.out.add(o.path+"/startingDeadlineSeconds", fmt.Sprintf("got %d seconds, expected 1 minute or more", s.StartingDeadlineSeconds))
	}
	return s
}

// readCron reads an expression, and keeps it as it was written.
func (s *Schedule) readCron(n node) string {
	expression := text(1, boundText)(n)
	if expression != "" {
		if _, err := cron.Parse(expression, s.Dialect); err != nil {
			n.fail("Can not read cron expression %q: %v", cut(expression), err)
		}
	}
	return expression
}

func readTimezone(n node) string {
	name := text(0, 64)(n)
	if name == "" || name == "Local" {
		n.out.check(name == "", n.path, "No time zone found with this id: Local")
		return name
	}
	if _, err := time.LoadLocation(name); err != nil {
		n.fail("No time zone found with this id: %q. It is a name of the IANA database, such as Europe/Berlin.", name)
	}
	return name
}

// check holds the rules for a job as a whole.
func (j *Job) check(p *problems) {
	p.check(len(j.Schedules) == 0 || len(j.Dependencies) == 0, "/", "Jobs may not have both dependencies and schedules specified")
	seen := map[string]bool{}
	for _, d := range j.Dependencies {
		p.check(!seen[d.ID], "/dependencies", "has double entries")
		p.check(d.ID == "" || d.ID != j.ID, "/dependencies", "Dependencies have a cycle.")
		seen[d.ID] = true
	}
	j.Run.check(p)
}

// ptrOrNil is nil for the zero value.
func ptrOrNil[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return ptr.To(v)
}
