// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/workload"
)

// manager is one life of the manager. All its memory goes with it.
type manager struct {
	dead   atomic.Bool
	cancel context.CancelFunc
	// died is closed when it was killed.
	died chan struct{}
	once sync.Once
}

// kill ends a manager as SIGKILL does: not one request of it gets out any more,
// and nothing of it is asked to end in order.
func (m *manager) kill() {
	m.once.Do(func() {
		m.dead.Store(true)
		m.cancel()
		close(m.died)
	})
}

// startManager starts a manager that cares for one namespace.
func (r *run) startManager(ctx context.Context) (*manager, error) {
	ctx, cancel := context.WithCancel(ctx)
	m := &manager{cancel: cancel, died: make(chan struct{})}
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	cacheOptions, err := controllers.CacheOptions()
	if err != nil {
		return nil, err
	}
	cacheOptions.DefaultNamespaces = map[string]cache.Config{r.namespace: {}}
	// What is in no namespace is nobody's: each life has its own.
	for kind, options := range cacheOptions.ByObject {
		if _, is := kind.(*corev1.Node); is {
			options.Field = named(nodeOf(r.namespace))
			cacheOptions.ByObject[kind] = options
		}
	}
	cacheOptions.ByObject[&v1alpha1.Quota{}] = cache.ByObject{Field: named(r.namespace)}
	cacheOptions.ByObject[&v1alpha1.NodePool{}] = cache.ByObject{Field: named(poolOf(r.namespace))}
	cacheOptions.ByObject[&v1alpha1.NodeMaintenance{}] = cache.ByObject{Field: named(nodeOf(r.namespace))}
	cfg := rest.CopyConfig(r.world.config)
	cfg.Wrap(func(base http.RoundTripper) http.RoundTripper { return &faultTransport{base: base, run: r, manager: m} })
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Cache: cacheOptions,
		MapperProvider:          func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return r.world.mapper, nil },
		Metrics:                 server.Options{BindAddress: "0"},
		Logger:                  logr.New(&logSink{run: r, manager: m}),
		Controller:              config.Controller{SkipNameValidation: ptr.To(true)},
		GracefulShutdownTimeout: ptr.To(time.Duration(0)),
	})
	if err != nil {
		return nil, fmt.Errorf("create manager: %w", err)
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{Workload: workload.DefaultSettings(), Workers: 2}); err != nil {
		return nil, err
	}
	go func() {
		if err := mgr.Start(ctx); err != nil && !m.dead.Load() {
			r.fail("O5", "the manager ended: %v", err)
		}
	}()
	return m, nil
}

func named(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }

// supervise keeps a manager running until the context ends: a killed one is
// followed by another, unless the scenario has stopped it.
func (r *run) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		m, err := r.startManager(ctx)
		if err != nil {
			r.fail("harness", "start manager: %v", err)
			return
		}
		select {
		case <-m.died:
		case <-r.stopped():
			m.kill()
			select {
			case <-r.started():
			case <-ctx.Done():
			}
		case <-ctx.Done():
			m.kill()
		}
	}
}

// logSink keeps the errors that a manager logs.
type logSink struct {
	run     *run
	manager *manager
}

func (*logSink) Init(logr.RuntimeInfo)            {}
func (*logSink) Enabled(int) bool                 { return false }
func (*logSink) Info(int, string, ...any)         {}
func (s *logSink) WithValues(...any) logr.LogSink { return s }
func (s *logSink) WithName(string) logr.LogSink   { return s }

// Error notes an error. What a dead manager complains of is nobody's business.
func (s *logSink) Error(err error, message string, _ ...any) {
	if !s.manager.dead.Load() {
		s.run.logged(fmt.Sprintf("%s: %v", message, err))
	}
}
