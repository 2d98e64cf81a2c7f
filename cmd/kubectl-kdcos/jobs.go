// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
	"github.com/kdcos/kdcos/internal/workload"
)

var (
	jobKind    = v1alpha1.GroupVersion.WithKind("Job")
	jobRunKind = v1alpha1.GroupVersion.WithKind("JobRun")
)

// noun is a kind that an argument may name an object of.
type noun struct {
	// article and kind as errors have them, and the short name.
	article, kind, short string
}

var (
	jobNoun    = noun{"a", "Job", "djob"}
	jobRunNoun = noun{"a", "JobRun", "drun"}
)

// resource is how kubectl writes the kind in front of a name.
func (n noun) resource() string { return strings.ToLower(n.kind) + "." + v1alpha1.GroupName }

// strip takes the kind from an argument such as job/etl, and says whether it is
// there.
func (n noun) strip(arg string) (name string, found bool) {
	word, rest, ok := strings.Cut(arg, "/")
	if !ok {
		return arg, false
	}
	one := strings.ToLower(n.kind)
	var words []string
	for _, name := range []string{one, one + "s"} {
		words = append(words, name, name+"."+v1alpha1.GroupName, name+".v1alpha1."+v1alpha1.GroupName)
	}
	if word != n.short && !slices.Contains(words, word) {
		return arg, false
	}
	return rest, true
}

// named says which object of the current namespace a name means.
func (n noun) named(c *cluster, arg string) (types.NamespacedName, error) {
	name, _ := n.strip(arg)
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return types.NamespacedName{}, fmt.Errorf("%q is not the name of %s %s: for a Metronome id, write it as a path, such as /data/extract", arg, n.article, n.kind)
	}
	return types.NamespacedName{Namespace: c.namespace, Name: name}, nil
}

// findJob says which Job an argument means: a name, or an id as a path.
func (c *cluster) findJob(arg string) (types.NamespacedName, error) {
	if strings.HasPrefix(arg, "/") {
		return c.findID(arg, "Metronome")
	}
	return jobNoun.named(c, arg)
}

// findRun says which JobRun an argument means: a name, or the path of a Job and
// below it the id of the run.
func (c *cluster) findRun(arg string) (types.NamespacedName, error) {
	i := strings.LastIndex(arg, "/")
	if !strings.HasPrefix(arg, "/") || i == 0 {
		return jobRunNoun.named(c, arg)
	}
	key, err := c.findID(arg[:i], "Metronome")
	key.Name += "-" + arg[i+1:]
	return key, err
}

// jobID is the Metronome id of a Job; "" if its name belongs to none.
func (c *cluster) jobID(job metav1.Object) string {
	id := idOf(c.mapping, job)
	if id == "" {
		return ""
	}
	return strings.Join(pathid.Segments(id), ".")
}

// subject is an object as lines about it name it.
func subject(n noun, name string) string { return n.resource() + "/" + name }

func metronomeSuffix(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(" (Metronome id %s)", id)
}

// seen is an object of the cluster: typed, and as it came, so that fields this
// program does not know are shown and kept.
type seen[T any] struct {
	typed T
	raw   *unstructured.Unstructured
}

func readAs[T any](raw *unstructured.Unstructured) (*seen[T], error) {
	s := &seen[T]{raw: raw}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &s.typed); err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", raw.GetKind(), raw.GetNamespace(), raw.GetName(), err)
	}
	return s, nil
}

func get[T any](ctx context.Context, c *cluster, kind schema.GroupVersionKind, key types.NamespacedName) (*seen[T], error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(kind)
	if err := c.client.Get(ctx, key, raw); err != nil {
		return nil, err
	}
	return readAs[T](raw)
}

func (c *cluster) job(ctx context.Context, key types.NamespacedName) (*seen[v1alpha1.Job], error) {
	return get[v1alpha1.Job](ctx, c, jobKind, key)
}

func (c *cluster) jobRun(ctx context.Context, key types.NamespacedName) (*seen[v1alpha1.JobRun], error) {
	return get[v1alpha1.JobRun](ctx, c, jobRunKind, key)
}

// jobRuns are the runs of a Job, the newest first; of all Jobs without one.
func (c *cluster) jobRuns(ctx context.Context, namespace, job string) ([]*seen[v1alpha1.JobRun], error) {
	options := []client.ListOption{client.InNamespace(namespace)}
	if job != "" {
		options = append(options, client.MatchingFields{"spec.jobName": job})
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("JobRunList"))
	if err := c.client.List(ctx, list, options...); err != nil {
		return nil, err
	}
	var runs []*seen[v1alpha1.JobRun]
	for i := range list.Items {
		run, err := readAs[v1alpha1.JobRun](&list.Items[i])
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b *seen[v1alpha1.JobRun]) int {
		return cmp.Or(b.typed.CreationTimestamp.Compare(a.typed.CreationTimestamp.Time), -cmp.Compare(a.typed.Name, b.typed.Name))
	})
	return runs, nil
}

// runPods are the pods of a run, by the number of the attempt.
func (c *cluster) runPods(ctx context.Context, run *v1alpha1.JobRun) (map[int32]*corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := c.client.List(ctx, list, client.InNamespace(run.Namespace), client.MatchingLabels(workload.RunLabels(run.Name))); err != nil {
		return nil, err
	}
	pods := map[int32]*corev1.Pod{}
	for i := range list.Items {
		pod := &list.Items[i]
		var number int32
		if _, err := fmt.Sscan(pod.Labels[v1alpha1.AttemptLabel], &number); err != nil {
			continue
		}
		// Labels are anybody's. That of the attempt names the Job that made the pod.
		if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "Job" && owner.Name == workload.AttemptName(run, number) {
			pods[number] = pod
		}
	}
	return pods, nil
}

// completeJobs completes a JOB, completeRuns a RUN, by their names.
func (p *plugin) completeJobs(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.completeNames(cmd, args, toComplete, jobKind)
}

func (p *plugin) completeRuns(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return p.completeNames(cmd, args, toComplete, jobRunKind)
}

// completeNames completes the names of what the namespace has, or the cluster.
func (p *plugin) completeNames(cmd *cobra.Command, args []string, toComplete string, kind schema.GroupVersionKind) ([]string, cobra.ShellCompDirective) {
	c, err := p.cluster()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	one := &unstructured.Unstructured{}
	one.SetGroupVersionKind(kind)
	var options []client.ListOption
	if namespaced, err := c.client.IsObjectNamespaced(one); err == nil && namespaced {
		options = append(options, client.InNamespace(c.namespace))
	}
	if err := c.client.List(ctx, list, options...); err != nil {
		cobra.CompErrorln(reasons(err)[0])
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for i := range list.Items {
		if name := list.Items[i].GetName(); !slices.Contains(args, name) {
			words = append(words, name)
		}
	}
	return withPrefix(words, toComplete), cobra.ShellCompDirectiveNoFileComp
}
