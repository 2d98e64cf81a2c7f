// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestGoldenRuns translates the Jobs of testdata/runs/*.in.yaml into the Jobs of
// batch/v1 of a first attempt, or into the list of what is not supported.
func TestGoldenRuns(t *testing.T) {
	files, err := filepath.Glob("testdata/runs/*.in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, in := range files {
		t.Run(strings.TrimSuffix(filepath.Base(in), ".in.yaml"), func(t *testing.T) {
			got := translateRun(t, readRun(t, in))
			out := strings.TrimSuffix(in, ".in.yaml") + ".out.yaml"
			if *update {
				if err := os.WriteFile(out, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func readRun(t *testing.T, file string) *v1alpha1.JobRun {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	job := &v1alpha1.Job{}
	if err := yaml.UnmarshalStrict(raw, job); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	job.UID = "11111111-2222-3333-4444-555555555555"
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := NewRun(job, v1alpha1.Trigger{Type: v1alpha1.TriggerManual}, noon)
	run.UID, run.CreationTimestamp = "66666666-7777-8888-9999-000000000000", metav1.NewTime(noon)
	return run
}

func translateRun(t *testing.T, run *v1alpha1.JobRun) string {
	t.Helper()
	settings := DefaultSettings()
	settings.FetcherImage = "kdcos/kdcos"
	if refused := UnsupportedRun(run, settings); len(refused) > 0 {
		return "# unsupported:\n# " + strings.Join(refused, "\n# ") + "\n"
	}
	job, err := AttemptJob(run, settings, 1)
	if err != nil {
		return fmt.Sprintf("# refused: %v\n", err)
	}
	raw, err := yaml.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestRunNames are functions of what they name.
func TestRunNames(t *testing.T) {
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "data", Name: "extract.daily", UID: "a"}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	one, two := NewRun(job, v1alpha1.Trigger{}, at, "s"), NewRun(job, v1alpha1.Trigger{}, at.UTC(), "s")
	if one.Name != two.Name || !strings.HasPrefix(one.Name, "extract.daily-20260301110000") || one.ID() != strings.TrimPrefix(one.Name, "extract.daily-") {
		t.Errorf("%s and %s, id %s", one.Name, two.Name, one.ID())
	}
	other := NewRun(job, v1alpha1.Trigger{}, at, "t")
	job.UID = "b"
	if again := NewRun(job, v1alpha1.Trigger{}, at, "s"); again.Name == one.Name || other.Name == one.Name {
		t.Errorf("%s is the name of several runs", one.Name)
	}
	if a, b := AttemptName(one, 1), AttemptName(one, 2); a == b || len(a) > 63 {
		t.Errorf("attempts %s and %s", a, b)
	}
	if got := RunTaskID(one, DefaultSettings(), "uid"); got != "data_extract_daily_"+one.ID()+".instance-uid._app.1" {
		t.Errorf("task %s", got)
	}
}

// TestConstraintsWithoutValue count for nothing, as in Metronome.
func TestConstraintsWithoutValue(t *testing.T) {
	run := &v1alpha1.Run{Placement: &v1alpha1.Placement{Constraints: []v1alpha1.PlacementConstraint{
		{Attribute: "rack", Operator: v1alpha1.PlacementIs},
		{Attribute: "rack", Operator: v1alpha1.PlacementLike, Value: ptr.To("")},
		{Attribute: "@zone", Operator: v1alpha1.PlacementEq, Value: ptr.To("a")},
	}}}
	want := []v1alpha1.Constraint{{Field: "@zone", Operator: v1alpha1.ConstraintIs, Value: ptr.To("a")}}
	if diff := cmp.Diff(want, RunConstraints(run)); diff != "" {
		t.Error(diff)
	}
}
