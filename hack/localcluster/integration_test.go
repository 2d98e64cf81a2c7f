// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kdcos/kdcos/hack/localcluster/internal/cluster"
	"github.com/kdcos/kdcos/hack/localcluster/internal/kube"
	"github.com/kdcos/kdcos/hack/localcluster/internal/realcluster"
)

const testImage = "localcluster.test/echo:1"

// bench runs the program on a cluster of its own.
type bench struct {
	*testing.T
	program, state string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a whole cluster: not with -short")
	}
	dir := t.TempDir()
	b := &bench{T: t, program: filepath.Join(dir, "localcluster"), state: filepath.Join(dir, "state")}
	b.command("go", "build", "-o", b.program, ".")
	t.Cleanup(func() {
		if t.Failed() {
			b.showLogs()
		}
		// Whatever the test came to, nothing shall be left.
		if output, err := exec.Command(b.program, "--state", b.state, "down").CombinedOutput(); err != nil {
			t.Errorf("down: %v: %s", err, output)
		}
	})
	return b
}

func (b *bench) command(name string, args ...string) string {
	b.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &stdout, &stderr)
	}
	b.Logf("%s %s: %s", filepath.Base(name), strings.Join(args, " "), time.Since(start).Round(100*time.Millisecond))
	return stdout.String()
}

func (b *bench) run(args ...string) string {
	b.Helper()
	return b.command(b.program, append([]string{"--state", b.state}, args...)...)
}

// status returns the status and the exit code.
func (b *bench) status() (cluster.Status, int) {
	b.Helper()
	cmd := exec.Command(b.program, "--state", b.state, "status", "-o", "json")
	output, _ := cmd.Output()
	var status cluster.Status
	if err := json.Unmarshal(output, &status); err != nil {
		b.Fatalf("status: %v: %s", err, output)
	}
	return status, cmd.ProcessState.ExitCode()
}

func (b *bench) wantStatus(health cluster.Health, code int) cluster.Status {
	b.Helper()
	status, got := b.status()
	if status.Health != health || got != code {
		b.Fatalf("status is %s with exit code %d, want %s with %d: %+v", status.Health, got, health, code, status)
	}
	return status
}

func (b *bench) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(b.state, "cluster/logs/*.log"))
	for _, log := range logs {
		data, err := os.ReadFile(log)
		if err != nil || strings.HasSuffix(log, "audit.log") {
			continue
		}
		const tail = 2000
		b.Logf("%s:\n%s", log, data[max(0, len(data)-tail):])
	}
}

