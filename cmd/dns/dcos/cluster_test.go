// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/reload"
	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

func init() {
	dnsserver.Directives = append([]string{Name}, dnsserver.Directives...)
	dnsserver.Quiet = true
}

// cluster is an API server, and one who may only do what the chart lets the DNS
// server do.
type cluster struct {
	t *testing.T
	client.Client
	env        *envtest.Environment
	road       *road
	kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run make test-unit, which builds an API server and sets it")
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, rbacv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster{t: t, env: &envtest.Environment{CRDDirectoryPaths: []string{"../../../config/crd"}, ErrorIfCRDPathMissing: true}}
	admin, err := c.env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.env.Stop() })
	if c.Client, err = client.New(admin, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	user, err := c.env.AddUser(envtest.User{Name: "dns"}, &rest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.road = newRoad(t, strings.TrimSuffix(strings.TrimPrefix(admin.Host, "https://"), "/"))
	raw, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.kubeconfig = t.TempDir() + "/kubeconfig"
	raw = []byte(strings.ReplaceAll(string(raw), c.road.to, c.road.from))
	if err := os.WriteFile(c.kubeconfig, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c.grant()
	return c
}

func (c *cluster) grant() {
	c.t.Helper()
	raw, err := os.ReadFile("../../../config/rbac/dns_role.yaml")
	if err != nil {
		c.t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "dns"}}
	if err := yaml.UnmarshalStrict(raw, role); err != nil {
		c.t.Fatal(err)
	}
	service := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "dns"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"services"}, ResourceNames: []string{"gateway"}, Verbs: []string{"list", "watch"},
	}}}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "dns"}}
	c.create(role, service,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "dns"}, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "dns"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "dns"}, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "dns"}})
}

func (c *cluster) create(objects ...client.Object) {
	c.t.Helper()
	for _, o := range objects {
		if err := c.Create(context.Background(), o); err != nil {
			c.t.Fatalf("create %T %s: %v", o, o.GetName(), err)
		}
	}
}

// run makes a pod of /shop/web, and has it run.
func (c *cluster) run(name, ip string) *corev1.Pod {
	c.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Labels: map[string]string{v1alpha1.AppLabel: "web"},
			Annotations:     map[string]string{v1alpha1.DiscoveryAnnotation: `{"name":"web.shop","framework":"marathon","taskId":"shop_web.instance-%s._app.1","ports":[{"name":"http","number":80,"protocol":"tcp"}]}`},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "kdcos.io/v1alpha1", Kind: "App", Name: "web", UID: types.UID("u"), Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "app", Image: "web"}}},
	}
	c.create(pod)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, HostIP: "10.0.0.1", HostIPs: []corev1.HostIP{{IP: "10.0.0.1"}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}},
	}
	if err := c.Status().Update(context.Background(), pod); err != nil {
		c.t.Fatal(err)
	}
	return pod
}

// start starts CoreDNS with the plugin.
func (c *cluster) start(more string) (instance *caddy.Instance, server, mesosDNS, net string) {
	c.t.Helper()
	server, mesosDNS, net = free(c.t), free(c.t), free(c.t)
	_, port, _ := strings.Cut(server, ":")
	corefile := fmt.Sprintf(".:%s {\n dcos {\n kubeconfig %s\n gateway default/gateway\n mesos-dns %s\n net %s\n %s\n }\n}\n", port, c.kubeconfig, mesosDNS, net, more)
	instance, err := caddy.Start(caddy.CaddyfileInput{ServerTypeName: "dns", Filepath: "Corefile", Contents: []byte(corefile)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		instance.ShutdownCallbacks()
		_ = instance.Stop()
	})
	return instance, server, mesosDNS, net
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody is connected
	return l.Addr().String()
}

// eventually waits until a question has so many answers.
func eventually(t *testing.T, server, name string, qtype uint16, count int) []dns.RR {
	t.Helper()
	var m *dns.Msg
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		m, err = dns.Exchange(new(dns.Msg).SetQuestion(name, qtype), server)
		if err == nil && m.Rcode != dns.RcodeServerFailure && len(m.Answer) == count {
			return m.Answer
		}
	}
	t.Fatalf("%s %s never has %d answers: %v, %v", name, dns.TypeToString[qtype], count, m, err)
	return nil
}

func get(t *testing.T, url string, into any) (status int, header http.Header) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s: %v\n%s", url, err, raw)
		}
	}
	return response.StatusCode, response.Header
}

