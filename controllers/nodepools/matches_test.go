// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package nodepools

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Whoever may make Apps can't fill nodes with labels: those of the oldest Apps count.
func TestNoMoreThanSoManyMatches(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var apps []client.Object
	add := func(name string, age time.Duration, values ...string) {
		a := v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
		for _, v := range values {
			a.Spec.Constraints = append(a.Spec.Constraints, v1alpha1.Constraint{Field: "a", Operator: v1alpha1.ConstraintUnlike, Value: &v})
		}
		apps = append(apps, &a)
	}
	add("young", time.Minute, "one too many")
	add("shares", time.Second, "x0-0")
	for i := range maxMatches / 64 {
		var values []string
		for j := range 64 {
			values = append(values, fmt.Sprintf("x%d-%d", i, j))
		}
		add(fmt.Sprint("old-", i), time.Hour, values...)
	}
	asked, left := matches(apps)
	if len(asked) != maxMatches || len(left) != 1 || left[0].GetName() != "young" {
		t.Errorf("%d matches, left: %v", len(asked), left)
	}
	n := &corev1.Node{}
	if got := changes(n, asked, nil); len(got) != maxMatches {
		t.Errorf("%d labels", len(got))
	}
}
