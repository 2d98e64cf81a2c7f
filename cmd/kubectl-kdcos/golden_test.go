// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/kdcos/kdcos/internal/dnsclient"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when all tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// golden compares text with a file in testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the tests with -update to make it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// cases are the inputs of a directory in testdata, NAME.in.yaml.
func cases(t *testing.T, dir string) map[string]world {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.in.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	all := map[string]world{}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".in.yaml")] = load(t, path)
	}
	return all
}

// world is what a cluster holds.
type world struct {
	apps      []*observed
	pods      []corev1.Pod
	revisions []appsv1.ControllerRevision
}

// load reads a world from a file of YAML documents.
func load(t *testing.T, path string) world {
	t.Helper()
	var w world
	for _, d := range (&input{files: []string{path}}).documents(nil) {
		if d.err != nil {
			t.Fatal(d.err)
		}
		raw := &unstructured.Unstructured{}
		must(t, raw.UnmarshalJSON(d.json))
		switch raw.GetKind() {
		case "App":
			app, err := observe(raw)
			must(t, err)
			w.apps = append(w.apps, app)
		case "Pod":
			var pod corev1.Pod
			must(t, yaml.UnmarshalStrict(d.json, &pod))
			w.pods = append(w.pods, pod)
		case "ControllerRevision":
			var revision appsv1.ControllerRevision
			must(t, yaml.UnmarshalStrict(d.json, &revision))
			w.revisions = append(w.revisions, revision)
		default:
			t.Fatalf("%s: kind %s", path, raw.GetKind())
		}
	}
	return w
}

func (w world) objects() []client.Object {
	var all []client.Object
	for _, app := range w.apps {
		all = append(all, app.raw.DeepCopy())
	}
	for i := range w.pods {
		all = append(all, w.pods[i].DeepCopy())
	}
	for i := range w.revisions {
		all = append(all, w.revisions[i].DeepCopy())
	}
	return all
}

// session runs command lines against a cluster that is not there.
type session struct {
	t        *testing.T
	client   client.Client
	in       string
	out, err string
	ask      func(ctx context.Context, c *cluster, namespace, name, qtype string) (*dnsclient.Answer, error)
	log      func(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error)
}

func newSession(t *testing.T, objects ...client.Object) *session {
	return newSessionWith(t, interceptor.Funcs{}, objects...)
}

func newSessionWith(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) *session {
	t.Helper()
	t.Setenv("KUBECONFIG", os.DevNull)
	run := &unstructured.Unstructured{}
	run.SetGroupVersionKind(jobRunKind)
	jobName := func(o client.Object) []string {
		name, _, _ := unstructured.NestedString(o.(*unstructured.Unstructured).Object, "spec", "jobName")
		return []string{name}
	}
	c := fake.NewClientBuilder().WithScheme(newScheme()).WithIndex(run, "spec.jobName", jobName).WithRESTMapper(newMapper()).
		WithObjects(objects...).WithInterceptorFuncs(funcs).WithReturnManagedFields().Build()
	return &session{t: t, client: c}
}

// run runs a command line and returns the exit code.
func (s *session) run(args ...string) int {
	s.t.Helper()
	var out, errOut bytes.Buffer
	p := newPlugin(genericiooptions.IOStreams{In: strings.NewReader(s.in), Out: &out, ErrOut: &errOut})
	p.now = func() time.Time { return noon }
	p.connect = func() (client.Client, error) { return s.client, nil }
	if s.ask != nil {
		p.ask = s.ask
	}
	p.openLog, p.suffix = s.log, func() string { return "xxxxx" }
	code := run(append([]string{program}, args...), p)
	s.out, s.err = out.String(), errOut.String()
	return code
}

// transcript is a command line and what came of it, as on a terminal.
func (s *session) transcript(args ...string) string {
	s.t.Helper()
	code := s.run(args...)
	text := "$ " + command + " " + strings.Join(args, " ") + "\n" + s.out
	if s.err != "" {
		text += "--- stderr\n" + s.err
	}
	if code != 0 {
		text += "--- exit code " + fmt.Sprint(code) + "\n"
	}
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
