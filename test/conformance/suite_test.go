// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conformance holds kdcos to what Marathon did, field by field. Rows
// say for each field whether it is kept, differs or is refused, and name the
// behaviours that watch it: apps are given as Marathon's JSON, run on real
// nodes, and what the task sees or does is compared. docs/compat/marathon.md is
// generated from the rows; go test -run TestTable -update rewrites it.
//
// Behaviours are plain subtests, not specs, since these run at the same time:
// dozens of apps start at once, and the suite lasts as long as its slowest.
package conformance

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/controllers"
	"github.com/kdcos/kdcos/internal/testkit"
)

// atOnce is how many behaviours are watched at the same time. They wait far
// more than they work, but the nodes are one machine.
const atOnce = "20"

var update = flag.Bool("update", false, "rewrite the generated page")

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Groups of behaviours, one after the other. Those of a group are watched at the
// same time.
var (
	// storm are most of them.
	storm []named
	// clocked are those that look at the clock, or at who is there when: nodes
	// in a storm are late.
	clocked []named
	// disruptive ones have the cluster for themselves, one by one.
	disruptive []named
)

type named struct {
	name  string
	watch func(w *watcher)
}

// behaviour registers something to be watched on a cluster.
func behaviour(name string, how func(w *watcher)) bool {
	storm = append(storm, named{name, how})
	return true
}

// timed registers a behaviour that looks at the clock.
func timed(name string, how func(w *watcher)) bool {
	clocked = append(clocked, named{name, how})
	return true
}

// disruption registers something that takes nodes away from others.
func disruption(name string, how func(w *watcher)) bool {
	disruptive = append(disruptive, named{name, how})
	return true
}

// TestConformance needs a cluster with real nodes and kdcos installed:
// make test-conformance.
func TestConformance(t *testing.T) {
	c := connect(t)
	for _, group := range []struct {
		name       string
		behaviours []named
	}{{"behaviour", storm}, {"timed", clocked}} {
		t.Run(group.name, func(t *testing.T) {
			for _, b := range group.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					b.watch(newWatch(t, c))
				})
			}
		})
	}
	for _, b := range disruptive {
		t.Run(b.name, func(t *testing.T) { b.watch(newWatch(t, c)) })
	}
}

// cluster is the one that the behaviours are watched on.
type cluster struct {
	client.WithWatch
	// seen are the apps and pods of the namespace: dozens look at them all the time.
	seen cache.Cache
	// kubeconfig is the file that leads to it.
	kubeconfig string
	// namespace is that of the apps, and the name of their group. It allows
	// everything; bare is one that allows nothing in particular.
	namespace, bare string
	// suite is the test that all behaviours are part of.
	suite *testing.T
	// attributes are set on nodes once.
	attributes sync.Once
	// shared are apps that several behaviours look at, by their definition.
	shared sync.Map
}

func connect(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{suite: t, kubeconfig: os.Getenv("KUBECONFIG")}
	if c.kubeconfig == "" {
		c.kubeconfig = filepath.Join(testkit.Root(), ".local", "kubeconfig")
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		t.Fatalf("no cluster: run make test-conformance, which starts one: %v", err)
	}
	config.QPS = -1
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	if c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	c.namespace = c.newNamespace(map[string]string{
		"kdcos.io/allow-host-network": "true", "kdcos.io/allow-host-path": "true", "kdcos.io/allow-host-namespaces": "true",
		"kdcos.io/allow-privileged": "true", "kdcos.io/allow-capabilities": "true", "kdcos.io/allow-root": "true",
	})
	c.bare = c.newNamespace(nil)
	if c.seen, err = cache.New(config, cache.Options{Scheme: scheme, DefaultNamespaces: map[string]cache.Config{c.namespace: {}}}); err != nil {
		t.Fatal(err)
	}
	// Until the process ends: what is cleaned up is looked at, too.
	go func() {
		if err := c.seen.Start(context.Background()); err != nil {
			panic(err)
		}
	}()
	for _, kind := range []client.Object{&v1alpha1.App{}, &corev1.Pod{}} {
		if _, err := c.seen.GetInformer(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("apps run in namespace", c.namespace)
	return c
}

// newNamespace makes a namespace that goes with the suite.
func (c *cluster) newNamespace(labels map[string]string) string {
	c.suite.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "conformance-", Labels: labels}}
	if err := c.Create(c.suite.Context(), namespace); err != nil {
		c.suite.Fatalf("create namespace: %v", err)
	}
	c.suite.Cleanup(func() {
		if err := c.Delete(context.Background(), namespace); err != nil {
			c.suite.Errorf("delete namespace: %v", err)
		}
	})
	return namespace.Name
}
