// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

func (r *run) jobOf(s step) *v1alpha1.Job {
	return &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: s.App}}
}

func (r *run) runOf(s step) *v1alpha1.JobRun {
	return &v1alpha1.JobRun{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: s.App + "-" + s.Run}}
}

func (r *run) createJob(ctx context.Context, s step) error {
	job := r.jobOf(s)
	if err := r.spec(s, &job.Spec); err != nil {
		return err
	}
	return r.world.admin.Create(ctx, job)
}

func (r *run) deleteJob(ctx context.Context, s step) error {
	return r.world.admin.Delete(ctx, r.jobOf(s))
}

// startRun asks for a run, as users do: all that has to be there is the name of the Job.
func (r *run) startRun(ctx context.Context, s step) error {
	job, run := r.jobOf(s), r.runOf(s)
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
		return err
	}
	run.Spec = v1alpha1.JobRunSpec{JobName: job.Name, Run: *job.Spec.Run.DeepCopy()}
	if err := r.spec(s, &run.Spec.Run); err != nil {
		return err
	}
	return r.world.admin.Create(ctx, run)
}

func (r *run) stopRun(ctx context.Context, s step) error {
	return r.patch(ctx, r.runOf(s), map[string]any{"spec": map[string]any{"stop": true}})
}

func (r *run) deleteRun(ctx context.Context, s step) error {
	return r.world.admin.Delete(ctx, r.runOf(s))
}

// uncounted says what is missing until a Job has counted its runs.
func (r *run) uncounted(ctx context.Context, s step, want string) (string, error) {
	job := r.jobOf(s)
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
		return "", err
	}
	if is := fmt.Sprintf("%d+%d", job.Status.SuccessCount, job.Status.FailureCount); is != want || job.Status.ActiveRuns > 0 {
		return fmt.Sprintf("%s runs are counted, and %d active", is, job.Status.ActiveRuns), nil
	}
	return r.leftOver(ctx)
}

// jobThings are the runs in the namespace, what they are carried out with, and the pods of that.
type jobThings struct {
	runs v1alpha1.JobRunList
	jobs batchv1.JobList
	pods corev1.PodList
}

func (r *run) jobThings(ctx context.Context) (*jobThings, error) {
	t := &jobThings{}
	for _, list := range []client.ObjectList{&t.runs, &t.jobs} {
		if err := r.world.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return nil, err
		}
	}
	return t, r.world.admin.List(ctx, &t.pods, client.InNamespace(r.namespace), client.HasLabels{v1alpha1.JobLabel})
}

// leftOver names something that is about to go, or whose owner is gone.
func (r *run) leftOver(ctx context.Context) (string, error) {
	t, err := r.jobThings(ctx)
	if err != nil {
		return "", err
	}
	there := map[types.UID]bool{}
	var made []client.Object
	for i := range t.runs.Items {
		there[t.runs.Items[i].UID] = true
	}
	for i := range t.jobs.Items {
		there[t.jobs.Items[i].UID] = true
		made = append(made, &t.jobs.Items[i])
	}
	for i := range t.pods.Items {
		made = append(made, &t.pods.Items[i])
	}
	for _, obj := range made {
		if owner := metav1.GetControllerOf(obj); obj.GetDeletionTimestamp() != nil || owner == nil || !there[owner.UID] {
			return obj.GetName() + " is left", nil
		}
	}
	return "", nil
}

// unkept says that not as many runs of a Job are kept.
func (r *run) unkept(ctx context.Context, s step, want string) (string, error) {
	t, err := r.jobThings(ctx)
	if err != nil {
		return "", err
	}
	n := 0
	for i := range t.runs.Items {
		if t.runs.Items[i].Spec.JobName == s.App {
			n++
		}
	}
	if fmt.Sprint(n) != want {
		return fmt.Sprintf("%d runs are kept", n), nil
	}
	return r.leftOver(ctx)
}

// unlogged says that not as many attempts of a Job are kept.
func (r *run) unlogged(ctx context.Context, s step, want string) (string, error) {
	t, err := r.jobThings(ctx)
	if err != nil {
		return "", err
	}
	n := 0
	for i := range t.jobs.Items {
		if t.jobs.Items[i].Labels[v1alpha1.JobLabel] == workload.JobLabels(s.App)[v1alpha1.JobLabel] {
			n++
		}
	}
	if fmt.Sprint(n) != want {
		return fmt.Sprintf("%d attempts are kept", n), nil
	}
	return r.leftOver(ctx)
}

// inactive says that a run has no task that runs.
func (r *run) inactive(ctx context.Context, s step, _ string) (string, error) {
	run := r.runOf(s)
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(run), run); err != nil {
		return "", err
	}
	if run.Status.State != v1alpha1.RunActive {
		return "the run is " + string(run.Status.State), nil
	}
	return "", nil
}

// jobThere says what there is of a Job, of those that are gone.
func (r *run) jobThere(ctx context.Context, s step, _ string) (string, error) {
	job := r.jobOf(s)
	if err := r.world.admin.Get(ctx, client.ObjectKeyFromObject(job), job); !apierrors.IsNotFound(err) {
		return "the Job is there", err
	}
	t, err := r.jobThings(ctx)
	if err != nil {
		return "", err
	}
	for i := range t.runs.Items {
		if t.runs.Items[i].Spec.JobName == s.App {
			return t.runs.Items[i].Name + " is there", nil
		}
	}
	return r.leftOver(ctx)
}

