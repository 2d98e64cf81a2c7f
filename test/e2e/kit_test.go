// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

// soon is how long what happens in seconds may take where four stories share
// two cores: kubelets tell of pods late then. How fast it is, test/scale measures.
const soon = time.Minute

// newNamespace makes a namespace that goes with the spec.
func newNamespace(ctx SpecContext) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "story-"}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			tellState(ctx, namespace.Name)
		}
		Expect(k8s.Delete(ctx, namespace)).To(Succeed())
	})
	return namespace.Name
}

// tellState adds to the report of a failed story what its namespace holds: the
// next run may not fail.
func tellState(ctx context.Context, namespace string) {
	for _, list := range []client.ObjectList{&v1alpha1.AppList{}, &v1alpha1.JobList{}, &v1alpha1.JobRunList{}, &corev1.PodList{}, &corev1.EventList{}} {
		if err := k8s.List(ctx, list, client.InNamespace(namespace)); err != nil {
			AddReportEntry("state unknown", err.Error())
			continue
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			switch o := o.(type) {
			case *v1alpha1.App:
				AddReportEntry("App "+o.Name, asJSON(o.Status))
			case *v1alpha1.Job:
				AddReportEntry("Job "+o.Name, asJSON(o.Status))
			case *v1alpha1.JobRun:
				AddReportEntry("JobRun "+o.Name, asJSON(o.Status))
			case *corev1.Pod:
				AddReportEntry("Pod "+o.Name+" on "+o.Spec.NodeName, asJSON(o.Status))
			case *corev1.Event:
				AddReportEntry("Event", fmt.Sprintf("%s %s/%s %s: %s", o.LastTimestamp.UTC().Format(time.TimeOnly),
					o.InvolvedObject.Kind, o.InvolvedObject.Name, o.Reason, o.Message))
			}
			return nil
		})
	}
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// web is an App that serves pages on port 80 of its pods.
func web(namespace, name string, instances int32) *v1alpha1.App {
	return &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AppSpec{
			Instances: &instances,
			Cpus:      ptr.To(0.01),
			Mem:       ptr.To(16.0),
			Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
			Container: &v1alpha1.Container{
				Docker:       &v1alpha1.DockerContainer{Image: webImage},
				PortMappings: []v1alpha1.PortMapping{{ContainerPort: ptr.To[int32](80), HostPort: ptr.To[int32](0), Name: ptr.To("http")}},
			},
			TaskKillGracePeriodSeconds: ptr.To[int32](10),
			Env:                        []v1alpha1.EnvVar{{Name: "DRAIN_SECONDS", Value: ptr.To("0.2")}},
		},
	}
}

// healthy adds a health check that is quick to notice.
func healthy(app *v1alpha1.App) *v1alpha1.App {
	app.Spec.HealthChecks = []v1alpha1.HealthCheck{{
		Protocol: v1alpha1.HealthMesosHTTP, PortIndex: ptr.To[int32](0), Path: ptr.To("/health"),
		IntervalSeconds: ptr.To[int32](1), TimeoutSeconds: ptr.To[int32](2), DelaySeconds: ptr.To[int32](0), GracePeriodSeconds: ptr.To[int32](60),
	}}
	return app
}

func setEnv(spec *v1alpha1.AppSpec, name, value string) {
	for i := range spec.Env {
		if spec.Env[i].Name == name {
			spec.Env[i].Value = &value
			return
		}
	}
	spec.Env = append(spec.Env, v1alpha1.EnvVar{Name: name, Value: &value})
}

func get(ctx context.Context, g Gomega, app *v1alpha1.App) *v1alpha1.App {
	GinkgoHelper()
	g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(app), app)).To(Succeed())
	return app
}

func condition(app *v1alpha1.App, kind string) *metav1.Condition {
	return meta.FindStatusCondition(app.Status.Conditions, kind)
}

// eventuallyReady waits until all is as the App asks for.
func eventuallyReady(ctx SpecContext, app *v1alpha1.App) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
		g.Expect(app.Status.ObservedGeneration).To(Equal(app.Generation))
		g.Expect(condition(app, v1alpha1.ConditionReconciling)).To(BeNil())
	}).WithContext(ctx).WithTimeout(90 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
}

// pods are those of the App, the ones being stopped included.
func pods(ctx context.Context, app *v1alpha1.App) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(k8s.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))).To(Succeed())
	return list.Items
}

func uids(ctx context.Context, app *v1alpha1.App) []types.UID {
	GinkgoHelper()
	var all []types.UID
	for _, p := range pods(ctx, app) {
		if p.DeletionTimestamp == nil {
			all = append(all, p.UID)
		}
	}
	return all
}

func change(ctx SpecContext, app *v1alpha1.App, edit func(*v1alpha1.AppSpec)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		edit(&get(ctx, g, app).Spec)
		g.Expect(k8s.Update(ctx, app)).To(Succeed())
	}).WithContext(ctx).Should(Succeed())
}

