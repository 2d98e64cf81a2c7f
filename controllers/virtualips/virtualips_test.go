// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package virtualips_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

const soon = 30 * time.Second

// newNamespace makes a namespace, whose Apps go with the spec: there is no
// garbage collector here.
func newNamespace(ctx SpecContext, networks string) string {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "vips-"}}
	if networks != "" {
		ns.Annotations = map[string]string{v1alpha1.VirtualIPNetworksAnnotation: networks}
	}
	Expect(k8s.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		for _, kind := range []client.Object{&v1alpha1.App{}, &v1alpha1.VirtualIP{}, &corev1.Service{}} {
			Expect(k8s.DeleteAllOf(ctx, kind, client.InNamespace(ns.Name))).To(Succeed())
		}
	})
	return ns.Name
}

// asking is an App with a port for each of the maps of labels.
func asking(ctx SpecContext, namespace, name string, ports ...map[string]v1alpha1.LabelValue) *v1alpha1.App {
	GinkgoHelper()
	app := &v1alpha1.App{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AppSpec{
			Networks:  []v1alpha1.Network{{Mode: v1alpha1.NetworkBridge}},
			Container: &v1alpha1.Container{Docker: &v1alpha1.DockerContainer{Image: "example/web"}},
		},
	}
	for i, labels := range ports {
		app.Spec.Container.PortMappings = append(app.Spec.Container.PortMappings, v1alpha1.PortMapping{
			ContainerPort: ptr.To(int32(8080 + i)), Labels: labels,
		})
	}
	Expect(k8s.Create(ctx, app)).To(Succeed())
	return app
}

type labels = map[string]v1alpha1.LabelValue

func virtualIP(ctx context.Context, namespace, name string) (*v1alpha1.VirtualIP, error) {
	v := &v1alpha1.VirtualIP{}
	return v, k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, v)
}

// settles waits until a VirtualIP is as it should be.
func settles(ctx SpecContext, namespace, name string, is func(g Gomega, v *v1alpha1.VirtualIP)) *v1alpha1.VirtualIP {
	GinkgoHelper()
	var v *v1alpha1.VirtualIP
	Eventually(func(g Gomega) {
		var err error
		v, err = virtualIP(ctx, namespace, name)
		g.Expect(err).NotTo(HaveOccurred())
		is(g, v)
	}).WithTimeout(soon).WithPolling(20 * time.Millisecond).Should(Succeed())
	return v
}

func isServed(g Gomega, v *v1alpha1.VirtualIP) {
	g.Expect(v.Status.Addresses).NotTo(BeEmpty())
	g.Expect(meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionStalled)).To(BeNil())
}

func isStalled(reason, words string) func(g Gomega, v *v1alpha1.VirtualIP) {
	return func(g Gomega, v *v1alpha1.VirtualIP) {
		stalled := meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionStalled)
		g.Expect(stalled).NotTo(BeNil())
		g.Expect(stalled.Reason).To(Equal(reason))
		g.Expect(stalled.Message).To(ContainSubstring(words))
		g.Expect(v.Status.Addresses).To(BeEmpty())
		g.Expect(v.Status.DNSName).To(BeEmpty())
		g.Expect(v.Status.Service).To(BeEmpty())
	}
}

func isGone(ctx SpecContext, namespace, name string) {
	GinkgoHelper()
	Eventually(func() bool {
		_, err := virtualIP(ctx, namespace, name)
		return apierrors.IsNotFound(err)
	}).WithTimeout(soon).WithPolling(20 * time.Millisecond).Should(BeTrue())
}

func service(ctx SpecContext, v *v1alpha1.VirtualIP) *corev1.Service {
	GinkgoHelper()
	s := &corev1.Service{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: v.Namespace, Name: v.Status.Service}, s)).To(Succeed())
	return s
}

// ports of a Service, in a line each.
func ports(s *corev1.Service) []string {
	var all []string
	for _, p := range s.Spec.Ports {
		all = append(all, p.Name+" "+string(p.Protocol))
	}
	return all
}

