// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

// jobWorld are the Jobs and runs that these tests take place among.
func jobWorld(t *testing.T) []client.Object {
	t.Helper()
	var all []client.Object
	for _, d := range (&input{files: []string{"testdata/jobs/etl.in.yaml"}}).documents(nil) {
		must(t, d.err)
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		all = append(all, raw)
	}
	return all
}

// TestRuns lists runs, and what else there is to say about Jobs.
func TestRuns(t *testing.T) {
	s := newSession(t, jobWorld(t)...)
	text := ""
	for _, args := range [][]string{
		{"runs", "/data/extract"},
		{"runs", "extract", "-n", "data", "--no-headers"},
		{"runs", "load", "-n", "data", "-o", "name"},
		{"runs", "/kube-system/report"},
		{"runs", "job/none"},
		{"runs"},
		{"runs", "Extract"},
		{"runs", "/data/extract", "-n", "prod"},
		{"status", "/data/extract"},
		{"status", "load", "-n", "data"},
		{"status", "job/report", "-n", "group-kube-system-660486ed5b"},
		{"status", "job/extract", "-n", "data", "-o", "jsonpath={.spec.run.future.unknown}"},
		{"status", "none"},
		{"status", "job/none"},
	} {
		text += s.transcript(args...) + "\n"
	}
	golden(t, "jobs/runs.txt", text)
}

// TestRunsHidden is what somebody sees who may see Jobs and no runs.
func TestRunsHidden(t *testing.T) {
	s := newSessionWith(t, interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, _ client.ObjectList, _ ...client.ListOption) error {
		return apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("jobruns").GroupResource(), "", errText("no"))
	}}, jobWorld(t)...)
	if s.run("status", "/data/load"); !strings.Contains(s.out, "Active Runs: not shown: jobruns.kdcos.io is forbidden: no\n") {
		t.Error(s.out, s.err)
	}
}

// TestRun starts runs.
func TestRun(t *testing.T) {
	s := newSession(t, jobWorld(t)...)
	text := ""
	for _, args := range [][]string{
		{"run", "/data/extract"},
		{"run", "/data/extract"}, // in the same second, and with the same suffix here
		{"run", "/kube-system/report", "-o", "yaml"},
		{"run", "load", "-n", "data", "--dry-run=client", "-o", "name"},
		{"run", "load", "-n", "data", "--dry-run=server"},
		{"run", "none"},
		{"run"},
		{"runs", "load", "-n", "data"},
	} {
		text += s.transcript(args...) + "\n"
	}
	made := &unstructured.Unstructured{}
	made.SetGroupVersionKind(jobRunKind)
	must(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: "data", Name: "extract-20260301120000xxxxx"}, made))
	unstructured.RemoveNestedField(made.Object, "metadata", "managedFields")
	raw, err := yaml.Marshal(made.Object)
	must(t, err)
	golden(t, "jobs/run.txt", text+string(raw))
}

// TestStop stops runs that are not over.
func TestStop(t *testing.T) {
	s := newSession(t, jobWorld(t)...)
	text := ""
	for _, args := range [][]string{
		{"stop", "drun/extract-20260301115900bbbbb", "-n", "data", "--dry-run=server"},
		{"stop", "/data/extract/20260301030000aaaaa", "/data/extract/20260227030000ccccc", "/data/extract/x"},
		{"stop", "-n", "data", "load-1", "--dry-run=client"},
		{"stop"},
		{"stop", "pod/x"},
	} {
		text += s.transcript(args...) + "\n"
	}
	golden(t, "jobs/stop.txt", text)
	for name, want := range map[string]bool{"extract-20260301030000aaaaa": true, "extract-20260227030000ccccc": false, "load-1": false} {
		run, err := (&cluster{client: s.client}).jobRun(t.Context(), client.ObjectKey{Namespace: "data", Name: name})
		must(t, err)
		if got := run.typed.Spec.Stop != nil && *run.typed.Spec.Stop; got != want {
			t.Errorf("%s: stop is %v", name, got)
		}
	}
}

