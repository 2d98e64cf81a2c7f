// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var (
	runLong = templates.LongDesc(`
		Start a run of a Job now, as POST of /v1/jobs/{id}/runs does.

		The run executes what the Job says now. It is started whatever the concurrencyPolicy
		of a schedule is, and waits for a node for as long as it takes.

		With --wait, the exit code is that of the run.`)

	runExample = templates.Examples(`
		# Start a run of a Job of the current namespace
		kubectl kdcos run etl

		# Start a run of a Metronome job, data.extract, and wait for its end
		kubectl kdcos run /data/extract --wait

		# Start a run, and follow what it says
		kubectl kdcos logs -f "$(kubectl kdcos run etl -o name)"`)
)

// running is one run of run.
type running struct {
	*plugin
	dryRun cmdutil.DryRunStrategy
	out    *output
	wait   waiting
}

func newRunCommand(p *plugin) *cobra.Command {
	r := &running{plugin: p, out: newOutput("")}
	cmd := &cobra.Command{
		Use:                   "run JOB",
		DisableFlagsInUseLine: true,
		Short:                 "Start a run of a Job now",
		Long:                  runLong,
		Example:               runExample,
		ValidArgsFunction:     p.completeJobs,
		Args:                  oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context(), args[0])
		},
	}
	r.wait.addFlags(cmd, "If true, wait until the run is over. Its exit code is that of the command.")
	r.out.addFlags(cmd)
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

// oneJob asks for the one argument JOB.
func oneJob(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cmdutil.UsageErrorf(cmd, "need one JOB: a name, or a Metronome id as a path, such as /data/extract")
	}
	return nil
}

func (r *running) run(ctx context.Context, arg string) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	key, err := c.findJob(arg)
	if err != nil {
		return err
	}
	job, err := c.job(ctx, key)
	if err != nil {
		return err
	}
	raw := r.manualRun(job)
	if r.dryRun != cmdutil.DryRunClient {
		options := []client.CreateOption{client.FieldOwner(fieldManagerRun)}
		if r.dryRun == cmdutil.DryRunServer {
			options = append(options, client.DryRunAll)
		}
		if err := c.client.Create(ctx, raw, options...); err != nil {
			return err
		}
	}
	if r.out.isOwn() {
		fmt.Fprintf(r.Out, "%s created%s%s\n", subject(jobRunNoun, raw.GetName()), dryRunSuffix(r.dryRun), metronomeSuffix(c.jobID(&job.typed)))
	} else if err := r.out.print(r.Out, []*unstructured.Unstructured{raw}); err != nil {
		return err
	}
	if !r.wait.enabled || r.dryRun != cmdutil.DryRunNone {
		return nil
	}
	f := &follower{plugin: r.plugin, cluster: c, key: keyOf(raw)}
	return f.within(ctx, r.wait.timeout)
}

// manualRun is a run of a Job as it is now, started by hand.
func (p *plugin) manualRun(job *seen[v1alpha1.Job]) *unstructured.Unstructured {
	spec := map[string]any{"jobName": job.typed.Name, "trigger": map[string]any{"type": string(v1alpha1.TriggerManual)}}
	// As they came: with what this program does not know.
	for _, field := range []string{"run", "labels"} {
		if value, found, _ := unstructured.NestedFieldCopy(job.raw.Object, "spec", field); found {
			spec[field] = value
		}
	}
	run := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	run.SetGroupVersionKind(jobRunKind)
	run.SetNamespace(job.typed.Namespace)
	run.SetName(fmt.Sprintf("%s-%s%s", job.typed.Name, p.now().UTC().Format("20060102150405"), p.suffix()))
	run.SetLabels(workload.JobLabels(job.typed.Name))
	if id := job.typed.Annotations[v1alpha1.IDAnnotation]; id != "" {
		run.SetAnnotations(map[string]string{v1alpha1.IDAnnotation: id})
	}
	// It does not block the deletion of the Job: that takes a right on the Job's finalizers.
	owner := *metav1.NewControllerRef(&job.typed, jobKind)
	owner.BlockOwnerDeletion = nil
	run.SetOwnerReferences([]metav1.OwnerReference{owner})
	return run
}
