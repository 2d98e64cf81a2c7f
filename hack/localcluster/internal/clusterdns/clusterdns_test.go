// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"net/netip"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestObjects(t *testing.T) {
	all, err := objects(netip.MustParseAddr("10.101.64.10"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range all {
		kinds = append(kinds, o.GetKind())
		if o.GetKind() != "Service" {
			continue
		}
		if got, _, err := unstructured.NestedString(o.Object, "spec", "clusterIP"); err != nil || got != "10.101.64.10" {
			t.Errorf("the Service has the address %q: %v", got, err)
		}
	}
	if want := []string{"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Service", "Deployment"}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}
