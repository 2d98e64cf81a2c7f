// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command manager runs the controllers of kdcos.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"time"
	_ "time/tzdata" // the image has no files of time zones

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

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

func (s *settings) metrics() server.Options {
	options := server.Options{BindAddress: s.metricsAddress, SecureServing: s.metricsSecure}
	if s.metricsSecure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		// HTTP/2 has had denials of service that metrics need not be open to.
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return options
}
