// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// transition is the step of an App from one version to the next.
type transition struct {
	// from and to are the versions; from is empty for a new App.
	from, to string
	// fromConfig is the hash of the configuration that is left, fromInstances how
	// many instances were asked for with it.
	fromConfig    string
	fromInstances int32
	// counted says that nobody wrote fromInstances down: it is the number of pods.
	counted bool
	// restarts says that tasks are replaced; otherwise the App is only scaled.
	restarts bool
	// inPlace says that the configuration is another one, and tasks stay all the same.
	inPlace bool
}

// transition is the step that the App's spec asks for, nil where it is what it was.
func (o *observed) transition() *transition {
	s := &o.app.Status
	if s.ConfigHash == "" {
		if step := o.unwritten(); step != nil {
			return step
		}
		return &transition{to: o.app.CreationTimestamp.UTC().Format(versionFormat), restarts: true}
	}
	restarts := cmp.Or(s.SpecHash, s.ConfigHash) != o.specHash
	if !restarts && s.TargetInstances == o.app.Spec.Desired() {
		return nil
	}
	return &transition{from: s.Version, to: after(s.Version, o.now), fromConfig: s.ConfigHash, fromInstances: s.TargetInstances, restarts: restarts}
}

// unwritten is the step from a version that runs, but of which the status says
// nothing: it was not written yet when the App changed, or that is not seen yet.
// Its pods tell of it. It is nil where there are none.
func (o *observed) unwritten() *transition {
	var step *transition
	for i := range o.pods {
		version, config := o.pods[i].Annotations[v1alpha1.VersionAnnotation], o.pods[i].Labels[v1alpha1.ConfigLabel]
		if config == o.config || version == "" || step != nil && version < step.from {
			continue
		}
		if step == nil || config != step.fromConfig {
			step = &transition{from: version, to: after(version, o.now), fromConfig: config, restarts: true, counted: true}
		}
		step.fromInstances++
	}
	return step
}

// after is a version for now that is later than the last one.
func after(last string, now time.Time) string {
	if at, err := time.Parse(versionFormat, last); err == nil && !now.Truncate(time.Millisecond).After(at) {
		now = at.Add(time.Millisecond)
	}
	return now.UTC().Format(versionFormat)
}

// enter writes the new version into the status.
func (t *transition) enter(status *v1alpha1.AppStatus, seen *observed) {
	if t.from != "" && status.ConfigHash == "" {
		status.TargetInstances, status.VersionInfo.LastScalingAt = t.fromInstances, t.from
	}
	status.Version = t.to
	status.VersionInfo.LastScalingAt = ptr.Deref(scaledAt(status, seen, t), t.to)
	switch {
	case t.inPlace:
		status.SpecHash, status.RolledBack = "", nil
		if seen.specHash != status.ConfigHash {
			status.SpecHash = seen.specHash
		}
	case t.restarts:
		status.VersionInfo.LastConfigChangeAt = t.to
		status.Backoff, status.RolledBack, status.SpecHash, status.ConfigHash = nil, nil, "", seen.specHash
	}
	status.ResumedAt = metav1.Time{}
	seen.config = status.ConfigHash
	status.TargetInstances = seen.app.Spec.Desired()
}

// scaledAt is the last scaling that still stands, nil if this is one.
func scaledAt(status *v1alpha1.AppStatus, seen *observed, t *transition) *string {
	if t.from == "" || status.TargetInstances != seen.app.Spec.Desired() || status.VersionInfo.LastScalingAt == "" {
		return nil
	}
	return &status.VersionInfo.LastScalingAt
}
