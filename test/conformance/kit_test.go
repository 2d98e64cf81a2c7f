// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit"
	"github.com/kdcos/kdcos/internal/workload"
)

// patience is how long anything may take when all behaviours start at once.
const patience = 3 * time.Minute

// watcher watches one behaviour being watched.
type watcher struct {
	*gomega.WithT
	*cluster
	t *testing.T
	// own are the definitions of the apps that go with the behaviour.
	own map[string]bool
}

func newWatch(t *testing.T, c *cluster) *watcher {
	w := &watcher{WithT: gomega.NewWithT(t), cluster: c, t: t, own: map[string]bool{}}
	w.SetDefaultEventuallyTimeout(patience)
	w.SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	return w
}

// base is what definitions of the suite have unless they say otherwise.
const base = `{"cpus": 0.01, "mem": 32, "container": {"docker": {"image": "kdcos/web:v1"}}, "networks": [{"mode": "container/bridge"}]}`

// definition is a Marathon definition, of members that are added to the base.
// A null takes one away.
func definition(members string) []byte {
	all := map[string]json.RawMessage{}
	for _, part := range []string{base, "{" + members + "}"} {
		if err := json.Unmarshal([]byte(part), &all); err != nil {
			panic(fmt.Sprintf("%s: %v", part, err))
		}
	}
	for name, value := range all {
		if string(value) == "null" {
			delete(all, name)
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return out
}

// read makes an App of a definition, as kubectl kdcos apply does.
func (c *cluster) read(members string) (*v1alpha1.App, error) {
	items, err := marathon.Decode(definition(members))
	if err != nil {
		return nil, err
	}
	return items[0].ToApp(marathon.Options{Base: "/" + c.namespace})
}

// app is an App on the cluster.
type app struct {
	w *watcher
	// name of the App.
	name string
}

// plain is an app that several behaviours look at, and leave as it is.
const plain = `"id": "plain"`

// start creates the app of a definition, which goes when the behaviour was
// watched. The same definition again is the same app.
func (w *watcher) start(members string) *app {
	w.t.Helper()
	object, err := w.read(members)
	w.Expect(err).NotTo(gomega.HaveOccurred(), members)
	create := func() error { return w.Create(context.WithoutCancel(w.t.Context()), object) }
	switch {
	case members == plain:
		once, _ := w.shared.LoadOrStore(members, sync.OnceValue(create))
		err = once.(func() error)()
	case !w.own[members]:
		w.own[members] = true
		err = create()
		w.t.Cleanup(func() {
			if err := w.Delete(context.Background(), object); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.Expect(err).NotTo(gomega.HaveOccurred(), members)
	a := &app{w: w, name: object.Name}
	w.Eventually(func() error { return w.seen.Get(w.t.Context(), a.key(), object) }).Should(gomega.Succeed())
	return a
}

// run starts an app and waits until all of it runs.
func (w *watcher) run(members string) *app {
	w.t.Helper()
	a := w.start(members)
	a.ready()
	return a
}

// task runs an app of one instance and looks at what its task sees.
func (w *watcher) task(members string) inspection {
	w.t.Helper()
	return w.run(members).inspect()
}

func (a *app) key() client.ObjectKey { return client.ObjectKey{Namespace: a.w.namespace, Name: a.name} }

func (a *app) get() *v1alpha1.App {
	a.w.t.Helper()
	object := &v1alpha1.App{}
	a.w.Expect(a.w.seen.Get(a.w.t.Context(), a.key(), object)).To(gomega.Succeed())
	return object
}

// put replaces the definition, as a PUT of the whole does.
func (a *app) put(members string) {
	a.w.t.Helper()
	wanted, err := a.w.read(members)
	a.w.Expect(err).NotTo(gomega.HaveOccurred(), members)
	a.w.Expect(wanted.Name).To(gomega.Equal(a.name))
	var generation int64
	a.w.Eventually(func() error {
		object := a.get()
		object.Spec = wanted.Spec
		err := a.w.Update(a.w.t.Context(), object)
		generation = object.Generation
		return err
	}).Should(gomega.Succeed())
	a.w.Eventually(func() int64 { return a.get().Generation }).Should(gomega.BeNumerically(">=", generation))
}

func (a *app) condition(kind string) metav1.Condition {
	a.w.t.Helper()
	object := a.get()
	if c := meta.FindStatusCondition(object.Status.Conditions, kind); c != nil && c.ObservedGeneration == object.Generation {
		return *c
	}
	return metav1.Condition{}
}

// ready waits until all is as the definition asks for.
func (a *app) ready() {
	a.w.t.Helper()
	a.w.Eventually(func() string {
		ready, reconciling := a.condition(v1alpha1.ConditionReady), a.condition(v1alpha1.ConditionReconciling)
		if ready.Status == metav1.ConditionTrue && reconciling.Type == "" {
			return ""
		}
		return a.name + " is not ready: " + ready.Message + reconciling.Message
	}).Should(gomega.BeEmpty())
	// What is seen of pods may come later than what is seen of the App.
	a.w.Eventually(func() bool {
		return !slices.ContainsFunc(a.pods(), func(p corev1.Pod) bool { return p.Status.PodIP == "" })
	}).Should(gomega.BeTrue())
}

// says waits until the App says something, with a reason and words, in one of
// its conditions.
func (a *app) says(reason string, words ...string) {
	a.w.t.Helper()
	a.w.Eventually(func() string {
		said := ""
		for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionReady} {
			c := a.condition(kind)
			missing := func(s string) bool { return !strings.Contains(c.Message, s) }
			if c.Reason == reason && !slices.ContainsFunc(words, missing) {
				return ""
			}
			said += fmt.Sprintf(" %s %q", c.Reason, c.Message)
		}
		return fmt.Sprintf("%s says%s, not %s %q", a.name, said, reason, words)
	}).Should(gomega.BeEmpty())
}

// pods are those there are, without those that were told to end.
func (a *app) pods() []corev1.Pod {
	a.w.t.Helper()
	var list corev1.PodList
	a.w.Expect(a.w.seen.List(a.w.t.Context(), &list, client.InNamespace(a.w.namespace), client.MatchingLabels(workload.Labels(a.get())))).To(gomega.Succeed())
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// pod is the only one there is.
func (a *app) pod() *corev1.Pod {
	a.w.t.Helper()
	var pods []corev1.Pod
	a.w.Eventually(func() string {
		if pods = a.pods(); len(pods) != 1 {
			return fmt.Sprintf("%s has %d pods", a.name, len(pods))
		}
		return ""
	}).Should(gomega.BeEmpty())
	return &pods[0]
}

// incarnations name the tasks as they are now: a pod and the number of its
// restarts.
func (a *app) incarnations() []string {
	a.w.t.Helper()
	var all []string
	for _, p := range a.pods() {
		all = append(all, incarnation(&p))
	}
	return all
}

func incarnation(p *corev1.Pod) string {
	if len(p.Status.ContainerStatuses) == 0 {
		return string(p.UID)
	}
	return fmt.Sprintf("%s.%d", p.UID, p.Status.ContainerStatuses[0].RestartCount)
}

// inspect asks the only task what it sees.
func (a *app) inspect() inspection {
	a.w.t.Helper()
	a.w.Eventually(func() string { return a.pod().Status.PodIP }).ShouldNot(gomega.BeEmpty())
	return a.w.inspectPod(a.pod())
}

func (w *watcher) inspectPod(p *corev1.Pod) inspection {
	w.t.Helper()
	return w.inspectAt(address(p))
}

func (w *watcher) inspectAt(address string) inspection {
	w.t.Helper()
	var seen inspection
	w.Eventually(func() error {
		code, body, err := fetch(w.t.Context(), http.MethodGet, "http://"+address+"/inspect")
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("%d %s %w", code, body, err)
		}
		return json.Unmarshal([]byte(body), &seen)
	}).WithTimeout(time.Minute).Should(gomega.Succeed())
	return seen
}

// tell posts to the only task.
func (a *app) tell(path string) {
	a.w.t.Helper()
	a.inspect() // so that it listens
	code, body, err := fetch(a.w.t.Context(), http.MethodPost, "http://"+address(a.pod())+path)
	a.w.Expect(err).NotTo(gomega.HaveOccurred())
	a.w.Expect(code).To(gomega.Equal(http.StatusOK), body)
}

// address is where the task of a pod serves its pages: port 80 of a network of
// its own, the first of its ports on that of the node.
func address(p *corev1.Pod) string {
	if p.Spec.HostNetwork {
		return fmt.Sprintf("%s:%d", p.Status.HostIP, p.Spec.Containers[0].Ports[0].HostPort)
	}
	return net.JoinHostPort(p.Status.PodIP, "80")
}

// browser opens a connection for each request.
var browser = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func fetch(ctx context.Context, method, url string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
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

// serves waits until a page is there.
func (w *watcher) serves(address string) {
	w.t.Helper()
	w.Eventually(func() (int, error) {
		code, _, err := fetch(w.t.Context(), http.MethodGet, "http://"+address+"/")
		return code, err
	}).WithTimeout(20 * time.Second).Should(gomega.Equal(http.StatusOK))
}

// echoes waits until a packet comes back.
func (w *watcher) echoes(address string) {
	w.t.Helper()
	w.Eventually(func() (string, error) {
		c, err := net.DialTimeout("udp", address, time.Second)
		if err != nil {
			return "", err
		}
		defer func() { _ = c.Close() }()
		if err := errors.Join(c.SetDeadline(time.Now().Add(time.Second)), second(c.Write([]byte("hello")))); err != nil {
			return "", err
		}
		answer := make([]byte, 100)
		n, err := c.Read(answer)
		return string(answer[:n]), err
	}).WithTimeout(20 * time.Second).Should(gomega.HaveSuffix("hello"))
}

func second(_ int, err error) error { return err }

// secret makes a Secret that stands for one of DC/OS.
func (w *watcher) secret(name, value string) {
	w.t.Helper()
	object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, StringData: map[string]string{workload.SecretKey: value}}
	w.Expect(w.Create(w.t.Context(), object)).To(gomega.Succeed())
}

// refuses expects that a definition is refused as Marathon did, at a path.
func (w *watcher) refuses(members, path, message string) {
	w.t.Helper()
	_, err := w.read(members)
	var refused *marathon.Error
	w.Expect(errors.As(err, &refused)).To(gomega.BeTrue(), "%s: %v; want %s: %s", members, err, path, message)
	for _, d := range refused.Details {
		if d.Path == path && strings.Contains(strings.Join(d.Errors, "\n"), message) {
			return
		}
	}
	w.t.Errorf("%s: %v; want %s: %s", members, err, path, message)
}

// stalls expects that nothing of an app runs, and that it says which fields are why.
func (w *watcher) stalls(members string, fields ...string) {
	w.t.Helper()
	a := w.start(members)
	a.says(v1alpha1.ReasonUnsupported, fields...)
	w.Expect(a.pods()).To(gomega.BeEmpty())
}

// inspection is what test/images/web tells at /inspect.
type inspection struct {
	Args       []string          `json:"args"`
	Env        map[string]string `json:"env"`
	Hostname   string            `json:"hostname"`
	UID        int               `json:"uid"`
	GID        int               `json:"gid"`
	PID        int               `json:"pid"`
	Dir        string            `json:"dir"`
	Stdin      string            `json:"stdin"`
	Shm        uint64            `json:"shm"`
	Namespaces map[string]string `json:"namespaces"`
	Files      map[string]string `json:"files"`
	Requests   map[string]struct {
		Count       int
		First, Last float64
	} `json:"requests"`
}

// value is that of a line "name: value" of a file.
func (i *inspection) value(file, name string) string {
	for line := range strings.SplitSeq(i.Files[file], "\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// mount is the line of /proc/self/mounts about a path.
func (i *inspection) mount(path string) string {
	for line := range strings.SplitSeq(i.Files["/proc/self/mounts"], "\n") {
		if fields := strings.Fields(line); len(fields) > 3 && fields[1] == path {
			return line
		}
	}
	return ""
}

// first is the content of the first of the files that there is.
func (i *inspection) first(files ...string) string {
	for _, name := range files {
		if content := strings.TrimSpace(i.Files[name]); content != "" {
			return content
		}
	}
	return ""
}

// tool runs a program of .local/bin.
func (w *watcher) tool(name string, args ...string) string {
	w.t.Helper()
	// Not the test's own context: what repairs must run when that has ended.
	command := exec.CommandContext(context.WithoutCancel(w.t.Context()), filepath.Join(testkit.Root(), ".local", "bin", name), args...)
	command.Env = append(command.Environ(), "KUBECONFIG="+w.kubeconfig)
	out, err := command.CombinedOutput()
	w.Expect(err).NotTo(gomega.HaveOccurred(), "%s %s: %s", name, strings.Join(args, " "), bytes.TrimSpace(out))
	return string(out)
}
