// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package stubdomains

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const (
	kubeadm = `.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf
    cache 30
    reload
}
`
	aks = `.:53 {
    errors
    kubernetes cluster.local
    forward . /etc/resolv.conf
    import custom/*.override
}
import custom/*.server
`
	nodeLocal = `cluster.local:53 {
    errors
    bind 169.254.20.10 10.0.0.10
    forward . 10.0.0.11 {
        force_tcp
    }
}
.:53 {
    errors
    bind 169.254.20.10 10.0.0.10
    forward . /etc/resolv.conf
}
`
)

func TestAdd(t *testing.T) {
	for _, c := range []struct {
		name, in string
		servers  []string
		want     string // the block, or what the error says
	}{
		{"kubeadm", kubeadm, []string{"10.0.0.53"}, "mesos:53 thisdcos.directory:53 thisdcos.global:53 dcos.directory:53 zk:53 spartan:53 {\n    errors\n    cache 5\n    forward . 10.0.0.53\n}\n"},
		{"two families", kubeadm, []string{"10.0.0.53", "fd00::53"}, "    forward . 10.0.0.53 fd00::53\n"},
		{"caches on nodes", nodeLocal, []string{"10.0.0.53"}, "    errors\n    bind 169.254.20.10 10.0.0.10\n    cache 5\n"},
		{"another port", strings.ReplaceAll(kubeadm, ".:53", ".:5353"), []string{"10.0.0.53"}, "mesos:5353 "},
		{"no newline at the end", strings.TrimSuffix(kubeadm, "\n"), []string{"10.0.0.53"}, "}\n" + begin + "\nmesos:53 "},
		{"a snippet", "(log) {\n  errors\n}\n.:53 {\n  import log\n  whoami\n}\n", []string{"10.0.0.53"}, "mesos:53 "},
		{"files that are elsewhere", ".:53 {\n  import /etc/coredns/extra\n  whoami\n}\n", []string{"10.0.0.53"}, "mesos:53 "},
		{"nothing", "", []string{"10.0.0.53"}, begin + "\nmesos:53 "},
		{"a zone of somebody else", kubeadm + "mesos {\n  forward . 192.0.2.1\n}\nZK.:53, other:53 {\n  whoami\n}\n", nil, "serves mesos, zk already"},
		{"a zone of somebody else at another port", kubeadm + "mesos:1053 {\n  forward . 192.0.2.1\n}\n", []string{"10.0.0.53"}, "mesos:53 "},
		{"a zone of somebody else by TLS", kubeadm + "tls://mesos {\n  forward . 192.0.2.1\n}\n", []string{"10.0.0.53"}, "mesos:53 "},
		{"no Corefile", ".:53 {", nil, "read the Corefile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Add(c.in, c.servers)
			if c.servers == nil {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got the error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.want) || !strings.HasPrefix(got, c.in) {
				t.Errorf("got:\n%s", got)
			}
			if again, err := Add(got, c.servers); err != nil || again != got {
				t.Errorf("a second time: %v, got:\n%s", err, again)
			}
			rest, had, err := Remove(got)
			if err != nil || !had || strings.TrimRight(rest, "\n") != strings.TrimRight(c.in, "\n") {
				t.Errorf("removed: %v, got:\n%s", err, rest)
			}
		})
	}
}

func TestWhatSomebodyChangedStays(t *testing.T) {
	ours, err := Add(kubeadm, []string{"10.0.0.53"})
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]string{
		"another server": strings.ReplaceAll(ours, "10.0.0.53", "192.0.2.1"),
		"no end":         strings.ReplaceAll(ours, end, "# "),
		"twice":          ours + ours[len(kubeadm):],
	} {
		if _, err := Add(changed, []string{"10.0.0.53"}); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: adding says %v", name, err)
		}
		if _, _, err := Remove(changed); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: removing says %v", name, err)
		}
	}
	// A new address of the Service is ours to change.
	moved, err := Add(ours, []string{"10.0.0.54"})
	if err != nil || strings.Count(moved, begin) != 1 || !strings.Contains(moved, "10.0.0.54") {
		t.Errorf("moved: %v, got:\n%s", err, moved)
	}
}

