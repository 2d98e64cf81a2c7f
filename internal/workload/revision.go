// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// Revision is the record of a version of an App that was replaced: the spec as
// it was, under the version's time. config is the hash of its configuration.
func Revision(app *v1alpha1.App, version, config string, spec *v1alpha1.AppSpec) (*appsv1ac.ControllerRevisionApplyConfiguration, error) {
	at, err := time.Parse(time.RFC3339, version)
	if err != nil {
		return nil, fmt.Errorf("parse version: %w", err)
	}
	raw, err := json.Marshal(RevisionData{Spec: *spec})
	if err != nil {
		return nil, fmt.Errorf("encode version: %w", err)
	}
	labels := Labels(app)
	labels[v1alpha1.ConfigLabel] = config
	return appsv1ac.ControllerRevision(RevisionName(app, version), app.Namespace).
		WithLabels(labels).
		WithAnnotations(map[string]string{v1alpha1.VersionAnnotation: version}).
		WithOwnerReferences(owner(app, "App")).
		WithRevision(at.UnixMilli()).
		WithData(runtime.RawExtension{Raw: raw}), nil
}

// RevisionData is the content of a ControllerRevision of an App.
type RevisionData struct {
	Spec v1alpha1.AppSpec `json:"spec"`
}

// RevisionName is the name of the record of a version of an App.
func RevisionName(app *v1alpha1.App, version string) string {
	return slug(app.Name, 40) + "-" + digest(string(app.UID), version)
}