// condition is what an App says of how it is found.
func condition(ctx context.Context, app *v1alpha1.App) *metav1.Condition {
	found := &v1alpha1.App{}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), found); err != nil {
		return nil
	}
	return meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionDiscoveryIncomplete)
}

func appSays(ctx SpecContext, app *v1alpha1.App, reason, words string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		c := condition(ctx, app)
		g.Expect(c).NotTo(BeNil())
		g.Expect(c.Reason).To(Equal(reason))
		g.Expect(c.Message).To(ContainSubstring(words))
	}).WithTimeout(soon).WithPolling(20 * time.Millisecond).Should(Succeed())
}

var _ = Describe("VirtualIPs", func() {
	It("are made for the labels of Apps, and go with the last of them", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		one := asking(ctx, ns, "one", labels{"VIP_0": "/all:80", "VIP_1": "/one:80"})
		two := asking(ctx, ns, "two", labels{"VIP_0": "all:80"}, labels{"VIP_0": "/all:81"})
		v := settles(ctx, ns, "all.marathon", func(g Gomega, v *v1alpha1.VirtualIP) {
			isServed(g, v)
			g.Expect(v.Status.Apps).To(Equal([]string{"one", "two"}))
			g.Expect(v.OwnerReferences).To(HaveLen(2))
		})
		Expect(v.Status.DNSName).To(Equal("all.marathon.l4lb.thisdcos.directory"))
		Expect(v.OwnerReferences[0].Controller).To(BeNil())
		settles(ctx, ns, "one.marathon", isServed)
		s := service(ctx, v)
		Expect(ports(s)).To(Equal([]string{"tcp-80 TCP", "tcp-81 TCP"}))
		Expect(*s.Spec.IPFamilyPolicy).To(Equal(corev1.IPFamilyPolicyPreferDualStack))
		Expect(s.Spec.Selector).To(Equal(map[string]string{v1alpha1.VIPPodLabel("all.marathon"): ""}))
		Expect(s.Labels).To(HaveKeyWithValue(v1alpha1.VirtualIPLabel, "all.marathon"))

		By("taking a label away")
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(two), two); err != nil {
				return err
			}
			two.Spec.Container.PortMappings[1].Labels = nil
			return k8s.Update(ctx, two)
		}).WithTimeout(soon).Should(Succeed())
		Eventually(func() []string { return ports(service(ctx, v)) }).WithTimeout(soon).Should(Equal([]string{"tcp-80 TCP"}))

		By("deleting the Apps")
		Expect(k8s.Delete(ctx, one)).To(Succeed())
		isGone(ctx, ns, "one.marathon")
		settles(ctx, ns, "all.marathon", func(g Gomega, v *v1alpha1.VirtualIP) {
			g.Expect(v.Status.Apps).To(Equal([]string{"two"}))
			g.Expect(v.OwnerReferences).To(HaveLen(1))
		})
		Expect(k8s.Delete(ctx, two)).To(Succeed())
		isGone(ctx, ns, "all.marathon")
	})

	It("serve tcp and udp, and count what is behind each port", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		app := asking(ctx, ns, "dns", labels{"VIP_0": "/dns:53"})
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
				return err
			}
			app.Spec.Container.PortMappings[0].Protocol = v1alpha1.ProtocolUDPTCP
			return k8s.Update(ctx, app)
		}).WithTimeout(soon).Should(Succeed())
		v := settles(ctx, ns, "dns.marathon", func(g Gomega, v *v1alpha1.VirtualIP) {
			isServed(g, v)
			g.Expect(v.Status.Ports).To(HaveLen(2))
			g.Expect(meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonNoBackends))
		})
		s := service(ctx, v)
		Expect(ports(s)).To(Equal([]string{"tcp-53 TCP", "udp-53 UDP"}))
		Expect(s.Spec.Ports[0].TargetPort).NotTo(Equal(s.Spec.Ports[1].TargetPort))

		pod := taskOf(ctx, app)
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: ns, Name: "dns", Labels: s.Labels},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("tcp-53"), Port: ptr.To[int32](8080)}, {Name: ptr.To("udp-53"), Port: ptr.To[int32](8080), Protocol: ptr.To(corev1.ProtocolUDP)}},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{"192.0.2.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod}},
				{Addresses: []string{"192.0.2.2"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}},
				{Addresses: []string{"192.0.2.3"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false), Terminating: ptr.To(true)}},
			},
		}
		Expect(k8s.Create(ctx, slice)).To(Succeed())
		settles(ctx, ns, "dns.marathon", func(g Gomega, v *v1alpha1.VirtualIP) {
			g.Expect(v.Status.Ready).To(Equal(int32(1)))
			g.Expect(meta.IsStatusConditionTrue(v.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			g.Expect(v.Status.Ports[1]).To(Equal(v1alpha1.VirtualIPPortStatus{Port: 53, Protocol: v1alpha1.TransportUDP, Backends: []v1alpha1.VirtualIPBackends{
				{NotReady: 1, Draining: 1}, {App: "dns", Ready: 1},
			}}))
		})

		By("being at rest")
		rest, err := virtualIP(ctx, ns, "dns.marathon")
		Expect(err).NotTo(HaveOccurred())
		Consistently(func() string {
			v, err := virtualIP(ctx, ns, "dns.marathon")
			Expect(err).NotTo(HaveOccurred())
			return v.ResourceVersion
		}).WithTimeout(2 * time.Second).Should(Equal(rest.ResourceVersion))
	})

	It("of another namespace hold a name, until they are gone", func(ctx SpecContext) {
		first, second := newNamespace(ctx, ""), newNamespace(ctx, "")
		holder := asking(ctx, first, "web", labels{"VIP_0": "/shared:80"})
		settles(ctx, first, "shared.marathon", isServed)
		time.Sleep(1100 * time.Millisecond) // ages are in seconds
		loser := asking(ctx, second, "web", labels{"VIP_0": "/sha/red:90"})
		held := "is held by the VirtualIP " + first + "/shared.marathon"
		settles(ctx, second, "shared.marathon", isStalled(v1alpha1.ReasonVIPConflict, held))
		appSays(ctx, loser, v1alpha1.ReasonVIPConflict, "spec.container.portMappings[0].labels[VIP_0]: the name shared.marathon.l4lb.thisdcos.directory "+held)
		settles(ctx, first, "shared.marathon", isServed)

		Expect(k8s.Delete(ctx, holder)).To(Succeed())
		settles(ctx, second, "shared.marathon", func(g Gomega, v *v1alpha1.VirtualIP) {
			isServed(g, v)
			g.Expect(v.Status.DNSName).To(Equal("shared.marathon.l4lb.thisdcos.directory"))
		})
		Eventually(func() *metav1.Condition { return condition(ctx, loser) }).WithTimeout(soon).Should(BeNil())
	})

	It("have an address only where the namespace may use it", func(ctx SpecContext) {
		ns := newNamespace(ctx, "203.0.113.0/25, 169.254.0.0/16,10.0.0.0/8")
		app := asking(ctx, ns, "web", labels{"VIP_0": "203.0.113.7:80"}, labels{"VIP_0": "203.0.113.200:80"}, labels{"VIP_0": "169.254.169.254:80"}, labels{"VIP_0": "10.0.0.1:443"})
		v := settles(ctx, ns, "ip-203.0.113.7", isServed)
		Expect(v.Status.Addresses).To(Equal([]string{"203.0.113.7"}))
		Expect(v.Status.DNSName).To(BeEmpty())
		s := service(ctx, v)
		Expect(s.Spec.Type).To(Equal(corev1.ServiceTypeLoadBalancer))
		Expect(*s.Spec.LoadBalancerClass).To(Equal("kdcos.io/vip"))
		Expect(*s.Spec.AllocateLoadBalancerNodePorts).To(BeFalse())
		Expect(s.Spec.Ports[0].NodePort).To(BeZero())
		Expect(s.Status.LoadBalancer.Ingress).To(Equal([]corev1.LoadBalancerIngress{{IP: "203.0.113.7", IPMode: ptr.To(corev1.LoadBalancerIPModeVIP)}}))
		settles(ctx, ns, "ip-203.0.113.200", isStalled(v1alpha1.ReasonAddressNotAllowed, "namespace "+ns+" may not use 203.0.113.200"))
		settles(ctx, ns, "ip-169.254.169.254", isStalled(v1alpha1.ReasonAddressNotAllowed, "link-local"))
		settles(ctx, ns, "ip-10.0.0.1", isStalled(v1alpha1.ReasonAddressNotAllowed, "it belongs to Services"))
		appSays(ctx, app, v1alpha1.ReasonAddressNotAllowed, "labels[VIP_0]: namespace "+ns+" may not use 203.0.113.200")

		By("taking the permission away")
		namespace := &corev1.Namespace{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: ns}, namespace)).To(Succeed())
		namespace.Annotations = nil
		Expect(k8s.Update(ctx, namespace)).To(Succeed())
		settles(ctx, ns, "ip-203.0.113.7", isStalled(v1alpha1.ReasonAddressNotAllowed, "may not use 203.0.113.7"))
		Eventually(func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(s), &corev1.Service{}))
		}).WithTimeout(soon).Should(BeTrue())
	})

	It("of several namespaces share an address, and no port of it", func(ctx SpecContext) {
		first, second := newNamespace(ctx, "192.0.2.0/24"), newNamespace(ctx, "192.0.2.0/24")
		third := newNamespace(ctx, "")
		asking(ctx, third, "web", labels{"VIP_0": "192.0.2.9:80"})
		settles(ctx, third, "ip-192.0.2.9", isStalled(v1alpha1.ReasonAddressNotAllowed, "may not use"))
		time.Sleep(1100 * time.Millisecond) // ages are in seconds
		asking(ctx, first, "web", labels{"VIP_0": "192.0.2.9:80"})
		settles(ctx, first, "ip-192.0.2.9", isServed)
		time.Sleep(1100 * time.Millisecond) // ages are in seconds
		app := asking(ctx, second, "web", labels{"VIP_0": "192.0.2.9:80"})
		settles(ctx, second, "ip-192.0.2.9", isStalled(v1alpha1.ReasonVIPConflict, "the address 192.0.2.9 is held by the VirtualIP "+first+"/ip-192.0.2.9"))
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(app), app); err != nil {
				return err
			}
			app.Spec.Container.PortMappings[0].Labels = labels{"VIP_0": "192.0.2.9:81"}
			return k8s.Update(ctx, app)
		}).WithTimeout(soon).Should(Succeed())
		settles(ctx, second, "ip-192.0.2.9", isServed)
		settles(ctx, first, "ip-192.0.2.9", isServed)
	})

	It("do not take the address of a Service", func(ctx SpecContext) {
		ns := newNamespace(ctx, "198.51.100.0/24")
		other := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "other"},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
		}
		Expect(k8s.Create(ctx, other)).To(Succeed())
		other.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.77"}}
		Expect(k8s.Status().Update(ctx, other)).To(Succeed())
		asking(ctx, ns, "web", labels{"VIP_0": "198.51.100.77:80"})
		settles(ctx, ns, "ip-198.51.100.77", isStalled(v1alpha1.ReasonAddressNotAllowed, "an address of a Service of the namespace "+ns))
	})

	It("that somebody wrote are used, and stay", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		written := &v1alpha1.VirtualIP{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mine"},
			Spec:       v1alpha1.VirtualIPSpec{Name: "/mine", SessionAffinity: v1alpha1.SessionAffinityClientIP, SessionAffinityTimeoutSeconds: ptr.To[int32](60)},
		}
		Expect(k8s.Create(ctx, written)).To(Succeed())
		settles(ctx, ns, "mine", func(g Gomega, v *v1alpha1.VirtualIP) {
			ready := meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonNoBackends))
			g.Expect(ready.Message).To(ContainSubstring("no App of the namespace"))
		})
		app := asking(ctx, ns, "web", labels{"VIP_0": "/mine:80"})
		v := settles(ctx, ns, "mine", isServed)
		s := service(ctx, v)
		Expect(s.Spec.SessionAffinity).To(Equal(corev1.ServiceAffinityClientIP))
		Expect(*s.Spec.SessionAffinityConfig.ClientIP.TimeoutSeconds).To(Equal(int32(60)))
		var all v1alpha1.VirtualIPList
		Expect(k8s.List(ctx, &all, client.InNamespace(ns))).To(Succeed())
		Expect(all.Items).To(HaveLen(1))
		address := v.Status.Addresses
		Expect(k8s.Delete(ctx, app)).To(Succeed())
		settles(ctx, ns, "mine", func(g Gomega, v *v1alpha1.VirtualIP) {
			g.Expect(v.Status.Apps).To(BeEmpty())
			g.Expect(v.Status.Addresses).To(Equal(address), "the address stays")
		})

		By("one that chooses pods itself, in the place of one we made")
		asking(ctx, ns, "late", labels{"VIP_0": "/late:80"})
		settles(ctx, ns, "late.marathon", isServed)
		target := intstr.FromString("http")
		chosen := &v1alpha1.VirtualIP{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chosen"},
			Spec: v1alpha1.VirtualIPSpec{
				Name: "/late", Selector: labels{"a": "b"}, Ports: []v1alpha1.VirtualIPPort{{Port: 5353, Protocol: v1alpha1.TransportUDP, TargetPort: &target}},
			},
		}
		Expect(k8s.Create(ctx, chosen)).To(Succeed())
		isGone(ctx, ns, "late.marathon")
		v = settles(ctx, ns, "chosen", isServed)
		s = service(ctx, v)
		Expect(s.Spec.Selector).To(Equal(map[string]string{"a": "b"}))
		Expect(s.Spec.Ports).To(HaveLen(1))
		Expect(s.Spec.Ports[0].TargetPort).To(Equal(target))
	})

	It("that a quota refuses are told of by the App", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "q"}}
		quota.Spec.Hard = corev1.ResourceList{"count/virtualips.kdcos.io": resource.MustParse("0")}
		Expect(k8s.Create(ctx, quota)).To(Succeed())
		quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard // nobody counts here
		Expect(k8s.Status().Update(ctx, quota)).To(Succeed())
		// The API server looks at quotas by a cache of its own.
		Eventually(func() error {
			return k8s.Create(ctx, &v1alpha1.VirtualIP{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "v"}, Spec: v1alpha1.VirtualIPSpec{Name: "v"}}, client.DryRunAll)
		}).WithTimeout(soon).Should(MatchError(apierrors.IsForbidden, "forbidden"))
		asking(ctx, ns, "web", labels{"VIP_0": "/quota:80"})
		Eventually(func() []string {
			var events eventsv1.EventList
			Expect(k8s.List(ctx, &events, client.InNamespace(ns))).To(Succeed())
			var notes []string
			for _, e := range events.Items {
				notes = append(notes, e.Regarding.Name+" "+e.Reason+" "+e.Note)
			}
			return notes
		}).WithTimeout(soon).Should(ContainElement(And(HavePrefix("web Refused create VirtualIP"), ContainSubstring("exceeded quota"))))
	})

	It("by hand need the permission at once", func(ctx SpecContext) {
		ns := newNamespace(ctx, "203.0.113.0/24")
		v := &v1alpha1.VirtualIP{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "v"}, Spec: v1alpha1.VirtualIPSpec{IP: "198.51.100.1"}}
		err := k8s.Create(ctx, v)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err.Error()).To(ContainSubstring("spec.ip: namespace " + ns + " may not use 198.51.100.1"))
		v.Spec.IP = "203.0.113.9"
		Expect(k8s.Create(ctx, v)).To(Succeed())

		By("whatever it says of who made it")
		disguised := &v1alpha1.VirtualIP{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "disguised", Labels: map[string]string{"app.kubernetes.io/managed-by": "kdcos"}},
			Spec:       v1alpha1.VirtualIPSpec{IP: "198.51.100.1"},
		}
		asking(ctx, ns, "web", labels{"VIP_0": "198.51.100.1:80"})
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, disguised))).To(Succeed())
		Eventually(func(g Gomega) {
			var all v1alpha1.VirtualIPList
			g.Expect(k8s.List(ctx, &all, client.InNamespace(ns))).To(Succeed())
			for _, one := range all.Items {
				if one.Spec.IP == "198.51.100.1" {
					isStalled(v1alpha1.ReasonAddressNotAllowed, "may not use 198.51.100.1")(g, &one)
				}
			}
		}).WithTimeout(soon).Should(Succeed())
	})

	DescribeTable("are judged by the annotation as the manager does",
		func(ctx SpecContext, networks, ip string, allowed bool) {
			v := &v1alpha1.VirtualIP{ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx, networks), Name: "v"}, Spec: v1alpha1.VirtualIPSpec{IP: ip}}
			err := k8s.Create(ctx, v, client.DryRunAll)
			if allowed {
				Expect(err).NotTo(HaveOccurred())
			} else {
				Expect(err).To(MatchError(apierrors.IsForbidden, "forbidden"))
			}
		},
		Entry("none", "", "203.0.113.9", false),
		Entry("with blanks", " 198.51.100.0/24 , 203.0.113.0/24,", "203.0.113.9", true),
		Entry("of the other family", "203.0.113.0/24", "2001:db8::7", false),
		Entry("of IPv6", "2001:db8::/32", "2001:db8::7", true),
		Entry("that is none", "203.0.113.9,nonsense", "203.0.113.9", false),
	)

	It("that the cluster can't serve say so, and the App does", func(ctx SpecContext) {
		ns := newNamespace(ctx, "2001:db8::/32")
		app := asking(ctx, ns, "web", labels{"VIP_0": "[2001:db8::7]:80"})
		settles(ctx, ns, "ip-2001-0db8-0000-0000-0000-0000-0000-0007", func(g Gomega, v *v1alpha1.VirtualIP) {
			ready := meta.FindStatusCondition(v.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonRefused), ready.Message)
		})
		appSays(ctx, app, v1alpha1.ReasonRefused, "spec.container.portMappings[0].labels[VIP_0]: ")
	})
})

