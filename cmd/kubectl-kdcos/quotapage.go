// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// list prints the table of all quotas.
func (v *quotaView) list(ctx context.Context) error {
	c, err := v.cluster()
	if err != nil {
		return err
	}
	raw, err := c.quotas(ctx)
	if err != nil {
		return err
	}
	if !v.out.isOwn() {
		return v.out.printList(v.Out, raw)
	}
	if len(raw) == 0 {
		fmt.Fprintln(v.ErrOut, "No resources found")
		return nil
	}
	t := newTable(v.Out, v.noHeaders, "GROUP", "CPUS", "MEM", "DISK", "GPUS", "PODS", "WAITING", "STATUS")
	for _, one := range raw {
		q, err := readQuota(one)
		if err != nil {
			return err
		}
		cells := []string{groupID(q.Name)}
		for _, r := range quotaRows(q) {
			cells = append(cells, r.used+"/"+r.limit)
		}
		t.row(append(cells, fmt.Sprint(q.Status.Pods), fmt.Sprint(q.Status.WaitingPods), quotaState(q))...)
	}
	return t.flush()
}

// show prints the page of one quota.
func (v *quotaView) show(ctx context.Context, group string) error {
	c, err := v.cluster()
	if err != nil {
		return err
	}
	raw, err := c.quota(ctx, group)
	if err != nil {
		return err
	}
	if !v.out.isOwn() {
		return v.out.print(v.Out, []*unstructured.Unstructured{raw})
	}
	q, err := readQuota(raw)
	if err != nil {
		return err
	}
	return printQuota(v.Out, q, v.now())
}

func printQuota(w io.Writer, q *v1alpha1.Quota, now time.Time) error {
	fmt.Fprintf(w, "Group:     %s\n", groupID(q.Name))
	fmt.Fprintf(w, "Quota:     %s\n", q.Name)
	queueing := q.Spec.Queueing
	if queueing == "" {
		queueing = v1alpha1.QueueingBestEffortFIFO
	}
	fmt.Fprintf(w, "Queueing:  %s\n", queueing)
	for _, c := range q.Status.Conditions {
		fmt.Fprintf(w, "%-10s %s\n", c.Type+":", strings.TrimSuffix(c.Reason+": "+c.Message, ": "))
	}
	fmt.Fprintln(w, "Resources:")
	t := newPart(w, "RESOURCE", "USED", "LIMIT", "GUARANTEE", "WANTED")
	for _, r := range quotaRows(q) {
		t.row(r.name, r.used, r.limit, r.guarantee, r.wanted)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if q.Status.WaitingPods == 0 {
		fmt.Fprintln(w, "Waiting:   "+none)
		return nil
	}
	fmt.Fprintln(w, "Waiting:")
	t = newPart(w, "#", "POD", "OWNER", "FOR", "NEEDS", "REASON")
	for i := range q.Status.Waiting {
		one := &q.Status.Waiting[i]
		position := "-"
		if one.Position > 0 {
			position = fmt.Sprint(one.Position)
		}
		t.row(position, one.Pod, orNone(one.Owner), age(one.Since.Time, now), resourcesOf(&one.Need), whyWaiting(one))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if more := int(q.Status.WaitingPods) - len(q.Status.Waiting); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	return nil
}

// whyWaiting says in words why a pod waits.
func whyWaiting(w *v1alpha1.QuotaWaiting) string {
	of := ""
	if w.BlockedBy != "" {
		of = fmt.Sprintf("%s of %s", w.Resource, groupID(w.BlockedBy))
	}
	switch {
	case w.Reason == v1alpha1.QuotaUnsatisfiable:
		return "needs more " + of + " than the limit"
	case w.Reason == v1alpha1.QuotaHeldBack:
		return "what is left of " + of + " is kept for another pod"
	case of == "":
		return "its turn comes"
	}
	return "too little " + of + " is left"
}

type quotaRow struct{ name, used, limit, guarantee, wanted string }

// quotaRows are the figures of a quota, a resource each.
func quotaRows(q *v1alpha1.Quota) []quotaRow {
	figures := func(r *v1alpha1.QuotaResources) []*float64 {
		if r == nil {
			r = &v1alpha1.QuotaResources{}
		}
		return []*float64{r.Cpus, r.Mem, r.Disk, r.Gpus}
	}
	used, limit := figures(&q.Status.Consumed), figures(q.Spec.Limits)
	guarantee, wanted := figures(q.Spec.Guarantees), figures(&q.Status.Wanted)
	rows := make([]quotaRow, 4)
	for i, name := range []string{"cpus", "mem", "disk", "gpus"} {
		rows[i] = quotaRow{name, figure(ptr.To(ptr.Deref(used[i], 0))), figure(limit[i]), figure(guarantee[i]), figure(wanted[i])}
	}
	return rows
}

func figure(f *float64) string {
	if f == nil {
		return "-"
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

// resourcesOf writes resources as Mesos did.
func resourcesOf(r *v1alpha1.QuotaResources) string {
	var all []string
	for i, f := range []*float64{r.Cpus, r.Mem, r.Disk, r.Gpus} {
		if f != nil {
			all = append(all, []string{"cpus", "mem", "disk", "gpus"}[i]+":"+figure(f))
		}
	}
	return orNone(strings.Join(all, "; "))
}

// quotaState is the most urgent thing to say of a quota.
func quotaState(q *v1alpha1.Quota) string {
	for _, kind := range []string{v1alpha1.ConditionQuotaExceeded, v1alpha1.ConditionQuotaBypassed, v1alpha1.ConditionQuotaUnsatisfiable} {
		if meta.IsStatusConditionTrue(q.Status.Conditions, kind) {
			return kind
		}
	}
	if c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return "Unknown"
}