func FuzzAdd(f *testing.F) {
	for _, seed := range []string{kubeadm, aks, nodeLocal, "", ".:53 {", begin + "\n" + end, "a {\n import x\n}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, corefile string) {
		got, err := Add(corefile, []string{"10.0.0.53"})
		if err != nil {
			return
		}
		again, err := Add(got, []string{"10.0.0.53"})
		if err != nil || again != got {
			t.Errorf("a second time: %v, got:\n%s", err, again)
		}
	})
}

func configMaps(corefiles map[string]map[string]string) []runtime.Object {
	var all []runtime.Object
	for name, data := range corefiles {
		all = append(all, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: data})
	}
	return all
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		name string
		maps map[string]map[string]string
		want []string // ConfigMap and key of what changes
		err  string
	}{
		{"kubeadm", map[string]map[string]string{configMap: {corefileKey: kubeadm}}, []string{"coredns Corefile"}, ""},
		{"caches on nodes", map[string]map[string]string{configMap: {corefileKey: kubeadm}, nodeLocalDNS: {corefileKey: nodeLocal}}, []string{"coredns Corefile", "node-local-dns Corefile"}, ""},
		{"a file of our own", map[string]map[string]string{configMap: {corefileKey: aks}, custom: {"a.server": "x:53 {\n}\n"}}, []string{"coredns-custom kdcos.server"}, ""},
		{"a file of our own, nowhere", map[string]map[string]string{configMap: {corefileKey: aks}}, nil, "kubectl create configmap coredns-custom"},
		{"no CoreDNS", nil, nil, "not CoreDNS"},
		{"one of two refuses", map[string]map[string]string{configMap: {corefileKey: kubeadm}, nodeLocalDNS: {corefileKey: "mesos:53 {\n}\n"}}, nil, "node-local-dns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := fake.NewClientset(configMaps(c.maps)...)
			cluster := &Cluster{Client: set.CoreV1()}
			changes, err := cluster.Add(t.Context(), []string{"10.0.0.53"})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got the error %v, want %q", err, c.err)
				}
				for _, a := range set.Actions() {
					if a.GetVerb() != "get" {
						t.Errorf("%s %s although it failed", a.GetVerb(), a.GetResource())
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range changes {
				got = append(got, change.ConfigMap+" "+change.Key)
				if change.Was == change.Is {
					t.Errorf("%s did not change", change.ConfigMap)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := cluster.Remove(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, data := range c.maps {
				object, err := set.CoreV1().ConfigMaps(namespace).Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(data, object.Data); diff != "" {
					t.Errorf("%s after all (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func TestAConflictIsTold(t *testing.T) {
	set := fake.NewClientset(configMaps(map[string]map[string]string{configMap: {corefileKey: kubeadm}})...)
	set.PrependReactor("update", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, configMap, errors.New("changed meanwhile"))
	})
	_, err := (&Cluster{Client: set.CoreV1()}).Add(t.Context(), []string{"10.0.0.53"})
	if !apierrors.IsConflict(err) {
		t.Errorf("got %v", err)
	}
}

func TestServers(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "dns", Namespace: "a"}, Spec: corev1.ServiceSpec{
		ClusterIPs: []string{"10.0.0.53", "fd00::53"}, Ports: []corev1.ServicePort{{Port: 5353, Protocol: corev1.ProtocolUDP}, {Port: 80, Protocol: corev1.ProtocolTCP}},
	}}
	headless := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "headless", Namespace: "a"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{corev1.ClusterIPNone}}}
	c := &Cluster{Client: fake.NewClientset(service, headless).CoreV1()}
	got, err := c.Servers(t.Context(), "a", "dns")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"10.0.0.53:5353", "[fd00::53]:5353"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range []string{"headless", "missing"} {
		if _, err := c.Servers(t.Context(), "a", name); err == nil {
			t.Errorf("%s has servers", name)
		}
	}
}
