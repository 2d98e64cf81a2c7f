// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/dnsnames"
	"github.com/kdcos/kdcos/internal/pathid"
)

// namespace holds all Apps and all Services.
const namespace = "bench"

// perApp is how many tasks an App has, and endpoints a Service.
const perApp = 3

// world is an API server with tasks, and with Services of the same size.
type world struct {
	client.Client
	env        *envtest.Environment
	dir        string
	kubeconfig string
	apps       int
}

func newWorld(ctx context.Context, tasks int) (*world, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	w := &world{env: &envtest.Environment{CRDDirectoryPaths: []string{"config/crd"}, ErrorIfCRDPathMissing: true}, apps: tasks / perApp}
	w.env.ControlPlane.GetAPIServer().Configure().Set("max-requests-inflight", "2000").Set("max-mutating-requests-inflight", "1000")
	config, err := w.env.Start()
	if err != nil {
		return nil, fmt.Errorf("start an API server: %w", err)
	}
	config.QPS = -1
	if w.dir, err = os.MkdirTemp("", "dnsbench"); err != nil {
		return nil, err
	}
	w.kubeconfig = filepath.Join(w.dir, "kubeconfig")
	if err := os.WriteFile(w.kubeconfig, w.env.KubeConfig, 0o600); err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	if w.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	if err := w.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return nil, err
	}
	began := time.Now()
	err = eachOf(w.apps, func(i int) error { return w.fill(ctx, i) })
	fmt.Printf("%d tasks and %d Services made in %s\n", tasks, w.apps, time.Since(began).Round(time.Second))
	return w, err
}

func (w *world) stop() {
	_ = w.env.Stop()
	_ = os.RemoveAll(w.dir)
}

// eachOf does something for each of so many, some at a time.
func eachOf(count int, do func(i int) error) error {
	var first error
	var once sync.Once
	var working sync.WaitGroup
	next := make(chan int)
	for range 24 {
		working.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range count {
		next <- i
	}
	close(next)
	working.Wait()
	return first
}

func address(i int) string {
	return netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}).String() //nolint:gosec // bytes of a number
}

// fill makes an App's tasks, and a Service.
func (w *world) fill(ctx context.Context, app int) error {
	name := fmt.Sprintf("app-%d", app)
	var endpoints []discoveryv1.Endpoint
	for i := range perApp {
		pod := task(app, i)
		if err := w.Create(ctx, pod); err != nil {
			return err
		}
		runs(pod, address(app*perApp+i))
		if err := w.Status().Update(ctx, pod); err != nil {
			return err
		}
		endpoints = append(endpoints, discoveryv1.Endpoint{Addresses: []string{pod.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}})
	}
	if err := w.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}); err != nil {
		return err
	}
	return w.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints,
		Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80), Protocol: ptr.To(corev1.ProtocolTCP)}},
	})
}

func task(app, i int) *corev1.Pod {
	name := fmt.Sprintf("app-%d", app)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: fmt.Sprintf("%s-%d", name, i), Labels: map[string]string{v1alpha1.AppLabel: name},
			Annotations:     map[string]string{v1alpha1.DiscoveryAnnotation: fmt.Sprintf(`{"name":"%s.%s","framework":"marathon","taskId":"%s_%s.instance-%%s._app.1","ports":[{"name":"http","number":80,"protocol":"tcp"}]}`, name, namespace, namespace, name)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Name: name, UID: "app", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{NodeName: fmt.Sprintf("node-%d", i), Containers: []corev1.Container{{Name: v1alpha1.TaskContainer, Image: "web"}}},
	}
}

func runs(pod *corev1.Pod, ip string) {
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, HostIP: "10.0.0.1", HostIPs: []corev1.HostIP{{IP: "10.0.0.1"}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: v1alpha1.TaskContainer, Image: "web", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}},
	}
}

// churn changes the addresses of so many tasks a second. Of every tenth it
// tells how long the DNS server took to answer with the new one.
func (w *world) churn(ctx context.Context, server string, perSecond int, long time.Duration) ([]time.Duration, error) {
	var pods corev1.PodList
	if err := w.List(ctx, &pods, client.InNamespace(namespace), client.Limit(5000)); err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("no tasks to change")
	}
	count := min(len(pods.Items), int(long.Seconds())*perSecond)
	if err := eachOf(count, func(i int) error { return w.forgetManagers(ctx, &pods.Items[i]) }); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var delays []time.Duration
	var failed error
	var changing sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range count {
		<-tick.C
		changing.Go(func() {
			pod, ip := &pods.Items[i], address(1<<22+i)
			runs(pod, ip)
			err := w.Status().Update(ctx, pod)
			if err == nil && i%10 != 0 {
				return
			}
			var delay time.Duration
			if err == nil {
				delay, err = until(server, pod, ip)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			delays = append(delays, delay)
		})
	}
	changing.Wait()
	return delays, failed
}

// forgetManagers has the API server forget who set which field of a pod, and
// keep no account of it from there on: half of what a change costs it is that,
// on the two cores that it shares with what is measured.
func (w *world) forgetManagers(ctx context.Context, pod *corev1.Pod) error {
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	return w.Update(ctx, pod)
}

// until waits until the task's own name has the address.
func until(server string, pod *corev1.Pod, ip string) (time.Duration, error) {
	began := time.Now()
	tasks, err := dnsnames.Tasks(pod, pathid.Mapping{})
	if err != nil || len(tasks) != 1 {
		return 0, fmt.Errorf("pod %s has %d tasks: %w", pod.Name, len(tasks), err)
	}
	all := tasks[0].Records()
	own := all[slices.IndexFunc(all, func(r dnsnames.Record) bool { return r.Addr.IsValid() && len(r.Name) > len(all[0].Name) })]
	asker := new(dns.Client)
	connection, err := asker.Dial(server)
	if err != nil {
		return 0, err
	}
	defer func() { _ = connection.Close() }()
	// Asked less often the longer it takes, else who waits is what takes the time.
	for pause := 2 * time.Millisecond; time.Since(began) < 10*time.Second; pause = min(pause*5/4, 20*time.Millisecond) {
		answer, _, err := asker.ExchangeWithConn(new(dns.Msg).SetQuestion(own.Name+".", dns.TypeA), connection)
		if err == nil && len(answer.Answer) == 1 && answer.Answer[0].(*dns.A).A.String() == ip {
			return time.Since(began), nil
		}
		time.Sleep(pause)
	}
	return 0, fmt.Errorf("%s never has the address %s", own.Name, ip)
}
