// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every kind of kdcos.
const GroupName = "kdcos.io"

var (
	// GroupVersion is the version served by this package.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
	// SchemeGroupVersion is the name generated clients use for GroupVersion.
	SchemeGroupVersion = GroupVersion

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme registers the kinds of kdcos with a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &App{}, &AppList{}, &VirtualIP{}, &VirtualIPList{},
		&Job{}, &JobList{}, &JobRun{}, &JobRunList{},
		&NodePool{}, &NodePoolList{}, &NodeMaintenance{}, &NodeMaintenanceList{}, &Quota{}, &QuotaList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
