// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// overview is the table of Apps.
type overview struct {
	everyone, wide, noHeaders bool
	mapping                   pathid.Mapping
	now                       time.Time
}

func (o overview) print(w io.Writer, apps []*observed) error {
	headers := []string{"ID", "READY", "STATUS", "INSTANCES", "UP-TO-DATE", "VERSION", "AGE"}
	if o.everyone {
		headers = append([]string{"NAMESPACE"}, headers...)
	}
	if o.wide {
		headers = append(headers, "NAME", "IMAGE", "MESSAGE")
	}
	apps = slices.Clone(apps)
	slices.SortFunc(apps, func(a, b *observed) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(o.id(a), o.id(b)))
	})
	t := newTable(w, o.noHeaders, headers...)
	for _, app := range apps {
		ready, reason, message := summary(&app.App)
		cells := []string{
			o.id(app), ready, reason,
			fmt.Sprintf("%d/%d", app.Status.TasksRunning, wanted(&app.App)),
			fmt.Sprint(app.Status.InstancesUpToDate), orNone(app.Status.Version), age(app.CreationTimestamp.Time, o.now),
		}
		if o.everyone {
			cells = append([]string{app.Namespace}, cells...)
		}
		if o.wide {
			cells = append(cells, app.Name, orNone(image(&app.Spec)), orNone(message))
		}
		t.row(cells...)
	}
	return t.flush()
}

// id is the Marathon id, or the name where that has none.
func (o overview) id(app *observed) string {
	return cmp.Or(idOf(o.mapping, app), app.Name)
}

// summary says in a word how an App is: why it is stuck, what goes on, or
// else why it is ready or not.
func summary(app *v1alpha1.App) (ready, reason, message string) {
	ready, reason = "Unknown", none
	if c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		ready, reason, message = string(c.Status), c.Reason, c.Message
	}
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(app.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionTrue {
			return ready, c.Reason, c.Message
		}
	}
	return ready, reason, message
}

func image(spec *v1alpha1.AppSpec) string {
	var images []string
	for i := range spec.Containers {
		if image := spec.Containers[i].Image; image != nil {
			images = append(images, image.ID)
		}
	}
	if len(images) > 0 {
		return strings.Join(images, ", ")
	}
	if spec.Container == nil || spec.Container.Docker == nil {
		return ""
	}
	return spec.Container.Docker.Image
}
