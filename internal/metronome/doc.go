// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metronome turns the jobs of Metronome's API into Jobs, and back. It
// reads what POST and PUT of /v1/jobs and /v0/scheduled-jobs take, what GET
// answers and what the CLI of DC/OS sends, refuses what Metronome refuses in
// its words, and answers with all defaults as it does. It never sees a pod, and
// knows nothing of runs.
package metronome
