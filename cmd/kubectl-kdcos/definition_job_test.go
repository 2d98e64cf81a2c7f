// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const jobFiles = "testdata/convert/jobs/"

// TestConvertJobs converts jobs of Metronome, alone and beside apps.
func TestConvertJobs(t *testing.T) {
	s := newSession(t)
	text := ""
	for _, args := range [][]string{
		{"-f", jobFiles + "v0.json"},
		{"-f", jobFiles + "answer.json"},
		{"-f", jobFiles + "mixed.yaml"},
		{"-f", jobFiles, "-o", "name", "--root-namespace", "metronome"},
	} {
		text += s.transcript(append([]string{"convert"}, args...)...) + "\n"
	}
	golden(t, "convert/jobs.txt", text)
	s.run("convert", "-f", jobFiles+"v0.json")
	first := s.out
	s.in = first
	if code := s.run("convert", "-f", "-"); code != 0 || s.out != first {
		t.Errorf("what was converted is converted to something else: exit code %d\n%s\n%s", code, s.err, s.out)
	}
}

// TestApplyJobs applies them, and waits until they are scheduled.
func TestApplyJobs(t *testing.T) {
	s := newSessionWith(t, inNamespaces("default"))
	text := ""
	for _, args := range [][]string{
		{"-f", jobFiles + "v0.json"},
		{"-f", jobFiles + "v0.json", "--create-namespaces", "--dry-run=server"},
		{"-f", jobFiles + "v0.json", "--create-namespaces"},
		{"-f", jobFiles + "v0.json"},
		{"-f", jobFiles + "mixed.yaml"},
	} {
		text += s.transcript(append([]string{"apply"}, args...)...) + "\n"
	}
	golden(t, "apply-jobs.txt", text)
	job := &unstructured.Unstructured{}
	job.SetAPIVersion(appKind.GroupVersion().String())
	job.SetKind("Job")
	must(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: "data", Name: "report"}, job))
	if cron, _, err := unstructured.NestedSlice(job.Object, "spec", "schedules"); err != nil || len(cron) != 1 {
		t.Errorf("%v, %v", job.Object, err)
	}
}

func TestApplyWaitsForJobs(t *testing.T) {
	states := map[string]map[string]any{
		"good":  condition("Ready", "True", "Scheduled", ""),
		"stuck": condition("Stalled", "True", "Invalid", "spec.dependencies: there is no job x"),
		"slow":  condition("Ready", "Unknown", "Pending", "kdcos has not looked at it yet"),
	}
	s := newSessionWith(t, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, o, opts...); err != nil {
				return err
			}
			o.(*unstructured.Unstructured).Object["status"] = map[string]any{
				"observedGeneration": o.GetGeneration(), "conditions": []any{states[key.Name]},
			}
			return nil
		},
	})
	var jobs []string
	for _, id := range []string{"good", "stuck", "slow"} {
		jobs = append(jobs, `{"id":"`+id+`","run":{"cmd":"true"}}`)
	}
	s.in = "[" + strings.Join(jobs, ",") + "]"
	golden(t, "apply-wait-jobs.txt", s.transcript("apply", "-f", "-", "--wait", "--timeout", "500ms"))
}
