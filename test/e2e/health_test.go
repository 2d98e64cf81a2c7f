// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// checkedApp is one App of a story about health checks.
type checkedApp struct {
	*v1alpha1.App
	scheme    string
	byManager bool
	// before is its task while it was healthy.
	before corev1.Pod
}

// checked is an App that listens on ports 80 and 81 and has one health check.
// By the manager, the kubelet makes another, a command.
func checked(namespace string, byManager bool, h v1alpha1.HealthCheck) *checkedApp {
	who := "kubelet"
	if byManager {
		who = "manager"
	}
	name := strings.ReplaceAll(strings.ToLower(fmt.Sprintf("%s-%d-by-%s", h.Protocol, ptr.Deref(h.MaxConsecutiveFailures, 3), who)), "_", "-")
	c := &checkedApp{App: web(namespace, name, 1), scheme: "http", byManager: byManager}
	c.Spec.Args = []string{"serve", "-listen", ":80,:81"}
	c.Spec.Container.PortMappings = append(c.Spec.Container.PortMappings, v1alpha1.PortMapping{ContainerPort: ptr.To[int32](81)})
	c.Spec.TaskKillGracePeriodSeconds = ptr.To[int32](1)
	setEnv(&c.Spec, "DRAIN_SECONDS", "0")
	quick := func(p **int32, value int32) {
		if *p == nil {
			*p = &value
		}
	}
	quick(&h.IntervalSeconds, 1)
	quick(&h.TimeoutSeconds, 10)
	quick(&h.DelaySeconds, 0)
	switch {
	case h.Protocol == v1alpha1.HealthCommand:
		h.Command = &v1alpha1.HealthCommandValue{Value: "exec /web get http://127.0.0.1/health"}
	case c.overTCP(h.Protocol):
		h.PortIndex = ptr.To[int32](1)
	case h.Path == nil:
		h.Path = ptr.To("/health")
	}
	if strings.HasSuffix(string(h.Protocol), "HTTPS") {
		c.scheme = "https"
		c.Spec.Args = append(c.Spec.Args, "-tls")
	}
	if byManager {
		c.Spec.HealthChecks = []v1alpha1.HealthCheck{{Protocol: v1alpha1.HealthCommand, Command: &v1alpha1.HealthCommandValue{Value: "true"}, DelaySeconds: ptr.To[int32](0), IntervalSeconds: ptr.To[int32](1)}}
	}
	c.Spec.HealthChecks = append(c.Spec.HealthChecks, h)
	return c
}

func (*checkedApp) overTCP(p v1alpha1.HealthCheckProtocol) bool {
	return p == v1alpha1.HealthTCP || p == v1alpha1.HealthMesosTCP
}

func (c *checkedApp) check() *v1alpha1.HealthCheck {
	return &c.Spec.HealthChecks[len(c.Spec.HealthChecks)-1]
}

// trusting is a browser that looks at no certificate.
var trusting = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
	DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}}

// ask sends a request to the task of an App and returns the answer. Between
// the two, before is what the task was.
func (c *checkedApp) ask(ctx context.Context, method, path string) (answer string) {
	GinkgoHelper()
	return c.askOther(ctx, nil, method, path)
}

// askOther sends a request to the task that is none of those.
func (c *checkedApp) askOther(ctx context.Context, those []types.UID, method, path string) (answer string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c.before = c.task(ctx, those...)
		request, err := http.NewRequestWithContext(ctx, method, c.scheme+"://"+net.JoinHostPort(c.before.Status.PodIP, "80")+path, nil)
		g.Expect(err).NotTo(HaveOccurred())
		response, err := trusting.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(response.StatusCode).To(BeNumerically("<", 400), "%s: %s", path, body)
		answer = string(body)
	}).WithContext(ctx).WithTimeout(soon).WithPolling(200 * time.Millisecond).Should(Succeed())
	return answer
}

// task is the only pod of the App, or the only one beside others.
func (c *checkedApp) task(ctx context.Context, others ...types.UID) corev1.Pod {
	GinkgoHelper()
	for _, p := range pods(ctx, c.App) {
		if p.DeletionTimestamp == nil && !slices.Contains(others, p.UID) {
			return p
		}
	}
	return corev1.Pod{}
}

