// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package random_test

import (
	"encoding/json"
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
	"github.com/kdcos/kdcos/internal/testkit/random"
)

var (
	number = flag.Int("apps", 2000, "how many Apps to make")
	seed   = flag.Uint64("seed", 0, "the first seed")
)

func TestRandomApps(t *testing.T) {
	log.SetLogger(logr.Discard())
	apps := admitted(t)
	t.Run("have every leaf of the schema", func(t *testing.T) { checkLeaves(t, apps) })
	t.Run("go to Marathon's JSON and back without a loss", func(t *testing.T) { checkThereAndBack(t, apps) })
	t.Run("are accepted by an API server, and so are their pods", func(t *testing.T) { checkServer(t, apps) })
}

// candidate is an App, and the seed it was made of.
type candidate struct {
	seed uint64
	app  *v1alpha1.App
}

// admitted are as many Apps as are asked for that the schema lets pass, with
// their defaults.
func admitted(t *testing.T) []candidate {
	t.Helper()
	schema := admission.App(t)
	var all []candidate
	made := 0
	for s := *seed; len(all) < *number; s++ {
		made++
		object, errs := schema.Admit(t, random.App(s))
		if len(errs) > 0 {
			t.Logf("seed %d: %.300s", s, errs.ToAggregate())
			if made > 100 && made > 2*len(all) {
				t.Fatalf("%d of %d Apps are valid: the generator proves little", len(all), made)
			}
			continue
		}
		app, err := admission.Into[v1alpha1.App](object)
		if err != nil {
			t.Fatalf("seed %d: %v", s, err)
		}
		all = append(all, candidate{s, app})
	}
	t.Logf("%d of %d Apps are valid", len(all), made)
	return all
}

func checkLeaves(t *testing.T, apps []candidate) {
	t.Helper()
	visited := map[string]int{}
	for _, c := range apps {
		random.Visit("App", &c.app.Spec, func(path string) { visited[path]++ })
	}
	leaves := random.Leaves("App")
	for _, leaf := range leaves {
		if visited[leaf] == 0 {
			t.Errorf("no App has %s", leaf)
		}
	}
	rarest := slices.MinFunc(leaves, func(a, b string) int { return visited[a] - visited[b] })
	t.Logf("%d leaves; the rarest is %s, in %d places", len(leaves), rarest, visited[rarest])
}

func checkThereAndBack(t *testing.T, apps []candidate) {
	t.Helper()
	for _, c := range apps {
		back, err := thereAndBack(c.app)
		if err != nil {
			t.Errorf("seed %d: %v", c.seed, err)
		} else if diff := cmp.Diff(canonical(t, c.app), canonical(t, back)); diff != "" {
			t.Errorf("seed %d (-App +App of its JSON):\n%s", c.seed, diff)
		}
	}
}

func thereAndBack(app *v1alpha1.App) (*v1alpha1.App, error) {
	var wire any
	var err error
	if marathon.IsPod(app) {
		wire, err = marathon.PodFromApp(app, marathon.Options{})
	} else {
		wire, err = marathon.FromApp(app, marathon.Options{})
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(wire)
	if err != nil {
		return nil, err
	}
	items, err := marathon.Decode(text)
	if err != nil {
		return nil, err
	}
	return items[0].ToApp(marathon.Options{})
}

// canonical is a spec in the one of all forms that mean the same: with its
// defaults, without what says no more than nothing does, and in order.
func canonical(t *testing.T, app *v1alpha1.App) any {
	t.Helper()
	s := app.Spec.DeepCopy()
	s.Default()
	slices.SortFunc(s.Env, func(a, b v1alpha1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Secrets, func(a, b v1alpha1.Secret) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.Containers {
		c := &s.Containers[i]
		slices.SortFunc(c.Env, func(a, b v1alpha1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
		if l := c.ResourceLimits; l != nil {
			asText(l.Cpus)
			asText(l.Mem)
		}
	}
	for i := range s.HealthChecks {
		if h := &s.HealthChecks[i]; h.Protocol != v1alpha1.HealthCommand && h.Port == nil && h.PortIndex == nil {
			h.PortIndex = new(int32(0))
		}
	}
	if s.Container == nil && len(s.Containers) == 0 && !s.OnHostNetwork() {
		s.Container = &v1alpha1.Container{Type: v1alpha1.EngineMesos}
		s.Default()
	}
	if s.Container != nil && s.Container.Docker != nil && s.Container.Type == v1alpha1.EngineMesos {
		s.Container.Docker.Privileged = nil // the MESOS engine ignores it
	}
	if len(s.Networks) > 0 && s.Networks[0].Mode == v1alpha1.NetworkBridge && s.Container != nil {
		for i := range s.Container.PortMappings {
			m := &s.Container.PortMappings[i]
			m.HostPort = new(ptr.Deref(m.HostPort, 0))
		}
	}
	if s.UnreachableStrategy == nil {
		s.UnreachableStrategy = &v1alpha1.UnreachableStrategy{Disabled: new(s.Resident())}
	}
	// With several ports, FromApp names the one that a check means.
	if c := s.Check; c != nil && c.HTTP != nil && c.HTTP.Port == nil && c.HTTP.PortIndex == nil {
		c.HTTP.PortIndex = new(int32(0))
	}
	if c := s.Check; c != nil && c.TCP != nil && c.TCP.Port == nil && c.TCP.PortIndex == nil {
		c.TCP.PortIndex = new(int32(0))
	}
	if l := s.ResourceLimits; l != nil {
		asText(l.Cpus)
		asText(l.Mem)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	said("", value)
	return value
}

// asText writes a limit as a text, as it may be written as well.
func asText(limit *intstr.IntOrString) {
	if limit == nil {
		return
	}
	if number, err := strconv.ParseFloat(limit.String(), 64); err == nil {
		*limit = intstr.FromString(strconv.FormatFloat(number, 'f', -1, 64))
	}
}

// unlike leaves out what is there before.
func unlike(items []any) (out []any) {
	for _, item := range items {
		if !slices.ContainsFunc(out, func(other any) bool { return cmp.Equal(item, other) }) {
			out = append(out, item)
		}
	}
	return out
}

// nothing are values that mean the same as none, beside false and what is empty.
var nothing = map[string]any{
	"gpus": 0.0, "executor": "", "unreachableStrategy.inactiveAfterSeconds": 0.0, "unreachableStrategy.expungeAfterSeconds": 0.0,
	"env.value": "", "containers.env.value": "", "container.volumes.external.csi.capability.fsType": "", "check.http.scheme": "HTTP",
}

// said takes out what says nothing. An empty list of ports says that there are none.
func said(path string, value any) (says bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if !said(strings.TrimPrefix(path+"."+name, "."), member) {
				delete(v, name)
			} else if items, ok := member.([]any); ok && (name == "constraints" || name == "healthChecks") {
				v[name] = unlike(items) // Marathon has sets of them
			}
		}
		return len(v) > 0 || strings.HasPrefix(path, "check.") || strings.HasPrefix(path, "containers.resources")
	case []any:
		for _, item := range v {
			said(path, item)
		}
		return len(v) > 0 || path == "portDefinitions" || path == "container.portMappings"
	case bool:
		return v || path == "fetch.extract" || path == "containers.artifacts.extract"
	}
	without, is := nothing[path]
	return !is || value != without
}
