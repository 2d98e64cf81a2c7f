// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// service answers the checks of all tasks of a spec, at an address all pods have.
type service struct {
	lock  sync.Mutex
	codes map[string]int
	asked map[string]int
	port  int32
}

func newService() *service {
	GinkgoHelper()
	s := &service{codes: map[string]int{}, asked: map[string]int{}}
	server := httptest.NewServer(s)
	DeferCleanup(server.Close)
	port, err := strconv.Atoi(server.URL[len("http://127.0.0.1:"):])
	Expect(err).NotTo(HaveOccurred())
	s.port = int32(port)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.asked[r.URL.Path]++
	if code := s.codes[r.URL.Path]; code != 0 {
		w.WriteHeader(code)
	}
}

// answer sets what a page answers.
func (s *service) answer(path string, code int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.codes[path] = code
}

func (s *service) requests(path string) int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.asked[path]
}

var _ = Describe("Checks by the manager", func() {
	var app *v1alpha1.App
	var tasks *service

	BeforeEach(func(ctx SpecContext) {
		tasks = newService()
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "checks-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		app = &v1alpha1.App{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "web"},
			Spec: v1alpha1.AppSpec{
				Instances: ptr.To[int32](1),
				Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
				Container: &v1alpha1.Container{
					Docker:       &v1alpha1.DockerContainer{Image: "example/web:1"},
					PortMappings: []v1alpha1.PortMapping{{ContainerPort: &tasks.port, Name: ptr.To("http")}},
				},
			},
		}
	})

	both := func(check v1alpha1.HealthCheck) []v1alpha1.HealthCheck {
		check.IntervalSeconds, check.Path = ptr.To[int32](1), ptr.To("/health")
		return []v1alpha1.HealthCheck{{Protocol: v1alpha1.HealthCommand, Command: &v1alpha1.HealthCommandValue{Value: "true"}}, check}
	}

	It("gate the pod, tell what fails, and kill by Marathon's rule", func(ctx SpecContext) {
		app.Spec.HealthChecks = both(v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](2)})
		tasks.answer("/health", http.StatusServiceUnavailable)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(condition(get(ctx, g, app), v1alpha1.ConditionReady)).NotTo(BeNil())
			g.Expect(condition(app, v1alpha1.ConditionReady).Message).To(ContainSubstring("1 not there yet: healthChecks[1]: 503 Service Unavailable"))
			g.Expect(app.Status.TasksHealthy + app.Status.TasksUnhealthy).To(BeZero())
		}).WithTimeout(30 * time.Second).Should(Succeed())
		tasks.answer("/health", 0)
		eventuallyReady(ctx, app)
		Expect(app.Status.TasksHealthy).To(BeEquivalentTo(1))
		first := onlyPod(ctx, app)

		By("writing nothing while nothing changes")
		before := tasks.requests("/health")
		Eventually(func() int { return tasks.requests("/health") }).WithTimeout(30 * time.Second).Should(BeNumerically(">=", before+3))
		Expect(onlyPod(ctx, app).ResourceVersion).To(Equal(first.ResourceVersion))
		version := app.ResourceVersion
		Expect(get(ctx, NewWithT(GinkgoT()), app).ResourceVersion).To(Equal(version))

		By("failing")
		tasks.answer("/health", http.StatusInternalServerError)
		Eventually(func(g Gomega) {
			ready := condition(get(ctx, g, app), v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonUnhealthy))
			g.Expect(ready.Message).To(ContainSubstring("1 not passing the health check: healthChecks[1]: 500 Internal Server Error"))
			g.Expect(app.Status.TasksUnhealthy).To(BeEquivalentTo(1))
		}).WithTimeout(30 * time.Second).Should(Succeed())
		failing := time.Now()
		Eventually(func() []types.UID { return uids(ctx, app) }).WithTimeout(30 * time.Second).ShouldNot(ContainElement(first.UID))
		Expect(time.Since(failing)).To(BeNumerically(">", 1500*time.Millisecond), "the third failure kills")
		tasks.answer("/health", 0)
		eventuallyReady(ctx, app)
		Expect(app.Status.Backoff).To(BeNil())
		Expect(app.Status.LastTaskFailure.State).To(Equal("TASK_KILLED"))
		Expect(app.Status.LastTaskFailure.TaskID).To(HaveSuffix(string(first.UID) + "._app.1"))
		Expect(app.Status.LastTaskFailure.Message).To(MatchRegexp(`^Task was killed since health check failed. Reason: healthChecks\[1\] \(HTTP :\d+/health\): 500 Internal Server Error$`))

		By("ending with the App")
		Expect(k8s.Delete(ctx, app)).To(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(app.Namespace))).To(Succeed())
		Eventually(func(g Gomega) { g.Expect(uids(ctx, app)).To(BeEmpty()) }).Should(Succeed())
		time.Sleep(200 * time.Millisecond)
		before = tasks.requests("/health")
		Consistently(func() int { return tasks.requests("/health") }, 1500*time.Millisecond).Should(BeNumerically("<=", before+1))
	})

	It("never kill at 0, and say which address is missing", func(ctx SpecContext) {
		app.Spec.HealthChecks = both(v1alpha1.HealthCheck{
			Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](0), GracePeriodSeconds: ptr.To[int32](0),
		})
		tasks.answer("/health", http.StatusServiceUnavailable)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		six := app.DeepCopy()
		six.ObjectMeta = metav1.ObjectMeta{Namespace: app.Namespace, Name: "six"}
		six.Spec.HealthChecks = both(v1alpha1.HealthCheck{Protocol: v1alpha1.HealthMesosHTTP, IPProtocol: "IPv6", DelaySeconds: ptr.To[int32](0)})
		Expect(k8s.Create(ctx, six)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(get(ctx, g, app).Status.TasksUnhealthy).To(BeEquivalentTo(1))
			g.Expect(condition(get(ctx, g, six), v1alpha1.ConditionReady)).NotTo(BeNil())
			g.Expect(condition(six, v1alpha1.ConditionReady).Message).To(ContainSubstring("the task has no IPv6 address"))
		}).WithTimeout(30 * time.Second).Should(Succeed())
		before := uids(ctx, app)
		Consistently(func() []types.UID { return uids(ctx, app) }, 4*time.Second).Should(Equal(before))
		Expect(app.Status.LastTaskFailure).To(BeNil())
	})

	It("start over with a restarted container", func(ctx SpecContext) {
		app.Spec.HealthChecks = both(v1alpha1.HealthCheck{Protocol: v1alpha1.HealthTCP, MaxConsecutiveFailures: ptr.To[int32](0)})
		app.Spec.HealthChecks[1].Path = nil
		app.Spec.ReadinessChecks = []v1alpha1.ReadinessCheck{{PortName: "http", Path: "/ready", IntervalSeconds: ptr.To[int32](2), TimeoutSeconds: ptr.To[int32](1)}}
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		Expect(tasks.requests("/ready")).To(Equal(1))
		tasks.answer("/ready", http.StatusServiceUnavailable)
		Consistently(func() int { return tasks.requests("/ready") }, 3*time.Second).Should(Equal(1), "once ready is ready")
		Eventually(func(g Gomega) {
			pod := onlyPod(ctx, app)
			task := &pod.Status.ContainerStatuses[0]
			task.RestartCount, task.State.Running.StartedAt = 1, metav1.Now()
			g.Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
		}).Should(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(podCondition(onlyPod(ctx, app), v1alpha1.PodConditionReadinessCheck)).To(HaveField("Status", corev1.ConditionFalse))
			g.Expect(condition(get(ctx, g, app), v1alpha1.ConditionReconciling)).NotTo(BeNil())
			g.Expect(condition(app, v1alpha1.ConditionReady).Message).To(ContainSubstring("1 not there yet: readinessChecks[0]: 503 Service Unavailable"))
			g.Expect(app.Status.TasksHealthy).To(BeEquivalentTo(1))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		tasks.answer("/ready", 0)
		eventuallyReady(ctx, app)
	})

	It("hold a rollout until a task was ready once", func(ctx SpecContext) {
		app.Spec.Instances = ptr.To[int32](2)
		app.Spec.ReadinessChecks = []v1alpha1.ReadinessCheck{{
			PortName: "http", Path: "/ready", IntervalSeconds: ptr.To[int32](2), TimeoutSeconds: ptr.To[int32](1), HTTPStatusCodesForReady: []int32{202},
		}}
		tasks.answer("/ready", http.StatusAccepted)
		Expect(k8s.Create(ctx, app)).To(Succeed())
		eventuallyReady(ctx, app)
		old := uids(ctx, app)
		tasks.answer("/ready", http.StatusOK)
		change(ctx, app, func(s *v1alpha1.AppSpec) { s.Container.Docker.Image = "example/web:2" })
		Eventually(func(g Gomega) {
			g.Expect(condition(get(ctx, g, app), v1alpha1.ConditionReady).Message).To(ContainSubstring("2 of 2 instances run the new configuration, 2 the old; 2 not there yet: readinessChecks[0]: 200 OK"))
		}).WithTimeout(30 * time.Second).Should(Succeed())
		Consistently(func() []types.UID { return uids(ctx, app) }, 2*time.Second).Should(ContainElements(old))
		tasks.answer("/ready", http.StatusAccepted)
		eventuallyReady(ctx, app)
		Expect(uids(ctx, app)).NotTo(ContainElements(old))
	})

	It("report a check, which neither gates nor kills", func(ctx SpecContext) {
		app.Spec.Container.Type = v1alpha1.EngineMesos
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		Expect(closed.Close()).To(Succeed())
		tcp := app.DeepCopy()
		tcp.Name = "tcp"
		nobody := closed.Addr().(*net.TCPAddr).AddrPort().Port()
		tcp.Spec.Check = &v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: ptr.To(int32(nobody))}, IntervalSeconds: ptr.To[int32](1), DelaySeconds: ptr.To[int32](0)}
		app.Spec.Check = &v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Path: ptr.To("/state")}, IntervalSeconds: ptr.To[int32](1), DelaySeconds: ptr.To[int32](0)}
		tasks.answer("/state", http.StatusTeapot)
		for app, message := range map[*v1alpha1.App]string{app: "418 I'm a teapot", tcp: "connection refused"} {
			Expect(k8s.Create(ctx, app)).To(Succeed())
			eventuallyReady(ctx, app)
			Eventually(func() *corev1.PodCondition { return podCondition(onlyPod(ctx, app), v1alpha1.PodConditionCheck) }).WithTimeout(30 * time.Second).
				Should(And(Not(BeNil()), HaveField("Status", corev1.ConditionFalse), HaveField("Message", message)))
		}
		before := uids(ctx, app)
		tasks.answer("/state", 0)
		Eventually(func() *corev1.PodCondition { return podCondition(onlyPod(ctx, app), v1alpha1.PodConditionCheck) }).WithTimeout(30 * time.Second).
			Should(And(HaveField("Status", corev1.ConditionTrue), HaveField("Message", "200 OK")))
		Consistently(func() []types.UID { return uids(ctx, app) }, 2*time.Second).Should(Equal(before))
	})
})

func onlyPod(ctx SpecContext, app *v1alpha1.App) *corev1.Pod {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.AppLabel: app.Name})).To(Succeed())
	Expect(pods.Items).To(HaveLen(1))
	return &pods.Items[0]
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
