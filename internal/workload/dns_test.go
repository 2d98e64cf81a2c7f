// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestNameServersOfTheDatacenter: what an app says by flags of docker comes
// before what the datacenter says, and that before what Kubernetes does.
func TestNameServersOfTheDatacenter(t *testing.T) {
	settings := DefaultSettings()
	settings.DNSServers, settings.DNSSearches = []string{"192.0.2.53"}, []string{"marathon.mesos"}
	bridge := []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}}
	for _, c := range []struct {
		name     string
		settings Settings
		networks []v1alpha1.Network
		flags    []v1alpha1.DockerParameter
		policy   *corev1.DNSPolicy
		servers  []string
		searches []string
	}{
		{"nobody says anything", DefaultSettings(), bridge, nil, nil, nil, nil},
		{"host network", DefaultSettings(), []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}, nil, ptr.To(corev1.DNSClusterFirstWithHostNet), nil, nil},
		{"the datacenter", settings, bridge, nil, ptr.To(corev1.DNSNone), []string{"192.0.2.53"}, []string{"marathon.mesos"}},
		{"the datacenter, host network", settings, []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}, nil, ptr.To(corev1.DNSNone), []string{"192.0.2.53"}, []string{"marathon.mesos"}},
		{"the app", settings, bridge, []v1alpha1.DockerParameter{{Key: "dns", Value: "192.0.2.1"}, {Key: "dns-search", Value: "example.com"}}, ptr.To(corev1.DNSNone), []string{"192.0.2.1"}, []string{"example.com"}},
		{"the app, host network", DefaultSettings(), []v1alpha1.Network{{Mode: v1alpha1.NetworkHost}}, []v1alpha1.DockerParameter{{Key: "dns", Value: "192.0.2.1"}}, ptr.To(corev1.DNSNone), []string{"192.0.2.1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := &v1alpha1.App{}
			app.Name, app.Namespace = "web", "default"
			app.Spec.Container = &v1alpha1.Container{Type: v1alpha1.EngineDocker, Docker: &v1alpha1.DockerContainer{Image: "example/web", Parameters: c.flags}}
			app.Spec.Networks = c.networks
			app.Spec.Default()
			pod, err := Pod(app, c.settings, Slot{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.policy, pod.Spec.DNSPolicy); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.servers, pod.Spec.DNSConfig.Nameservers); diff != "" {
				t.Errorf("name servers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.searches, pod.Spec.DNSConfig.Searches); diff != "" {
				t.Errorf("searches (-want +got):\n%s", diff)
			}
			if o := pod.Spec.DNSConfig.Options; len(o) != 1 || *o[0].Name != "ndots" || *o[0].Value != "1" {
				t.Errorf("options are %v", o)
			}
		})
	}
}