// TestCluster runs the server against an API server, with the rights that the
// chart gives it, and then takes the API server away.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}}})
	c.run("web-0", "9.0.0.1")
	_, server, mesosDNS, dcosNet := c.start("")

	eventually(t, server, "web-shop.marathon.mesos.", dns.TypeA, 1)
	t.Run("follows tasks", func(t *testing.T) {
		second := c.run("web-1", "9.0.0.2")
		eventually(t, server, "web.shop.marathon.mesos.", dns.TypeA, 2)
		eventually(t, server, "_http._web-shop._tcp.marathon.mesos.", dns.TypeSRV, 2)
		if err := c.Delete(context.Background(), second, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
		eventually(t, server, "web-shop.marathon.autoip.dcos.thisdcos.directory.", dns.TypeA, 1)
	})
	t.Run("follows nodes, services and virtual IPs", func(t *testing.T) {
		eventually(t, server, "slave.mesos.", dns.TypeA, 1)
		gateway := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "gateway"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		c.create(gateway)
		eventually(t, server, "leader.mesos.", dns.TypeA, 1)
		vip := &v1alpha1.VirtualIP{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: v1alpha1.VirtualIPSpec{Name: "/shop/web"}}
		c.create(vip)
		vip.Status = v1alpha1.VirtualIPStatus{DNSName: "shopweb.marathon.l4lb.thisdcos.directory", Addresses: []string{"10.1.0.9"}, Service: "vip-web"}
		if err := c.Status().Update(context.Background(), vip); err != nil {
			t.Fatal(err)
		}
		eventually(t, server, "shopweb.marathon.dclb.thisdcos.directory.", dns.TypeA, 1)
		c.create(&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "vip-web-1", Labels: map[string]string{v1alpha1.VirtualIPLabel: "web", discoveryv1.LabelServiceName: "vip-web"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("tcp-80"), Port: ptr.To(int32(8080)), Protocol: ptr.To(corev1.ProtocolTCP)}},
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"9.0.0.1"}}, {Addresses: []string{"9.0.0.9"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}}},
		})
	})
	t.Run("Mesos-DNS' API", func(t *testing.T) { checkMesosDNS(t, "http://"+mesosDNS) })
	t.Run("dcos-net's API", func(t *testing.T) { checkNet(t, "http://"+dcosNet) })
	t.Run("the API server is away", func(t *testing.T) {
		c.road.block()
		c.run("web-2", "9.0.0.3")
		for range 30 {
			eventually(t, server, "web-shop.marathon.mesos.", dns.TypeA, 1)
			eventually(t, server, "shopweb.marathon.l4lb.thisdcos.directory.", dns.TypeA, 1)
			time.Sleep(50 * time.Millisecond)
		}
		c.road.open(t)
		eventually(t, server, "web-shop.marathon.mesos.", dns.TypeA, 2)
	})
}

// road is the way to the API server, which can be blocked.
type road struct {
	from, to string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

func newRoad(t *testing.T, to string) *road {
	r := &road{from: free(t), to: to}
	r.open(t)
	t.Cleanup(r.block)
	return r
}

func (r *road) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", r.from)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.conns = listener, map[net.Conn]bool{}
	r.mu.Unlock()
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = here.Close()
				continue
			}
			r.mu.Lock()
			r.conns[here], r.conns[there] = true, true
			r.mu.Unlock()
			for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
}

// block cuts all connections, and lets no new ones through.
func (r *road) block() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for c := range r.conns {
		_ = c.Close()
	}
}

func checkMesosDNS(t *testing.T, url string) {
	t.Helper()
	var hosts []map[string]string
	get(t, url+"/v1/hosts/WEB-shop.marathon.mesos", &hosts)
	if len(hosts) != 1 || hosts[0]["host"] != "web-shop.marathon.mesos." || hosts[0]["ip"] != "9.0.0.1" {
		t.Errorf("hosts %v", hosts)
	}
	var services []map[string]string
	get(t, url+"/v1/services/_web.shop._tcp.marathon.mesos.", &services)
	if len(services) != 1 || services[0]["service"] != "_web.shop._tcp.marathon.mesos." || services[0]["ip"] != "9.0.0.1" || services[0]["port"] != "80" || !strings.HasPrefix(services[0]["host"], "web.shop-") {
		t.Errorf("services %v", services)
	}
	// What is not there is one record of nothing.
	get(t, url+"/v1/hosts/nothing.mesos", &hosts)
	get(t, url+"/v1/services/_nothing._tcp.mesos", &services)
	if fmt.Sprint(hosts, services) != "[map[host: ip:]] [map[host: ip: port: service:]]" {
		t.Errorf("nothing is %v, %v", hosts, services)
	}
	if status, _ := get(t, url+"/v1/hosts/x/ports", nil); status != http.StatusNotImplemented {
		t.Errorf("ports: %d", status)
	}
	var version map[string]string
	if get(t, url+"/v1/version", &version); version["Service"] != "Mesos-DNS" || version["Version"] == "" || version["URL"] == "" {
		t.Errorf("version %v", version)
	}
	var all enumerated
	get(t, url+"/v1/enumerate", &all)
	if len(all.Frameworks) != 1 || all.Frameworks[0].Name != "marathon" || all.Frameworks[0].Tasks[0].Name != "web.shop" || len(all.Frameworks[0].Tasks[0].Records) < 10 {
		t.Errorf("enumerate %+v", all)
	}
	var zone transfer
	get(t, url+"/v1/axfr", &zone)
	if zone.Domain != "mesos" || zone.Serial == 0 || len(zone.Records.As["leader.mesos."]) != 1 || len(zone.Records.SRVs["_web-shop._tcp.marathon.mesos."]) != 1 || !strings.HasSuffix(zone.Records.SRVs["_web-shop._tcp.marathon.mesos."][0], ".:80") {
		t.Errorf("axfr %+v", zone)
	}
	for name := range zone.Records.As {
		if !strings.HasSuffix(name, ".mesos.") {
			t.Errorf("axfr has %s", name)
		}
	}
}

