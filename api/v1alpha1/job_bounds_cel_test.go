// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// fullRun has every field of a run, and fullJob and fullJobRun every one of their
// kinds, whether or not they go together.
const (
	fullRun = `
run:
  cmd: sleep 9
  args: [a]
  docker: {image: i, forcePullImage: true, privileged: true, parameters: [{key: k, value: v}]}
  ucr: {image: {id: i, kind: docker, forcePull: true}, privileged: true}
  cpus: 1
  mem: 128
  disk: 1
  gpus: 1
  user: root
  env: [{name: A, value: v, secret: s}]
  secrets: [{name: s, source: s}]
  volumes: [{containerPath: c, hostPath: h, mode: RW, secret: s}]
  artifacts: [{uri: u, extract: true, executable: true, cache: true}]
  networks: [{mode: container, name: nm, labels: {anykey: b}}]
  placement: {constraints: [{attribute: a, operator: IS, value: v}]}
  restart: {policy: ON_FAILURE, activeDeadlineSeconds: 1}
  maxLaunchDelaySeconds: 1
  taskKillGracePeriodSeconds: 1
  lostAfterSeconds: 1
`
	fullJob = fullRun + `
description: d
labels: {anykey: b}
dependencies: [{id: d, onFailure: Run}]
schedules: [{id: s, cron: c, dialect: standard, timezone: t, startingDeadlineSeconds: 60, concurrencyPolicy: FORBID, enabled: true, missedTicks: Drop}]
successfulRunsHistoryLimit: 1
failedRunsHistoryLimit: 1
`
	fullJobRun = fullRun + `
jobName: j
trigger: {type: Schedule, schedule: s, scheduledAt: "2021-10-31T01:30:00Z", parents: [{id: i, run: r, completedAt: "2021-10-31T01:30:00.000000Z"}]}
labels: {anykey: b}
startingDeadlineSeconds: 1
stop: true
`
)

func TestJobBounds(t *testing.T) {
	checkBounds(t, "Job", admission.Job(t), fullJob)
	checkBounds(t, "JobRun", admission.JobRun(t), fullJobRun)
}