// jobSeen is a Job at one instant.
type jobSeen struct {
	uid             types.UID
	success, failed int64
}

// runSeen is a run at one instant, madeSeen a Job of batch/v1.
type (
	runSeen struct {
		uid, job types.UID
		name     string
		state    v1alpha1.RunState
	}
	madeSeen struct {
		uid, run types.UID
		attempt  string
	}
)

// ledger is what the history of a namespace says of its Jobs.
type ledger struct {
	jobs map[types.UID]jobSeen
	runs map[types.UID]runSeen
	// made are Jobs of batch/v1, attempts those by run and number.
	made     map[types.UID]madeSeen
	attempts map[string]types.UID
	// tasks are pods that may run, ofMade the first one of each Job of batch/v1.
	tasks  map[types.UID]*podSeen
	ofMade map[types.UID]types.UID
}

// judgeRuns: no run is counted twice or lost, no attempt is made twice, and no two
// tasks of a run are there at once (O8).
func (r *run) judgeRuns() {
	l := &ledger{
		jobs: map[types.UID]jobSeen{}, runs: map[types.UID]runSeen{}, made: map[types.UID]madeSeen{}, attempts: map[string]types.UID{},
		tasks: map[types.UID]*podSeen{}, ofMade: map[types.UID]types.UID{},
	}
	for _, e := range r.world.recorder.story(r.namespace) {
		wrong := ""
		switch {
		case e.job != nil:
			wrong = l.count(*e.job, e.gone)
		case e.run != nil:
			wrong = l.take(*e.run)
		case e.made != nil:
			wrong = l.attempt(*e.made)
		case e.pod != nil:
			wrong = l.task(e.pod, e.gone)
		}
		if wrong != "" {
			r.fail("O8", "%s", wrong)
		}
	}
	for uid, job := range l.jobs {
		if success, failed := l.finished(uid); success != job.success || failed != job.failed {
			r.fail("O8", "counted are %d+%d runs, and there were %d+%d", job.success, job.failed, success, failed)
		}
	}
}

// finished are the runs of a Job that have come to an end.
func (l *ledger) finished(job types.UID) (success, failed int64) {
	for _, run := range l.runs {
		switch {
		case run.job != job:
		case run.state == v1alpha1.RunSuccess:
			success++
		case run.state == v1alpha1.RunFailed:
			failed++
		}
	}
	return success, failed
}

// count takes in what a Job says, and says what is wrong about it.
func (l *ledger) count(job jobSeen, gone bool) string {
	before := l.jobs[job.uid]
	l.jobs[job.uid] = job
	if gone {
		delete(l.jobs, job.uid)
	}
	success, failed := l.finished(job.uid)
	switch {
	case job.success < before.success || job.failed < before.failed:
		return fmt.Sprintf("the count of %d+%d runs became one of %d+%d", before.success, before.failed, job.success, job.failed)
	case job.success > success || job.failed > failed:
		return fmt.Sprintf("counted are %d+%d runs, and there were %d+%d by then", job.success, job.failed, success, failed)
	}
	return ""
}

// take takes in what a run says.
func (l *ledger) take(run runSeen) string {
	before := l.runs[run.uid]
	if run.job == "" {
		run.job = before.job
	}
	l.runs[run.uid] = run
	if over := before.state == v1alpha1.RunSuccess || before.state == v1alpha1.RunFailed; over && run.state != before.state {
		return fmt.Sprintf("run %s was %s and is %s", run.name, before.state, run.state)
	}
	return ""
}

// attempt takes in a Job of batch/v1.
func (l *ledger) attempt(m madeSeen) string {
	if m.run == "" {
		return ""
	}
	l.made[m.uid] = m
	key := string(m.run) + " " + m.attempt
	if there, known := l.attempts[key]; known && there != m.uid {
		return fmt.Sprintf("attempt %s of run %s is made twice", m.attempt, l.runs[m.run].name)
	}
	l.attempts[key] = m.uid
	return ""
}

// task takes in a pod.
func (l *ledger) task(pod *podSeen, gone bool) string {
	m, known := l.made[pod.owner]
	if !known {
		return ""
	}
	_, seen := l.tasks[pod.uid]
	first, made := l.ofMade[pod.owner]
	if !made {
		l.ofMade[pod.owner] = pod.uid
	}
	wrong := ""
	switch {
	case made && first != pod.uid:
		wrong = fmt.Sprintf("attempt %s of run %s has two pods", m.attempt, l.runs[m.run].name)
	case !seen && !made:
		for _, other := range l.tasks {
			if l.made[other.owner].run == m.run {
				wrong = fmt.Sprintf("attempt %s of run %s starts while %s is there", m.attempt, l.runs[m.run].name, other.name)
			}
		}
	}
	l.tasks[pod.uid] = pod
	if gone || pod.ended {
		delete(l.tasks, pod.uid)
	}
	return wrong
}