// within tries until the check passes.
func (b *bench) within(limit time.Duration, what string, check func() error) {
	b.Helper()
	start := time.Now()
	for {
		err := check()
		if err == nil {
			b.Logf("%s after %s", what, time.Since(start).Round(100*time.Millisecond))
			return
		}
		if time.Since(start) > limit {
			b.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

func (b *bench) ready(name string, want bool) {
	b.Helper()
	b.within(40*time.Second, fmt.Sprintf("%s ready=%v", name, want), func() error {
		status, _ := b.status()
		for _, node := range status.Nodes {
			if node.Name == name && node.Ready == want {
				return nil
			}
		}
		return fmt.Errorf("nodes are %+v", status.Nodes)
	})
}

func TestRealCluster(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("real nodes need root")
	}
	if shortage := realcluster.InotifyShortage(3); shortage != "" {
		t.Skip(shortage)
	}
	b := newBench(t)
	before := b.traces()
	b.wantStatus(cluster.None, exitNone)
	b.run("up", "--provider", "real")
	status := b.wantStatus(cluster.Healthy, 0)
	if len(status.Nodes) != 3 || status.Nodes[2].Name != "public-1" || status.Nodes[2].Role != cluster.Public {
		t.Fatalf("nodes are %+v", status.Nodes)
	}
	start := time.Now()
	b.run("up")
	if took := time.Since(start); took > 2*time.Second {
		// The machine may be busy with other tests: report, but do not fail.
		t.Logf("up of a healthy cluster took %s", took)
	}

	b.checkDescription()
	b.checkTraffic()
	b.checkNames()
	b.checkRepair()
	b.checkNodes()

	b.run("down")
	if after := b.traces(); after != before {
		t.Errorf("down left traces.\nbefore:\n%s\nafter:\n%s", before, after)
	}
	b.wantStatus(cluster.None, exitNone)
}

func TestSimulatedCluster(t *testing.T) {
	b := newBench(t)
	before := b.traces()
	b.run("up", "--provider", "kwok")
	status := b.wantStatus(cluster.Healthy, 0)
	b.checkDescription()
	kill(b, status.Components[0].PID)
	b.run("up")
	b.wantStatus(cluster.Healthy, 0)
	b.run("node", "stop", "private-1")
	b.ready("private-1", false)
	b.run("node", "start", "private-1")
	b.wantStatus(cluster.Healthy, 0)
	b.run("load", "go.mod")
	b.run("down")
	if after := b.traces(); after != before {
		t.Errorf("down left traces.\nbefore:\n%s\nafter:\n%s", before, after)
	}
}

// checkDescription looks at labels, taints and pod ranges.
func (b *bench) checkDescription() {
	b.Helper()
	client := b.client()
	list, err := client.CoreV1().Nodes().List(b.Context(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for _, node := range list.Items {
		public := node.Name == "public-1"
		wantRole := map[bool]string{true: cluster.RolePublic}[public]
		if node.Labels[cluster.RoleLabel] != wantRole || node.Labels[corev1.LabelTopologyRegion] != "local" ||
			!strings.HasPrefix(node.Labels[corev1.LabelTopologyZone], "zone-") {
			b.Errorf("labels of %s are %v", node.Name, node.Labels)
		}
		// Kubernetes' own taint of a node that just became ready may still be there.
		tainted := slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool { return taint.Key == cluster.RoleTaint })
		if tainted != public {
			b.Errorf("taints of %s are %v", node.Name, node.Spec.Taints)
		}
		if node.Spec.PodCIDR == "" {
			b.Errorf("%s has no range of pods", node.Name)
		}
	}
}

func (b *bench) client() *kube.Client {
	b.Helper()
	client, err := kube.New(filepath.Join(b.state, "kubeconfig"))
	if err != nil {
		b.Fatal(err)
	}
	return client
}

// checkNames asks the cluster's DNS for the one Service that every cluster has.
func (b *bench) checkNames() {
	b.Helper()
	services := b.client().CoreV1().Services
	dns, err := services("kube-system").Get(b.Context(), "kube-dns", metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	kubernetes, err := services("default").Get(b.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(dns.Spec.ClusterIP, "53"))
	}}
	b.within(20*time.Second, "the cluster's DNS answers", func() error {
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		if err == nil && !slices.Equal(addresses, []string{kubernetes.Spec.ClusterIP}) {
			return fmt.Errorf("got %v, want %s", addresses, kubernetes.Spec.ClusterIP)
		}
		return err
	})
}

// checkTraffic runs a server on one node and asks it from the host and from another node, by Service, pod and host
// port.
func (b *bench) checkTraffic() {
	b.Helper()
	dir := b.TempDir()
	binary, archive := filepath.Join(dir, "echo"), filepath.Join(dir, "echo.tar")
	b.command("go", "build", "-o", binary, "./testdata/echo")
	b.run("image", "--name", testImage, "--out", archive, "--binary", binary, "--port", "8080")
	b.run("load", archive)
	b.run("load", archive)

	client := b.client()
	ctx := b.Context()
	for name, node := range map[string]string{"server": "private-1", "client": "private-2"} {
		if _, err := client.CoreV1().Pods("default").Create(ctx, testPod(name, node), metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	_, err := client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "server"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "server"},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.checkReachable(ctx, client)
}

func testPod(name, node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName: node,
			Containers: []corev1.Container{{
				Name: "echo", Image: testImage, ImagePullPolicy: corev1.PullNever,
				Ports: []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 18080}},
			}},
			// A lost node must not drive the pod away: it has to be there again afterwards.
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
}

func (b *bench) checkReachable(ctx context.Context, client *kube.Client) {
	b.Helper()
	service, err := client.CoreV1().Services("default").Get(ctx, "server", metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	var pod *corev1.Pod
	b.within(60*time.Second, "pods run", func() error {
		for _, name := range []string{"client", "server"} {
			if pod, err = client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{}); err != nil {
				return err
			}
			if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
				return fmt.Errorf("pod %s is %s", name, pod.Status.Phase)
			}
		}
		return nil
	})
	kubectl := filepath.Join(strings.TrimSpace(b.run("assets")), "kubectl")
	for _, address := range []string{service.Spec.ClusterIP + ":80", pod.Status.PodIP + ":8080", pod.Status.HostIP + ":18080"} {
		url := "http://" + address
		b.within(30*time.Second, "host reaches "+address, func() error { return get(url) })
		b.within(30*time.Second, "pod reaches "+address, func() error {
			output, err := exec.Command(kubectl, "--kubeconfig", filepath.Join(b.state, "kubeconfig"),
				"exec", "client", "--", "/echo", url).CombinedOutput()
			if err == nil && !strings.Contains(string(output), "server from") {
				err = fmt.Errorf("got %s", output)
			}
			return err
		})
	}
}

func get(url string) error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(string(body), "server from") {
		return fmt.Errorf("got %q, %w", body, err)
	}
	return nil
}

// checkRepair kills every other process, and one whole node.
func (b *bench) checkRepair() {
	b.Helper()
	status := b.wantStatus(cluster.Healthy, 0)
	for i, component := range status.Components {
		if i%2 == 0 {
			kill(b, component.PID)
		}
	}
	kill(b, status.Nodes[1].PID)
	b.within(5*time.Second, "the loss shows", func() error {
		if status, code := b.status(); status.Health != cluster.Degraded || code != exitDegraded {
			return fmt.Errorf("status is %s with exit code %d", status.Health, code)
		}
		return nil
	})
	b.run("up")
	b.wantStatus(cluster.Healthy, 0)
	b.checkReachable(b.Context(), b.client())
}

func kill(b *bench, pid int) {
	b.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		b.Errorf("kill %d: %v", pid, err)
	}
}

// checkNodes cuts one node off and stops another, side by side, and brings both back.
func (b *bench) checkNodes() {
	b.Helper()
	b.run("node", "cut", "private-1")
	b.run("node", "stop", "private-2")
	status := b.wantStatus(cluster.Degraded, exitDegraded)
	if status.Nodes[0].State != cluster.Cut || status.Nodes[1].State != cluster.Stopped || status.Nodes[2].State != cluster.Running {
		b.Errorf("nodes are %+v", status.Nodes)
	}
	b.ready("private-1", false)
	b.ready("private-2", false)
	b.run("node", "heal", "private-1")
	b.run("node", "start", "private-2")
	b.wantStatus(cluster.Healthy, 0)
	b.checkReachable(b.Context(), b.client())
}
