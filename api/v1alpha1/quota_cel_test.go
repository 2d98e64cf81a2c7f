// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

const (
	groupName  = "the name of a quota is that of its group"
	noQuota    = "namespaces of the system and of kdcos have no quota"
	needsOne   = "a quota has limits, or guarantees, or both"
	guarantees = "a guarantee may not be more than the limit of the same resource"
)

// quotaRules has, for every rule of Quota, objects it takes and objects it refuses.
var quotaRules = []struct{ name, spec, message string }{
	{"dev", "limits: {cpus: 4}", ""},
	{"dev.web.api", "limits: {cpus: 0.5, mem: 0, disk: 1e6, gpus: 0.125}", ""},
	{strings.Repeat("x", 63) + "." + strings.Repeat("y", 189), "limits: {cpus: 4}", ""},
	{strings.Repeat("x", 64), "limits: {cpus: 4}", groupName},
	{strings.Repeat("x", 64) + ".web", "limits: {cpus: 4}", groupName},
	{"kube-system", "limits: {cpus: 4}", noQuota},
	{"kube-node-lease.web", "limits: {cpus: 4}", noQuota},
	{"kdcos", "limits: {cpus: 4}", noQuota},
	{"kdcos-system", "limits: {cpus: 4}", noQuota},
	{"kubernetes", "limits: {cpus: 4}", ""},
	{"dev", "", needsOne},
	{"dev", "queueing: StrictFIFO", needsOne},
	{"dev", "limits: {}", ""},
	{"dev", "guarantees: {cpus: 4}", ""},
	{"dev", "limits: {cpus: 4}, guarantees: {cpus: 4, mem: 64}", ""},
	{"dev", "limits: {cpus: 4}, guarantees: {cpus: 4.001}", guarantees},
	{"dev", "limits: {mem: 4}, guarantees: {mem: 5}", guarantees},
	{"dev", "limits: {disk: 4}, guarantees: {disk: 5}", guarantees},
	{"dev", "limits: {gpus: 0}, guarantees: {gpus: 0.001}", guarantees},
	{"dev", "limits: {cpus: -1}", "greater than or equal to 0"},
	{"dev", "limits: {cpus: 1e13}", "less than or equal to 1000000000000"},
	{"dev", "limits: {mem: 1099511627777}", "less than or equal to"},
	{"dev", "limits: {cpus: many}", "must be of type number"},
	{"dev", "limits: {cpus: 4}, queueing: Random", "Unsupported value"},
	{"dev", "limits: {cpus: 4}, queueing: BestEffortFIFO, onBlockedUpdate: ReduceCapacity, countJobs: false", ""},
	{"dev", "limits: {cpus: 4}, onBlockedUpdate: Stop", "Unsupported value"},
	{"dev", "limits: {cpus: 4}, headOfLineTimeoutSeconds: 0, releaseTimeoutSeconds: 10", ""},
	{"dev", "limits: {cpus: 4}, headOfLineTimeoutSeconds: -1", "greater than or equal to 0"},
	{"dev", "limits: {cpus: 4}, headOfLineTimeoutSeconds: 86401", "less than or equal to 86400"},
	{"dev", "limits: {cpus: 4}, releaseTimeoutSeconds: 9", "greater than or equal to 10"},
}

func TestQuotaRules(t *testing.T) {
	book := &ruleBook{kind: "Quota", schema: admission.New(t, filepath.Join("..", "..", "config", "crd", "kdcos.io_quotas.yaml"))}
	for _, c := range quotaRules {
		book.check(t, fmt.Sprintf("{apiVersion: kdcos.io/v1alpha1, kind: Quota, metadata: {name: %s}, spec: {%s}}", c.name, c.spec), c.message)
	}
	book.complete(t)
}