// TestCompletionOfJobs completes Jobs and runs.
func TestCompletionOfJobs(t *testing.T) {
	s := newSession(t, jobWorld(t)...)
	for line, want := range map[string]string{
		"run -n data ":          "extract\nload\n:4",
		"runs -n data ex":       "extract\n:4",
		"run -n data extract ":  ":4",
		"stop -n data load-1 l": ":4",
		"stop -n data l":        "load-1\n:4",
		"logs -n data l":        "load-1\n:4",
		"logs -n data load-1 ":  ":4",
	} {
		s.run(append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if diff := cmp.Diff(want, strings.TrimSpace(s.out)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

// attemptPod is the pod of an attempt of a run.
func attemptPod(t *testing.T, objects []client.Object, name string, number int32, state corev1.ContainerState) *corev1.Pod {
	t.Helper()
	for _, object := range objects {
		if object.GetName() != name {
			continue
		}
		run, err := readAs[v1alpha1.JobRun](object.(*unstructured.Unstructured))
		must(t, err)
		labels := workload.RunLabels(name)
		labels[v1alpha1.AttemptLabel] = fmt.Sprint(number)
		job := &metav1.ObjectMeta{Name: workload.AttemptName(&run.typed, number), UID: "x"}
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: run.typed.Namespace, Name: fmt.Sprintf("pod-%d", number), Labels: labels,
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, corev1.SchemeGroupVersion.WithKind("Job"))},
			},
			Spec:   corev1.PodSpec{NodeName: "node-1"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: workload.ContainerName, State: state}}},
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

var (
	ends3 = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}
	runs  = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
)

// says is a log that says which it is of and what was asked for.
func says(_ context.Context, pod *corev1.Pod, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	line := fmt.Sprintf("this is %s, container %s, follow %v, timestamps %v", pod.Name, o.Container, o.Follow, o.Timestamps)
	if o.TailLines != nil {
		line += fmt.Sprintf(", tail %d", *o.TailLines)
	}
	return io.NopCloser(strings.NewReader(line + "\n")), nil
}

// TestLogs prints what there is.
func TestLogs(t *testing.T) {
	objects := jobWorld(t)
	stranger := attemptPod(t, objects, "load-1", 1, runs)
	stranger.Name, stranger.OwnerReferences = "stranger", nil
	objects = append(objects,
		attemptPod(t, objects, "extract-20260301030000aaaaa", 1, ends3),
		attemptPod(t, objects, "extract-20260301030000aaaaa", 2, runs),
		stranger)
	s := newSession(t, objects...)
	s.log = says
	text := ""
	for _, args := range [][]string{
		{"logs", "/data/extract/20260301030000aaaaa"},
		{"logs", "-n", "data", "extract-20260301030000aaaaa", "--attempt", "2", "--tail", "5", "--timestamps"},
		{"logs", "-n", "data", "extract-20260301030000aaaaa", "--attempt", "3"},
		{"logs", "-n", "data", "extract-20260301115900bbbbb"},
		{"logs", "-n", "data", "extract-20260226030000ddddd"},
		{"logs", "-n", "data", "load-1"},
		{"logs", "-n", "data", "none"},
		{"logs"},
		{"logs", "x", "--attempt", "-1"},
	} {
		text += s.transcript(args...) + "\n"
	}
	golden(t, "jobs/logs.txt", text)
}

// TestFollow follows a run from waiting, over two attempts, to its exit code,
// while the time passes that it takes.
func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		last func(*v1alpha1.JobRun)
	}{
		"fails": {[]string{"logs", "-f", "/data/load/1"}, func(r *v1alpha1.JobRun) {
			setRun(r, v1alpha1.RunFailed, v1alpha1.ReasonTaskFailed, "attempt 2 exited with code 42", v1alpha1.Attempt{Number: 1, ExitCode: exit(3)}, v1alpha1.Attempt{Number: 2, ExitCode: exit(42)})
		}},
		"succeeds": {[]string{"logs", "-f", "load-1", "-n", "data"}, func(r *v1alpha1.JobRun) {
			setRun(r, v1alpha1.RunSuccess, v1alpha1.ReasonSucceeded, "attempt 2 succeeded", v1alpha1.Attempt{Number: 1, ExitCode: exit(3)}, v1alpha1.Attempt{Number: 2, ExitCode: exit(0)})
		}},
		"never starts": {[]string{"logs", "-f", "load-1", "-n", "data"}, func(r *v1alpha1.JobRun) {
			setRun(r, v1alpha1.RunFailed, v1alpha1.ReasonStartingDeadline, "no node was found in 60 seconds")
		}},
		"goes": {[]string{"logs", "-f", "load-1", "-n", "data"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "/dev/null")
			synctest.Test(t, func(t *testing.T) {
				golden(t, "jobs/follow-"+strings.ReplaceAll(name, " ", "-")+".txt", follow(t, c.args, c.last))
			})
		})
	}
}

func exit(code int32) *int32 { return &code }

// setRun gives a run another status.
func setRun(r *v1alpha1.JobRun, state v1alpha1.RunState, reason, message string, attempts ...v1alpha1.Attempt) {
	r.Status.State, r.Status.Attempts = state, attempts
	r.Status.AttemptCount = int32(len(attempts))
	r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
}

