// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

// TestConfigOfContainers holds which changes of an App with several containers
// restart its instances.
func TestConfigOfContainers(t *testing.T) {
	app := read(t, "testdata/pods.in.yaml")
	hash := func() string {
		h, _, err := Config(app)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	before := hash()
	app.Spec.KillSelection = v1alpha1.OldestFirst
	app.Spec.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: ptr.To(true)}
	app.Spec.ExecutorResources = nil
	*app.Spec.Instances = 7
	if hash() != before {
		t.Error("what only schedules restarts instances")
	}
	app.Spec.Containers[1].User = ptr.To("nobody")
	if hash() == before {
		t.Error("a container is not a change")
	}
}

func TestFetchersOfContainers(t *testing.T) {
	app := read(t, "testdata/pods.in.yaml")
	long := strings.Repeat("a", 63)
	for i, name := range []string{"web", "side", long} {
		app.Spec.Containers[i].Name = name
		app.Spec.Containers[i].Artifacts = []v1alpha1.Fetch{{URI: "http://a/" + name}}
	}
	app.Spec.Containers = append(app.Spec.Containers, v1alpha1.PodContainer{Name: "fetch-side", Image: &v1alpha1.PodImage{ID: "x"}})
	app.Spec.Default()
	settings := DefaultSettings()
	settings.FetcherImage = "kdcos"
	pod, err := Pod(app, settings, Slot{Version: "2021-10-31T12:00:00.000Z"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, c := range pod.Spec.InitContainers {
		names = append(names, *c.Name)
		if len(*c.Name) > 63 || !strings.Contains(strings.Join(c.Args, " "), "http://a/"+app.Spec.Containers[i].Name) {
			t.Errorf("%s fetches %s", *c.Name, c.Args)
		}
		sandbox := c.VolumeMounts[0].Name
		if *sandbox != []string{"c0-sandbox", "c1-sandbox", "c2-sandbox"}[i] {
			t.Errorf("%s fetches into %s", *c.Name, *sandbox)
		}
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, *c.Name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 7 {
		t.Errorf("containers share names: %s", names)
	}
	if names[0] != long || !slices.Contains(names, "fetch-web") {
		t.Errorf("names %s", names)
	}
}
