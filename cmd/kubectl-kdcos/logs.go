// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var (
	logsLong = templates.LongDesc(`
		Print what the tasks of a run say, one attempt after the other.

		With --follow, wait for the run to start, telling what it waits for, follow all its
		attempts, and end with the exit code of the last. A run that failed for another reason
		ends with 1.

		A RUN is given by the name of its JobRun, or by the path of its Job and the id of the
		run, such as /data/extract/20260301120000ab3x9. Logs are gone with their pods.`)

	logsExample = templates.Examples(`
		# Print what a run has said so far
		kubectl kdcos logs etl-20260301120000ab3x9

		# Follow a run to its end
		kubectl kdcos logs -f etl-20260301120000ab3x9

		# Print the last ten lines of the second attempt
		kubectl kdcos logs etl-20260301120000ab3x9 --attempt 2 --tail 10`)
)

// logging is what logs was asked for.
type logging struct {
	follow     bool
	timestamps bool
	tail       int64
	attempt    int32
}

func newLogsCommand(p *plugin) *cobra.Command {
	l := &logging{tail: -1}
	cmd := &cobra.Command{
		Use:                   "logs RUN",
		DisableFlagsInUseLine: true,
		Short:                 "Print or follow what a run of a Job says",
		Long:                  logsLong,
		Example:               logsExample,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return p.completeRuns(cmd, args, toComplete)
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cmdutil.UsageErrorf(cmd, "need one RUN: the name of a JobRun, as kubectl kdcos runs lists them")
			}
			if l.attempt < 0 {
				return cmdutil.UsageErrorf(cmd, "--attempt: attempts are numbered from 1")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.showLogs(cmd.Context(), l, args[0]) },
	}
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "If true, follow the run to its end. Its exit code is that of the command.")
	cmd.Flags().BoolVar(&l.timestamps, "timestamps", false, "If true, print the time in front of each line.")
	cmd.Flags().Int64Var(&l.tail, "tail", l.tail, "How many of the last lines of each attempt to print; all with -1.")
	cmd.Flags().Int32Var(&l.attempt, "attempt", 0, "The one attempt to print, from 1; all without it.")
	return cmd
}

func (p *plugin) showLogs(ctx context.Context, l *logging, arg string) error {
	c, err := p.cluster()
	if err != nil {
		return err
	}
	key, err := c.findRun(arg)
	if err != nil {
		return err
	}
	f := &follower{plugin: p, cluster: c, key: key, logs: l, next: max(l.attempt, 1)}
	if l.follow {
		return f.follow(ctx)
	}
	run, err := c.jobRun(ctx, key)
	if err != nil {
		return err
	}
	for more := true; more; {
		if more, err = f.show(ctx, &run.typed); err != nil {
			return err
		}
	}
	if !f.shown {
		return fmt.Errorf("%s has said nothing yet: %s", subject(jobRunNoun, key.Name), orNone(runMessage(&run.typed)))
	}
	return nil
}

// show prints the log of the next attempt that has one, and says whether there
// may be more.
func (f *follower) show(ctx context.Context, run *v1alpha1.JobRun) (more bool, err error) {
	pods, err := f.cluster.runPods(ctx, run)
	if err != nil {
		return false, err
	}
	var gone []string
	defer func() {
		switch n := len(gone); n {
		case 0:
		case 1:
			fmt.Fprintf(f.ErrOut, "The log of attempt %s is gone with its pod\n", gone[0])
		default:
			fmt.Fprintf(f.ErrOut, "The logs of attempts %s to %s are gone with their pods\n", gone[0], gone[n-1])
		}
	}()
	for ; f.next <= run.Status.AttemptCount && !f.done(); f.next++ {
		pod := pods[f.next]
		switch {
		case pod == nil && f.over(run):
			if a := attemptOf(run, f.next); a == nil || !a.StartedAt.IsZero() {
				gone = append(gone, fmt.Sprint(f.next))
			}
		case pod == nil:
			return false, nil
		case hasSpoken(pod):
			if run.Status.AttemptCount > 1 {
				fmt.Fprintf(f.ErrOut, "Attempt %d, on %s:\n", f.next, pod.Spec.NodeName)
			}
			f.shown = true
			f.next++
			err := f.stream(ctx, pod)
			if apierrors.IsNotFound(err) {
				complain(f.ErrOut, "", err) // deleted at this moment: what follows may be seen
				err = nil
			}
			return !f.done(), err
		case pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil:
			fmt.Fprintf(f.ErrOut, "Attempt %d did not start: %s\n", f.next, newTask(pod, "", f.now()).why)
		default:
			return false, nil
		}
	}
	return false, nil
}

// done says that the one attempt that was asked for is over.
func (f *follower) done() bool { return f.logs.attempt > 0 && f.next > f.logs.attempt }

// over says that nothing more will become of the next attempt.
func (f *follower) over(run *v1alpha1.JobRun) bool {
	if run.Status.Finished() || f.next < run.Status.AttemptCount {
		return true
	}
	a := attemptOf(run, f.next)
	return a != nil && !a.CompletedAt.IsZero()
}

// attemptOf is an attempt of a run, nil where the status has forgotten it.
func attemptOf(run *v1alpha1.JobRun, number int32) *v1alpha1.Attempt {
	i := slices.IndexFunc(run.Status.Attempts, func(a v1alpha1.Attempt) bool { return a.Number == number })
	if i < 0 {
		return nil
	}
	return &run.Status.Attempts[i]
}

// hasSpoken says whether the task of a pod has started, and so may have a log.
func hasSpoken(pod *corev1.Pod) bool {
	main := workload.TaskStatus(pod)
	return main != nil && (main.State.Running != nil || main.State.Terminated != nil)
}

// stream copies the log of a pod. A connection that breaks off while it follows is
// made again.
func (f *follower) stream(ctx context.Context, pod *corev1.Pod) error {
	options := &corev1.PodLogOptions{Container: workload.TaskStatus(pod).Name, Follow: f.logs.follow, Timestamps: f.logs.timestamps}
	if f.logs.tail >= 0 {
		options.TailLines = &f.logs.tail
	}
	for {
		err := f.copyLog(ctx, pod, options)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || !f.logs.follow || options.SinceTime != nil:
			return err
		}
		complain(f.ErrOut, "the log broke off", err)
		// Seconds are all it takes: some lines may come twice.
		options.TailLines, options.SinceTime = nil, &metav1.Time{Time: time.Now()}
	}
}

func (f *follower) copyLog(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) error {
	log, err := f.openLog(ctx, pod, options)
	if err != nil {
		return err
	}
	_, err = io.Copy(f.Out, log)
	if closing := log.Close(); err == nil {
		err = closing
	}
	return err
}

// opens opens the log of a pod as the caller.
func (p *plugin) opens(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	core, err := p.core()
	if err != nil {
		return nil, err
	}
	return core.Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
}