// follow tells of a command that follows the run load-1 while that goes through
// its states, one every five seconds: the last is given, or the run is deleted.
func follow(t *testing.T, args []string, last func(*v1alpha1.JobRun)) string {
	objects := jobWorld(t)
	c := newSession(t, objects...).client
	change := func(do func(*v1alpha1.JobRun)) {
		time.Sleep(5 * time.Second)
		run, err := (&cluster{client: c}).jobRun(t.Context(), client.ObjectKey{Namespace: "data", Name: "load-1"})
		must(t, err)
		do(&run.typed)
		content, err := toUnstructured(&run.typed)
		must(t, err)
		must(t, c.Update(t.Context(), content))
	}
	started := func(number int32, state corev1.ContainerState) {
		must(t, c.Create(t.Context(), attemptPod(t, objects, "load-1", number, state)))
	}
	go func() {
		change(func(r *v1alpha1.JobRun) {
			setRun(r, v1alpha1.RunInitial, v1alpha1.ReasonWaiting, "0/5 nodes are available", v1alpha1.Attempt{Number: 1})
		})
		time.Sleep(5 * time.Second)
		if !strings.Contains(t.Name(), "never") {
			started(1, ends3)
			change(func(r *v1alpha1.JobRun) {
				setRun(r, v1alpha1.RunStarting, v1alpha1.ReasonRestarting, "attempt 1 exited with code 3", v1alpha1.Attempt{Number: 1, ExitCode: exit(3)}, v1alpha1.Attempt{Number: 2})
			})
			started(2, runs)
		}
		if last == nil {
			time.Sleep(5 * time.Second)
			must(t, client.IgnoreNotFound(c.Delete(t.Context(), objects[len(objects)-1].DeepCopyObject().(client.Object))))
			return
		}
		change(last)
	}()
	var out bytes.Buffer
	p := newPlugin(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	p.connect, p.openLog = func() (client.Client, error) { return c, nil }, says
	code := execute(t.Context(), append([]string{program}, args...), p)
	return fmt.Sprintf("$ %s %s\n%s--- exit code %d\n", command, strings.Join(args, " "), out.String(), code)
}

// TestBrokenLog holds that a log that breaks off is opened again where it was.
func TestBrokenLog(t *testing.T) {
	objects := jobWorld(t)
	objects = append(objects, attemptPod(t, objects, "extract-20260227030000ccccc", 1, runs))
	s := newSession(t, objects...)
	opened := 0
	s.log = func(_ context.Context, _ *corev1.Pod, o *corev1.PodLogOptions) (io.ReadCloser, error) {
		opened++
		if opened == 1 {
			return io.NopCloser(io.MultiReader(strings.NewReader("one\n"), brokenReader{})), nil
		}
		if o.SinceTime == nil || o.TailLines != nil {
			t.Errorf("the rest is asked for by %v", o)
		}
		return io.NopCloser(strings.NewReader("two\n")), nil
	}
	if code := s.run("logs", "-f", "/data/extract/20260227030000ccccc", "--tail", "3"); code != 0 || s.out != "one\ntwo\n" || !strings.Contains(s.err, "the log broke off: no more") {
		t.Errorf("%d: %q, %q", code, s.out, s.err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errText("no more") }

// TestWaitForRun waits for a run that is over at once, and for one that isn't.
func TestWaitForRun(t *testing.T) {
	for _, c := range []struct {
		state v1alpha1.RunState
		args  []string
		code  int
		text  string
	}{
		{v1alpha1.RunSuccess, nil, 0, "succeeded"},
		{v1alpha1.RunFailed, nil, 7, "failed: TaskFailed: exit"},
		{v1alpha1.RunActive, []string{"--timeout", "1ms"}, 1, "timed out after 1ms: TaskFailed: exit"},
	} {
		s := newSessionWith(t, interceptor.Funcs{Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			err := w.Get(ctx, key, object, options...)
			if raw, ok := object.(*unstructured.Unstructured); ok && raw.GetKind() == "JobRun" {
				run := &v1alpha1.JobRun{}
				setRun(run, c.state, v1alpha1.ReasonTaskFailed, "exit", v1alpha1.Attempt{Number: 1, ExitCode: exit(7)})
				content, toErr := toUnstructured(run)
				must(t, toErr)
				raw.Object["status"] = content.Object["status"]
			}
			return err
		}}, jobWorld(t)...)
		if code := s.run(append([]string{"run", "/data/load", "--wait"}, c.args...)...); code != c.code || !strings.Contains(s.err, c.text) {
			t.Errorf("%s: %d, %s", c.state, code, s.err)
		}
	}
}

// toUnstructured is a run as it would be sent.
func toUnstructured(run *v1alpha1.JobRun) (*unstructured.Unstructured, error) {
	raw, err := yaml.Marshal(run)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(raw, &u.Object); err != nil {
		return nil, err
	}
	u.SetGroupVersionKind(jobRunKind)
	return u, nil
}
