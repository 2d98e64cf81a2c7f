// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// ndots is how many dots make a name one that is asked for as it is. With the
// five of Kubernetes, web.marathon.mesos is looked for in every search domain
// first; hosts of DC/OS had one.
const ndots = "ndots"

// addDNS says whom the tasks ask for names, and how. What flags of docker say of
// it stays.
func addDNS(spec *corev1ac.PodSpecApplyConfiguration, app *v1alpha1.App, settings Settings) {
	config := spec.DNSConfig
	if config == nil {
		config = corev1ac.PodDNSConfig()
		spec.WithDNSConfig(config)
	}
	if !slices.ContainsFunc(config.Options, func(o corev1ac.PodDNSConfigOptionApplyConfiguration) bool { return *o.Name == ndots }) {
		config.WithOptions(corev1ac.PodDNSConfigOption().WithName(ndots).WithValue("1"))
	}
	if len(config.Searches) == 0 {
		config.WithSearches(settings.DNSSearches...)
	}
	switch {
	case spec.DNSPolicy != nil:
	case len(settings.DNSServers) > 0:
		spec.WithDNSPolicy(corev1.DNSNone)
		config.WithNameservers(settings.DNSServers...)
	case app.Spec.OnHostNetwork():
		spec.WithDNSPolicy(corev1.DNSClusterFirstWithHostNet)
	}
}
