// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsnames

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

const tcp, udp = v1alpha1.TransportTCP, v1alpha1.TransportUDP

func ips(all ...string) []netip.Addr { return addresses(all) }

// text writes the records of a store as lines, without the two spellings of a
// name that are the same.
func text(all []Record) map[string][]string {
	out := map[string][]string{}
	for _, r := range all {
		v := r.Addr.String()
		if r.Target != "" {
			v = fmt.Sprintf("%s:%d", r.Target, r.Port)
		}
		out[r.Name] = append(out[r.Name], v)
	}
	for name, values := range out {
		slices.Sort(values)
		out[name] = slices.Compact(values)
	}
	return out
}

// TestWorkedExample is /shop/web with three instances and two named ports on
// the host network, every name of it.
func TestWorkedExample(t *testing.T) {
	var all []Record
	var canonicals []string
	for i, agent := range []string{"s0", "s1", "s12"} {
		task := Task{
			Name: "web.shop", Framework: "marathon", Discovered: true, Agent: agent,
			ID:  fmt.Sprintf("shop_web.instance-%d._app.1", i),
			IPs: ips(fmt.Sprintf("10.0.0.%d", i+1)), NodeIPs: ips(fmt.Sprintf("10.0.0.%d", i+1)),
		}
		for p, name := range []string{"http", "admin"} {
			port := int32(31000 + 10*i + p)
			task.Ports = append(task.Ports, v1alpha1.DiscoveryPort{Name: name, Number: port, HostPort: port, Protocol: tcp})
		}
		canonicals = append(canonicals, hash(task.ID)+"-"+agent)
		all = append(all, task.Records()...)
	}
	nodes := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}
	want := map[string][]string{
		"web-shop.marathon.agentip.dcos.thisdcos.directory":     nodes,
		"web-shop.marathon.autoip.dcos.thisdcos.directory":      nodes,
		"web-shop.marathon.containerip.dcos.thisdcos.directory": nodes,
	}
	for _, n := range []string{"web-shop", "web.shop"} {
		want[n+".marathon.mesos"], want[n+".marathon.slave.mesos"] = nodes, nodes
		for i, c := range canonicals {
			own := n + "-" + c + ".marathon"
			want[own+".mesos"], want[own+".slave.mesos"] = nodes[i:i+1], nodes[i:i+1]
			for p, port := range []string{"http", "admin"} {
				number := fmt.Sprint(31000 + 10*i + p)
				for _, name := range []string{"_" + n + "._tcp.marathon.mesos", "_" + port + "._" + n + "._tcp.marathon.mesos"} {
					want[name] = append(want[name], own+".mesos:"+number)
				}
				for _, transport := range []string{"_tcp", "_udp"} {
					name := "_" + n + "." + transport + ".marathon.slave.mesos"
					want[name] = append(want[name], own+".slave.mesos:"+number)
				}
			}
		}
	}
	for _, values := range want {
		slices.Sort(values)
	}
	if diff := cmp.Diff(want, text(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAddresses holds which addresses and ports a task is found at.
func TestAddresses(t *testing.T) {
	const c = "x-aaaaa-s1" // stands for the canonical name
	for name, tt := range map[string]struct {
		ports []v1alpha1.DiscoveryPort
		want  map[string]string
	}{
		"no ports": {nil, map[string]string{"x.marathon.mesos": "9.0.0.1,fd00::1", "x.marathon.autoip.dcos.thisdcos.directory": "9.0.0.1,fd00::1"}},
		"container": {
			[]v1alpha1.DiscoveryPort{{Number: 80, Protocol: tcp}},
			map[string]string{
				"x.marathon.mesos":                                  "9.0.0.1,fd00::1",
				"x.marathon.slave.mesos":                            "10.0.0.1",
				"_x._tcp.marathon.mesos":                            c + ".marathon.mesos:80",
				"_x._tcp.marathon.slave.mesos":                      "",
				"x.marathon.autoip.dcos.thisdcos.directory":         "9.0.0.1,fd00::1",
				"x.marathon.agentip.dcos.thisdcos.directory":        "10.0.0.1",
				"x.marathon.containerip.dcos.thisdcos.directory":    "9.0.0.1,fd00::1",
				c + ".marathon.containerip.dcos.thisdcos.directory": "",
			},
		},
		"host port": {
			[]v1alpha1.DiscoveryPort{{Name: "Web_UI", Number: 80, HostPort: 8080, Protocol: tcp}, {Name: "Web_UI", Number: 80, HostPort: 8080, Protocol: udp}},
			map[string]string{
				"x.marathon.mesos":                               "10.0.0.1",
				"_x._tcp.marathon.mesos":                         c + ".marathon.mesos:8080",
				"_web-ui._x._tcp.marathon.mesos":                 c + ".marathon.mesos:8080",
				"_web-ui._x._udp.marathon.mesos":                 c + ".marathon.mesos:8080",
				"_x._tcp.marathon.slave.mesos":                   c + ".marathon.slave.mesos:8080",
				"_x._udp.marathon.slave.mesos":                   c + ".marathon.slave.mesos:8080",
				"x.marathon.autoip.dcos.thisdcos.directory":      "10.0.0.1",
				"x.marathon.containerip.dcos.thisdcos.directory": "9.0.0.1,fd00::1",
			},
		},
		"a host port and none": {
			[]v1alpha1.DiscoveryPort{{Number: 80, HostPort: 8080, Protocol: tcp}, {Number: 9090, Protocol: tcp}},
			map[string]string{
				"x.marathon.mesos":                                  "10.0.0.1",
				"_x._tcp.marathon.mesos":                            c + ".marathon.containerip.dcos.thisdcos.directory:9090," + c + ".marathon.mesos:8080",
				c + ".marathon.containerip.dcos.thisdcos.directory": "9.0.0.1,fd00::1",
				"x.marathon.autoip.dcos.thisdcos.directory":         "10.0.0.1",
			},
		},
		"any protocol": {
			[]v1alpha1.DiscoveryPort{{Number: 80}},
			map[string]string{"_x._tcp.marathon.mesos": c + ".marathon.mesos:80", "_x._udp.marathon.mesos": c + ".marathon.mesos:80"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			task := Task{Name: "x", Framework: "marathon", ID: "id", Agent: "s1", Discovered: true, Ports: tt.ports, IPs: ips("9.0.0.1", "fd00::1"), NodeIPs: ips("10.0.0.1")}
			got := map[string]string{}
			for name, values := range text(task.Records()) {
				got[strings.ReplaceAll(name, hash("id"), "aaaaa")] = strings.ReplaceAll(strings.Join(values, ","), hash("id"), "aaaaa")
			}
			for name, want := range tt.want {
				if got[name] != want {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

// TestNoDiscovery is a task of a framework that tells nothing of it.
func TestNoDiscovery(t *testing.T) {
	task := Task{
		Name: "No_Disc.App", Framework: "/dev/chronos.prod", ID: "id", Agent: "s7", IPs: ips("9.0.0.1"), NodeIPs: ips("10.0.0.1"),
		Ports: []v1alpha1.DiscoveryPort{{Number: 31000, HostPort: 31000}},
	}
	own := "no-disc-app-" + hash("id") + "-s7.devchronos.prod"
	want := map[string][]string{}
	for name, value := range map[string]string{
		"no-disc-app.devchronos.prod.mesos":             "10.0.0.1",
		"no-disc-app.devchronos.prod.slave.mesos":       "10.0.0.1",
		"_no-disc-app._tcp.devchronos.prod.mesos":       own + ".slave.mesos:31000",
		"_no-disc-app._udp.devchronos.prod.mesos":       own + ".slave.mesos:31000",
		"_no-disc-app._tcp.devchronos.prod.slave.mesos": own + ".slave.mesos:31000",
		"_no-disc-app._udp.devchronos.prod.slave.mesos": own + ".slave.mesos:31000",

		// dcos-net's labels have no dots.
		"no-disc-app.devchronos-prod.agentip.dcos.thisdcos.directory":     "10.0.0.1",
		"no-disc-app.devchronos-prod.autoip.dcos.thisdcos.directory":      "10.0.0.1",
		"no-disc-app.devchronos-prod.containerip.dcos.thisdcos.directory": "9.0.0.1",
	} {
		want[name] = []string{value}
	}
	want[own+".mesos"], want[own+".slave.mesos"] = []string{"10.0.0.1"}, []string{"10.0.0.1"}
	if diff := cmp.Diff(want, text(task.Records())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReachable holds for tasks by chance that every service leads to an
// address that has its port, and that every name can be asked for.
func TestReachable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		task := Task{Name: randomName(rnd), Framework: "marathon", ID: fmt.Sprint(rnd.Uint64()), Agent: Agent(fmt.Sprint(rnd.Uint64())), Discovered: true, IPs: ips("9.0.0.1"), NodeIPs: ips("10.0.0.1")}
		open := map[string]bool{}
		host := rnd.IntN(3)
		for range rnd.IntN(5) {
			p := v1alpha1.DiscoveryPort{Name: randomName(rnd), Number: int32(1 + rnd.IntN(65535)), Protocol: tcp}
			open[fmt.Sprintf("9.0.0.1:%d", p.Number)] = true
			if host == 1 || host == 2 && rnd.IntN(2) == 0 {
				p.HostPort = int32(1 + rnd.IntN(65535))
				open[fmt.Sprintf("10.0.0.1:%d", p.HostPort)] = true
			}
			task.Ports = append(task.Ports, p)
		}
		all := text(task.Records())
		for name, values := range all {
			if !legal(name) {
				t.Fatalf("%q of %+v", name, task)
			}
			for _, v := range values {
				target, port, service := strings.Cut(v, ":")
				if !service {
					continue
				}
				if len(all[target]) == 0 {
					t.Fatalf("%s leads to %s, which has no address", name, v)
				}
				for _, address := range all[target] {
					if !open[address+":"+port] {
						t.Fatalf("%s leads to %s:%s, where nothing listens: %+v", name, address, port, task)
					}
				}
			}
		}
	}
}

func randomName(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(120) {
		b.WriteByte("abcdefghij0123456789-._Z"[rnd.IntN(24)])
	}
	return b.String()
}

func pod(change func(p *corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-1", UID: types.UID("u1"),
			Annotations:     map[string]string{v1alpha1.DiscoveryAnnotation: `{"name":"web.shop","framework":"marathon","taskId":"shop_web.instance-%s._app.1","ports":[{"number":80,"protocol":"tcp"}]}`},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "kdcos.io/v1alpha1", Kind: "App", Name: "web", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{NodeName: "n1"},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "9.0.0.1", PodIPs: []corev1.PodIP{{IP: "9.0.0.1"}, {IP: "fd00::1"}}, HostIP: "10.0.0.1",
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
				{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

// TestTasks holds which pods are running tasks, and which may not say so.
func TestTasks(t *testing.T) {
	annotate := func(from, to string) func(p *corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Annotations[v1alpha1.DiscoveryAnnotation] = strings.Replace(p.Annotations[v1alpha1.DiscoveryAnnotation], from, to, 1)
		}
	}
	for name, c := range map[string]struct {
		change func(p *corev1.Pod)
		count  int
		err    string
	}{
		"runs": {nil, 1, ""},
		"unready": {func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		}, 1, ""},
		"pending": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, 0, ""},
		"waiting": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
		}, 0, ""},
		"stopping":   {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, 0, ""},
		"no task":    {func(p *corev1.Pod) { p.Annotations = nil }, 0, ""},
		"no JSON":    {annotate("{", "["), 0, "annotation kdcos.io/discovery: invalid"},
		"no App":     {func(p *corev1.Pod) { p.OwnerReferences = nil }, 0, "does not control"},
		"other kind": {func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = "apps/v1" }, 0, "does not control"},
		"of another": {annotate("web.shop", "web.bank"), 0, `name: "web.bank" is not that of the App /shop/web, which is "web.shop"`},
		"framework":  {annotate(`"marathon"`, `"kafka"`), 0, `framework: "kafka" is not`},
		"namespace":  {func(p *corev1.Pod) { p.Namespace = "bank" }, 0, `which is "web.bank"`},
		"forged id": {func(p *corev1.Pod) {
			p.Namespace, p.Annotations[v1alpha1.IDAnnotation] = "bank", "/shop/web"
		}, 0, "belongs to the name"},
		"several containers": {annotate(`_app.1"`, `%c.1","containers":["app","sidecar","gone"]`), 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tasks, err := Tasks(pod(c.change), pathid.Mapping{})
			if len(tasks) != c.count || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%d tasks, error %v", len(tasks), err)
			}
		})
	}
	tasks, err := Tasks(pod(nil), pathid.Mapping{})
	if err != nil || tasks[0].ID != "shop_web.instance-u1._app.1" || len(tasks[0].IPs) != 2 || len(tasks[0].Ports) != 1 {
		t.Errorf("%+v, %v", tasks, err)
	}
}
