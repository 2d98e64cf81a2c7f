// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// runIDFormat is that of Metronome's ids of runs, which five characters follow.
const runIDFormat = "20060102150405"

// NewRun is a run of a Job, with what the Job says now. Its name is a function of
// the Job, the time and the parts, so that making it twice makes it once.
func NewRun(job *v1alpha1.Job, trigger v1alpha1.Trigger, at time.Time, parts ...string) *v1alpha1.JobRun {
	sum := sha256.Sum256([]byte(digest(append([]string{string(job.UID)}, parts...)...)))
	id := at.UTC().Format(runIDFormat) + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:5]
	run := &v1alpha1.JobRun{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "JobRun"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-" + id,
		},
		Spec: v1alpha1.JobRunSpec{JobName: job.Name, Trigger: trigger, Labels: job.Spec.Labels, Run: *job.Spec.Run.DeepCopy()},
	}
	Adopt(job, run)
	return run
}

// Adopt makes a run one of a Job, which counts it.
func Adopt(job *v1alpha1.Job, run *v1alpha1.JobRun) {
	if run.Labels == nil {
		run.Labels = map[string]string{}
	}
	for key, value := range JobLabels(job.Name) {
		run.Labels[key] = value
	}
	if id := job.Annotations[v1alpha1.IDAnnotation]; id != "" {
		if run.Annotations == nil {
			run.Annotations = map[string]string{}
		}
		run.Annotations[v1alpha1.IDAnnotation] = id
	}
	if !metav1.IsControlledBy(run, job) {
		run.OwnerReferences = append(run.OwnerReferences, *metav1.NewControllerRef(job, v1alpha1.GroupVersion.WithKind("Job")))
	}
	if !slices.Contains(run.Finalizers, v1alpha1.HistoryFinalizer) {
		run.Finalizers = append(run.Finalizers, v1alpha1.HistoryFinalizer)
	}
}
