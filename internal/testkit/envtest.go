// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package testkit holds what tests of several rooms share: a control plane with
// our kinds and our roles, a kubelet in a few lines, and the way to the
// recorded data. Nothing outside tests imports it.
package testkit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
)

// managerName is the user that the manager is here.
const managerName = "kdcos-manager"

// ControlPlane is an API server with our kinds and our policies, where the
// manager's role is the generated one: a missing RBAC marker is a red test.
type ControlPlane struct {
	// Client may do everything.
	Client client.WithWatch
	// Config is the client configuration of the manager.
	Config *rest.Config
	// Admin is the client configuration of who may do everything.
	Admin *rest.Config

	environment *envtest.Environment
}

// Root is the root directory of the project.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Start starts a control plane. It needs the binaries that KUBEBUILDER_ASSETS
// points to; make test-unit brings them.
func Start(ctx context.Context) (*ControlPlane, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS is not set: run make test-unit, which builds an API server and sets it")
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(Root(), "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	admin, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start control plane: %w", err)
	}
	plane := &ControlPlane{Admin: admin, environment: environment}
	if plane.Client, err = client.NewWithWatch(admin, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	user, err := environment.AddUser(envtest.User{Name: managerName}, &rest.Config{})
	if err != nil {
		return nil, fmt.Errorf("add user: %w", err)
	}
	plane.Config = user.Config()
	plane.Config.QPS = -1 // as the API server allows, as with ctrl.GetConfig
	if err := plane.grant(ctx, filepath.Join(Root(), "config", "rbac", "role.yaml")); err != nil {
		return plane, err
	}
	meta := metav1.ObjectMeta{Namespace: "default", GenerateName: "probe-"}
	for file, refused := range map[string]client.Object{
		"host-access.yaml":      &v1alpha1.App{ObjectMeta: meta, Spec: v1alpha1.AppSpec{Cmd: ptr.To("sleep 9")}},
		"host-access-jobs.yaml": &v1alpha1.Job{ObjectMeta: meta, Spec: v1alpha1.JobSpec{Run: v1alpha1.Run{Cmd: ptr.To("sleep 9"), User: ptr.To("root")}}},
		"virtual-ips.yaml":      &v1alpha1.VirtualIP{ObjectMeta: meta, Spec: v1alpha1.VirtualIPSpec{IP: "198.51.100.1"}},
	} {
		if err := plane.guard(ctx, filepath.Join(Root(), "config", "policy", file), refused); err != nil {
			return plane, err
		}
	}
	return plane, plane.guardQuotas(ctx)
}

// guard installs a policy, and waits until what it forbids is refused.
func (p *ControlPlane) guard(ctx context.Context, file string, refused client.Object) error {
	if err := p.install(ctx, file); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		probe, _ := refused.DeepCopyObject().(client.Object)
		err := p.Client.Create(ctx, probe, client.DryRunAll)
		if apierrors.IsForbidden(err) {
			return true, nil
		}
		return false, err
	})
}

// install makes the objects of a file. The manager is ours.
func (p *ControlPlane) install(ctx context.Context, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(raw), "system:serviceaccount:kdcos-system:kdcos", managerName)
	for document := range strings.SplitSeq(text, "\n---\n") {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := p.Client.Create(ctx, obj); err != nil {
			return fmt.Errorf("install policy: %w", err)
		}
	}
	return nil
}

// grant gives the manager the role of a file, and nothing else.
func (p *ControlPlane) grant(ctx context.Context, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(raw, role); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: managerName}},
	}
	for _, obj := range []client.Object{role, binding} {
		if err := p.Client.Create(ctx, obj); err != nil {
			return fmt.Errorf("grant role: %w", err)
		}
	}
	return nil
}

// Manager starts the controllers and returns what stops them.
func (p *ControlPlane) Manager(ctx context.Context, options controllers.Options) (stop func() error, err error) {
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	cacheOptions, err := controllers.CacheOptions()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(p.Config, ctrl.Options{
		Scheme: scheme, Cache: cacheOptions,
		Metrics: server.Options{BindAddress: "0"},
		// Several managers may run in one test process.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("create manager: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	if err := controllers.Setup(ctx, mgr, options); err != nil {
		cancel()
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		cancel()
		return nil, fmt.Errorf("caches do not sync: %w", <-done)
	}
	return func() error {
		cancel()
		return <-done
	}, nil
}

// Stop ends the control plane.
func (p *ControlPlane) Stop() error { return p.environment.Stop() }