// service makes a Service in front of an App and returns its URL.
func service(ctx SpecContext, app *v1alpha1.App) string {
	GinkgoHelper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name},
		Spec:       corev1.ServiceSpec{Selector: workload.Labels(app), Ports: []corev1.ServicePort{{Port: 80}}},
	}
	Expect(k8s.Create(ctx, s)).To(Succeed())
	return "http://" + net.JoinHostPort(s.Spec.ClusterIP, "80")
}

// browser opens a connection for each request, as clients that come and go do.
var browser = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func fetch(ctx context.Context, url string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := browser.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(body), err
}

// tool runs a program of .local/bin and returns what it prints.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, binary(name), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	GinkgoWriter.Printf("%s %s\n%s", name, strings.Join(args, " "), out)
	return string(out), err
}

func binary(name string) string {
	return filepath.Join(testkit.Root(), ".local", "bin", name)
}

// node does something to a node of the local cluster.
func node(ctx context.Context, action, name string) {
	GinkgoHelper()
	_, err := tool(ctx, "localcluster", "--state", filepath.Dir(kubeconfig), "node", action, name)
	Expect(err).NotTo(HaveOccurred())
}

// managers scales the installed manager and waits until that is done.
func managers(ctx SpecContext, replicas int32) {
	GinkgoHelper()
	var list appsv1.DeploymentList
	Expect(k8s.List(ctx, &list, client.InNamespace(system), ofManager)).To(Succeed())
	Expect(list.Items).To(HaveLen(1), "kdcos is not installed: run make deploy")
	d := &list.Items[0]
	Expect(k8s.SubResource("scale").Update(ctx, d, client.WithSubResourceBody(&autoscalingv1.Scale{
		Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
	}))).To(Succeed())
	Eventually(func(g Gomega) {
		var left corev1.PodList
		g.Expect(k8s.List(ctx, &left, client.InNamespace(system), client.MatchingLabels(d.Spec.Selector.MatchLabels))).To(Succeed())
		g.Expect(left.Items).To(HaveLen(int(replicas)))
		for i := range left.Items {
			g.Expect(podReady(&left.Items[i])).To(BeTrue())
		}
	}).WithContext(ctx).WithTimeout(2 * time.Minute).WithPolling(200 * time.Millisecond).Should(Succeed())
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// kill ends the process of a pod's container from outside, as a crash would.
func kill(pod *corev1.Pod) {
	GinkgoHelper()
	killContainer(pod.Status.ContainerStatuses[0].ContainerID)
}

func killContainer(id string) {
	GinkgoHelper()
	id = strings.TrimPrefix(id, "containerd://")
	Expect(id).NotTo(BeEmpty())
	killed := 0
	entries, err := os.ReadDir("/proc")
	Expect(err).NotTo(HaveOccurred())
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil || !strings.Contains(string(groups), id) {
			continue
		}
		process, err := os.FindProcess(pid)
		Expect(err).NotTo(HaveOccurred())
		Expect(process.Kill()).To(Succeed())
		killed++
	}
	Expect(killed).To(BeNumerically(">", 0), "no process of container %s found", id)
}

// census follows the pods of an App from now on.
type census struct {
	lock sync.Mutex
	// most is how many there ever were at once, least how few were ready
	// since the first time all were.
	most, least int
	there       map[types.UID]bool
	// flaps is how often a pod was no longer ready that nobody had told to stop.
	flaps int
	stop  func()
}

// follow counts the pods of an App by a watch until the spec ends. asked is
// the number of instances from which on those that are ready count.
func follow(ctx SpecContext, app *v1alpha1.App, asked int) *census {
	GinkgoHelper()
	events, err := k8s.Watch(ctx, &corev1.PodList{}, client.InNamespace(app.Namespace), client.MatchingLabels(workload.Labels(app)))
	Expect(err).NotTo(HaveOccurred())
	c := &census{there: map[types.UID]bool{}, least: asked, stop: events.Stop}
	DeferCleanup(events.Stop)
	go func() {
		whole := false
		for e := range events.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			c.lock.Lock()
			is := podReady(pod)
			if !is && c.there[pod.UID] && pod.DeletionTimestamp == nil {
				// A busy kubelet takes back for a second that a pod is ready.
				// What is counted here is what the manager does.
				c.flaps++
				is = true
			}
			c.there[pod.UID] = is && pod.DeletionTimestamp == nil
			if e.Type == "DELETED" {
				delete(c.there, pod.UID)
			}
			ready := 0
			for _, is := range c.there {
				if is {
					ready++
				}
			}
			whole = whole || ready >= asked
			c.most = max(c.most, len(c.there))
			if whole {
				c.least = min(c.least, ready)
			}
			c.lock.Unlock()
		}
	}()
	return c
}

// result ends the count.
func (c *census) result() (most, least int) {
	c.stop()
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.flaps > 0 {
		AddReportEntry("not ready for a while, and not told to stop", c.flaps)
	}
	return c.most, c.least
}
