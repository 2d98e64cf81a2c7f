// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/workload"
)

func (s *settings) flags(set *flag.FlagSet) {
	set.StringVar(&s.metricsAddress, "metrics-bind-address", ":8443", "Address to serve metrics at; 0 serves none.")
	set.BoolVar(&s.metricsSecure, "metrics-secure", true, "Serve metrics by HTTPS, to who may get /metrics.")
	set.StringVar(&s.probeAddress, "health-probe-bind-address", ":8081", "Address to serve /healthz and /readyz at.")
	set.StringVar(&s.pprofAddress, "pprof-bind-address", "", "Address to serve profiles at, to anybody who reaches it; none without it.")
	set.DurationVar(&s.syncPeriod, "sync-period", 0, "How often to look at all objects without a reason; 0 is about ten hours.")
	set.BoolVar(&s.leaderElect, "leader-elect", false, "Work only while holding the lease manager.kdcos.io.")
	set.IntVar(&s.controllers.Workers, "workers", 16, "Objects of a kind to work on at once.")
	w := &s.controllers.Workload
	set.StringVar(&w.RootNamespace, "root-namespace", w.RootNamespace, "Namespace of apps without a group.")
	set.StringVar(&w.GPUResource, "gpu-resource", w.GPUResource, "Extended resource that counts GPUs.")
	set.StringVar(&w.BaseImage, "base-image", w.BaseImage, "Image that apps without an image run on; without it they are refused.")
	set.StringVar(&w.FetcherImage, "fetcher-image", w.FetcherImage, "Image of kdcos, whose fetcher gets files for tasks; without it, apps that fetch any are refused.")
	networks(set, "fetch-allow", "Network (CIDR) that files may be fetched from although the fetcher would refuse it; may be repeated.", &w.FetchAllowed)
	networks(set, "fetch-forbid", "Network (CIDR) that no file is fetched from, such as that of nodes; may be repeated.", &w.FetchForbidden)
	set.StringVar(&w.HomeRegion, "home-region", w.HomeRegion, "Region of apps whose constraints name no region and no zone; empty lets them run in any.")
	names(set, w)
	storageClasses(set, w)
	set.Func("host-ports", fmt.Sprintf("Ports for apps on the host network that ask for any, as FIRST-LAST. (default %d-%d)",
		w.HostPorts.First, w.HostPorts.Last), func(v string) error { return parsePortRange(v, &w.HostPorts) })
	set.Func("service-ports", fmt.Sprintf("Service ports for Apps that ask for any, as FIRST-LAST. (default %d-%d)",
		w.ServicePorts.First, w.ServicePorts.Last), func(v string) error { return parsePortRange(v, &w.ServicePorts) })
	set.DurationVar(&w.TaskLaunchTimeout, "task-launch-timeout", w.TaskLaunchTimeout,
		"How long a task may fail to start, such as for an image that can't be pulled, before it is launched anew; 0 is for ever.")
	set.DurationVar(&w.RunLaunchTimeout, "run-launch-timeout", w.RunLaunchTimeout,
		"How long the task of a run of a Job may take to start on its node, before it has failed; 0 is for ever.")
	set.Func("container-networks", "Names of container networks that mean the pod network, separated by commas. (default "+
		strings.Join(w.ContainerNetworks, ",")+")", func(v string) error {
		w.ContainerNetworks = strings.Split(v, ",")
		return nil
	})
	s.logging.BindFlags(set)
}

// storageClasses adds the flags that say which classes volumes are of.
func storageClasses(set *flag.FlagSet, w *workload.Settings) {
	w.StorageClasses, w.DriverClasses = map[v1alpha1.PersistentVolumeType]string{}, map[string]string{}
	set.Func("storage-class", "StorageClass of persistent volumes of a type, as TYPE=CLASS; may be repeated. Without it, the cluster's default.", func(v string) error {
		name, class, _ := strings.Cut(v, "=")
		kind := v1alpha1.PersistentVolumeType(name)
		if !slices.Contains([]v1alpha1.PersistentVolumeType{v1alpha1.PersistentRoot, v1alpha1.PersistentPath, v1alpha1.PersistentMount}, kind) || class == "" {
			return fmt.Errorf("%q is not root, path or mount, then = and the name of a StorageClass", v)
		}
		w.StorageClasses[kind] = class
		return nil
	})
	set.Func("driver-storage-class", "StorageClass of external volumes of a dvdi driver, as DRIVER=CLASS; may be repeated. Without it, the cluster's default.", func(v string) error {
		driver, class, _ := strings.Cut(v, "=")
		if driver == "" || class == "" {
			return fmt.Errorf("%q is not the name of a driver, then = and the name of a StorageClass", v)
		}
		w.DriverClasses[driver] = class
		return nil
	})
}

// names adds the flags that say whom tasks ask for names.
func names(set *flag.FlagSet, w *workload.Settings) {
	set.Func("dns-server", "Address that tasks ask for names in place of the cluster's DNS; may be repeated, three times at most.", func(v string) error {
		if _, err := netip.ParseAddr(v); err != nil || len(w.DNSServers) == 3 {
			return fmt.Errorf("%q is no IP address, or the fourth", v)
		}
		w.DNSServers = append(w.DNSServers, v)
		return nil
	})
	set.Func("dns-search", "Domain that names of tasks are looked for in; may be repeated.", func(v string) error {
		if len(validation.IsDNS1123Subdomain(v)) > 0 || len(w.DNSSearches) == 29 {
			return fmt.Errorf("%q is no domain, or the thirtieth", v)
		}
		w.DNSSearches = append(w.DNSSearches, v)
		return nil
	})
}

func networks(set *flag.FlagSet, name, usage string, list *[]string) {
	set.Func(name, usage, func(v string) error {
		_, err := netip.ParsePrefix(v)
		*list = append(*list, v)
		return err
	})
}

func parsePortRange(value string, into *workload.PortRange) error {
	first, last, _ := strings.Cut(value, "-")
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a == 0 || a > b {
		return fmt.Errorf("%q is not a range of ports such as 20001-29999", value)
	}
	*into = workload.PortRange{First: int32(a), Last: int32(b)}
	return nil
}