var _ = Describe("Apps that can't be found by all their names", func() {
	It("say so, and run", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		app := asking(ctx, ns, "bad", labels{"VIP_0": "/bad", "VIP_1": "/good:80"})
		appSays(ctx, app, v1alpha1.ReasonInvalidVIP, `spec.container.portMappings[0].labels[VIP_0]: "/bad" has no port`)
		settles(ctx, ns, "good.marathon", isServed)
		taskOf(ctx, app)
	})

	It("share a DNS label, until one of them is gone", func(ctx SpecContext) {
		ns := newNamespace(ctx, "")
		one := asking(ctx, ns, "x.y", labels{})
		Consistently(func() *metav1.Condition { return condition(ctx, one) }).WithTimeout(time.Second).Should(BeNil())
		two := asking(ctx, ns, "y-x", labels{})
		appSays(ctx, one, v1alpha1.ReasonNameShared, "stands for the tasks of /"+ns+"/y-x as well")
		appSays(ctx, two, v1alpha1.ReasonNameShared, "stands for the tasks of /"+ns+"/x/y as well")
		Expect(k8s.Delete(ctx, two)).To(Succeed())
		Eventually(func() *metav1.Condition { return condition(ctx, one) }).WithTimeout(soon).Should(BeNil())
		long := asking(ctx, ns, "a123456789-123456789-123456789-123456789-123456789-123456789-1", labels{})
		appSays(ctx, long, v1alpha1.ReasonNameTooLong, "is cut to a123456789")
	})
})

// taskOf is the pod of an App of one instance.
func taskOf(ctx SpecContext, app *v1alpha1.App) string {
	GinkgoHelper()
	name := ""
	Eventually(func(g Gomega) {
		var pods corev1.PodList
		g.Expect(k8s.List(ctx, &pods, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.AppLabel: app.Name})).To(Succeed())
		g.Expect(slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })).NotTo(BeEmpty())
		name = pods.Items[len(pods.Items)-1].Name
	}).WithTimeout(soon).WithPolling(20 * time.Millisecond).Should(Succeed())
	return name
}
