// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestInPlace: each field that may change in place does so where it is named,
// and only there.
func TestInPlace(t *testing.T) {
	changes := map[v1alpha1.InPlaceField]func(*v1alpha1.AppSpec){
		v1alpha1.InPlaceLabels: func(s *v1alpha1.AppSpec) { s.Labels = map[string]v1alpha1.LabelValue{"a": "b"} },
		v1alpha1.InPlaceConstraints: func(s *v1alpha1.AppSpec) {
			s.Constraints = []v1alpha1.Constraint{{Field: "hostname", Operator: v1alpha1.ConstraintUnique}}
		},
		v1alpha1.InPlaceAcceptedResourceRoles: func(s *v1alpha1.AppSpec) { s.AcceptedResourceRoles = []string{"*"} },
		v1alpha1.InPlaceUpgradeStrategy: func(s *v1alpha1.AppSpec) {
			s.UpgradeStrategy = &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: ptr.To(0.5), MaximumOverCapacity: ptr.To(0.5)}
		},
		v1alpha1.InPlaceKillSelection: func(s *v1alpha1.AppSpec) { s.KillSelection = v1alpha1.OldestFirst },
		v1alpha1.InPlaceUnreachableStrategy: func(s *v1alpha1.AppSpec) {
			s.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
		},
		v1alpha1.InPlaceBackoffSeconds:        func(s *v1alpha1.AppSpec) { s.BackoffSeconds = ptr.To[int32](9) },
		v1alpha1.InPlaceBackoffFactor:         func(s *v1alpha1.AppSpec) { s.BackoffFactor = ptr.To(9.0) },
		v1alpha1.InPlaceMaxLaunchDelaySeconds: func(s *v1alpha1.AppSpec) { s.MaxLaunchDelaySeconds = ptr.To[int32](9) },
		v1alpha1.InPlaceDependencies:          func(s *v1alpha1.AppSpec) { s.Dependencies = []string{"/db"} },
	}
	from := v1alpha1.AppSpec{Cmd: ptr.To("sleep 1"), Instances: ptr.To[int32](2)}
	for _, field := range v1alpha1.InPlaceFields() {
		for _, other := range append(v1alpha1.InPlaceFields(), "") {
			to := *from.DeepCopy()
			changes[field](&to)
			to.Instances = ptr.To[int32](3)
			to.Rollout = &v1alpha1.Rollout{InPlace: []v1alpha1.InPlaceField{other}}
			if other == "" {
				to.Rollout = nil
			}
			is, err := InPlace(&from, &to)
			if err != nil {
				t.Fatal(err)
			}
			if is != (other == field) {
				t.Errorf("%s changes, %q may: in place is %v", field, other, is)
			}
		}
	}
}

// TestLeastAvailable: what of an upgradeStrategy a drain has to keep.
func TestLeastAvailable(t *testing.T) {
	persistent := &v1alpha1.Container{Type: v1alpha1.EngineMesos, Volumes: []v1alpha1.Volume{{ContainerPath: "data", Persistent: &v1alpha1.PersistentVolume{Size: ptr.To[int64](1)}}}}
	for _, c := range []struct {
		n         int32
		capacity  float64
		container *v1alpha1.Container
		perNode   bool
		want      int32
	}{
		{n: 0, capacity: 1, want: 0},
		{n: 1, capacity: 1, want: 0},
		{n: 2, capacity: 1, want: 2},
		{n: 3, capacity: 0.5, want: 2},
		{n: 3, capacity: 0, want: 0},
		{n: 3, capacity: 1, container: persistent, want: 2},
		{n: 3, capacity: 1, perNode: true, want: 0},
	} {
		spec := &v1alpha1.AppSpec{UpgradeStrategy: &v1alpha1.UpgradeStrategy{MinimumHealthCapacity: &c.capacity}, Container: c.container, PerNode: &c.perNode}
		if got := LeastAvailable(spec, c.n); got != c.want {
			t.Errorf("%d instances, %g, perNode %v: %d, want %d", c.n, c.capacity, c.perNode, got, c.want)
		}
	}
}
