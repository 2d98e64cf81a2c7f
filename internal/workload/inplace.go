// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// InPlace reports whether a spec came from another by changes of such fields
// only that it says may change and restart no task.
func InPlace(from, to *v1alpha1.AppSpec) (bool, error) {
	fields := to.InPlace()
	if len(fields) == 0 {
		return false, nil
	}
	was, is := from.DeepCopy(), to.DeepCopy()
	was.Default()
	is.Default()
	for _, f := range fields {
		leave(was, f)
		leave(is, f)
	}
	before, err := definition(was)
	if err != nil {
		return false, err
	}
	after, err := definition(is)
	return before == after, err
}

// definition is what of a spec makes its tasks what they are, as JSON.
func definition(spec *v1alpha1.AppSpec) (string, error) {
	spec.Instances, spec.Suspend, spec.Rollout, spec.ExecutorResources = nil, nil, nil, nil
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	return string(raw), nil
}

// leave takes a field out of a spec.
func leave(spec *v1alpha1.AppSpec, f v1alpha1.InPlaceField) {
	switch f {
	case v1alpha1.InPlaceLabels:
		spec.Labels = nil
	case v1alpha1.InPlaceConstraints:
		spec.Constraints = nil
	case v1alpha1.InPlaceAcceptedResourceRoles:
		spec.AcceptedResourceRoles = nil
	case v1alpha1.InPlaceUpgradeStrategy:
		spec.UpgradeStrategy = nil
	case v1alpha1.InPlaceKillSelection:
		spec.KillSelection = ""
	case v1alpha1.InPlaceUnreachableStrategy:
		spec.UnreachableStrategy = nil
	case v1alpha1.InPlaceBackoffSeconds:
		spec.BackoffSeconds = nil
	case v1alpha1.InPlaceBackoffFactor:
		spec.BackoffFactor = nil
	case v1alpha1.InPlaceMaxLaunchDelaySeconds:
		spec.MaxLaunchDelaySeconds = nil
	case v1alpha1.InPlaceDependencies:
		spec.Dependencies = nil
	}
}
