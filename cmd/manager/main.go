// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command manager runs the controllers of kdcos.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/workload"
)

func main() {
	if err := run(); err != nil {
		ctrl.Log.WithName("setup").Error(err, "manager ends")
		os.Exit(1)
	}
}

type settings struct {
	metricsAddress string
	metricsSecure  bool
	probeAddress   string
	pprofAddress   string
	syncPeriod     time.Duration
	leaderElect    bool
	controllers    controllers.Options
	logging        zap.Options
}

func run() error {
	s := settings{controllers: controllers.Options{Workload: workload.DefaultSettings()}}
	s.flags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&s.logging)))

	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	cacheOptions, err := controllers.CacheOptions()
	if err != nil {
		return err
	}
	if s.syncPeriod > 0 {
		cacheOptions.SyncPeriod = &s.syncPeriod
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions,
		Metrics:                       s.metrics(),
		HealthProbeBindAddress:        s.probeAddress,
		PprofBindAddress:              s.pprofAddress,
		LeaderElection:                s.leaderElect,
		LeaderElectionID:              "manager.kdcos.io",
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("create manager: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	if err := controllers.Setup(ctx, mgr, s.controllers); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add readiness check: %w", err)
	}
	return mgr.Start(ctx)
}

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
	storageClasses(set, w)
	set.Func("host-ports", fmt.Sprintf("Ports for apps on the host network that ask for any, as FIRST-LAST. (default %d-%d)",
		w.HostPorts.First, w.HostPorts.Last), func(v string) error { return parsePortRange(v, &w.HostPorts) })
	set.Func("service-ports", fmt.Sprintf("Service ports for Apps that ask for any, as FIRST-LAST. (default %d-%d)",
		w.ServicePorts.First, w.ServicePorts.Last), func(v string) error { return parsePortRange(v, &w.ServicePorts) })
	set.DurationVar(&w.TaskLaunchTimeout, "task-launch-timeout", w.TaskLaunchTimeout,
		"How long a task may fail to start, such as for an image that can't be pulled, before it is launched anew; 0 is for ever.")
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

func networks(set *flag.FlagSet, name, usage string, list *[]string) {
	set.Func(name, usage, func(v string) error {
		_, err := netip.ParsePrefix(v)
		*list = append(*list, v)
		return err
	})
}

func (s *settings) metrics() server.Options {
	options := server.Options{BindAddress: s.metricsAddress, SecureServing: s.metricsSecure}
	if s.metricsSecure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		// HTTP/2 has had denials of service that metrics need not be open to.
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return options
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
