// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/cron"
	"github.com/kdcos/kdcos/internal/metronome"
	"github.com/kdcos/kdcos/internal/pathid"
)

// definedKinds are the kinds of definitions.
var definedKinds = []string{"App", "Job"}

// readJobs reads jobs of Metronome.
func (t *translation) readJobs(d document) []definition {
	items, err := metronome.Decode(d.json)
	if err != nil {
		return []definition{{where: d.where(), err: err}}
	}
	all := make([]definition, 0, len(items))
	for _, item := range items {
		definition := definition{where: place(d.where(), item.Path, item.ID), notes: item.Notes, err: item.Err}
		if item.Err == nil {
			var job *v1alpha1.Job
			if job, definition.err = metronome.ToJob(item.Job, pathid.Mapping{RootNamespace: t.options.RootNamespace}); definition.err == nil {
				definition.notes = append(definition.notes, quirks(job)...)
				definition.object, definition.err = brief(job, "Job")
			}
		}
		all = append(all, definition)
	}
	return all
}

// quirks are what the expressions of a Job say that may not be meant.
func quirks(job *v1alpha1.Job) []string {
	var all []string
	for i, s := range job.Spec.Schedules {
		e, err := cron.Parse(s.Cron, s.Dialect)
		if err != nil {
			continue // which it is refused for elsewhere
		}
		for _, quirk := range e.Quirks() {
			all = append(all, fmt.Sprintf("/schedules(%d)/cron: %s", i, quirk))
		}
	}
	return all
}

// metronomeReasons are those of an error of Metronome's.
func metronomeReasons(err *metronome.Error) []string {
	var all []string
	for _, detail := range err.Details {
		where := detail.Path + ": "
		if detail.Path == "/" {
			where = "" // the whole, which was named already
		}
		for _, reason := range detail.Errors {
			all = append(all, where+reason)
		}
	}
	if len(all) == 0 {
		return []string{err.Message}
	}
	return all
}
