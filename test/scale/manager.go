// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// The manager is who it is in an installation.
const (
	managerNamespace = "kdcos-system"
	managerAccount   = "kdcos"
	managerUser      = "system:serviceaccount:" + managerNamespace + ":" + managerAccount
	managerPatience  = 2 * time.Minute
	stopPatience     = 20 * time.Second
)

// install makes the definitions, the account and the generated role.
func (c *cluster) install(ctx context.Context, root, kubeconfig string) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(apiextensionsv1.AddToScheme(scheme), rbacv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("register kinds: %w", err)
	}
	admin, err := client.New(c.config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	role := &rbacv1.ClusterRole{}
	if err := readYAML(filepath.Join(root, "config", "rbac", "role.yaml"), role); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: managerNamespace, Name: managerAccount}}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: managerNamespace}}, account, role,
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: managerNamespace, Name: managerAccount}},
		},
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "*.yaml"))
	if err != nil {
		return err
	}
	definitions := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(files))
	for _, file := range files {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := readYAML(file, crd); err != nil {
			return err
		}
		definitions, objects = append(definitions, crd), append(objects, crd)
	}
	for _, obj := range objects {
		if err := admin.Create(ctx, obj); err != nil {
			return fmt.Errorf("install: %w", err)
		}
	}
	for _, crd := range definitions {
		if err := established(ctx, admin, crd); err != nil {
			return err
		}
	}
	token := &authenticationv1.TokenRequest{}
	if err := admin.SubResource("token").Create(ctx, account, token); err != nil {
		return fmt.Errorf("ask for the manager's token: %w", err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["scale"] = &clientcmdapi.Cluster{Server: c.config.Host, CertificateAuthorityData: c.config.CAData}
	config.AuthInfos["manager"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["scale"] = &clientcmdapi.Context{Cluster: "scale", AuthInfo: "manager"}
	config.CurrentContext = "scale"
	return clientcmd.WriteToFile(*config, kubeconfig)
}

func readYAML(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(raw, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func established(ctx context.Context, c client.Client, crd *apiextensionsv1.CustomResourceDefinition) error {
	return poll(ctx, managerPatience, "definition "+crd.Name+" is served", func() (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(crd), crd); err != nil {
			return false, err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}

// manager is a running manager.
type manager struct {
	cmd     *exec.Cmd
	metrics string
	pprof   string
	done    chan error // when it has ended
}

// startManager starts the real program, out of the cluster.
func (r *runner) startManager(ctx context.Context, kubeconfig string, flags ...string) (*manager, error) {
	addresses := make([]string, 0, 2)
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // it never accepts
		addresses = append(addresses, listener.Addr().String())
		if err := listener.Close(); err != nil {
			return nil, err
		}
	}
	m := &manager{metrics: addresses[0], pprof: addresses[1], done: make(chan error, 1)}
	m.cmd = exec.CommandContext(ctx, r.manager, append([]string{ //nolint:gosec // our own program
		"--metrics-bind-address=" + m.metrics, "--metrics-secure=false",
		"--pprof-bind-address=" + m.pprof, "--health-probe-bind-address=0", "--zap-devel=false",
	}, flags...)...)
	m.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	m.cmd.Stdout, m.cmd.Stderr = r.log, r.log
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the manager: %w", err)
	}
	go func() { m.done <- m.cmd.Wait() }()
	err := poll(ctx, managerPatience, "the manager works", func() (bool, error) {
		select {
		case err := <-m.done:
			return false, fmt.Errorf("the manager ended: %w; see %s", err, r.log.Name())
		default:
		}
		workers, err := m.metric(ctx, `controller_runtime_max_concurrent_reconciles{controller="app"}`)
		return err == nil && workers > 0, nil
	})
	return m, err
}

// stop ends the manager as a rollout would.
func (m *manager) stop() error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the manager: %w", err)
	}
	select {
	case err := <-m.done:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			// It had nothing to do any more; its log says more.
			return nil
		}
		return err
	case <-time.After(stopPatience):
		return errors.Join(errors.New("the manager does not stop"), m.cmd.Process.Kill())
	}
}

// passes is the number of passes over Apps so far.
func (m *manager) passes(ctx context.Context) (int, error) {
	sum := 0.0
	for _, result := range []string{"success", "error", "requeue", "requeue_after"} {
		n, err := m.metric(ctx, `controller_runtime_reconcile_total{controller="app",result="`+result+`"}`)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return int(sum), nil
}

func (m *manager) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("there is no metric %s", name), lines.Err())
}

// poll asks until the answer is yes.
func poll(ctx context.Context, patience time.Duration, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := ask()
		if ok || err != nil && !meta.IsNoMatchError(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
