// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

var (
	wipeLong = templates.LongDesc(`
		Kill instances of an App and delete their persistent volumes, as DELETE of
		/v2/tasks/{id} with wipe=true does.

		What is in the volumes is lost. In place of an instance that ran, another one is
		launched: with the volumes of one that was stopped, if there are such, or else with
		new ones, and wherever there is room. External volumes stay.

		INSTANCE is the number of an instance, or the name of its pod.`)

	wipeExample = templates.Examples(`
		# Give up what instance 2 has stored, say since its node is gone for good
		kubectl kdcos wipe /prod/db 2

		# The volumes of all instances that an App may have, which is scaled to nothing
		kubectl kdcos wipe db --all`)
)

// wiping is one run of wipe.
type wiping struct {
	*plugin
	all     bool
	dryRun  cmdutil.DryRunStrategy
	cluster *cluster
}

func newWipeCommand(p *plugin) *cobra.Command {
	w := &wiping{plugin: p}
	cmd := &cobra.Command{
		Use:                   "wipe APP (INSTANCE ... | --all)",
		DisableFlagsInUseLine: true,
		Short:                 "Delete the persistent volumes of instances",
		Long:                  wipeLong,
		Example:               wipeExample,
		ValidArgsFunction:     p.completeApps(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || w.all == (len(args) > 1) {
				return cmdutil.UsageErrorf(cmd, "need an APP, and either an INSTANCE of it or --all")
			}
			var err error
			if w.dryRun, err = cmdutil.GetDryRunStrategy(cmd); err != nil {
				return err
			}
			return w.run(cmd.Context(), args[0], args[1:])
		},
	}
	cmd.Flags().BoolVar(&w.all, "all", false, "If true, wipe all instances that have volumes.")
	cmdutil.AddDryRunFlag(cmd)
	completeWith(cmd, "dry-run", "none", "server", "client")
	return cmd
}

func (w *wiping) run(ctx context.Context, arg string, instances []string) error {
	var err error
	if w.cluster, err = w.plugin.cluster(); err != nil {
		return err
	}
	key, err := w.cluster.find(arg)
	if err != nil {
		return err
	}
	app, err := w.cluster.app(ctx, key)
	if err != nil {
		return err
	}
	claims, err := w.cluster.claims(ctx, app)
	if err != nil {
		return err
	}
	pods, err := w.cluster.pods(ctx, app)
	if err != nil {
		return err
	}
	slots, err := w.slots(app, instances, claims)
	if err != nil {
		return err
	}
	subject, suffix := labelled(app.Name, w.cluster.id(app))
	for _, slot := range slots {
		// The claims first: whoever launches the next instance finds them going.
		volumes, err := w.wipe(ctx, slot, claims, pods)
		if err != nil {
			return err
		}
		fmt.Fprintf(w.Out, "%s instance %s wiped (volumes: %s)%s%s\n", subject, slot, strings.Join(volumes, ", "), dryRunSuffix(w.dryRun), suffix)
	}
	return nil
}

// slots are the instances that are meant, as labels have them.
func (w *wiping) slots(app *observed, instances []string, claims []corev1.PersistentVolumeClaim) ([]string, error) {
	var have []string
	for i := range claims {
		have = append(have, claims[i].Labels[v1alpha1.SlotLabel])
	}
	slices.SortFunc(have, byNumber)
	have = slices.Compact(have)
	if len(have) == 0 {
		return nil, fmt.Errorf("%s has no persistent volumes", app.Name)
	}
	if w.all {
		return have, nil
	}
	slots := make([]string, 0, len(instances))
	for _, instance := range instances {
		slot := instance
		if i := strings.LastIndex(instance, "-"); i >= 0 {
			if n, err := strconv.Atoi(instance[i+1:]); err == nil && workload.PodName(&app.App, "", n) == instance {
				slot = instance[i+1:]
			}
		}
		if !slices.Contains(have, slot) {
			return nil, fmt.Errorf("%s has no instance %q with persistent volumes: it has %s", app.Name, instance, strings.Join(have, ", "))
		}
		slots = append(slots, slot)
	}
	return slots, nil
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

// wipe deletes what an instance has, and names its volumes.
func (w *wiping) wipe(ctx context.Context, slot string, claims []corev1.PersistentVolumeClaim, pods []corev1.Pod) ([]string, error) {
	var volumes []string
	for i := range claims {
		if claims[i].Labels[v1alpha1.SlotLabel] != slot {
			continue
		}
		volumes = append(volumes, claims[i].Annotations[v1alpha1.VolumeAnnotation])
		if err := w.remove(ctx, &claims[i]); err != nil {
			return nil, err
		}
	}
	for i := range pods {
		if pods[i].Labels[v1alpha1.SlotLabel] == slot {
			if err := w.remove(ctx, &pods[i]); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(volumes)
	return volumes, nil
}

// remove deletes the very object that was seen.
func (w *wiping) remove(ctx context.Context, object client.Object) error {
	if w.dryRun == cmdutil.DryRunClient {
		return nil
	}
	uid := object.GetUID()
	options := []client.DeleteOption{client.Preconditions{UID: &uid}}
	if w.dryRun == cmdutil.DryRunServer {
		options = append(options, client.DryRunAll)
	}
	return client.IgnoreNotFound(w.cluster.client.Delete(ctx, object, options...))
}

// claims are those of the persistent volumes of an App.
func (c *cluster) claims(ctx context.Context, app *observed) ([]corev1.PersistentVolumeClaim, error) {
	list := &corev1.PersistentVolumeClaimList{}
	if err := c.listOwn(ctx, app, list); err != nil {
		return nil, err
	}
	return ownedBy(app, list.Items, func(p *corev1.PersistentVolumeClaim) metav1.Object { return p }), nil
}