func checkNet(t *testing.T, url string) {
	t.Helper()
	var hosts, nodes, records []map[string]any
	get(t, url+"/v1/hosts/web-shop.marathon.containerip.dcos.thisdcos.directory", &hosts)
	if fmt.Sprint(hosts) != "[map[host:web-shop.marathon.containerip.dcos.thisdcos.directory ip:9.0.0.1]]" {
		t.Errorf("hosts %v", hosts)
	}
	var services []map[string]any
	get(t, url+"/v1/services/_web-shop._tcp.marathon.mesos.thisdcos.directory", &services)
	if len(services) != 1 || services[0]["port"] != 80.0 || services[0]["ip"] != "9.0.0.1" || !strings.HasSuffix(fmt.Sprint(services[0]["host"]), ".mesos.thisdcos.directory") {
		t.Errorf("services %v", services)
	}
	get(t, url+"/v1/hosts/nothing.mesos", &hosts)
	if len(hosts) != 0 {
		t.Errorf("nothing is %v", hosts)
	}
	get(t, url+"/v1/nodes?force=1", &nodes)
	if len(nodes) != 1 || nodes[0]["private_ip"] != "10.0.0.1" || nodes[0]["hostname"] != "n1" {
		t.Errorf("nodes %v", nodes)
	}
	get(t, url+"/v1/records", &records)
	seen := map[string]bool{}
	for _, r := range records {
		seen[fmt.Sprint(r["name"], " ", r["rtype"])] = true
	}
	for _, want := range []string{"web-shop.marathon.mesos A", "_web-shop._tcp.marathon.mesos SRV", "shopweb.marathon.l4lb.thisdcos.directory A"} {
		if !seen[want] {
			t.Errorf("records lack %s", want)
		}
	}
	var key map[string]string
	if get(t, url+"/lashup/key", &key); len(key) != 1 || len(key["zbase32_public_key"]) != 52 {
		t.Errorf("key %v", key)
	}
	for _, path := range []string{"/v1/config", "/v1/enumerate"} {
		if status, _ := get(t, url+path, nil); status != http.StatusNotImplemented {
			t.Errorf("%s: %d", path, status)
		}
	}
	var all []netVIP
	var tag string
	for end := time.Now().Add(10 * time.Second); len(all) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, header := get(t, url+"/v1/vips", &all)
		tag = header.Get("ETag")
	}
	if fmt.Sprint(all) != "[{shopweb.marathon.l4lb.thisdcos.directory:80 tcp [{9.0.0.1 8080}]}]" {
		t.Errorf("vips %v", all)
	}
	request, err := http.NewRequest(http.MethodGet, url+"/v1/vips", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("If-None-Match", tag)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // there is none
	if tag == "" || response.StatusCode != http.StatusNotModified {
		t.Errorf("vips with the tag %s: %s", tag, response.Status)
	}
}

// TestOptions holds what a Corefile may say.
func TestOptions(t *testing.T) {
	for text, want := range map[string]string{
		"dcos":                                "",
		"dcos {\n ttl 60\n negative-ttl 5\n}": "",
		"dcos {\n gateway a/b\n zookeeper c/d\n}": "",
		"dcos mesos":                  "takes no zones",
		"dcos {\n ttl\n}":             "ttl takes one value, not 0",
		"dcos {\n ttl x\n}":           "is not a number of seconds from 0 to 3600",
		"dcos {\n negative-ttl 60\n}": "is not a number of seconds from 1 to 5",
		"dcos {\n gateway b\n}":       "is not namespace/name of a Service",
		"dcos {\n cluster-id A.B\n}":  "is no DNS label in lower case",
		"dcos {\n other x\n}":         `unknown property "other", there are: kubeconfig`,
		"dcos\ndcos":                  "this plugin",
	} {
		_, err := parse(caddy.NewTestController("dns", text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