// fail makes the task fail its health check.
func (c *checkedApp) fail(ctx context.Context) {
	GinkgoHelper()
	if c.overTCP(c.check().Protocol) {
		c.ask(ctx, http.MethodPost, "/close?port=81")
	} else {
		c.ask(ctx, http.MethodPost, "/health/off")
	}
}

// killed says that the task before was ended: by the kubelet, which starts it
// anew in its pod, or by the manager, with its pod.
func (c *checkedApp) killed(ctx context.Context) bool {
	GinkgoHelper()
	now := c.task(ctx)
	return now.UID != c.before.UID || now.Status.ContainerStatuses[0].RestartCount > c.before.Status.ContainerStatuses[0].RestartCount
}

func taskCondition(p corev1.Pod, kind string) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if string(p.Status.Conditions[i].Type) == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

var _ = Describe("Health checks", func() {
	It("of every protocol find tasks healthy, and kill them by its rule", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		var mortal, immortal []*checkedApp
		for _, protocol := range []v1alpha1.HealthCheckProtocol{
			v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, v1alpha1.HealthTCP,
			v1alpha1.HealthCommand, v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS, v1alpha1.HealthMesosTCP,
		} {
			for limit := range int32(3) {
				for _, byManager := range []bool{false, true} {
					if byManager && protocol == v1alpha1.HealthCommand {
						continue
					}
					c := checked(namespace, byManager, v1alpha1.HealthCheck{Protocol: protocol, MaxConsecutiveFailures: &limit})
					Expect(k8s.Create(ctx, c.App)).To(Succeed())
					if limit == 0 && protocol[:2] != "ME" && protocol != v1alpha1.HealthCommand {
						immortal = append(immortal, c)
					} else {
						mortal = append(mortal, c)
					}
				}
			}
		}
		all := append(append([]*checkedApp{}, mortal...), immortal...)
		for _, c := range all {
			eventuallyReady(ctx, c.App)
			Expect(c.Status.TasksHealthy).To(BeEquivalentTo(1), c.Name)
		}
		for _, c := range all {
			c.fail(ctx)
		}
		By("killing")
		for _, c := range mortal {
			Eventually(func() bool { return c.killed(ctx) }).WithTimeout(soon).Should(BeTrue(), c.Name)
		}
		for _, c := range immortal {
			Eventually(func(g Gomega) { g.Expect(get(ctx, g, c.App).Status.TasksUnhealthy).To(BeEquivalentTo(1), c.Name) }).WithTimeout(soon).Should(Succeed())
		}
		By("being healthy again")
		for _, c := range mortal {
			eventuallyReady(ctx, c.App)
			if !c.byManager {
				continue
			}
			failure := c.Status.LastTaskFailure
			Expect(failure).NotTo(BeNil(), c.Name)
			Expect(failure.State).To(Equal("TASK_KILLED"), c.Name)
			Expect(failure.Message).To(HavePrefix("Task was killed since health check failed. Reason: healthChecks[1] ("), c.Name)
			Expect(failure.Message).To(Or(HaveSuffix("503 Service Unavailable"), HaveSuffix("connection refused")), c.Name)
			Expect(c.Status.Backoff).To(BeNil(), c.Name)
		}
		for _, c := range immortal {
			Expect(c.killed(ctx)).To(BeFalse(), c.Name)
		}
	})

	It("have a grace period that ends with the first success, or by itself", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		var slow, never []*checkedApp
		for _, byManager := range []bool{false, true} {
			c := checked(namespace, byManager, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](1), GracePeriodSeconds: ptr.To[int32](120)})
			c.Name += "-slow"
			setEnv(&c.Spec, "READY_AFTER", "8")
			slow = append(slow, c)
			c = checked(namespace, byManager, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](1), GracePeriodSeconds: ptr.To[int32](4)})
			c.Name += "-never"
			setEnv(&c.Spec, "READY_AFTER", "3600")
			never = append(never, c)
		}
		for _, c := range append(append([]*checkedApp{}, slow...), never...) {
			Expect(k8s.Create(ctx, c.App)).To(Succeed())
		}
		for _, c := range never {
			Eventually(func() bool {
				c.before = c.task(ctx)
				return len(c.before.Status.ContainerStatuses) > 0
			}).WithTimeout(soon).Should(BeTrue())
			Eventually(func() bool { return c.killed(ctx) }).WithTimeout(soon).Should(BeTrue(), c.Name)
		}
		for _, c := range slow {
			eventuallyReady(ctx, c.App)
			Expect(c.task(ctx).Status.ContainerStatuses[0].RestartCount).To(BeZero(), c.Name)
			Expect(c.Status.LastTaskFailure).To(BeNil(), c.Name)
			c.fail(ctx)
		}
		for _, c := range slow {
			Eventually(func() bool { return c.killed(ctx) }).WithTimeout(soon).Should(BeTrue(), c.Name)
		}
	})

	It("all have to pass, and cost no write while they do", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		both := checked(namespace, false, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](0)})
		both.Spec.HealthChecks = append(both.Spec.HealthChecks,
			v1alpha1.HealthCheck{Protocol: v1alpha1.HealthTCP, PortIndex: ptr.To[int32](1), IntervalSeconds: ptr.To[int32](1), MaxConsecutiveFailures: ptr.To[int32](0)})
		discards := checked(namespace, true, v1alpha1.HealthCheck{
			Protocol: v1alpha1.HealthHTTP, Path: ptr.To("/answer?code=101"), IgnoreHTTP1xx: ptr.To(true),
			GracePeriodSeconds: ptr.To[int32](0), MaxConsecutiveFailures: ptr.To[int32](1),
		})
		discards.Name = "discards"
		six := checked(namespace, true, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthMesosTCP, IPProtocol: "IPv6"})
		six.Name = "six"
		for _, c := range []*checkedApp{both, discards, six} {
			Expect(k8s.Create(ctx, c.App)).To(Succeed())
		}
		eventuallyReady(ctx, both.App)
		both.before = both.task(ctx)
		Eventually(func() int { return len(discards.task(ctx).Status.ContainerStatuses) }).WithTimeout(soon).Should(Equal(1))
		discards.before = discards.task(ctx)
		Eventually(func(g Gomega) {
			g.Expect(condition(get(ctx, g, six.App), v1alpha1.ConditionReady).Message).To(ContainSubstring("healthChecks[1]: the task has no IPv6 address"))
		}).WithTimeout(soon).Should(Succeed())

		time.Sleep(2 * time.Second)
		from := time.Now()
		time.Sleep(5 * time.Second)
		for _, request := range audited(from, "system:serviceaccount:"+system+":", "create", "update", "patch", "delete") {
			Expect(request).NotTo(ContainSubstring(namespace + "/apps/" + both.Name))
			Expect(request).NotTo(ContainSubstring(both.before.Name))
		}
		Expect(discards.killed(ctx)).To(BeFalse(), "an answer that is discarded is none")

		By("failing the one that the manager makes")
		both.ask(ctx, http.MethodPost, "/close?port=81")
		Eventually(func(g Gomega) {
			g.Expect(condition(get(ctx, g, both.App), v1alpha1.ConditionReady).Message).To(ContainSubstring("1 not passing the health check: healthChecks[1]: connection refused"))
			g.Expect(both.Status.TasksUnhealthy).To(BeEquivalentTo(1))
			p := both.task(ctx)
			g.Expect(podReady(&p)).To(BeFalse())
		}).WithTimeout(soon).Should(Succeed())
		out, err := tool(ctx, "kubectl-kdcos", "status", both.Name, "-n", namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("fails healthChecks[1]: connection refused"))
		Expect(both.killed(ctx)).To(BeFalse())
	})

	It("of an old version go on in an upgrade, which readiness checks hold up once a task", func(ctx SpecContext) {
		c := checked(newNamespace(ctx), true, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, Path: ptr.To("/"), MaxConsecutiveFailures: ptr.To[int32](1)})
		c.Spec.ReadinessChecks = []v1alpha1.ReadinessCheck{{PortName: "http", Path: "/health", IntervalSeconds: ptr.To[int32](2), TimeoutSeconds: ptr.To[int32](1)}}
		Expect(k8s.Create(ctx, c.App)).To(Succeed())
		eventuallyReady(ctx, c.App)
		old := uids(ctx, c.App)
		change(ctx, c.App, func(s *v1alpha1.AppSpec) { setEnv(s, "READY_AFTER", "3600") })
		Eventually(func(g Gomega) {
			g.Expect(condition(get(ctx, g, c.App), v1alpha1.ConditionReady).Message).To(ContainSubstring("1 not there yet: readinessChecks[0]: 503 Service Unavailable"))
			g.Expect(condition(c.App, v1alpha1.ConditionReady).Status).To(BeEquivalentTo("True"))
			g.Expect(c.Status.TasksHealthy).To(BeEquivalentTo(2))
		}).WithTimeout(soon).Should(Succeed())
		Expect(uids(ctx, c.App)).To(ContainElements(old))
		c.askOther(ctx, old, http.MethodPost, "/health/on")
		eventuallyReady(ctx, c.App)
		Expect(uids(ctx, c.App)).NotTo(ContainElements(old))
		asked := func() int {
			counts := map[string]int{}
			Expect(json.Unmarshal([]byte(c.ask(ctx, http.MethodGet, "/requests")), &counts)).To(Succeed())
			return counts["/health"]
		}
		Expect(asked()).To(BeNumerically(">", 1))
		before := asked()
		Consistently(asked).WithTimeout(5 * time.Second).WithPolling(time.Second).Should(Equal(before))
		Expect(taskCondition(c.task(ctx), v1alpha1.PodConditionReadinessCheck)).To(HaveField("Message", "200 OK"))
	})

	It("are something else than a check, which reports only", func(ctx SpecContext) {
		c := checked(newNamespace(ctx), false, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, Path: ptr.To("/")})
		c.Spec.Container.Type = v1alpha1.EngineMesos
		c.Spec.Check = &v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Path: ptr.To("/health")}, IntervalSeconds: ptr.To[int32](1), DelaySeconds: ptr.To[int32](0)}
		Expect(k8s.Create(ctx, c.App)).To(Succeed())
		eventuallyReady(ctx, c.App)
		c.fail(ctx)
		reported := func() *corev1.PodCondition { return taskCondition(c.task(ctx), v1alpha1.PodConditionCheck) }
		Eventually(reported).WithTimeout(soon).Should(And(Not(BeNil()), HaveField("Message", "503 Service Unavailable")))
		Consistently(func(g Gomega) {
			g.Expect(c.killed(ctx)).To(BeFalse())
			g.Expect(condition(get(ctx, g, c.App), v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionTrue))
		}).WithTimeout(6 * time.Second).WithPolling(500 * time.Millisecond).Should(Succeed())
		c.ask(ctx, http.MethodPost, "/health/on")
		Eventually(reported).WithTimeout(soon).Should(HaveField("Message", "200 OK"))
	})

	It("by the manager go on with the next manager", Serial, func(ctx SpecContext) {
		c := checked(newNamespace(ctx), true, v1alpha1.HealthCheck{Protocol: v1alpha1.HealthHTTP, MaxConsecutiveFailures: ptr.To[int32](2)})
		Expect(k8s.Create(ctx, c.App)).To(Succeed())
		eventuallyReady(ctx, c.App)
		managers(ctx, 0)
		DeferCleanup(func(ctx SpecContext) { managers(ctx, 1) })
		c.fail(ctx)
		Consistently(func() bool { return c.killed(ctx) }).WithTimeout(4 * time.Second).Should(BeFalse())
		task := c.task(ctx)
		Expect(podReady(&task)).To(BeTrue(), "what was found last stands")
		managers(ctx, 1)
		Eventually(func() bool { return c.killed(ctx) }).WithTimeout(soon).Should(BeTrue())
		eventuallyReady(ctx, c.App)
	})
})
